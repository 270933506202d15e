//! What version 0.1.0 recorded, and later versions refuse at intake or keep from doing harm, stays readable and answerable.
//!
//! `tests/fixtures/answers-1/` is a ledger with one entry of each such kind. What rows and figures say of it may change
//! with every version; that each entry is there as it was, and that no question over it fails, may not. So nothing here
//! holds a result of a fold.

use crate::kit::{
    Ledger, copy_dir, daybook, event, ready, serve, signal, succeeds, text, verify as verify_folder,
};
use daybook::spec::encoding::from_base64;
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

fn fixture() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/answers-1")
}

/// The list of what is in the fixture, and the key and tokens of its ledger.
fn facts() -> Value {
    serde_json::from_slice(&std::fs::read(fixture().join("entries.json")).unwrap()).unwrap()
}

/// The entries of the fixture as they stand in its file: each with its length before it. That they are those that were
/// recorded, the root of the checkpoint says.
fn recorded() -> Vec<Vec<u8>> {
    let bytes = std::fs::read(fixture().join("ledger/log/00000000/entries")).unwrap();
    let (mut entries, mut rest) = (Vec::new(), bytes.as_slice());
    while let Some((length, after)) = rest.split_first_chunk::<2>() {
        let (entry, after) = after.split_at(usize::from(u16::from_be_bytes(*length)));
        entries.push(entry.to_vec());
        rest = after;
    }
    entries
}

/// The fixture's ledger, copied so that it can be written to.
fn copied() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    copy_dir(&fixture().join("ledger"), &dir.path().join("ledger"));
    dir
}

/// A copy that goes on as the ledger, on the strength of the checkpoint beside it, with all its views made.
///
/// Events are held against what the ledger published: until that is read, it takes none.
fn adopted() -> Ledger {
    let dir = copied();
    let checkpoint = fixture().join("checkpoint");
    let mut child = serve(&dir.path().join("ledger"), &["--adopt", checkpoint.to_str().unwrap()]);
    let ready = ready(&mut child);
    signal(child.id(), "TERM");
    let output = child.wait_with_output().unwrap();
    assert!(ready.is_some(), "{}", text(&output.stderr));
    let ledger = Ledger::start(dir, &[]);
    wait_for_views(&ledger);
    ledger
}

fn wait_for_views(ledger: &Ledger) {
    ledger.wait_until_ready();
    let begun = Instant::now();
    loop {
        let answer = ledger.get("/v1/views", "auditor");
        let views = if answer.status == 200 { answer.json() } else { Value::Null };
        let whole = |view: &Value| view["building"] == false && view["lag"] == 0;
        let writes = ledger.get("/readyz", "auditor").json()["writes"] == true;
        if writes && views["items"].as_array().is_some_and(|items| items.iter().all(whole)) {
            return;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{}\n{}", answer.text(), ledger.stderr());
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// A part of an address that holds anything.
fn escaped(part: &str) -> String {
    let escape = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' => char::from(byte).to_string(),
        _ => format!("%{byte:02X}"),
    };
    part.bytes().map(escape).collect()
}

/// Asks everything that is to be asked, and remembers what failed, so that one run tells all.
struct Asking<'a> {
    ledger: &'a Ledger,
    failed: Vec<String>,
    asked: BTreeSet<String>,
}

impl Asking<'_> {
    fn new(ledger: &Ledger) -> Asking<'_> {
        Asking { ledger, failed: Vec::new(), asked: BTreeSet::new() }
    }

    /// Any answer but a failure of the server. Nothing for what has been asked before.
    fn reaches(&mut self, path: &str) -> Option<Value> {
        if !self.asked.insert(path.to_owned()) {
            return None;
        }
        match self.ledger.try_request(
            "GET",
            path,
            &[("authorization", &format!("Bearer {}", self.ledger.token("auditor")))],
            b"",
        ) {
            Ok(answer) if answer.status < 500 => {
                let body = serde_json::from_slice(&answer.body);
                let body = body.map_err(|error| self.failed.push(format!("{path}: {error}"))).ok()?;
                (answer.status == 200).then_some(body)
            }
            Ok(answer) => {
                self.failed.push(format!("{path}: {} {:.300}", answer.status, answer.text()));
                None
            }
            Err(error) => {
                self.failed.push(format!("{path}: {error}"));
                None
            }
        }
    }

    /// An answer that has to be there.
    fn answers(&mut self, path: &str) -> Value {
        let known = self.failed.len();
        let body = self.reaches(path);
        if body.is_none() && self.failed.len() == known {
            self.failed.push(format!("{path}: not 200"));
        }
        body.unwrap_or_default()
    }

    /// All items of a list, page by page: it has to come to its end.
    fn pages(&mut self, path: &str) -> Vec<Value> {
        let joiner = if path.contains('?') { '&' } else { '?' };
        let (mut items, mut cursor) = (Vec::new(), String::new());
        for _ in 0..2_000 {
            let page = self.answers(&format!("{path}{joiner}limit=40{cursor}"));
            items.extend(page["items"].as_array().cloned().unwrap_or_default());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={}", escaped(next)),
                None => return items,
            }
        }
        self.failed.push(format!("{path}: no end"));
        items
    }

    /// What a row says of where more is.
    fn links(&mut self, rows: &[Value]) {
        for row in rows {
            for link in row["links"].as_object().into_iter().flat_map(|links| links.values()) {
                link.as_str().and_then(|link| self.reaches(link));
            }
        }
    }

    fn all_is_well(self) {
        assert!(self.failed.is_empty(), "{}\n{}", self.failed.join("\n"), self.ledger.stderr());
        assert!(!self.ledger.stderr().contains("panicked"), "{}", self.ledger.stderr());
    }
}

/// All events of the ledger, as they are answered.
fn events(asking: &mut Asking<'_>) -> Vec<Value> {
    asking.pages("/v1/events").into_iter().map(|item| item["event"].clone()).collect()
}

/// Every text in a value that may be an id: what timelines can be asked for.
fn texts(value: &Value, found: &mut BTreeSet<String>) {
    match value {
        Value::String(text) if text.len() <= 2_000 => {
            found.insert(text.clone());
        }
        Value::Array(items) => items.iter().for_each(|item| texts(item, found)),
        Value::Object(members) => members.values().for_each(|member| texts(member, found)),
        _ => {}
    }
}

const VIEWS: [&str; 6] =
    ["approvals", "access", "access/requests", "access/uses", "decisions", "escalations"];

#[test]
fn it_verifies_and_nothing_in_it_differs_from_what_the_entries_give() {
    let (dir, facts) = (copied(), facts());
    let data = dir.path().join("ledger");
    let (size, root) = (facts["size"].as_u64().unwrap(), facts["root"].as_str().unwrap());
    let (said, code) = verify_folder(&data, facts["key"].as_str().unwrap());
    assert_eq!(code, 0, "{said}");
    assert!(said.contains(root) && said.contains(&format!("{size} entries")), "{said}");
    succeeds(daybook().arg("check").arg(&data));
    // With the index and the views made anew, `check` compares these too.
    succeeds(daybook().arg("rebuild").arg(&data));
    let mut ledger = adopted();
    ledger.stop();
    succeeds(daybook().arg("check").arg(ledger.data()));
    let export = dir.path().join("export.ndjson");
    succeeds(daybook().arg("export").arg(&export).arg("--data").arg(ledger.data()));
    let (said, code) = verify_folder(&export, facts["key"].as_str().unwrap());
    assert_eq!(code, 0, "{said}");
}

#[test]
fn each_recorded_entry_is_read_back_byte_for_byte_and_found_by_what_it_is() {
    let facts = facts();
    let entries = facts["entries"].as_array().unwrap();
    let kept = recorded();
    assert_eq!((entries.len(), entries.len() as u64), (kept.len(), facts["size"].as_u64().unwrap()));
    let ledger = adopted();
    let mut asking = Asking::new(&ledger);
    let listed = events(&mut asking);
    assert!(listed.len() >= entries.len(), "{} entries are listed", listed.len());
    for (seq, told) in entries.iter().enumerate() {
        let receipt = ledger.get(&format!("/v1/events/{seq}/receipt"), "auditor");
        assert_eq!(receipt.status, 200, "{told}: {}", receipt.text());
        let receipt = receipt.text();
        let entry = from_base64(receipt.lines().nth(1).unwrap().strip_prefix("extra ").unwrap()).unwrap();
        assert!(entry == kept[seq], "{told}: other bytes");
        let recorded: Value = serde_json::from_str(text(&entry).lines().next().unwrap()).unwrap();
        let answer = ledger.get(&format!("/v1/events/{seq}"), "auditor");
        assert_eq!(answer.status, 200, "{told}: {}", answer.text());
        let answer = answer.json();
        assert_eq!(answer["event"], recorded["event"], "{told}");
        assert_eq!((&answer["event"], &answer["seq"]), (&listed[seq], &told["seq"]));
        for name in ["type", "source", "subject"] {
            let Some(value) = recorded["event"][name].as_str() else { continue };
            let path = format!("/v1/events?{name}={}&from={seq}&limit=1", escaped(value));
            let found = ledger.get(&path, "auditor");
            assert_eq!(found.status, 200, "{path}: {}", found.text());
            assert_eq!(found.json()["items"][0]["seq"], told["seq"], "{path}");
        }
    }
    asking.all_is_well();
}

#[test]
fn every_list_of_every_view_and_register_comes_to_its_end_and_every_row_leads_on() {
    let ledger = adopted();
    let mut asking = Asking::new(&ledger);
    for view in VIEWS {
        asking.answers(&format!("/v1/{view}/counts"));
        let rows = asking.pages(&format!("/v1/{view}"));
        assert!(!rows.is_empty(), "{view}");
        asking.links(&rows);
        for sort in [
            "due", "-due", "ends", "-ends", "recorded", "opened", "-opened", "changed", "-changed", "ended",
            "-ended",
        ] {
            asking.pages(&format!("/v1/{view}?sort={sort}"));
        }
        for filter in
            ["overdue=true", "overdue=false", "validity=in-force", "validity=not-yet", "validity=expired"]
        {
            asking.pages(&format!("/v1/{view}?{filter}"));
        }
    }
    let registers = asking.answers("/v1/registers")["items"].as_array().cloned().unwrap_or_default();
    assert!(!registers.is_empty());
    for register in registers {
        let name = escaped(register["name"].as_str().unwrap());
        asking.answers(&format!("/v1/registers/{name}/counts"));
        let rows = asking.pages(&format!("/v1/registers/{name}"));
        asking.links(&rows);
        asking.pages(&format!("/v1/registers/{name}?overdue=true"));
    }
    asking.all_is_well();
}

#[test]
fn every_question_across_rows_is_answered() {
    let ledger = adopted();
    let mut asking = Asking::new(&ledger);
    let events = events(&mut asking);
    let all = |place: &[&str]| -> BTreeSet<String> {
        let value = |event: &Value| place.iter().fold(event.clone(), |value, name| value[*name].clone());
        events.iter().filter_map(|event| value(event).as_str().map(str::to_owned)).collect()
    };
    for by in ["", "?by=none", "?by=day", "?by=model,version,day,outcome"] {
        asking.answers(&format!("/v1/decisions/stats{by}"));
    }
    for model in all(&["data", "model"]) {
        let model = escaped(&model);
        for kind in ["tallied", "observed"] {
            asking.answers(&format!("/v1/decisions/fairness?model={model}&kind={kind}"));
        }
        asking.answers(&format!("/v1/decisions/stats?model={model}"));
    }
    for resource in all(&["data", "resource", "id"]) {
        asking.pages(&format!("/v1/access/readers?resource={}", escaped(&format!("dataset/{resource}"))));
    }
    for principal in all(&["data", "principal"]).union(&all(&["data", "grantee", "id"])) {
        asking.answers(&format!("/v1/access/reach?principal={}", escaped(principal)));
    }
    asking.pages("/v1/access/uncovered");
    asking.pages("/v1/access/role-ended");
    asking.pages("/v1/access?unreviewed_days=90");
    for approval in all(&["data", "approval"]) {
        asking.reaches(&format!("/v1/approvals/{}/after", escaped(&approval)));
    }
    asking.pages("/v1/late");
    asking.pages("/v1/look-alikes");
    asking.pages("/v1/sources");
    for source in all(&["source"]) {
        asking.reaches(&format!("/v1/sources/{}", escaped(&source)));
        asking.answers(&format!("/v1/sources?source={}", escaped(&source)));
    }
    for control in asking.answers("/v1/controls")["items"].as_array().cloned().unwrap_or_default() {
        let id = escaped(control["id"].as_str().unwrap());
        asking.answers(&format!("/v1/controls/{id}"));
        asking.pages(&format!("/v1/controls/{id}/evidence"));
        // One that applies to the organisation has no members.
        asking.reaches(&format!("/v1/controls/{id}/members"));
    }
    asking.answers("/v1/catalog");
    for known in asking.answers("/v1/catalog/types")["items"].as_array().cloned().unwrap_or_default() {
        asking.answers(&format!("/v1/catalog/types/{}", known["name"].as_str().unwrap()));
    }
    asking.answers("/openapi.json");
    asking.all_is_well();
}

#[test]
fn the_timeline_of_everything_that_is_named_is_answered() {
    let ledger = adopted();
    let mut asking = Asking::new(&ledger);
    let mut names = BTreeSet::new();
    for event in events(&mut asking) {
        ["id", "source", "subject", "data"].iter().for_each(|name| texts(&event[*name], &mut names));
    }
    // A dot or two are taken out of an address by clients, and an empty part of it is none.
    names.retain(|name| !matches!(name.as_str(), "" | "." | ".."));
    assert!(names.len() > 100);
    for name in &names {
        let path = format!("/v1/subjects/{}/timeline", escaped(name));
        asking.pages(&path);
        asking.answers(&format!("{path}?order=desc&expand=event"));
    }
    asking.all_is_well();
}

#[test]
fn as_of_every_entry_and_at_the_ends_of_time_it_is_answered() {
    let (ledger, facts) = (adopted(), facts());
    let mut asking = Asking::new(&ledger);
    for seq in (0..facts["size"].as_u64().unwrap()).step_by(7) {
        for view in VIEWS {
            asking.answers(&format!("/v1/{view}?as_of={seq}&limit=500"));
        }
        asking.answers(&format!("/v1/registers/role-assignments?as_of={seq}&limit=500"));
        asking.answers(&format!("/v1/access/readers?resource=dataset/d&as_of={seq}"));
    }
    for at in [
        "0000-01-01T00:00:00Z",
        "1900-01-01T00:00:00Z",
        "2026-06-15T00:00:00Z",
        "2099-06-01T00:00:00Z",
        "9999-12-31T23:59:59.999999Z",
    ] {
        for view in VIEWS {
            asking.reaches(&format!("/v1/{view}?at={at}&limit=500"));
            asking.reaches(&format!("/v1/{view}?due_from={at}&sort=due"));
            asking.reaches(&format!("/v1/{view}/counts?at={at}"));
        }
        asking.reaches(&format!("/v1/controls?at={at}"));
        asking.reaches(&format!("/v1/access/readers?resource=dataset/d&at={at}"));
    }
    asking.all_is_well();
}

#[test]
fn it_goes_on_and_only_grows() {
    let facts = facts();
    let size = facts["size"].as_u64().unwrap();
    let dir = copied();
    let seen = dir.path().join("seen.json");
    let remembering = |data: &Path| {
        let mut command = daybook();
        command
            .arg("verify")
            .arg(data)
            .args(["--key", facts["key"].as_str().unwrap(), "--remember"])
            .arg(&seen);
        succeeds(&mut command)
    };
    remembering(&dir.path().join("ledger"));
    let mut ledger = adopted();
    assert!(ledger.record(&event()) >= size);
    ledger.restart();
    wait_for_views(&ledger);
    ledger.record(&event());
    wait_for_views(&ledger);
    ledger.stop();
    let said = remembering(&ledger.data());
    assert!(said.contains(&format!("it only grew: the {size} entries remembered")), "{said}");
    succeeds(daybook().arg("check").arg(ledger.data()));
}
