//! Approvals: who asked for what, who voted how and with which authority, and what came of it.
//!
//! An approval has rounds: asking again with a changed term begins a new one beside the former, and what was granted before
//! stands for its own terms. pending → partial → granted → expired or revoked; before the grant → rejected or withdrawn.
//!
//! Whether a voter really could vote so is not a matter of the approval's own events: it depends on roles and delegations,
//! as far as they had been recorded before the vote. So a row keeps what its events say (`told`), and the [`Judge`] walks
//! them (`course`) by what the lists in `entitled` know: for one row, for each row of a list and for each that is counted.
//! There is one truth about an approval, and `granted` means granted with authority wherever it is asked.

mod acts;
mod authority;
mod course;
mod duties;
mod entitled;
mod inside;
mod places;
mod round;
mod shown;
mod standing;
mod states;
mod terms;
#[cfg(test)]
mod tests;
mod told;
mod votes;

pub use entitled::Entitled;

use super::engine::{Beside, Judge, Opening, Result, Row, RowEvent, RowName, View};
use crate::spec::time::Timestamp;
use authority::Authority;
use entitled::{ENTITLED, TYPES};
use serde_json::{Map, Value};
use shown::texts;
use standing::Shown;
use states::{ALL, GRANTED};
use std::collections::BTreeSet;
use told::{Act, Told};

/// The view of approvals.
pub struct Approvals;

/// Events of one approval that are kept with it. Of more, revocations are kept alone, and the rest is counted.
///
/// Reason: a quorum has at most 32 places, and an approval some ten events; what is more is in the history. A row stays
/// under some hundred kilobytes, and is judged in a millisecond.
const MAX_TOLD: usize = 512;

/// Revocations that are kept beyond that: they always count.
const MAX_REVOKED: usize = 64;

/// What a row remembers: what its events say, and what the last one of them is listed under.
const TOLD: &str = "told";
const NEW: &str = "new";

/// The field that says how many events are not kept.
const LEFT_OUT: &str = "events_left_out";

/// What an approval is listed under.
const LISTED: [&str; 5] = ["target", "requested_by", "voter", "pillars", "kind"];

/// What is true or false of it.
const FLAGS: [&str; 9] = [
    "without_rationale",
    "without_pillar",
    "missed_before",
    "by_stranger",
    "own_vote",
    "delegates_vote",
    "no_roles_recorded",
    "authority_annulled",
    "out_of_order",
];

impl View for Approvals {
    fn name(&self) -> &str {
        "approvals"
    }

    fn family(&self) -> &str {
        "approval"
    }

    fn version(&self) -> u64 {
        // 3: a vote says by which corrections it lost its authority, and a row knows what was brought in.
        3
    }

    fn types(&self) -> Vec<String> {
        Act::ALL.map(|(_, ty)| ty.to_owned()).to_vec()
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("approval")?.as_str()?.to_owned()))
    }

    fn opening(&self, ty: &str) -> Opening {
        if ty == "approval.requested" { Opening::Rounds } else { Opening::None }
    }

    fn is_of_one_source(&self) -> bool {
        true
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        let Some(told) = Told::of(event) else { return };
        row.memo.remove(NEW);
        let kept = row.memo.entry(TOLD).or_insert_with(|| Value::Array(Vec::new()));
        let Value::Array(kept) = kept else { return };
        let room = if told.act == Act::Revoked { MAX_TOLD + MAX_REVOKED } else { MAX_TOLD };
        if kept.len() >= room {
            let left_out = row.value(LEFT_OUT).and_then(Value::as_u64).unwrap_or(0);
            row.set(LEFT_OUT, left_out + 1);
            return;
        }
        let listed = listed(&told).into_iter().map(|(field, value)| Value::from(vec![field, value.as_str()]));
        let listed: Vec<Value> = listed.collect();
        // A struct of texts, numbers and JSON always serialises.
        kept.push(serde_json::to_value(told).unwrap_or_default());
        row.memo.insert(NEW.to_owned(), listed.into());
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        if row.memo.contains_key(TOLD) {
            let new = row.memo.get(NEW).and_then(Value::as_array).into_iter().flatten();
            return new
                .filter_map(|pair| {
                    let field = pair.get(0)?.as_str()?;
                    let field = LISTED.into_iter().find(|listed| *listed == field)?;
                    Some((field, pair.get(1)?.as_str()?.to_owned()))
                })
                .collect();
        }
        // A row that was judged: by its newest round, and by the one that is in force beside it.
        let mut lists: Vec<(&'static str, String)> = terms_of(&row.fields);
        if let Some(terms) = row.value("in_force.terms").and_then(Value::as_object) {
            lists.extend(terms_of(terms));
        }
        let voters: BTreeSet<&str> = votes(row).filter_map(|vote| vote.get("by")?.as_str()).collect();
        lists.extend(voters.into_iter().map(|by| ("voter", by.to_owned())));
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        LISTED.to_vec()
    }

    fn fields(&self) -> Vec<&str> {
        LISTED.into_iter().chain(["risk_class", "scope_digest"]).chain(FLAGS).collect()
    }

    fn flags(&self) -> Vec<&'static str> {
        FLAGS.to_vec()
    }

    fn words(&self, field: &str) -> Option<Vec<String>> {
        (field == "state").then(|| ALL.iter().copied().map(str::to_owned).collect())
    }

    fn counted_fields(&self) -> Vec<&str> {
        ["kind", "risk_class", "pillars"].into_iter().chain(FLAGS).collect()
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut facets: Vec<(&'static str, String)> = Vec::new();
        for name in ["kind", "risk_class"] {
            facets.extend(row.text(name).map(|value| (name, value.to_owned())));
        }
        facets.extend(texts(row.value("pillars")).map(|pillar| ("pillars", pillar)));
        facets.extend(FLAGS.into_iter().map(|name| (name, row.is(name).to_string())));
        facets
    }

    fn expiring_state(&self) -> Option<&str> {
        Some(GRANTED)
    }

    fn judge(&self) -> Option<&dyn Judge> {
        Some(self)
    }
}

impl Judge for Approvals {
    fn lists(&self) -> &'static str {
        ENTITLED
    }

    fn types(&self) -> &'static [&'static str] {
        TYPES
    }

    fn judge(&self, row: &Row, at: Timestamp, beside: &dyn Beside) -> Result<Option<Row>> {
        let told = told(row);
        let (events, confirmations) = course::in_order(&told);
        let authority = Authority::new(beside);
        let course = course::course(&events, &authority)?;
        let mut judged = Row { memo: Map::new(), ..row.clone() };
        let shown = Shown { course: &course, authority: &authority, at };
        Ok(shown.fill(&mut judged, &events, &confirmations)?.then_some(judged))
    }

    fn states(&self, row: &Row) -> Vec<&'static str> {
        states::possible(&told(row))
    }
}

/// What a row's events say, in the order in which they were done.
fn told(row: &Row) -> Vec<Told> {
    let kept = row.memo.get(TOLD).and_then(Value::as_array).into_iter().flatten();
    kept.filter_map(|told| serde::Deserialize::deserialize(told).ok()).collect()
}

/// What an event adds to what its approval is listed under.
fn listed(told: &Told) -> Vec<(&'static str, String)> {
    match told.act {
        Act::Requested => terms_of(&terms::shown(told)),
        Act::Granted | Act::Rejected => vec![("voter", told.by.clone())],
        Act::Recused | Act::ConditionMet | Act::Withdrawn | Act::Revoked => Vec::new(),
    }
}

/// What terms, or a row with their members, are listed under.
fn terms_of(terms: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let text = |name: &str| terms.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut lists = Vec::new();
    if let Some(target) = terms.get("target") {
        let part = |name: &str| target.get(name).and_then(Value::as_str);
        lists.extend(part("type").zip(part("id")).map(|(ty, id)| ("target", format!("{ty}/{id}"))));
    }
    for name in ["requested_by", "kind"] {
        lists.extend(text(name).map(|value| (name, value)));
    }
    lists.extend(texts(terms.get("pillars")).map(|pillar| ("pillars", pillar)));
    lists
}

/// The votes of an approval that was judged, in their order.
pub fn votes(row: &Row) -> impl Iterator<Item = &Map<String, Value>> {
    row.value("votes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}
