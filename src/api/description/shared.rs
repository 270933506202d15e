//! What stands in several operations in the same words becomes a component, and they refer to it.
//!
//! A component is named after what it is, not after where it was found first: the name of the parameter, the types of the
//! problem. So a new operation changes no name.

use super::operations;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// Header of answers that come from the views or the index.
const APPLIED_SEQ: &str = "Daybook-Applied-Seq";

/// Moves parameters, problems and headers that operations share to `components`.
pub fn move_to_components(api: &mut Value) {
    share_parameters(api);
    share_problems(api);
    name_applied_seq(api);
}

/// Of the parameters of one name and place, what most operations mean by it stands once.
fn share_parameters(api: &mut Value) {
    let mut seen: BTreeMap<(String, String), usize> = BTreeMap::new();
    for operation in operations(api) {
        for parameter in operation["parameters"].as_array().into_iter().flatten() {
            *seen.entry((component_of(parameter), parameter.to_string())).or_default() += 1;
        }
    }
    let mut shared: BTreeMap<String, (usize, String)> = BTreeMap::new();
    for ((component, parameter), times) in seen.into_iter().filter(|(_, times)| *times > 1) {
        let most = shared.entry(component).or_default();
        if times > most.0 {
            *most = (times, parameter);
        }
    }
    let mut components = Map::new();
    for operation in operations(api) {
        // Asked for by name alone, it would be made where it is not.
        let parameters = operation.get_mut("parameters").and_then(Value::as_array_mut);
        for parameter in parameters.into_iter().flatten() {
            let (component, text) = (component_of(parameter), parameter.to_string());
            if shared.get(&component).is_some_and(|(_, shared)| *shared == text) {
                let reference = json!({"$ref": format!("#/components/parameters/{component}")});
                components.insert(component, std::mem::replace(parameter, reference));
            }
        }
    }
    if !components.is_empty() {
        api["components"]["parameters"] = Value::Object(components);
    }
}

fn component_of(parameter: &Value) -> String {
    let text = |name: &str| parameter[name].as_str().unwrap_or_default();
    match text("in") {
        "query" => text("name").to_owned(),
        place => format!("{}.in-{place}", text("name")),
    }
}

/// Problems follow from their types, so equal types are equal responses.
fn share_problems(api: &mut Value) {
    let mut components = Map::new();
    for operation in operations(api) {
        for (status, response) in operation["responses"].as_object_mut().into_iter().flatten() {
            if response["content"].get(crate::web::problem::PROBLEM_JSON).is_none() {
                continue;
            }
            let component = format!("{status}.{}", slugs(response).join("."));
            let reference = json!({"$ref": format!("#/components/responses/{component}")});
            components.insert(component, std::mem::replace(response, reference));
        }
    }
    if !components.is_empty() {
        api["components"]["responses"] = Value::Object(components);
    }
}

/// The types of problem that a response names, as its description quotes them.
fn slugs(response: &Value) -> Vec<&str> {
    let said = response["description"].as_str().unwrap_or_default();
    said.split("; ")
        .filter_map(|part| part.strip_prefix('`')?.split_once("`:").map(|(slug, _)| slug))
        .collect()
}

/// What answers from the views or the index may find them not there, and says how much they had when they were.
fn name_applied_seq(api: &mut Value) {
    let header = json!({
        "description": "How many entries the views, or the index, had when they answered",
        "schema": {"type": "integer", "format": "int64", "minimum": 0},
    });
    api["components"]["headers"] = json!({APPLIED_SEQ: header});
    for operation in operations(api) {
        let unavailable = operation["responses"]["503"]["$ref"].as_str().unwrap_or_default();
        let asks = unavailable.contains("index-unavailable") && operation.get("requestBody").is_none();
        if asks {
            operation["responses"]["200"]["headers"][APPLIED_SEQ] =
                json!({"$ref": format!("#/components/headers/{APPLIED_SEQ}")});
        }
    }
}
