//! The one reader of times that others wrote.
//!
//! RFC 3339 leaves more open than the ledger wants: lower case, a space for the `T`, a leap second. What comes in may be
//! held to less ([`Rfc3339::is_plain`]); what was recorded once is read as it was then, to the same instant, for ever.

use super::calendar::{days_of_date, digits};
use super::timestamp::{MICROS_PER_DAY, MICROS_PER_SECOND, Timestamp};

/// A time as somebody wrote it: read, and not yet judged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Rfc3339 {
    /// Since the epoch. An offset may bring it up to a day out of what a [`Timestamp`] can hold.
    micros: i64,
    plain: bool,
}

impl Rfc3339 {
    /// Reads `2026-03-01T09:30:00.25+01:00` and whatever else RFC 3339 permits: `t` and `z`, a space for the `T`, seconds
    /// from 00 to 60 (60 is the first of the next minute), a fraction of any length, of which microseconds are kept.
    /// Offsets go up to 23:59, and their minus may be U+2212. None: it is no such time, or not one of the calendar.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let (moment, rest) = text.as_bytes().split_at_checked(19)?;
        let [y1, y2, y3, y4, b'-', mo1, mo2, b'-', d1, d2, joiner, h1, h2, b':', mi1, mi2, b':', s1, s2] =
            *moment
        else {
            return None;
        };
        let days = days_of_date(digits(&[y1, y2, y3, y4])?, digits(&[mo1, mo2])?, digits(&[d1, d2])?)?;
        let (hour, minute, second) = (digits(&[h1, h2])?, digits(&[mi1, mi2])?, digits(&[s1, s2])?);
        if !matches!(joiner, b'T' | b't' | b' ') || hour > 23 || minute > 59 || second > 60 {
            return None;
        }
        let (fraction, rest) = fraction(rest)?;
        let offset = Offset::read(rest)?;
        let seconds = hour * 3600 + (minute - offset.minutes) * 60 + second;
        Some(Self {
            micros: days * MICROS_PER_DAY + seconds * MICROS_PER_SECOND + fraction,
            plain: joiner == b'T' && second < 60 && offset.plain,
        })
    }

    /// Whether every reader of times reads it alike: upper-case `T` and `Z`, an ASCII minus, and no leap second, which
    /// many clocks and databases cannot hold.
    #[must_use]
    pub const fn is_plain(self) -> bool {
        self.plain
    }

    /// The time; none outside the years 0000 to 9999 in UTC.
    #[must_use]
    pub const fn exact(self) -> Option<Timestamp> {
        Timestamp::from_micros(self.micros)
    }

    /// The time, or the first or last one that there is.
    #[must_use]
    pub const fn nearest(self) -> Timestamp {
        Timestamp::clamped(self.micros)
    }
}

impl Timestamp {
    /// Reads a time that was accepted once, in any spelling of RFC 3339; where it lies outside the years 0000 to 9999, as
    /// one with an offset could in ledgers of version 0.1, the first or last time that there is. None: it is no time.
    #[must_use]
    pub fn recorded(text: &str) -> Option<Self> {
        Rfc3339::read(text).map(Rfc3339::nearest)
    }
}

/// Microseconds of a fraction of a second, if there is one, and what follows it.
fn fraction(text: &[u8]) -> Option<(i64, &[u8])> {
    let Some((b'.', text)) = text.split_first() else { return Some((0, text)) };
    let end = text.iter().position(|byte| !byte.is_ascii_digit()).unwrap_or(text.len());
    let (all, rest) = text.split_at_checked(end)?;
    let kept = all.get(..6).unwrap_or(all);
    // Six at most, so that what is missing to six is no negative number.
    let missing = u32::try_from(6 - kept.len()).ok()?;
    (!all.is_empty()).then_some((digits(kept)? * 10_i64.pow(missing), rest))
}

/// By how much a place's clocks are ahead of UTC.
struct Offset {
    minutes: i64,
    plain: bool,
}

impl Offset {
    fn read(text: &[u8]) -> Option<Self> {
        const MINUS: &[u8] = "\u{2212}".as_bytes();
        match text {
            b"Z" | b"z" => return Some(Self { minutes: 0, plain: text == b"Z" }),
            _ => {}
        }
        let (sign, plain, text) = match text.split_first()? {
            (b'+', text) => (1, true, text),
            (b'-', text) => (-1, true, text),
            _ => (-1, false, text.strip_prefix(MINUS)?),
        };
        let [h1, h2, b':', m1, m2] = *text else { return None };
        let (hours, minutes) = (digits(&[h1, h2])?, digits(&[m1, m2])?);
        (hours < 24 && minutes < 60).then_some(Self { minutes: sign * (hours * 60 + minutes), plain })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chrono::DateTime;
    use proptest::prelude::*;

    fn by_chrono(text: &str) -> Option<i64> {
        DateTime::parse_from_rfc3339(text).ok().map(|time| time.timestamp_micros())
    }

    fn text_of(time: Option<Timestamp>) -> Option<String> {
        time.map(|time| time.to_string())
    }

    #[test]
    fn a_time_is_read_in_every_spelling() {
        for (text, expected) in [
            ("2026-03-01T09:30:00Z", "2026-03-01T09:30:00.000000Z"),
            ("2026-03-01t09:30:00z", "2026-03-01T09:30:00.000000Z"),
            ("2026-03-01 09:30:00.1234567899999+05:30", "2026-03-01T04:00:00.123456Z"),
            ("2026-03-01T00:30:00\u{2212}23:59", "2026-03-02T00:29:00.000000Z"),
            ("2016-12-31T23:59:60.5Z", "2017-01-01T00:00:00.500000Z"),
        ] {
            assert_eq!(
                text_of(Rfc3339::read(text).and_then(Rfc3339::exact)).as_deref(),
                Some(expected),
                "{text}"
            );
        }
    }

    #[test]
    fn what_is_no_time_is_not_read() {
        for text in [
            "",
            "2026-03-01",
            "2026-03-01T09:30:00",
            "2026-03-01T09:30Z",
            "2026-03-01T09:30:00.Z",
            "2026-03-01T09:30:00+24:00",
            "2026-03-01T09:30:00+01",
            "2026-03-01T09:30:00+0100",
            "2026-03-01T09:30:61Z",
            "2026-03-01T24:00:00Z",
            "2026-02-29T09:30:00Z",
            "2026-03-01T09:30:00Zz",
            "12026-03-01T09:30:00Z",
            "2026-03-01T09:30:0é+01:00",
        ] {
            assert_eq!(Rfc3339::read(text), None, "{text}");
            assert_eq!(by_chrono(text), None, "{text}");
        }
    }

    #[test]
    fn plain_is_what_everybody_reads_alike() {
        let plain = |text: &str| Rfc3339::read(text).unwrap().is_plain();
        assert!(plain("2026-03-01T09:30:00.5Z") && plain("2026-03-01T09:30:59-00:00"));
        for text in [
            "2026-03-01t09:30:00Z",
            "2026-03-01T09:30:00z",
            "2026-03-01 09:30:00Z",
            "2026-03-01T09:30:60Z",
            "2026-03-01T09:30:00\u{2212}01:00",
        ] {
            assert!(!plain(text), "{text}");
        }
    }

    #[test]
    fn an_offset_that_leaves_the_years_of_four_digits_has_a_nearest_time_alone() {
        for (text, nearest) in [
            ("0000-01-01T00:00:00+23:59", Timestamp::FIRST),
            ("0000-01-01T00:00:00+00:01", Timestamp::FIRST),
            ("9999-12-31T23:59:59-23:59", Timestamp::LAST),
            ("9999-12-31T23:59:60Z", Timestamp::LAST),
        ] {
            let read = Rfc3339::read(text).unwrap();
            assert_eq!((read.exact(), read.nearest()), (None, nearest), "{text}");
        }
        let last = Rfc3339::read("9999-12-31T23:59:59.999999999Z").unwrap();
        assert_eq!(last.exact(), Some(Timestamp::LAST));
    }

    /// Texts that are times, or nearly: each part drawn from what is right and from what is nearly so.
    fn nearly_a_time() -> impl Strategy<Value = String> {
        let two = |most: u32| prop_oneof![8 => (0..=most).prop_map(|n| format!("{n:02}")), 1 => "[0-9]{1,3}"];
        let year = prop_oneof![4 => "[0-9]{4}", 2 => Just("0000".to_owned()), 2 => Just("9999".to_owned()), 1 => "[-+]?[0-9]{3,5}"];
        let joiner = prop_oneof![6 => Just("T"), 1 => Just("t"), 1 => Just(" "), 1 => Just("")];
        let fraction =
            prop_oneof![3 => Just(String::new()), 3 => "\\.[0-9]{1,12}", 1 => Just(".".to_owned())];
        let sign = prop_oneof![3 => Just("+"), 3 => Just("-"), 1 => Just("\u{2212}"), 1 => Just("")];
        let offset = prop_oneof![
            4 => Just("Z".to_owned()),
            1 => Just("z".to_owned()),
            6 => (sign, two(24), prop_oneof![6 => Just(":"), 1 => Just("")], two(60))
                .prop_map(|(sign, hours, colon, minutes)| format!("{sign}{hours}{colon}{minutes}")),
            1 => "[ -~]{0,6}",
        ];
        let date = (year, two(13), two(32)).prop_map(|(year, month, day)| format!("{year}-{month}-{day}"));
        let clock = (two(24), two(60), two(61))
            .prop_map(|(hour, minute, second)| format!("{hour}:{minute}:{second}"));
        (date, joiner, clock, fraction, offset).prop_map(|(date, joiner, clock, fraction, offset)| {
            format!("{date}{joiner}{clock}{fraction}{offset}")
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        /// Entries were accepted by chrono's reader: what it took is read to the same instant, and nothing else.
        #[test]
        fn a_time_is_read_as_chrono_reads_it(text in nearly_a_time()) {
            let read = Rfc3339::read(&text);
            prop_assert_eq!(read.map(|read| read.micros), by_chrono(&text), "{}", text);
            let letters = text.bytes().all(|byte| byte.is_ascii_digit() || b"-:.+TZ".contains(&byte));
            let plain = letters && text.as_bytes().get(10) == Some(&b'T') && text.as_bytes().get(17) != Some(&b'6');
            prop_assert!(read.is_none_or(|read| read.is_plain() == plain), "{}", text);
        }

        #[test]
        fn any_text_is_read_without_a_panic(text in "\\PC{0,40}") {
            prop_assert_eq!(Rfc3339::read(&text).map(|read| read.micros), by_chrono(&text));
        }

        #[test]
        fn what_the_ledger_writes_is_plain_and_exact(micros in Timestamp::FIRST.micros()..=Timestamp::LAST.micros()) {
            let time = Timestamp::clamped(micros);
            let read = Rfc3339::read(&time.to_string()).unwrap();
            prop_assert_eq!((read.is_plain(), read.exact()), (true, Some(time)));
        }
    }
}
