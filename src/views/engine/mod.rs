//! The view engine: rows folded from events, kept beside the log, and asked as they are now, as they were known on another
//! day, and as they held at another time.
//!
//! Here live what a view is ([`View`]), what it keeps ([`Row`], [`RowEvent`]) and how it sees an entry ([`Event`]). May use
//! the store, `catalog` and `spec`, and sees the log through [`EventFeed`] alone. It must never keep what the log does not
//! give again, and never answer from entries beyond those it has applied.

mod event;
mod row;
mod view;

pub use event::{Event, EventFeed};
pub use row::{Assurance, Micros, Row, RowEvent, parse_time, time_text};
pub use view::{RowName, View, fold};
