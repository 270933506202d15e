//! HTTP: one file per resource, problem+json, paging, OpenAPI.
//!
//! Handlers turn requests into calls of `intake`, `log` and `views`, and answers into JSON; what is decided is
//! decided there. Nothing below this module knows HTTP.

mod catalog;
mod clock;
mod corrections;
mod cursor;
pub mod docs;
mod event_view;
mod events;
mod health;
mod keys;
mod log;
pub mod post;
mod prepare;
mod proofs;
mod publish;
mod routes;
pub mod stream;
pub mod views;

pub use routes::routes;
