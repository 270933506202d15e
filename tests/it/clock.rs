//! The wall clock goes where it will; ledger time never goes back, and far forward only with somebody's word.

use crate::kit::{Ledger, daybook, event, loudly, ready, signal, succeeds};
use std::path::PathBuf;
use std::process::{Command, Stdio};

/// Debian's libfaketime, for programs with threads.
fn faketime() -> Option<PathBuf> {
    let found = std::fs::read_dir("/usr/lib").ok()?.flatten().find_map(|folder| {
        let library = folder.path().join("faketime/libfaketimeMT.so.1");
        library.exists().then_some(library)
    });
    if found.is_none() {
        loudly("NOT RUN: tests that move the clock need Debian's package faketime");
    }
    found
}

/// A running ledger whose wall clock can be moved.
struct Movable {
    ledger: Ledger,
    library: PathBuf,
}

impl Movable {
    fn start() -> Option<Self> {
        let library = faketime()?;
        let ledger = Ledger::not_started(tempfile::tempdir().unwrap());
        let mut movable = Self { ledger, library };
        movable.set("+0");
        movable.launch(&["--empty"]);
        Some(movable)
    }

    fn launch(&mut self, more: &[&str]) {
        let command = self.command();
        assert!(self.ledger.launch_with(command, more), "{}", self.ledger.stderr());
        self.ledger.wait_until_ready();
    }

    /// The program with another wall clock. Steady clocks and the times of files stay as they are.
    fn command(&self) -> Command {
        let mut command = daybook();
        command
            .env("LD_PRELOAD", &self.library)
            .env("FAKETIME_TIMESTAMP_FILE", self.file())
            .env("FAKETIME_NO_CACHE", "1")
            .env("FAKETIME_DONT_FAKE_MONOTONIC", "1")
            .env("NO_FAKE_STAT", "1");
        command
    }

    fn file(&self) -> PathBuf {
        self.ledger.dir.path().join("clock")
    }

    /// Sets the clock, as an operator or a broken time server does, so far from the true time.
    fn set(&self, offset: &str) {
        // In one step: the program reads the file whenever it asks for the time.
        let beside = self.file().with_extension("new");
        std::fs::write(&beside, format!("{offset}\n")).unwrap();
        std::fs::rename(&beside, self.file()).unwrap();
    }

    fn record(&self) -> String {
        let answer = self.ledger.post(&event());
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["time"].as_str().unwrap().to_owned()
    }

    fn is_refused(&self) {
        self.refuses("clock-jumped");
    }

    /// Nothing is recorded, and whoever asks whether the ledger is ready is told so.
    fn refuses(&self, problem: &str) {
        let answer = self.ledger.post(&event());
        assert_eq!((answer.status, answer.problem().as_str()), (503, problem));
        assert!(answer.header("retry-after").is_some());
        let ready = self.ledger.get("/readyz", "auditor");
        assert_eq!((ready.status, &ready.json()["writes"]), (503, &serde_json::json!(false)));
    }

    fn confirm(&self) -> u16 {
        let token = format!("Bearer {}", self.ledger.token("admin"));
        self.ledger.request("POST", "/v1/clock/confirm", &[("authorization", &token)], b"").status
    }

    fn verifies(&self) {
        let (said, code) = self.ledger.verify();
        assert_eq!(code, 0, "{said}");
    }
}

/// Times are of one form, so their order as text is their order.
fn year(time: &str) -> u32 {
    time[..4].parse().unwrap()
}

#[test]
fn a_clock_set_back_some_minutes_makes_time_stand_never_go_back() {
    let Some(mut movable) = Movable::start() else { return };
    let before = movable.record();
    movable.set("-300");
    let stood = movable.record();
    assert_eq!(stood, movable.record(), "the clock was not moved");
    assert!(stood >= before, "{stood} after {before}");
    // Neither across a restart, when there is no steady clock to tell.
    movable.ledger.stop();
    movable.launch(&[]);
    assert_eq!(stood, movable.record());
    // Put right, time goes on, and nobody has to confirm it.
    movable.set("+0");
    assert!(movable.record() > stood);
    movable.verifies();
}

#[test]
fn a_clock_set_back_an_hour_stops_recording_until_it_has_caught_up_or_is_confirmed() {
    let Some(mut movable) = Movable::start() else { return };
    let before = movable.record();
    movable.set("-1h");
    movable.refuses("clock-behind");
    // Also across a restart, and whoever asks whether it is ready is told.
    movable.ledger.stop();
    movable.launch(&[]);
    movable.refuses("clock-behind");
    movable.set("-300");
    assert_eq!(movable.record(), before, "within ten minutes the last time is repeated");
    movable.set("-1h");
    movable.refuses("clock-behind");
    assert_eq!(movable.confirm(), 201);
    let stood = movable.record();
    assert_eq!(stood, movable.record());
    assert!(stood >= before, "{stood} after {before}");
    movable.set("+0");
    assert!(movable.record() > stood);
    movable.verifies();
}

#[test]
fn a_start_in_another_century_records_nothing_until_it_is_confirmed_or_put_right() {
    let Some(mut movable) = Movable::start() else { return };
    let before = movable.record();
    for stop in ["TERM", "KILL"] {
        signal(movable.ledger.pid(), stop);
        movable.ledger.ended();
        movable.set("+27000d");
        movable.launch(&[]);
        movable.refuses("clock-jumped");
        assert_eq!(movable.ledger.get("/v1/events/1", "auditor").status, 200, "reading goes on");
    }
    // A start that was not believed vouches for nothing at the next one.
    movable.ledger.stop();
    movable.launch(&[]);
    movable.refuses("clock-jumped");
    // Put right, it is believed by itself; six days of rest are no matter either.
    movable.set("+6d");
    let later = movable.record();
    assert!(later > before && year(&later) <= year(&before) + 1, "{later}");
    movable.ledger.stop();
    movable.set("+27000d");
    movable.launch(&[]);
    movable.refuses("clock-jumped");
    let size = movable.ledger.size();
    assert_eq!(movable.confirm(), 201);
    let confirmed = movable.ledger.get(&format!("/v1/events/{size}"), "auditor").json();
    assert_eq!(confirmed["event"]["type"], "ledger.clock_confirmed");
    assert!(year(&movable.record()) > 2090);
    movable.verifies();
}

#[test]
fn an_operator_confirms_a_clock_by_command_and_it_is_recorded() {
    let Some(mut movable) = Movable::start() else { return };
    movable.record();
    movable.ledger.stop();
    movable.set("+300d");
    let data = movable.ledger.data();
    let said = succeeds(movable.command().args(["clock", "confirm", "--data"]).arg(&data));
    assert!(said.contains("confirmed by entry 2"), "{said}");
    movable.launch(&[]);
    let confirmed = movable.ledger.get("/v1/events/2", "auditor").json();
    assert_eq!(confirmed["event"]["type"], "ledger.clock_confirmed");
    assert_eq!(confirmed["event"]["data"]["by"], "operator");
    movable.record();
    movable.set("+600d");
    movable.refuses("clock-jumped");
    let (url, admin) = (movable.ledger.url.clone(), movable.ledger.token("admin").to_owned());
    succeeds(daybook().args(["clock", "confirm", "--url", &url, "--token", &admin]));
    movable.record();
    // And with the start itself.
    movable.ledger.stop();
    movable.set("+900d");
    let mut command = movable.command();
    command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--confirm-clock", "--data"]).arg(&data);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    assert!(ready(&mut child).is_some());
    signal(child.id(), "TERM");
    child.wait().unwrap();
    movable.launch(&[]);
    let last = movable.ledger.get(&format!("/v1/events/{}", movable.ledger.size() - 1), "auditor").json();
    assert_eq!(last["event"]["type"], "ledger.clock_confirmed");
    movable.record();
    movable.verifies();
}

#[test]
fn a_clock_set_ahead_a_year_stops_recording_until_it_is_confirmed_or_put_right() {
    let Some(movable) = Movable::start() else { return };
    let before = movable.record();
    movable.set("+365d");
    movable.is_refused();
    movable.is_refused();
    // Reading goes on, and a clock put right is believed by itself.
    assert_eq!(movable.ledger.get("/v1/events/1", "auditor").status, 200);
    movable.set("+0");
    let right = movable.record();
    assert!(right >= before && year(&right) <= year(&before) + 1, "{right} after {before}");
    movable.set("+365d");
    movable.is_refused();
    let size = movable.ledger.size();
    assert_eq!(movable.confirm(), 201);
    let confirmed = movable.ledger.get(&format!("/v1/events/{size}"), "auditor").json();
    assert_eq!(confirmed["event"]["type"], "ledger.clock_confirmed");
    let later = movable.record();
    assert!(year(&later) > year(&right), "{later} after {right}");
    // And back again is a step back of a year: nothing is recorded until somebody says so, and then time stands still.
    movable.set("+0");
    movable.refuses("clock-behind");
    assert_eq!(movable.confirm(), 201);
    assert_eq!(movable.record(), movable.record());
    movable.verifies();
}

#[test]
fn a_clock_a_little_ahead_is_believed() {
    let Some(movable) = Movable::start() else { return };
    let before = movable.record();
    movable.set("+300");
    assert!(movable.record() > before);
    movable.verifies();
}
