//! The command line says what it wants and what it did.

use crate::kit::{Ledger, daybook, fails, run, serve, text};

#[test]
fn a_new_ledger_needs_an_origin_and_says_its_key() {
    let dir = tempfile::tempdir().unwrap();
    let data = dir.path().join("ledger");
    let output = serve(&data, &[]).wait_with_output().unwrap();
    assert!(text(&output.stderr).contains("give --origin"), "{}", text(&output.stderr));
    let output = serve(&data, &["--origin", "has space"]).wait_with_output().unwrap();
    assert!(text(&output.stderr).contains("is no origin"), "{}", text(&output.stderr));
    let mut child = serve(&data, &["--origin", "bank.example/ai"]);
    let mut line = String::new();
    std::io::BufRead::read_line(&mut std::io::BufReader::new(child.stdout.take().unwrap()), &mut line)
        .unwrap();
    let ready: serde_json::Value = serde_json::from_str(&line).unwrap();
    assert!(ready["key"].as_str().unwrap().starts_with("bank.example/ai+"));
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn the_demo_goes_on_with_its_ledger_and_its_tokens() {
    let mut ledger = Ledger::demo();
    let (key, tokens, size) = (ledger.key.clone(), ledger.tokens.clone(), ledger.size());
    ledger.restart();
    assert_eq!((&ledger.key, &ledger.tokens, ledger.size()), (&key, &tokens, size));
    let first = ledger.get("/v1/events/1", "auditor").json();
    let last = ledger.get(&format!("/v1/events/{}", size - 1), "auditor").json();
    let year = |entry: &serde_json::Value| entry["time"].as_str().unwrap()[..4].parse::<i32>().unwrap();
    assert_eq!(year(&last) - year(&first), 1, "a year lies between the first entry and the last");
    let families = ["approval.requested", "access.granted", "decision.made", "escalation.opened"];
    ledger.wait_until_ready();
    for family in families {
        let found = ledger.get(&format!("/v1/events?type={family}&limit=1"), "auditor").json();
        assert_eq!(found["items"].as_array().unwrap().len(), 1, "{family}");
    }
}

#[test]
fn wrong_usage_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    assert!(fails(daybook().arg("verify").arg(dir.path()), 2).contains("log"));
    assert!(fails(daybook().args(["verify", "no/such/file"]), 2).contains("no/such/file"));
    let token = fails(
        daybook()
            .args(["token", "create", "--actor", "root", "--role", "producer", "--data"])
            .arg(dir.path()),
        1,
    );
    assert!(token.contains("app:<id>"), "{token}");
    let role = run(daybook()
        .args(["token", "create", "--actor", "app:x", "--role", "king", "--data"])
        .arg(dir.path()));
    assert!(text(&role.stderr).contains("roles are producer"), "{}", text(&role.stderr));
    std::fs::write(dir.path().join("daybook.toml"), "opne_types = true\n").unwrap();
    let output = serve(dir.path(), &["--origin", "a.example"]).wait_with_output().unwrap();
    assert!(text(&output.stderr).contains("opne_types"), "{}", text(&output.stderr));
}
