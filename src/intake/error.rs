//! Why events were not recorded, told apart by what whoever brought them does next.

use crate::identity::Role;
use crate::intake::refusal::{Kind, Refusal};
use crate::log::append::AppendError;
use crate::log::store::ReadError;
use crate::spec::time::Timestamp;

/// Nothing of the request was recorded, but where it says that this is not known.
#[derive(Debug, thiserror::Error)]
pub enum RecordError {
    /// Come as somebody else.
    #[error("this needs the role {0}")]
    NeedsRole(Role),
    /// Mend what is named. Never empty.
    #[error("{}", named(.0))]
    Refused(Vec<Refusal>),
    /// Name the subject that is meant to have so many events.
    #[error("a number of events is expected of a subject, and the event has none")]
    VersionWithoutSubject,
    /// State what has happened, or bring it when it has. Never empty.
    #[error("{}, at {ledger_time}", named(refusals))]
    Ahead { refusals: Vec<Refusal>, ledger_time: Timestamp },
    /// Bring each event alone, or expect nothing.
    #[error("a number of events is expected of one event's subject, not of a batch")]
    VersionOfBatch,
    /// Give the events at these places of the request other ids: these are recorded with other content, or by another
    /// actor.
    #[error("the identities of {} events are recorded with other content or by another actor", taken.len())]
    IdentityTaken { taken: Vec<Taken>, in_batch: bool },
    /// Read the subject's events and decide again.
    #[error("the subject has {actual} events")]
    WrongVersion { actual: u64 },
    /// Bring the same again later.
    #[error(transparent)]
    Later(#[from] Later),
    /// Bring the same again when an operator has seen to the ledger.
    #[error(transparent)]
    Blocked(#[from] Blocked),
    /// Tell the operator: here the program or the disk is at fault.
    #[error(transparent)]
    Fault(#[from] Fault),
}

/// An event whose identity is recorded with other content, or by another actor.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Taken {
    /// Its place in the request.
    pub place: usize,
    /// Another actor recorded it.
    pub by_another: bool,
    /// JSON Pointers, into the event, to the members that are not as they are recorded; the first 16.
    pub differs: Vec<String>,
}

impl Taken {
    /// Of which nothing more is known.
    pub(super) fn at(place: usize) -> Self {
        Self { place, ..Self::default() }
    }
}

fn named(refusals: &[Refusal]) -> String {
    let named = |refusal: &Refusal| format!("{} ({})", refusal.detail, refusal.pointer);
    refusals.iter().map(named).collect::<Vec<_>>().join("; ")
}

/// What passes by itself.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Later {
    #[error("more is waiting than can be held")]
    Overloaded,
    #[error("the index of identities has {applied} of {size} entries")]
    IndexBehind { applied: u64, size: u64 },
    /// A publication that is brought again is known by the index alone.
    #[error("the index has not caught up, and a publication that is brought again could not be told")]
    PublicationUntold,
    #[error("events cannot be held against the catalogue yet: {0}")]
    CatalogUnread(String),
    /// Why.
    #[error("the index of identities cannot be read: {0}")]
    IndexUnavailable(String),
    #[error("there is no room on the disk")]
    NoRoom,
}

/// What lasts until an operator acts.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Blocked {
    #[error("the clock jumped from {expected} to {wall}")]
    ClockJumped { expected: Timestamp, wall: Timestamp },
    #[error("the clock says {wall}, and the last entry bears {last}")]
    ClockBehind { last: Timestamp, wall: Timestamp },
    #[error("the ledger is open for reading only")]
    ReadOnly,
    /// Whether the events are recorded is known after the next start.
    #[error("the ledger has stopped because of its disk")]
    Stopped,
    /// What is corrected cannot be looked up.
    #[error("the ledger was opened without an index")]
    NoIndex,
}

/// What should not be.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// An entry that has to be compared or told cannot be read.
    #[error("an entry cannot be read: {0}")]
    Read(#[from] ReadError),
    #[error("{0}")]
    Internal(String),
}

impl RecordError {
    /// One thing that is wrong.
    pub(super) fn refused(refusal: Refusal) -> Self {
        RecordError::Refused(vec![refusal])
    }

    /// A fault of the program.
    pub(super) fn internal(error: &dyn std::fmt::Display) -> Self {
        Fault::Internal(error.to_string()).into()
    }
}

impl From<ReadError> for RecordError {
    fn from(error: ReadError) -> Self {
        Fault::Read(error).into()
    }
}

/// Of a single event; whoever appends a batch says first which places of the request are meant.
impl From<AppendError> for RecordError {
    fn from(error: AppendError) -> Self {
        match error {
            AppendError::Conflict { items } => {
                let taken = items.into_iter().map(Taken::at).collect();
                RecordError::IdentityTaken { taken, in_batch: false }
            }
            AppendError::WrongVersion { actual } => RecordError::WrongVersion { actual },
            // Whoever appends events knows which of their times are meant.
            AppendError::Ahead { now, .. } => {
                let detail = "something in this lies too far ahead of ledger time";
                let refusals = vec![Refusal::new(Kind::Ahead, "", detail)];
                RecordError::Ahead { refusals, ledger_time: now }
            }
            AppendError::Overloaded => Later::Overloaded.into(),
            AppendError::IndexBehind { applied, size } => Later::IndexBehind { applied, size }.into(),
            AppendError::NoRoom => Later::NoRoom.into(),
            // The engines say why only in words; these are the operating system's.
            AppendError::Index(error) if error.contains("No space left on device") => Later::NoRoom.into(),
            AppendError::Index(error) => Later::IndexUnavailable(error).into(),
            AppendError::ClockJumped { expected, wall } => Blocked::ClockJumped { expected, wall }.into(),
            AppendError::ClockBehind { last, wall } => Blocked::ClockBehind { last, wall }.into(),
            AppendError::ReadOnly => Blocked::ReadOnly.into(),
            AppendError::Stopped => Blocked::Stopped.into(),
            // Of a rotation, which is no event that anybody brings.
            AppendError::RotationInFlight => RecordError::internal(&error),
        }
    }
}
