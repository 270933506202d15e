//! A ledger as a library, and as a server in the same process.

use super::*;
use crate::answers::entries;
use crate::app::serve::serve;
use crate::follow::testing::ENGINES;
use crate::identity::{NewToken, Principal, Role, Tokens};
use crate::intake::{Form, Incoming, Recorded};
use crate::spec::entry::Entry;
use serde_json::{Value, json};
use std::collections::BTreeMap;

const PATIENCE: Duration = Duration::from_secs(60);

fn made() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    log::create(&options(folder.path(), &Config::default()), "test.example/ledger", None).unwrap();
    folder
}

fn opened(folder: &Path) -> Ledger {
    let mut ledger = Ledger::open(folder, How::with(Config::default())).unwrap();
    ledger.wait().unwrap();
    ledger
}

fn event(id: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/t", "type": "approval.withdrawn", "subject": "APR-1",
        "time": "2026-03-02T09:30:00Z", "data": {"approval": "APR-1", "by": "user:u-1", "reason": "asked twice"},
    })
}

fn record(ledger: &Ledger, event: &Value) -> Recorded {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let principal =
        Principal { sources: vec!["/t".into()], ..Principal::open("app:t", vec![Role::Producer]) };
    let incoming = Incoming::new(Form::Structured, event.to_string());
    runtime.block_on(ledger.recorder().record(&Arc::new(principal), incoming)).unwrap()[0]
}

#[test]
fn a_ledger_is_recorded_in_and_asked_without_http_and_opened_again_at_once() {
    let folder = made();
    let ledger = opened(folder.path());
    let recorded = record(&ledger, &event("E-1"));
    let asker = Principal::open("user:a", vec![Role::Auditor]);
    let bytes = entries::one(ledger.desk(), &asker, recorded.seq).unwrap();
    assert_eq!(Entry::parse(&bytes).unwrap().event.get("id").and_then(|id| id.as_str()), Some("E-1"));
    assert!(ledger.index().unwrap().wait_applied(recorded.seq + 1, PATIENCE));
    assert!(ledger.views().unwrap().wait_applied(recorded.seq + 1, PATIENCE));
    let key = ledger.first_key().unwrap();
    ledger.close();

    // Closed means that everything is let go of: lock, engines, threads.
    let ledger = opened(folder.path());
    assert_eq!(ledger.first_key().unwrap(), key);
    let again = record(&ledger, &event("E-1"));
    assert_eq!(again, Recorded { replayed: true, ..recorded });
    ledger.close();
}

#[test]
fn closing_waits_for_what_was_begun() {
    let folder = made();
    let ledger = opened(folder.path());
    let held = ledger.log().clone();
    let (closed, hears) = std::sync::mpsc::channel();
    let closing = std::thread::spawn(move || {
        ledger.close();
        closed.send(()).unwrap();
    });
    assert!(hears.recv_timeout(Duration::from_millis(200)).is_err());
    drop(held);
    hears.recv_timeout(PATIENCE).unwrap();
    closing.join().unwrap();
}

/// A server in this process: somebody posts and listens, and it ends.
fn served_once(folder: &Path, how: How) {
    let new = NewToken {
        actor: "app:t".into(),
        roles: vec![Role::Producer, Role::Auditor],
        sources: vec![],
        types: None,
        speaks_for: None,
        expires: None,
    };
    let (token, _) = Tokens::create(folder, new).unwrap();
    let (tell, told) = tokio::sync::oneshot::channel::<()>();
    let (say, ready) = std::sync::mpsc::channel();
    let mut ledger = Ledger::open(folder, how).unwrap();
    ledger.wait().unwrap();
    let serving = std::thread::spawn(move || {
        let end = || async { told.await.unwrap() };
        serve(ledger, "127.0.0.1:0", end, |url, _| say.send(url.to_owned()).unwrap()).unwrap();
    });
    let url = ready.recv_timeout(PATIENCE).unwrap();
    let answer = ureq::post(format!("{url}/v1/events"))
        .header("authorization", format!("Bearer {token}"))
        .header("content-type", "application/cloudevents+json")
        .send(event("E-1").to_string())
        .unwrap();
    assert_eq!(answer.status(), 201);
    // Somebody still listens when it ends.
    let stream = ureq::get(format!("{url}/v1/events/stream"))
        .header("authorization", format!("Bearer {token}"))
        .call()
        .unwrap();
    assert_eq!(stream.status(), 200);
    drop(stream);
    tell.send(()).unwrap();
    serving.join().unwrap();
}

#[test]
fn a_server_that_has_ended_leaves_a_ledger_that_opens_at_once() {
    let folder = made();
    served_once(folder.path(), How::with(Config::default()));
    let ledger = opened(folder.path());
    assert_eq!(ledger.log().store().size(), 2);
    ledger.close();
}

/// The threads of this process: number and name.
fn threads() -> BTreeMap<u32, String> {
    let tasks = std::fs::read_dir("/proc/self/task").unwrap().map(Result::unwrap);
    let named = tasks.filter_map(|task| {
        let name = std::fs::read_to_string(task.path().join("comm")).ok()?;
        Some((task.file_name().to_str()?.parse().ok()?, name.trim().to_owned()))
    });
    named.collect()
}

/// Idle threads of a pool that sled 0.34 keeps for the whole process, whatever is open.
const KEPT_BY_SLED: &str = "sled-io-";

/// Says to a run of the tests that it is the one of a single test.
const ALONE: &str = "DAYBOOK_TEST_ALONE";

#[test]
fn a_stop_leaves_no_thread() {
    // In a process of its own, where no other test has threads.
    if std::env::var_os(ALONE).is_none() {
        let name = std::thread::current().name().unwrap().to_owned();
        let mut alone = std::process::Command::new(std::env::current_exe().unwrap());
        let run = alone.args(["--exact", &name, "--nocapture"]).env(ALONE, "1").output().unwrap();
        let said = String::from_utf8_lossy(&run.stdout);
        assert!(
            run.status.success() && said.contains("1 passed"),
            "{said}{}",
            String::from_utf8_lossy(&run.stderr)
        );
        return;
    }
    let before = threads();
    for engine in ENGINES {
        let folder = made();
        let how = How { index: IndexChoice::Engine(*engine), ..How::with(Config::default()) };
        served_once(folder.path(), how);
        let ends = Instant::now() + PATIENCE;
        loop {
            let mut left = threads();
            left.retain(|number, name| !before.contains_key(number) && !name.starts_with(KEPT_BY_SLED));
            if left.is_empty() {
                break;
            }
            assert!(Instant::now() < ends, "{engine:?}: {left:?}");
            std::thread::sleep(LOOK_AGAIN);
        }
    }
}
