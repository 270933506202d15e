//! CSV as RFC 4180 writes it, and such that a spreadsheet takes no cell for a formula.
//!
//! Whatever others wrote may stand in a cell, and a spreadsheet that opens the file would reckon with a text that begins
//! with `=`, and may send the rest of the sheet somewhere. Such a text gets an apostrophe before it, which spreadsheets take
//! as "this is text". A text that begins with an apostrophe gets another one, so that taking one away from whatever begins
//! with one gives back what was there.

/// What ends a line.
pub const END: &str = "\r\n";

/// What stands between two cells.
pub const BETWEEN: char = ',';

/// With what a formula begins, in some spreadsheet: also full-width and small, as East Asian keyboards have them.
const BEGINS_FORMULA: &[char] = &[
    '=', '+', '-', '@', '\u{ff1d}', '\u{ff0b}', '\u{ff0d}', '\u{ff20}', '\u{fe66}', '\u{fe62}', '\u{fe63}',
    '\u{fe6b}',
];

/// Writes a text as a cell. An empty one stands in quotes: it is not the same as nothing.
pub fn write_text(out: &mut String, text: &str) {
    let is_guarded = begins_formula(text);
    let is_plain = |character: char| !matches!(character, ',' | ';' | '"') && !character.is_control();
    let is_trimmed = text.trim().len() == text.len();
    if !is_guarded && !text.is_empty() && is_trimmed && text.chars().all(is_plain) {
        out.push_str(text);
        return;
    }
    out.push('"');
    if is_guarded {
        out.push('\'');
    }
    for character in text.chars() {
        if character == '"' {
            out.push('"');
        }
        out.push(character);
    }
    out.push('"');
}

/// Whether a spreadsheet may take a text for a formula, or for one that was made harmless before. Blanks before it are
/// passed over, as some do.
fn begins_formula(text: &str) -> bool {
    let is_passed_over = |character: char| {
        character.is_whitespace()
            || character.is_control()
            || matches!(character, '\u{200b}'..='\u{200f}' | '\u{2060}' | '\u{feff}')
    };
    text.starts_with(['\'', '\t', '\r', '\n'])
        || text.trim_start_matches(is_passed_over).starts_with(BEGINS_FORMULA)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cell(text: &str) -> String {
        let mut out = String::new();
        write_text(&mut out, text);
        out
    }

    #[test]
    fn quotes_are_there_where_they_are_needed_and_doubled_inside() {
        for (text, expected) in [
            ("APR-0005", "APR-0005"),
            ("two words", "two words"),
            ("größer 日本", "größer 日本"),
            ("", "\"\""),
            ("a,b", "\"a,b\""),
            ("a;b", "\"a;b\""),
            ("say \"no\"", "\"say \"\"no\"\"\""),
            ("a\r\nb", "\"a\r\nb\""),
            (" a", "\" a\""),
            ("a ", "\"a \""),
            ("[\"a\",1]", "\"[\"\"a\"\",1]\""),
        ] {
            assert_eq!(cell(text), expected);
        }
    }

    #[test]
    fn nothing_is_left_that_a_spreadsheet_would_reckon_with() {
        for text in [
            "=1+1",
            "+49 30 1",
            "-1",
            "@SUM(A1)",
            "\t=1",
            "\r=1",
            "\n=1",
            "\tx",
            " =1",
            "\u{feff}=1",
            "\u{200b}=1",
            "\u{a0}+1",
            "＝1",
            "＋1",
            "－1",
            "＠x",
            "﹦1",
            "'=1",
            "=cmd|' /C calc'!A0",
        ] {
            let expected = format!("\"'{}\"", text.replace('"', "\"\""));
            assert_eq!(cell(text), expected, "{text:?}");
        }
        for text in ["a=1", "1-1", "user:u-1", "/a", "{\"a\":1}", "2026-03-01", "~"] {
            assert!(!cell(text).contains('\''), "{text:?}");
        }
    }
}
