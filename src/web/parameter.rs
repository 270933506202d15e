//! What is read alike wherever it stands in a query.

use crate::spec::time::{Rfc3339, Timestamp};

/// The time in a parameter; none if it is no RFC 3339 time, or lies outside the years 0000 to 9999.
#[must_use]
pub fn time_parameter(text: &str) -> Option<Timestamp> {
    // In a query `+` stands for a space; an offset that was not escaped is still one.
    let read = Rfc3339::read(text).or_else(|| Rfc3339::read(&text.replace(' ', "+")));
    read.and_then(Rfc3339::exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_may_come_with_a_bare_plus() {
        let time = Timestamp::parse("2026-03-01T08:30:00.000000Z");
        for text in ["2026-03-01T09:30:00+01:00", "2026-03-01T09:30:00 01:00", "2026-03-01 09:30:00+01:00"] {
            assert_eq!(time_parameter(text), time, "{text}");
        }
    }

    #[test]
    fn what_the_ledger_cannot_hold_is_no_time() {
        for text in ["0000-01-01T00:00:00 23:59", "9999-12-31T23:59:59-23:59", "yesterday", "2026-03-01", ""]
        {
            assert_eq!(time_parameter(text), None, "{text}");
        }
    }
}
