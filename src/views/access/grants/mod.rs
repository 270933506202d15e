//! Grants: granted → revoked or expired. A grant may be given several times, one after the other or side by side: each is a
//! stretch with its own terms.

mod terms;

use super::duties::{Acts, Duty, Kind, Reduced, Review};
use super::told::short_name;
use super::used::{held_against, used};
use crate::spec::time::Timestamp;
use crate::views::engine::{EXPIRED, OUT_OF_ORDER, Opening, Row, RowEvent, RowName, SCHEDULED, View};
use crate::views::registers::stretched;
use crate::views::stretches::{self, EARLY, Ending, Identity, Standing, Stretch};
use serde::Deserialize;
use serde_json::{Map, Value, json};
use terms::{TERMS, revoked, terms, texts};

/// The view of grants.
pub struct Grants;

/// A grant of which something is known, and not that it was granted.
const UNOPENED: &str = "unopened";
const GRANT: &str = "access.granted";
const GRANTED: &str = "granted";
const REVOKED: &str = "revoked";

/// What follows from the stretch that speaks for a grant, and from the moment.
const OF_A_STRETCH: [&str; 15] = [
    "granted_by",
    "granted_at",
    "across_units",
    "without_agreement",
    "operations_granted",
    "revoked",
    "last_reviewed_at",
    "last_review",
    "next_review_due_at",
    "review_basis_at",
    "revoke_due",
    "reduce_due",
    "duties",
    "used_after_end",
    "used_for_other_purpose",
];

/// What a fold remembers of reviews and reductions.
const ACTS: &str = "acts";
/// What an event says that would not be accepted today.
const IRREGULAR: &str = "irregular";

/// Duties that are shown.
///
/// Reason: the first due one is what has to be done.
const MAX_DUTIES: usize = 16;

impl View for Grants {
    fn name(&self) -> &str {
        "access"
    }

    fn family(&self) -> &str {
        "access"
    }

    fn version(&self) -> u64 {
        2
    }

    /// In the order of a grant's life.
    fn types(&self) -> Vec<String> {
        ["granted", "used", "reviewed", "reduced", "revoked"].map(|name| format!("access.{name}")).to_vec()
    }

    fn opening(&self, ty: &str) -> Opening {
        if ty == GRANT { Opening::Beside } else { Opening::None }
    }

    fn effective_at(&self, event: &RowEvent) -> Timestamp {
        let from = stretches::begins(event.value("valid_from")).filter(|_| event.ty == GRANT);
        from.unwrap_or(event.effective_at)
    }

    fn is_reckoned(&self, ty: &str) -> bool {
        matches!(ty, GRANT | "access.revoked" | "access.reduced")
    }

    fn settle(&self, row: &mut Row, at: Timestamp) {
        settle(row, at);
    }

    fn settled_from(&self, row: &Row) -> Option<Timestamp> {
        // Reviews that were told early count from the opening.
        let opened = row.stretches.iter().map(|stretch| stretch.begun.acted_at).min();
        // What a review asked for is done when it was done, also with effect from before.
        let reduced = acts(row).reductions.iter().map(|reduced| reduced.acted_at).max();
        row.stretches.settled_from().max(opened).max(reduced)
    }

    fn show(&self, row: &mut Row, at: Timestamp) {
        stretched::show(row, at);
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
            GRANT => granted(row, event, self.effective_at(event)),
            "access.revoked" => ended(row, event, None),
            "access.reduced" => {
                let mut acts = acts(row);
                acts.reduce(Reduced {
                    acted_at: event.acted_at,
                    effective_at: event.effective_at,
                    place: event.place,
                    seq: event.seq,
                    source: event.source.clone(),
                });
                remember(row, &acts);
                ended(row, event, Some(texts(event.value("operations"))));
            }
            "access.reviewed" => reviewed(row, event),
            "access.used" => used(row, event),
            _ => {}
        }
    }

    /// By all of its stretches: as of another day another one may speak.
    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = Vec::new();
        for stretch in row.stretches.iter() {
            lists.extend(super::listed::of_terms(&stretch.data));
            for name in ["approval", "agreement", "request"] {
                let value = stretch.data.get(name).and_then(Value::as_str);
                lists.extend(value.map(|value| (name, value.to_owned())));
            }
        }
        lists.sort_unstable();
        lists.dedup();
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
            "revoke_due",
            "reduce_due",
            OUT_OF_ORDER,
        ]);
        fields.sort_unstable();
        fields
    }

    fn flags(&self) -> Vec<&'static str> {
        vec![
            "across_units",
            "without_agreement",
            "emergency",
            "used_after_end",
            "used_for_other_purpose",
            "revoke_due",
            "reduce_due",
            OUT_OF_ORDER,
        ]
    }

    fn words(&self, field: &str) -> Option<Vec<String>> {
        const STATES: &[&str] = &[UNOPENED, GRANTED, REVOKED, EXPIRED];
        (field == "state").then(|| STATES.iter().copied().map(str::to_owned).collect())
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

/// What has been done about it, as it is remembered.
fn acts(row: &Row) -> Acts {
    // It was written by this fold.
    row.memo.get(ACTS).and_then(|acts| Acts::deserialize(acts).ok()).unwrap_or_default()
}

fn remember(row: &mut Row, acts: &Acts) {
    // A struct of numbers and texts always serialises.
    row.memo.insert(ACTS.to_owned(), serde_json::to_value(acts).unwrap_or_default());
}

/// One more stretch, with its own terms.
fn granted(row: &mut Row, event: &RowEvent, from: Timestamp) {
    let mut data = Map::new();
    for name in TERMS {
        data.extend(event.data.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    data.insert("by".to_owned(), event.by.as_str().into());
    row.stretches.begin(Stretch {
        begun: event.done(),
        from,
        until: stretches::ends(event.value("valid_until")),
        cut: None,
        reduced: Vec::new(),
        data,
    });
}

/// A revocation, or a reduction, which leaves some operations.
fn ended(row: &mut Row, event: &RowEvent, leaves: Option<Vec<String>>) {
    let mut data = Map::new();
    data.insert("by".to_owned(), event.by.as_str().into());
    for name in ["reason", "enforced_at"] {
        data.extend(event.value(name).map(|value| (name.to_owned(), value.clone())));
    }
    row.stretches.end(Ending {
        done: event.done(),
        effective_at: event.effective_at,
        of: event.value("of").filter(|of| !of.is_null()).map(Identity::named),
        leaves,
        data,
    });
}

fn reviewed(row: &mut Row, event: &RowEvent) {
    if event.happened_at.since(event.recorded_at) > EARLY {
        // It says that it happened long after it was recorded: it did not happen yet.
        row.memo.insert(IRREGULAR.to_owned(), json!(["time"]));
        return;
    }
    let mut acts = acts(row);
    let review = Review {
        acted_at: event.acted_at,
        place: event.place,
        seq: event.seq,
        told: short_name(&[&event.source, &event.data.to_string()]),
        result: event.text("result").unwrap_or_default().to_owned(),
        next_due_at: stretches::ends(event.value("next_due_at")),
        act_by: stretches::ends(event.value("act_by")),
        shown: json!({"result": event.text("result"), "reason": event.text("reason"), "by": event.by}),
    };
    if acts.review(review, &event.source) {
        let told = row.value("reviews_told_again").and_then(Value::as_u64).unwrap_or(0);
        row.set("reviews_told_again", told.saturating_add(1));
    }
    remember(row, &acts);
}

/// What the grant is at a moment, by what is remembered of it.
fn settle(row: &mut Row, at: Timestamp) {
    for name in TERMS.iter().chain(&OF_A_STRETCH) {
        row.fields.remove(*name);
    }
    stretched::mark(row);
    let mut irregular = texts(row.memo.get(IRREGULAR));
    let ends_first = |stretch: &Stretch| stretch.until.is_some_and(|until| until < stretch.from);
    if row.stretches.iter().any(ends_first) {
        irregular.push("valid_until contradicts valid_from".to_owned());
    }
    if irregular.is_empty() {
        row.fields.remove(IRREGULAR);
    } else {
        row.set(IRREGULAR, irregular);
    }
    (row.valid_from, row.valid_until, row.due_at, row.owner) = (None, None, None, None);
    let acts = acts(row);
    let standing = row.stretches.speaking(at).map(|(stretch, standing)| (stretch.clone(), standing));
    let Some((stretch, standing)) = standing else {
        (row.state, row.ended) = (UNOPENED.to_owned(), false);
        return;
    };
    terms(row, &stretch, at);
    row.state = match standing {
        Standing::Scheduled => SCHEDULED,
        // It never holds: there is no moment at which it would expire.
        Standing::Over if stretch.is_empty() => EXPIRED,
        Standing::InForce | Standing::Over => GRANTED,
        Standing::Cut => REVOKED,
    }
    .to_owned();
    if standing == Standing::Cut {
        row.fields.extend(stretch.cut.as_ref().map(|cut| ("revoked".to_owned(), revoked(cut))));
    }
    (row.valid_from, row.valid_until) = (Some(stretch.from), stretch.end().map(|end| end.max(stretch.from)));
    due(row, &acts, at);
    row.ended = standing == Standing::Cut && row.due_at.is_none();
    row.ended_at = stretch.cut.as_ref().map(|cut| cut.at).filter(|_| standing == Standing::Cut);
    held_against(row);
}

/// Reviews, and what is to be done.
fn due(row: &mut Row, acts: &Acts, at: Timestamp) {
    let last = acts.counting(&row.stretches, at).last().map(|(review, from)| ((*review).clone(), *from));
    let basis = last.as_ref().map(|(_, from)| *from).or(row.valid_from);
    if let Some((review, from)) = last {
        row.set_time("last_reviewed_at", from);
        row.set("last_review", review.shown);
        let next = review.next_due_at.map(|due| ("next_review_due_at".to_owned(), due.to_string().into()));
        row.fields.extend(next);
    }
    if let Some(basis) = basis {
        row.set_time("review_basis_at", basis);
    }
    let duties = acts.duties(&row.stretches, at);
    let open: Vec<&Duty> = duties.iter().filter(|duty| duty.is_open(at)).collect();
    row.due_at = open.iter().filter(|duty| !duty.lapses).map(|duty| duty.due).min();
    for (name, kind) in [("revoke_due", Kind::Revoke), ("reduce_due", Kind::Reduce)] {
        if open.iter().any(|duty| duty.kind == kind && !duty.lapses) {
            row.set(name, true);
        }
    }
    if !open.is_empty() {
        let shown: Vec<Value> = open.iter().take(MAX_DUTIES).map(|duty| duty.shown()).collect();
        row.set("duties", shown);
    }
}

#[cfg(test)]
pub(crate) mod tests;
