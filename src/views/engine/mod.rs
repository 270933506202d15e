//! The view engine: rows folded from events, kept beside the log, and asked as they are now, as they were known on another
//! day, and as they held at another time.
//!
//! Here live what a view is ([`View`]), what it keeps ([`Row`], [`RowEvent`]), how it sees an entry ([`Event`]), and
//! [`Engine`], which applies entries to all views in one order and one atomic batch together with its cursor. May use
//! the store, `catalog` and `spec`, and sees the log through [`EventFeed`] alone. It must never keep what the log does not
//! give again, and never answer from entries beyond those it has applied.
//!
//! A row is kept as it is after all its events by effective time. It is changed by one step where an event is the last one,
//! and folded again from all its events where one comes late or is corrected. The same fold, over fewer events, answers
//! as of another day and at another time: there is one truth about a row, and no second copy of it.

mod acts;
mod applying;
mod audit;
mod corrections;
mod digest;
mod error;
mod event;
mod fold;
mod following;
mod footholds;
mod gather;
mod history;
mod judging;
mod keys;
mod lists;
pub(in crate::views) mod micros;
mod open;
mod opening;
mod order;
mod others;
mod query;
mod row;
mod session;
mod slots;
mod state;
mod stored;
mod tally;
mod view;

#[cfg(test)]
mod bounds_tests;
#[cfg(test)]
pub(in crate::views) mod testing;
#[cfg(test)]
pub(in crate::views) mod tests;
#[cfg(test)]
mod whose_tests;

pub use crate::follow::Event;
pub use acts::act::{Act, ActStanding};
pub use acts::import::{Brought, Import};
pub use acts::imports::{import_of, imports_of};
pub use acts::listed::{ACTS, ActLists, TYPES as ACT_TYPES};
pub use acts::two::act_of;
pub use applying::MAX_BATCH_BYTES;
pub use corrections::{CORRECTION, Counts, Effect, Standing as CorrectionStanding};
pub use error::{EngineError, Result};
pub use event::EventFeed;
pub use fold::fold;
pub use history::{Change, History, HistoryPart, MAX_HISTORY};
pub use judging::{Before, Beside, Judge};
pub use keys::DateKind;
pub use lists::{Counted, Earlier, EntryLists};
pub(in crate::views) use opening::told_digest;
pub use opening::{CONFLICTS, Opening};
pub use order::arrange;
pub use others::ModelDay;
pub use query::{Ask, EXPIRED, Found, Page, Part, Place, SCHEDULED, Scheduled, Sort, When};
pub use row::{Assurance, EARLY, Row, RowEvent, telling};
pub use slots::Projection;
pub use state::{Engine, Standing};
pub use tally::Tallier;
pub use view::{BY, CONFLICT, OF_ALL, OUT_OF_ORDER, RowName, SOURCE, View};
