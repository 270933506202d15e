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
    pub(super) fn parse(text: &str) -> Option<Span> {
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

    #[test]
    fn a_span_is_written_as_it_is_read() {
        for text in ["P1Y", "P3M", "P1Y2M", "P30D", "PT4H", "P1DT4H30M"] {
            assert_eq!(Span::parse(text).unwrap().to_string(), text);
        }
        assert_eq!(Span::parse("P2W").unwrap().to_string(), "P14D");
    }
}
