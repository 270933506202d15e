//! Under what grants, requests and uses are found.

use crate::views::engine::Row;
use serde_json::{Map, Value};

/// A resource as it is listed: its kind and its id.
#[must_use]
pub fn resource(object: &Value) -> Option<String> {
    let text = |name: &str| object.get(name)?.as_str();
    Some(format!("{}/{}", text("kind")?, text("id")?))
}

/// By whom and for what a request is found.
pub(super) fn lists(row: &Row) -> Vec<(&'static str, String)> {
    of_terms(&row.fields)
}

/// By whom and for what access is found that has these terms.
pub(super) fn of_terms(terms: &Map<String, Value>) -> Vec<(&'static str, String)> {
    let mut lists = Vec::new();
    let text = |name: &str| terms.get("grantee")?.get(name)?.as_str();
    if let Some((kind, id)) = text("kind").zip(text("id")) {
        lists.push((if kind == "role" { "role" } else { "principal" }, id.to_owned()));
    }
    lists.extend(terms.get("resource").and_then(resource).map(|resource| ("resource", resource)));
    lists
}
