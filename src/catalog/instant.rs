//! Times in the data of events: which texts `format: date-time` takes, and which of them the ledger can hold.
//!
//! A schema keeps what it once accepted, so the second is no matter of schemas: it is asked of what comes in.

use crate::spec::time::Rfc3339;
use jsonschema::{Draft, PatternOptions, Validator};
use serde_json::Value;

/// A compiled pattern, at most: one that is published must not take the memory of all others.
const MAX_PATTERN_BYTES: usize = 64 * 1024;

/// What a schema with times in it is held against.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Times {
    /// RFC 3339, and of what it permits only what every reader of the ledger reads alike.
    Plain,
    /// Of those, what lies in the years 0000 to 9999 in UTC.
    InRange,
}

impl Times {
    /// A schema, compiled.
    pub(super) fn validator(self, schema: &Value) -> Result<Validator, String> {
        let fits: fn(&str) -> bool = match self {
            Times::Plain => |text| Rfc3339::read(text).is_some_and(Rfc3339::is_plain),
            Times::InRange => {
                |text| Rfc3339::read(text).is_some_and(|time| time.is_plain() && time.exact().is_some())
            }
        };
        jsonschema::options()
            .with_draft(Draft::Draft202012)
            .should_validate_formats(true)
            .with_format("date-time", fits)
            // Linear in the input whatever the pattern: a published type must not be able to stall the intake.
            .with_pattern_options(PatternOptions::regex().size_limit(MAX_PATTERN_BYTES))
            .offline()
            .build(schema)
            .map_err(|error| format!("schema{}: {error}", error.instance_path()))
    }
}

/// Whether some text in it is a time that the ledger cannot hold: where a schema wants a time, or where it means nothing.
pub(super) fn has_one_beyond(data: &Value) -> bool {
    match data {
        Value::String(text) => Rfc3339::read(text).is_some_and(|time| time.exact().is_none()),
        Value::Array(items) => items.iter().any(has_one_beyond),
        Value::Object(members) => members.values().any(has_one_beyond),
        Value::Null | Value::Bool(_) | Value::Number(_) => false,
    }
}
