//! Under what grants, requests and uses are found.

use crate::views::engine::Row;
use serde_json::Value;

/// A resource as it is listed: its kind and its id.
#[must_use]
pub fn resource(object: &Value) -> Option<String> {
    let text = |name: &str| object.get(name)?.as_str();
    Some(format!("{}/{}", text("kind")?, text("id")?))
}

/// By whom and for what a grant or request is found.
pub(super) fn lists(row: &Row) -> Vec<(&'static str, String)> {
    let mut lists = Vec::new();
    if let Some((kind, id)) = row.text("grantee.kind").zip(row.text("grantee.id")) {
        lists.push((if kind == "role" { "role" } else { "principal" }, id.to_owned()));
    }
    lists.extend(row.value("resource").and_then(resource).map(|resource| ("resource", resource)));
    lists
}
