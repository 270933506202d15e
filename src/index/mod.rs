//! The index of the log: which entry has this identity, how many events a subject has, which entries have this type,
//! source, subject or actor.
//!
//! Here live the index's records (`keys`), how it is opened or thrown away (`open`), [`Index`] itself (`lookup`), [`LogIndex`],
//! which joins it to the log, what a subject has of some sources (`version`), and what of the catalogue stands in the log (`publications`). May use `store`, `follow`,
//! `log`, `catalog` and `spec`. It must never answer from an index that has failed, nor from entries beyond those it has
//! applied, nor keep anything that the log does not give again, nor know of views.

mod keys;
mod log_index;
mod lookup;
mod open;
mod publications;
mod version;

#[cfg(test)]
mod damage_tests;
#[cfg(test)]
mod tests;

pub use log_index::LogIndex;
pub use lookup::{Filter, Index, IndexError, IndexState, Result};
pub use publications::read_publications;
