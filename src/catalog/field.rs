//! Paths such as `resource.kind`: through the schema of a type, and through the `data` of an event.

use serde_json::Value;

/// A field of `data`, found in its schema.
pub(super) struct Field<'a> {
    pub(super) schema: &'a Value,
    /// Whether a valid `data` always has it.
    pub(super) always: bool,
    /// Whether the way to it goes through a list.
    pub(super) listed: bool,
}

impl<'a> Field<'a> {
    /// Whether it holds a date and time.
    pub(super) fn is_instant(&self) -> bool {
        self.schema.get("format").and_then(Value::as_str) == Some("date-time")
    }

    /// Whether it holds text, so that it can name something.
    pub(super) fn is_text(&self) -> bool {
        self.schema.get("type").and_then(Value::as_str) == Some("string") || self.words().is_some()
    }

    /// The words of an enumeration.
    pub(super) fn words(&self) -> Option<Vec<&'a str>> {
        let options = self.schema.get("enum")?.as_array()?;
        options.iter().map(Value::as_str).collect()
    }
}

/// Follows `a.b.c` through properties, list items and references.
pub(super) fn field<'a>(schema: &'a Value, path: &str) -> Option<Field<'a>> {
    let mut found = Field { schema, always: true, listed: false };
    for name in path.split('.') {
        if let Some(items) = found.schema.get("items") {
            found.schema = follow(schema, items);
            found.listed = true;
        }
        let required = found.schema.get("required").and_then(Value::as_array);
        found.always &= required.is_some_and(|names| names.iter().any(|required| required == name));
        found.schema = follow(schema, found.schema.get("properties")?.get(name)?);
    }
    Some(found)
}

/// A subschema, or the definition that it refers to. One step is enough: definitions do not chain.
fn follow<'a>(root: &'a Value, schema: &'a Value) -> &'a Value {
    let target = schema.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix('#'));
    target.and_then(|pointer| root.pointer(pointer)).unwrap_or(schema)
}

/// The value at `a.b.c` in an event's `data`, or in a row. Does not go into lists.
pub(super) fn value_at<'a>(data: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(data, |value, name| value.get(name))
}

/// All texts at `a.b.c`, each list on the way taken item by item.
pub(super) fn texts_at<'a>(data: &'a Value, path: &str) -> Vec<&'a str> {
    fn walk<'a>(value: &'a Value, path: Option<&str>, into: &mut Vec<&'a str>) {
        match (value, path) {
            (Value::Array(items), _) => items.iter().for_each(|item| walk(item, path, into)),
            (Value::String(text), None) => into.push(text),
            (Value::Object(members), Some(path)) => {
                let (name, rest) =
                    path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
                if let Some(member) = members.get(name) {
                    walk(member, rest, into);
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(data, Some(path), &mut found);
    found
}
