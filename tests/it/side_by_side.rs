//! What holds several times or side by side, over the real service: as of a moment, in lists and counts, and after a restart.

use crate::kit::Ledger;
use serde_json::{Value, json};

/// A ledger, and the last entry that it was given.
struct Story {
    ledger: Ledger,
    last: u64,
}

impl Story {
    fn begin() -> Story {
        let ledger = Ledger::empty();
        ledger.wait_until_ready();
        Story { ledger, last: 0 }
    }

    fn tell(&mut self, ty: &str, time: &str, data: Value) {
        let event = json!({
            "specversion": "1.0", "id": format!("e-{}-{ty}-{time}", self.last), "source": "/story", "type": ty,
            "time": time, "data": data,
        });
        self.last = self.ledger.record(&event);
    }

    fn ask(&self, path: &str) -> Value {
        let with = if path.contains('?') { '&' } else { '?' };
        let path = format!("{path}{with}min_seq={}", self.last);
        let answer = self.ledger.get(&path, "compliance");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }
}

fn grant(grant: &str, grantee: Value, from: &str, until: &str) -> Value {
    json!({
        "by": "user:owner", "request": "ARQ", "grant": grant,
        "resource": {"kind": "dataset", "id": "ds", "environment": "production"}, "grantee": grantee,
        "operations": ["read"], "purpose": "risk", "legal_basis": "gdpr-6-1-f", "valid_from": from, "valid_until": until,
        "grantee_unit": "risk", "owner_unit": "risk",
    })
}

fn used(from: &str, to: &str) -> Value {
    json!({
        "by": "app:gate", "resource": {"kind": "dataset", "id": "ds", "environment": "production"},
        "principal": "user:p", "operation": "read", "purpose": "risk", "outcome": "allowed", "from": from, "to": to,
        "count": 5,
    })
}

#[test]
fn a_right_that_is_recorded_in_advance_hides_nothing_of_the_present_and_begins_when_it_begins() {
    let mut story = Story::begin();
    let role = |from: &str, until: &str| json!({"by": "user:hr", "principal": "user:p", "role": "clerk", "valid_from": from, "valid_until": until});
    story.tell("role.assigned", "2026-01-01T00:00:00Z", role("2026-01-01T00:00:00Z", "2027-01-01T00:00:00Z"));
    let to_role =
        grant("G", json!({"kind": "role", "id": "clerk"}), "2026-01-02T00:00:00Z", "2029-01-01T00:00:00Z");
    story.tell("access.granted", "2026-01-02T00:00:00Z", to_role);
    story.tell("role.assigned", "2026-11-01T00:00:00Z", role("2027-01-01T00:00:00Z", "2028-01-01T00:00:00Z"));
    let readers = |at: &str| {
        let answer = story.ask(&format!("/v1/access/readers?resource=dataset/ds&at={at}"));
        answer["items"].as_array().unwrap().len()
    };
    let on = ["2025-12-01", "2026-11-15", "2027-06-01", "2028-06-01"]
        .map(|day| readers(&format!("{day}T00:00:00Z")));
    assert_eq!(on, [0, 1, 1, 0]);
    let row = story.ask("/v1/registers/role-assignments/user:p@clerk?at=2026-11-15T00:00:00Z");
    assert_eq!((&row["state"], &row["validity"]), (&json!("assigned"), &json!("in-force")), "{row}");
    assert_eq!(row["valid_until"], "2027-01-01T00:00:00.000000Z");
    let stretches = row["fields"]["stretches"].as_array().unwrap();
    let standing: Vec<&str> = stretches.iter().map(|one| one["standing"].as_str().unwrap()).collect();
    assert_eq!(standing, ["in-force", "scheduled"], "{row}");
    // What alone is to come is scheduled, in the row, in lists and in counts.
    let later = grant(
        "NEXT",
        json!({"kind": "person", "id": "user:q"}),
        "2033-01-01T00:00:00Z",
        "2034-01-01T00:00:00Z",
    );
    story.tell("access.granted", "2026-11-02T00:00:00Z", later);
    assert_eq!(story.ask("/v1/access/NEXT")["state"], "scheduled");
    let listed = story.ask("/v1/access?state=scheduled");
    assert_eq!(listed["items"][0]["id"], "NEXT", "{listed}");
    let counts = story.ask("/v1/access/counts");
    let expected = json!([{"value": "granted", "count": 1}, {"value": "scheduled", "count": 1}]);
    assert_eq!(counts["items"], expected, "{counts}");
}

#[test]
fn uses_are_judged_at_their_own_moments_and_what_was_granted_afterwards_is_told() {
    let mut story = Story::begin();
    let person = || json!({"kind": "person", "id": "user:p"});
    story.tell("access.used", "2026-01-10T11:00:00Z", used("2026-01-10T10:00:00Z", "2026-01-10T11:00:00Z"));
    story.tell("access.used", "2026-01-20T11:00:00Z", used("2026-01-20T10:00:00Z", "2026-01-20T11:00:00Z"));
    // With effect from before it was given: it covers the second use, after the fact.
    let given = grant("G", person(), "2026-01-15T00:00:00Z", "2026-02-20T00:00:00Z");
    story.tell("access.granted", "2026-02-01T00:00:00Z", given);
    story.tell("access.used", "2026-02-10T11:00:00Z", used("2026-02-10T10:00:00Z", "2026-02-10T11:00:00Z"));
    story.tell("access.used", "2026-02-20T01:00:00Z", used("2026-02-19T23:00:00Z", "2026-02-20T01:00:00Z"));
    let mut denied = used("2026-03-10T10:00:00Z", "2026-03-10T11:00:00Z");
    denied["outcome"] = "denied".into();
    story.tell("access.used", "2026-03-10T11:00:00Z", denied);
    // Told again with another count.
    let mut again = used("2026-01-10T10:00:00Z", "2026-01-10T11:00:00Z");
    again["count"] = 9.into();
    story.tell("access.used", "2026-01-10T11:00:00Z", again);
    let told = |answer: &Value| -> Vec<(String, String, String, u64)> {
        let text = |value: &Value| value.as_str().unwrap().to_owned();
        let one = |one: &Value| {
            let count = one["use"]["fields"]["count"].as_u64().unwrap();
            (text(&one["cover"]), text(&one["as_recorded"]), text(&one["why"]), count)
        };
        let mut told: Vec<_> = answer["items"].as_array().unwrap().iter().map(one).collect();
        told.sort();
        told
    };
    let of = |cover: &str, as_recorded: &str, why: &str, count| {
        (cover.to_owned(), as_recorded.to_owned(), why.to_owned(), count)
    };
    let uncovered = story.ask("/v1/access/uncovered?principal=user:p");
    let expected = [
        of("covered", "uncovered", "afterwards", 5),
        of("partly", "partly", "partly", 5),
        of("uncovered", "uncovered", "no-grant", 9),
    ];
    assert_eq!(told(&uncovered), expected, "{uncovered}");
    let apart = story.ask("/v1/access/uncovered?principal=user:p&outcome=denied");
    assert_eq!(told(&apart), [of("uncovered", "uncovered", "after-end", 5)], "{apart}");
    let uses = story.ask("/v1/access/uses?counts_differ=true");
    assert_eq!(uses["items"][0]["fields"]["counts"], json!([5, 9]), "{uses}");
    assert_eq!(story.ask("/v1/access/uses/counts")["total"], 5);
    // The row of a use has an address that works.
    let this = uses["items"][0]["links"]["self"].as_str().unwrap().to_owned();
    assert_eq!(story.ask(&this)["id"], uses["items"][0]["id"]);
}

#[test]
fn what_was_ended_and_begins_again_stands_and_says_the_same_after_a_restart() {
    let mut story = Story::begin();
    let person = json!({"kind": "person", "id": "user:p"});
    let given = grant("G", person, "2026-03-10T00:00:00Z", "2027-03-10T00:00:00Z");
    story.tell("access.granted", "2026-03-10T12:00:00Z", given.clone());
    let revoked = json!({
        "by": "user:owner", "grant": "G", "reason": "a mistake", "effective_at": "2026-03-10T00:00:00Z",
    });
    story.tell("access.revoked", "2026-03-10T15:00:00Z", revoked);
    assert_eq!(story.ask("/v1/access/G")["state"], "revoked");
    assert_eq!(
        story.ask("/v1/access/readers?resource=dataset/ds&at=2026-03-10T13:00:00Z")["items"],
        json!([])
    );
    let mut again = given;
    again["valid_from"] = "2026-05-01T00:00:00Z".into();
    story.tell("access.granted", "2026-05-01T00:00:00Z", again);
    let deployed = |version: &str, share: f64| {
        json!({
            "by": "app:p", "model": "m", "version": version, "environment": "production", "share": share,
            "artifact_digest": format!("sha256:{}", "1".repeat(64)),
        })
    };
    story.tell("model.deployed", "2026-01-10T00:00:00Z", deployed("1.0", 1.0));
    story.tell("model.deployed", "2026-03-10T00:00:00Z", deployed("1.1", 0.1));
    let look = |story: &Story| {
        let grant = story.ask("/v1/access/G?at=2026-06-01T00:00:00Z");
        let live = story.ask("/v1/registers/deployments/m@production?at=2026-04-01T00:00:00Z");
        let history = story.ask("/v1/access/G/history");
        (grant["state"].clone(), live["fields"]["serving"].clone(), history["items"].clone())
    };
    let (state, serving, history) = look(&story);
    assert_eq!(state, "granted");
    let served: Vec<(&str, f64)> = serving
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["version"].as_str().unwrap(), one["serves"].as_f64().unwrap()))
        .collect();
    assert_eq!(served, [("1.1", 0.1), ("1.0", 0.9)]);
    let states: Vec<&str> =
        history.as_array().unwrap().iter().map(|change| change["state"].as_str().unwrap()).collect();
    assert_eq!(states, ["granted", "revoked", "granted"]);
    story.ledger.restart();
    story.ledger.wait_until_ready();
    assert_eq!(look(&story), (state, serving, history));
}
