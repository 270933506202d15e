//! When the next evidence of a control falls due: a cadence counted from a time, in the calendar of UTC. Arithmetic and
//! nothing else: whether anything is late is judged elsewhere.

use crate::catalog::{Cadence, Span};
use crate::spec::time::{MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};

/// A cadence as the catalogue writes it: `per-event`, or an ISO 8601 duration.
#[must_use]
pub fn cadence_text(cadence: &Cadence) -> String {
    match cadence {
        Cadence::PerEvent => "per-event".to_owned(),
        Cadence::Every(span) => span_text(span),
    }
}

/// An ISO 8601 duration in its shortest form: twelve months are a year, 60 minutes an hour.
fn span_text(span: &Span) -> String {
    let part = |number: u32, letter: char| match number {
        0 => String::new(),
        number => format!("{number}{letter}"),
    };
    let date = part(span.months / 12, 'Y') + &part(span.months % 12, 'M') + &part(span.days, 'D');
    let time = part(span.minutes / 60, 'H') + &part(span.minutes % 60, 'M');
    match (date.is_empty(), time.is_empty()) {
        (true, true) => "PT0M".to_owned(),
        (false, true) => format!("P{date}"),
        (_, false) => format!("P{date}T{time}"),
    }
}

/// The time that lies a span after another one: first its months, by the calendar, where a day that the month lacks is
/// the month's last one; then its days and minutes. None after the year 9999.
#[must_use]
pub fn after(time: Timestamp, span: &Span) -> Option<Timestamp> {
    let day = time.day();
    let rest = i64::from(span.days) * MICROS_PER_DAY + i64::from(span.minutes) * MICROS_PER_MINUTE;
    day.months_later(span.months)?.start().checked_add(time.since(day.start()))?.checked_add(rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(time: &str, months: u32, days: u32, minutes: u32) -> String {
        let span = Span { months, days, minutes };
        after(Timestamp::recorded(time).unwrap(), &span).map(|time| time.to_string()).unwrap()
    }

    #[test]
    fn months_are_calendar_months_and_end_where_the_month_does() {
        assert_eq!(later("2026-01-15T09:30:00.000007Z", 3, 0, 0), "2026-04-15T09:30:00.000007Z");
        assert_eq!(later("2026-01-31T12:00:00Z", 1, 0, 0), "2026-02-28T12:00:00.000000Z");
        assert_eq!(later("2028-01-31T12:00:00Z", 1, 0, 0), "2028-02-29T12:00:00.000000Z");
        assert_eq!(later("2028-02-29T12:00:00Z", 12, 0, 0), "2029-02-28T12:00:00.000000Z");
        assert_eq!(later("2026-11-30T00:00:00Z", 3, 0, 0), "2027-02-28T00:00:00.000000Z");
        assert_eq!(later("2026-12-31T23:59:59Z", 2, 0, 0), "2027-02-28T23:59:59.000000Z");
    }

    #[test]
    fn days_and_minutes_follow_the_months() {
        assert_eq!(later("2026-01-31T23:00:00Z", 1, 1, 90), "2026-03-02T00:30:00.000000Z");
        assert_eq!(later("1969-12-31T23:59:00Z", 0, 0, 1), "1970-01-01T00:00:00.000000Z");
        assert_eq!(after(Timestamp::LAST, &Span { months: 1, days: 0, minutes: 0 }), None);
    }

    #[test]
    fn a_cadence_reads_as_it_was_declared() {
        let every = |months, days, minutes| cadence_text(&Cadence::Every(Span { months, days, minutes }));
        assert_eq!(cadence_text(&Cadence::PerEvent), "per-event");
        assert_eq!((every(3, 0, 0), every(12, 0, 0)), ("P3M".to_owned(), "P1Y".to_owned()));
        assert_eq!((every(14, 0, 0), every(0, 30, 0)), ("P1Y2M".to_owned(), "P30D".to_owned()));
        assert_eq!((every(0, 0, 240), every(1, 2, 90)), ("PT4H".to_owned(), "P1M2DT1H30M".to_owned()));
    }
}
