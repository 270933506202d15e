//! The JSON reader and the canonical writer, against serde_json and an independent canonicaliser.

use daybook::spec::canonical;
use daybook::spec::json::{Fault, Json, MAX_EVENT_DEPTH};

/// What is accepted, serde_json reads too, as the same value, and another RFC 8785 writer writes the same; writing
/// canonically is idempotent. What is refused as no JSON, serde_json refuses too.
pub fn check(data: &[u8]) {
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
    // Numbers keep their value, not only their text.
    let reread: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert!(same(&reread, &others), "{reread} is not {others}");
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
