//! JSON, read so strictly that what was read can be written again as the same value (FORMATS.md section 2,
//! "Canonical or refused").
//!
//! Why not a general JSON library: the ledger must refuse duplicate names, lone surrogates and numbers that a
//! double cannot carry exactly, and must say where (RFC 6901). General readers have forgotten the number's text
//! and the second of two equal names by the time anyone could ask. They serve as oracles in the tests instead.

use crate::number::{self, Nearest, Numbers};
use std::borrow::Cow;
use std::cmp::Ordering;
use std::fmt;

/// A JSON value. Strings borrow from the input where no escape forced a copy.
#[derive(Clone, Debug, PartialEq)]
pub enum Json<'a> {
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// Finite, and the number that its text said, or what was meant by it ([`Json::parse_incoming`]).
    Number(f64),
    /// Text, its escapes resolved.
    String(Cow<'a, str>),
    /// Values in the order of their text.
    Array(Vec<Json<'a>>),
    /// Members in canonical order (RFC 8785 §3.2.3: by UTF-16 code units), no name twice.
    Object(Vec<(Cow<'a, str>, Json<'a>)>),
}

/// Why a text is not JSON that the ledger can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// Not JSON (RFC 8259); says what was expected.
    Syntax(&'static str),
    /// Not UTF-8.
    Utf8,
    /// A member name occurs twice in one object.
    DuplicateName,
    /// `\uD800`–`\uDFFF` without its other half.
    LoneSurrogate,
    /// More open arrays and objects than allowed.
    TooDeep,
    /// The number's canonical form would be another number: that of the double next to it, where there is one.
    InexactNumber(Option<Nearest>),
}

/// A refusal with its place.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JsonError {
    /// What is wrong.
    pub fault: Fault,
    /// RFC 6901 pointer to the value (or to the member whose name is at fault).
    pub pointer: String,
    /// Byte offset in the text.
    pub offset: usize,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Fault::Syntax(expected) => return write!(f, "not JSON: expected {expected}"),
            Fault::Utf8 => "not UTF-8",
            Fault::DuplicateName => "a member name occurs twice in one object",
            Fault::LoneSurrogate => "a \\u escape names half of a surrogate pair",
            Fault::TooDeep => "nested too deeply",
            Fault::InexactNumber(Some(nearest)) => {
                return write!(f, "a double does not carry this number, only {nearest}");
            }
            Fault::InexactNumber(None) => "no double is as large as this number",
        })
    }
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (at byte {}, {:?})", self.fault, self.offset, self.pointer)
    }
}

impl std::error::Error for JsonError {}

/// Nesting of arrays and objects that an event may have.
///
/// Reason: deep enough for any real document, shallow enough that recursion over it needs little stack.
pub const MAX_EVENT_DEPTH: usize = 64;

impl<'a> Json<'a> {
    /// Reads one JSON text with at most `max_depth` arrays and objects open at once.
    ///
    /// # Errors
    /// [`JsonError`] names the first fault and its place.
    pub fn parse(text: &'a [u8], max_depth: usize) -> Result<Self, JsonError> {
        Self::parse_bytes(text, max_depth, Numbers::Exact)
    }

    /// The same of a text that comes in: also numbers of which the shortest form of the nearest double is what was meant
    /// (FORMATS.md section 2), such as 0.10000000000000001 for a tenth.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub fn parse_incoming(text: &'a [u8], max_depth: usize) -> Result<Self, JsonError> {
        Self::parse_bytes(text, max_depth, Numbers::Carried)
    }

    fn parse_bytes(text: &'a [u8], max_depth: usize, numbers: Numbers) -> Result<Self, JsonError> {
        let text = std::str::from_utf8(text).map_err(|e| JsonError {
            fault: Fault::Utf8,
            pointer: String::new(),
            offset: e.valid_up_to(),
        })?;
        Self::read(text, max_depth, numbers).map(|(value, _)| value)
    }

    /// As [`Json::parse`], and also whether the text is the canonical one of its value: told while it is read, which is
    /// cheaper than to write the value again and compare.
    ///
    /// # Errors
    /// As [`Json::parse`].
    pub fn parse_telling(text: &'a str, max_depth: usize) -> Result<(Self, bool), JsonError> {
        Self::read(text, max_depth, Numbers::Exact)
    }

    fn read(text: &'a str, max_depth: usize, numbers: Numbers) -> Result<(Self, bool), JsonError> {
        let mut reader = Reader { text, at: 0, max_depth, numbers, canonical: true };
        let value = reader.document().map_err(|trail| JsonError {
            fault: trail.fault,
            offset: trail.offset,
            pointer: trail.steps.iter().rev().fold(String::new(), |mut pointer, step| {
                pointer.push('/');
                pointer.push_str(&step.replace('~', "~0").replace('/', "~1"));
                pointer
            }),
        })?;
        Ok((value, reader.canonical))
    }

    /// An object with its members put in canonical order. Names must differ.
    #[must_use]
    pub fn object<const N: usize>(members: [(&'a str, Json<'a>); N]) -> Self {
        let mut members: Vec<_> =
            members.into_iter().map(|(name, value)| (Cow::Borrowed(name), value)).collect();
        members.sort_by(|a, b| canonical_order(&a.0, &b.0));
        Json::Object(members)
    }

    /// A string value.
    #[must_use]
    pub fn string(text: impl Into<Cow<'a, str>>) -> Self {
        Json::String(text.into())
    }

    /// The member `name` of an object.
    #[must_use]
    pub fn get(&self, name: &str) -> Option<&Json<'a>> {
        match self {
            Json::Object(members) => members.iter().find(|(n, _)| n == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The text of a string.
    #[must_use]
    pub fn as_str(&self) -> Option<&str> {
        match self {
            Json::String(text) => Some(text),
            _ => None,
        }
    }

    /// A non-negative whole number up to 2⁵³ − 1, beyond which doubles skip integers.
    #[must_use]
    pub fn as_u64(&self) -> Option<u64> {
        match self {
            Json::Number(n) if *n >= 0.0 && *n < 9_007_199_254_740_992.0 && n.fract() == 0.0 => {
                Some(*n as u64)
            }
            _ => None,
        }
    }

    /// The members of an object.
    #[must_use]
    pub fn as_object(&self) -> Option<&[(Cow<'a, str>, Json<'a>)]> {
        match self {
            Json::Object(members) => Some(members),
            _ => None,
        }
    }
}

/// Order of member names in canonical JSON: by UTF-16 code units (RFC 8785 §3.2.3). It differs from the order of
/// the UTF-8 bytes only where a character beyond U+FFFF meets one in U+E000..=U+FFFF.
#[must_use]
pub fn canonical_order(a: &str, b: &str) -> Ordering {
    if a.is_ascii() || b.is_ascii() { a.cmp(b) } else { a.encode_utf16().cmp(b.encode_utf16()) }
}

/// A fault on its way up: each container adds its step, so the path costs nothing while all goes well. Boxed, because
/// room for it in every result would be moved about with every value.
struct Trail {
    fault: Fault,
    offset: usize,
    steps: Vec<String>,
}

struct Reader<'a> {
    text: &'a str,
    at: usize,
    max_depth: usize,
    numbers: Numbers,
    /// What was read so far is as RFC 8785 would write it.
    canonical: bool,
}

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    /// What was not read yet. Nothing is read beyond the end, where this is empty.
    fn rest(&self) -> &'a [u8] {
        self.text.as_bytes().get(self.at..).unwrap_or_default()
    }

    fn fail<T>(&self, fault: Fault) -> Result<T, Box<Trail>> {
        self.fail_at(fault, self.at)
    }

    fn fail_at<T>(&self, fault: Fault, offset: usize) -> Result<T, Box<Trail>> {
        Err(Box::new(Trail { fault, offset, steps: Vec::new() }))
    }

    fn white_space(&mut self) {
        while let Some(b' ' | b'\t' | b'\n' | b'\r') = self.peek() {
            self.canonical = false;
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }

    fn document(&mut self) -> Result<Json<'a>, Box<Trail>> {
        let value = self.value(0)?;
        self.white_space();
        if self.at < self.text.len() {
            return self.fail(Fault::Syntax("the end of the text"));
        }
        Ok(value)
    }

    fn value(&mut self, depth: usize) -> Result<Json<'a>, Box<Trail>> {
        self.white_space();
        match self.peek() {
            Some(b'"') => Ok(Json::String(self.string()?)),
            Some(b'{') => self.object(depth + 1),
            Some(b'[') => self.array(depth + 1),
            Some(b't') => self.word("true", Json::Bool(true)),
            Some(b'f') => self.word("false", Json::Bool(false)),
            Some(b'n') => self.word("null", Json::Null),
            Some(b'-' | b'0'..=b'9') => self.number(),
            _ => self.fail(Fault::Syntax("a value")),
        }
    }

    fn word(&mut self, word: &'static str, value: Json<'a>) -> Result<Json<'a>, Box<Trail>> {
        if self.rest().starts_with(word.as_bytes()) {
            self.at += word.len();
            return Ok(value);
        }
        self.fail(Fault::Syntax("a value"))
    }

    fn array(&mut self, depth: usize) -> Result<Json<'a>, Box<Trail>> {
        if depth > self.max_depth {
            return self.fail(Fault::TooDeep);
        }
        self.at += 1;
        let mut items = Vec::new();
        self.white_space();
        if self.take(b']') {
            return Ok(Json::Array(items));
        }
        loop {
            let item = self.value(depth).map_err(|mut trail| {
                trail.steps.push(items.len().to_string());
                trail
            })?;
            items.push(item);
            self.white_space();
            if self.take(b']') {
                return Ok(Json::Array(items));
            }
            if !self.take(b',') {
                return self.fail(Fault::Syntax("',' or ']'"));
            }
        }
    }

    fn object(&mut self, depth: usize) -> Result<Json<'a>, Box<Trail>> {
        if depth > self.max_depth {
            return self.fail(Fault::TooDeep);
        }
        let start = self.at;
        self.at += 1;
        let mut members: Vec<(Cow<'a, str>, Json<'a>)> = Vec::new();
        self.white_space();
        if self.take(b'}') {
            return Ok(Json::Object(members));
        }
        // Texts that we wrote ourselves are in order already; then no sorting is needed.
        let mut in_order = true;
        loop {
            self.white_space();
            if self.peek() != Some(b'"') {
                return self.fail(Fault::Syntax("a member name"));
            }
            let name = self.string()?;
            self.white_space();
            if !self.take(b':') {
                return self.fail(Fault::Syntax("':'"));
            }
            let value = self.value(depth).map_err(|mut trail| {
                trail.steps.push(name.to_string());
                trail
            })?;
            in_order &= members.last().is_none_or(|(last, _)| canonical_order(last, &name) == Ordering::Less);
            members.push((name, value));
            self.white_space();
            if self.take(b'}') {
                break;
            }
            if !self.take(b',') {
                return self.fail(Fault::Syntax("',' or '}'"));
            }
        }
        if !in_order {
            self.canonical = false;
            members.sort_by(|a, b| canonical_order(&a.0, &b.0));
            let twice = members.iter().zip(members.iter().skip(1)).find(|((a, _), (b, _))| a == b);
            if let Some(((name, _), _)) = twice {
                let steps = vec![name.to_string()];
                return Err(Box::new(Trail { fault: Fault::DuplicateName, offset: start, steps }));
            }
        }
        Ok(Json::Object(members))
    }

    fn string(&mut self) -> Result<Cow<'a, str>, Box<Trail>> {
        self.at += 1;
        let start = self.at;
        let mut owned: Option<String> = None;
        let mut plain_from = start;
        loop {
            self.at += crate::strings::plain_prefix(self.rest());
            match self.peek() {
                Some(b'"') => {
                    let plain = &self.text[plain_from..self.at];
                    self.at += 1;
                    return Ok(match owned {
                        Some(mut text) => {
                            text.push_str(plain);
                            self.canonical &= crate::strings::is_spelt(&text, &self.text[start - 1..self.at]);
                            Cow::Owned(text)
                        }
                        None => Cow::Borrowed(plain),
                    });
                }
                Some(b'\\') => {
                    let text = owned.get_or_insert_default();
                    text.push_str(&self.text[plain_from..self.at]);
                    let character = self.escape()?;
                    owned.get_or_insert_default().push(character);
                    plain_from = self.at;
                }
                Some(_) => return self.fail(Fault::Syntax("no bare control character in a string")),
                None => return self.fail(Fault::Syntax("the closing '\"'")),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Box<Trail>> {
        let start = self.at;
        self.at += 1;
        let kind = self.peek();
        self.at += 1;
        Ok(match kind {
            Some(b'"') => '"',
            Some(b'\\') => '\\',
            Some(b'/') => '/',
            Some(b'b') => '\u{8}',
            Some(b'f') => '\u{c}',
            Some(b'n') => '\n',
            Some(b'r') => '\r',
            Some(b't') => '\t',
            Some(b'u') => {
                let unit = self.hex4(start)?;
                let code = match unit {
                    0xd800..=0xdbff => {
                        if !(self.take(b'\\') && self.take(b'u')) {
                            return self.fail_at(Fault::LoneSurrogate, start);
                        }
                        let low = self.hex4(start)?;
                        if !(0xdc00..=0xdfff).contains(&low) {
                            return self.fail_at(Fault::LoneSurrogate, start);
                        }
                        0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00)
                    }
                    _ => unit,
                };
                match char::from_u32(code) {
                    Some(character) => character,
                    None => return self.fail_at(Fault::LoneSurrogate, start),
                }
            }
            _ => return self.fail_at(Fault::Syntax("an escape of JSON"), start),
        })
    }

    fn hex4(&mut self, start: usize) -> Result<u32, Box<Trail>> {
        let digits = self.text.as_bytes().get(self.at..self.at + 4);
        let value = digits.and_then(|digits| {
            digits.iter().try_fold(0, |value, digit| Some(value << 4 | char::from(*digit).to_digit(16)?))
        });
        self.at += 4;
        match value {
            Some(value) => Ok(value),
            None => self.fail_at(Fault::Syntax("four hexadecimal digits"), start),
        }
    }

    fn digits(&mut self) -> usize {
        let start = self.at;
        while let Some(b'0'..=b'9') = self.peek() {
            self.at += 1;
        }
        self.at - start
    }

    fn number(&mut self) -> Result<Json<'a>, Box<Trail>> {
        let start = self.at;
        self.take(b'-');
        let integer_at = self.at;
        let integer = self.digits();
        if integer == 0 || (integer > 1 && self.text.as_bytes().get(integer_at) == Some(&b'0')) {
            return self.fail_at(Fault::Syntax("a number without leading zeros"), start);
        }
        if self.take(b'.') && self.digits() == 0 {
            return self.fail_at(Fault::Syntax("digits after the decimal point"), start);
        }
        if let Some(b'e' | b'E') = self.peek() {
            self.at += 1;
            let _sign = self.take(b'+') || self.take(b'-');
            if self.digits() == 0 {
                return self.fail_at(Fault::Syntax("digits of an exponent"), start);
            }
        }
        let literal = &self.text[start..self.at];
        match number::read(literal, self.numbers) {
            Ok((number, canonical)) => {
                self.canonical &= canonical;
                Ok(Json::Number(number))
            }
            Err(nearest) => self.fail_at(Fault::InexactNumber(nearest), start),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::canonical;
    use proptest::prelude::*;

    fn fault(text: &str) -> (Fault, String) {
        let error = Json::parse(text.as_bytes(), MAX_EVENT_DEPTH).unwrap_err();
        (error.fault, error.pointer)
    }

    #[test]
    fn numbers_that_would_change_are_refused_with_their_place() {
        for literal in [
            "9007199254740993",
            "1e-400",
            "0.10000000000000000555",
            "1e400",
            "-1e999",
            "1e99999999999999999999",
        ] {
            let text = format!("{{\"a\":[0,{{\"b/c\":{literal}}}]}}");
            let (fault, pointer) = fault(&text);
            assert!(matches!(fault, Fault::InexactNumber(_)), "{literal}: {fault}");
            assert_eq!(pointer, "/a/1/b~1c", "{literal}");
        }
    }

    #[test]
    fn numbers_with_another_spelling_are_the_same_number() {
        for (literal, canonical) in [
            ("1e16", "10000000000000000"),
            ("-0", "0"),
            ("-0.0", "0"),
            ("0e99999999999999999999", "0"),
            ("1.50", "1.5"),
            // Equally far from …12 and …13: the even one is the canonical text.
            ("90071990951300.12", "90071990951300.12"),
            ("1E2", "100"),
            ("1e21", "1e+21"),
            ("0.000001", "0.000001"),
            ("1e-7", "1e-7"),
            ("9007199254740992", "9007199254740992"),
            ("5e-324", "5e-324"),
            ("1.7976931348623157e308", "1.7976931348623157e+308"),
        ] {
            let value = Json::parse(literal.as_bytes(), 1).unwrap();
            assert_eq!(canonical::to_string(&value), canonical, "{literal}");
        }
    }

    #[test]
    fn names_and_strings_must_be_carriable() {
        assert_eq!(fault(r#"{"x":{"a":1,"b":2,"\u0061":3}}"#), (Fault::DuplicateName, "/x/a".into()));
        assert_eq!(fault(r#"["\ud800"]"#), (Fault::LoneSurrogate, "/0".into()));
        assert_eq!(fault(r#"["\ud800\u0041"]"#), (Fault::LoneSurrogate, "/0".into()));
        assert_eq!(fault(r#"["\udc00"]"#), (Fault::LoneSurrogate, "/0".into()));
        let error = Json::parse(b"[\"\xff\"]", 8).unwrap_err();
        assert_eq!((error.fault, error.offset), (Fault::Utf8, 2));
    }

    #[test]
    fn nesting_is_bounded() {
        let nested = |depth: usize| "[".repeat(depth) + &"]".repeat(depth);
        assert!(Json::parse(nested(64).as_bytes(), 64).is_ok());
        assert_eq!(Json::parse(nested(65).as_bytes(), 64).unwrap_err().fault, Fault::TooDeep);
        assert_eq!(Json::parse("[".repeat(1_000_000).as_bytes(), 64).unwrap_err().fault, Fault::TooDeep);
    }

    #[test]
    fn what_is_not_json_is_refused() {
        for text in [
            "",
            " ",
            "{",
            "[1,]",
            "{\"a\":1,}",
            "{a:1}",
            "01",
            "-",
            "1.",
            ".5",
            "1e",
            "+1",
            "NaN",
            "tru",
            "\"a",
            "\"\t\"",
            "\"\\x\"",
            "\"\\u12\"",
            "\"\\u12é\"",
            "1 2",
            "[1 2]",
            "{\"a\" 1}",
            "\u{feff}1",
            "'a'",
            "nul",
            "\"\\",
        ] {
            assert!(Json::parse(text.as_bytes(), 8).is_err(), "{text:?}");
        }
    }

    /// Any JSON value, through the other library's model.
    fn any_json() -> impl Strategy<Value = serde_json::Value> {
        let leaf = prop_oneof![
            Just(serde_json::Value::Null),
            any::<bool>().prop_map(Into::into),
            any::<i32>().prop_map(Into::into),
            any::<f64>().prop_filter("finite", |f| f.is_finite()).prop_map(Into::into),
            any::<String>().prop_map(Into::into),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Into::into),
                prop::collection::hash_map(any::<String>(), inner, 0..6)
                    .prop_map(|map| serde_json::Value::Object(map.into_iter().collect())),
            ]
        })
    }

    /// Told while reading, or found by writing again: the same.
    fn telling_agrees(text: &str) -> Result<(), TestCaseError> {
        if let Ok((value, told)) = Json::parse_telling(text, MAX_EVENT_DEPTH) {
            prop_assert_eq!(told, canonical::to_string(&value) == text, "{:?}", text);
        }
        Ok(())
    }

    #[test]
    fn each_other_spelling_is_told_from_the_canonical_one() {
        for (text, canonical) in [
            ("0", true),
            ("-0", false),
            ("0.0", false),
            ("10", true),
            ("1e1", false),
            ("1.0", false),
            ("-1.5", true),
            ("1e21", false),
            ("1E+21", false),
            ("1e+21", true),
            ("1000000000000000000000", false),
            ("0.000001", true),
            ("1e-6", false),
            ("1e-7", true),
            ("123456789012345678", false),
            ("1234567890123456", true),
            (r#""\u001f""#, true),
            (r#""\u001F""#, false),
            (r#""\n""#, true),
            (r#""\u000a""#, false),
            (r#""\/""#, false),
            (r#""\u00e9""#, false),
            (r#""é""#, true),
            (r#""a\"b\\c""#, true),
            (r#""\ud83d\ude00""#, false),
            (" 1", false),
            ("1 ", false),
            ("[1 ,2]", false),
            ("[1,2]", true),
            ("[ ]", false),
            ("[]", true),
            ("{}", true),
            ("{ }", false),
            (r#"{"a":1,"b":2}"#, true),
            (r#"{"b":1,"a":2}"#, false),
            (r#"{"a": 1}"#, false),
            (r#"{"a" :1}"#, false),
            (r#"{"\u0061":1}"#, false),
            ("{\"\u{1F600}\":1,\"\u{FB33}\":2}", true),
            ("{\"\u{FB33}\":2,\"\u{1F600}\":1}", false),
            ("true", true),
            ("\nnull", false),
        ] {
            let told = Json::parse_telling(text, MAX_EVENT_DEPTH);
            // A number that would change is refused whatever its spelling.
            assert!(told.as_ref().map_or(!canonical, |(_, told)| *told == canonical), "{text}: {told:?}");
            telling_agrees(text).unwrap();
        }
    }

    proptest! {
        #[test]
        fn whether_a_text_is_canonical_is_told_while_it_is_read(
            value in any_json(),
            style in 0..3_u8,
            at in any::<prop::sample::Index>(),
            more in "([ \n0-9.eE+\\-]|\\\\u00[01][0-9a-fA-F]|\\\\[nrtbf/\"\\\\])?",
        ) {
            let mut text = match style {
                0 => serde_json_canonicalizer::to_string(&value).unwrap(),
                1 => serde_json::to_string(&value).unwrap(),
                _ => serde_json::to_string_pretty(&value).unwrap(),
            };
            telling_agrees(&text)?;
            let at = at.index(text.len() + 1);
            if text.is_char_boundary(at) {
                text.insert_str(at, &more);
                telling_agrees(&text)?;
            }
        }

        #[test]
        fn agrees_with_another_canonicaliser(value in any_json()) {
            let text = serde_json::to_vec_pretty(&value).unwrap();
            let oracle = serde_json_canonicalizer::to_string(&value).unwrap();
            let ours = Json::parse(&text, 64).map(|json| canonical::to_string(&json));
            prop_assert_eq!(ours.as_deref(), Ok(oracle.as_str()));
        }

        #[test]
        fn reads_nothing_that_another_reader_refuses(text in "[\\[\\]{}\",:0-9eE+.\\-\\\\u a-f]{0,24}") {
            if Json::parse(text.as_bytes(), 64).is_ok() {
                prop_assert!(serde_json::from_str::<serde_json::Value>(&text).is_ok());
            }
        }
    }
}
