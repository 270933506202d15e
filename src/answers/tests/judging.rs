//! Approvals are judged by the roles that were known before each vote, and the same wherever they are asked for.

use super::kit::{SmallLedger, time};
use crate::answers::approvals;
use crate::answers::moment::AskedMoment;
use crate::answers::parameters::Parameters;
use crate::answers::rows;
use serde_json::{Value, json};

const NOON: &str = "2026-03-01T12:00:00.000000Z";

fn asked(pairs: &[(&str, &str)]) -> Parameters {
    Parameters::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

fn digest() -> Value {
    format!("sha256:{}", "0".repeat(64)).into()
}

fn ask(ledger: &SmallLedger, approval: &str) {
    let data = json!({
        "by": "user:ann", "approval": approval, "kind": "budget",
        "target": {"type": "budget", "id": approval, "version": "1"}, "scope_digest": digest(),
        "rationale": "It is needed.", "pillars": [], "due_at": "2026-03-20T00:00:00Z",
        "quorum": {"n": 1, "roles": ["risk-officer"], "veto": false},
    });
    ledger.post(approval, "approval.requested", approval, NOON, data);
}

fn vote(ledger: &SmallLedger, approval: &str, by: &str) -> u64 {
    let data = json!({
        "by": by, "approval": approval, "scope_digest": digest(), "capacity": "risk-officer",
        "rationale": "It is right.", "conflict_declared": false,
    });
    ledger.post(&format!("{approval} {by}"), "approval.granted", approval, NOON, data)
}

fn role(ledger: &SmallLedger, who: &str) {
    let data = json!({"by": "user:hr", "principal": who, "role": "risk-officer", "valid_from": "2026-01-01T00:00:00Z"});
    ledger.post(&format!("role {who}"), "role.assigned", who, NOON, data);
}

/// Two officers, and two approvals with one vote each: of an officer, and of somebody who is none.
fn ledger() -> (SmallLedger, u64) {
    let ledger = SmallLedger::at(NOON);
    role(&ledger, "user:bob");
    role(&ledger, "user:cay");
    ask(&ledger, "A-1");
    ask(&ledger, "A-2");
    ask(&ledger, "A-3");
    vote(&ledger, "A-1", "user:bob");
    let last = vote(&ledger, "A-2", "user:eve");
    (ledger, last)
}

fn listed(ledger: &SmallLedger, pairs: &[(&str, &str)]) -> Vec<String> {
    let list = rows::list(&ledger.inquiry(), "approvals", &asked(pairs)).unwrap();
    list.body.page.items.into_iter().map(|row| row.this.id).collect()
}

#[test]
fn granted_is_the_same_word_in_one_row_lists_filters_and_counts() {
    let (ledger, _) = ledger();
    let sorted = |state: &str| listed(&ledger, &[("state", state), ("sort", "opened")]);
    assert_eq!(sorted("granted"), ["A-1"]);
    assert_eq!(sorted("granted-unverified"), ["A-2"]);
    assert_eq!(sorted("pending"), ["A-3"]);
    let counts = rows::counts(&ledger.inquiry(), "approvals", &asked(&[])).unwrap().body;
    let expected = [("granted", 1), ("granted-unverified", 1), ("pending", 1)];
    assert_eq!(counts.items, expected.map(|(state, count)| (state.to_owned(), count)));
    let one = approvals::one(&ledger.inquiry(), "A-2", None, &AskedMoment::default()).unwrap().body;
    assert_eq!((one.row.state.as_str(), one.votes_with_authority), ("granted-unverified", 0));
    assert_eq!(
        one.votes.first().map(|vote| (vote.counts, vote.authority.as_str())),
        Some((true, "not-held"))
    );
    // What is not granted with authority is still due.
    ledger.clock.advance_to(time("2026-03-21T00:00:00.000000Z"));
    assert_eq!(listed(&ledger, &[("overdue", "true")]), ["A-2", "A-3"]);
    assert_eq!(rows::counts(&ledger.inquiry(), "approvals", &asked(&[])).unwrap().body.overdue, 2);
    let history = rows::history(&ledger.inquiry(), "approvals", "A-2", &Parameters::default());
    let states: Vec<String> = history.unwrap().body.changes.into_iter().map(|change| change.state).collect();
    assert_eq!(states, ["pending", "granted-unverified"]);
}

#[test]
fn a_role_recorded_later_changes_nothing_and_an_annulled_one_is_gone_also_as_of_before() {
    let (ledger, last) = ledger();
    role(&ledger, "user:eve");
    assert_eq!(listed(&ledger, &[("state", "granted-unverified")]), ["A-2"]);
    let one = approvals::one(&ledger.inquiry(), "A-2", None, &AskedMoment::default()).unwrap().body;
    assert_eq!(one.votes.first().and_then(|vote| vote.authority_now), Some(true));
    let annulled = json!({
        "by": "user:hr", "target": {"source": "/bank", "id": "role user:bob"}, "kind": "annul",
        "reason": "It was somebody else.",
    });
    ledger.post("correction", "event.corrected", "user:bob", NOON, annulled);
    assert_eq!(listed(&ledger, &[("state", "granted-unverified"), ("sort", "opened")]), ["A-1", "A-2"]);
    let before = last.to_string();
    assert_eq!(listed(&ledger, &[("state", "granted"), ("as_of", &before)]), ["A-1"]);
    // Another vote settles it.
    vote(&ledger, "A-2", "user:cay");
    assert_eq!(listed(&ledger, &[("state", "granted")]), ["A-2"]);
}
