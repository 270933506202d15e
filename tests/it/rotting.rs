//! A byte that rots in any file but the entries and the head (for these see tampering.rs): what is derived is made
//! again, the rest is refused, and whatever is answered is what it was.

use crate::kit::{Chance, Ledger, Time, agent, done, event, flip, ready, serve, signal, soak, text};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};

fn files(dir: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.metadata().unwrap().len() > 0 {
            found.push(path);
        }
    }
    found.sort();
}

const QUESTIONS: [&str; 8] = [
    "/v1/events?limit=500",
    "/v1/events?type=approval.withdrawn&limit=500",
    "/v1/events?subject=APR-1&order=desc&limit=500",
    "/v1/approvals?at=2026-04-01T00:00:00Z",
    "/v1/approvals/APR-1/history?at=2026-04-01T00:00:00Z",
    "/v1/events/7",
    "/v1/keys",
    "/log/checkpoint",
];

/// How often in a row an engine may take the process with it, as with a panic in one of its destructors. Then its store
/// is made anew without looking at it.
const ABORTS: usize = 2;

/// `SIGABRT`.
const ABORT: i32 = 6;

/// What became of a start and the questions.
enum Start {
    /// The answers in the order of the questions; none where one was refused.
    Answered(Vec<Option<String>>),
    /// It did not start, and said why.
    Refused,
    /// It was aborted, at the start or later.
    Aborted,
}

fn start_and_ask(data: &Path, token: &str, place: &str) -> Start {
    let mut child = serve(data, &[]);
    let ready = ready(&mut child);
    let mut answers = Vec::new();
    if let Some(ready) = &ready {
        let agent = agent();
        for question in QUESTIONS {
            // Lists wait until the index and the views have every entry.
            let wait = if question.contains('?') { "&min_seq=12" } else { "" };
            let url = format!("{}{question}{wait}", ready["url"].as_str().unwrap());
            let asked = agent.get(&url).header("authorization", format!("Bearer {token}")).call();
            let answer = asked.and_then(|mut it| Ok((it.status() == 200, it.body_mut().read_to_vec()?)));
            answers.push(answer);
        }
        signal(child.id(), "TERM");
    }
    let output = child.wait_with_output().unwrap();
    let stderr = text(&output.stderr);
    match output.status.code() {
        None if output.status.signal() == Some(ABORT) => Start::Aborted,
        Some(1) if ready.is_none() && !stderr.is_empty() => Start::Refused,
        Some(0) if ready.is_some() => {
            let text_of = |answer: Result<(bool, Vec<u8>), ureq::Error>| {
                let (answered, body) = answer.unwrap_or_else(|error| panic!("{place}: {error}\n{stderr}"));
                answered.then(|| text(&body))
            };
            Start::Answered(answers.into_iter().map(text_of).collect())
        }
        _ => panic!("{place}: {}\n{stderr}", output.status),
    }
}

/// Starts the ledger, with what is rotten at a place, until nothing takes the process with it; none if it then refuses to
/// start.
fn ask(data: &Path, token: &str, place: &str) -> Option<Vec<Option<String>>> {
    for _ in 0..=ABORTS {
        match start_and_ask(data, token, place) {
            Start::Answered(answers) => return Some(answers),
            Start::Refused => return None,
            Start::Aborted => {}
        }
    }
    panic!("{place}: it is aborted again and again")
}

#[test]
fn a_rotten_byte_anywhere_is_made_again_or_refused_and_never_believed() {
    let mut ledger = Ledger::empty();
    for _ in 0..12 {
        ledger.record(&event());
    }
    ledger.stop();
    let config = "open_types = false\nindex = \"fjall\"\n\n[limits]\nrequests_per_second = 1000\n";
    std::fs::write(ledger.data().join("daybook.toml"), config).unwrap();
    let data = ledger.data();
    let honest = ask(&data, ledger.token("auditor"), "nothing rotten").unwrap();
    for (question, answer) in QUESTIONS.iter().zip(&honest) {
        assert!(answer.is_some(), "an honest ledger answers {question}");
    }
    let (all, time) = (if soak() { 2_000 } else { 40 }, Time::begins());
    // In the long form other bytes come first each time: the time may not be enough for all.
    let first = if soak() { Chance::seeded().below(all as u64) as usize } else { 0 };
    let (mut the_same, mut refused, mut rounds) = (0, 0, 0);
    for round in (first..first + all).take_while(|_| !time.is_over()) {
        rounds += 1;
        // The index and the views make and drop files as they go: each round looks again.
        let mut found = Vec::new();
        files(&data, &mut found);
        found.retain(|path| !path.ends_with("log/head") && !path.ends_with("00000000/entries"));
        let path = &found[round % found.len()];
        let bytes = std::fs::read(path).unwrap();
        // Files that are made longer than they are filled end in zeros; those say nothing.
        let filled = bytes.iter().rposition(|byte| *byte != 0).map_or(1, |last| last + 1);
        let at = (round * 7_919 + round / found.len() * 31) % filled;
        let place = format!("{} byte {at}", path.strip_prefix(&data).unwrap().display());
        flip(path, at);
        match ask(&data, ledger.token("auditor"), &place) {
            None => refused += 1,
            Some(answers) => {
                for (question, (said, honest)) in QUESTIONS.iter().zip(answers.iter().zip(&honest)) {
                    match said {
                        None => refused += 1,
                        Some(_) => {
                            assert!(said == honest, "{place}: {question} answers {said:?}");
                            the_same += 1;
                        }
                    }
                }
            }
        }
        // What is not made again is put back by hand.
        let derived = ["index/", "views/", "log/"].iter().any(|folder| place.starts_with(folder));
        if !derived {
            std::fs::write(path, &bytes).unwrap();
        }
    }
    done(rounds, all, "bytes that rotted");
    assert!(the_same > 3 * rounds && refused > 0, "{the_same} answers were the same, {refused} refused");
    let answers = ask(&data, ledger.token("auditor"), "all made again").unwrap();
    assert!(answers == honest, "after all that, everything is answered as it was");
    let (said, code) = ledger.verify();
    assert_eq!(code, 0, "{said}");
}
