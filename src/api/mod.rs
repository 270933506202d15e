//! The API: JSON over HTTP, one file a resource.
//!
//! A handler turns a request into a call of what is below, and what comes of it into JSON; what is decided is decided there.
//! A resource says everything of itself at one place: method and path, parameters, answers, with which kind of problems
//! ([`problems`]) and, by an extractor of [`crate::web`], who may ask it. [`routes`] names each once, for the server and for
//! the description; [`description`] makes the latter small. Files of resources do not know each other, nor `routes`.

mod access;
mod answering;
mod approvals;
mod ascii;
mod catalog;
mod caveat;
mod clock;
mod control_shown;
mod controls;
mod corrections;
mod courses;
mod decisions;
#[allow(clippy::indexing_slicing, reason = "it is made of JSON that is indexed by name")]
mod description;
mod event_view;
mod events;
mod fairness;
mod filters;
mod health;
mod keys;
mod late;
mod links;
mod listing;
mod log;
mod look_alikes;
mod member_shown;
mod metrics;
mod moment;
pub mod post;
mod problems;
mod proofs;
mod registers;
mod routes;
mod row;
mod rows;
mod sources;
mod standing;
mod statistics;
pub mod stream;
mod table;
mod timeline;

pub use routes::routes;
