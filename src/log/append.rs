//! What goes into the sequencer and what comes out: the vocabulary of appending.

use crate::log::clock::ClockTrouble;
use crate::spec::entry::Draft;
use crate::spec::merkle::Hash;
use crate::spec::note::VerifierKey;
use crate::spec::time::Timestamp;
use std::fmt;
use std::sync::Arc;
use tokio::sync::oneshot;

/// One event, made ready by a handler.
#[derive(Clone, Debug)]
pub struct Item {
    pub draft: Draft,
    /// Who the event is, for ever: a hash of its CloudEvents `source` and `id`.
    pub identity: [u8; 16],
    /// What it says and who says so; see [`crate::log::fingerprint`].
    pub fingerprint: Hash,
    /// A hash of its `subject`, where it has one.
    pub subject: Option<[u8; 16]>,
    /// Its CloudEvents `source`.
    pub source: Arc<str>,
    /// The first ledger time at which it may be recorded, where it speaks of times to come.
    pub not_before: Option<Timestamp>,
}

/// Events that are recorded together or not at all.
#[derive(Debug)]
pub struct Submission {
    pub items: Vec<Item>,
    /// The subject and how many events it must have so far.
    pub expected_version: Option<ExpectedVersion>,
    /// How far the index was when the handler looked the identities up and found none.
    pub looked_up_at: u64,
}

/// The condition of `Daybook-Expected-Version`.
#[derive(Clone, Debug)]
pub struct ExpectedVersion {
    pub subject: String,
    pub version: u64,
    /// Of which sources events count, where not all do.
    pub sources: Option<Sources>,
    /// What [`Identities::version`] said when the handler asked: that takes time in proportion to the subject, which
    /// the sequencer has not.
    pub counted: Option<(u64, u64)>,
}

/// Some of all sources.
#[derive(Clone)]
pub struct Sources(pub Arc<dyn Fn(&str) -> bool + Send + Sync>);

impl fmt::Debug for Sources {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Sources")
    }
}

/// What became of one item.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Recorded {
        seq: u64,
        time: Timestamp,
        leaf: Hash,
    },
    /// The same event was there already.
    Replayed {
        seq: u64,
    },
}

/// Why nothing of a submission was recorded.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AppendError {
    /// These items name events that are recorded with other content, or by another actor.
    #[error("events with these identities are recorded with other content")]
    Conflict { items: Vec<usize> },
    #[error("the subject has {actual} events")]
    WrongVersion { actual: u64 },
    /// These items speak of times that lie too far ahead of ledger time.
    #[error("something lies too far ahead of ledger time, {now}")]
    Ahead { items: Vec<usize>, now: Timestamp },
    /// Too much is waiting.
    #[error("more is waiting than can be held")]
    Overloaded,
    /// The index of identities does not know all entries yet.
    #[error("the index of identities is behind: {applied} of {size} entries")]
    IndexBehind { applied: u64, size: u64 },
    #[error("no room on the disk")]
    NoRoom,
    #[error("the clock jumped from {expected} to {wall}")]
    ClockJumped { expected: Timestamp, wall: Timestamp },
    #[error("the clock says {wall}, and the last entry bears {last}")]
    ClockBehind { last: Timestamp, wall: Timestamp },
    /// This ledger is a copy that nobody adopted, or has no key.
    #[error("the ledger is open for reading only")]
    ReadOnly,
    /// A fault of the disk; the ledger is stopped until it is started again.
    #[error("the ledger is stopped")]
    Stopped,
    /// Another rotation came first, and this one does not go with it.
    #[error("another rotation came first; look at the ledger's keys and decide again")]
    RotationInFlight,
    /// The index failed; nothing can be said about identities.
    #[error("the index cannot be read: {0}")]
    Index(String),
}

impl From<ClockTrouble> for AppendError {
    fn from(trouble: ClockTrouble) -> Self {
        match trouble {
            ClockTrouble::Ahead { expected, wall } => AppendError::ClockJumped { expected, wall },
            ClockTrouble::Behind { last, wall } => AppendError::ClockBehind { last, wall },
        }
    }
}

/// What a submission is answered with: one outcome per item, in their order.
pub type Answer = Result<Vec<Outcome>, AppendError>;

/// Where the answer goes.
pub type Reply = oneshot::Sender<Answer>;

/// What the sequencer needs of the index of identities, which stands above the log.
pub trait Identities: Send + Sync {
    /// Entries applied.
    fn applied(&self) -> u64;
    /// The entry of an identity, and how many entries were applied when it was looked for.
    ///
    /// # Errors
    /// The index cannot be read.
    fn find(&self, identity: &[u8; 16]) -> Result<(Option<u64>, u64), String>;
    /// How many events a subject has, and how many entries were applied when it had them.
    ///
    /// # Errors
    /// The index cannot be read.
    fn version(&self, subject: &str) -> Result<(u64, u64), String>;
}

/// A signed entry and its leaf hash.
#[derive(Clone, Debug)]
pub struct SignedEntry {
    /// As it is written: text and signature lines.
    pub bytes: Vec<u8>,
    pub leaf: Hash,
}

/// Who hears of entries as soon as they are the log's, so that they need not be read back.
pub trait Listener: Send + Sync {
    /// These entries are durable, and readers see them; `first` is the number of the first one. Called in the order of
    /// the log by the thread that commits: it must return at once, whatever becomes of the entries. Whoever cannot take
    /// them reads them from the log.
    fn committed(&self, first: u64, entries: Vec<SignedEntry>);
}

/// The key that a commitment was made to, with the vkey as `SHA-256` input; see
/// [`crate::spec::entry::key_commitment`].
#[must_use]
pub fn satisfies(key: &VerifierKey, commitment: Option<Hash>) -> bool {
    commitment == Some(crate::spec::entry::key_commitment(key))
}
