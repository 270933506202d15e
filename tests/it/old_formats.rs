//! What an earlier build wrote opens, verifies and goes on in this one.
//!
//! `tests/fixtures/format-N/` holds a data folder as a build of its time left it, and what was handed out of it. A
//! fixture is never changed: that it still opens is the promise.

use crate::kit::{
    Ledger, copy_dir, daybook, event, event_with_id, ready, run, serve, signal, succeeds, text, verify,
};
use serde_json::{Value, json};
use std::path::{Path, PathBuf};

fn fixtures() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures")
}

/// An earlier build's folder, copied so that it can be written to, and what is known of it.
struct Old {
    dir: tempfile::TempDir,
    fixture: PathBuf,
    facts: Value,
}

impl Old {
    fn all() -> Vec<Self> {
        let mut found: Vec<PathBuf> =
            std::fs::read_dir(fixtures()).unwrap().map(|entry| entry.unwrap().path()).collect();
        found.retain(|path| path.join("facts.json").exists());
        found.sort();
        assert!(!found.is_empty());
        let old = |fixture: PathBuf| {
            let dir = tempfile::tempdir().unwrap();
            copy_dir(&fixture.join("ledger"), &dir.path().join("ledger"));
            let facts = serde_json::from_slice(&std::fs::read(fixture.join("facts.json")).unwrap()).unwrap();
            Self { dir, fixture, facts }
        };
        found.into_iter().map(old).collect()
    }

    fn data(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    fn key(&self) -> &str {
        self.facts["key"].as_str().unwrap()
    }

    fn size(&self) -> u64 {
        self.facts["size"].as_u64().unwrap()
    }

    /// The events as they were answered, line by line.
    fn events(&self) -> Vec<String> {
        let text = std::fs::read_to_string(self.fixture.join("events.ndjson")).unwrap();
        text.split_terminator('\n').map(str::to_owned).collect()
    }

    /// The copy becomes the ledger on the strength of the checkpoint that was handed out, and serves.
    fn adopted(self) -> Ledger {
        let checkpoint = self.fixture.join("checkpoint");
        let mut child = serve(&self.data(), &["--adopt", checkpoint.to_str().unwrap()]);
        let ready = ready(&mut child);
        signal(child.id(), "TERM");
        let output = child.wait_with_output().unwrap();
        assert!(ready.is_some(), "{}", text(&output.stderr));
        let ledger = Ledger::start(self.dir, &[]);
        ledger.wait_until_ready();
        ledger
    }
}

#[test]
fn what_was_handed_out_still_verifies() {
    for old in Old::all() {
        let (said, code) = verify(&old.data(), old.key());
        assert_eq!(code, 0, "{said}");
        let root = old.facts["root"].as_str().unwrap();
        assert!(said.contains(root) && said.contains(&format!("{} entries", old.size())), "{said}");
        let (said, code) = verify(&old.fixture.join("export.ndjson"), old.key());
        assert_eq!(code, 0, "{said}");
        assert!(said.contains(root), "{said}");
        for receipt in ["receipt.tlog-proof", "receipt.json"] {
            let mut command = daybook();
            command.arg("verify").arg(old.fixture.join(receipt)).args(["--key", old.key()]);
            succeeds(command.arg("--keys").arg(old.fixture.join("keys.json")));
        }
        succeeds(daybook().arg("check").arg(old.data()));
        // And what is exported from it today is what was exported then.
        let again = old.dir.path().join("again.ndjson");
        succeeds(daybook().arg("export").arg(&again).arg("--data").arg(old.data()));
        assert!(
            std::fs::read(again).unwrap() == std::fs::read(old.fixture.join("export.ndjson")).unwrap(),
            "{}: the export has other bytes",
            old.fixture.display()
        );
    }
}

#[test]
fn its_events_and_tokens_are_what_they_were_and_it_goes_on() {
    for old in Old::all() {
        let (size, events, key) = (old.size(), old.events(), old.key().to_owned());
        let (fixture, facts) = (old.fixture.clone(), old.facts.clone());
        assert_eq!(events.len() as u64, size);
        let seen = old.dir.path().join("seen.json");
        let remembering = |data: &Path| {
            let mut command = daybook();
            command.arg("verify").arg(data).args(["--key", &key, "--remember"]).arg(&seen);
            succeeds(&mut command)
        };
        remembering(&old.data());
        let mut ledger = old.adopted();
        for (role, token) in facts["tokens"].as_object().unwrap() {
            assert_eq!(ledger.token(role), token, "the token of the {role} is another");
        }
        for (seq, event) in events.iter().enumerate() {
            assert_eq!(&ledger.get(&format!("/v1/events/{seq}"), "auditor").text(), event, "entry {seq}");
        }
        let entry = std::fs::read(fixture.join("receipt.tlog-proof")).unwrap();
        let entry = text(&entry).lines().nth(1).unwrap().to_owned();
        let seq = facts["receipt_of"].as_u64().unwrap();
        let today = ledger.get(&format!("/v1/events/{seq}/receipt"), "auditor").text();
        assert_eq!(today.lines().nth(1), Some(entry.as_str()), "the receipt holds another entry");
        // The index is made from it: what was recorded then is not recorded again, and lists find it.
        let repeated = ledger.post(&event_with_id("fixture-repeated"));
        assert_eq!((repeated.status, repeated.header("daybook-replayed")), (200, Some("true")));
        let listed = ledger.get("/v1/events?type=event.corrected", "auditor").json();
        assert_eq!(listed["items"].as_array().unwrap().len(), 2);
        // It takes events and changes of keys.
        assert_eq!(ledger.record(&event()), size + 1, "after the adoption");
        let admin = format!("Bearer {}", ledger.token("admin"));
        let rotated = ledger.request("POST", "/v1/keys/rotate", &[("authorization", &admin)], b"");
        assert_eq!(rotated.status, 201, "{}", rotated.text());
        ledger.record(&event());
        ledger.restart();
        assert_eq!(ledger.size(), size + 4);
        ledger.stop();
        let said = remembering(&ledger.data());
        assert!(said.contains(&format!("it only grew: the {size} entries remembered")), "{said}");
    }
}

#[test]
fn a_key_committed_to_then_comes_into_force_today() {
    for old in Old::all() {
        let (fixture, key) = (old.fixture.clone(), old.key().to_owned());
        let mut ledger = old.adopted();
        ledger.stop();
        std::fs::remove_dir_all(ledger.data().join("keys")).unwrap();
        let offline = std::fs::read_dir(fixture.join("offline")).unwrap().next().unwrap().unwrap().path();
        let mut rotate = daybook();
        rotate.args(["key", "rotate", "--old-key-lost", "--key-file"]).arg(offline);
        succeeds(rotate.arg("--data").arg(ledger.data()));
        ledger.restart();
        ledger.record(&event());
        assert_eq!(verify(&ledger.data(), &key).1, 0);
    }
}

/// Makes a fixture of today's format. Only ever run to add a *new* one, under the next number, before a format changes:
/// `DAYBOOK_FIXTURE=format-2 cargo test --all-features --test it old_formats::make -- --ignored`.
#[test]
#[ignore = "makes a new fixture; the ones that are there must stay as they are"]
fn make_a_fixture_of_todays_format() {
    let name = std::env::var("DAYBOOK_FIXTURE").expect("DAYBOOK_FIXTURE names the new fixture");
    let fixture = fixtures().join(name);
    assert!(!fixture.exists(), "{} is there and must stay as it is", fixture.display());
    let mut ledger = Ledger::empty();
    let description = ledger.request("GET", "/openapi.json", &[], b"").json();
    let content = &description["paths"]["/v1/events"]["post"]["requestBody"]["content"];
    let examples = content["application/cloudevents+json"]["examples"].as_object().unwrap();
    for example in examples.values() {
        ledger.record(&example["value"]);
    }
    ledger.record(&event_with_id("fixture-repeated"));
    let batch: Vec<_> = (0..5).map(|number| event_with_id(&format!("fixture-batch-{number}"))).collect();
    assert_eq!(ledger.post_batch(&batch).status, 201);
    let mut unusual = event_with_id("fixture-unusual/\u{e9}\u{1F4D2}");
    unusual["subject"] = json!("APR-\u{2028}\u{fb33}\u{1F600}");
    unusual["data"]["reason"] =
        json!("Gr\u{fc}\u{df}e \u{2014} \u{6f22}\u{5b57}\ttab \"quote\" back\\slash \u{7f}\u{0}");
    unusual["amount"] = json!(-7);
    ledger.record(&unusual);
    let mut binary = vec![("ce-specversion", "1.0"), ("ce-id", "fixture-binary"), ("ce-source", "/it")];
    binary.extend([("ce-type", "approval.withdrawn"), ("ce-time", "2026-03-02T09:30:00Z")]);
    binary.push(("ce-subject", "Euro%20%E2%82%AC"));
    let data = br#"{"reason": "asked twice", "by": "user:u-1", "approval": "APR-1"}"#;
    assert_eq!(ledger.post_with("application/json", &binary, data).status, 201);
    let mut corrected = event_with_id("fixture-correction");
    corrected["type"] = json!("event.corrected");
    corrected["data"] = json!({"by": "user:u-2", "kind": "annul", "reason": "entered twice", "target": {"source": "/it", "id": "fixture-batch-1"}});
    ledger.record(&corrected);

    let admin = format!("Bearer {}", ledger.token("admin"));
    let rotate = |body: Value| {
        let body = body.to_string();
        let answer = ledger.request("POST", "/v1/keys/rotate", &[("authorization", &admin)], body.as_bytes());
        assert_eq!(answer.status, 201, "{}", answer.text());
    };
    rotate(json!({"overlap_until": "2026-01-01T00:00:00Z"}));
    ledger.record(&event_with_id("fixture-between"));
    let offline = fixture.join("offline");
    let made =
        succeeds(daybook().args(["keygen", "--json", "--origin", crate::kit::ORIGIN, "--out"]).arg(&offline));
    let made: Value = serde_json::from_str(&made).unwrap();
    rotate(json!({"next": made["next"]}));
    let confirmed = ledger.request("POST", "/v1/clock/confirm", &[("authorization", &admin)], b"");
    assert_eq!(confirmed.status, 201);
    ledger.record(&event_with_id("fixture-last"));

    ledger.wait_until_ready();
    let size = ledger.size();
    let answer = |path: &str| ledger.get(path, "auditor").body;
    let events: Vec<String> =
        (0..size).map(|seq| text(&answer(&format!("/v1/events/{seq}"))) + "\n").collect();
    let receipt_of = size - 6;
    let receipt = format!("/v1/events/{receipt_of}/receipt");
    let (_, checkpoint) = ledger.checkpoint();
    let token = format!("Bearer {}", ledger.token("auditor"));
    let as_json = [("authorization", token.as_str()), ("accept", "application/json")];
    let facts = json!({
        "key": ledger.key, "tokens": ledger.tokens, "size": size, "receipt_of": receipt_of,
        "root": checkpoint.lines().nth(2).unwrap(),
    });
    let keep = |name: &str, bytes: &[u8]| std::fs::write(fixture.join(name), bytes).unwrap();
    keep("facts.json", format!("{}\n", serde_json::to_string_pretty(&facts).unwrap()).as_bytes());
    keep("events.ndjson", events.concat().as_bytes());
    keep("receipt.tlog-proof", &answer(&receipt));
    keep("receipt.json", &ledger.request("GET", &receipt, &as_json, b"").body);
    keep("keys.json", &answer("/v1/keys"));
    keep("checkpoint", checkpoint.as_bytes());
    ledger.stop();
    succeeds(daybook().arg("export").arg(fixture.join("export.ndjson")).arg("--data").arg(ledger.data()));
    copy_dir(&ledger.data(), &fixture.join("ledger"));
    // Derived, or of this machine alone.
    for name in ["index", "views", "lock", "home", "tokens.lock"] {
        let path = fixture.join("ledger").join(name);
        let _ = std::fs::remove_dir_all(&path).or_else(|_| std::fs::remove_file(&path));
    }
    assert!(run(daybook().arg("verify").arg(fixture.join("ledger"))).status.success());
}
