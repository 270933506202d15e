//! The log on a machine that fails: lives of a ledger, each ended by a fault, and after each of them everything that
//! was ever answered or handed out is looked for.

use super::chance::Chance;
use super::simulated::{Fault, Lie, Luck, Machine};
use crate::clock::ManualClock;
use crate::log::append::{Answer, AppendError, Identities, Item, Listener, Outcome, Submission};
use crate::log::disk::Disk;
use crate::log::keys;
use crate::log::opening::is_made_on;
use crate::log::own_events::{OwnEvent, Rotation};
use crate::log::recovery::RecoverError;
use crate::log::store::Store;
use crate::log::{
    Log, NoIndex, OpenError, Options, RotateError, check, create, fingerprint, identity, open, subject_hash,
};
use crate::spec::checkpoint::Checkpoint;
use crate::spec::entry::{Draft, Entry, FIRST_PREV, LEDGER_ACTOR};
use crate::spec::layout::LOG_DIR;
use crate::spec::merkle::{Hash, leaf_hash};
use crate::spec::time::Timestamp;
use crate::sync::{thread, wait_for};
use crate::verify::{self, Quiet, Source, verify};
use std::collections::{BTreeMap, HashMap};
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::oneshot;

const ORIGIN: &str = "log.example";
const ACTOR: &str = "app:t";

/// A promise that was broken, in words.
pub type Broken = String;

/// What was sent at once, and what is known of it.
pub(super) struct Sent {
    items: Vec<Item>,
    texts: Vec<String>,
    fate: Fate,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Fate {
    /// No answer came: recorded as a whole or not at all.
    Unknown,
    Recorded {
        first: u64,
    },
    /// It was answered that nothing of it is recorded.
    Refused,
}

/// Everything that the ledger has promised.
#[derive(Default)]
pub(super) struct Promises {
    pub(super) sent: Vec<Sent>,
    /// Leaf hashes of acknowledged entries.
    leaves: BTreeMap<u64, Hash>,
    /// Entries that somebody saw.
    seen: u64,
    /// The part of the log that was there before the campaign, and its root.
    base: (u64, Option<Hash>),
}

/// The index of identities: all that was recorded when the ledger opened.
struct Index {
    applied: u64,
    known: HashMap<[u8; 16], u64>,
}

impl Identities for Index {
    fn applied(&self) -> u64 {
        self.applied
    }

    fn find(&self, identity: &[u8; 16]) -> Result<(Option<u64>, u64), String> {
        Ok((self.known.get(identity).copied(), self.applied))
    }

    fn version(&self, _: &str) -> Result<(u64, u64), String> {
        Err("no version is asked for".into())
    }
}

/// What a campaign came to.
#[derive(Default, Debug, Clone, Copy)]
pub struct Tally {
    pub lives: u64,
    pub faults: u64,
    pub power_losses: u64,
    pub entries: u64,
    pub checkpoints: u64,
    /// Submissions that were recorded though no answer came.
    pub unheard: u64,
}

impl std::ops::AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.lives += other.lives;
        self.faults += other.faults;
        self.power_losses += other.power_losses;
        self.entries += other.entries;
        self.checkpoints += other.checkpoints;
        self.unheard += other.unheard;
    }
}

/// One ledger and its machine.
pub struct Campaign {
    pub(super) chance: Chance,
    pub(super) machine: Arc<Machine>,
    pub(super) data_dir: PathBuf,
    /// Key files and the lock are in real folders.
    pub(super) keys: tempfile::TempDir,
    pub(super) clock: Arc<ManualClock>,
    pub(super) promises: Promises,
    pub(super) tally: Tally,
    pub(super) most_lives: u64,
    /// Steps within which a planned fault comes.
    pub(super) fault_within: u64,
    /// Whether all signatures are checked at the end.
    pub(super) verify: bool,
    /// Who hears of what is committed.
    pub(super) listener: Option<Arc<dyn Listener>>,
}

/// A prepared disk, for ledgers that begin near the end of a segment.
pub struct Base {
    machine: Arc<Machine>,
    data_dir: PathBuf,
    dir: tempfile::TempDir,
    size: u64,
    root: Hash,
}

const START: i64 = 1_700_000_000_000_000;

fn after(seconds: u64) -> Timestamp {
    Timestamp::from_micros(START + seconds as i64 * 1_000_000).unwrap()
}

impl Base {
    /// A ledger of so many entries.
    pub fn new(size: u64) -> Self {
        let mut made = Campaign::new(0, None);
        let disk = made.machine.start();
        create(&made.options(&disk), ORIGIN, None).unwrap();
        let log = open(made.options(&disk)).unwrap().start(Arc::new(NoIndex)).unwrap();
        while log.store().size() < size {
            let items = (size - log.store().size()).min(1_000);
            let sent = made.promises.prepare(items, 1);
            wait_for(log.append(made.promises.submission(sent)).unwrap()).unwrap().unwrap();
        }
        let root = log.store().root_at(size).unwrap();
        log.close();
        made.machine.power_loss(Luck::None);
        Self { machine: made.machine, data_dir: made.data_dir, dir: made.keys, size, root }
    }
}

impl Promises {
    pub(super) fn prepare(&mut self, items: u64, bytes: u64) -> usize {
        let number = self.sent.len();
        let text = |item: u64| {
            let data = "x".repeat(bytes as usize);
            format!(
                r#"{{"data":"{data}","id":"{number}.{item}","source":"/t","specversion":"1.0","subject":"s","type":"t"}}"#
            )
        };
        let texts: Vec<String> = (0..items).map(text).collect();
        let item = |(item, text): (usize, &String)| Item {
            draft: Draft::new(ACTOR, text, ORIGIN),
            identity: identity("/t", &format!("{number}.{item}")),
            fingerprint: fingerprint(ACTOR, text),
            subject: Some(subject_hash("s")),
            source: "/t".into(),
            not_before: None,
        };
        let items = texts.iter().enumerate().map(item).collect();
        self.sent.push(Sent { items, texts, fate: Fate::Unknown });
        number
    }

    pub(super) fn submission(&self, sent: usize) -> Submission {
        let items = self.sent[sent].items.clone();
        Submission { items, expected_version: None, looked_up_at: 0 }
    }

    /// Is about to be sent, perhaps again.
    pub(super) fn sends(&mut self, sent: usize) {
        if self.sent[sent].fate == Fate::Refused {
            self.sent[sent].fate = Fate::Unknown;
        }
    }

    pub(super) fn saw(&mut self, size: u64) {
        self.seen = self.seen.max(size);
    }

    pub(super) fn acknowledged(&mut self, seq: u64, leaf: Hash) -> Result<(), Broken> {
        self.saw(seq + 1);
        match self.leaves.insert(seq, leaf) {
            Some(earlier) if earlier != leaf => {
                Err(format!("entry {seq} was acknowledged twice, differently"))
            }
            _ => Ok(()),
        }
    }

    /// Takes an answer down. `calm`: nothing has gone wrong in this life, so nothing may be refused.
    pub(super) fn answered(&mut self, sent: usize, answer: Option<Answer>, calm: bool) -> Result<(), Broken> {
        match answer {
            Some(Ok(outcomes)) => {
                if outcomes.len() != self.sent[sent].items.len() {
                    return Err(format!("submission {sent}: {} outcomes", outcomes.len()));
                }
                let mut first = None;
                for (place, outcome) in outcomes.into_iter().enumerate() {
                    let seq = match outcome {
                        Outcome::Recorded { seq, leaf, .. } => {
                            self.acknowledged(seq, leaf)?;
                            seq
                        }
                        Outcome::Replayed { seq } => {
                            self.saw(seq + 1);
                            seq
                        }
                    };
                    let expected = *first.get_or_insert(seq) + place as u64;
                    if seq != expected {
                        return Err(format!("submission {sent}, item {place}: number {seq}, not {expected}"));
                    }
                }
                let fate = Fate::Recorded { first: first.unwrap_or_default() };
                match self.sent[sent].fate {
                    earlier @ Fate::Recorded { .. } if earlier != fate => {
                        Err(format!("submission {sent}: {earlier:?}, then {fate:?}"))
                    }
                    _ => {
                        self.sent[sent].fate = fate;
                        Ok(())
                    }
                }
            }
            other if calm => Err(format!("submission {sent}: {other:?}, though nothing went wrong")),
            // Others answer that nothing is known; of these it is known that nothing is recorded. What was recorded
            // before stays so: an event that is sent again may find no room for its second batch.
            Some(Err(AppendError::NoRoom | AppendError::Overloaded)) => {
                if !matches!(self.sent[sent].fate, Fate::Recorded { .. }) {
                    self.sent[sent].fate = Fate::Refused;
                }
                Ok(())
            }
            // Also the index cannot be read by a process that is dead.
            Some(Err(AppendError::Stopped | AppendError::Index(_))) | None => Ok(()),
            Some(Err(other)) => Err(format!("submission {sent}: {other}")),
        }
    }

    fn index(&self, applied: u64) -> Index {
        let recorded = self.sent.iter().filter_map(|sent| match sent.fate {
            Fate::Recorded { first } => Some(sent.items.iter().zip(first..)),
            Fate::Unknown | Fate::Refused => None,
        });
        let known = recorded.flatten().map(|(item, seq)| (item.identity, seq)).collect();
        Index { applied, known }
    }

    /// Reads the whole log, less its base, and looks for every promise. Answers how many submissions are recorded of
    /// which nothing was known.
    pub(super) fn inspect(&mut self, store: &Store) -> Result<u64, Broken> {
        let size = store.size();
        if size < self.seen {
            return Err(format!("{size} entries, but {} were seen", self.seen));
        }
        self.saw(size);
        let (base, root) = self.base;
        let keys: Vec<[u8; 32]> = store.keys().iter().map(|it| *it.key.public_key()).collect();
        if (1..keys.len()).any(|place| keys[..place].contains(&keys[place])) {
            return Err("a key came into force twice".into());
        }
        if root.is_some_and(|root| store.root_at(base).ok() != Some(root)) {
            return Err("another history than what was there at first".into());
        }
        let by_identity: HashMap<String, (usize, usize)> = self
            .sent
            .iter()
            .enumerate()
            .flat_map(|(sent, it)| {
                (0..it.texts.len()).map(move |item| (format!("{sent}.{item}"), (sent, item)))
            })
            .collect();
        let mut found: BTreeMap<usize, Vec<Option<u64>>> = BTreeMap::new();
        let read = |seq: u64| store.entry(seq).map_err(|error| format!("entry {seq}: {error}"));
        let mut last: Option<(Hash, Timestamp)> = None;
        for seq in base.saturating_sub(1)..size {
            let bytes = read(seq)?;
            let entry = Entry::parse(&bytes).map_err(|error| format!("entry {seq}: {error}"))?;
            let prev = last.map_or(if seq == 0 { FIRST_PREV } else { entry.prev }, |(chain, _)| chain);
            if entry.seq != seq || entry.prev != prev {
                return Err(format!("entry {seq} is number {} of another chain", entry.seq));
            }
            if last.is_some_and(|(_, time)| entry.time < time) {
                return Err(format!("entry {seq}: time goes back"));
            }
            last = Some((entry.text_hash(), entry.time));
            if self.leaves.get(&seq).is_some_and(|leaf| *leaf != leaf_hash(&bytes)) {
                return Err(format!("entry {seq} is not the one that was acknowledged"));
            }
            if seq < base || entry.actor == LEDGER_ACTOR {
                continue;
            }
            let id = entry.event.get("id").and_then(|id| id.as_str()).unwrap_or_default().to_owned();
            let Some((sent, item)) = by_identity.get(&id).copied() else {
                return Err(format!("entry {seq}: event {id} was never sent"));
            };
            if crate::spec::canonical::to_string(&entry.event) != self.sent[sent].texts[item] {
                return Err(format!("entry {seq}: event {id} is not what was sent"));
            }
            let places = found.entry(sent).or_insert_with(|| vec![None; self.sent[sent].items.len()]);
            if let Some(earlier) = places[item].replace(seq) {
                return Err(format!("event {id} is entry {earlier} and again entry {seq}"));
            }
        }
        let mut unheard = 0;
        for (number, sent) in self.sent.iter_mut().enumerate() {
            let places = found.remove(&number);
            match (sent.fate, places) {
                (Fate::Refused, Some(_)) => {
                    return Err(format!("submission {number} was refused and is recorded"));
                }
                (Fate::Recorded { .. }, None) => {
                    return Err(format!("submission {number} was acknowledged and is lost"));
                }
                (_, Some(places)) => {
                    let first = places[0].unwrap_or_default();
                    let whole = (first..).zip(&places).all(|(seq, place)| *place == Some(seq));
                    if !whole || matches!(sent.fate, Fate::Recorded { first: said } if said != first) {
                        return Err(format!("submission {number} ({:?}) is at {places:?}", sent.fate));
                    }
                    unheard += u64::from(sent.fate == Fate::Unknown);
                    sent.fate = Fate::Recorded { first };
                }
                // It does not come any more by itself: whoever was to write it is dead.
                (Fate::Unknown | Fate::Refused, None) => sent.fate = Fate::Refused,
            }
        }
        Ok(unheard)
    }
}

impl Campaign {
    /// A new ledger, on a disk of its own.
    pub fn new(seed: u64, lie: Option<Lie>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let machine = Machine::new(dir.path(), Chance::new(!seed));
        machine.lie(lie);
        let data_dir = dir.path().join("ledger");
        std::fs::create_dir(&data_dir).unwrap();
        Self {
            chance: Chance::new(seed),
            machine,
            data_dir,
            keys: dir,
            clock: Arc::new(ManualClock::new(after(0))),
            promises: Promises::default(),
            tally: Tally::default(),
            most_lives: 4,
            fault_within: 90,
            verify: true,
            listener: None,
        }
    }

    /// A ledger that goes on from a prepared one. `verify`: all its signatures are checked at the end.
    pub fn from_base(seed: u64, base: &Base, verify: bool) -> Self {
        let mut campaign = Self::new(seed, None);
        campaign.machine = base.machine.copy(Chance::new(!seed));
        campaign.data_dir.clone_from(&base.data_dir);
        for file in std::fs::read_dir(base.dir.path().join("keys")).unwrap() {
            let file = file.unwrap();
            std::fs::create_dir_all(campaign.keys.path().join("keys")).unwrap();
            std::fs::copy(file.path(), campaign.keys.path().join("keys").join(file.file_name())).unwrap();
        }
        campaign.promises.base = (base.size, Some(base.root));
        campaign.promises.seen = base.size;
        // Reading a whole segment takes its time, and each life begins with it.
        campaign.most_lives = 2;
        campaign.fault_within = 60;
        campaign.verify = verify;
        campaign
    }

    pub(super) fn options(&self, disk: &Arc<dyn Disk>) -> Options {
        Options {
            data_dir: self.data_dir.clone(),
            keys_dir: self.keys.path().join("keys"),
            passphrase: None,
            disk: disk.clone(),
            clock: self.clock.clone(),
            read_only: false,
            key_lost: false,
            adopt: None,
            publish: false,
            confirm_clock: false,
            known: Vec::new(),
        }
    }

    /// Several lives, and at last one in which nothing goes wrong.
    pub fn run(mut self) -> Result<Tally, Broken> {
        for _ in 0..self.chance.within(1, self.most_lives) {
            let disk = self.machine.start();
            if !self.chance.one_in(6) {
                let fault = match self.chance.below(8) {
                    0..=2 => Fault::PowerLoss,
                    3 | 4 => Fault::Kill,
                    5 => Fault::FailedSync,
                    6 => Fault::FailedChange,
                    _ => Fault::NoRoom(self.chance.within(1, 6)),
                };
                // Half of the faults come while the ledger opens.
                let within = if self.chance.one_in(2) { 15 } else { self.fault_within };
                self.machine.plan(self.chance.within(1, within), fault);
            }
            self.live(&disk)?;
            self.tally.lives += 1;
            self.tally.faults += u64::from(self.machine.happened().is_some());
            let powerless = self.machine.happened() == Some(Fault::PowerLoss);
            self.machine.kill();
            if !powerless {
                // Opening alone must make durable what it reads in the page cache.
                if self.promises.seen > 0 && self.chance.one_in(2) {
                    self.look()?;
                    self.machine.kill();
                }
                if self.chance.one_in(2) {
                    self.lose_power();
                }
            }
            self.tally.power_losses += u64::from(powerless);
            if self.promises.seen > 0 && self.chance.one_in(4) {
                self.check(false)?;
            }
        }
        self.end_well()
    }

    fn lose_power(&mut self) {
        let luck = match self.chance.below(6) {
            0 => Luck::None,
            1 => Luck::All,
            _ => Luck::Mixed,
        };
        self.machine.power_loss(luck);
        self.tally.power_losses += 1;
    }

    fn is_calm(&self) -> bool {
        self.machine.happened().is_none()
    }

    /// One life, until its fault or its end.
    fn live(&mut self, disk: &Arc<dyn Disk>) -> Result<(), Broken> {
        let Some(log) = self.open(disk)? else { return Ok(()) };
        for _ in 0..self.chance.within(1, 10) {
            self.act(&log)?;
            if self.machine.is_running() {
                self.promises.saw(log.store().size());
            }
        }
        if self.chance.one_in(2) {
            log.close();
        } else {
            self.machine.kill();
        }
        Ok(())
    }

    /// Opens the ledger, making it if there is none, and looks for all promises. None if a fault came between.
    pub(super) fn open(&mut self, disk: &Arc<dyn Disk>) -> Result<Option<Log>, Broken> {
        if !is_made_on(&**disk, &self.data_dir) {
            if self.promises.seen > 0 {
                return Err("the ledger is gone".into());
            }
            match create(&self.options(disk), ORIGIN, None) {
                Ok(_) => self.promises.saw(1),
                Err(error) if self.is_calm() => return Err(format!("it is not made: {error}")),
                Err(_) => return Ok(None),
            }
        }
        let mut opened = match open(self.options(disk)) {
            Ok(opened) => opened,
            Err(OpenError::Recover(
                error @ (RecoverError::Damaged(_) | RecoverError::HeadLost | RecoverError::NoLog(_)),
            )) => return Err(error.to_string()),
            Err(error) if self.is_calm() => return Err(format!("it does not open: {error}")),
            Err(_) => return Ok(None),
        };
        if let Some(why) = &opened.read_only {
            return Err(why.clone());
        }
        self.tally.unheard += self.promises.inspect(&opened.store)?;
        let index = self.promises.index(opened.store.size());
        if let Some(listener) = &self.listener {
            opened.tell(listener.clone());
        }
        match opened.start(Arc::new(index)) {
            Ok(log) => Ok(Some(log)),
            Err(error) if self.is_calm() => Err(format!("it does not start: {error}")),
            Err(_) => Ok(None),
        }
    }

    /// Opens the log and looks for all promises, and no more.
    pub(super) fn look(&mut self) -> Result<(), Broken> {
        let disk = self.machine.start();
        let opened = open(self.options(&disk)).map_err(|error| error.to_string())?;
        self.promises.inspect(&opened.store).map(|_| ())
    }

    fn act(&mut self, log: &Log) -> Result<(), Broken> {
        let now = self.clock_passes();
        match self.chance.below(20) {
            0..=11 => {
                let sent = self.prepare();
                self.send(log, sent)
            }
            12..=14 => match self.promises.sent.len() as u64 {
                0 => Ok(()),
                all => {
                    let sent = self.chance.below(all) as usize;
                    self.send(log, sent)
                }
            },
            15 | 16 => self.burst(log),
            17 | 18 => self.rotate(log, now),
            _ => {
                let answer = log.own(OwnEvent::ClockConfirmed { by: "user:op".into() });
                self.own(answer)
            }
        }
    }

    fn clock_passes(&mut self) -> u64 {
        let now = self.promises.seen * 10 + self.chance.below(10) + self.promises.sent.len() as u64 * 10;
        self.clock.advance_to(after(now));
        now
    }

    fn prepare(&mut self) -> usize {
        let bytes = match self.chance.below(10) {
            0 => self.chance.within(3_000, 20_000),
            1..=3 => self.chance.within(200, 2_000),
            _ => self.chance.within(1, 100),
        };
        let items =
            if self.chance.one_in(12) { self.chance.within(17, 60) } else { self.chance.within(1, 4) };
        self.promises.prepare(items, bytes)
    }

    fn send(&mut self, log: &Log, sent: usize) -> Result<(), Broken> {
        self.promises.sends(sent);
        let answer = log.append(self.promises.submission(sent));
        let answer = answer.map_or_else(|error| Some(Err(error)), |answer| wait_for(answer).ok());
        let calm = self.is_calm();
        self.promises.answered(sent, answer, calm)
    }

    /// Several clients at once, two of them with the same event, and a reader.
    fn burst(&mut self, log: &Log) -> Result<(), Broken> {
        let mut sent: Vec<usize> = (0..self.chance.within(2, 5)).map(|_| self.prepare()).collect();
        sent.push(sent[0]);
        let submissions: Vec<Submission> = sent.iter().map(|sent| self.promises.submission(*sent)).collect();
        let (answers, seen) = thread::scope(|scope| {
            let send = |submission| {
                scope.spawn(move || match log.append(submission) {
                    Ok(answer) => wait_for(answer).ok(),
                    Err(error) => Some(Err(error)),
                })
            };
            let clients: Vec<_> = submissions.into_iter().map(send).collect();
            let reader = scope.spawn(|| {
                let reads = (0..10).map(|_| {
                    thread::yield_now();
                    log.store().size()
                });
                reads.max().unwrap_or_default()
            });
            let answers: Vec<_> = clients.into_iter().map(|client| client.join().unwrap()).collect();
            (answers, reader.join().unwrap())
        });
        self.promises.saw(seen);
        let calm = self.is_calm();
        let (known, unknown): (Vec<_>, Vec<_>) = sent.into_iter().zip(answers).partition(|(_, answer)| {
            matches!(answer, Some(Ok(_) | Err(AppendError::NoRoom | AppendError::Overloaded)))
        });
        for (sent, answer) in known {
            self.promises.answered(sent, answer, calm)?;
        }
        for (sent, answer) in unknown {
            // The other of two may have been refused; of this one nothing is known.
            self.promises.sends(sent);
            self.promises.answered(sent, answer, calm)?;
        }
        Ok(())
    }

    fn rotate(&mut self, log: &Log, now: u64) -> Result<(), Broken> {
        let (signer, _) = keys::generate(&self.keys.path().join("keys"), ORIGIN, None).unwrap();
        let rotation = Rotation {
            by: "user:op".into(),
            signer: Arc::new(signer),
            next: None,
            overlap_until: self.chance.one_in(2).then(|| after(now + 30)),
            old_key_lost: false,
        };
        let answer = log.rotate(rotation).map_err(|error| match error {
            RotateError::Append(error) => error,
            other => panic!("a new key is refused: {other}"),
        });
        self.own(answer)
    }

    fn own(&mut self, answer: Result<oneshot::Receiver<Answer>, AppendError>) -> Result<(), Broken> {
        let answer = answer.map_or_else(|error| Some(Err(error)), |answer| wait_for(answer).ok());
        match answer {
            Some(Ok(outcomes)) => match outcomes[..] {
                [Outcome::Recorded { seq, leaf, .. }] => self.promises.acknowledged(seq, leaf),
                _ => Err(format!("an event of the ledger's own: {outcomes:?}")),
            },
            other if self.is_calm() => Err(format!("an event of the ledger's own: {other:?}")),
            Some(Err(AppendError::NoRoom | AppendError::Stopped)) | None => Ok(()),
            Some(Err(other)) => Err(format!("an event of the ledger's own: {other}")),
        }
    }

    /// The power comes back, nothing goes wrong any more: all promises hold, and everyone who looks finds it whole.
    fn end_well(mut self) -> Result<Tally, Broken> {
        for luck in [Luck::Mixed, Luck::None] {
            self.machine.power_loss(luck);
            let disk = self.machine.start();
            let Some(log) = self.open(&disk)? else {
                return Err("it does not open, though nothing goes wrong".into());
            };
            let sent = self.prepare();
            self.send(&log, sent)?;
            self.tally.entries = log.store().size();
            let checkpoints = self.machine.checkpoints();
            self.tally.checkpoints = checkpoints.len() as u64;
            for (note, _) in checkpoints {
                let said = Checkpoint::parse(&note)
                    .map_err(|error| format!("a checkpoint that was signed: {error}"))?
                    .0;
                if log.store().root_at(said.size).ok() != Some(said.root) {
                    return Err(format!("the checkpoint of {} entries is contradicted", said.size));
                }
            }
            log.close();
        }
        self.check(true)?;
        if self.verify {
            let dump = tempfile::tempdir().unwrap();
            self.machine.dump(dump.path()).unwrap();
            let place = dump.path().join(self.data_dir.file_name().unwrap());
            let outcome = verify(Source::Folder(place), &verify::Options::default(), &Quiet);
            if !matches!(outcome, verify::Outcome::Verified(_)) {
                return Err(format!("it does not verify: {outcome:?}"));
            }
        }
        Ok(self.tally)
    }

    /// `daybook check`. What is derived may be behind after a crash, but not after a life that ended well.
    fn check(&self, whole: bool) -> Result<(), Broken> {
        let disk = self.machine.start();
        let checked = check::check(&*disk, &self.data_dir.join(LOG_DIR), false, |_, _| {})
            .map_err(|error| format!("check: {error}"))?;
        match checked.differences.first().filter(|_| whole) {
            Some(difference) => Err(format!("check: {difference:?}")),
            None => Ok(()),
        }
    }
}
