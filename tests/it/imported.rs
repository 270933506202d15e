//! Acts that take two, and history that is brought in by one of them, over the real service: proposed, confirmed, counted.

use crate::kit::{Answer, Ledger, daybook, succeeds};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};
use std::time::Duration;

/// A ledger with those who bring history in: who proposes, who confirms, the archive itself, and a desk that speaks for both.
struct Story {
    ledger: Ledger,
    importer: String,
    controller: String,
    archive: String,
    desk: String,
    last: u64,
}

fn token(ledger: &Ledger, actor: &str, more: &[&str]) -> String {
    let mut command = daybook();
    command.args(["token", "create", "--data"]).arg(ledger.data()).args(["--actor", actor]).args(more);
    succeeds(&mut command).trim().to_owned()
}

const ARCHIVE: &str = "/northgate/case-archive";
const GOVERNANCE: &str = "/northgate/governance";

impl Story {
    fn begin() -> Story {
        let ledger = Ledger::empty();
        ledger.wait_until_ready();
        let importer = token(&ledger, "user:u-1001", &["--role", "importer"]);
        let confirms = ["--role", "producer", "--types", "act.confirmed", "--types", "principal.same_as"];
        let controller = token(&ledger, "user:u-1005", &confirms);
        let all = ["--role", "producer", "--types", "facts", "--types", "approval.*", "--types", "role.*"];
        let archive = token(
            &ledger,
            "app:archive",
            &[&all[..], &["--source", ARCHIVE, "--speaks-for", "user:*"]].concat(),
        );
        let desk = token(&ledger, "app:desk", &[&confirms[..], &["--speaks-for", "user:*"]].concat());
        // A running server looks at the token file once a second.
        std::thread::sleep(Duration::from_millis(1_200));
        Story { ledger, importer, controller, archive, desk, last: 0 }
    }

    fn post(&self, token: &str, event: &Value) -> Answer {
        let bearer = format!("Bearer {token}");
        let headers = [("authorization", bearer.as_str()), ("content-type", "application/cloudevents+json")];
        self.ledger.request("POST", "/v1/events", &headers, event.to_string().as_bytes())
    }

    fn record(&mut self, token: &str, event: &Value) -> u64 {
        let answer = self.post(token, event);
        assert_eq!(answer.status, 201, "{}", answer.text());
        self.last = answer.json()["seq"].as_u64().unwrap();
        self.last
    }

    fn open(&mut self, import: &str, from: &str, to: &str) -> u64 {
        let data = json!({"by": "user:u-1001", "import": import, "source": ARCHIVE, "from": from, "to": to});
        let token = self.importer.clone();
        self.record(&token, &event(GOVERNANCE, import, "import.opened", None, data))
    }

    /// What a confirmation of an entry has to say, from the event as it is served.
    fn digest(&self, seq: u64) -> String {
        let entry = self.ledger.get(&format!("/v1/events/{seq}"), "compliance").json();
        // Members stand in the order of their names, and there is no number: this is how RFC 8785 writes it.
        let hash = Sha256::digest(entry["event"].to_string());
        let hex: String = hash.iter().map(|byte| format!("{byte:02x}")).collect();
        format!("sha256:{hex}")
    }

    fn confirm(&mut self, token: &str, by: &str, of: &str, digest: &str) -> u64 {
        let id = format!("confirm-{of}-{}", self.last);
        let data = json!({"by": by, "of": {"source": GOVERNANCE, "id": of}, "digest": digest});
        self.record(token, &event(GOVERNANCE, &id, "act.confirmed", None, data))
    }

    fn archived(&mut self, id: &str, ty: &str, time: &str, data: Value) -> u64 {
        let token = self.archive.clone();
        self.record(&token, &event(ARCHIVE, id, ty, Some(time), data))
    }

    fn ask(&self, path: &str) -> Value {
        let with = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{with}min_seq={}", self.last);
        let answer = self.ledger.get(&path, "compliance");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The ids of what the archive recorded late.
    fn late(&self, more: &str) -> Vec<String> {
        let listed = self.ask(&format!("/v1/late?source={ARCHIVE}&order=asc{more}"));
        let items = listed["items"].as_array().unwrap().iter();
        items.map(|item| item["id"].as_str().unwrap().to_owned()).collect()
    }

    fn import(&self, id: &str) -> Value {
        self.ask(&format!("/v1/registers/imports/{id}"))
    }
}

/// When people govern: after the window of what is brought in.
const GOVERNED: &str = "2026-06-01T09:00:00Z";

fn event(source: &str, id: &str, ty: &str, time: Option<&str>, data: Value) -> Value {
    let time = time.unwrap_or(GOVERNED);
    json!({"specversion": "1.0", "id": id, "source": source, "type": ty, "time": time, "data": data})
}

fn scope() -> String {
    format!("sha256:{}", "5".repeat(64))
}

fn asked(approval: &str) -> Value {
    json!({
        "by": "user:u-2", "approval": approval, "kind": "model-deployment", "scope_digest": scope(),
        "target": {"type": "model", "id": "credit-line", "version": "0.9"}, "rationale": "New.", "pillars": [],
        "quorum": {"n": 1, "roles": ["risk-officer"], "veto": false}, "due_at": "2016-04-01T00:00:00Z",
        "valid_until": "2017-03-01T00:00:00Z",
    })
}

fn vote(approval: &str) -> Value {
    json!({
        "by": "user:u-3", "approval": approval, "scope_digest": scope(), "capacity": "risk-officer", "rationale": "Fine.",
        "conflict_declared": false,
    })
}

#[test]
fn history_is_proposed_confirmed_brought_in_and_counted() {
    let mut story = Story::begin();
    let opened = story.open("IMP-1", "2016-01-01T00:00:00Z", "2026-01-01T00:00:00Z");
    let proposed = story.import("IMP-1");
    assert_eq!((&proposed["state"], &proposed["fields"]["of_source"]), (&json!("proposed"), &json!(ARCHIVE)));
    assert!(proposed["due_at"].is_string(), "{proposed}");
    let digest = story.digest(opened);
    assert_eq!(proposed["fields"]["acts"][0]["digest"], digest);
    // Nobody confirms what is their own, and nobody something else.
    let (desk, controller) = (story.desk.clone(), story.controller.clone());
    story.confirm(&desk, "user:u-1001", "IMP-1", &digest);
    story.confirm(&controller, "user:u-1005", "IMP-1", &format!("sha256:{}", "0".repeat(64)));
    let row = story.import("IMP-1");
    let told = |row: &Value| -> Vec<Value> {
        let told = row["fields"]["acts"][0]["confirmations"].as_array().unwrap();
        told.iter().map(|told| told.get("why_not").cloned().unwrap_or_default()).collect()
    };
    assert_eq!(
        (&row["state"], told(&row)),
        (&json!("proposed"), vec![json!("same-one"), json!("another-digest")])
    );
    // What was recorded before the second entry is not inside.
    story.archived("v-0", "approval.granted", "2016-03-01T09:00:00Z", vote("APR-0"));
    story.archived("a-0", "approval.requested", "2016-03-01T10:00:00Z", asked("APR-0"));
    let confirmation = story.confirm(&controller, "user:u-1005", "IMP-1", &digest);
    let row = story.import("IMP-1");
    assert_eq!((&row["state"], &row["entries"]["last"]), (&json!("open"), &json!(confirmation)), "{row}");
    assert_eq!(row["overdue"], false);
    assert_eq!(story.ask(&format!("/v1/registers/imports/IMP-1?as_of={confirmation}"))["state"], "open");
    let before = story.ask(&format!("/v1/registers/imports/IMP-1?as_of={}", confirmation - 1));
    assert_eq!(before["state"], "proposed", "{before}");
    // An hour before it was asked for, by a role that is recorded afterwards, after it had expired: as it was done.
    story.archived("v-1", "approval.granted", "2016-03-01T09:00:00Z", vote("APR-1"));
    story.archived("a-1", "approval.requested", "2016-03-01T10:00:00Z", asked("APR-1"));
    let role = json!({
        "by": "user:u-4", "principal": "user:u-3", "role": "risk-officer", "valid_from": "2016-01-01T00:00:00Z",
        "valid_until": "2018-01-01T00:00:00Z",
    });
    story.archived("r-1", "role.assigned", "2016-01-01T00:00:00Z", role);
    let token = story.importer.clone();
    let counts = json!({"approval.requested": 1, "approval.granted": 2, "role.assigned": 1});
    let closing = json!({"by": "user:u-1001", "import": "IMP-1", "counts": counts});
    story.record(&token, &event(GOVERNANCE, "close", "import.closed", None, closing));
    story.archived("v-2", "approval.granted", "2016-03-01T09:00:00Z", vote("APR-2"));
    story.archived("a-2", "approval.requested", "2016-03-01T10:00:00Z", asked("APR-2"));

    let row = story.import("IMP-1");
    assert_eq!(row["state"], "closed", "{row}");
    let inside = json!({"approval.granted": 1, "approval.requested": 1, "role.assigned": 1});
    assert_eq!(row["fields"]["inside"], inside);
    let differences = json!([{"type": "approval.granted", "counted": 2, "inside": 1}]);
    assert_eq!(row["fields"]["differences"], differences);
    let listed = story.ask("/v1/registers/imports?differs=true");
    assert_eq!(listed["items"].as_array().unwrap().len(), 1, "{listed}");
    assert_eq!(story.ask("/v1/registers/imports?differs=false")["items"], json!([]));
    assert_eq!(story.ask("/v1/registers/imports/counts")["items"], json!([{"value": "closed", "count": 1}]));

    let approval = |id: &str, at: &str| story.ask(&format!("/v1/approvals/{id}?at={at}"));
    let brought = approval("APR-1", "2016-06-01T00:00:00Z");
    assert_eq!(brought["state"], "granted", "{brought}");
    assert_eq!(brought["fields"]["imported"], json!([{"import": "IMP-1", "source": ARCHIVE}]), "{brought}");
    let cast = &brought["votes"][0];
    assert_eq!((&cast["authority"], &cast["imported"]), (&json!("held"), &json!("IMP-1")), "{cast}");
    assert_eq!(approval("APR-1", "2018-06-01T00:00:00Z")["state"], "expired");
    // Before and after, a vote an hour early counts for nothing.
    for id in ["APR-0", "APR-2"] {
        let other = approval(id, "2016-06-01T00:00:00Z");
        assert_eq!(
            (&other["state"], &other["fields"]["imported"]),
            (&json!("pending"), &Value::Null),
            "{other}"
        );
        assert_eq!(other["votes"][0]["why_not"], "before-opening", "{other}");
    }
    let all = story.ask("/v1/approvals");
    let marked = all["items"].as_array().unwrap().iter().filter(|row| row["fields"]["imported"].is_array());
    assert_eq!(marked.map(|row| row["id"].as_str().unwrap()).collect::<Vec<_>>(), ["APR-1"]);
    // History is not late; what came before the import, or after it, is.
    assert_eq!(story.late(""), ["v-0", "a-0", "v-2", "a-2"]);
    // Taken back, the import never was; as of before, it was.
    let target = json!({"source": GOVERNANCE, "id": "IMP-1"});
    let annulled =
        json!({"by": "user:u-9", "target": target, "kind": "annul", "reason": "The wrong archive."});
    let seq = story.ledger.record(&event("/it", "annul", "event.corrected", None, annulled));
    let last = story.last;
    story.last = seq;
    let other = story.ask("/v1/approvals/APR-1?at=2016-06-01T00:00:00Z");
    assert_eq!((&other["state"], &other["fields"]["imported"]), (&json!("pending"), &Value::Null), "{other}");
    assert_eq!(story.import("IMP-1")["fields"]["inside"], Value::Null);
    assert_eq!(story.late(""), ["v-0", "a-0", "v-1", "a-1", "r-1", "v-2", "a-2"]);
    assert_eq!(story.late(&format!("&as_of={last}")), ["v-0", "a-0", "v-2", "a-2"]);
    let then = story.ask(&format!("/v1/approvals/APR-1?at=2016-06-01T00:00:00Z&as_of={last}"));
    assert_eq!(then["state"], "granted", "{then}");
}

#[test]
fn identifiers_are_one_once_two_have_said_so_and_one_of_them_confirms_nothing_of_the_other() {
    let mut story = Story::begin();
    let (desk, controller) = (story.desk.clone(), story.controller.clone());
    let same =
        json!({"by": "user:u-7", "principal": "user:u-1001", "other": "user:u-8", "reason": "Renamed."});
    let said = story.record(&desk, &event(GOVERNANCE, "same", "principal.same_as", None, same));
    let row = "/v1/registers/same-principals/user:u-1001@user:u-8";
    assert_eq!(story.ask(row)["state"], "proposed");
    story.confirm(&controller, "user:u-1005", "same", &story.digest(said));
    assert_eq!(story.ask(row)["state"], "same");
    let opened = story.open("IMP-2", "2016-01-01T00:00:00Z", "2017-01-01T00:00:00Z");
    let digest = story.digest(opened);
    story.confirm(&desk, "user:u-8", "IMP-2", &digest);
    let import = story.import("IMP-2");
    assert_eq!(import["state"], "proposed");
    assert_eq!(import["fields"]["acts"][0]["confirmations"][0]["why_not"], "same-one", "{import}");
    story.confirm(&desk, "user:u-9", "IMP-2", &digest);
    assert_eq!(story.import("IMP-2")["state"], "open");
    // And after a restart.
    story.ledger.restart();
    assert_eq!(
        (story.import("IMP-2")["state"].clone(), story.ask(row)["state"].clone()),
        (json!("open"), json!("same"))
    );
}

#[test]
fn the_catalogue_says_which_types_take_two_and_the_register_which_states_there_are() {
    let story = Story::begin();
    let get = |path: &str| story.ledger.get(path, "compliance").json();
    assert_eq!(get("/v1/catalog/types/import.opened")["acts"], "two");
    let types = get("/v1/catalog/types");
    let two = types["items"].as_array().unwrap().iter().filter(|known| known["acts"] == "two");
    assert_eq!(
        two.map(|known| known["name"].as_str().unwrap()).collect::<Vec<_>>(),
        ["import.opened", "principal.same_as"]
    );
    let registers = get("/v1/registers");
    let imports = registers["items"].as_array().unwrap().iter().find(|one| one["name"] == "imports").unwrap();
    assert_eq!(imports["states"], json!(["closed", "lapsed", "open", "proposed", "void"]));
    for state in ["proposed", "lapsed", "void", "open", "closed"] {
        assert_eq!(story.ask(&format!("/v1/registers/imports?state={state}"))["items"], json!([]));
    }
    let refused = story.ledger.get("/v1/registers/imports?state=opened", "compliance");
    assert_eq!((refused.status, refused.problem()), (400, "bad-parameter".to_owned()));
}
