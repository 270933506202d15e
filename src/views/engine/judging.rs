//! Rows that are judged when they are asked for: what they are depends on the moment, and on entries that are not about
//! them.
//!
//! Whether a vote counts depends on roles and delegations, and those on what had been recorded before the vote. No fold of
//! the row's own events can know it. Such a view keeps with a row what its events say, and its [`Judge`] says what they
//! come to: of one row, of each row of a list, and of each that is counted, always by the same words. What it costs is that
//! rows are looked at one by one where others are found by what is kept of them.

use super::acts::import::{Brought, Import};
use super::error::Result;
use super::row::{Row, RowEvent};
use crate::spec::time::Timestamp;
use std::sync::Arc;

/// Says what the rows of a view come to.
pub trait Judge: Send + Sync {
    /// The lists of entries ([`super::EntryLists`]) that it looks at.
    fn lists(&self) -> &'static str;

    /// The types of the entries on those lists: what is wrong with them touches the rows too.
    fn types(&self) -> &'static [&'static str];

    /// What a row is at a time, by what is kept of all its events that are known; none if it had not begun by then.
    ///
    /// # Errors
    /// The entries beside it cannot be read.
    fn judge(&self, row: &Row, at: Timestamp, beside: &dyn Beside) -> Result<Option<Row>>;

    /// The states in which a row may be found from its last event on, whatever the entries beside it say, `expired`
    /// included.
    fn states(&self, row: &Row) -> Vec<&'static str>;
}

/// Entries that are not about a row, as known.
pub trait Beside {
    /// Those on a list that stand, in the order of recording; the newest ones of very many.
    ///
    /// # Errors
    /// The store or the log failed.
    fn listed(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>>;

    /// Those on a list as they stood among the entries below `known`, before what was corrected since then.
    ///
    /// # Errors
    /// The store or the log failed.
    fn before(&self, field: &'static str, value: &str, known: u64) -> Result<Before>;

    /// The place of the first one on a list that stands.
    ///
    /// # Errors
    /// The store or the log failed.
    fn first(&self, field: &'static str, value: &str) -> Result<Option<u64>>;

    /// Those on a list about acts of two and imports ([`super::ActLists`]) that stand, in the order of recording; the oldest
    /// ones of very many.
    ///
    /// # Errors
    /// The store or the log failed.
    fn acts(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>>;

    /// Whether there is any entry of a field of these lists, standing or not.
    ///
    /// # Errors
    /// The store failed.
    fn any_act(&self, field: &'static str) -> Result<bool>;

    /// All imports of the history of a source: see [`super::imports_of`].
    ///
    /// # Errors
    /// The store or the log failed.
    fn imports(&self, source: &str) -> Result<Arc<[Arc<Import>]>>;

    /// What lies inside an import in effect.
    ///
    /// # Errors
    /// The log failed.
    fn brought(&self, import: &Import) -> Result<Brought>;

    /// What a confirmation of an event has to say: `sha256:` and, in 64 hexadecimal digits, the SHA-256 of the event as it
    /// was recorded (RFC 8785).
    ///
    /// # Errors
    /// The log failed.
    fn digest(&self, seq: u64) -> Result<String>;
}

/// Entries on a list as they stood once.
pub struct Before {
    /// Those that stood, in the order of recording; where nothing was corrected since, later ones may be among them.
    pub standing: Arc<[RowEvent]>,
    /// What corrections have since then taken away, given back or put elsewhere, each with the last of these.
    pub corrected: Vec<(RowEvent, u64)>,
}
