//! Daybook: an event-sourced audit ledger. See ARCHITECTURE.md for the bird's-eye view.
#![forbid(unsafe_code)]

#[cfg(feature = "server")]
pub mod answers;
#[cfg(feature = "server")]
pub mod api;
#[cfg(feature = "server")]
pub mod app;
#[cfg(feature = "server")]
pub mod catalog;
#[cfg(feature = "server")]
pub mod cli;
#[cfg(feature = "server")]
pub mod demo;
#[cfg(feature = "server")]
pub mod follow;
#[cfg(feature = "server")]
pub mod identity;
#[cfg(feature = "server")]
pub mod index;
#[cfg(feature = "server")]
pub mod intake;
#[cfg(feature = "server")]
pub mod log;
pub mod spec;
#[cfg(feature = "server")]
pub mod store;
#[cfg(feature = "server")]
mod sync;
pub mod verify;
#[cfg(feature = "server")]
pub mod views;
#[cfg(feature = "server")]
pub mod web;
