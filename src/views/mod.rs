//! Projections of the log: what answers questions faster than reading the log from its beginning.
//!
//! Here live the [`engine`], a file or folder for each view that it folds, and [`LogViews`], which joins them to the log.
//!
//! Everything here may use `index`, `store`, `follow`, `catalog` and `spec`, and of the log only what an event's identity
//! is. It must never be the only place that knows something: each file below the views' folder can be deleted and comes
//! back the same from the entries. So nothing here asks for an fsync, and nothing here is ever repaired: what is doubtful
//! is built again.

pub mod access;
pub mod alike;
mod all;
pub mod approvals;
pub mod decisions;
pub mod engine;
pub mod escalations;
pub mod evidence;
pub mod fairness;
pub mod late;
mod log_views;
pub mod mentions;
pub mod registers;
pub mod sources;
pub mod stats;
pub mod stretches;
mod told;

#[cfg(test)]
mod apart_tests;
#[cfg(test)]
pub(crate) mod histories;
#[cfg(test)]
mod imports_tests;
#[cfg(test)]
mod orders_tests;

pub use all::projections;
pub use log_views::LogViews;
