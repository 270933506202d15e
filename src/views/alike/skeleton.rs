//! What is left of a name when all that a reader overlooks is taken away.
//!
//! Case and width (NFKC), characters that are drawn alike (the skeleton of Unicode Technical Standard 39), characters that
//! are not drawn at all, zeros before a number, and what separates parts: `-`, `_`, `.`, `:` and blanks are one separator,
//! which only counts between two digits. So `CLD_007` is `cld-7`, and `1.1` is not `11`.

use std::sync::LazyLock;
use unicode_normalization::UnicodeNormalization as _;

/// Characters of a name that are looked at.
///
/// Reason: ids have at most 512, and each may stand for some.
const MAX_CHARS: usize = 1_024;

/// What each character of ASCII looks like.
static ASCII: LazyLock<Vec<String>> = LazyLock::new(|| {
    let drawn = |byte: u8| drawn_alike(&char::from(byte).to_string());
    (0..128).map(drawn).collect()
});

/// The skeleton of a name.
pub(super) fn skeleton(name: &str) -> String {
    if name.is_ascii() {
        let lower = name.chars().take(MAX_CHARS).map(|character| character.to_ascii_lowercase());
        let plain = without_separators(lower);
        let drawn = plain.bytes().filter_map(|byte| ASCII.get(usize::from(byte)));
        return drawn.map(String::as_str).collect();
    }
    let folded = name.nfkc().take(MAX_CHARS).flat_map(char::to_lowercase);
    drawn_alike(&without_separators(folded))
}

fn drawn_alike(text: &str) -> String {
    let skeleton: String = unicode_security::skeleton(text).collect();
    skeleton.to_lowercase()
}

/// Whether it is not drawn.
fn is_unseen(character: char) -> bool {
    matches!(character, '\u{ad}' | '\u{34f}' | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{e0000}'..='\u{e0fff}')
}

fn is_separator(character: char) -> bool {
    matches!(
        character,
        '-' | '_' | '.' | ':' | '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{2800}' | '\u{30fb}' | '\u{b7}'
    ) || character.is_whitespace()
}

/// Without what separates, but for one `-` between two digits, and without zeros before a number.
fn without_separators(characters: impl Iterator<Item = char>) -> String {
    let mut plain = String::new();
    let mut characters = characters.filter(|character| !is_unseen(*character)).peekable();
    let (mut separated, mut in_number) = (false, false);
    while let Some(character) = characters.next() {
        if is_separator(character) {
            (separated, in_number) = (true, false);
            continue;
        }
        let is_digit = character.is_ascii_digit();
        if is_digit && separated && plain.ends_with(|last: char| last.is_ascii_digit()) {
            plain.push('-');
        }
        separated = false;
        let leads = character == '0' && !in_number;
        if leads && characters.peek().is_some_and(char::is_ascii_digit) {
            continue;
        }
        in_number = is_digit;
        plain.push(character);
    }
    plain
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_a_reader_overlooks_makes_no_difference() {
        let alike = [
            ["CLD-120417", "cld_120417"],
            ["user:u-1003", "USER:U1003"],
            ["D-007", "D-7"],
            ["D-10", "D-1O"],
            ["D-11", "D-l1"],
            ["model", "rnodel"],
            // Cyrillic.
            ["/bank/\u{441}ases", "/bank/cases"],
            ["\u{ff21}\u{ff22}-1", "AB-1"],
            ["case\u{a0}1", "case-1"],
            ["a\u{200b}b", "ab"],
            ["1\u{2010}1", "1.1"],
            ["caf\u{e9}", "cafe\u{301}"],
            ["v1.0.2", "V1-0-02"],
        ];
        for [one, other] in alike {
            assert_eq!(skeleton(one), skeleton(other), "{one} {other}");
        }
        let apart = [
            ["D-10", "D-100"],
            ["D-1-1", "D-11"],
            ["1.1", "11"],
            ["u-1003", "u-1004"],
            ["cases", "case"],
            ["/a/b", "/ab"],
            ["D-0", "D"],
        ];
        for [one, other] in apart {
            assert_ne!(skeleton(one), skeleton(other), "{one} {other}");
        }
    }

    #[test]
    fn a_name_of_long_characters_has_a_skeleton_of_bounded_length() {
        // One character that stands for eighteen.
        let long = "\u{fdfa}".repeat(100_000);
        assert!(skeleton(&long).chars().count() < 8 * MAX_CHARS);
    }

    proptest! {
        /// The short way of ASCII is the long way.
        #[test]
        fn what_is_plain_text_has_the_skeleton_that_all_text_has(name in "[ -~]{0,40}") {
            let folded = name.nfkc().take(MAX_CHARS).flat_map(char::to_lowercase);
            prop_assert_eq!(skeleton(&name), drawn_alike(&without_separators(folded)));
        }

        #[test]
        fn case_separators_and_zeros_never_tell_names_apart(parts in prop::collection::vec("[a-z]{1,4}[1-9]{0,3}", 1..5)) {
            let plain = parts.join("-");
            let other = parts.join("_").to_uppercase();
            prop_assert_eq!(skeleton(&plain), skeleton(&other));
            let zeros: Vec<String> = parts.iter().map(|part| {
                let number = part.find(|character: char| character.is_ascii_digit()).unwrap_or(part.len());
                let (word, number) = part.split_at(number);
                if number.is_empty() { word.to_owned() } else { format!("{word}00{number}") }
            }).collect();
            prop_assert_eq!(skeleton(&plain), skeleton(&zeros.join(".")));
        }
    }
}
