//! A type's schema as it is published: complete in itself.

use serde::Deserialize;
use serde_json::{Map, Value, json};
use std::collections::{BTreeMap, BTreeSet};

/// What the loader itself puts into each schema.
const ADDED_BY_LOADER: [&str; 6] =
    ["$defs", "$schema", "additionalProperties", "description", "title", "type"];

/// What `data` of every type may carry, and the definitions that every file may use.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Everywhere {
    pub(super) required: Vec<String>,
    pub(super) properties: Map<String, Value>,
    #[serde(rename = "$defs")]
    pub(super) defs: BTreeMap<String, Value>,
}

/// The schema as published: the type's own part, the members that every type has, and the definitions in use.
pub(super) fn complete(
    own: Map<String, Value>,
    name: &str,
    summary: &str,
    everywhere: &Everywhere,
    defs: &BTreeMap<String, Value>,
) -> Result<Value, String> {
    if let Some(member) = ADDED_BY_LOADER.iter().find(|member| own.contains_key(**member)) {
        return Err(format!("schema: `{member}` is added by the loader"));
    }
    let mut schema = own;
    let mut properties = match schema.remove("properties") {
        Some(Value::Object(properties)) => properties,
        None => Map::new(),
        Some(_) => return Err("schema: `properties` is an object".to_owned()),
    };
    for (member, common) in &everywhere.properties {
        if properties.insert(member.clone(), common.clone()).is_some() {
            return Err(format!("schema: the member `{member}` is common to all types"));
        }
    }
    let mut required = match schema.remove("required") {
        Some(Value::Array(required)) => required,
        None => Vec::new(),
        Some(_) => return Err("schema: `required` is a list".to_owned()),
    };
    required.extend(everywhere.required.iter().map(|name| Value::String(name.clone())));

    schema.insert("$schema".to_owned(), json!("https://json-schema.org/draft/2020-12/schema"));
    schema.insert("title".to_owned(), json!(name));
    schema.insert("description".to_owned(), json!(summary));
    schema.insert("type".to_owned(), json!("object"));
    schema.insert("additionalProperties".to_owned(), json!(false));
    schema.insert("properties".to_owned(), Value::Object(properties));
    schema.insert("required".to_owned(), Value::Array(required));
    let schema = Value::Object(schema);

    let mut used: BTreeMap<String, Value> = BTreeMap::new();
    let mut waiting = BTreeSet::new();
    references(&schema, &mut waiting)?;
    while let Some(name) = waiting.pop_first() {
        let def = defs.get(&name).ok_or_else(|| format!("schema: no definition `{name}`"))?;
        let mut inner = BTreeSet::new();
        references(def, &mut inner)?;
        used.insert(name, def.clone());
        waiting.extend(inner.into_iter().filter(|name| !used.contains_key(name)));
    }
    let mut schema = schema;
    if let Some(members) = schema.as_object_mut() {
        members.insert("$defs".to_owned(), Value::Object(used.into_iter().collect()));
    }
    Ok(schema)
}

/// The names of all definitions that a schema refers to. Any other reference is refused: nothing is fetched.
fn references(schema: &Value, names: &mut BTreeSet<String>) -> Result<(), String> {
    match schema {
        Value::Object(members) => {
            for (member, value) in members {
                match value {
                    Value::String(target) if member == "$ref" => {
                        let name = target.strip_prefix("#/$defs/").filter(|name| !name.contains('/'));
                        let name = name.ok_or("schema: a `$ref` has the form `#/$defs/<name>`")?;
                        names.insert(name.to_owned());
                    }
                    _ => references(value, names)?,
                }
            }
            Ok(())
        }
        Value::Array(items) => items.iter().try_for_each(|item| references(item, names)),
        _ => Ok(()),
    }
}
