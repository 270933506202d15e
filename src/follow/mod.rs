//! Following the log: everything that is derived from it is fed, watched and replaced here, in one way.
//!
//! Here live the [`Event`] that an entry is read as, the [`Feed`] (the newest entries as they were written, read once for
//! all), the [`Follower`] (one thread, one cursor, one store of its own) and [`Supervised`] (opens, watches, replaces).
//! May use `log`, `catalog`, `store` and `spec`. It must never know what a follower makes of an event, never let one
//! follower or the log wait for another, never hold more in memory than its limits say, and never take an event from a
//! request: what is followed is what was written, and nothing else.

mod event;
mod feed;
mod follower;
mod ring;
mod source;
mod stop;
mod supervised;

#[cfg(test)]
pub(crate) mod testing;

pub use event::Event;
pub use feed::{Feed, Reader};
pub use follower::{Derived, Follower, FollowerState, catch_up};
pub use source::{FeedError, LogSource, Portion, Source};
pub use stop::Stop;
pub use supervised::{Current, Supervise, Supervised};
