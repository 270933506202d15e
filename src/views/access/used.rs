//! What a grant was used for, and when: counts, and times that are held against its stretches.

use super::told::{MAX_COUNT, Told};
use crate::spec::time::Timestamp;
use crate::views::engine::{Row, RowEvent};
use crate::views::stretches::Stretch;
use serde_json::{Value, json};

/// What a fold remembers of uses, and of when they were.
const USE_KEYS: &str = "use_keys";
const WINDOWS: &str = "windows";
const LAST_USED: &str = "last_used";

/// Uses of a grant that are known again when they are told again. What is told again later than so is counted twice here,
/// and once in the list of uses.
///
/// Reason: systems tell again within minutes; a grant's row is read and written as one.
const MAX_USE_KEYS: usize = 64;

/// Times of use that are remembered of a grant, touching ones as one. Beyond, the oldest are left out: whether they were
/// covered is told by the list of uses.
///
/// Reason: a month of days with gaps between; a grant's row is read and written as one.
const MAX_WINDOWS: usize = 32;

/// Purposes of use that are remembered of a grant.
///
/// Reason: one other than the granted is enough to say so.
const MAX_PURPOSES: usize = 16;

/// What a use comes to: counts, and when it was, to be held against the stretches.
pub(super) fn used(row: &mut Row, event: &RowEvent) {
    let told = Told::of(event);
    let name = if told.denied { "denied" } else { "uses" };
    let before = row.value(name).and_then(Value::as_u64).unwrap_or(0);
    let keys = row.memo.entry(USE_KEYS).or_insert_with(|| json!([]));
    let Some(keys) = keys.as_array_mut() else { return };
    let key = told.name;
    let known = keys.iter_mut().find(|known| known.get(0).and_then(Value::as_u64) == Some(key));
    let more = match known {
        // Told again: the higher count counts.
        Some(known) => {
            let counted = known.get(1).and_then(Value::as_u64).unwrap_or(0);
            *known = json!([key, counted.max(told.count)]);
            told.count.saturating_sub(counted)
        }
        None => {
            keys.push(json!([key, told.count]));
            if keys.len() > MAX_USE_KEYS {
                keys.remove(0);
            }
            told.count
        }
    };
    row.set(name, before.saturating_add(more).min(MAX_COUNT));
    if told.denied {
        return;
    }
    let last = row.remembered(LAST_USED).map_or(told.to, |last| last.max(told.to));
    row.remember(LAST_USED, last);
    row.set_time("last_used_at", last);
    let mut windows = windows(row);
    join(&mut windows, (told.from, told.to));
    let windows: Vec<Value> =
        windows.into_iter().map(|(from, to)| json!([from.micros(), to.micros()])).collect();
    row.memo.insert(WINDOWS.to_owned(), windows.into());
    let purposes = row.memo.entry("purposes").or_insert_with(|| json!([]));
    if let (Some(purposes), Some(purpose)) = (purposes.as_array_mut(), event.value("purpose"))
        && !purposes.contains(purpose)
        && purposes.len() < MAX_PURPOSES
    {
        purposes.push(purpose.clone());
    }
}

/// When it was used, by windows that do not touch, in their order; the last moment of each is in it.
fn windows(row: &Row) -> Vec<(Timestamp, Timestamp)> {
    let of = |window: &Value| {
        let time = |place: usize| Timestamp::from_micros(window.get(place)?.as_i64()?);
        Some((time(0)?, time(1)?))
    };
    row.memo.get(WINDOWS).and_then(Value::as_array).into_iter().flatten().filter_map(of).collect()
}

/// Adds a window. What touches becomes one.
fn join(windows: &mut Vec<(Timestamp, Timestamp)>, new: (Timestamp, Timestamp)) {
    windows.push(new);
    windows.sort_unstable();
    let mut joined: Vec<(Timestamp, Timestamp)> = Vec::with_capacity(windows.len());
    for (from, to) in windows.drain(..) {
        match joined.last_mut().filter(|(_, end)| from <= *end) {
            Some((_, end)) => *end = (*end).max(to),
            None => joined.push((from, to)),
        }
    }
    if joined.len() > MAX_WINDOWS {
        joined.remove(0);
    }
    *windows = joined;
}

/// Whether it was used when it was over, or for another purpose.
pub(super) fn held_against(row: &mut Row) {
    let stretches = &row.stretches;
    let after_end = windows(row).into_iter().any(|(from, to)| {
        let mut at = from;
        loop {
            // As far as some stretch reaches.
            let holding = stretches.in_force(at).map(|stretch| stretch.end().unwrap_or(Timestamp::LAST));
            match holding.max() {
                Some(Timestamp::LAST) => return false,
                Some(end) if end > to => return false,
                Some(end) => at = end,
                None => break,
            }
        }
        let ends = stretches.iter().filter(|stretch| !stretch.is_empty()).filter_map(Stretch::end);
        ends.min().is_some_and(|end| end <= at)
    });
    let granted_for: Vec<&Value> =
        stretches.iter().filter_map(|stretch| stretch.data.get("purpose")).collect();
    let used_for = row.memo.get("purposes").and_then(Value::as_array).into_iter().flatten();
    let other = !granted_for.is_empty() && used_for.into_iter().any(|used| !granted_for.contains(&used));
    for (name, is) in [("used_after_end", after_end), ("used_for_other_purpose", other)] {
        if is {
            row.set(name, true);
        } else {
            row.fields.remove(name);
        }
    }
}
