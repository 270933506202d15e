//! What an import is, and what it holds.

use super::act::Confirmed;
use crate::spec::time::Timestamp;
use std::collections::BTreeMap;

/// History of a source that is brought in, as known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Its id.
    pub import: String,
    /// Whose events they are: CloudEvents `source`.
    pub source: String,
    /// The entry that opened it.
    pub opened: u64,
    /// What confirmed it, if anything did.
    pub confirmed: Option<Confirmed>,
    /// The place of the entry that closed it.
    pub closed: Option<u64>,
    /// Its window: from this moment …
    pub from: Option<Timestamp>,
    /// … to this one, which is not in it.
    pub until: Option<Timestamp>,
    /// Whether the window had ended when the import was opened; if not, nothing confirms it.
    pub is_past: bool,
}

impl Import {
    /// The place from which on it is in effect: that of its confirmation.
    #[must_use]
    pub fn begins(&self) -> Option<u64> {
        self.confirmed.filter(|_| self.is_past).map(|confirmed| confirmed.place)
    }

    /// Below which place what is inside has its authority: that of the closing; while it is open, all that is known.
    #[must_use]
    pub fn known_to(&self) -> u64 {
        self.closed.unwrap_or(u64::MAX)
    }

    /// Whether an event of this source, done then and recorded at this place, lies inside.
    #[must_use]
    pub fn holds(&self, source: &str, acted_at: Timestamp, place: u64) -> bool {
        let is_between = self.begins().is_some_and(|begins| begins < place) && place < self.known_to();
        is_between && source == self.source && self.is_in_window(acted_at)
    }

    pub(in crate::views::engine) fn is_in_window(&self, acted_at: Timestamp) -> bool {
        self.from.is_some_and(|from| from <= acted_at) && self.until.is_some_and(|until| acted_at < until)
    }
}

/// What lies inside an import, by type of event.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Brought {
    /// Events of each type, as recorded: corrections take nothing from it.
    pub by_type: BTreeMap<String, u64>,
    /// Whether all of it was counted: more is counted with the next question.
    pub is_whole: bool,
}
