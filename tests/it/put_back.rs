//! An older log in the place of the ledger's own is noticed by whatever else on this host knows more, and never goes on by
//! itself: it would sign a second history.

use crate::kit::{Ledger, agent, copy_dir, daybook, event, fails, ready, run, serve, signal, succeeds, text};
use serde_json::Value;
use std::path::Path;
use std::time::{Duration, Instant};

/// Copies what is in a folder over what is there, in place: every file keeps its inode.
fn copy_over(from: &Path, to: &Path) {
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_over(&entry.path(), &target);
        } else {
            let bytes = std::fs::read(entry.path()).unwrap();
            std::fs::write(&target, bytes).unwrap();
        }
    }
}

/// What is served, and what it says of itself.
struct Served(std::process::Child, String);

impl Served {
    fn start(data: &Path, more: &[&str]) -> Result<Self, String> {
        let mut child = serve(data, more);
        match ready(&mut child) {
            Some(ready) => Ok(Self(child, ready["url"].as_str().unwrap().to_owned())),
            None => Err(text(&child.wait_with_output().unwrap().stderr)),
        }
    }

    fn readiness(&self) -> Value {
        let said = agent().get(format!("{}/readyz", self.1)).call().unwrap().body_mut().read_to_string();
        serde_json::from_str(&said.unwrap()).unwrap()
    }

    fn get(&self, path: &str, token: &str) -> (u16, String) {
        let asked =
            agent().get(format!("{}{path}", self.1)).header("authorization", format!("Bearer {token}"));
        let mut answer = asked.call().unwrap();
        (answer.status().as_u16(), answer.body_mut().read_to_string().unwrap())
    }

    fn post(&self, token: &str) -> u16 {
        let post =
            agent().post(format!("{}/v1/events", self.1)).header("authorization", format!("Bearer {token}"));
        let sent = post.content_type("application/cloudevents+json").send(event().to_string());
        sent.unwrap().status().as_u16()
    }

    /// Waits until it says this of itself.
    fn comes_to(&self, what: impl Fn(&Value) -> bool) -> Value {
        let begun = Instant::now();
        loop {
            let said = self.readiness();
            if what(&said) {
                return said;
            }
            assert!(begun.elapsed() < Duration::from_secs(30), "{said}");
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Served {
    fn drop(&mut self) {
        signal(self.0.id(), "TERM");
        self.0.wait().unwrap();
    }
}

/// A ledger that has recorded six events, and a copy of its log after the first three, with `home` if it is taken along.
fn with_an_older_log() -> (Ledger, std::path::PathBuf) {
    let mut ledger = Ledger::empty();
    for _ in 0..3 {
        ledger.record(&event());
    }
    ledger.stop();
    let older = ledger.dir.path().join("older");
    copy_dir(&ledger.data().join("log"), &older.join("log"));
    std::fs::copy(ledger.data().join("home"), older.join("home")).unwrap();
    ledger.restart();
    let recorded = [event(), event(), event()].map(|event| ledger.record(&event));
    let last = recorded[2];
    let begun = Instant::now();
    while ledger.get("/readyz", "auditor").json()["viewed"].as_u64() != Some(last + 1) {
        assert!(begun.elapsed() < Duration::from_secs(20), "the views do not follow");
        std::thread::sleep(Duration::from_millis(10));
    }
    (ledger, older)
}

/// Ends a ledger this way, puts what is given of the older one back, and demands that it opens for reading only, says who
/// knows better, and keeps that.
fn is_noticed(stop: &str, put_back: &[&str], gone: &[&str], knows: &str) {
    let (mut ledger, older) = with_an_older_log();
    signal(ledger.pid(), stop);
    ledger.ended();
    let data = ledger.data();
    for name in put_back {
        if older.join(name).is_dir() {
            copy_over(&older.join(name), &data.join(name));
        } else {
            std::fs::write(data.join(name), std::fs::read(older.join(name)).unwrap()).unwrap();
        }
    }
    for name in gone {
        std::fs::remove_dir_all(data.join(name)).unwrap();
    }
    let (producer, auditor) = (ledger.token("producer").to_owned(), ledger.token("auditor").to_owned());
    let is_first = put_back.len() == 1;
    for _ in 0..1 + u32::from(is_first) {
        let served = Served::start(&data, &[]).unwrap();
        let said = served.readiness();
        assert_eq!((&said["writes"], &said["size"]), (&Value::Bool(false), &Value::from(4)), "{said}");
        let reason = said["reason"].as_str().unwrap();
        assert!(reason.contains("put back") && reason.contains(knows), "{stop} {put_back:?}: {reason}");
        assert_eq!(served.post(&producer), 503);
        // What is asked is answered from the log as it is.
        served.comes_to(|said| said["viewed"] == said["size"] && said["indexed"] == said["size"]);
        let (status, listed) = served.get("/v1/events?limit=10", &auditor);
        assert_eq!(
            (status, serde_json::from_str::<Value>(&listed).unwrap()["items"].as_array().unwrap().len()),
            (200, 4)
        );
    }
    if !is_first {
        return;
    }
    // Nobody else goes on with it either, or takes the proof away.
    for command in [&["rebuild"][..], &["key", "rotate", "--data"], &["clock", "confirm", "--data"]] {
        let refused = fails(daybook().args(command).arg(&data), 1);
        assert!(refused.contains("put back"), "{command:?}: {refused}");
    }
    let checked = run(daybook().arg("check").arg("--repair").arg(&data));
    let said = text(&checked.stdout);
    assert!(checked.status.code() == Some(1) && said.contains("it was put back"), "{said}");
}

#[test]
fn an_older_log_put_back_after_a_kill_or_a_clean_stop_opens_for_reading_only() {
    for stop in ["KILL", "TERM"] {
        // As a file by file restore leaves it: every file is in its place.
        is_noticed(stop, &["log"], &[], "home knows of 7 entries, and the log has 4");
        is_noticed(stop, &["log", "home"], &[], "index knows of 7 entries");
        is_noticed(stop, &["log", "home"], &["index"], "views knows of 7 entries");
    }
}

#[test]
fn the_newer_log_put_in_its_place_again_goes_on() {
    let (mut ledger, older) = with_an_older_log();
    ledger.stop();
    let (data, newer) = (ledger.data(), ledger.dir.path().join("newer"));
    copy_dir(&data.join("log"), &newer);
    copy_over(&older.join("log"), &data.join("log"));
    assert_eq!(Served::start(&data, &[]).unwrap().readiness()["writes"], Value::Bool(false));
    copy_over(&newer, &data.join("log"));
    ledger.restart();
    assert_eq!(ledger.record(&event()), 7);
    assert_eq!(ledger.verify().1, 0);
}

#[test]
fn an_older_log_goes_on_once_it_is_adopted_and_what_knew_more_is_made_anew() {
    let (mut ledger, older) = with_an_older_log();
    ledger.stop();
    let data = ledger.data();
    let newest = ledger.dir.path().join("newest");
    std::fs::copy(data.join("log/checkpoint"), &newest).unwrap();
    copy_over(&older.join("log"), &data.join("log"));
    let newest = newest.to_str().unwrap();
    let refused = Served::start(&data, &["--adopt", newest]).err().unwrap();
    assert!(refused.contains("something newer was handed out"), "{refused}");
    let known = older.join("log/checkpoint");
    let (producer, auditor) = (ledger.token("producer").to_owned(), ledger.token("auditor").to_owned());
    let served = Served::start(&data, &["--adopt", known.to_str().unwrap()]).unwrap();
    served.comes_to(|said| said["writes"] == true && said["viewed"] == said["size"]);
    let (_, entry) = served.get("/v1/events/4", &auditor);
    let entry: Value = serde_json::from_str(&entry).unwrap();
    assert_eq!(entry["event"]["type"], "ledger.restored");
    assert_eq!(entry["event"]["data"]["known"], 7, "what was lost is recorded");
    assert_eq!(served.post(&producer), 201);
    drop(served);
    let served = Served::start(&data, &[]).unwrap();
    served.comes_to(|said| said["writes"] == true && said["viewed"] == 6 && said["indexed"] == 6);
    assert_eq!(ledger.verify().1, 0);
    drop(served);
    succeeds(daybook().arg("check").arg(&data));
}

#[test]
fn what_was_published_or_remembered_proves_that_a_whole_folder_was_put_back() {
    for setting in ["[publish]\nfile = \"../published\"\n", "remembered = [\"../remembered\"]\n"] {
        let mut ledger = Ledger::with_config(setting);
        ledger.record(&event());
        ledger.stop();
        let (data, older) = (ledger.data(), ledger.dir.path().join("older"));
        copy_dir(&data, &older);
        ledger.restart();
        ledger.record(&event());
        let remembered = ledger.dir.path().join("remembered");
        succeeds(
            daybook().arg("verify").arg(&data).args(["--key", &ledger.key, "--remember"]).arg(&remembered),
        );
        ledger.stop();
        // Whole, and in place: nothing in there knows better.
        std::fs::remove_dir_all(data.join("index")).unwrap();
        std::fs::remove_dir_all(data.join("views")).unwrap();
        copy_over(&older.join("log"), &data.join("log"));
        std::fs::write(data.join("home"), std::fs::read(older.join("home")).unwrap()).unwrap();
        let served = Served::start(&data, &[]).unwrap();
        let said = served.readiness();
        assert_eq!(said["writes"], false, "{said}");
        assert!(said["reason"].as_str().unwrap().contains("knows of 3 entries, and the log has 2"), "{said}");
        drop(served);
        let adopt = data.join("log/checkpoint");
        let refused = Served::start(&data, &["--adopt", adopt.to_str().unwrap()]).err().unwrap();
        assert!(refused.contains("something newer was handed out"), "{refused}");
    }
}

#[test]
fn a_sink_that_holds_something_newer_keeps_the_log_from_going_on() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        use std::io::{Read as _, Write as _};
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.read(&mut [0; 4096]);
            let _ =
                stream.write_all(b"HTTP/1.1 409 Conflict\r\nContent-Length: 1\r\nConnection: close\r\n\r\n9");
        }
    });
    let mut ledger = Ledger::empty();
    ledger.stop();
    let config = format!("[publish]\nurl = \"http://{address}/add-checkpoint\"\n");
    std::fs::write(ledger.data().join("daybook.toml"), config).unwrap();
    let served = Served::start(&ledger.data(), &[]).unwrap();
    let said = served.readiness();
    assert_eq!(said["writes"], false, "{said}");
    assert!(said["reason"].as_str().unwrap().contains("holds a newer checkpoint"), "{said}");
}

#[test]
fn a_folder_whose_log_is_gone_is_not_made_into_another_ledger() {
    let mut ledger = Ledger::empty();
    ledger.stop();
    std::fs::remove_dir_all(ledger.data().join("log")).unwrap();
    let refused = Served::start(&ledger.data(), &["--origin", "other.example/log"]).err().unwrap();
    assert!(refused.contains("its log is gone"), "{refused}");
}

#[test]
fn an_adopted_copy_publishes_nothing_until_it_is_told_to() {
    let mut ledger = Ledger::with_config("[publish]\nfile = \"../published\"\n");
    ledger.record(&event());
    ledger.stop();
    let published = ledger.dir.path().join("published");
    let lines = || std::fs::read_to_string(&published).unwrap().lines().count();
    let copy = ledger.dir.path().join("copy");
    copy_dir(&ledger.data(), &copy);
    let (before, adopt) = (lines(), copy.join("log/checkpoint"));
    let producer = ledger.token("producer").to_owned();
    for more in [&["--adopt", adopt.to_str().unwrap()][..], &[]] {
        let served = Served::start(&copy, more).unwrap();
        served.comes_to(|said| said["writes"] == true);
        assert_eq!(served.post(&producer), 201);
        drop(served);
        assert_eq!(lines(), before, "an adopted copy published");
    }
    for more in [&["--publish"][..], &[]] {
        let before = lines();
        let served = Served::start(&copy, more).unwrap();
        served.comes_to(|said| said["writes"] == true);
        assert_eq!(served.post(&producer), 201);
        drop(served);
        assert!(lines() > before, "told to, it publishes, and keeps to it");
    }
}

#[test]
fn who_serves_is_told_where_nothing_outside_the_folder_remembers_the_ledger() {
    for (setting, told) in
        [("", true), ("[publish]\nfile = \"inside\"\n", true), ("[publish]\nfile = \"../out\"\n", false)]
    {
        let mut ledger = Ledger::with_config(setting);
        ledger.stop();
        let mut child = serve(&ledger.data(), &[]);
        assert!(ready(&mut child).is_some());
        signal(child.id(), "TERM");
        let said = text(&child.wait_with_output().unwrap().stderr);
        assert_eq!(said.contains("Nothing outside"), told, "{setting:?}: {said}");
    }
}
