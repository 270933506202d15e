//! The catalogue's types in the description: the schema of each type's `data`, the CloudEvent around it, and examples.
//!
//! A type's own schema stands alone, with the definitions that it uses in itself. Here all types stand together, so what
//! they have in common becomes a component: the definitions, and the members of `data` that most types carry.

use crate::catalog::{Catalog, EventType};
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Attributes of CloudEvents hold no control characters (CloudEvents 1.0, "String").
const NO_CONTROLS: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// How many types have to share a member of `data` for it to stand once.
const SHARED_BY: usize = 8;

/// Where a type's schema refers to its own definitions.
const OWN_DEFINITIONS: &str = "#/$defs/";

/// Adds the types, and what posting them takes and answers.
pub fn describe(api: &mut Value, catalog: &Catalog) {
    let schemas = &mut api["components"]["schemas"];
    for (name, schema) in data_schemas(catalog) {
        schemas[name] = schema;
    }
    schemas["CloudEvent"] = cloud_event(catalog);
    let post = &mut api["paths"]["/v1/events"]["post"];
    let event = json!({"$ref": "#/components/schemas/CloudEvent"});
    let content = &mut post["requestBody"]["content"];
    let examples = catalog.types().map(|kind| {
        let shown = json!({"summary": kind.summary, "value": example_event(kind)});
        (kind.name.clone(), shown)
    });
    let examples: Map<String, Value> = examples.collect();
    content["application/cloudevents+json"] = json!({"schema": event, "examples": examples});
    let batch: Vec<Value> = catalog.types().take(2).map(example_event).collect();
    content["application/cloudevents-batch+json"] = json!({
        "schema": {"type": "array", "maxItems": crate::intake::MAX_BATCH_EVENTS, "items": event},
        "example": batch,
    });
    content["application/json"] = json!({"schema": event});
    let reference = |name: &str| json!({"$ref": format!("#/components/schemas/{name}")});
    let both = json!({"anyOf": [reference("Recorded"), reference("RecordedBatch")]});
    for status in ["200", "201"] {
        post["responses"][status]["content"]["application/json"]["schema"] = both.clone();
    }
}

fn cloud_event(catalog: &Catalog) -> Value {
    let string = |description: &str| json!({"type": "string", "minLength": 1, "pattern": NO_CONTROLS, "description": description});
    // Both are required of every event, below.
    let variants = catalog.types().map(|kind| {
        json!({"properties": {
            "type": {"const": kind.name},
            "data": {"$ref": format!("#/components/schemas/data.{}", kind.name)},
        }})
    });
    json!({
        "type": "object",
        "description": "A CloudEvent 1.0. `data` is checked against the schema of its `type`; further attributes are lower-case \
                        letters and digits, with strings, booleans or whole numbers.",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
        "properties": {
            "specversion": {"const": "1.0"},
            "id": string("Together with `source` who the event is, for ever"),
            "source": string("Which application or part of it"),
            "type": string("One of the catalogue's types"),
            "subject": string("The case, never a person"),
            "time": {"type": "string", "format": "date-time", "description": "When it happened"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": string("Where the schema of `data` is, for other readers"),
            "data": {"type": "object", "description": "What the type's schema asks for"},
            "datasubject": {"not": {}, "description": "Refused: this ledger cannot seal personal data"},
            "producersignature": {"not": {}, "description": "Refused: this ledger knows no producer keys"},
        },
        "additionalProperties": {"anyOf": [
            {"type": "string", "pattern": NO_CONTROLS},
            {"type": "integer", "minimum": i32::MIN, "maximum": i32::MAX},
            {"type": "boolean"},
        ]},
        "anyOf": variants.collect::<Vec<Value>>(),
    })
}

/// A whole event around the example of its data.
fn example_event(kind: &EventType) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("example-{}", kind.name),
        "source": "/example",
        "type": kind.name,
        "subject": "case-1",
        "time": "2026-03-02T09:30:00Z",
        "data": kind.example,
    })
}

/// The schemas of all types' `data`, of what several have in common, and of the definitions.
fn data_schemas(catalog: &Catalog) -> BTreeMap<String, Value> {
    let definitions = Definitions::of(catalog);
    let mut schemas = definitions.schemas();
    let mut types: BTreeMap<String, Value> = BTreeMap::new();
    for kind in catalog.types() {
        let mut schema = kind.schema.clone();
        if let Some(members) = schema.as_object_mut() {
            members.remove("$schema");
            members.remove("$defs");
            members.insert("description".into(), json!(kind.summary));
        }
        definitions.point_from(&mut schema, &kind.domain);
        for (name, value) in schema.as_object_mut().into_iter().flatten() {
            if name != "title" {
                say_titles(value);
            }
        }
        say_booleans(&mut schema);
        types.insert(format!("data.{}", kind.name), schema);
    }
    schemas.extend(share_members(&mut types));
    schemas.extend(types);
    schemas
}

/// Makes each member of `data` that many types have, in the same words, a component.
fn share_members(types: &mut BTreeMap<String, Value>) -> BTreeMap<String, Value> {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    let members = types.values().filter_map(|schema| schema["properties"].as_object()).flatten();
    for (name, schema) in members {
        *seen.entry((name.clone(), schema.to_string())).or_default() += 1;
    }
    seen.retain(|_, types| *types >= SHARED_BY);
    // Of one name, what most types mean by it.
    let mut shared: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for ((name, schema), types) in seen {
        let most = shared.entry(name).or_default();
        if types > most.0 {
            *most = (types, schema);
        }
    }
    let mut components = BTreeMap::new();
    for (_, schema) in types.iter_mut() {
        for (name, member) in schema["properties"].as_object_mut().into_iter().flatten() {
            let text = member.to_string();
            if shared.get(name).is_some_and(|(_, schema)| *schema == text) {
                let component = format!("member.{name}");
                let reference = json!({"$ref": format!("#/components/schemas/{component}")});
                components.insert(component, std::mem::replace(member, reference));
            }
        }
    }
    components
}

/// The definitions of all types, each under the name of a component.
///
/// One that several types have in the same words is the catalogue's own. Where a file of the catalogue defines another
/// thing by the same name, its domain is in the name of the component.
struct Definitions {
    /// By name and domain: the component, and the schema.
    all: BTreeMap<(String, String), (String, Value)>,
}

impl Definitions {
    fn of(catalog: &Catalog) -> Definitions {
        let mut found: BTreeMap<String, BTreeMap<String, (Value, String)>> = BTreeMap::new();
        for kind in catalog.types() {
            let own = kind.schema["$defs"].as_object().into_iter().flatten();
            for (name, schema) in own {
                // Two are the same only if what they refer to is.
                let whole = json!({"$defs": kind.schema["$defs"], "whole": schema});
                let whole = inline_definitions(whole).to_string();
                let of_name = found.entry(name.clone()).or_default();
                of_name.insert(kind.domain.clone(), (schema.clone(), whole));
            }
        }
        let mut all = BTreeMap::new();
        for (name, by_domain) in found {
            let mut different: Vec<&String> = by_domain.values().map(|(_, whole)| whole).collect();
            different.sort_unstable();
            different.dedup();
            let is_common = different.len() == 1;
            for (domain, (schema, _)) in by_domain {
                let component =
                    if is_common { format!("shared.{name}") } else { format!("shared.{domain}.{name}") };
                all.insert((name.clone(), domain), (component, schema));
            }
        }
        Definitions { all }
    }

    /// Their schemas, pointing to each other.
    fn schemas(&self) -> BTreeMap<String, Value> {
        let schemas = self.all.iter().map(|((_, domain), (component, schema))| {
            let mut schema = schema.clone();
            self.point_from(&mut schema, domain);
            say_titles(&mut schema);
            say_booleans(&mut schema);
            (component.clone(), schema)
        });
        schemas.collect()
    }

    /// Points every reference of a schema of this domain to the component.
    fn point_from(&self, schema: &mut Value, domain: &str) {
        match schema {
            Value::Array(items) => items.iter_mut().for_each(|item| self.point_from(item, domain)),
            Value::Object(members) => {
                if let Some(Value::String(target)) = members.get_mut("$ref")
                    && let Some(name) = target.strip_prefix(OWN_DEFINITIONS)
                    && let Some((component, _)) = self.all.get(&(name.to_owned(), domain.to_owned()))
                {
                    *target = format!("#/components/schemas/{component}");
                }
                members.values_mut().for_each(|item| self.point_from(item, domain));
            }
            _ => {}
        }
    }
}

/// Titles of the catalogue end a sentence of an error message, and many schemas have the same one. To tools that make code,
/// a title is a name: what they say is moved to the description.
fn say_titles(schema: &mut Value) {
    match schema {
        Value::Array(items) => items.iter_mut().for_each(say_titles),
        Value::Object(members) => {
            if let Some(Value::String(title)) = members.get("title").cloned() {
                members.remove("title");
                let said = members.get("description").and_then(Value::as_str).unwrap_or_default();
                let said = format!("{said} Must be {title}.");
                members.insert("description".to_owned(), json!(said.trim_start()));
            }
            members.values_mut().for_each(say_titles);
        }
        _ => {}
    }
}

/// A schema may be `true` or `false`, and tools that make code do not read that: what it says is said by an object. Where
/// `additionalProperties` forbids what is not known it may stay: they all know it there.
fn say_booleans(schema: &mut Value) {
    fn say(schema: &mut Value) {
        match schema {
            Value::Bool(true) => *schema = json!({}),
            Value::Bool(false) => *schema = json!({"not": {}}),
            other => say_booleans(other),
        }
    }
    for (name, value) in schema.as_object_mut().into_iter().flatten() {
        match (name.as_str(), value) {
            ("properties" | "patternProperties" | "dependentSchemas", Value::Object(schemas)) => {
                schemas.values_mut().for_each(say);
            }
            ("allOf" | "anyOf" | "oneOf" | "prefixItems", Value::Array(schemas)) => {
                schemas.iter_mut().for_each(say);
            }
            ("items" | "contains" | "propertyNames" | "not" | "if" | "then" | "else", value) => say(value),
            ("additionalProperties", value @ Value::Object(_)) => say(value),
            _ => {}
        }
    }
}

/// `#/$defs/x` of a type's own schema would point into the whole description: the definitions are put in their place.
pub fn inline_definitions(mut schema: Value) -> Value {
    let definitions = schema.as_object_mut().and_then(|schema| schema.remove("$defs")).unwrap_or_default();
    inline(&mut schema, &definitions, 0);
    schema
}

fn inline(value: &mut Value, definitions: &Value, depth: usize) {
    // Definitions of the catalogue are not recursive; the bound keeps a mistake from hanging the start.
    if depth > 16 {
        return;
    }
    let target =
        value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix(OWN_DEFINITIONS));
    if let Some(definition) = target.and_then(|name| definitions.get(name)).cloned() {
        let mut members = value.as_object().cloned().unwrap_or_default();
        members.remove("$ref");
        *value = definition;
        if let Some(object) = value.as_object_mut() {
            object.extend(members);
        }
    }
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| inline(item, definitions, depth + 1)),
        Value::Object(members) => members.values_mut().for_each(|item| inline(item, definitions, depth + 1)),
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schema_that_is_true_or_false_is_said_by_an_object() {
        let mut schema = json!({
            "properties": {"any": true, "none": false, "deep": {"items": true, "anyOf": [false, {"not": true}]}},
            "additionalProperties": false,
            "default": true,
            "if": {"properties": {"urgent": {"const": true}}},
        });
        say_booleans(&mut schema);
        let expected = json!({
            "properties": {"any": {}, "none": {"not": {}}, "deep": {"items": {}, "anyOf": [{"not": {}}, {"not": {}}]}},
            "additionalProperties": false,
            "default": true,
            "if": {"properties": {"urgent": {"const": true}}},
        });
        assert_eq!(schema, expected);
    }
}
