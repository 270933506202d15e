//! When the next evidence of a control falls due: a cadence counted from a time, in the calendar of UTC. Arithmetic and
//! nothing else: whether anything is late is judged elsewhere.

use crate::catalog::{Cadence, Span};
use crate::views::engine::Micros;
use chrono::{DateTime, Months, TimeDelta};

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
/// the month's last one; then its days and minutes. None beyond the calendar.
#[must_use]
pub fn after(time: Micros, span: &Span) -> Option<Micros> {
    let time = DateTime::from_timestamp_micros(time)?.checked_add_months(Months::new(span.months))?;
    let rest =
        TimeDelta::try_days(span.days.into())?.checked_add(&TimeDelta::try_minutes(span.minutes.into())?)?;
    Some(time.checked_add_signed(rest)?.timestamp_micros())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::engine::{parse_time, time_text};

    fn later(time: &str, months: u32, days: u32, minutes: u32) -> String {
        let span = Span { months, days, minutes };
        after(parse_time(time).unwrap(), &span).and_then(time_text).unwrap()
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
        assert_eq!(after(Micros::MAX, &Span { months: 1, days: 0, minutes: 0 }), None);
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
