//! Why a question is not answered, as a client is told: the one place where an [`AnswerError`] becomes a [`Problem`].

use super::problem::{Problem, ProblemType};
use super::turns::NoTurn;
use crate::answers::error::AnswerError;
use crate::log::append::AppendError;

impl From<AnswerError> for Problem {
    fn from(error: AnswerError) -> Self {
        let kind = match &error {
            AnswerError::Forbidden(_) => ProblemType::Forbidden,
            AnswerError::Parameter(_) => ProblemType::BadParameter,
            AnswerError::Cursor => ProblemType::BadCursor,
            AnswerError::NotThere(_) => ProblemType::NotFound,
            AnswerError::TakenAway { .. } => ProblemType::TakenAway,
            AnswerError::Building(_) => ProblemType::ViewBuilding,
            AnswerError::NoViews(_) => ProblemType::ViewsUnavailable,
            AnswerError::Views(why) => {
                tracing::error!(error = %why, "the views did not answer");
                ProblemType::ViewsUnavailable
            }
            AnswerError::Starting(_) => ProblemType::Starting,
            AnswerError::NoIndex => ProblemType::IndexUnavailable,
            AnswerError::TookTooLong => ProblemType::TookTooLong,
            AnswerError::Index(why) => return AppendError::Index(why.clone()).into(),
            AnswerError::Log(_) | AnswerError::Fault(_) => return unanswered(error),
        };
        Problem::new(kind, error.to_string())
    }
}

impl From<NoTurn> for Problem {
    fn from(why: NoTurn) -> Self {
        match why {
            NoTurn::TooLate => AnswerError::TookTooLong.into(),
            NoTurn::TooMany => {
                let detail = "this caller asks more at once than is answered; wait for what was asked, and ask again later";
                Problem::new(ProblemType::Overloaded, detail)
            }
        }
    }
}

/// What is wrong with the ledger itself.
fn unanswered(error: AnswerError) -> Problem {
    match error {
        AnswerError::Log(error) => error.into(),
        other => Problem::internal(&other),
    }
}
