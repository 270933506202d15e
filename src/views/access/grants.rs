//! Grants: granted → revoked or expired.

use crate::spec::time::MICROS_PER_SECOND;
use crate::views::engine::{Row, RowEvent, RowName, View};
use serde_json::{Value, json};

/// The view of grants.
pub struct Grants;

/// A grant of which something is known, and not that it was granted.
const UNOPENED: &str = "unopened";
const GRANTED: &str = "granted";
const REVOKED: &str = "revoked";

/// What a grant is: all of its own fields.
const TERMS: [&str; 14] = [
    "request",
    "resource",
    "grantee",
    "operations",
    "purpose",
    "legal_basis",
    "valid_from",
    "valid_until",
    "approval",
    "grantee_unit",
    "owner_unit",
    "agreement",
    "art9_basis",
    "emergency",
];

impl View for Grants {
    fn name(&self) -> &str {
        "access"
    }

    fn family(&self) -> &str {
        "access"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        ["granted", "revoked", "reviewed", "used"].map(|name| format!("access.{name}")).to_vec()
    }

    /// A use belongs to a grant only if it names it.
    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("grant")?.as_str()?.to_owned()))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        if row.state.is_empty() {
            row.state = UNOPENED.to_owned();
        }
        match event.ty.as_str() {
            "access.granted" => granted(row, event),
            "access.revoked" => revoked(row, event),
            "access.reviewed" => reviewed(row, event),
            "access.used" => used(row, event),
            _ => {}
        }
        settle(row);
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = super::listed::lists(row);
        for name in ["approval", "agreement", "request"] {
            lists.extend(row.text(name).map(|value| (name, value.to_owned())));
        }
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["request", "principal", "role", "approval", "resource", "agreement"]
    }

    fn fields(&self) -> Vec<&str> {
        let mut fields = self.list_fields();
        fields.extend(self.counted_fields());
        fields.extend([
            "legal_basis",
            "operations",
            "used_after_end",
            "used_for_other_purpose",
            "art9_basis",
        ]);
        fields.sort_unstable();
        fields
    }

    fn flags(&self) -> Vec<&'static str> {
        vec!["across_units", "without_agreement", "emergency", "used_after_end", "used_for_other_purpose"]
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec![
            "resource_kind",
            "owner_unit",
            "grantee_unit",
            "purpose",
            "across_units",
            "without_agreement",
            "emergency",
        ]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut facets: Vec<(&'static str, String)> = Vec::new();
        facets.extend(row.text("resource.kind").map(|kind| ("resource_kind", kind.to_owned())));
        for name in ["owner_unit", "grantee_unit", "purpose"] {
            facets.extend(row.text(name).map(|value| (name, value.to_owned())));
        }
        for name in ["across_units", "without_agreement", "emergency"] {
            facets.push((name, row.is(name).to_string()));
        }
        facets
    }

    fn common_state(&self) -> Option<&str> {
        Some(GRANTED)
    }

    fn expiring_state(&self) -> Option<&str> {
        Some(GRANTED)
    }

    fn keeps_data(&self) -> bool {
        true
    }
}

/// A grant, or the same one with other terms.
fn granted(row: &mut Row, event: &RowEvent) {
    for name in TERMS {
        row.fields.remove(name);
    }
    row.copy(event, &TERMS);
    row.set("granted_by", event.by.as_str());
    row.set_time("granted_at", event.effective_at);
    row.owner = Some(event.by.clone());
    let across = row.text("grantee_unit") != row.text("owner_unit");
    let without = across && row.text("agreement").is_none();
    row.set("across_units", across);
    row.set("without_agreement", without);
    row.fields.remove("revoked");
    row.state = GRANTED.to_owned();
}

/// The first revocation ends it; what comes after it ends nothing any more.
#[expect(clippy::indexing_slicing, reason = "what was just made as an object takes every name")]
fn revoked(row: &mut Row, event: &RowEvent) {
    if row.state == REVOKED {
        return;
    }
    let mut revoked = json!({
        "by": event.by, "at": event.effective_at.to_string(), "reason": event.text("reason"),
    });
    if let Some(enforced) = event.time("enforced_at") {
        revoked["enforced_at"] = event.value("enforced_at").cloned().unwrap_or_default();
        revoked["seconds_to_enforce"] = (enforced.since(event.effective_at) / MICROS_PER_SECOND).into();
    }
    row.set("revoked", revoked);
    if row.state == GRANTED {
        row.state = REVOKED.to_owned();
    }
}

fn reviewed(row: &mut Row, event: &RowEvent) {
    row.set_time("last_reviewed_at", event.effective_at);
    let review = json!({"result": event.text("result"), "reason": event.text("reason"), "by": event.by});
    row.set("last_review", review);
    row.fields.remove("next_review_due_at");
    row.fields.extend(event.value("next_due_at").map(|due| ("next_review_due_at".to_owned(), due.clone())));
}

fn used(row: &mut Row, event: &RowEvent) {
    let count = event.value("count").and_then(Value::as_u64).unwrap_or(0);
    let add = |row: &mut Row, name: &str| {
        let before = row.value(name).and_then(Value::as_u64).unwrap_or(0);
        row.set(name, before.saturating_add(count));
    };
    if event.text("outcome") == Some("denied") {
        add(row, "denied");
        return;
    }
    add(row, "uses");
    let (Some(from), Some(to)) = (event.time("from"), event.time("to")) else { return };
    let last = row.remembered("last_used").map_or(to, |last| last.max(to));
    row.remember("last_used", last);
    // What was begun in time may be counted up to a little later: what counts is when it began.
    let began = row.remembered("last_began").map_or(from, |last| last.max(from));
    row.remember("last_began", began);
    row.set_time("last_used_at", last);
    let purposes = row.memo.entry("purposes").or_insert_with(|| json!([]));
    if let (Some(purposes), Some(purpose)) = (purposes.as_array_mut(), event.value("purpose"))
        && !purposes.contains(purpose)
        && purposes.len() < MAX_PURPOSES
    {
        purposes.push(purpose.clone());
    }
}

/// Purposes of use that are remembered of a grant.
///
/// Reason: one other than the granted is enough to say so.
const MAX_PURPOSES: usize = 16;

/// Dates, and what follows from them, once all that is known of the grant is in its fields.
fn settle(row: &mut Row) {
    row.valid_from = row.time("valid_from");
    let ends = [row.time("valid_until"), row.time("revoked.at").filter(|_| row.state == REVOKED)];
    row.valid_until = ends.into_iter().flatten().min();
    row.ended = row.state == REVOKED;
    row.due_at = row.time("next_review_due_at").filter(|_| row.state == GRANTED);
    if let Some(basis) = row.text("last_reviewed_at").or_else(|| row.text("valid_from")).map(str::to_owned) {
        row.set("review_basis_at", basis);
    }
    let after_end =
        row.remembered("last_began").zip(row.valid_until).is_some_and(|(began, end)| began >= end);
    let granted_for = row.text("purpose").map(str::to_owned);
    let purposes = row.memo.get("purposes").and_then(Value::as_array).into_iter().flatten();
    let other =
        granted_for.is_some_and(|granted| purposes.into_iter().any(|purpose| *purpose != granted.as_str()));
    for (name, is) in [("used_after_end", after_end), ("used_for_other_purpose", other)] {
        if is {
            row.set(name, true);
        } else {
            row.fields.remove(name);
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::spec::time::{MICROS_PER_DAY, Timestamp};
    use crate::views::engine::{fold, testing};
    use proptest::prelude::*;

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

    /// The model: each part is looked up in the whole list.
    fn model(events: &[RowEvent]) -> (String, Option<Timestamp>, Option<Timestamp>, u64, bool) {
        let last = |ty: &str| events.iter().rev().find(|event| event.ty.ends_with(ty));
        let Some(grant) = last("granted") else {
            let state = if events.is_empty() { "" } else { UNOPENED };
            return (state.to_owned(), None, None, uses(events), false);
        };
        let revoked = events.iter().find(|event| event.ty.ends_with("revoked") && event.seq > grant.seq);
        let until =
            [grant.time("valid_until"), revoked.map(|event| event.effective_at)].into_iter().flatten().min();
        let state = if revoked.is_some() { REVOKED } else { GRANTED };
        let due = last("reviewed").and_then(|event| event.time("next_due_at")).filter(|_| revoked.is_none());
        let allowed =
            |event: &&RowEvent| event.ty.ends_with("used") && event.text("outcome") == Some("allowed");
        let after = events.iter().filter(allowed).any(|event| event.time("from") >= until);
        (state.to_owned(), until, due, uses(events), after)
    }

    fn uses(events: &[RowEvent]) -> u64 {
        3 * events.iter().filter(|event| event.text("outcome") == Some("allowed")).count() as u64
    }

    proptest! {
        #[test]
        fn a_grant_is_what_the_plain_model_says(draws in prop::collection::vec((0..6_u8, 0..40_i64), 0..10)) {
            let events: Vec<RowEvent> = (0_u64..).zip(&draws).map(|(seq, (kind, more))| {
                let day = seq as i64 * 5;
                match kind {
                    0 | 1 => grant(seq, day, day + more),
                    2 => revoke(seq, day),
                    3 => review(seq, day),
                    4 => used(seq, day + more, "risk", "allowed"),
                    _ => used(seq, day, "risk", "denied"),
                }
            }).collect();
            let row = fold(&Grants, &events);
            let uses = row.value("uses").and_then(Value::as_u64).unwrap_or(0);
            let found = (row.state.clone(), row.valid_until, row.due_at, uses, row.is("used_after_end"));
            prop_assert_eq!(found, model(&events));
        }
    }
}
