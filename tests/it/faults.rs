//! Every call of the append path fails once, or is the process's last, one a run: then everything acknowledged is
//! there, and the ledger checks, verifies and goes on.
//!
//! A run without a fault shows which calls there are: everything that creates, opens, writes, syncs, cuts or renames
//! below the data folder, but for the index and the views, which are made anew from the log. Then each call gets its runs.

use crate::kit::{
    Answer, Chance, Ledger, Time, copy_dir, daybook, done, event, ready, run, serve, signal, soak, text,
    verify,
};
use crate::strace::{CALLS, Call, Injection, Kind, Tracing, calls, injected, permitted};
use crate::told::{Listed, Seen, Sent};
use daybook::spec::layout::SEGMENT_ENTRIES;
use std::collections::HashSet;
use std::io::Write as _;
use std::os::unix::process::ExitStatusExt as _;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// Runs in the short form, of some hundreds in the long one.
const SHORT_RUNS: usize = 40;

/// Runs where a segment ends, in the long form.
///
/// Reason: each copies, lists and verifies a large ledger, which takes most of a minute.
const SEGMENT_RUNS: usize = 12;

/// Runs at once.
///
/// Reason: a run mostly waits, for the disk and for processes to start.
const AT_ONCE: usize = 3;

/// What the ledger is doing when the fault comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
enum Stage {
    /// Made, started and stopped, all for the first time.
    Making,
    /// Started on a log with a torn tail, and stopped.
    Reopening,
    /// Recording the first events after a start.
    Serving,
    /// Bringing a new key into force.
    Rotating,
    /// Cutting back to the head, because the disk was full.
    CuttingBack,
    /// Recording the batch that fills a segment and begins the next, and sealing the one that is full.
    NewSegment,
}

/// What every run of the campaign goes through; [`Stage::NewSegment`] takes a large ledger, and has a test of its own.
const SMALL: [Stage; 5] =
    [Stage::Making, Stage::Reopening, Stage::Serving, Stage::Rotating, Stage::CuttingBack];

/// One run's fault.
#[derive(Clone, Debug)]
struct Fault {
    stage: Stage,
    /// Below the data folder; none for a name that is another each time, a new key's. Then calls are counted whatever
    /// their path.
    path: Option<PathBuf>,
    injection: Injection,
}

impl Fault {
    fn of(stage: Stage, data: &Path, call: &Call, kind: Kind) -> Option<Self> {
        let path = call
            .path
            .strip_prefix(data)
            .ok()
            .filter(|path| !path.starts_with("index") && !path.starts_with("views"))?;
        // Opening for reading takes no room.
        if kind == Kind::Full && call.only_reads {
            return None;
        }
        let is_key = path.extension().is_some_and(|extension| extension == "pem");
        let wanted = match stage {
            Stage::Making | Stage::Reopening | Stage::Serving => true,
            // The rest is as in serving.
            Stage::NewSegment => path.starts_with("log") && !path.ends_with("head"),
            Stage::Rotating => path.starts_with("keys"),
            // The write that finds no room is not a call of its own.
            Stage::CuttingBack => path.ends_with(ENTRIES) && call.name != "pwrite64",
        };
        let nth = if is_key { call.nth } else { call.nth_on_path };
        let path = (!is_key).then(|| path.to_owned());
        wanted.then(|| Fault { stage, path, injection: Injection { name: call.name.clone(), nth, kind } })
    }

    /// After a sync of the log that failed, nothing is known about what is durable: nothing may be acknowledged on the
    /// strength of it, though a look into the page cache would find everything.
    fn must_stop(&self) -> bool {
        let is_sync = matches!(self.injection.name.as_str(), "fsync" | "fdatasync");
        let in_log = self.path.iter().flat_map(|path| path.iter()).any(|part| part == "log");
        // What is derived from a full segment is written again, and nothing waits for it.
        let is_derived = self.stage == Stage::NewSegment
            && !self.path.iter().any(|path| path.ends_with("entries") || path.ends_with("00000001"));
        is_sync && in_log && !is_derived
    }

    /// Faults of one class differ in their count alone.
    fn class(&self) -> (Stage, Option<PathBuf>, String, Kind) {
        (self.stage, self.path.clone(), self.injection.name.clone(), self.injection.kind)
    }
}

/// How long a full segment may take to be sealed, before the run goes on without having seen it.
const SEALING: Duration = Duration::from_secs(5);

const ENTRIES: &str = "log/00000000/entries";

/// The full disk that makes the ledger cut back.
fn no_room_for_entries() -> Injection {
    Injection { name: "pwrite64".into(), nth: 1, kind: Kind::Full }
}

/// What a run left behind, before anything is repaired.
struct Left {
    ledger: Ledger,
    /// Entries that were there before.
    before: u64,
    sent: Vec<Sent>,
    seen: Vec<Seen>,
    trace: PathBuf,
    killed: bool,
    /// It did all that it was asked to, and ended when it was told.
    well: bool,
}

/// Takes a ledger through a stage, with a fault or with all calls traced: a new one, or a copy of this one.
fn go_through(stage: Stage, fault: Option<&Fault>, original: Option<&Ledger>) -> Left {
    let dir = tempfile::tempdir().unwrap();
    let (trace, data) = (dir.path().join("trace"), dir.path().join("ledger"));
    let mut injections: Vec<_> = fault.iter().map(|fault| fault.injection.clone()).collect();
    // Put together from its parts, or the folder itself would end in a slash, which strace takes for another path.
    let mut path: Option<PathBuf> =
        fault.and_then(|fault| fault.path.as_ref()).map(|path| data.iter().chain(path.iter()).collect());
    if stage == Stage::CuttingBack {
        injections.push(no_room_for_entries());
        path = Some(data.join(ENTRIES));
    }
    let names: Vec<_> = injections.iter().map(|injection| injection.name.as_str()).collect();
    let calls: &[&str] = if fault.is_some() { &names } else { &CALLS };
    let tracing = Tracing { calls, path: path.as_deref(), injections: &injections, output: &trace };
    let (mut ledger, mut sent, mut seen) = (Ledger::not_started(dir), Vec::new(), Vec::new());
    let mut before = 0;
    let well = match stage {
        Stage::Making => {
            let ready = ledger.launch_with(tracing.around_daybook(), &["--empty"]);
            seen.extend(ready.then(|| try_checkpoint(&ledger)).flatten());
            ready
        }
        Stage::Reopening => {
            assert!(ledger.launch_with(daybook(), &["--empty"]));
            sent = vec![Sent::one(event()), Sent::batch(vec![event(), event(), event()])];
            for sent in &mut sent {
                assert_eq!(sent.post(&ledger).unwrap().status, 201);
            }
            seen.extend(try_checkpoint(&ledger));
            ledger.stop();
            let entries = std::fs::OpenOptions::new().append(true).open(data.join(ENTRIES));
            entries.unwrap().write_all(b"\x02\x00{\"actor\":\"a torn tail").unwrap();
            ledger.launch_with(tracing.around_daybook(), &[])
        }
        Stage::Serving | Stage::CuttingBack | Stage::NewSegment => {
            if let Some(original) = original {
                adopt_copy(original, &data);
            }
            assert!(ledger.launch_with(daybook(), &["--empty"]));
            ledger.wait_until_ready();
            before = original.map_or(0, |_| ledger.size());
            let _traced = tracing.attach(ledger.pid());
            let mut subject = event();
            subject["subject"] = "APR-2".into();
            sent = vec![
                Sent::one(event()),
                Sent::batch(vec![event(), event(), event()]),
                Sent::expecting(subject, 0),
            ];
            for sent in &mut sent {
                seen.extend(post_as_clients_do(&ledger, sent));
            }
            let sealed = data.join("log/00000000/seal");
            let begun = Instant::now();
            while stage == Stage::NewSegment && !sealed.exists() && begun.elapsed() < SEALING {
                std::thread::sleep(Duration::from_millis(10));
            }
            sent.iter().all(|sent| sent.told.is_some())
        }
        Stage::Rotating => {
            assert!(ledger.launch_with(daybook(), &["--empty"]));
            ledger.wait_until_ready();
            let traced = tracing.attach(ledger.pid());
            let rotated = rotate(&ledger);
            drop(traced);
            if let Some(answer) = &rotated {
                let problem = if answer.status == 201 { String::new() } else { answer.problem() };
                assert!(matches!(&*problem, "" | "internal" | "no-room"), "{}", answer.text());
                seen.extend(try_checkpoint(&ledger));
            }
            rotated.is_some()
        }
    };
    let killed = match end(&mut ledger, well).signal() {
        // strace gives its tracer three seconds to come, and on a busy machine that is not enough.
        Some(ALARM) => return go_through(stage, fault, original),
        signal => signal == Some(KILL),
    };
    Left { ledger, before, sent, seen, trace, killed, well }
}

/// Makes a copy of a ledger that is not running, and has it go on as the ledger.
fn adopt_copy(original: &Ledger, data: &Path) {
    copy_dir(&original.data(), data);
    let newest = data.with_extension("newest");
    std::fs::copy(original.data().join("log/checkpoint"), &newest).unwrap();
    let mut child = serve(data, &["--adopt", newest.to_str().unwrap()]);
    let ready = ready(&mut child);
    signal(child.id(), "TERM");
    assert!(child.wait().unwrap().success() && ready.is_some());
}

fn rotate(ledger: &Ledger) -> Option<Answer> {
    let token = format!("Bearer {}", ledger.token("admin"));
    ledger.try_request("POST", "/v1/keys/rotate", &[("authorization", &token)], b"").ok()
}

fn try_checkpoint(ledger: &Ledger) -> Option<Seen> {
    let token = format!("Bearer {}", ledger.token("auditor"));
    let answer = ledger.try_request("GET", "/log/checkpoint", &[("authorization", &token)], b"").ok()?;
    (answer.status == 200).then(|| Seen::parse(&answer.text()))
}

/// Posts, and when it is refused for a reason that may pass, posts again: no fault of these comes more than twice. A
/// refusal names its reason and when to come back.
fn post_as_clients_do(ledger: &Ledger, sent: &mut Sent) -> Option<Seen> {
    for _ in 0..3 {
        let answer = sent.post(ledger)?;
        if sent.told.is_some() {
            return try_checkpoint(ledger);
        }
        let problem = answer.problem();
        assert!(
            matches!((answer.status, problem.as_str()), (507, "no-room") | (503, "stopped")),
            "{}",
            answer.text()
        );
        assert!(answer.header("retry-after").is_some());
    }
    None
}

/// Signals that may end a run.
const KILL: i32 = 9;
const ALARM: i32 = 14;

/// The server ends: because it is told to where all went well, and else by itself. It says why, unless it was killed.
fn end(ledger: &mut Ledger, well: bool) -> ExitStatus {
    if well {
        signal(ledger.pid(), "TERM");
    }
    let status = ledger.ended();
    let said = ledger.stderr();
    assert!(!said.contains("panicked"), "{said}");
    if !matches!(status.signal(), Some(KILL | ALARM)) {
        assert_eq!(status.code(), Some(i32::from(!well)), "{status:?} {said}");
        assert!(well || said.contains("daybook: "), "it ended without a reason: {said}");
    }
    status
}

/// The disk is whole again: nothing acknowledged is missing, and everything goes on.
fn must_go_on(left: Left) {
    let Left { mut ledger, before, mut sent, seen, .. } = left;
    let empty: &[&str] = if ledger.data().join("log").exists() { &[] } else { &["--empty"] };
    assert!(ledger.launch_with(daybook(), empty), "it does not start again: {}", ledger.stderr());
    let mut listed = Listed::from(before);
    listed.read_on(&ledger);
    for seen in &seen {
        seen.must_hold(&ledger);
    }
    for sent in &mut sent {
        listed.must_hold(sent);
        let answer = sent.post(&ledger).unwrap();
        assert!(matches!(answer.status, 200 | 201), "{}", answer.text());
    }
    ledger.record(&event());
    assert_eq!(rotate(&ledger).unwrap().status, 201);
    sent.push(Sent::one(event()));
    assert_eq!(sent.last_mut().unwrap().post(&ledger).unwrap().status, 201);
    listed.read_on(&ledger);
    sent.iter().for_each(|sent| listed.must_hold(sent));
    ledger.stop();
    let (said, code) = verify(&ledger.data(), &ledger.key);
    assert_eq!(code, 0, "{said}");
    if before > 0 {
        // Deriving a large ledger again takes minutes in a build that is not optimised.
        return;
    }
    let checked = run(daybook().arg("check").arg(ledger.data()));
    assert_eq!(checked.status.code(), Some(0), "{}{}", text(&checked.stdout), text(&checked.stderr));
}

/// All faults of a stage, from a run without one.
fn faults_of(stage: Stage, original: Option<&Ledger>) -> Vec<Fault> {
    let left = go_through(stage, None, original);
    let data = left.ledger.data();
    let mut faults: Vec<Fault> = Vec::new();
    for call in calls(&left.trace) {
        for kind in Kind::ALL {
            let Some(fault) = Fault::of(stage, &data, &call, kind) else { continue };
            // Threads count apart, so two calls can be one fault.
            let same = |other: &Fault| (&other.path, &other.injection) == (&fault.path, &fault.injection);
            if !faults.iter().any(same) {
                faults.push(fault);
            }
        }
    }
    must_go_on(left);
    faults
}

/// The short form: of the calls that every commit makes, each with each kind of fault; of the rest a sample, another
/// each time.
fn sample(faults: Vec<Fault>, chance: &mut Chance) -> Vec<Fault> {
    let mut classes = HashSet::new();
    let distinct = faults.into_iter().filter(|fault| classes.insert(fault.class()));
    let (mut chosen, mut rest): (Vec<_>, Vec<_>) = distinct.partition(|fault| fault.stage == Stage::Serving);
    while chosen.len() < SHORT_RUNS && !rest.is_empty() {
        chosen.push(rest.swap_remove(chance.below(rest.len() as u64) as usize));
    }
    chosen
}

#[test]
fn whatever_call_fails_or_is_the_last_nothing_acknowledged_is_lost() {
    if !permitted() {
        return;
    }
    let mut chance = Chance::seeded();
    let all: Vec<_> = SMALL.into_iter().flat_map(|stage| faults_of(stage, None)).collect();
    let chosen = if soak() { shuffled(all, &mut chance) } else { sample(all, &mut chance) };
    assert!(chosen.len() >= SHORT_RUNS);
    let (runs, missed) = suffer(&chosen, None);
    done(runs, chosen.len(), "calls failed, or were the last");
    // Which thread reads a file can be another the next time, and then a count is not reached.
    assert!(missed.len() <= 1 + runs / 50, "these calls were not made again: {missed:#?}");
}

/// In the long form alone: a segment is 65,536 entries.
#[test]
fn whatever_call_fails_or_is_the_last_where_a_segment_ends_nothing_acknowledged_is_lost() {
    if !soak() || !permitted() {
        return;
    }
    let mut almost_full = Ledger::empty();
    while almost_full.size() < SEGMENT_ENTRIES - 4 {
        let missing = SEGMENT_ENTRIES - 4 - almost_full.size();
        let batch: Vec<_> = (0..missing.min(1_000)).map(|_| event()).collect();
        assert!(matches!(almost_full.post_batch(&batch).status, 201 | 503));
    }
    almost_full.stop();
    let (mut chance, mut all) = (Chance::seeded(), faults_of(Stage::NewSegment, Some(&almost_full)));
    println!("{} faults found", all.len());
    while all.len() > SEGMENT_RUNS {
        all.swap_remove(chance.below(all.len() as u64) as usize);
    }
    let (runs, missed) = suffer(&all, Some(&almost_full));
    done(runs, all.len(), "calls failed, or were the last, where a segment ends");
    // What seals the segment runs beside the rest, and may come too late to be seen.
    assert!(missed.iter().all(|fault| !fault.must_stop()), "these calls were not made again: {missed:#?}");
}

/// The long form: all of them, in another order each time, so that another part comes first where the time is short.
fn shuffled(mut faults: Vec<Fault>, chance: &mut Chance) -> Vec<Fault> {
    for place in (1..faults.len()).rev() {
        faults.swap(place, chance.below(place as u64 + 1) as usize);
    }
    faults
}

/// Runs with each of these faults, or with as many as there is time for; answers how many, and those that did not come to
/// pass.
fn suffer<'a>(faults: &'a [Fault], original: Option<&Ledger>) -> (usize, Vec<&'a Fault>) {
    let (time, runs) = (Time::begins(), AtomicUsize::new(0));
    let (next, failed, missed) = (AtomicUsize::new(0), Mutex::new(Vec::new()), Mutex::new(Vec::new()));
    let suffer_one = |fault: &Fault| {
        let left = go_through(fault.stage, Some(fault), original);
        let met = met(&left, fault);
        assert!(!(met && fault.must_stop() && left.well), "a failed sync was passed over");
        must_go_on(left);
        met
    };
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some(fault) =
                    faults.get(next.fetch_add(1, Ordering::Relaxed)).filter(|_| !time.is_over())
                {
                    runs.fetch_add(1, Ordering::Relaxed);
                    println!("{fault:?}");
                    match std::panic::catch_unwind(AssertUnwindSafe(|| suffer_one(fault))) {
                        Ok(true) => {}
                        Ok(false) => missed.lock().unwrap().push(fault),
                        Err(_) => failed.lock().unwrap().push(fault),
                    }
                }
            });
        }
    });
    let (failed, missed) = (failed.into_inner().unwrap(), missed.into_inner().unwrap());
    let runs = runs.into_inner();
    println!("{runs} runs, in {} of them no fault", missed.len());
    assert!(failed.is_empty(), "{} of {runs} runs failed: {failed:#?}", failed.len());
    (runs, missed)
}

/// Whether the fault came to pass.
fn met(left: &Left, fault: &Fault) -> bool {
    match fault.injection.kind {
        Kind::Death => left.killed,
        Kind::Broken | Kind::Full => injected(&left.trace, &fault.injection.name),
    }
}
