//! Why a question is not answered, told apart by what whoever asked does next.
//!
//! Each carries the sentence for whoever asked; what only the operator may read is in the errors below it.

use crate::index::IndexError;
use crate::log::store::ReadError;
use crate::views::engine::EngineError;

/// Why a question is not answered.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// Not by this principal: ask as another one.
    #[error("{0}")]
    Forbidden(String),
    /// Something was asked in a form that is not understood, or that is not there: ask otherwise.
    #[error("{0}")]
    Parameter(String),
    /// The cursor was given for another question: begin again without one.
    #[error("a cursor goes with the same filters that it was given for; start again without one")]
    Cursor,
    /// What was asked for is not there, as of then.
    #[error("{0}")]
    NotThere(String),
    /// It was there, and corrections took it away, the last one in this entry.
    #[error("{detail}")]
    TakenAway {
        /// The sentence for whoever asked.
        detail: String,
        /// The correction's entry.
        by: u64,
    },
    /// The views are being made or catch up: ask again soon.
    #[error("{0}")]
    Building(String),
    /// The views cannot be asked now, or there are none.
    #[error("{0}")]
    NoViews(String),
    /// The views failed while they were asked: ask again soon.
    #[error("the views did not answer; ask again soon")]
    Views(EngineError),
    /// The index catches up with the log: ask again soon.
    #[error("{0}")]
    Starting(String),
    /// This ledger runs without an index.
    #[error("this server was started without an index")]
    NoIndex,
    /// The index failed while it was asked: ask again soon. In the engine's words, for the operator.
    #[error("the index did not answer: {0}")]
    Index(String),
    /// The deadline passed: ask for less at once.
    #[error(
        "this took longer than an answer may take; ask for less at once, with a narrower filter or a smaller limit"
    )]
    TookTooLong,
    /// The log cannot be read there.
    #[error(transparent)]
    Log(#[from] ReadError),
    /// A fault that is nobody's business but the operator's.
    #[error("{0}")]
    Fault(String),
}

impl AnswerError {
    /// A parameter that is not of its form.
    #[must_use]
    pub fn parameter(name: &str, expected: &str) -> AnswerError {
        AnswerError::Parameter(format!("{name:?} must be {expected}"))
    }
}

impl From<EngineError> for AnswerError {
    fn from(error: EngineError) -> Self {
        match error {
            EngineError::NoSuchView(name) => {
                AnswerError::NotThere(format!("there is no register or view {name:?}"))
            }
            EngineError::Building { name, applied, of } => AnswerError::Building(format!(
                "the view {name:?} is being built: {applied} of {of} entries; the others answer, and so will this one"
            )),
            EngineError::TookTooLong => AnswerError::TookTooLong,
            EngineError::NotInIt => AnswerError::Cursor,
            other => AnswerError::Views(other),
        }
    }
}

impl From<IndexError> for AnswerError {
    fn from(error: IndexError) -> Self {
        AnswerError::Index(error.to_string())
    }
}
