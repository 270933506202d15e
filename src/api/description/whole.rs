//! Putting the description together.

use super::{answers, events, shared, words};
use crate::catalog::Catalog;
use crate::web::ProblemType;
use serde_json::{Value, json};
use utoipa::openapi::OpenApi;

/// The whole description: what the routes declare, with the event types of a catalogue.
#[must_use]
pub fn describe(declared: &OpenApi, catalog: &Catalog) -> Value {
    let mut api = serde_json::to_value(declared).unwrap_or_default();
    events::describe(&mut api, catalog);
    answers::show(&mut api);
    list_problem_types(&mut api);
    words::put_in_order(&mut api);
    shared::move_to_components(&mut api);
    api
}

fn list_problem_types(api: &mut Value) {
    let types = ProblemType::ALL.iter().map(|kind| {
        let (status, _, title) = kind.parts();
        json!({"const": kind.uri(), "description": format!("{status}: {title}")})
    });
    let types: Vec<Value> = types.collect();
    api["components"]["schemas"]["Problem"]["properties"]["type"] =
        json!({"type": "string", "description": "Stable; clients may decide by it", "oneOf": types});
}
