//! The append-only log: order, chain, signatures, durability, reading and proofs.
//!
//! One sequencer thread owns the order, one committer thread owns the disk; between them at most one batch waits
//! while one is being synced. Readers see what is committed and nothing else ([`store::Store`]). The folder is laid
//! out as FORMATS.md section 8 says. May use `spec` and `verify`; must never know what an event means, who may post
//! it, or how it came in.

mod adoption;
pub mod append;
pub mod bulk;
pub mod check;
pub mod clock;
mod committed;
mod committer;
mod damage;
pub mod disk;
pub mod home;
mod keeper;
pub mod keys;
pub mod memory;
mod names;
mod open_files;
mod opening;
pub mod own_events;
pub mod publish;
mod recent;
pub mod recovery;
mod running;
mod sealer;
pub mod segment;
mod sequencer;
mod signing;
pub mod store;
mod tiles;
mod vitals;

pub use adoption::put_back;
pub use keeper::Keeper;
pub use names::{compared, fingerprint, fingerprint_of, identity, is_json, subject_hash};
pub use opening::{OpenError, Opened, Options, create, is_made, open};
pub use own_events::OWN_TYPES;
pub use running::{Log, NoIndex, RotateError};

#[cfg(test)]
pub(crate) mod tests;
