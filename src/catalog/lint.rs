//! A stricter look at a schema than JSON Schema itself takes: there, a misspelt keyword is an annotation, and the rule
//! that its author meant is silently absent. Here it is an error.

use serde_json::{Map, Value};

/// Keywords whose value is not a schema.
const PLAIN: [&str; 21] = [
    "$comment",
    "$ref",
    "$schema",
    "const",
    "description",
    "enum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "title",
    "type",
    "uniqueItems",
];
/// Keywords whose value is one schema.
const ONE: [&str; 8] =
    ["additionalProperties", "contains", "else", "if", "items", "not", "propertyNames", "then"];
/// Keywords whose value is a list of schemas.
const LIST: [&str; 3] = ["allOf", "anyOf", "oneOf"];
/// Keywords whose value is an object of schemas.
const NAMED: [&str; 2] = ["$defs", "properties"];
/// Formats that the validator asserts. Any other name would assert nothing.
const FORMATS: [&str; 4] = ["date", "date-time", "uri", "uuid"];

/// The first thing in `schema` that is probably not what its author meant, with the place as a JSON Pointer.
pub(super) fn lint(schema: &Value) -> Result<(), String> {
    walk(schema, "")
}

fn walk(schema: &Value, at: &str) -> Result<(), String> {
    let members = match schema {
        Value::Bool(_) => return Ok(()),
        Value::Object(members) => members,
        _ => return Err(format!("schema{at}: a schema is an object, true or false")),
    };
    for (keyword, value) in members {
        let place = format!("{at}/{keyword}");
        let keyword = keyword.as_str();
        if ONE.contains(&keyword) {
            walk(value, &place)?;
        } else if LIST.contains(&keyword) {
            let Value::Array(list) = value else {
                return Err(format!("schema{place}: expected a list of schemas"));
            };
            for (index, item) in list.iter().enumerate() {
                walk(item, &format!("{place}/{index}"))?;
            }
        } else if NAMED.contains(&keyword) {
            let Value::Object(named) = value else {
                return Err(format!("schema{place}: expected named schemas"));
            };
            for (name, item) in named {
                walk(item, &format!("{place}/{name}"))?;
            }
        } else if !PLAIN.contains(&keyword) {
            return Err(format!("schema{place}: unknown or unsupported keyword"));
        }
    }
    if let Some(Value::String(format)) = members.get("format")
        && !FORMATS.contains(&format.as_str())
    {
        return Err(format!("schema{at}/format: `{format}` is not a format that is checked"));
    }
    required_is_possible(members, at)
}

/// A member that is required and not permitted would make every event of the type impossible.
fn required_is_possible(members: &Map<String, Value>, at: &str) -> Result<(), String> {
    if members.get("additionalProperties") != Some(&Value::Bool(false)) {
        return Ok(());
    }
    let properties = members.get("properties").and_then(Value::as_object);
    let required = members.get("required").and_then(Value::as_array);
    for name in required.into_iter().flatten().filter_map(Value::as_str) {
        if !properties.is_some_and(|properties| properties.contains_key(name)) {
            return Err(format!("schema{at}/required: `{name}` is not among the properties"));
        }
    }
    Ok(())
}
