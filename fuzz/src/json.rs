//! The JSON reader and the canonical writer, against serde_json and an independent canonicaliser.

use daybook::spec::canonical;
use daybook::spec::json::{Fault, Json, MAX_EVENT_DEPTH};

/// What is accepted, serde_json reads too, as the same value, and another RFC 8785 writer writes the same; writing
/// canonically is idempotent. What is refused as no JSON, serde_json refuses too.
pub fn check(data: &[u8]) {
    incoming(data);
    let others = serde_json::from_slice::<serde_json::Value>(data);
    let json = match Json::parse(data, MAX_EVENT_DEPTH) {
        Ok(json) => json,
        Err(error) => {
            assert!(
                error.offset <= data.len() && (error.pointer.is_empty() || error.pointer.starts_with('/'))
            );
            let no_json = matches!(error.fault, Fault::Syntax(_) | Fault::Utf8 | Fault::LoneSurrogate);
            assert!(!no_json || others.is_err(), "refused as no JSON, but it is: {error}");
            return;
        }
    };
    let others = others.unwrap_or_else(|error| panic!("accepted, but no JSON to serde_json: {error}"));
    let text = canonical::to_string(&json);
    assert_eq!(serde_json_canonicalizer::to_string(&others).unwrap(), text);
    let again = Json::parse(text.as_bytes(), MAX_EVENT_DEPTH).unwrap();
    assert_eq!(again, json);
    assert_eq!(canonical::to_string(&again), text);
    // What no double carries exactly is not rounded in silence. Two shortest decimals may lie equally near to a double:
    // RFC 8785 takes the even one, the standard library the other, so it only has a say in how short they are.
    for literal in numbers(std::str::from_utf8(data).unwrap()) {
        let double: f64 = literal.parse().unwrap();
        let canonical = serde_json_canonicalizer::to_string(&double).unwrap();
        assert_eq!(decimal(literal), decimal(&canonical), "{literal} is not carried exactly");
        let length = |text: &str| decimal(text).1.len();
        assert_eq!(length(literal), length(&format!("{double:e}")), "{literal} is not the shortest");
    }
    // Numbers keep their value, not only their text.
    let reread: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(same(&reread, &others), "{reread} is not {others}");
}

/// What comes in may spell numbers otherwise; what is recorded of it has the one spelling, and nothing that was exact is
/// read as anything else.
fn incoming(data: &[u8]) {
    let (read, exact) = (Json::parse_incoming(data, MAX_EVENT_DEPTH), Json::parse(data, MAX_EVENT_DEPTH));
    if exact.is_ok() {
        assert_eq!(read, exact);
    }
    if let Ok(value) = read {
        let text = canonical::to_string(&value);
        assert_eq!(Json::parse_telling(&text, MAX_EVENT_DEPTH), Ok((value, true)), "{text}");
    }
}

/// Equality that knows 1, 1.0 and 1e0 for one number, as RFC 8785 does.
fn same(a: &serde_json::Value, b: &serde_json::Value) -> bool {
    use serde_json::Value;
    match (a, b) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::Array(a), Value::Array(b)) => a.len() == b.len() && a.iter().zip(b).all(|(a, b)| same(a, b)),
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len() && a.iter().all(|(name, a)| b.get(name).is_some_and(|b| same(a, b)))
        }
        _ => a == b,
    }
}

/// The number literals of a JSON text.
fn numbers(json: &str) -> Vec<&str> {
    let (mut found, mut in_string, mut escaped, mut from) = (Vec::new(), false, false, None);
    for (at, byte) in json.bytes().enumerate() {
        let numeric = !in_string && matches!(byte, b'-' | b'+' | b'.' | b'0'..=b'9' | b'e' | b'E');
        // The e of true and false begins no number.
        let begins = numeric && (byte == b'-' || byte.is_ascii_digit());
        match from {
            None if begins => from = Some(at),
            Some(start) if !numeric => {
                found.push(&json[start..at]);
                from = None;
            }
            _ => {}
        }
        match byte {
            _ if escaped => escaped = false,
            b'\\' if in_string => escaped = true,
            b'"' => in_string = !in_string,
            _ => {}
        }
    }
    found.extend(from.map(|start| &json[start..]));
    found
}

/// A decimal literal as its significant digits and the power of ten of the first of them: equal for equal numbers.
fn decimal(literal: &str) -> (bool, String, i128) {
    let magnitude = literal.trim_start_matches('-');
    let (mantissa, exponent) = magnitude.split_once(['e', 'E']).unwrap_or((magnitude, "0"));
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let digits = format!("{whole}{fraction}");
    let significant = digits.trim_start_matches('0');
    if significant.is_empty() {
        return (false, String::new(), 0);
    }
    let leading = digits.len() - significant.len();
    let first = whole.len() as i128 - leading as i128 + exponent.parse::<i128>().unwrap_or(i128::MAX / 2);
    (literal.starts_with('-'), significant.trim_end_matches('0').to_owned(), first)
}
