//! How far grants cover uses, held against the plain model over random histories of grants, roles and uses.

use super::cover::{Cover, Grantee, Held, Usage, Why, Window, judge};
use crate::catalog::Catalog;
use crate::spec::time::Timestamp;
use crate::views::access::model_tests::{
    Draw, draws, event, facts, grant_events, minute, moment, row_at, terms, text,
};
use crate::views::access::{Grants, Uses};
use crate::views::engine::{Row, RowEvent};
use crate::views::registers::RegisterView;
use daybook_models::access::{self, Cover as ModelCover};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::{Arc, LazyLock};

static ROLES: LazyLock<RegisterView> = LazyLock::new(|| {
    let catalog = Catalog::embedded().unwrap();
    RegisterView::new(catalog.register("role-assignments").unwrap(), &catalog)
});

/// Grants to a person or to a role, the role, and uses.
fn history(grants: &[Draw], roles: &[Draw], uses: &[Draw]) -> Vec<RowEvent> {
    let mut events = grant_events(grants);
    for (event, (_, _, _, long, ..)) in events.iter_mut().zip(grants) {
        if event.ty == "access.granted" && long % 2 == 0 {
            Arc::make_mut(&mut event.data)["grantee"] = json!({"kind": "role", "id": "clerk"});
        }
    }
    for (kind, act, from, long, ..) in roles {
        let seq = events.len() as u64;
        let mut data = json!({"principal": "user:p", "role": "clerk"});
        let ty = if *kind < 6 {
            data["valid_from"] = text(*from).into();
            data["valid_until"] = text(from + long).into();
            "role.assigned"
        } else {
            data["effective_at"] = text(*from).into();
            "role.unassigned"
        };
        events.push(event(seq, "/hr", *act, ty, data));
    }
    for (kind, _, from, long, ..) in uses {
        let seq = events.len() as u64;
        let purpose = if *kind % 3 == 0 { "ads" } else { "risk" };
        let operation = if *kind % 2 == 0 { "read" } else { "write" };
        let data = json!({
            "resource": {"kind": "dataset", "id": "d", "environment": "production"}, "principal": "user:p",
            "operation": operation, "purpose": purpose, "outcome": "allowed", "from": text(*from),
            "to": text(from + long % 7), "count": seq,
        });
        events.push(event(seq, "/gate", from + long % 7, "access.used", data));
    }
    events
}

fn cover(events: &[RowEvent], usage: &Usage<'_>) -> Cover {
    let of = |prefix: &str| -> Vec<RowEvent> {
        events.iter().filter(|event| event.ty.starts_with(prefix)).cloned().collect()
    };
    let grants: Vec<RowEvent> = of("access.").into_iter().filter(|event| event.ty != "access.used").collect();
    let grant = row_at(&Grants, &grants, Timestamp::LAST);
    let role = row_at(&*ROLES, &of("role."), Timestamp::LAST);
    let always: [Window; 1] = [(Timestamp::FIRST, None)];
    let while_held: Vec<Window> = role.stretches.iter().map(|one| (one.from, one.end())).collect();
    let held = |grantee, while_held| Held { id: "G", stretches: &grant.stretches, grantee, while_held };
    let all = [held(Grantee::Principal("user:p"), &always[..]), held(Grantee::Role("clerk"), &while_held)];
    judge(usage, &all).cover
}

fn word(cover: ModelCover) -> &'static str {
    match cover {
        ModelCover::Covered => "covered",
        ModelCover::Partly => "partly",
        ModelCover::OtherPurpose => "other-purpose",
        ModelCover::Uncovered => "uncovered",
    }
}

proptest! {
    #[test]
    fn a_use_is_covered_as_the_plain_model_says_as_recorded_and_as_known(
        grants in draws(7, 6), roles in draws(8, 4), uses in draws(6, 5), turn in 0..12_u64
    ) {
        let mut events = history(&grants, &roles, &uses);
        // Recorded in another order than they are listed here.
        let many = events.len() as u64;
        for event in &mut events {
            event.place = (event.seq + turn) % many;
        }
        for one in access::uses(&facts(&events), moment(1_000)) {
            let first = one.told.first().copied().unwrap();
            let told = events.iter().find(|event| event.seq == first).unwrap();
            let row = row_at(&Uses, std::slice::from_ref(told), Timestamp::LAST);
            let usage = Usage::of(&row).unwrap();
            prop_assert_eq!(cover(&events, &usage).word(), word(one.as_known));
            let before: Vec<RowEvent> =
                events.iter().filter(|event| event.place < told.place).cloned().collect();
            prop_assert_eq!(cover(&before, &usage).word(), word(one.as_recorded));
        }
    }
}

fn used(from: i64, to: i64, purpose: &str) -> Row {
    let data = json!({
        "resource": {"kind": "dataset", "id": "d", "environment": "production"}, "principal": "user:p",
        "operation": "read", "purpose": purpose, "outcome": "allowed", "from": text(from), "to": text(to), "count": 1,
    });
    row_at(&Uses, &[event(0, "/gate", to, "access.used", data)], Timestamp::LAST)
}

fn why(grants: &[RowEvent], usage: &Row) -> Option<Why> {
    let row = row_at(&Grants, grants, Timestamp::LAST);
    let held = Held {
        id: "G",
        stretches: &row.stretches,
        grantee: Grantee::Principal("user:p"),
        while_held: &[(Timestamp::FIRST, None)],
    };
    judge(&Usage::of(usage).unwrap(), &[held]).why
}

fn granted(seq: u64, from: i64, until: i64, more: Value) -> RowEvent {
    let mut data = terms(more);
    data["valid_from"] = text(from).into();
    data["valid_until"] = text(until).into();
    event(seq, "/a", from, "access.granted", data)
}

#[test]
fn what_is_not_covered_says_why() {
    let grants = [granted(0, 10, 20, json!({}))];
    assert_eq!(why(&grants, &used(10, 19, "risk")), None);
    // The last moment belongs to the use, and not to the grant.
    let last = minute(20).saturating_add(1);
    assert_eq!(why(&grants, &used(12, 20, "risk")), Some(Why::Partly { gaps: vec![(minute(20), last)] }));
    assert_eq!(why(&grants, &used(5, 12, "risk")), Some(Why::Partly { gaps: vec![(minute(5), minute(10))] }));
    let other = Why::OtherPurpose { granted: vec!["risk".into()] };
    assert_eq!(why(&grants, &used(12, 14, "ads")), Some(other));
    assert_eq!(
        why(&grants, &used(20, 22, "risk")),
        Some(Why::AfterEnd { grant: "G".into(), end: minute(20) })
    );
    assert_eq!(why(&grants, &used(2, 4, "risk")), Some(Why::NoGrant));
    assert_eq!(why(&[], &used(12, 14, "risk")), Some(Why::NoGrant));
}

#[test]
fn a_use_before_a_covered_one_is_judged_at_its_own_moments() {
    let grants = [granted(0, 10, 20, json!({}))];
    assert_eq!(why(&grants, &used(1, 2, "risk")), Some(Why::NoGrant));
    assert_eq!(why(&grants, &used(11, 12, "risk")), None);
}
