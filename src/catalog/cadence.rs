use crate::spec::time::{MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};
use std::fmt;

/// How often evidence of a control is due.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cadence {
    /// Whenever what it applies to happens.
    PerEvent,
    /// At least once in each such span.
    Every(Span),
}

/// An ISO 8601 duration. Months and years have no fixed length: they are counted in a calendar, from a day.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Calendar months, years included.
    pub months: u32,
    /// Days, weeks included.
    pub days: u32,
    /// Minutes, hours included.
    pub minutes: u32,
}

/// A number of more digits is no cadence.
const MAX_DIGITS: usize = 4;

impl Cadence {
    /// `per-event`, or a duration such as `P3M`, `P30D` or `PT4H`.
    pub(super) fn parse(text: &str) -> Result<Cadence, String> {
        if text == "per-event" {
            return Ok(Cadence::PerEvent);
        }
        let span = Span::parse(text).filter(|span| span.months > 0 || span.days > 0 || span.minutes > 0);
        span.map(Cadence::Every)
            .ok_or_else(|| "`per-event`, or a duration such as P3M, P30D or PT4H".to_owned())
    }
}

impl Span {
    /// A duration such as `P3M`, `P30D` or `PT4H`; none if the text is no duration, or too long a number.
    #[must_use]
    pub fn parse(text: &str) -> Option<Span> {
        let rest = text.strip_prefix('P')?;
        let (date, time) = match rest.split_once('T') {
            Some((_, "")) => return None,
            Some((date, time)) => (date, time),
            None => (rest, ""),
        };
        let [years, months, weeks, days] = numbers(date, ['Y', 'M', 'W', 'D'])?;
        let [hours, minutes] = numbers(time, ['H', 'M'])?;
        Some(Span { months: years * 12 + months, days: weeks * 7 + days, minutes: hours * 60 + minutes })
    }

    /// The time that lies so long after another one: first its months, by the calendar of UTC, where a day that the month
    /// lacks is the month's last one; then its days and minutes. None after the year 9999.
    #[must_use]
    pub fn after(self, time: Timestamp) -> Option<Timestamp> {
        let day = time.day();
        let rest = i64::from(self.days) * MICROS_PER_DAY + i64::from(self.minutes) * MICROS_PER_MINUTE;
        day.months_later(self.months)?.start().checked_add(time.since(day.start()))?.checked_add(rest)
    }
}

/// As the catalogue writes it: `per-event`, or an ISO 8601 duration.
impl fmt::Display for Cadence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cadence::PerEvent => f.write_str("per-event"),
            Cadence::Every(span) => span.fmt(f),
        }
    }
}

/// As ISO 8601 has it: `P1M`, `P30D`, `P1DT4H`.
impl fmt::Display for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Span { months, days, minutes } = *self;
        f.write_str("P")?;
        for (number, letter) in [(months / 12, 'Y'), (months % 12, 'M'), (days, 'D')] {
            if number > 0 {
                write!(f, "{number}{letter}")?;
            }
        }
        let time = [(minutes / 60, 'H'), (minutes % 60, 'M')];
        if minutes > 0 {
            f.write_str("T")?;
        }
        time.into_iter()
            .filter(|(number, _)| *number > 0)
            .try_for_each(|(number, letter)| write!(f, "{number}{letter}"))
    }
}

/// A number before each of the letters, 0 where it is missing; the letters stand in their order.
fn numbers<const N: usize>(text: &str, letters: [char; N]) -> Option<[u32; N]> {
    let mut found = [0; N];
    let mut rest = text;
    for (number, letter) in found.iter_mut().zip(letters) {
        if let Some((digits, after)) = rest.split_once(letter)
            && digits.chars().all(|c| c.is_ascii_digit())
        {
            // At most four digits: neither this nor what is made of it can overflow.
            *number = digits.parse().ok().filter(|_| digits.len() <= MAX_DIGITS)?;
            rest = after;
        }
    }
    rest.is_empty().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn later(time: &str, months: u32, days: u32, minutes: u32) -> String {
        let span = Span { months, days, minutes };
        span.after(Timestamp::recorded(time).unwrap()).map(|time| time.to_string()).unwrap()
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
        assert_eq!(Span { months: 1, days: 0, minutes: 0 }.after(Timestamp::LAST), None);
    }

    #[test]
    fn a_cadence_reads_as_it_was_declared() {
        let every = |months, days, minutes| Cadence::Every(Span { months, days, minutes }).to_string();
        assert_eq!(Cadence::PerEvent.to_string(), "per-event");
        assert_eq!((every(3, 0, 0), every(12, 0, 0)), ("P3M".to_owned(), "P1Y".to_owned()));
        assert_eq!((every(14, 0, 0), every(0, 30, 0)), ("P1Y2M".to_owned(), "P30D".to_owned()));
        assert_eq!((every(0, 0, 240), every(1, 2, 90)), ("PT4H".to_owned(), "P1M2DT1H30M".to_owned()));
    }

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for text in ["P1Y", "P3M", "P1Y2M", "P30D", "PT4H", "P1DT4H30M"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Span::parse("P2W").unwrap().to_string(), "P14D");
    }
}
