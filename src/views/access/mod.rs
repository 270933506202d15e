//! Access: who asked, who was granted what, who looked at it again, and what was done with it.
//!
//! Here live the views of grants, requests and uses, each a fold over its own events. Who can reach what, and which uses
//! nothing covers, is answered from grants and roles together, and not here.

pub mod grants;
pub mod requests;
pub mod uses;

pub use grants::Grants;
pub use requests::Requests;
pub use uses::Uses;

use super::engine::Row;
use serde_json::Value;

/// A resource as it is listed: its kind and its id.
#[must_use]
pub fn resource(object: &Value) -> Option<String> {
    let text = |name: &str| object.get(name)?.as_str();
    Some(format!("{}/{}", text("kind")?, text("id")?))
}

/// By whom and for what a grant or request is found.
fn lists(row: &Row) -> Vec<(&'static str, String)> {
    let mut lists = Vec::new();
    if let Some((kind, id)) = row.text("grantee.kind").zip(row.text("grantee.id")) {
        lists.push((if kind == "role" { "role" } else { "principal" }, id.to_owned()));
    }
    lists.extend(row.value("resource").and_then(resource).map(|resource| ("resource", resource)));
    lists
}
