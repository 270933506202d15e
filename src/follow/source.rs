//! The log, read by whoever follows it for himself: when it starts, when it has fallen behind, and when it looks back.

use super::event::Event;
use crate::log::store::{ReadError, Store};
use crate::spec::canonical;
use crate::spec::entry::Entry;
use crate::spec::tile::{TILE_WIDTH, split_framed};
use sha2::{Digest as _, Sha256};
use std::error::Error;
use std::sync::Arc;

/// The log could not be read. The cause is for the operator's log, not for clients.
#[derive(Debug, thiserror::Error)]
#[error("the log could not be read: {0}")]
pub struct FeedError(#[source] pub Box<dyn Error + Send + Sync>);

impl From<ReadError> for FeedError {
    fn from(error: ReadError) -> Self {
        FeedError(Box::new(error))
    }
}

/// How much is taken at once, and what of it.
#[derive(Clone, Copy, Debug)]
pub struct Portion {
    /// Entries, at most.
    pub entries: usize,
    /// Bytes after which no further entries are taken: as they stand in the log, or in memory if they come from there.
    pub bytes: usize,
    /// Whether [`Event::data`] is asked for. Entries that were read for others may have it all the same.
    pub data: bool,
}

/// A log whose entries can be read. Those below [`Source::committed`] are durable and never change.
pub trait Source: Send + Sync {
    /// What tells this ledger from all others: SHA-256 of its first entry, which holds the origin and the first key.
    ///
    /// # Errors
    /// The log cannot be read, or is empty.
    fn ledger(&self) -> Result<[u8; 32], FeedError>;

    /// How many entries are durable: the seq that the next one will have.
    fn committed(&self) -> u64;

    /// Appends to `out` the entries `from`, `from + 1` …, only durable ones. It may stop before the portion is full, but
    /// gives at least one if the portion has room for one and `from < committed()`.
    ///
    /// # Errors
    /// The log cannot be read; what `out` then holds is unspecified.
    fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError>;

    /// One entry, which must be below [`Source::committed`].
    ///
    /// # Errors
    /// The log cannot be read, or has no such entry.
    fn event(&self, seq: u64) -> Result<Event, FeedError>;

    /// SHA-256 of the event of an entry, as it was recorded (RFC 8785). The entry must be below [`Source::committed`].
    ///
    /// # Errors
    /// The log cannot be read, or has no such entry.
    fn digest(&self, seq: u64) -> Result<[u8; 32], FeedError>;
}

/// The log of this ledger.
pub struct LogSource(pub Arc<Store>);

impl Source for LogSource {
    fn ledger(&self) -> Result<[u8; 32], FeedError> {
        Ok(Sha256::digest(self.0.entry(0)?).into())
    }

    fn committed(&self) -> u64 {
        self.0.size()
    }

    fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError> {
        let end = self.0.size().min(from.saturating_add(portion.entries as u64));
        let (mut seq, mut bytes_read) = (from, 0);
        while seq < end && bytes_read < portion.bytes {
            // One bundle stands in one piece in one file.
            let to = end.min((seq / TILE_WIDTH + 1) * TILE_WIDTH);
            let framed = self.0.framed(seq..to)?;
            bytes_read += framed.len();
            let mut rest = &framed[..];
            while let Some((bytes, after)) = split_framed(rest) {
                let entry = Entry::parse(bytes).map_err(|_| ReadError::Damaged { seq })?;
                let event = if portion.data { Event::of(&entry) } else { Event::without_data(&entry) };
                out.push(Arc::new(event));
                (rest, seq) = (after, seq + 1);
            }
        }
        Ok(())
    }

    fn event(&self, seq: u64) -> Result<Event, FeedError> {
        let bytes = self.0.entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|_| ReadError::Damaged { seq })?;
        Ok(Event::of(&entry))
    }

    fn digest(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        let bytes = self.0.entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|_| ReadError::Damaged { seq })?;
        // What an entry holds is canonical, so that writing it again gives the same bytes.
        Ok(Sha256::digest(canonical::to_string(&entry.event)).into())
    }
}
