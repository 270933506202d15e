//! A day, where a day is meant and not a moment.

use super::calendar::{civil_from_days, days_in_month, days_of_date, digits};
use super::timestamp::{MICROS_PER_DAY, Timestamp};
use std::fmt;

/// A day of the calendar in UTC, from 0000-01-01 to 9999-12-31.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Day(i32);

impl Day {
    /// 0000-01-01.
    pub const FIRST: Self = Self(-719_528);
    /// 9999-12-31.
    pub const LAST: Self = Self(2_932_896);

    /// The day that lies so many days after 1970-01-01; none outside the years 0000 to 9999.
    #[must_use]
    pub const fn from_number(days: i32) -> Option<Self> {
        if Self::FIRST.0 <= days && days <= Self::LAST.0 { Some(Self(days)) } else { None }
    }

    /// The day of a time: every time that there is has one.
    pub(super) const fn of(time: Timestamp) -> Self {
        // From the first day's number to the last one's, since the time lies in that range.
        Self(time.micros().div_euclid(MICROS_PER_DAY) as i32)
    }

    /// Days since 1970-01-01.
    #[must_use]
    pub const fn number(self) -> i32 {
        self.0
    }

    /// Its first moment.
    #[must_use]
    pub const fn start(self) -> Timestamp {
        Timestamp::clamped(self.0 as i64 * MICROS_PER_DAY)
    }

    /// Reads `2026-03-01`; anything else, also a date that the calendar does not have, is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let [y1, y2, y3, y4, b'-', m1, m2, b'-', d1, d2] = *text.as_bytes() else { return None };
        let date = days_of_date(digits(&[y1, y2, y3, y4])?, digits(&[m1, m2])?, digits(&[d1, d2])?)?;
        Self::from_number(i32::try_from(date).ok()?)
    }

    /// The same day so many months later, or the month's last one where it has no such day; none after 9999.
    #[must_use]
    pub fn months_later(self, months: u32) -> Option<Self> {
        let (year, month, day) = civil_from_days(self.0.into());
        let months = year * 12 + month - 1 + i64::from(months);
        let (year, month) = (months / 12, months % 12 + 1);
        let days = days_of_date(year, month, day.min(days_in_month(year, month)))?;
        Self::from_number(i32::try_from(days).ok()?)
    }
}

impl Timestamp {
    /// Its day, in UTC.
    #[must_use]
    pub const fn day(self) -> Day {
        Day::of(self)
    }
}

/// `2026-03-01`.
impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.into());
        write!(f, "{year:04}-{month:02}-{day:02}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::{Months, NaiveDate};
    use proptest::prelude::*;

    fn any_day() -> impl Strategy<Value = Day> {
        (Day::FIRST.0..=Day::LAST.0).prop_map(Day)
    }

    fn chronos(day: Day) -> NaiveDate {
        NaiveDate::from_epoch_days(day.0).unwrap()
    }

    #[test]
    fn the_first_and_the_last_day_are_those_of_all_times() {
        assert_eq!((Timestamp::FIRST.day(), Timestamp::LAST.day()), (Day::FIRST, Day::LAST));
        assert_eq!((Day::FIRST.start(), Day::FIRST.to_string()), (Timestamp::FIRST, "0000-01-01".to_owned()));
        assert_eq!(Day::LAST.to_string(), "9999-12-31");
        assert_eq!((Day::from_number(Day::LAST.0 + 1), Day::from_number(Day::FIRST.0 - 1)), (None, None));
    }

    #[test]
    fn what_is_no_date_is_no_day() {
        for text in [
            "2026-02-29",
            "2026-13-01",
            "2026-00-01",
            "2026-1-01",
            "2026-03-01T",
            "2026/03/01",
            "+026-03-01",
            "",
        ] {
            assert_eq!(Day::parse(text), None, "{text}");
        }
    }

    #[test]
    fn a_month_later_is_the_months_last_day_where_it_has_no_such_day() {
        let later =
            |text: &str, months| Day::parse(text).unwrap().months_later(months).map(|day| day.to_string());
        assert_eq!(later("2026-01-31", 1).as_deref(), Some("2026-02-28"));
        assert_eq!(later("2028-02-29", 12).as_deref(), Some("2029-02-28"));
        assert_eq!(later("9999-12-01", 1), None);
        assert_eq!(later("2026-01-31", u32::MAX), None);
    }

    proptest! {
        #[test]
        fn a_day_is_written_read_and_counted_as_chrono_does(day in any_day()) {
            prop_assert_eq!(day.to_string(), chronos(day).to_string());
            prop_assert_eq!(Day::parse(&day.to_string()), Some(day));
            prop_assert_eq!(day.start().day(), day);
            prop_assert_eq!(day.start().saturating_add(-1).day().0, (day.0 - 1).max(Day::FIRST.0));
        }

        #[test]
        fn months_later_is_what_chrono_says(day in any_day(), months in 0..2_000_u32) {
            let expected = chronos(day).checked_add_months(Months::new(months)).map(|date| date.to_epoch_days());
            prop_assert_eq!(day.months_later(months), expected.and_then(Day::from_number));
        }
    }
}
