//! Names that look alike: ids, people and sources that a reader takes for one another.
//!
//! Names of one kind look alike if they have the same skeleton (`skeleton.rs`). Of each skeleton it is kept which names were
//! heard, and by which entry first; a name that is not the first one of its skeleton makes a pair with that one (`names.rs`).
//! Heard is heard: a pair stays also where the entry that brought it was annulled.

mod names;
mod skeleton;

pub use names::{LOOK_ALIKES, Names, PRINCIPAL, Pair, SOURCE, pairs_from, pairs_of};
