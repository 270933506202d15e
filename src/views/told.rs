//! How folds read what events tell: due dates, and what is said to have happened.

use super::engine::{EARLY, RowEvent};
use crate::spec::time::{MICROS_PER_DAY, Timestamp};

/// When something is due: the instant, or the last microsecond of the day where a date is given. A date may have its
/// zone behind it (`2026-03-01+01:00`); without one it is a day of UTC.
pub(super) fn due(event: &RowEvent, name: &str) -> Option<Timestamp> {
    due_by(event.text(name)?)
}

/// As [`due`], of a text.
pub(super) fn due_by(text: &str) -> Option<Timestamp> {
    if let Some(instant) = Timestamp::recorded(text) {
        return Some(instant);
    }
    let (date, zone) = text.split_at_checked(10)?;
    let start = format!("{date}T00:00:00{}", if zone.is_empty() { "Z" } else { zone });
    Some(Timestamp::recorded(&start)?.saturating_add(MICROS_PER_DAY - 1))
}

/// When what the event tells of has happened; none where it is told as something to come: an announcement is not the
/// thing done. What lies ahead by no more than clocks may differ counts from its recording.
pub(super) fn happened(event: &RowEvent, name: &str) -> Option<Timestamp> {
    let told = event.time(name)?;
    (told <= event.recorded_at.saturating_add(EARLY)).then(|| told.min(event.recorded_at))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::engine::testing;
    use serde_json::json;

    #[test]
    fn a_due_date_ends_with_its_day_in_its_zone() {
        let due = |text: &str| due_by(text).map(|due| due.to_string());
        assert_eq!(due("2026-03-01").as_deref(), Some("2026-03-01T23:59:59.999999Z"));
        assert_eq!(due("2026-03-01+01:00").as_deref(), Some("2026-03-01T22:59:59.999999Z"));
        assert_eq!(due("2026-03-01T12:00:00-10:00").as_deref(), Some("2026-03-01T22:00:00.000000Z"));
        assert_eq!((due("2026-03"), due("soon enough"), due("2026-02-30")), (None, None, None));
    }

    #[test]
    fn what_is_announced_has_not_happened() {
        let at = |text: &str| {
            let told = testing::event(0, Timestamp::EPOCH, "t", "app:x", json!({"delivered_at": text}));
            happened(&told, "delivered_at").map(Timestamp::micros)
        };
        assert_eq!(at("1969-12-31T23:59:59Z"), Some(-1_000_000));
        assert_eq!(at("1970-01-01T00:05:00Z"), Some(0));
        assert_eq!((at("1970-01-01T00:05:01Z"), at("never")), (None, None));
    }
}
