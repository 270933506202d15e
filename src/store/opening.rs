//! What opening a derived store came to, and why one is thrown away. Nothing is repaired: what is doubtful is made anew
//! from the log.

use std::fmt;

/// An engine may do worse than panic on damaged files: abort, or take all memory. If this many times in a row the process
/// ended while opening one, it is not tried again. One time may as well have been somebody's kill.
pub(crate) const UNFINISHED_OPENS: u64 = 2;

/// What opening a derived store came to.
#[derive(Debug)]
pub struct OpenReport {
    /// What was found.
    pub opened: Opened,
    /// Entries applied in what is now open.
    pub applied: u64,
    /// Entries of the log not yet applied: the follower's work.
    pub behind: u64,
}

/// What was found when it was opened.
#[derive(Debug)]
pub enum Opened {
    /// Nothing: an empty one was made.
    Created,
    /// One that can be used, perhaps behind.
    Kept,
    /// One that cannot be used: it was wiped, and an empty one made.
    Rebuilt(RebuildReason),
}

/// Why it was wiped.
#[derive(Debug, PartialEq, Eq)]
pub enum RebuildReason {
    /// It is of another format version than this program's.
    OtherVersion {
        /// Its own.
        found: u32,
        /// This program's.
        expected: u32,
    },
    /// It belongs to another ledger.
    OtherLedger,
    /// The engine cannot read it, or its parts do not fit together.
    Damaged(String),
    /// It failed while in use.
    FailedBefore(String),
    /// The process ended while opening it, several times in a row.
    UnfinishedOpens,
}

impl fmt::Display for RebuildReason {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::OtherVersion { found, expected } => write!(f, "format version {found}, not {expected}"),
            Self::OtherLedger => write!(f, "it belongs to another ledger"),
            Self::Damaged(what) => write!(f, "damaged: {what}"),
            Self::FailedBefore(what) => write!(f, "it failed while in use: {what}"),
            Self::UnfinishedOpens => write!(f, "opening it did not end, {UNFINISHED_OPENS} times in a row"),
        }
    }
}
