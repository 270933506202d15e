//! The description of the API: OpenAPI 3.1 at `/openapi.json`.
//!
//! What the routes declare comes in; the catalogue's types and the answers of the demo are added ([`events`], [`answers`]),
//! and what stands in it several times is moved to where it stands once ([`shared`]). Knows no resource: [`crate::api::routes`]
//! does.

mod answers;
mod events;
mod methods;
mod served;
mod shared;
mod words;

#[cfg(test)]
mod tests;

pub use methods::{methods, not_there};
pub use served::Description;

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

/// All operations, each with its path and method.
fn operations(api: &mut Value) -> impl Iterator<Item = &mut Value> {
    let paths = api["paths"].as_object_mut().into_iter().flatten();
    paths.flat_map(|(_, path)| path.as_object_mut().into_iter().flatten()).map(|(_, operation)| operation)
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
