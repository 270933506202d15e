//! What is written down about the product is what the product does.

use crate::kit::{Ledger, event, succeeds, text};
use serde_json::Value;
use std::path::{Path, PathBuf};
use std::process::Command;

fn in_repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

#[test]
fn the_checked_in_description_is_the_one_served() {
    let ledger = Ledger::empty();
    let served: Value = ledger.request("GET", "/openapi.json", &[], b"").json();
    let pretty = readable(&served);
    assert_eq!(serde_json::from_str::<Value>(&pretty).unwrap(), served, "written as it is");
    let path = in_repository("openapi/daybook.json");
    if std::env::var_os("DAYBOOK_UPDATE").is_some() {
        std::fs::write(&path, &pretty).unwrap();
    }
    let checked_in = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(checked_in == pretty, "openapi/daybook.json is out of date; `make openapi` writes it");
}

/// JSON for people who compare two versions of it: what fits in a line stands in one.
fn readable(value: &Value) -> String {
    const WIDTH: usize = 110;
    fn write(value: &Value, indent: usize, before: usize, out: &mut String) {
        let line = in_a_line(value);
        if before + line.chars().count() < WIDTH {
            out.push_str(&line);
            return;
        }
        let inner = " ".repeat(indent + 2);
        let outer = " ".repeat(indent);
        match value {
            Value::Array(items) if !items.is_empty() => {
                for (at, item) in items.iter().enumerate() {
                    out.push_str(if at == 0 { "[\n" } else { ",\n" });
                    out.push_str(&inner);
                    write(item, indent + 2, indent + 2, out);
                }
                out.push_str(&format!("\n{outer}]"));
            }
            Value::Object(members) if !members.is_empty() => {
                for (at, (name, item)) in members.iter().enumerate() {
                    let name = format!("{}: ", Value::from(name.as_str()));
                    out.push_str(if at == 0 { "{\n" } else { ",\n" });
                    out.push_str(&format!("{inner}{name}"));
                    write(item, indent + 2, indent + 2 + name.chars().count(), out);
                }
                out.push_str(&format!("\n{outer}}}"));
            }
            _ => out.push_str(&line),
        }
    }
    let mut out = String::new();
    write(value, 0, 0, &mut out);
    out + "\n"
}

fn in_a_line(value: &Value) -> String {
    match value {
        Value::Array(items) => {
            format!("[{}]", items.iter().map(in_a_line).collect::<Vec<_>>().join(", "))
        }
        Value::Object(members) => {
            let member = |(name, item): (&String, &Value)| {
                format!("{}: {}", Value::from(name.as_str()), in_a_line(item))
            };
            format!("{{{}}}", members.iter().map(member).collect::<Vec<_>>().join(", "))
        }
        other => other.to_string(),
    }
}

/// The answers that the description shows, asked again.
#[test]
fn the_example_answers_are_of_the_schema_and_the_demos() {
    let ledger = Ledger::demo();
    let served = ledger.request("GET", "/openapi.json", &[], b"").json();
    let path = in_repository("openapi/answers.json");
    let mut shown: serde_json::Map<String, Value> =
        serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
    let names = |value: &Value| {
        value.as_object().unwrap().keys().cloned().collect::<std::collections::BTreeSet<String>>()
    };
    let updates = std::env::var_os("DAYBOOK_UPDATE").is_some();
    let mut changed = Vec::new();
    for (resource, example) in &mut shown {
        let answer = ledger.get(example["ask"].as_str().unwrap(), "auditor");
        assert_eq!(answer.status, 200, "{resource}: {}", answer.text());
        let response = &served["paths"][resource]["get"]["responses"]["200"];
        let says_how_far = response["headers"].get("Daybook-Applied-Seq").is_some();
        assert_eq!(answer.header("daybook-applied-seq").is_some(), says_how_far, "{resource}");
        let answer = answer.json();
        let content = &served["paths"][resource]["get"]["responses"]["200"]["content"]["application/json"];
        let described = &content["examples"]["demo"]["value"];
        // References inside an example are followed beforehand: a type's own schema is the only answer with any.
        if !example["answer"].to_string().contains("$ref") {
            assert_eq!(described, &example["answer"], "{resource}");
        }
        assert_eq!(names(described), names(&example["answer"]), "{resource}");
        let mut schema = content["schema"].clone();
        schema["components"] = served["components"].clone();
        let schema = jsonschema::validator_for(&schema).unwrap();
        let wrong = |told: &Value| {
            let wrong: Vec<String> = schema.iter_errors(told).map(|error| error.to_string()).collect();
            (!wrong.is_empty()).then(|| format!("{resource}: {wrong:?}"))
        };
        if updates && wrong(&example["answer"]).is_some() {
            example["answer"] = Value::Null;
        }
        for told in [&answer, &example["answer"]].into_iter().filter(|told| !told.is_null()) {
            assert_eq!(wrong(told), None);
            assert_ne!(told["items"], Value::Array(Vec::new()), "{resource} shows nothing");
        }
        if example["answer"].is_null() || names(&answer) != names(&example["answer"]) {
            example["answer"] = cut(answer);
            changed.push(resource.clone());
        }
    }
    if !changed.is_empty() && updates {
        std::fs::write(&path, serde_json::to_string_pretty(&shown).unwrap() + "\n").unwrap();
        return;
    }
    assert!(
        changed.is_empty(),
        "openapi/answers.json is out of date, `make openapi` asks again: {changed:?}"
    );
}

/// Two items of a list show what the others look like.
fn cut(value: Value) -> Value {
    match value {
        Value::Array(items) => items.into_iter().take(2).map(cut).collect(),
        Value::Object(members) => members.into_iter().map(|(name, value)| (name, cut(value))).collect(),
        other => other,
    }
}

#[test]
fn every_example_event_of_the_description_is_accepted() {
    let ledger = Ledger::empty();
    let served = ledger.request("GET", "/openapi.json", &[], b"").json();
    let content = &served["paths"]["/v1/events"]["post"]["requestBody"]["content"];
    let examples = content["application/cloudevents+json"]["examples"].as_object().unwrap();
    assert!(examples.len() > 20);
    for (name, example) in examples {
        let mut event = example["value"].clone();
        if name == "event.corrected" {
            // What is corrected has to be there.
            let target = &event["data"]["target"];
            let mut earlier = crate::kit::event_with_id(target["id"].as_str().unwrap());
            earlier["source"] = target["source"].clone();
            ledger.record(&earlier);
        }
        // Some types are for one role alone, and a person's token speaks for that person.
        let role = match name.as_str() {
            "catalog.published" => "admin",
            "import.opened" | "import.closed" => "importer",
            _ => "producer",
        };
        if role != "producer" {
            event["data"]["by"] = format!("user:demo-{role}").into();
        }
        let token = format!("Bearer {}", ledger.token(role));
        let headers = [("authorization", token.as_str()), ("content-type", "application/cloudevents+json")];
        let answer = ledger.request("POST", "/v1/events", &headers, event.to_string().as_bytes());
        assert_eq!(answer.status, 201, "{name}: {}", answer.text());
    }
    let batch = content["application/cloudevents-batch+json"]["example"].as_array().unwrap();
    assert_eq!(ledger.post_batch(batch).status, 200, "the same events: replayed");
}

#[test]
fn the_readmes_python_checks_a_receipt_and_refuses_a_forged_one() {
    let readme = std::fs::read_to_string(in_repository("README.md")).unwrap();
    let code = readme.split("```python\n").nth(1).unwrap().split("```").next().unwrap();
    let ledger = Ledger::demo();
    let script = ledger.dir.path().join("check_receipt.py");
    std::fs::write(&script, code).unwrap();
    let receipt = ledger.dir.path().join("entry.tlog-proof");
    let python = || {
        let mut command = Command::new("/usr/bin/python3");
        command.arg(&script).arg(&receipt).arg(&ledger.key);
        command
    };
    for seq in [0, 1, 255, 256, ledger.size() - 1] {
        std::fs::write(&receipt, ledger.get(&format!("/v1/events/{seq}/receipt"), "auditor").body).unwrap();
        let said = succeeds(&mut python());
        assert!(said.contains(&format!("entry {seq}")), "{said}");
    }
    let original = std::fs::read(&receipt).unwrap();
    for at in (0..original.len()).step_by(original.len() / 40) {
        crate::kit::flip(&receipt, at);
        assert!(!crate::kit::run(&mut python()).status.success(), "byte {at} was changed and it holds");
        std::fs::write(&receipt, &original).unwrap();
    }
}

#[test]
fn the_docs_show_the_operations_in_a_browser_without_any_other_host() {
    let ledger = Ledger::empty();
    ledger.record(&event());
    let profile = ledger.dir.path().join("chromium");
    let mut chromium = Command::new("chromium");
    chromium
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run"])
        .args(["--disable-background-networking", "--disable-component-update", "--disable-sync"])
        .arg(format!("--user-data-dir={}", profile.display()))
        .args(["--virtual-time-budget=15000", "--dump-dom"])
        .arg(format!("{}/docs/", ledger.url));
    let output = crate::kit::run(&mut chromium);
    let page = text(&output.stdout);
    for shown in ["/v1/events", "/v1/events/{seq}/receipt", "/log/checkpoint", "/v1/keys/rotate", "Daybook"] {
        assert!(page.contains(shown), "{shown} is not on the page: {page:.2000}");
    }
    assert!(!page.contains("Failed to load API definition"), "{page:.2000}");
    for outside in ["https://cdn", "http://cdn", "unpkg.com", "fonts.googleapis"] {
        assert!(!page.contains(outside), "{outside}");
    }
}

#[test]
fn the_readmes_commands_are_the_programs() {
    let readme = std::fs::read_to_string(in_repository("README.md")).unwrap();
    let help = succeeds(crate::kit::daybook().arg("--help"));
    for command in [
        "demo", "serve", "verify", "check", "rebuild", "keygen", "token", "key", "export", "import",
        "backup", "restore",
    ] {
        assert!(help.contains(command), "--help does not name {command}");
        assert!(readme.contains(&format!("daybook {command}")), "README does not name daybook {command}");
    }
}

/// What `daybook demo` tells a newcomer to type, typed.
#[test]
fn the_three_things_to_try_do_what_they_say() {
    use std::io::Read as _;
    let dir = tempfile::tempdir().unwrap();
    let mut child = crate::kit::daybook()
        .args(["demo", "--listen", "127.0.0.1:0"])
        .current_dir(dir.path())
        .stdout(std::process::Stdio::piped())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let mut said = String::new();
    let mut out = child.stdout.take().unwrap();
    let mut chunk = [0; 4096];
    while !said.ends_with("verify forged --key") && !said.trim_end().ends_with('\'')
        || !said.contains("verify forged")
    {
        let count = out.read(&mut chunk).unwrap();
        assert!(count > 0, "{said}");
        said.push_str(&text(&chunk[..count]));
    }
    // Commands begin at the left margin; everything else is prose, or the continuation of one.
    let begins = |line: &str| line.starts_with("curl ") || line.starts_with("cp ") || line.starts_with('/');
    let mut commands: Vec<String> = Vec::new();
    let mut open = false;
    for line in said.lines() {
        if begins(line) {
            commands.push(line.to_owned());
            open = true;
        } else if line.is_empty() {
            open = false;
        } else if open {
            let last = commands.last_mut().unwrap();
            last.push('\n');
            last.push_str(line);
        }
    }
    let answers: Vec<(String, bool)> = commands
        .iter()
        .map(|command| {
            let output = crate::kit::run(Command::new("bash").args(["-c", command]).current_dir(dir.path()));
            (text(&output.stdout), output.status.success())
        })
        .collect();
    child.kill().unwrap();
    child.wait().unwrap();
    assert_eq!(commands.len(), 8, "{commands:#?}");
    assert!(answers[0].0.contains("\"receipt\":\"/v1/events/"), "{answers:?}");
    assert!(answers[1].0.contains("try-1"), "{answers:?}");
    assert!(answers[2].0.contains("\"grant\":\"GRT-"), "{answers:?}");
    assert!(answers[4].0.contains("Verified: entry 107"), "{answers:?}");
    assert!(answers[5].0.contains("Verified: northgate.example/ai-governance"), "{answers:?}");
    assert!(!answers[7].1 && answers[7].0.contains("DOES NOT HOLD: entry "), "{answers:?}");
}
