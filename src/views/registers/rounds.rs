//! What ended and begins again: each round has its own fields, dates and clocks, and a round that ended keeps what it
//! missed.

use crate::spec::time::Timestamp;
use crate::views::engine::Row;
use serde_json::{Value, json};

/// Rounds of a row that ended, the last ones of them.
const EARLIER: &str = "earlier_rounds";
/// How many rounds there were, once there is more than one.
const ROUNDS: &str = "rounds";
/// Whether a round that ended had a due date that had passed.
pub(super) const MISSED_BEFORE: &str = "missed_before";

const OPENED: &str = "opened";
const OPENED_FROM: &str = "opened_from";
const ENDED: &str = "ended";
const MISSED: &str = "missed";

/// Rounds that ended and are shown. Beyond, the oldest are left out.
///
/// Reason: what is opened again so often is looked at by its history.
const MAX_EARLIER: usize = 16;

/// A round begins: what the one before it was is set aside, and what belongs to a round begins anew.
pub(super) fn begin(row: &mut Row, acted_at: Timestamp, from: Timestamp, of_a_round: &[&str]) {
    let before = row.value(ROUNDS).and_then(Value::as_u64).unwrap_or(1);
    if row.ended {
        let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
        let missed = row.memo.contains_key(MISSED);
        let ended = json!({
            "opened_at": text(row.remembered(OPENED)), "ended_at": text(row.remembered(ENDED)),
            "state": row.state, "missed": missed,
        });
        let missed = missed || row.is(MISSED_BEFORE);
        let mut earlier = std::mem::take(row.list(EARLIER));
        earlier.push(ended);
        if earlier.len() > MAX_EARLIER {
            earlier.remove(0);
        }
        // What the engine notes of all openings stays.
        row.fields.retain(|name, _| !of_a_round.contains(&name.as_str()));
        row.memo.retain(|name, _| !of_a_round.contains(&name.as_str()));
        for name in [ENDED, MISSED] {
            row.memo.remove(name);
        }
        row.set(EARLIER, earlier);
        row.set(ROUNDS, before.saturating_add(1));
        if missed {
            row.set(MISSED_BEFORE, true);
        }
        (row.ended, row.due_at) = (false, None);
        row.state.clear();
    }
    row.remember(OPENED, acted_at);
    row.remember(OPENED_FROM, from);
}

/// From when the opening of the present round holds.
pub(super) fn opened_from(row: &Row) -> Option<Timestamp> {
    row.remembered(OPENED_FROM)
}

/// A round ended: whether its due date had passed.
pub(super) fn end(row: &mut Row, due_at: Option<Timestamp>, at: Timestamp) {
    row.remember(ENDED, at);
    if due_at.is_some_and(|due| due < at) {
        row.memo.insert(MISSED.to_owned(), true.into());
    }
}
