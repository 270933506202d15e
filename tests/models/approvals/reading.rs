//! Reading facts: members of `data`, moments, and which of two acts came first.

use std::collections::BTreeSet;

use chrono::{DateTime, NaiveDate};
use serde_json::Value;

use crate::base::{Fact, Micros};

/// How much earlier than its opening an event may have been done and still be about it (section 4, "Nothing
/// that is told early is lost").
pub(super) const FIVE_MINUTES: Micros = 5 * 60 * 1_000_000;

/// One day, for due dates that name a day.
const ONE_DAY: Micros = 24 * 60 * 60 * 1_000_000;

/// A member of `data` that is a text.
pub(super) fn text<'a>(fact: &'a Fact, member: &str) -> Option<&'a str> {
    fact.data.get(member).and_then(Value::as_str)
}

/// A list of texts (or one text alone) as a set: their order says nothing.
pub(super) fn words(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::String(word)) => BTreeSet::from([word.clone()]),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}

/// When something begins: RFC 3339, or the first instant of a bare date.
// Choice: a bare date is a day of UTC, because no member of these types states a zone.
// Choice: what cannot be read is as if it were not there; "views never fail on a recorded entry".
pub(super) fn begins(value: Option<&Value>) -> Option<Micros> {
    let written = value?.as_str()?;
    if let Ok(instant) = DateTime::parse_from_rfc3339(written) {
        return Some(instant.timestamp_micros());
    }
    let day = NaiveDate::parse_from_str(written, "%Y-%m-%d").ok()?;
    Some(day.and_hms_opt(0, 0, 0)?.and_utc().timestamp_micros())
}

/// When something ends or is due: as [`begins`], but a bare date ends with that day (section 4).
pub(super) fn ends(value: Option<&Value>) -> Option<Micros> {
    let moment = begins(value)?;
    let is_day = value.and_then(Value::as_str).is_some_and(|written| written.len() == "2000-01-01".len());
    Some(if is_day { moment.saturating_add(ONE_DAY) } else { moment })
}

/// From when an ending takes effect: `effective_at`, else when it was done (section 4, "Valid time decides
/// when").
pub(super) fn effective(ending: &Fact) -> Micros {
    begins(ending.data.get("effective_at")).unwrap_or(ending.act)
}

/// Whether `of` in the ending, where it has one, names this event (section 4: "source and id of its event").
pub(super) fn names(reference: &Value, fact: &Fact) -> bool {
    // Choice: the page writes an object of source and id; an id alone and an entry's number are understood
    // too.
    match reference {
        Value::String(id) => fact.id == *id,
        Value::Number(seq) => seq.as_u64() == Some(fact.seq),
        other => {
            other.get("source").and_then(Value::as_str) == Some(&fact.source)
                && other.get("id").and_then(Value::as_str) == Some(&fact.id)
        }
    }
}

/// Where a type stands in the life of what it is about. Recusals stand before votes: who recused has none.
fn step_of_life(ty: &str) -> u8 {
    match ty {
        "approval.requested" | "role.assigned" | "delegation.granted" => 0,
        "approval.recused" => 1,
        "approval.granted" => 2,
        "approval.rejected" => 3,
        "approval.condition_met" => 4,
        "approval.withdrawn" => 5,
        _ => 6,
    }
}

/// Whether `one` was done before `other` (section 4: by act; at the same instant, of one source in the order
/// of recording, else in the order of the type's life; where that too is the same, in the order of
/// recording).
pub(super) fn before(one: &Fact, other: &Fact) -> bool {
    if one.act != other.act {
        return one.act < other.act;
    }
    let (step, other_step) = (step_of_life(&one.ty), step_of_life(&other.ty));
    if one.source == other.source || step == other_step {
        return one.place < other.place;
    }
    step < other_step
}

/// The facts in the order in which they were done.
///
/// The pairs of [`before`] can run in a circle within one instant (one source recorded an ending and then a
/// beginning, another a vote). Then each source keeps its own order, and of the sources' next ones the
/// earliest in life goes first.
pub(super) fn in_order<'a>(facts: &[&'a Fact]) -> Vec<&'a Fact> {
    let mut left = facts.to_vec();
    left.sort_by_key(|fact| (fact.act, fact.place));
    let mut ordered = Vec::new();
    while let Some(instant) = left.first().map(|fact| fact.act) {
        let mut sources = BTreeSet::new();
        let next = left
            .iter()
            .enumerate()
            .take_while(|(_, fact)| fact.act == instant)
            .filter(|(_, fact)| sources.insert(fact.source.clone()))
            .min_by_key(|(_, fact)| (step_of_life(&fact.ty), fact.place))
            .map(|(position, _)| position);
        match next {
            Some(position) => ordered.push(left.remove(position)),
            None => break,
        }
    }
    ordered
}
