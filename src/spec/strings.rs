//! Strings in canonical JSON: their one spelling (RFC 8785 §3.2.2.2), written, read, and told from others.

use std::fmt::Write as _;

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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::json::Json;
    use proptest::prelude::*;

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
}
