//! Numbers of JSON and the doubles that carry them (FORMATS.md section 2, "Canonical or refused").
//!
//! A recorded text has one spelling for each number: the shortest that names its double (RFC 8785 §3.2.2.3). What comes
//! in may be spelled otherwise, and printers of doubles do so: `%.17g` writes 0.10000000000000001 for a tenth. It is
//! taken where nobody can mean anything else by it, and refused where an amount or an id would change.

use std::fmt;

/// How far what is taken may lie from what was written, in ten-quadrillionths: less than a millionth.
///
/// Reason: a cent is ten thousand times as much, and what printers of doubles add below some 10^10 is less.
const CLOSE: u128 = 10_000_000_000;

/// Digits after the point that are compared.
///
/// Reason: a number from 1 on with a fraction and 17 digits has at most 16 after its point, and so has its double's
/// shortest form.
const COMPARED_DIGITS: i64 = 16;

/// Significant digits that a number may have whose double's shortest form is another number.
///
/// Reason: 17 tell every double from its neighbours; whoever writes more means more than a double.
const MAX_DIGITS: usize = 17;

/// Which numbers are read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Numbers {
    /// Those that are the same number in the shortest form: what recorded texts hold.
    Exact,
    /// Those too of which the shortest form is what was meant: what comes in.
    Carried,
}

/// The double that lies nearest to a number and does not carry it. Shown in its shortest form.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Nearest(u64);

impl fmt::Display for Nearest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(ryu_js::Buffer::new().format_finite(f64::from_bits(self.0)))
    }
}

/// The double that a literal of JSON names, and whether the literal is its shortest form.
///
/// # Errors
/// The double next to it is not taken for it: that double, where it is finite.
pub(crate) fn read(literal: &str, numbers: Numbers) -> Result<(f64, bool), Option<Nearest>> {
    // Up to 15 digits every integer is a double, and prints as itself.
    let short_integer = literal.len() <= 15 && literal.bytes().all(|b| b.is_ascii_digit());
    // The standard library parses with correct rounding.
    let value: f64 = literal.parse().map_err(|_| None)?;
    if short_integer {
        return Ok((value, true));
    }
    if !value.is_finite() {
        return Err(None);
    }
    // −0 is written as 0: one number, two literals.
    let value = if value == 0.0 { 0.0 } else { value };
    let mut buffer = ryu_js::Buffer::new();
    let shortest = buffer.format_finite(value);
    if shortest == literal {
        return Ok((value, true));
    }
    let (written, taken) = (Decimal::of(literal), Decimal::of(shortest));
    let carried = written == taken
        || numbers == Numbers::Carried
            && value != 0.0
            && written.is_no_whole_number()
            && written.is_meant_by(&taken);
    if carried { Ok((value, false)) } else { Err(Some(Nearest(value.to_bits()))) }
}

/// A decimal number, so that equal numbers are equal: no zeros at either end of the digits.
#[derive(Debug, PartialEq, Eq)]
struct Decimal {
    negative: bool,
    digits: String,
    /// Of ten, by which the digits are multiplied.
    power: i64,
}

impl Decimal {
    fn of(literal: &str) -> Self {
        let (negative, rest) = literal.strip_prefix('-').map_or((false, literal), |rest| (true, rest));
        let (mantissa, exponent) = rest.split_once(['e', 'E']).unwrap_or((rest, "0"));
        let (integer, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        // An exponent too long for i64 saturates: such a number is zero or no double at all, and fails elsewhere.
        let exponent =
            exponent.parse::<i64>().unwrap_or(if exponent.starts_with('-') { i64::MIN } else { i64::MAX });
        let digits = format!("{integer}{fraction}");
        let significant = digits.trim_end_matches('0');
        let dropped = digits.len() - significant.len();
        let significant = significant.trim_start_matches('0');
        if significant.is_empty() {
            return Self { negative: false, digits: String::new(), power: 0 };
        }
        let power = exponent.saturating_sub(fraction.len() as i64).saturating_add(dropped as i64);
        Self { negative, digits: significant.to_owned(), power }
    }

    fn is_no_whole_number(&self) -> bool {
        self.power < 0
    }

    /// Whether the shortest form of its nearest double lies so close that nothing else can be meant.
    fn is_meant_by(&self, taken: &Self) -> bool {
        if self.digits.len() > MAX_DIGITS {
            return false;
        }
        // Below 1 a double and its shortest form are closer than that, whatever their digits.
        if self.digits.len() as i64 + self.power <= 0 {
            return true;
        }
        match (self.in_parts(), taken.in_parts()) {
            (Some(written), Some(taken)) => written.abs_diff(taken) < CLOSE,
            _ => false,
        }
    }

    /// How many ten-quadrillionths it has, whatever its sign; none where it is larger than any of 17 digits.
    fn in_parts(&self) -> Option<u128> {
        let scale = u32::try_from(self.power.checked_add(COMPARED_DIGITS)?).ok()?;
        self.digits.parse::<u128>().ok()?.checked_mul(10_u128.checked_pow(scale)?)
    }
}

#[cfg(test)]
mod tests {
    use crate::canonical;
    use crate::json::{Fault, Json};
    use proptest::prelude::*;

    /// What becomes of a number that comes in.
    #[derive(Debug, PartialEq)]
    enum Fate {
        RecordedAs(String),
        Refused,
    }

    fn fate(literal: &str) -> Fate {
        match Json::parse_incoming(literal.as_bytes(), 0) {
            Ok(value) => Fate::RecordedAs(canonical::to_string(&value)),
            Err(error) => {
                assert!(matches!(error.fault, Fault::InexactNumber(_)), "{literal}: {error}");
                Fate::Refused
            }
        }
    }

    /// FORMATS.md, section 2, sentence by sentence, with digits written out in full: slow, and without a clever step.
    mod model {
        /// The digits before and after the point, the first without zeros before, the second without zeros after.
        pub fn spelled_out(literal: &str) -> (String, String) {
            let unsigned = literal.trim_start_matches('-');
            let (mantissa, exponent) = match unsigned.find(['e', 'E']) {
                Some(at) => (&unsigned[..at], unsigned[at + 1..].parse::<i32>().unwrap()),
                None => (unsigned, 0),
            };
            let (mut before, mut after) = match mantissa.find('.') {
                Some(at) => (mantissa[..at].to_owned(), mantissa[at + 1..].to_owned()),
                None => (mantissa.to_owned(), String::new()),
            };
            for _ in 0..exponent.max(0) {
                let next = if after.is_empty() { '0' } else { after.remove(0) };
                before.push(next);
            }
            for _ in 0..(-exponent).max(0) {
                after.insert(0, before.pop().unwrap_or('0'));
            }
            (before.trim_start_matches('0').to_owned(), after.trim_end_matches('0').to_owned())
        }

        fn significant_digits((before, after): &(String, String)) -> usize {
            format!("{before}{after}").trim_matches('0').len()
        }

        /// Whether two numbers differ by less than 0.000001: by columns, as on paper.
        fn are_close(a: &(String, String), b: &(String, String)) -> bool {
            let (whole, part) = (a.0.len().max(b.0.len()), a.1.len().max(b.1.len()).max(6));
            let line = |n: &(String, String)| {
                format!("{:0>whole$}{:0<part$}", n.0, n.1)
                    .bytes()
                    .map(|digit| i32::from(digit - b'0'))
                    .collect::<Vec<_>>()
            };
            let (a, b) = (line(a), line(b));
            let (more, less) = if a >= b { (a, b) } else { (b, a) };
            let (mut difference, mut borrowed) = (Vec::new(), 0);
            for (more, less) in more.iter().zip(&less).rev() {
                let column = more - less - borrowed;
                borrowed = i32::from(column < 0);
                difference.push(column.rem_euclid(10));
            }
            difference.reverse();
            // Nothing in the whole digits, nor in the first six after the point.
            difference[..whole + 6].iter().all(|digit| *digit == 0)
        }

        /// The shortest form that the number is recorded in; none if it is refused. What the nearest double is, and what
        /// its shortest form, is asked of other libraries.
        pub fn recorded(literal: &str) -> Option<String> {
            let nearest: f64 = literal.parse().unwrap();
            if !nearest.is_finite() {
                return None;
            }
            let shortest = serde_json_canonicalizer::to_string(&nearest).unwrap();
            let (written, taken) = (spelled_out(literal), spelled_out(&shortest));
            if written == taken {
                return Some(shortest);
            }
            let is_whole = written.1.is_empty();
            let is_close = !is_whole
                && nearest != 0.0
                && significant_digits(&written) <= 17
                && are_close(&written, &taken);
            is_close.then_some(shortest)
        }
    }

    fn expected(literal: &str) -> Fate {
        model::recorded(literal).map_or(Fate::Refused, Fate::RecordedAs)
    }

    #[test]
    fn the_numbers_of_the_page_get_in_or_are_refused_as_it_says() {
        let recorded = |text: &str| Fate::RecordedAs(text.to_owned());
        for (literal, becomes) in [
            ("0.10000000000000001", recorded("0.1")),
            ("333333333.33333329", recorded("333333333.3333333")),
            ("1e16", recorded("10000000000000000")),
            ("-0", recorded("0")),
            ("9007199254740992", recorded("9007199254740992")),
            ("9007199254740993", Fate::Refused),
            ("9223372036854775808", Fate::Refused),
            ("90071992547409.93", Fate::Refused),
            ("1e-400", Fate::Refused),
            ("1e400", Fate::Refused),
            ("0.100000000000000000001", Fate::Refused),
        ] {
            assert_eq!(fate(literal), becomes, "{literal}");
            assert_eq!(expected(literal), becomes, "the model, of {literal}");
        }
    }

    #[test]
    fn the_edges_of_the_rule_are_where_the_page_draws_them() {
        for literal in [
            // 17 digits and 18; zeros at either end are not counted.
            "0.12345678901234567",
            "0.123456789012345678",
            "0.0000123456789012345670000",
            "1.2345678901234567e-5",
            // Whole numbers, however they are spelled, are themselves or refused.
            "9007199254740993.0",
            "900719925474099.3e1",
            "9007199254740993e0",
            "18014398509481985",
            // A difference of a millionth, and of less.
            "8589934592.0000001",
            "8589934592.0000009",
            "8589934592.000001",
            "17179869184.000001",
            "17179869184.000002",
            "34359738368.000004",
            // Printed with 17 digits, and by a millionth away from the shortest form: not by less.
            "9890410605.7429790",
            // The nearest double is zero, or the smallest there is.
            "2.4e-324",
            "2.5e-324",
            "4.9406564584124654e-324",
            "1.7976931348623158e308",
            "1.7976931348623159e308",
            "0.99999999999999999",
            "0.999999999999999999",
            "-0.10000000000000001",
            "-9007199254740993",
            "0e5",
            "-0.0e-3",
        ] {
            assert_eq!(fate(literal), expected(literal), "{literal}");
        }
    }

    #[test]
    fn a_refusal_shows_what_would_have_been_taken() {
        let shown = |literal: &str| match Json::parse_incoming(literal.as_bytes(), 0).unwrap_err().fault {
            Fault::InexactNumber(nearest) => nearest.map(|nearest| nearest.to_string()),
            other => panic!("{other}"),
        };
        assert_eq!(shown("9007199254740993").as_deref(), Some("9007199254740992"));
        assert_eq!(shown("90071992547409.93").as_deref(), Some("90071992547409.94"));
        assert_eq!(shown("1e-400").as_deref(), Some("0"));
        assert_eq!(shown("1e400"), None);
    }

    /// A recorded text has the one spelling, and so have all other texts of the formats.
    #[test]
    fn what_verifiers_read_knows_no_other_spelling_than_before() {
        for literal in ["0.10000000000000001", "333333333.33333329", "1.0000000000000001"] {
            assert!(Json::parse(literal.as_bytes(), 0).is_err(), "{literal}");
            assert!(Json::parse_telling(literal, 0).is_err(), "{literal}");
        }
    }

    /// Literals near to what matters: what `%.17g` and others print, doubles with a digit changed, whole numbers near
    /// powers of two, and any digits at all.
    fn any_literal() -> impl Strategy<Value = String> {
        let double = any::<u64>().prop_map(f64::from_bits).prop_filter("finite", |double| double.is_finite());
        let everyday = (any::<i64>(), 0..18_i32).prop_map(|(n, places)| n as f64 / 10_f64.powi(places));
        let printed = (prop_oneof![double, everyday], 0..20_usize, any::<bool>()).prop_map(
            |(double, places, exponent)| {
                if exponent { format!("{double:.places$e}") } else { format!("{:.places$}", double % 1e18) }
            },
        );
        let near_a_power =
            (40..70_u32, -3..4_i128).prop_map(|(power, away)| ((1_i128 << power) + away).to_string());
        let digits = ("-?(0|[1-9][0-9]{0,20})", "(\\.[0-9]{1,22})?", "([eE][-+]?[0-9]{1,3})?")
            .prop_map(|(integer, fraction, exponent)| format!("{integer}{fraction}{exponent}"));
        prop_oneof![4 => printed, 1 => near_a_power, 3 => digits]
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(4_096))]

        #[test]
        fn numbers_get_in_as_the_page_says(literal in any_literal()) {
            prop_assert_eq!(fate(&literal), expected(&literal), "{}", literal);
        }

        /// What a printer of doubles writes, the reader takes for that double, in the shortest form. From 2^33 on, doubles lie
        /// two millionths apart, and the two forms may differ by a whole one: then it is refused, as the page says.
        #[test]
        fn what_seventeen_digits_print_gets_in(double in -8_589_934_592.0..8_589_934_592.0_f64) {
            let (printed, shortest) = (format!("{double:.16e}"), serde_json_canonicalizer::to_string(&double).unwrap());
            prop_assert_eq!(fate(&printed), Fate::RecordedAs(shortest), "{}", printed);
        }

        /// What is recorded is read by verifiers as what it is.
        #[test]
        fn what_is_recorded_is_canonical(literal in any_literal()) {
            if let Fate::RecordedAs(text) = fate(&literal) {
                let read = Json::parse_telling(&text, 0).map(|(_, canonical)| canonical);
                prop_assert_eq!(read, Ok(true), "{} became {}", literal, text);
            }
        }
    }
}
