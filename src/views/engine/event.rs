//! What views read from an entry, and the log as the engine looks back into it.

use super::row::{Assurance, RowEvent};
use crate::catalog::Catalog;
use crate::follow::{Event, FeedError, Source};
use crate::spec::time::Timestamp;
use serde_json::Value;

impl Event {
    /// Who acted: `data.by`, and otherwise who posted it.
    #[must_use]
    pub fn by(&self) -> &str {
        self.data.get("by").and_then(Value::as_str).unwrap_or(&self.actor)
    }

    /// When it was done: CloudEvents `time`, and not later than it was recorded.
    #[must_use]
    pub fn acted_at(&self) -> Timestamp {
        self.happened_at.min(self.recorded_at)
    }

    /// From when it holds: the field that its type names for this, else when it was done.
    #[must_use]
    pub fn effective_at(&self, catalog: &Catalog) -> Timestamp {
        let field = catalog.get(&self.ty).map_or("effective_at", |ty| ty.effective_at.as_str());
        let value = field.split('.').try_fold(&*self.data, |value, name| value.get(name));
        value.and_then(Value::as_str).and_then(Timestamp::recorded).unwrap_or_else(|| self.acted_at())
    }

    /// The event as a fold sees it.
    #[must_use]
    pub fn for_row(&self, catalog: &Catalog) -> RowEvent {
        let by = self.by().to_owned();
        let assurance = if by == self.actor { Assurance::Authenticated } else { Assurance::Asserted };
        RowEvent {
            seq: self.seq,
            place: self.seq,
            recorded_at: self.recorded_at,
            acted_at: self.acted_at(),
            effective_at: self.effective_at(catalog),
            happened_at: self.happened_at,
            early_by: 0,
            after_turn: false,
            act: None,
            ty: self.ty.clone(),
            source: self.source.clone(),
            id: self.id.clone(),
            actor: self.actor.clone(),
            by,
            assurance,
            data: self.data.clone(),
        }
    }
}

impl RowEvent {
    /// Puts a replacement where its target stands: it has its place in the order of recording, and its act time unless it
    /// says otherwise.
    pub(super) fn put_in_place(&mut self, target: &Event, retimed: bool) {
        (self.place, self.recorded_at) = (target.seq, target.recorded_at);
        if !retimed {
            if self.effective_at == self.acted_at {
                self.effective_at = target.acted_at();
            }
            self.acted_at = target.acted_at();
        }
    }
}

/// The log as the engine looks back into it.
pub trait EventFeed: Source {
    /// The entry that has this identity ([`crate::log::identity`]) among those below `before`; waits until it can be
    /// known.
    ///
    /// # Errors
    /// It cannot be known at present.
    fn find(&self, identity: &[u8; 16], before: u64) -> Result<Option<u64>, FeedError>;
}
