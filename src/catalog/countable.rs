//! Whole numbers in the data of events that stay exact wherever they are reckoned with.
//!
//! A schema keeps what it once accepted, so this is asked of what comes in, and not of schemas.

use jsonschema::{Draft, Validator};
use serde_json::{Value, json};

/// The largest count, 2^53: beyond it a double, and with it most of what reads JSON, does not have every whole number.
const MAX_COUNT: u64 = 1 << 53;

/// Whether some number in it is larger than that: where a schema counts, or where it means nothing.
pub(super) fn has_one_beyond(data: &Value) -> bool {
    match data {
        Value::Number(number) => number.as_f64().is_none_or(|number| number.abs() > MAX_COUNT as f64),
        Value::Array(items) => items.iter().any(has_one_beyond),
        Value::Object(members) => members.values().any(has_one_beyond),
        Value::Null | Value::Bool(_) | Value::String(_) => false,
    }
}

/// A schema that refuses whole numbers beyond the bound, and nothing else that it took before.
pub(super) fn validator(schema: &Value) -> Option<Validator> {
    let mut bounded = schema.clone();
    bound(&mut bounded);
    jsonschema::options().with_draft(Draft::Draft202012).offline().build(&bounded).ok()
}

fn bound(schema: &mut Value) {
    match schema {
        Value::Object(members) => {
            if members.get("type").is_some_and(|kind| kind == "integer") {
                let keep = |known: &Value| known.as_f64().is_some_and(|known| known <= MAX_COUNT as f64);
                if !members.get("maximum").is_some_and(keep) {
                    members.insert("maximum".to_owned(), json!(MAX_COUNT));
                }
            }
            members.values_mut().for_each(bound);
        }
        Value::Array(items) => items.iter_mut().for_each(bound),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}
