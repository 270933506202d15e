//! The description of the API: OpenAPI 3.1 at `/openapi.json`.
//!
//! What the routes declare comes in; the catalogue's types and the answers of the demo are added ([`events`], [`answers`]),
//! and what stands in it several times is moved to where it stands once ([`shared`]). Knows no resource: [`crate::api::routes`]
//! does.

mod answers;
mod events;
mod methods;
mod operations;
mod served;
mod shared;
mod whole;
mod words;

#[cfg(test)]
mod tests;

pub use methods::not_there;
pub use served::Description;
