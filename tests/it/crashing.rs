//! Killed at any moment, nothing acknowledged is lost, nothing is there twice, no batch is half there, nothing handed
//! out is contradicted.

use crate::kit::{Chance, Ledger, Time, done, event, signal, soak};
use crate::told::{Listed, Seen, Sent};
use serde_json::{Value, json};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Rounds of killing, and in the long form.
const ROUNDS: (usize, usize) = (20, 1_000);

/// Rounds of killing a ledger that holds [`FILLED`] events already, and those.
const ROUNDS_WHEN_FILLED: (usize, usize) = (6, 100);
const FILLED: (usize, usize) = (3_000, 100_000);

/// Rounds after which a new ledger is begun.
///
/// Reason: each round verifies the whole ledger, so that a thousand on one would take the square of their time.
const ROUNDS_A_LEDGER: usize = 10;

/// Clients that post at once, each one request at a time.
const CLIENTS: usize = 5;

/// Requests that are answered in a round before the kill, at most.
const MAX_ANSWERS: u64 = 60;

/// How long a round waits for them.
const PATIENCE: Duration = Duration::from_secs(30);

/// An application that keeps to the rules: what was not answered is sent again, as it was, before anything else.
struct Client {
    chance: Chance,
    /// Its own subject, and how many events that has.
    subject: String,
    version: u64,
    unanswered: Option<Sent>,
    /// The highest number that it was told.
    latest: u64,
}

impl Client {
    fn new(mut chance: Chance) -> Self {
        let subject = format!("APR-{:016x}", chance.next());
        Self { chance, subject, version: 0, unanswered: None, latest: 0 }
    }

    /// Posts until the server is gone; answers what it sent, and the checkpoints that it was handed meanwhile.
    fn post_until_killed(&mut self, ledger: &Ledger, answers: &AtomicU64) -> (Vec<Sent>, Vec<Seen>) {
        let (mut done, mut seen): (Vec<Sent>, Vec<Seen>) = (Vec::new(), Vec::new());
        loop {
            let mut sent = self.unanswered.take().unwrap_or_else(|| self.next());
            let Some(answer) = sent.post(ledger) else {
                self.unanswered = Some(sent.clone());
                done.push(sent);
                return (done, seen);
            };
            assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
            answers.fetch_add(1, Ordering::Relaxed);
            let first = sent.told.as_ref().unwrap()[0].0;
            assert!(first > self.latest, "a later request has an earlier number");
            self.latest = sent.told.as_ref().unwrap().last().unwrap().0;
            self.version += u64::from(sent.expected.is_some());
            done.push(sent);
            match self.chance.below(8) {
                0 => seen.extend(checkpoint(ledger)),
                // Sent again though it was answered: the same is said again.
                1 => {
                    let place = self.chance.below(done.len() as u64) as usize;
                    let again = done[place].post(ledger);
                    assert!(again.is_none_or(|answer| answer.status == 200));
                }
                _ => {}
            }
        }
    }

    fn next(&mut self) -> Sent {
        match self.chance.below(10) {
            0 | 1 => {
                let mut event = event();
                event["subject"] = json!(self.subject);
                Sent::expecting(event, self.version)
            }
            2..6 => Sent::one(event()),
            _ => {
                let size = 2 + self.chance.below(30);
                Sent::batch((0..size).map(|_| event()).collect::<Vec<Value>>())
            }
        }
    }
}

fn checkpoint(ledger: &Ledger) -> Option<Seen> {
    let token = format!("Bearer {}", ledger.token("auditor"));
    let answer = ledger.try_request("GET", "/log/checkpoint", &[("authorization", &token)], b"").ok()?;
    assert_eq!(answer.status, 200, "{}", answer.text());
    Some(Seen::parse(&answer.text()))
}

/// A new ledger with this engine under its index and its views, and with so many events.
fn filled(engine: &str, events: usize) -> Ledger {
    let ledger = Ledger::empty_with(&format!("index = \"{engine}\"\n"));
    let all: Vec<Value> = (0..events)
        .map(|number| {
            let (mut event, approval) = (event(), format!("FILL-{}", number / 3));
            event["subject"] = json!(approval);
            event["data"]["approval"] = json!(approval);
            event
        })
        .collect();
    for batch in all.chunks(1_000) {
        assert_eq!(ledger.post_batch(batch).status, 201);
    }
    ledger
}

/// A ledger, killed and started again so often, or until the time is over; how often.
fn kill_and_restart(mut ledger: Ledger, rounds: usize, chance: &mut Chance, time: &Time) -> usize {
    let mut clients: Vec<_> = (0..CLIENTS).map(|_| Client::new(chance.split())).collect();
    let (mut listed, mut everything, mut all_seen) = (Listed::default(), Vec::new(), Vec::new());
    let mut round = 0;
    while round < rounds && !time.is_over() {
        round += 1;
        // A moment counted in answers comes at the same point of the work on a slow machine.
        let (answers, enough) = (AtomicU64::new(0), chance.below(MAX_ANSWERS));
        let then = Duration::from_micros(chance.below(20_000));
        let (mut sent, mut seen) = (Vec::new(), vec![Seen::now(&ledger)]);
        std::thread::scope(|scope| {
            let posting: Vec<_> = clients
                .iter_mut()
                .map(|client| scope.spawn(|| client.post_until_killed(&ledger, &answers)))
                .collect();
            let begun = Instant::now();
            while answers.load(Ordering::Relaxed) < enough && begun.elapsed() < PATIENCE {
                std::thread::sleep(Duration::from_micros(200));
            }
            std::thread::sleep(then);
            signal(ledger.pid(), "KILL");
            for client in posting {
                let (more_sent, more_seen) = client.join().unwrap();
                sent.extend(more_sent);
                seen.extend(more_seen);
            }
        });
        ledger.kill();
        if chance.below(3) == 0 {
            // Killed again while it recovers.
            ledger.launch_and_kill(Duration::from_millis(chance.below(300)));
        }
        ledger.restart();
        listed.read_on(&ledger);
        sent.iter().for_each(|sent| listed.must_hold(sent));
        // What holds now is taken along: each round's checkpoints are proved to go on from those before.
        for seen in &seen {
            seen.must_hold(&ledger);
        }
        let (said, code) = ledger.verify();
        assert_eq!(code, 0, "round {round}: {said}");
        everything.append(&mut sent);
        all_seen.append(&mut seen);
    }
    // And at the end all of it at once, read anew.
    for client in &mut clients {
        if let Some(sent) = &mut client.unanswered {
            let answer = sent.post(&ledger).unwrap();
            assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
            everything.push(sent.clone());
        }
    }
    let mut listed = Listed::default();
    listed.read_on(&ledger);
    everything.iter().for_each(|sent| listed.must_hold(sent));
    for seen in &all_seen {
        seen.must_hold(&ledger);
    }
    ledger.stop();
    let checked = crate::kit::run(crate::kit::daybook().arg("check").arg(ledger.data()));
    assert!(checked.status.success(), "{}", crate::kit::text(&checked.stdout));
    let answered = everything.iter().filter(|sent| sent.told.is_some()).count();
    println!("{round} rounds, {} entries, {answered} requests answered", listed.size);
    assert!(answered > round, "only {answered} requests were answered: nothing was tested");
    round
}

#[test]
fn an_acknowledged_event_survives_kill_9() {
    let mut chance = Chance::seeded();
    let (all, time) = (if soak() { ROUNDS.1 } else { ROUNDS.0 }, Time::begins());
    let mut rounds = 0;
    while rounds < all && !time.is_over() {
        let more = ROUNDS_A_LEDGER.min(all - rounds);
        rounds += kill_and_restart(Ledger::empty(), more, &mut chance, &time);
    }
    done(rounds, all, "rounds of killing");
}

#[test]
fn a_filled_ledger_survives_kill_9_with_sled_too() {
    let mut chance = Chance::seeded();
    let (engines, rounds, events) = if soak() {
        (&["sled", "fjall"][..], ROUNDS_WHEN_FILLED.1, FILLED.1)
    } else {
        (&["sled"][..], ROUNDS_WHEN_FILLED.0, FILLED.0)
    };
    for engine in engines {
        let ledger = filled(engine, events);
        for folder in ["index", "views"] {
            assert!(ledger.data().join(folder).join(engine).exists(), "{folder} is kept by {engine}");
        }
        println!("{engine}: {events} events, {} MB of memory", ledger.resident_bytes() / 1_000_000);
        let killed = kill_and_restart(ledger, rounds, &mut chance, &Time::begins());
        done(killed, rounds, &format!("rounds of killing with {engine} and {events} events"));
    }
}

#[test]
fn two_processes_never_have_one_folder() {
    let ledger = Ledger::empty();
    let output = crate::kit::serve(&ledger.data(), &[]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(crate::kit::text(&output.stderr).contains("another process has the folder"));
    ledger.record(&event());
}
