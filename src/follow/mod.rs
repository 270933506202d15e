//! Following the log: what everything that is derived from it has in common.

pub mod feed;
pub mod projector;

#[cfg(test)]
pub(crate) mod testing;

pub use feed::{Feed, FeedEntry, FeedError};
pub use projector::{Progress, Projector, ProjectorState, catch_up};
