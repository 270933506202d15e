//! Projections of the log: what answers questions faster than reading the log from its beginning.
//!
//! Here live the small key-value [`store`] (one trait, two engines), the [`index`] of identities and lists that the
//! log itself needs, and the [`projector`], the one thread that applies entries to them in order.
//!
//! Everything here may use `spec` and `catalog`, and sees the log only through [`Feed`], which [`LogIndex`] joins to it. It must never be the only
//! place that knows something: each file below the index's folder can be deleted and comes back the same from the
//! entries. So nothing here asks for an fsync, and nothing here is ever repaired: what is doubtful is built again.

pub mod access;
mod all;
pub mod approvals;
pub mod decisions;
pub mod engine;
pub mod escalations;
pub mod evidence;
pub mod fairness;
mod log_views;
pub mod mentions;
mod publications;
pub mod registers;
pub mod sources;
pub mod stats;

pub use all::projections;
pub use log_views::LogViews;
pub use publications::read_publications;
