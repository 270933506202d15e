//! Whether a new version of a type accepts everything that the old one accepted.
//!
//! Entries outlive schemas: what was accepted once is folded, shown and counted for ever by what its type means, and
//! applications go on posting what they always posted. So a type may grow and may not shrink. The check is by simple rules
//! that can be wrong in one direction only: what it lets pass is compatible; what it cannot follow it refuses.

use super::event_type::EventType;
use super::words::PostedBy;
use serde_json::{Map, Value};

/// Definitions are followed this far into each other.
///
/// Reason: those of the catalogue are not recursive; the bound keeps a mistake from hanging.
const MAX_DEPTH: usize = 32;

/// What says nothing about which values are accepted.
const ANNOTATIONS: [&str; 5] = ["$comment", "$schema", "$defs", "description", "title"];

/// Why `new` is not a compatible successor of `old`, if it is not: a JSON Pointer into the schema, and the reason.
pub(super) fn incompatible(old: &EventType, new: &EventType) -> Option<(String, String)> {
    let top = |reason: String| Some((String::new(), reason));
    if old.entity != new.entity {
        return top(
            "its entity may not change: the history of each entity goes on under the same name".to_owned()
        );
    }
    if old.effective_at != new.effective_at {
        return top("`effective_at` may not change: what is recorded keeps its place in time".to_owned());
    }
    if old.due_at != new.due_at && old.due_at.is_some() {
        return top("`due_at` may not change".to_owned());
    }
    if let Some(link) = old.links.iter().find(|link| !new.links.contains(link)) {
        return top(format!("the link of `{}` is missing or leads elsewhere", link.field));
    }
    if old.concerns_nobody != new.concerns_nobody {
        return top("whom it concerns may not change".to_owned());
    }
    if old.words.repeat != new.words.repeat {
        return top("`repeat` may not change: what is recorded keeps its rows".to_owned());
    }
    if old.words.acts != new.words.acts {
        return top("`acts` may not change: what is recorded is in effect by one, or by two".to_owned());
    }
    if old.ours && old.words.posted_by == PostedBy::Governance && new.words.posted_by == PostedBy::Facts {
        return top("`posted_by` may not change: an act of governance is for tokens that name it".to_owned());
    }
    if let Err((at, reason)) = accepts_all(&inlined(&old.schema), &inlined(&new.schema), "") {
        return Some((format!("/schema{at}"), reason));
    }
    // The rules above see to it; this is a second opinion.
    let violation = new.schema_violations(&old.example, 1).into_iter().next();
    violation
        .map(|wrong| (format!("/schema{}", wrong.pointer), format!("the old example: {}", wrong.message)))
}

/// A schema with its definitions in the places of their references, and without annotations.
fn inlined(schema: &Value) -> Value {
    fn walk(schema: &Value, root: &Value, depth: usize) -> Value {
        match schema {
            Value::Object(members) => {
                let target = members.get("$ref").and_then(Value::as_str);
                let target = target.and_then(|target| root.pointer(target.strip_prefix('#')?));
                let mut out = Map::new();
                if let Some(Value::Object(target)) = target.filter(|_| depth < MAX_DEPTH)
                    && let Value::Object(inner) = walk(&Value::Object(target.clone()), root, depth + 1)
                {
                    out.extend(inner);
                }
                for (name, value) in members {
                    // A definition that goes too deep stays a reference, and equals only the same one.
                    let followed = name == "$ref" && target.is_some() && depth < MAX_DEPTH;
                    // As a member of `properties`, a word such as `title` is a name, and holds a schema.
                    let annotation =
                        ANNOTATIONS.contains(&name.as_str()) && (!value.is_object() || name == "$defs");
                    if !followed && !annotation {
                        out.insert(name.clone(), walk(value, root, depth + 1));
                    }
                }
                Value::Object(out)
            }
            Value::Array(items) => Value::Array(items.iter().map(|item| walk(item, root, depth)).collect()),
            other => other.clone(),
        }
    }
    walk(schema, schema, 0)
}

/// Whether everything that `old` accepts `new` accepts.
fn accepts_all(old: &Value, new: &Value, at: &str) -> Result<(), (String, String)> {
    if old == new || new == &Value::Bool(true) {
        return Ok(());
    }
    let refused = |keyword: &str, reason: &str| Err((format!("{at}/{keyword}"), reason.to_owned()));
    let (Value::Object(old), Value::Object(new)) = (old, new) else {
        return refused("", "cannot be shown to accept all that the version before accepted");
    };
    for (keyword, now) in new {
        let before = old.get(keyword);
        match keyword.as_str() {
            "enum" => {
                let (Some(Value::Array(before)), Value::Array(now)) = (before, now) else {
                    return refused(
                        keyword,
                        "a list of words where there was none shuts out what was accepted",
                    );
                };
                if let Some(gone) = before.iter().find(|value| !now.contains(value)) {
                    return refused(keyword, &format!("{gone} was accepted and is not any more"));
                }
            }
            "maxLength" | "maxItems" | "maxProperties" | "maximum" => {
                if before
                    .and_then(Value::as_f64)
                    .is_none_or(|before| now.as_f64().is_none_or(|now| now < before))
                {
                    return refused(keyword, "may grow, and not shrink or appear");
                }
            }
            "minLength" | "minItems" | "minProperties" | "minimum" => {
                if before
                    .and_then(Value::as_f64)
                    .is_none_or(|before| now.as_f64().is_none_or(|now| now > before))
                {
                    return refused(keyword, "may shrink, and not grow or appear");
                }
            }
            "required" => {
                let known =
                    |name: &&Value| before.and_then(Value::as_array).is_some_and(|old| old.contains(name));
                let names = now.as_array().map(Vec::as_slice).unwrap_or_default();
                if let Some(name) = names.iter().find(|name| !known(name)) {
                    return refused(
                        keyword,
                        &format!("{name} was optional: whoever leaves it out would be refused"),
                    );
                }
            }
            "properties" => properties(old, now, at)?,
            "items" => match before {
                Some(before) => accepts_all(before, now, &format!("{at}/items"))?,
                None => return refused(keyword, "items were free and are not any more"),
            },
            _ if before == Some(now) => {}
            _ => return refused(keyword, "cannot be shown to accept all that the version before accepted"),
        }
    }
    // What `new` does not say any more, it does not ask for; but a member it does not know it may refuse.
    let closed = new.get("additionalProperties") == Some(&Value::Bool(false));
    if closed && let Some(Value::Object(before)) = old.get("properties") {
        let now = new.get("properties").and_then(Value::as_object);
        if let Some(name) = before.keys().find(|name| !now.is_some_and(|now| now.contains_key(*name))) {
            return refused("properties", &format!("`{name}` was accepted and is not any more"));
        }
    }
    Ok(())
}

fn properties(old: &Map<String, Value>, now: &Value, at: &str) -> Result<(), (String, String)> {
    let before = old.get("properties").and_then(Value::as_object);
    // A member that the old version did not know it refused, if it was closed: then a new one shuts nothing out.
    let was_closed = old.get("additionalProperties") == Some(&Value::Bool(false));
    for (name, schema) in now.as_object().into_iter().flatten() {
        let place = format!("{at}/properties/{name}");
        match before.and_then(|before| before.get(name)) {
            Some(before) => accepts_all(before, schema, &place)?,
            None if was_closed => {}
            None => return Err((place, "was free and is not any more".to_owned())),
        }
    }
    Ok(())
}
