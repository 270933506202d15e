//! HTTP: one file per resource, problem+json, paging, OpenAPI.
//!
//! Handlers turn requests into questions to `answers` and submissions to `intake`, and typed answers into JSON; what is
//! decided is decided there. Nothing below `web` knows HTTP.

mod access;
mod answering;
mod approvals;
mod catalog;
mod clock;
mod control_shown;
mod controls;
mod decisions;
pub mod docs;
mod event_view;
mod events;
mod fairness;
mod filters;
mod health;
mod keys;
mod links;
mod log;
mod moment;
pub mod post;
mod proofs;
mod registers;
mod routes;
mod row;
mod rows;
mod sources;
mod standing;
mod statistics;
pub mod stream;
mod timeline;

pub use routes::routes;
