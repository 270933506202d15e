//! Answers that end at a bound, and where they go on.

use super::kit::{SmallLedger, time};
use crate::answers::access::reach::Wanted;
use crate::answers::access::who::{Access, Way};
use crate::views::engine::When;
use serde_json::{Value, json};

const NOON: &str = "2026-03-01T12:00:00.000000Z";

fn grant(ledger: &SmallLedger, id: &str, grantee: &Value) {
    let data = json!({
        "by": "user:owner", "request": "ARQ", "grant": id, "grantee": grantee,
        "resource": {"kind": "dataset", "id": format!("ds-{id}"), "environment": "production"},
        "operations": ["read"], "purpose": "risk", "legal_basis": "gdpr-6-1-f", "valid_from": "2026-01-01T00:00:00Z",
        "valid_until": "2027-01-01T00:00:00Z", "grantee_unit": "risk", "owner_unit": "risk",
    });
    ledger.post(id, "access.granted", id, NOON, data);
}

#[test]
fn what_a_principal_can_reach_is_found_part_by_part() {
    let ledger = SmallLedger::at(NOON);
    for role in ["auditor of one", "clerk"] {
        let data = json!({
            "by": "user:hr", "principal": "user:p", "role": role.replace(' ', "-"), "valid_from": "2026-01-01T00:00:00Z",
            "valid_until": "2027-01-01T00:00:00Z",
        });
        ledger.post(role, "role.assigned", "user:p", NOON, data);
    }
    let to_role = |role: &str| json!({"kind": "role", "id": role});
    for (id, grantee) in [
        ("G-5", json!({"kind": "person", "id": "user:p"})),
        ("G-3", to_role("clerk")),
        ("G-1", json!({"kind": "person", "id": "user:p"})),
        ("G-2", to_role("auditor-of-one")),
        ("G-6", to_role("clerk")),
        ("G-4", json!({"kind": "person", "id": "user:q"})),
    ] {
        grant(&ledger, id, &grantee);
    }
    let inquiry = ledger.inquiry();
    let engine = inquiry.engine().unwrap();
    let access = Access { engine: &engine, deadline: inquiry.deadline() };
    let when = When { known: engine.applied(), at: time(NOON) };
    let ask = |after: Option<Way>, most: usize| {
        access.reachable("user:p", Wanted::default(), when, after, most).unwrap()
    };
    let (whole, next, partial) = ask(None, 100);
    let grants: Vec<&str> = whole.iter().map(|way| way.grant.as_str()).collect();
    assert_eq!((grants, next, partial), (vec!["G-1", "G-2", "G-3", "G-5", "G-6"], None, false));
    for most in 1..6 {
        let (mut together, mut after, mut parts) = (Vec::new(), None, 0);
        loop {
            let (found, next, partial) = ask(after, most);
            assert!(found.len() <= most && partial == next.is_some());
            together.extend(found);
            parts += 1;
            let Some(next) = next else { break };
            assert_eq!(Way::read(&next.text()), Some(next.clone()));
            after = Some(next);
        }
        together.sort_by(|a, b| a.grant.cmp(&b.grant));
        assert_eq!(together, whole, "{most}");
        assert!(parts >= 5_usize.div_ceil(most), "{most}");
    }
}
