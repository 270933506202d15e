//! Keys change while the ledger serves, and whoever knows the first key can still check everything.

use crate::kit::{Ledger, daybook, event, fails, run, succeeds, text, verify};
use serde_json::{Value, json};
use std::path::PathBuf;

fn receipt(ledger: &Ledger, seq: u64) -> PathBuf {
    let path = ledger.dir.path().join(format!("{seq}.tlog-proof"));
    std::fs::write(&path, ledger.get(&format!("/v1/events/{seq}/receipt"), "auditor").body).unwrap();
    path
}

fn keys(ledger: &Ledger) -> PathBuf {
    let path = ledger.dir.path().join("keys.json");
    std::fs::write(&path, ledger.get("/v1/keys", "auditor").body).unwrap();
    path
}

fn keygen(ledger: &Ledger) -> (PathBuf, Value) {
    let out = ledger.dir.path().join("offline");
    let made =
        succeeds(daybook().args(["keygen", "--json", "--origin", crate::kit::ORIGIN, "--out"]).arg(&out));
    let made: Value = serde_json::from_str(&made).unwrap();
    (out.join(format!("{}.pem", made["key_id"].as_str().unwrap())), made)
}

#[test]
fn a_rotation_while_serving_keeps_everything_verifiable() {
    let ledger = Ledger::empty();
    ledger.record(&event());
    let before = receipt(&ledger, 1);
    let printed = succeeds(
        daybook()
            .args(["key", "rotate", "--url", &ledger.url, "--token", ledger.token("admin"), "--data"])
            .arg(ledger.data()),
    );
    assert!(printed.contains("from entry 3 on"), "{printed}");
    ledger.record(&event());
    let (said, code) = ledger.verify();
    assert_eq!(code, 0, "{said}");
    let history = ledger.get("/v1/keys", "auditor").json();
    assert_eq!((&history["keys"][0]["from"], &history["keys"][1]["from"]), (&json!(0), &json!(3)));
    // An old entry under a checkpoint by the new key: the way between them is walked.
    let (old, new, keys) = (receipt(&ledger, 1), receipt(&ledger, 3), keys(&ledger));
    for path in [&before, &old, &new] {
        succeeds(daybook().arg("verify").arg(path).args(["--key", &ledger.key]).arg("--keys").arg(&keys));
    }
    let output = run(daybook().arg("verify").arg(&old).args(["--key", &ledger.key]));
    assert_ne!(output.status.code(), Some(0), "the checkpoint's key was not shown: {}", text(&output.stdout));
    succeeds(daybook().args([
        "verify",
        &ledger.url,
        "--key",
        &ledger.key,
        "--token",
        ledger.token("auditor"),
    ]));
}

#[test]
fn rotations_survive_restarts_and_repeat() {
    let mut ledger = Ledger::empty();
    for round in 0..3 {
        ledger.record(&event());
        let token = format!("Bearer {}", ledger.token("admin"));
        let answer = ledger.request("POST", "/v1/keys/rotate", &[("authorization", &token)], b"");
        assert_eq!(answer.status, 201, "{}", answer.text());
        if round == 1 {
            ledger.kill();
        }
        ledger.restart();
    }
    assert_eq!(ledger.get("/v1/keys", "auditor").json()["keys"].as_array().unwrap().len(), 4);
    assert_eq!(ledger.verify().1, 0);
}

#[test]
fn during_an_overlap_both_keys_sign_checkpoints() {
    let ledger = Ledger::empty();
    let token = format!("Bearer {}", ledger.token("admin"));
    let body = json!({"overlap_until": "2100-01-01T00:00:00Z"}).to_string();
    assert_eq!(
        ledger.request("POST", "/v1/keys/rotate", &[("authorization", &token)], body.as_bytes()).status,
        201
    );
    let (_, note) = ledger.checkpoint();
    assert_eq!(note.lines().filter(|line| line.starts_with('—')).count(), 2, "{note}");
    let key = daybook::spec::note::VerifierKey::parse(&ledger.key).unwrap();
    daybook::spec::checkpoint::Checkpoint::open(note.as_bytes(), &[key]).unwrap();
    assert_eq!(ledger.verify().1, 0);
}

#[test]
fn a_lost_key_is_replaced_by_the_one_that_was_committed_to() {
    let mut ledger = Ledger::empty();
    let (next_file, next) = keygen(&ledger);
    let token = format!("Bearer {}", ledger.token("admin"));
    let body = json!({"next": next["next"]}).to_string();
    assert_eq!(
        ledger.request("POST", "/v1/keys/rotate", &[("authorization", &token)], body.as_bytes()).status,
        201
    );
    ledger.record(&event());
    ledger.stop();
    std::fs::remove_dir_all(ledger.data().join("keys")).unwrap();
    let rotate = |file: &PathBuf| {
        let mut command = daybook();
        command
            .args(["key", "rotate", "--old-key-lost", "--key-file"])
            .arg(file)
            .arg("--data")
            .arg(ledger.data());
        command
    };
    let (stranger, _) = keygen(&ledger);
    let refused = fails(&mut rotate(&stranger), 1);
    assert!(refused.contains("no commitment to this key was made"), "{refused}");
    succeeds(&mut rotate(&next_file));
    ledger.restart();
    ledger.record(&event());
    let (said, code) = ledger.verify();
    assert_eq!(code, 0, "{said}");
    let (path, keys) = (receipt(&ledger, 4), keys(&ledger));
    succeeds(daybook().arg("verify").arg(&path).args(["--key", &ledger.key]).arg("--keys").arg(&keys));
}

#[test]
fn a_key_never_comes_back_and_nobody_elses_comes_in() {
    let ledger = Ledger::empty();
    let first = std::fs::read_dir(ledger.data().join("keys")).unwrap().next().unwrap().unwrap();
    let first = first.path().file_stem().unwrap().to_str().unwrap().to_owned();
    let token = format!("Bearer {}", ledger.token("admin"));
    let rotate = |body: Value| {
        ledger.request("POST", "/v1/keys/rotate", &[("authorization", &token)], body.to_string().as_bytes())
    };
    assert_eq!(rotate(json!({})).status, 201);
    for body in [
        json!({"key_id": first}),
        json!({"key_id": "00000000"}),
        json!({"key_id": "../x"}),
        json!({"old_key_lost": true}),
    ] {
        let answer = rotate(body);
        assert_eq!((answer.status, answer.problem().as_str()), (409, "rotation-conflict"));
    }
    assert_eq!(rotate(json!({"nxt": "x"})).problem(), "malformed");
    assert_eq!(rotate(json!({"next": "x"})).problem(), "bad-parameter");
    assert_eq!(verify(&ledger.data(), &ledger.key).1, 0);
}

#[test]
fn key_files_are_private_and_a_passphrase_is_asked_for() {
    use std::os::unix::fs::PermissionsExt as _;
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("ledger");
    let serve = |passphrase: Option<&str>| {
        let mut command = daybook();
        command.args(["key", "rotate", "--data"]).arg(&data);
        if let Some(passphrase) = passphrase {
            command.env("DAYBOOK_KEY_PASSPHRASE", passphrase);
        }
        command
    };
    let mut made = daybook();
    made.env("DAYBOOK_KEY_PASSPHRASE", "correct horse").args([
        "demo",
        "--empty",
        "--json",
        "--listen",
        "127.0.0.1:0",
    ]);
    let mut child = made.arg("--data").arg(&data).stdout(std::process::Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    for entry in std::fs::read_dir(data.join("keys")).unwrap() {
        let entry = entry.unwrap();
        assert_eq!(entry.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert!(std::fs::read_to_string(entry.path()).unwrap().contains("ENCRYPTED PRIVATE KEY"));
    }
    assert!(fails(&mut serve(None), 1).contains("DAYBOOK_KEY_PASSPHRASE"));
    assert!(fails(&mut serve(Some("wrong")), 1).contains("passphrase is wrong"));
    succeeds(&mut serve(Some("correct horse")));
}
