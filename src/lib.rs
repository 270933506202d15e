//! Daybook: an event-sourced audit ledger. See ARCHITECTURE.md for the bird's-eye view.
#![allow(
    missing_docs,
    reason = "the library serves the programs of this repository; the two packages below are documented"
)]

pub mod answers;
pub mod api;
pub mod app;
pub mod catalog;
pub mod cli;
pub mod clock;
pub mod demo;
pub mod follow;
pub mod identity;
pub mod index;
pub mod intake;
pub mod log;
pub mod store;
mod sync;
pub mod views;
pub mod web;

// The two packages below this one, under the names of rooms.
pub use daybook_spec as spec;
pub use daybook_verify as verify;
