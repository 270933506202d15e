//! One instant.

use super::calendar::{civil_from_days, days_of_date, digits};
use std::fmt;

/// An instant: microseconds since 1970-01-01T00:00:00Z, in the years 0000 to 9999, which four digits can say.
///
/// Every value there is can be written, so nothing that holds one has to say what becomes of a time that cannot.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Timestamp(i64);

/// Microseconds of a second.
pub const MICROS_PER_SECOND: i64 = 1_000_000;
/// Microseconds of a minute.
pub const MICROS_PER_MINUTE: i64 = 60 * MICROS_PER_SECOND;
/// Microseconds of a day.
pub const MICROS_PER_DAY: i64 = 24 * 60 * MICROS_PER_MINUTE;

impl Timestamp {
    /// 0000-01-01T00:00:00Z.
    pub const FIRST: Self = Self(-62_167_219_200 * MICROS_PER_SECOND);
    /// 1970-01-01T00:00:00Z.
    pub const EPOCH: Self = Self(0);
    /// The last microsecond of the year 9999.
    pub const LAST: Self = Self(253_402_300_800 * MICROS_PER_SECOND - 1);

    /// A time from microseconds since the epoch; none outside the years 0000 to 9999.
    #[must_use]
    pub const fn from_micros(micros: i64) -> Option<Self> {
        if Self::FIRST.0 <= micros && micros <= Self::LAST.0 { Some(Self(micros)) } else { None }
    }

    /// The time of so many microseconds since the epoch, or the first or last one that there is.
    #[must_use]
    pub const fn clamped(micros: i64) -> Self {
        if micros < Self::FIRST.0 {
            Self::FIRST
        } else if micros > Self::LAST.0 {
            Self::LAST
        } else {
            Self(micros)
        }
    }

    /// Microseconds since the epoch.
    #[must_use]
    pub const fn micros(self) -> i64 {
        self.0
    }

    /// Microseconds since an earlier time; below 0 since a later one.
    #[must_use]
    pub const fn since(self, earlier: Self) -> i64 {
        // Two times lie at most ten thousand years apart, of which this can hold twenty-nine times as many.
        self.0 - earlier.0
    }

    /// The time so many microseconds later, earlier if below 0; none outside the years 0000 to 9999.
    #[must_use]
    pub const fn checked_add(self, micros: i64) -> Option<Self> {
        Self::from_micros(self.0.saturating_add(micros))
    }

    /// The time so many microseconds later, earlier if below 0, or the first or last one that there is.
    #[must_use]
    pub const fn saturating_add(self, micros: i64) -> Self {
        Self::clamped(self.0.saturating_add(micros))
    }

    /// Reads the one form the ledger writes; anything else, also another spelling of the same instant, is none.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let template = b"dddd-dd-ddTdd:dd:dd.ddddddZ";
        let fits = bytes.len() == template.len()
            && bytes.iter().zip(template).all(|(b, t)| if *t == b'd' { b.is_ascii_digit() } else { b == t });
        if !fits {
            return None;
        }
        let number = |from: usize, to: usize| bytes.get(from..to).and_then(digits);
        let days = days_of_date(number(0, 4)?, number(5, 7)?, number(8, 10)?)?;
        let (hour, minute, second) = (number(11, 13)?, number(14, 16)?, number(17, 19)?);
        if hour > 23 || minute > 59 || second > 59 {
            return None;
        }
        let seconds = hour * 3600 + minute * 60 + second;
        Some(Self(days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + number(20, 26)?))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_from_days(self.0.div_euclid(MICROS_PER_DAY));
        let micros = self.0.rem_euclid(MICROS_PER_DAY);
        let (seconds, fraction) = (micros / MICROS_PER_SECOND, micros % MICROS_PER_SECOND);
        let (hour, minute, second) = (seconds / 3600, seconds / 60 % 60, seconds % 60);
        write!(f, "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{fraction:06}Z")
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn known_instants() {
        for (micros, text) in [
            (0, "1970-01-01T00:00:00.000000Z"),
            (951_782_400_000_000, "2000-02-29T00:00:00.000000Z"),
            (1_764_000_000_123_456, "2025-11-24T16:00:00.123456Z"),
            (Timestamp::FIRST.0, "0000-01-01T00:00:00.000000Z"),
            (Timestamp::LAST.0, "9999-12-31T23:59:59.999999Z"),
        ] {
            assert_eq!(Timestamp(micros).to_string(), text);
            assert_eq!(Timestamp::parse(text), Some(Timestamp(micros)));
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for text in [
            "2026-01-01T00:00:00Z",
            "2026-01-01T00:00:00.000Z",
            "2026-01-01t00:00:00.000000z",
            "2026-01-01T00:00:00.000000+00:00",
            "2026-01-01T00:00:60.000000Z",
            "2026-01-01T24:00:00.000000Z",
            "2026-02-29T00:00:00.000000Z",
            "2026-13-01T00:00:00.000000Z",
            "2026-00-01T00:00:00.000000Z",
            "2026-01-00T00:00:00.000000Z",
            "２026-01-01T00:00:00.000000Z",
        ] {
            assert_eq!(Timestamp::parse(text), None, "{text}");
        }
    }

    #[test]
    fn beyond_the_first_and_the_last_there_is_nothing() {
        assert_eq!(Timestamp::LAST.saturating_add(1), Timestamp::LAST);
        assert_eq!(Timestamp::FIRST.saturating_add(i64::MIN), Timestamp::FIRST);
        assert_eq!((Timestamp::LAST.checked_add(1), Timestamp::FIRST.checked_add(-1)), (None, None));
        assert_eq!(
            Timestamp::FIRST.checked_add(Timestamp::LAST.since(Timestamp::FIRST)),
            Some(Timestamp::LAST)
        );
        assert_eq!(
            (Timestamp::clamped(i64::MIN), Timestamp::clamped(i64::MAX)),
            (Timestamp::FIRST, Timestamp::LAST)
        );
    }

    fn any_time() -> impl Strategy<Value = Timestamp> {
        (Timestamp::FIRST.0..=Timestamp::LAST.0).prop_map(Timestamp)
    }

    proptest! {
        #[test]
        fn text_and_instant_agree_and_keep_their_order(a in any_time(), b in any_time()) {
            prop_assert_eq!(Timestamp::parse(&a.to_string()), Some(a));
            prop_assert_eq!(Timestamp::recorded(&a.to_string()), Some(a));
            prop_assert_eq!(a.cmp(&b), a.to_string().cmp(&b.to_string()));
            prop_assert_eq!(b.saturating_add(a.since(b)), a);
        }
    }
}
