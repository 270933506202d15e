//! A vote loses its authority by an annulled role or delegation alone, and says by which correction.

use crate::kit::Ledger;
use serde_json::{Value, json};

/// A ledger, and events told to it by one source: each a minute later than the one before.
struct Told {
    ledger: Ledger,
    events: std::cell::Cell<u32>,
}

impl Told {
    fn tell(&self, id: &str, kind: &str, data: Value) -> u64 {
        let minute = self.events.replace(self.events.get() + 1);
        self.ledger.record(&json!({
            "specversion": "1.0", "id": id, "source": "/it", "type": kind, "data": data,
            "time": format!("2026-03-02T09:{minute:02}:00Z"),
        }))
    }

    fn assign(&self, who: &str, role: &str) {
        let data =
            json!({"by": "user:u-1", "principal": who, "role": role, "valid_from": "2026-01-05T00:00:00Z"});
        self.tell(&format!("role-{who}-{role}"), "role.assigned", data);
    }

    fn vote(&self, who: &str) {
        let data = json!({"by": who, "approval": "APR-1", "scope_digest": digest(), "capacity": "risk-officer",
            "rationale": "It is sound.", "conflict_declared": false});
        self.tell(&format!("vote-{who}"), "approval.granted", data);
    }

    fn annul(&self, id: &str) -> u64 {
        let data = json!({"by": "user:u-1", "target": {"source": "/it", "id": id}, "kind": "annul",
            "reason": "recorded for the wrong person"});
        self.tell(&format!("no-{id}"), "event.corrected", data)
    }

    fn ask(&self, path: &str) -> Value {
        let answer = self.ledger.get(path, "auditor");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        answer.json()
    }

    /// The state, and of each vote its authority and by what it lost it.
    fn stands(&self, path: &str) -> (String, Vec<(String, Value)>) {
        let approval = self.ask(path);
        let votes = approval["votes"].as_array().unwrap().iter();
        let votes = votes.map(|vote| {
            (
                vote["authority"].as_str().unwrap().to_owned(),
                vote.get("annulled_by").cloned().unwrap_or_default(),
            )
        });
        (approval["state"].as_str().unwrap().to_owned(), votes.collect())
    }
}

fn digest() -> String {
    format!("sha256:{}", "9f".repeat(32))
}

#[test]
fn a_vote_says_which_corrections_took_its_authority_away() {
    let told = Told { ledger: Ledger::empty(), events: std::cell::Cell::new(0) };
    for who in ["user:ann", "user:bob", "user:cay"] {
        told.assign(who, "risk-officer");
    }
    told.assign("user:ann", "clerk");
    let lent = json!({"by": "user:cay", "delegation": "DLG-1", "from": "user:cay", "to": "user:dan",
        "kinds": ["model-deployment"], "max_risk": "high", "valid_from": "2026-01-05T00:00:00Z",
        "valid_until": "2027-01-05T00:00:00Z", "reason": "Leave."});
    told.tell("lent", "delegation.granted", lent);
    let asked = json!({"by": "user:req", "approval": "APR-1", "kind": "model-deployment",
        "target": {"type": "model", "id": "credit-line", "version": "1.1"}, "scope_digest": digest(),
        "rationale": "Recalibrated.", "pillars": ["responsible-growth"], "due_at": "2026-03-13T17:00:00Z",
        "quorum": {"n": 3, "roles": ["risk-officer"], "veto": false}});
    told.tell("asked", "approval.requested", asked);
    for who in ["user:ann", "user:bob", "user:dan"] {
        told.vote(who);
    }
    let plain = |words: [&str; 3]| words.map(|word| (word.to_owned(), Value::Null)).to_vec();
    let before = told.annul("role-user:ann-clerk");
    let one = format!("/v1/approvals/APR-1?min_seq={before}");
    // She voted as a risk officer: her other role gave her nothing here.
    assert_eq!(told.stands(&one), ("granted".to_owned(), plain(["held", "held", "delegated"])));
    let of_role = told.annul("role-user:ann-risk-officer");
    let of_lent = told.annul("lent");
    let lost = |by: u64| ("annulled".to_owned(), json!([format!("/v1/events/{by}")]));
    let (state, votes) = told.stands(&format!("/v1/approvals/APR-1?min_seq={of_lent}"));
    assert_eq!(
        (state.as_str(), votes),
        ("granted-unverified", vec![lost(of_role), ("held".to_owned(), Value::Null), lost(of_lent)])
    );
    // It is found, counted, and told beside the list; and as of then it was otherwise.
    let list = told.ask("/v1/approvals?authority_annulled=true");
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    assert_eq!(told.ask("/v1/approvals?authority_annulled=false")["items"], json!([]));
    let caveat =
        list["caveats"].as_array().unwrap().iter().find(|caveat| caveat["kind"] == "corrections").unwrap();
    assert_eq!((&caveat["count"], &caveat["named"][0]["name"]), (&json!(3), &json!(of_lent.to_string())));
    let then = told.stands(&format!("/v1/approvals/APR-1?as_of={before}"));
    assert_eq!(then, ("granted".to_owned(), plain(["held", "held", "delegated"])));
    let listed = format!("/v1/approvals?authority_annulled=true&as_of={before}");
    assert_eq!(told.ask(&listed)["items"], json!([]));
    // Whoever votes again after it had no right when they did: nothing was taken from that vote.
    told.tell("vote-again", "approval.granted", json!({"by": "user:ann", "approval": "APR-1",
        "scope_digest": digest(), "capacity": "risk-officer", "rationale": "Still.", "conflict_declared": false}));
    let last = told.annul("vote-user:bob");
    let (_, votes) = told.stands(&format!("/v1/approvals/APR-1?min_seq={last}"));
    assert_eq!(votes, [lost(of_role), lost(of_lent), ("not-held".to_owned(), Value::Null)]);
}
