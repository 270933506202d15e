//! Stretches of time in which something holds, reckoned from the events that begin and end them.
//!
//! The act decides which beginning an ending ends: what was done before it. Valid time decides when: a stretch is
//! `[from, until)`, cut at the ending's effective moment, and empty where that lies before `from`.

use super::engine::{EARLY, RowEvent};
use crate::spec::time::{Day, MICROS_PER_DAY, Timestamp};
use serde_json::Value;

/// A stretch, its end not included.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
}

impl Stretch {
    /// Whether it holds at this time.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && at < self.until
    }
}

/// The stretch of one beginning, cut by those of the endings that are about it.
#[must_use]
pub fn stretch(beginning: &RowEvent, beginnings: &[&RowEvent], endings: &[&RowEvent]) -> Stretch {
    let from = from(beginning);
    let own = ends(beginning.value("valid_until")).unwrap_or(Timestamp::LAST);
    let cut = endings.iter().filter(|ending| is_about(ending, beginning, beginnings));
    let until = cut.map(|ending| ending.effective_at).fold(own, Timestamp::min);
    Stretch { from, until: until.max(from) }
}

/// From when a beginning holds.
fn from(beginning: &RowEvent) -> Timestamp {
    begins(beginning.value("valid_from")).unwrap_or(beginning.effective_at)
}

/// Whether an ending ends what was begun by this event: if it was done after it; where the ending names one (`of`), that
/// one alone. One that was told before anything had begun ends the first beginning, if that came within five minutes, or if
/// it takes effect at or after the beginning's `from`.
///
/// An ending that follows any beginning is about that one, also if it had ended before: else a second telling of an ending
/// would end what was begun anew a minute later.
fn is_about(ending: &RowEvent, beginning: &RowEvent, beginnings: &[&RowEvent]) -> bool {
    let told_early =
        beginning.acted_at.since(ending.acted_at) <= EARLY || ending.effective_at >= from(beginning);
    match ending.data.get("of") {
        Some(of) => names(of, beginning) && (ends_later(ending, beginning) || told_early),
        None if ends_later(ending, beginning) => true,
        None => told_early && beginnings.iter().all(|other| !precedes(other, beginning)),
    }
}

/// Whether an ending was done after a beginning. At one instant, of one source in the order of recording; of several, a
/// beginning comes first.
fn ends_later(ending: &RowEvent, beginning: &RowEvent) -> bool {
    if ending.acted_at != beginning.acted_at {
        return beginning.acted_at < ending.acted_at;
    }
    ending.source != beginning.source || beginning.place < ending.place
}

fn precedes(one: &RowEvent, other: &RowEvent) -> bool {
    (one.acted_at, one.place, one.seq) < (other.acted_at, other.place, other.seq)
}

/// Whether a member that names an event names this one: by `source` and `id`, or by the id alone, or by the entry's number.
#[must_use]
pub fn names(reference: &Value, event: &RowEvent) -> bool {
    is_named(reference, &event.source, &event.id, event.seq)
}

/// As [`names`], of an event that is known by these.
#[must_use]
pub fn is_named(reference: &Value, source: &str, id: &str, seq: u64) -> bool {
    match reference {
        Value::String(named) => named == id,
        Value::Number(number) => number.as_u64() == Some(seq),
        other => {
            other.get("source").and_then(Value::as_str) == Some(source)
                && other.get("id").and_then(Value::as_str) == Some(id)
        }
    }
}

/// When something begins: a time, or the first instant of a day of UTC. What cannot be read is as if it were not there.
#[must_use]
pub fn begins(value: Option<&Value>) -> Option<Timestamp> {
    let text = value?.as_str()?;
    Timestamp::recorded(text).or_else(|| Some(Day::parse(text)?.start()))
}

/// When something ends or is due: a time, or the end of a day of UTC.
#[must_use]
pub fn ends(value: Option<&Value>) -> Option<Timestamp> {
    let text = value?.as_str()?;
    Timestamp::recorded(text).or_else(|| Some(Day::parse(text)?.start().saturating_add(MICROS_PER_DAY)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::time::MICROS_PER_MINUTE;
    use crate::views::engine::testing;
    use serde_json::json;

    fn minute(minute: i64) -> Timestamp {
        Timestamp::EPOCH.saturating_add(minute * MICROS_PER_MINUTE)
    }

    fn event(seq: u64, act: i64, data: Value) -> RowEvent {
        testing::event(seq, minute(act), "role.assigned", "user:hr", data)
    }

    fn ending(seq: u64, act: i64, effective: i64) -> RowEvent {
        let mut ending = event(seq, act, json!({}));
        ending.effective_at = minute(effective);
        ending
    }

    fn of(beginnings: &[&RowEvent], endings: &[&RowEvent]) -> Vec<(i64, i64)> {
        let stretches = beginnings.iter().map(|one| stretch(one, beginnings, endings));
        let minutes = |at: Timestamp| at.micros() / MICROS_PER_MINUTE;
        stretches.map(|one| (minutes(one.from), minutes(one.until))).collect()
    }

    #[test]
    fn an_ending_cuts_what_was_begun_before_it_and_nothing_that_is_begun_anew() {
        let until = |minute_of_day: i64| json!({"valid_until": minute(minute_of_day).to_string()});
        let (first, again) = (event(0, 10, until(900)), event(2, 40, until(900)));
        assert_eq!(of(&[&first, &again], &[&ending(1, 30, 30)]), [(10, 30), (40, 900)]);
        // With effect from before it began, nothing is left of it.
        assert_eq!(of(&[&first, &again], &[&ending(1, 30, 5)]), [(10, 10), (40, 900)]);
    }

    #[test]
    fn an_ending_told_early_ends_the_first_beginning_alone() {
        let until = json!({"valid_until": minute(900).to_string()});
        let (first, again) = (event(1, 10, until.clone()), event(2, 40, until));
        assert_eq!(of(&[&first, &again], &[&ending(0, 8, 8)]), [(10, 10), (40, 900)]);
        assert_eq!(of(&[&first, &again], &[&ending(0, 1, 1)]), [(10, 900), (40, 900)]);
        assert_eq!(of(&[&first, &again], &[&ending(0, 1, 20)]), [(10, 20), (40, 900)]);
    }

    #[test]
    fn a_day_begins_with_its_first_instant_and_ends_with_its_last() {
        let (from, until) = (begins(Some(&json!("1970-01-02"))), ends(Some(&json!("1970-01-02"))));
        assert_eq!((from, until), (Some(minute(1440)), Some(minute(2880))));
        assert_eq!(begins(Some(&json!("soon"))), None);
    }
}
