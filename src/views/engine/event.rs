//! An entry as views see it, and the log as the engine follows it.

use super::row::{Assurance, RowEvent};
use crate::catalog::Catalog;
use crate::follow::feed::FeedError;
use crate::spec::entry::Entry;
use crate::spec::time::Timestamp;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;

/// An entry of the log, read for views.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The entry's number.
    pub seq: u64,
    /// When the ledger recorded it.
    pub recorded_at: Timestamp,
    /// When it happened: CloudEvents `time`, or when it was recorded where there is none.
    pub happened_at: Timestamp,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub ty: String,
    /// CloudEvents `subject`, where there is one.
    pub subject: Option<String>,
    /// The extension attribute `sequence`, where there is one.
    pub sequence: Option<String>,
    /// Who submitted it, as authenticated.
    pub actor: String,
    /// CloudEvents `data`; null where there is none, or none in JSON.
    pub data: Arc<Value>,
}

impl Event {
    /// Reads an entry.
    #[must_use]
    pub fn of(entry: &Entry<'_>) -> Event {
        let text = |name| entry.attribute(name).map(str::to_owned);
        let recorded_at = entry.time;
        let happened_at = entry.attribute("time").and_then(Timestamp::recorded).unwrap_or(recorded_at);
        Event {
            seq: entry.seq,
            recorded_at,
            happened_at,
            source: text("source").unwrap_or_default(),
            id: text("id").unwrap_or_default(),
            ty: text("type").unwrap_or_default(),
            subject: text("subject"),
            sequence: text("sequence"),
            actor: entry.actor.clone(),
            data: Arc::new(entry.event.get("data").map_or(Value::Null, crate::catalog::to_value)),
        }
    }

    /// Who acted: `data.by`, and otherwise who posted it.
    #[must_use]
    pub fn by(&self) -> &str {
        self.data.get("by").and_then(Value::as_str).unwrap_or(&self.actor)
    }

    /// From when it counts: the field that its type names for this, else `data.effective_at`, else when it happened.
    #[must_use]
    pub fn effective_at(&self, catalog: &Catalog) -> Timestamp {
        let field = catalog.get(&self.ty).map_or("effective_at", |ty| ty.effective_at.as_str());
        let value = field.split('.').try_fold(&*self.data, |value, name| value.get(name));
        value.and_then(Value::as_str).and_then(Timestamp::recorded).unwrap_or(self.happened_at)
    }

    /// The event as a fold sees it.
    #[must_use]
    pub fn for_row(&self, catalog: &Catalog) -> RowEvent {
        let by = self.by().to_owned();
        let assurance = if by == self.actor { Assurance::Authenticated } else { Assurance::Asserted };
        RowEvent {
            seq: self.seq,
            effective_at: self.effective_at(catalog),
            happened_at: self.happened_at,
            ty: self.ty.clone(),
            by,
            assurance,
            data: self.data.clone(),
        }
    }
}

/// A log whose events can be followed and read one by one.
pub trait EventFeed: Send + Sync {
    /// How many entries are durable.
    fn committed(&self) -> u64;

    /// Waits until more than `beyond` entries are durable, at most `timeout`, and says how many are.
    fn wait_committed(&self, beyond: u64, timeout: Duration) -> u64;

    /// Appends to `out` the events `from`, `from + 1` …, at most `max`, at least one if there is one.
    ///
    /// # Errors
    /// The log cannot be read.
    fn read(&self, from: u64, max: usize, out: &mut Vec<Event>) -> Result<(), FeedError>;

    /// One event, which must be below [`EventFeed::committed`].
    ///
    /// # Errors
    /// The log cannot be read, or has no such entry.
    fn event(&self, seq: u64) -> Result<Event, FeedError>;

    /// SHA-256 of the text of an entry, which must be below [`EventFeed::committed`].
    ///
    /// # Errors
    /// As [`EventFeed::event`].
    fn text_hash(&self, seq: u64) -> Result<[u8; 32], FeedError>;

    /// The entry that has this identity ([`crate::log::identity`]) among those below `before`; waits until it can be
    /// known.
    ///
    /// # Errors
    /// It cannot be known at present.
    fn find(&self, identity: &[u8; 16], before: u64) -> Result<Option<u64>, FeedError>;
}
