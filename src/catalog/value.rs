//! From the ledger's own JSON reader to the values that schemas, registers and views work with.

use crate::spec::json::Json;
use serde_json::Value;

/// The same value.
pub fn to_value(json: &Json<'_>) -> Value {
    match json {
        Json::Null => Value::Null,
        Json::Bool(value) => Value::Bool(*value),
        // Whole numbers as integers, as a JSON reader would have them.
        Json::Number(number) if number.fract() == 0.0 && number.abs() < 9_007_199_254_740_992.0 => {
            Value::from(*number as i64)
        }
        Json::Number(number) => serde_json::Number::from_f64(*number).map_or(Value::Null, Value::Number),
        Json::String(text) => Value::String(text.to_string()),
        Json::Array(items) => Value::Array(items.iter().map(to_value).collect()),
        Json::Object(members) => {
            Value::Object(members.iter().map(|(name, value)| (name.to_string(), to_value(value))).collect())
        }
    }
}
