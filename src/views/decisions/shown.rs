//! What a row shows of what people told of a decision.

use super::facts::{Fact, Facts};
use super::standing::{CONTESTED, Contest, MADE, Review, Standing, UNOPENED, standing};
use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::views::engine::{CONFLICTS, OUT_OF_ORDER, Row, RowEvent};
use crate::views::told;
use serde_json::{Map, Value};

/// When the first open contest is due, in a row's memory.
pub(super) const FIRST_DUE: &str = "first_due";

/// Explanations, and notices, of one decision that are kept with it; beyond, the earliest go.
///
/// Reason: more are a mistake of whoever posts them; all are in the history. What was delivered is remembered apart.
const MAX_DELIVERIES: usize = 32;

/// Kinds of notice, or audiences, that are remembered as delivered.
const MAX_KINDS: usize = 64;

/// What an item among the conflicts of a row is a conflict of, where it is no opening of the row.
const OF: &str = "of";

/// Shows the facts of a decision, as they stand now.
pub(super) fn show(row: &mut Row, facts: &Facts) {
    let standing = standing(facts);
    let open = |contest: &&Contest<'_>| contest.answer().is_none();
    let is_open = facts.contests_beyond > 0 || standing.contests.iter().any(|contest| open(&contest));
    let due = standing.contests.iter().filter(open).filter_map(Contest::due);
    match due.chain(facts.due_beyond).min() {
        Some(due) => row.remember(FIRST_DUE, due),
        None => {
            row.memo.remove(FIRST_DUE);
        }
    }
    set_list(row, "contests", standing.contests.iter().filter_map(contest).collect());
    set_list(row, "reviews", standing.reviews.iter().filter_map(review).collect());
    set_list(row, "ended_nothing", standing.ended_nothing.iter().map(|fact| told_of(fact)).collect());
    set_list(row, "ambiguous", standing.ambiguous.iter().map(|fact| told_of(fact)).collect());
    conflicts(row, &standing);
    if standing.out_of_order {
        row.set(OUT_OF_ORDER, true);
    }
    for (name, many) in [("contests_beyond", facts.contests_beyond), ("others_beyond", facts.others_beyond)] {
        if many > 0 {
            row.set(name, many);
        }
    }
    match standing.overridden {
        Some(outcome) => row.set("final_outcome", outcome.clone()),
        None => {
            row.fields.remove("final_outcome");
        }
    }
    if row.state != UNOPENED {
        row.state = if is_open { CONTESTED } else { standing.last_word.unwrap_or(MADE) }.to_owned();
    }
}

fn set_list(row: &mut Row, name: &str, items: Vec<Value>) {
    if items.is_empty() {
        row.fields.remove(name);
    } else {
        row.set(name, items);
    }
}

/// A fact as it is shown, with what it names.
fn told_of(fact: &Fact) -> Value {
    let mut shown = fact.shown.clone();
    shown.insert("source".to_owned(), fact.source.as_str().into());
    if let Some(id) = &fact.id {
        shown.insert("contest".to_owned(), id.as_str().into());
    }
    count(&mut shown, "told_again", fact.again);
    Value::Object(shown)
}

fn contest(contest: &Contest<'_>) -> Option<Value> {
    let mut shown = contest.first()?.shown.clone();
    count(&mut shown, "told_again", contest.told_again());
    if let Some(answer) = contest.answer() {
        let named = |name: &str| answer.shown.get(name).cloned();
        shown.insert("result".to_owned(), named("result").unwrap_or_else(|| "resolved".into()));
        shown.extend(named("communicated_at").map(|time| ("communicated_at".to_owned(), time)));
        shown.insert("answer".to_owned(), Value::Object(answer.shown.clone()));
        count(&mut shown, "answered_again", contest.answered_again());
    }
    Some(Value::Object(shown))
}

fn review(review: &Review<'_>) -> Option<Value> {
    let mut shown = review.first()?.shown.clone();
    let time = |name: &str| shown.get(name).and_then(Value::as_str).and_then(Timestamp::recorded);
    let took = time("started_at").zip(time("completed_at"));
    let took = took.and_then(|(started, completed)| u64::try_from(completed.since(started)).ok());
    shown.extend(took.map(|took| ("seconds".to_owned(), (took / MICROS_PER_SECOND as u64).into())));
    count(&mut shown, "told_again", review.told_again());
    Some(Value::Object(shown))
}

fn count(shown: &mut Map<String, Value>, name: &str, many: u64) {
    if many > 0 {
        shown.insert(name.to_owned(), many.into());
    }
}

/// Contests and reviews that their own source told otherwise, beside the openings that contradict the first one.
fn conflicts(row: &mut Row, standing: &Standing<'_>) {
    let contests =
        standing.contests.iter().flat_map(|contest| &contest.otherwise).map(|fact| ("contest", fact));
    let reviews = standing.reviews.iter().flat_map(|review| &review.otherwise).map(|fact| ("review", fact));
    let mut conflicts: Vec<Value> =
        row.value(CONFLICTS).and_then(Value::as_array).cloned().unwrap_or_default();
    conflicts.retain(|conflict| conflict.get(OF).is_none());
    for (of, fact) in contests.chain(reviews) {
        let mut shown = fact.shown.clone();
        shown.insert(OF.to_owned(), of.into());
        shown.insert("seq".to_owned(), fact.seq.into());
        shown.insert("source".to_owned(), fact.source.as_str().into());
        conflicts.push(Value::Object(shown));
    }
    set_list(row, CONFLICTS, conflicts);
}

/// An explanation or notice: it counts for its kind once it was delivered.
pub(super) fn delivery(row: &mut Row, event: &RowEvent, all: &str, delivered: &str, kind: &str) {
    let Some(of_kind) = event.text(kind).map(str::to_owned) else { return };
    let mut shown = Map::new();
    for name in [kind, "method", "content_digest", "delivered_at"] {
        shown.extend(event.value(name).map(|value| (name.to_owned(), value.clone())));
    }
    let same = |item: &Value| shown.iter().all(|(name, value)| item.get(name) == Some(value));
    let has = told::happened(event, "delivered_at").is_some();
    let items = row.list(all);
    match items.iter_mut().find(|item| same(item)) {
        Some(Value::Object(item)) => {
            let again = item.get("told_again").and_then(Value::as_u64).unwrap_or(0) + 1;
            item.insert("told_again".to_owned(), again.into());
        }
        _ => {
            if !has && event.value("delivered_at").is_some() {
                shown.insert("announced".to_owned(), true.into());
            }
            shown.extend(event.told());
            shown.insert("entry".to_owned(), event.seq.into());
            items.push(Value::Object(shown));
            if items.len() > MAX_DELIVERIES {
                items.remove(0);
            }
        }
    }
    if has {
        let kinds = row.list(delivered);
        if kinds.len() < MAX_KINDS && !kinds.contains(&Value::String(of_kind.clone())) {
            kinds.push(of_kind.into());
        }
    }
}
