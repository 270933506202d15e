//! Anyone can check everything, from a folder, an export, a receipt or a server, and remember what they saw.

use crate::kit::{Ledger, daybook, event, fails, flip, run, succeeds, text};
use serde_json::Value;

#[test]
fn a_server_is_verified_from_outside_by_tiles_and_bundles_alone() {
    let ledger = Ledger::demo();
    let verify = |more: &[&str]| {
        let mut command = daybook();
        command.args(["verify", &ledger.url, "--key", &ledger.key]).args(more);
        command
    };
    let report = succeeds(&mut verify(&["--json", "--token", ledger.token("auditor")]));
    let report: Value = serde_json::from_str(&report).unwrap();
    assert_eq!((&report["entries"], &report["signatures"]), (&ledger.size().into(), &"strict".into()));
    let batched = succeeds(&mut verify(&["--batch", "--json", "--token", ledger.token("auditor")]));
    assert!(batched.contains("\"signatures\":\"batched-zip215\""), "{batched}");
    assert!(fails(&mut verify(&[]), 2).contains("token"));
    succeeds(verify(&[]).env("DAYBOOK_TOKEN", ledger.token("auditor")));
    let dead = fails(daybook().args(["verify", "http://127.0.0.1:9", "--key", &ledger.key]), 2);
    assert!(!dead.is_empty());
}

#[test]
fn a_receipt_is_verified_offline_in_both_forms() {
    let mut ledger = Ledger::demo();
    let plain = ledger.dir.path().join("plain.tlog-proof");
    std::fs::write(&plain, ledger.get("/v1/events/5/receipt", "auditor").body).unwrap();
    let token = format!("Bearer {}", ledger.token("auditor"));
    let json = ledger.dir.path().join("receipt.json");
    let headers = [("authorization", token.as_str()), ("accept", "application/json")];
    std::fs::write(&json, ledger.request("GET", "/v1/events/5/receipt", &headers, b"").body).unwrap();
    let other = Ledger::empty().key.clone();
    ledger.stop();
    for path in [&plain, &json] {
        succeeds(daybook().arg("verify").arg(path).args(["--key", &ledger.key]));
        assert_ne!(run(daybook().arg("verify").arg(path).args(["--key", &other])).status.code(), Some(0));
        assert_eq!(run(daybook().arg("verify").arg(path)).status.code(), Some(2), "no key, no answer");
    }
    let length = std::fs::metadata(&plain).unwrap().len() as usize;
    for at in (0..length).step_by(41) {
        flip(&plain, at);
        assert_ne!(
            run(daybook().arg("verify").arg(&plain).args(["--key", &ledger.key])).status.code(),
            Some(0),
            "byte {at}"
        );
        flip(&plain, at);
    }
}

#[test]
fn who_remembers_sees_that_the_ledger_only_grew() {
    let mut ledger = Ledger::empty();
    ledger.record(&event());
    let memory = ledger.dir.path().join("memory");
    let check = |ledger: &Ledger| {
        let source = ledger.data();
        run(daybook().arg("verify").arg(source).args(["--key", &ledger.key, "--remember"]).arg(&memory))
    };
    assert_eq!(check(&ledger).status.code(), Some(0));
    ledger.stop();
    let old = ledger.dir.path().join("old");
    crate::kit::copy_dir(&ledger.data(), &old);
    ledger.restart();
    ledger.record(&event());
    assert_eq!(check(&ledger).status.code(), Some(0));
    ledger.stop();
    // The ledger of yesterday, put in the place of today's.
    std::fs::remove_dir_all(ledger.data()).unwrap();
    crate::kit::copy_dir(&old, &ledger.data());
    let output = check(&ledger);
    assert_eq!(output.status.code(), Some(1), "{}", text(&output.stdout));
    assert!(text(&output.stdout).contains("shrunk"), "{}", text(&output.stdout));
}

#[test]
fn a_ledger_with_another_first_key_is_not_the_one_that_was_asked_for() {
    let (ledger, other) = (Ledger::empty(), Ledger::empty());
    let output = run(daybook().arg("verify").arg(ledger.data()).args(["--key", &other.key, "--json"]));
    assert_eq!(output.status.code(), Some(1));
    assert!(text(&output.stdout).contains("key-not-trusted"), "{}", text(&output.stdout));
}
