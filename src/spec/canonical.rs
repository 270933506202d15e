//! Canonical JSON, written (RFC 8785, JCS). What is read by [`crate::json`] is already in canonical order and
//! holds only numbers that JCS carries exactly; here it becomes bytes.

use crate::json::{Json, JsonError};
use std::fmt::Write as _;

/// The canonical text of a value.
#[must_use]
pub fn to_string(value: &Json<'_>) -> String {
    let mut out = String::new();
    write(value, &mut out);
    out
}

/// Appends the canonical text of a value.
pub fn write(value: &Json<'_>, out: &mut String) {
    match value {
        Json::Null => out.push_str("null"),
        Json::Bool(true) => out.push_str("true"),
        Json::Bool(false) => out.push_str("false"),
        Json::Number(number) => out.push_str(ryu_js::Buffer::new().format_finite(*number)),
        Json::String(text) => write_string(text, out),
        Json::Array(items) => {
            out.push('[');
            for (i, item) in items.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write(item, out);
            }
            out.push(']');
        }
        Json::Object(members) => {
            out.push('{');
            for (i, (name, value)) in members.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_string(name, out);
                out.push(':');
                write(value, out);
            }
            out.push('}');
        }
    }
}

/// How many bytes at the start of a string stand for themselves in JSON: up to the first quote, backslash or
/// control character.
#[must_use]
pub fn plain_prefix(bytes: &[u8]) -> usize {
    const ONES: u64 = 0x0101_0101_0101_0101;
    const TOPS: u64 = 0x8080_8080_8080_8080;
    // Sets the top bit of a byte below `n` (n ≤ 128), and perhaps of bytes above such a one; none if there is none.
    let below = |word: u64, n: u64| word.wrapping_sub(ONES * n) & !word & TOPS;
    // Eight at a time, because strings are most of what a ledger holds and are read and written once per entry.
    let (words, _) = bytes.as_chunks::<8>();
    let words = words.iter().take_while(|word| {
        let word = u64::from_le_bytes(**word);
        let quote = word ^ (ONES * u64::from(b'"'));
        let backslash = word ^ (ONES * u64::from(b'\\'));
        below(word, 0x20) | below(quote, 1) | below(backslash, 1) == 0
    });
    let start = words.count() * 8;
    let rest = bytes.iter().skip(start).position(|byte| matches!(byte, 0..=0x1f | b'"' | b'\\'));
    rest.map_or(bytes.len(), |length| start + length)
}

/// Appends a string with the escapes of RFC 8785 §3.2.2.2, and no others.
pub fn write_string(text: &str, out: &mut String) {
    out.push('"');
    let mut rest = text;
    loop {
        // Only ASCII is ever escaped, so this is always a character boundary.
        let (plain, special) = rest.split_at(plain_prefix(rest.as_bytes()));
        out.push_str(plain);
        let Some(byte) = special.bytes().next() else { break };
        match byte {
            b'"' => out.push_str("\\\""),
            b'\\' => out.push_str("\\\\"),
            0x08 => out.push_str("\\b"),
            b'\t' => out.push_str("\\t"),
            b'\n' => out.push_str("\\n"),
            0x0c => out.push_str("\\f"),
            b'\r' => out.push_str("\\r"),
            _ => {
                let _ = write!(out, "\\u{byte:04x}");
            }
        }
        rest = &special[1..];
    }
    out.push('"');
}

/// Whether `spelling`, with its quotes, is how [`write_string`] writes `text`.
#[must_use]
pub fn is_spelt(text: &str, spelling: &str) -> bool {
    let mut canonical = String::with_capacity(spelling.len());
    write_string(text, &mut canonical);
    canonical == spelling
}

/// Reads a string in its one canonical spelling, from its opening quote on: the string, and what follows it. None
/// for any other spelling. What this reads, [`write_string`] writes back to the same bytes.
#[must_use]
pub fn read_string(text: &str) -> Option<(String, &str)> {
    let mut rest = text.strip_prefix('"')?;
    // An escape is never shorter than what it stands for.
    let mut out = String::with_capacity(rest.len());
    loop {
        let (plain, special) = rest.split_at(plain_prefix(rest.as_bytes()));
        out.push_str(plain);
        if let Some(after) = special.strip_prefix('"') {
            return Some((out, after));
        }
        // Quotes are nearly all of what is escaped in an export's line.
        if let Some(after) = special.strip_prefix("\\\"") {
            out.push('"');
            rest = after;
            continue;
        }
        let mut escape = special.strip_prefix('\\')?.chars();
        out.push(match escape.next()? {
            '"' => '"',
            '\\' => '\\',
            'b' => '\u{8}',
            't' => '\t',
            'n' => '\n',
            'f' => '\u{c}',
            'r' => '\r',
            'u' => {
                let digits = escape.as_str().get(..4)?;
                escape = escape.as_str()[4..].chars();
                let [0, code] = crate::encoding::from_hex::<2>(digits)? else { return None };
                // Only control characters are escaped by number, and only those without a shorter escape.
                if code >= 0x20 || matches!(code, 0x08 | 0x09 | 0x0a | 0x0c | 0x0d) {
                    return None;
                }
                char::from(code)
            }
            _ => return None,
        });
        rest = escape.as_str();
    }
}

/// Reads a JSON text and writes it canonically.
///
/// # Errors
/// What [`Json::parse`] refuses.
pub fn canonicalize(text: &[u8], max_depth: usize) -> Result<String, JsonError> {
    Json::parse(text, max_depth).map(|value| to_string(&value))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// RFC 8785 §3.2.2 and §3.2.3, the worked example, less its one number that is not its own canonical form
    /// (333333333.33333329), which the ledger refuses.
    #[test]
    fn rfc_8785_example() {
        let input = r#"{
            "numbers": [333333333.3333333, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/",
            "literals": [null, true, false]
        }"#;
        let expected = "{\"literals\":[null,true,false],\"numbers\":[333333333.3333333,1e+30,4.5,0.002,1e-27],\"string\":\"€$\\u000f\\nA'B\\\"\\\\\\\\\\\"/\"}";
        assert_eq!(canonicalize(input.as_bytes(), 8).unwrap(), expected);
        let refused = input.replace("333333333.3333333,", "333333333.33333329,");
        assert_eq!(canonicalize(refused.as_bytes(), 8).unwrap_err().pointer, "/numbers/0");
    }

    proptest! {
        #[test]
        fn strings_have_one_spelling(text in "[\\PC\\x00-\\x1f\"\\\\]{0,40}", rest in "[\\PC\"]{0,4}") {
            let mut written = String::new();
            write_string(&text, &mut written);
            prop_assert_eq!(Json::parse(written.as_bytes(), 0), Ok(Json::String(text.as_str().into())));
            let followed = format!("{written}{rest}");
            prop_assert_eq!(read_string(&followed), Some((text, rest.as_str())));
        }

        #[test]
        fn what_is_read_is_written_back(spelling in "\"[a-fu0-9\\\\nrt/\"\\x00-\\x21é\u{1F600}]{0,12}\"") {
            if let Some((text, rest)) = read_string(&spelling) {
                let mut written = String::new();
                write_string(&text, &mut written);
                prop_assert_eq!(written + rest, spelling);
            }
        }

        #[test]
        fn plain_prefixes_end_where_they_must(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            let expected = bytes.iter().position(|b| *b < 0x20 || *b == b'"' || *b == b'\\');
            prop_assert_eq!(plain_prefix(&bytes), expected.unwrap_or(bytes.len()));
        }
    }

    /// RFC 8785 §3.2.3: sorting by UTF-16 code units.
    #[test]
    fn rfc_8785_sorting_example() {
        let input = r#"{
            "\u20ac": "Euro Sign", "\r": "Carriage Return", "\ufb33": "Hebrew Letter Dalet With Dagesh",
            "1": "One", "\ud83d\ude00": "Emoji: Grinning Face", "\u0080": "Control",
            "\u00f6": "Latin Small Letter O With Diaeresis"
        }"#;
        let text = canonicalize(input.as_bytes(), 8).unwrap();
        let order = ["Carriage", "One", "Control", "Latin", "Euro", "Emoji", "Hebrew"];
        let places: Vec<_> = order.iter().map(|word| text.find(word).unwrap()).collect();
        assert!(places.is_sorted(), "{text}");
    }

    /// RFC 8785 appendix B, the finite samples: IEEE 754 bits and their text.
    #[test]
    fn rfc_8785_number_samples() {
        for (bits, text) in [
            (0x0000_0000_0000_0000_u64, "0"),
            (0x0000_0000_0000_0001, "5e-324"),
            (0x8000_0000_0000_0001, "-5e-324"),
            (0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308"),
            (0xffef_ffff_ffff_ffff, "-1.7976931348623157e+308"),
            (0x4340_0000_0000_0000, "9007199254740992"),
            (0xc340_0000_0000_0000, "-9007199254740992"),
            (0x4430_0000_0000_0000, "295147905179352830000"),
            (0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22"),
            (0x44b5_2d02_c7e1_4af6, "1e+23"),
            (0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23"),
            (0x444b_1ae4_d6e2_ef4e, "999999999999999700000"),
            (0x444b_1ae4_d6e2_ef4f, "999999999999999900000"),
            (0x444b_1ae4_d6e2_ef50, "1e+21"),
            (0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7"),
            (0x3eb0_c6f7_a0b5_ed8d, "0.000001"),
            (0x41b3_de43_5555_5553, "333333333.3333332"),
            (0x41b3_de43_5555_5554, "333333333.33333325"),
            (0x41b3_de43_5555_5555, "333333333.3333333"),
            (0x41b3_de43_5555_5556, "333333333.3333334"),
            (0x41b3_de43_5555_5557, "333333333.33333343"),
            (0xbecb_f647_612f_3696, "-0.0000033333333333333333"),
            (0x4314_3ff3_c1cb_0959, "1424953923781206.2"),
        ] {
            assert_eq!(to_string(&Json::Number(f64::from_bits(bits))), text, "{bits:016x}");
        }
    }
}
