//! Grants, as tests of their own look at them.

use super::*;
use crate::spec::time::{MICROS_PER_DAY, Timestamp};
use crate::views::engine::{fold, testing};

pub(crate) fn nth(day: i64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(day * MICROS_PER_DAY)
}

pub(in crate::views) fn at(day: i64) -> String {
    nth(day).to_string()
}

fn event(seq: u64, day: i64, ty: &str, mut data: Value) -> RowEvent {
    data["grant"] = "G".into();
    testing::event(seq, nth(day), &format!("access.{ty}"), "user:desk", data)
}

pub(crate) fn terms(from: i64, until: i64) -> Value {
    json!({
        "request": "R", "grant": "G", "resource": {"kind": "dataset", "id": "d", "environment": "production"},
        "grantee": {"kind": "person", "id": "user:p"}, "operations": ["read"], "purpose": "risk", "legal_basis": "l",
        "valid_from": at(from), "valid_until": at(until), "grantee_unit": "risk", "owner_unit": "lending",
    })
}

fn grant(seq: u64, day: i64, until: i64) -> RowEvent {
    event(seq, day, "granted", terms(day, until))
}

fn revoke(seq: u64, day: i64) -> RowEvent {
    event(seq, day, "revoked", json!({"reason": "r", "enforced_at": at(day + 1)}))
}

fn review(seq: u64, day: i64) -> RowEvent {
    event(seq, day, "reviewed", json!({"result": "keep", "reason": "r", "next_due_at": at(day + 90)}))
}

fn used(seq: u64, day: i64, purpose: &str, outcome: &str) -> RowEvent {
    let data =
        json!({"purpose": purpose, "outcome": outcome, "from": at(day), "to": at(day + 1), "count": 3});
    event(seq, day, "used", data)
}

#[test]
fn a_grant_ends_with_its_date_or_its_revocation() {
    let row = fold(&Grants, &[grant(0, 1, 50), revoke(1, 20)]);
    assert_eq!((row.state.as_str(), row.valid_until, row.ended), (REVOKED, Some(nth(20)), true));
    assert_eq!(row.value("revoked.seconds_to_enforce"), Some(&json!(86_400)));
    let late = fold(&Grants, &[grant(0, 1, 10), revoke(1, 20)]);
    assert_eq!(late.valid_until, Some(nth(10)));
    assert_eq!(fold(&Grants, &[revoke(0, 2)]).state, UNOPENED);
}

#[test]
fn a_time_that_cannot_be_written_is_the_nearest_that_can_and_never_an_empty_text() {
    let mut grant = grant(0, 1, 50);
    let data = std::sync::Arc::make_mut(&mut grant.data);
    data["valid_from"] = "0000-01-01T00:00:00+23:59".into();
    data["valid_until"] = "9999-12-31T23:59:59-23:59".into();
    let mut used = used(1, 10, "risk", "allowed");
    std::sync::Arc::make_mut(&mut used.data)["to"] = "9999-12-31T23:59:59-00:01".into();
    let row = fold(&Grants, &[grant, used]);
    assert_eq!((row.valid_from, row.valid_until), (Some(Timestamp::FIRST), Some(Timestamp::LAST)));
    assert_eq!(row.text("last_used_at"), Some("9999-12-31T23:59:59.999999Z"));
    // As it is kept, and read again.
    let kept = serde_json::to_vec(&row).unwrap();
    assert_eq!(serde_json::from_slice::<Row>(&kept).unwrap(), row);
}

#[test]
fn across_units_it_needs_an_agreement() {
    let row = fold(&Grants, &[grant(0, 1, 50)]);
    assert!(row.is("across_units") && row.is("without_agreement"));
    let mut agreed = grant(0, 1, 50);
    std::sync::Arc::make_mut(&mut agreed.data)["agreement"] = "AGR".into();
    assert!(!fold(&Grants, &[agreed]).is("without_agreement"));
}

#[test]
fn what_is_used_is_held_against_end_and_purpose() {
    let is = |events: &[RowEvent], name: &str| fold(&Grants, events).is(name);
    let events = [
        grant(0, 1, 50),
        used(1, 10, "risk", "allowed"),
        used(2, 50, "risk", "allowed"),
        used(3, 51, "ads", "allowed"),
    ];
    assert_eq!([2, 3].map(|many| is(&events[..many], "used_after_end")), [false, true]);
    assert_eq!([3, 4].map(|many| is(&events[..many], "used_for_other_purpose")), [false, true]);
    let row = fold(&Grants, &[grant(0, 1, 50), used(1, 60, "ads", "denied")]);
    assert_eq!(
        (row.value("denied"), row.value("uses"), row.is("used_after_end")),
        (Some(&json!(3)), None, false)
    );
}

#[test]
fn a_review_sets_the_next_date() {
    let row = fold(&Grants, &[grant(0, 1, 500), review(1, 30)]);
    assert_eq!((row.due_at, row.text("review_basis_at")), (Some(nth(120)), Some(at(30).as_str())));
    assert_eq!(fold(&Grants, &[grant(0, 1, 500), review(1, 30), revoke(2, 40)]).due_at, None);
}

#[test]
fn of_two_reductions_from_one_moment_the_first_one_done_counts_whichever_was_recorded_first() {
    let reduced = |seq: u64, day: i64| {
        let mut reduced = event(seq, day, "reduced", json!({"operations": ["read"], "reason": "r"}));
        reduced.effective_at = nth(15);
        reduced
    };
    let counts = |first: u64, second: u64| {
        let row = fold(&Grants, &[grant(0, 1, 50), reduced(first, 20), reduced(second, 21)]);
        let reductions: Vec<u64> =
            row.stretches.iter().flat_map(|one| &one.reduced).map(|one| one.seq).collect();
        reductions
    };
    assert_eq!((counts(1, 2), counts(2, 1)), (vec![1], vec![2]));
}
