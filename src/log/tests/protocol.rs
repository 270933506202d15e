//! The threads of the append path among each other: clients, sequencer, signers, committer, sealer and readers.
//!
//! Over the operating system's threads this is one order of very many; `tests/protocol` runs it in orders that a seed
//! decides, where a thread that waits for ever is found at once.

use super::campaign::{Base, Broken, Campaign};
use super::simulated::{Fault, Luck, Machine};
use crate::log::append::{Answer, AppendError, Listener, Outcome, SignedEntry, Submission};
use crate::log::keys::LedgerKey;
use crate::log::own_events::{OwnEvent, Rotation};
use crate::log::{Log, RotateError};
use crate::spec::checkpoint::Checkpoint;
use crate::sync::atomic::Ordering;
use crate::sync::{Mutex, thread, wait_for};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;

type Waiting = Result<oneshot::Receiver<Answer>, AppendError>;

/// What one client does: it sends these, and waits for each answer before the next, or for none.
struct Client {
    sends: Vec<(usize, Submission)>,
    patient: bool,
}

/// Either how an answer came out, or the answer still to come.
enum Answered {
    Now(Option<Answer>),
    Later(oneshot::Receiver<Answer>),
}

fn hear(waiting: Waiting) -> Option<Answer> {
    waiting.map_or_else(|error| Some(Err(error)), |answer| wait_for(answer).ok())
}

impl Client {
    fn run(self, log: &Log, campaign: &Campaign) -> Result<Vec<(usize, Answered)>, Broken> {
        let mut answers = Vec::new();
        for (sent, submission) in self.sends {
            let waiting = log.append(submission);
            answers.push((
                sent,
                match waiting {
                    Ok(answer) if !self.patient => Answered::Later(answer),
                    waiting => {
                        let answer = hear(waiting);
                        is_durable(campaign, &answer)?;
                        Answered::Now(answer)
                    }
                },
            ));
        }
        Ok(answers)
    }
}

/// What is answered is on the disk already.
fn is_durable(campaign: &Campaign, answer: &Option<Answer>) -> Result<(), Broken> {
    let Some(Ok(outcomes)) = answer else { return Ok(()) };
    let durable = campaign.machine.durable_entries();
    for outcome in outcomes {
        let (Outcome::Recorded { seq, .. } | Outcome::Replayed { seq }) = outcome;
        if *seq >= durable {
            return Err(format!("entry {seq} was answered when {durable} were durable"));
        }
    }
    Ok(())
}

/// What a reader sees is on the disk already, and can be read.
fn read(log: &Log, campaign: &Campaign) -> Result<u64, Broken> {
    let mut seen = 0;
    for _ in 0..6 {
        thread::yield_now();
        let (size, checkpoint) = (log.store().size(), log.store().checkpoint());
        let durable = campaign.machine.durable_entries();
        let covered = checkpoint.map_or(0, |signed| signed.checkpoint.size);
        if size < seen || size > durable || covered > durable {
            return Err(format!(
                "{size} entries and a checkpoint of {covered}: {durable} durable, {seen} seen"
            ));
        }
        seen = size;
        log.store().receipt(size - 1).map_err(|error| format!("entry {} of {size}: {error}", size - 1))?;
    }
    Ok(seen)
}

/// Who is told of what is committed: of all of it, once, in order, and of nothing that is not durable.
struct Told {
    machine: Arc<Machine>,
    /// The entry that comes next.
    next: Mutex<Result<u64, Broken>>,
}

impl Listener for Told {
    fn committed(&self, first: u64, entries: Vec<SignedEntry>) {
        let mut next = self.next.lock().unwrap();
        let end = first + entries.len() as u64;
        let durable = self.machine.durable_entries();
        *next = match &*next {
            Ok(next) if *next != first => Err(format!("told of entry {first} where {next} should be")),
            Ok(_) if end > durable => Err(format!("told of {end} entries when {durable} were durable")),
            Ok(_) => Ok(end),
            Err(broken) => Err(broken.clone()),
        };
    }
}

impl Told {
    fn all(&self, size: u64) -> Result<(), Broken> {
        match self.next.lock().unwrap().clone()? {
            told if told == size => Ok(()),
            told => Err(format!("told of {told} entries of {size}")),
        }
    }
}

/// One run of everything at once. `base` is a ledger that was just made.
pub fn run(seed: u64, base: &Base) -> Result<(), Broken> {
    let mut campaign = Campaign::from_base(seed, base, false);
    let told = Arc::new(Told { machine: campaign.machine.clone(), next: Mutex::new(Ok(0)) });
    campaign.listener = Some(told.clone());
    let disk = campaign.machine.start();
    let log = campaign.open(&disk)?.ok_or("it does not open")?;
    *told.next.lock().unwrap() = Ok(log.store().size());
    let chance = &mut campaign.chance;
    let fault = match chance.below(4) {
        0 => Some(Fault::FailedSync),
        1 | 2 => Some(Fault::NoRoom(chance.within(1, 4))),
        _ => None,
    };
    if let Some(fault) = fault {
        campaign.machine.plan(chance.within(1, 25), fault);
    }
    let mut clients = Vec::new();
    for _ in 0..chance.within(2, 3) {
        let patient = chance.one_in(2);
        let mut sends = Vec::new();
        for _ in 0..chance.within(1, 3) {
            let items = if chance.one_in(5) { chance.within(17, 40) } else { chance.within(1, 3) };
            let sent = campaign.promises.prepare(items, 10);
            sends.push((sent, campaign.promises.submission(sent)));
        }
        clients.push(Client { sends, patient });
    }
    // Somebody sends what another has sent, too.
    let again = chance.below(campaign.promises.sent.len() as u64) as usize;
    clients.push(Client { sends: vec![(again, campaign.promises.submission(again))], patient: true });
    // Some rotate, perhaps to the same key.
    let rotations: Vec<u8> = (0..chance.below(3)).map(|_| chance.within(1, 2) as u8).collect();
    let confirms = chance.one_in(3);
    let first = log.store().size();

    let shared = &campaign;
    let (answers, own, seen) = thread::scope(|scope| {
        let clients: Vec<_> = clients.into_iter().map(|it| scope.spawn(|| it.run(&log, shared))).collect();
        let rotations: Vec<_> = rotations.iter().map(|key| scope.spawn(|| rotate(&log, *key))).collect();
        let confirming = confirms
            .then(|| scope.spawn(|| hear(log.own(OwnEvent::ClockConfirmed { by: "user:op".into() }))));
        let reader = scope.spawn(|| read(&log, shared));
        // Without a fault something is recorded; whoever waits for it must be woken.
        let waiter =
            fault.is_none().then(|| scope.spawn(|| log.store().wait_beyond(first, Duration::from_secs(60))));
        let mut answers = Vec::new();
        for client in clients {
            answers.extend(client.join().unwrap()?);
        }
        let mut own = Vec::new();
        for rotation in rotations {
            own.extend(rotation.join().unwrap()?);
        }
        if let Some(confirming) = confirming {
            own.extend(confirming.join().unwrap());
        }
        if waiter.is_some_and(|waiter| waiter.join().unwrap() <= first) {
            return Err("whoever waits for growth is woken without it".to_owned());
        }
        Ok((answers, own, reader.join().unwrap()?))
    })?;
    campaign.promises.saw(seen);

    // Without its fault the ledger goes on, unless a sync has failed.
    let stopped = campaign.machine.happened() == Some(Fault::FailedSync);
    campaign.machine.mend();
    let calm = campaign.machine.happened().is_none();
    let mut last = None;
    if !stopped {
        let sent = campaign.promises.prepare(1, 1);
        last = Some((
            sent,
            Answered::Later(log.append(campaign.promises.submission(sent)).map_err(|e| e.to_string())?),
        ));
    }
    let waiting_bytes = log.waiting_bytes.clone();
    let store = log.store().clone();
    log.close();
    told.all(store.size())?;
    if !stopped && waiting_bytes.load(Ordering::SeqCst) != 0 {
        return Err(format!("{waiting_bytes:?} bytes wait in a log that is closed"));
    }
    // What was handed in before the end is answered.
    let (mut known, mut unknown) = (Vec::new(), Vec::new());
    let last_sent = last.as_ref().map(|(sent, _)| *sent);
    for (sent, answer) in answers.into_iter().chain(last) {
        let answer = match answer {
            Answered::Now(answer) => answer,
            Answered::Later(mut answer) => answer.try_recv().ok(),
        };
        is_durable(&campaign, &answer)?;
        if answer.is_none() && !stopped {
            return Err(format!("submission {sent} is not answered"));
        }
        if last_sent == Some(sent) && !matches!(answer, Some(Ok(_))) && calm {
            return Err(format!("the last submission: {answer:?}"));
        }
        let is_known = matches!(answer, Some(Ok(_) | Err(AppendError::NoRoom | AppendError::Overloaded)));
        if is_known { known.push((sent, answer)) } else { unknown.push((sent, answer)) }
    }
    for (sent, answer) in known.into_iter().chain(unknown) {
        if answer.is_none() {
            campaign.promises.sends(sent);
        }
        campaign.promises.answered(sent, answer, calm)?;
    }
    for answer in own {
        match answer {
            Ok(outcomes) => match outcomes[..] {
                [Outcome::Recorded { seq, leaf, .. }] => campaign.promises.acknowledged(seq, leaf)?,
                _ => return Err(format!("an event of the ledger's own: {outcomes:?}")),
            },
            Err(AppendError::RotationInFlight) => {}
            Err(AppendError::NoRoom | AppendError::Stopped) if !calm => {}
            Err(other) => return Err(format!("an event of the ledger's own: {other}")),
        }
    }
    for (note, durable) in campaign.machine.checkpoints() {
        let said = Checkpoint::parse(&note).map_err(|error| error.to_string())?.0;
        if said.size > durable {
            return Err(format!(
                "a checkpoint of {} entries was signed when {durable} were durable",
                said.size
            ));
        }
    }
    campaign.machine.power_loss(Luck::None);
    campaign.look()
}

/// Rotates to one of two keys. None if the key was in force already.
fn rotate(log: &Log, key: u8) -> Result<Option<Answer>, Broken> {
    let signer = LedgerKey::from_seed(log.store().origin(), &[key; 32]).map_err(|error| error.to_string())?;
    let rotation = Rotation {
        by: "user:op".into(),
        signer: Arc::new(signer),
        next: None,
        overlap_until: None,
        old_key_lost: false,
    };
    match log.rotate(rotation) {
        Ok(answer) => Ok(wait_for(answer).ok()),
        Err(RotateError::Append(error)) => Ok(Some(Err(error))),
        Err(RotateError::UsedBefore) => Ok(None),
        Err(other) => Err(other.to_string()),
    }
}
