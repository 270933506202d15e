//! The log as the projections see it: entries in order, from any place, and word when there are more.

use std::error::Error;
use std::time::Duration;

/// What the index needs of one entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FeedEntry {
    /// The entry's number: 0, 1, 2 … without gaps.
    pub seq: u64,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub ty: String,
    /// CloudEvents `subject`, where there is one.
    pub subject: Option<String>,
    /// Who submitted it, as authenticated.
    pub actor: String,
    /// SHA-256 of the entry's text: `prev` of the next entry (FORMATS.md, section 2).
    pub text_hash: [u8; 32],
}

/// The log could not be read. The cause is for the operator's log, not for clients.
#[derive(Debug, thiserror::Error)]
#[error("the log could not be read: {0}")]
pub struct FeedError(#[source] pub Box<dyn Error + Send + Sync>);

/// A log that can be followed. Entries below [`Feed::committed`] are durable and never change.
pub trait Feed: Send + Sync {
    /// How many entries are durable: the seq that the next one will have.
    fn committed(&self) -> u64;

    /// Waits until more than `beyond` entries are durable, at most `timeout`, and says how many are.
    fn wait_committed(&self, beyond: u64, timeout: Duration) -> u64;

    /// Appends to `out` the entries `from`, `from + 1` …, at most `max` of them and only durable ones. It may stop
    /// earlier, but gives at least one if `max > 0` and `from < committed()`.
    ///
    /// # Errors
    /// The log cannot be read; what `out` then holds is unspecified.
    fn read(&self, from: u64, max: usize, out: &mut Vec<FeedEntry>) -> Result<(), FeedError>;

    /// SHA-256 of the text of entry `seq`, which must be below [`Feed::committed`].
    ///
    /// # Errors
    /// The log cannot be read, or has no such entry.
    fn text_hash(&self, seq: u64) -> Result<[u8; 32], FeedError>;
}
