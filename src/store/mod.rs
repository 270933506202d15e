//! A small ordered key-value store for data that can be derived again: one trait, two engines.
//!
//! Here live the [`Store`] trait, the [`Batch`] it takes, and the engines behind it: fjall (the default) and sled, both
//! held to the same conformance suite. Keys and values mean nothing here.
//! This module may use the engines' crates and the standard library, and must never know of entries, sync to disk on
//! purpose, try to repair what it finds, or let an engine's panic out: an engine that panics has failed, that is all.

mod batch;
pub mod copies;
mod fjall;
pub mod folder;
#[cfg(test)]
pub(crate) mod full;
mod guarded;
mod kind;
mod kv;
pub mod opening;
pub mod postings;
pub mod reach;
pub mod seal;
#[cfg(feature = "sled")]
mod sled;
mod table;

#[cfg(test)]
mod conformance;

pub use batch::Batch;
pub use guarded::open;
pub use kind::{EngineKind, UnknownEngine};
pub use kv::{Reader, Store, StoreError, Visit};
pub use table::Table;
