//! What holds for the description as a whole.

use crate::api::routes::declared;
use crate::catalog::Catalog;
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

fn description() -> Value {
    super::whole::describe(&declared(), &Catalog::embedded().unwrap())
}

/// All values of a document, each with its path.
fn walk(value: &Value, path: &str, visit: &mut dyn FnMut(&str, &Value)) {
    visit(path, value);
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| walk(item, &format!("{path}/{at}"), visit));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, item)| walk(item, &format!("{path}/{name}"), visit));
        }
        _ => {}
    }
}

#[test]
fn paths_are_told_from_methods() {
    let methods = super::methods::methods(&declared());
    assert_eq!(methods.of("/v1/events"), ["GET", "HEAD", "POST"]);
    assert_eq!(methods.of("/v1/events/7"), ["GET", "HEAD"]);
    assert_eq!(methods.of("/log/tile/0/x001/000"), ["GET", "HEAD"]);
    assert!(methods.of("/v1/nothing").is_empty());
}

#[test]
fn no_reference_points_nowhere_and_no_component_is_unused() {
    let api = description();
    let mut used = BTreeSet::new();
    walk(&api, "", &mut |path, value| {
        if let Some(target) = value.get("$ref").and_then(Value::as_str) {
            assert!(api.pointer(&target[1..]).is_some(), "{path}: {target}");
            used.insert(target.to_owned());
        }
    });
    for (kind, components) in api["components"].as_object().unwrap() {
        for name in components.as_object().unwrap().keys() {
            let reference = format!("#/components/{kind}/{name}");
            assert!(used.contains(&reference) || kind == "securitySchemes", "nothing refers to {reference}");
        }
    }
}

#[test]
fn every_operation_has_a_name_and_a_summary_of_its_own() {
    let mut api = description();
    let (mut ids, mut summaries) = (BTreeSet::new(), BTreeSet::new());
    for operation in super::operations::operations(&mut api) {
        let id = operation["operationId"].as_str().unwrap().to_owned();
        let summary = operation["summary"].as_str().unwrap_or_default().to_owned();
        assert!(
            !summary.is_empty() && !summary.contains('\n') && !summary.ends_with('.'),
            "{id}: {summary:?}"
        );
        assert!(summaries.insert(summary.clone()), "two operations are {summary:?}");
        assert!(ids.insert(id.clone()), "two operations are called {id}");
    }
    assert!(ids.len() >= 57, "{}", ids.len());
    walk(&api["paths"], "", &mut |path, value| {
        assert!(!value.is_null() || path.contains("/example"), "{path} is null");
    });
}

#[test]
fn titles_are_unique_and_no_schema_is_a_boolean() {
    let api = description();
    let mut titles: BTreeMap<String, String> = BTreeMap::new();
    walk(&api["components"]["schemas"], "", &mut |path, value| {
        if path.contains("/example") {
            return;
        }
        let of_properties = path.ends_with("/properties");
        if let Some(title) = value.get("title").and_then(Value::as_str)
            && !of_properties
            && let Some(other) = titles.insert(title.to_owned(), path.to_owned())
        {
            panic!("{path} and {other} both have the title {title:?}");
        }
        if of_properties {
            for (name, schema) in value.as_object().unwrap() {
                assert!(schema.is_object(), "{path}/{name} is {schema}");
            }
        }
        for name in ["items", "not", "contains", "propertyNames", "if", "then", "else"] {
            let of_schema = value.get(name).filter(|_| !of_properties);
            assert!(of_schema.is_none_or(Value::is_object), "{path}/{name}");
        }
        for name in ["anyOf", "oneOf", "allOf"] {
            let branches = value.get(name).filter(|_| !of_properties).and_then(Value::as_array);
            assert!(branches.into_iter().flatten().all(Value::is_object), "{path}/{name}");
        }
    });
    assert!(titles.len() > 100, "{}", titles.len());
}
