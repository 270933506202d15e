//! Daybook: an event-sourced audit ledger. See ARCHITECTURE.md for the bird's-eye view.
#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod log;
pub mod spec;
