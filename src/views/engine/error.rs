//! What can go wrong with the views.

use crate::follow::FeedError;
use crate::store::StoreError;
use crate::store::postings::ListError;
use std::io;

/// Why the views could not be opened or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// They have failed and answer no more. They are built anew.
    #[error("the views have failed: {0}")]
    Failed(String),
    /// Another process has them open.
    #[error("the views' folder is in use by another process")]
    InUse,
    /// There is no view of this name.
    #[error("there is no view {0:?}")]
    NoSuchView(String),
    /// A view of which there is no older version to answer is being built.
    #[error("the view {name:?} is being built: {applied} of {of} entries")]
    Building {
        /// Which.
        name: String,
        /// Entries applied.
        applied: u64,
        /// Entries that the others have.
        of: u64,
    },
    /// The log could not be read; the views may be as they should.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The engine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The question took longer than it may; see [`Ask::ends`](crate::views::engine::Ask::ends).
    #[error("the question took longer than it may")]
    TookTooLong,
    /// A history was to go on after an event that is not in it.
    #[error("the history does not have the event after which it was to go on")]
    NotInIt,
    /// A record that was never written so.
    #[error("the views hold an unreadable record: {0}")]
    Unreadable(&'static str),
    /// They know entries that the log does not have: the log was put back. They are kept, as the proof.
    #[error("the views know more than the log: {0}")]
    KnowsMore(String),
    /// The folder cannot be read or written.
    #[error("the views' folder: {0}")]
    Io(#[from] io::Error),
}

impl From<ListError> for EngineError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => error.into(),
            ListError::Unreadable => EngineError::Unreadable("a list's record"),
        }
    }
}

/// What the engine's calls give.
pub type Result<T> = std::result::Result<T, EngineError>;
