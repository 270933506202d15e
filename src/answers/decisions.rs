//! One decision with everything behind it: what was recorded when it was made, what people did about it, and what it rests
//! on.

use super::error::AnswerError;
use super::moment::{AskedMoment, moment};
use super::row::ShownRow;
use super::rows::absent;
use super::{Answer, Inquiry, parsed};
use crate::spec::canonical;
use crate::views::engine::{Change, HistoryPart, MAX_HISTORY};
use serde_json::Value;

/// What a decision rests on, and what is about it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Behind {
    /// The entry that recorded it.
    pub entry: u64,
    /// Its case.
    pub case: Option<String>,
    /// The model that decided.
    pub model: Option<String>,
    /// The version of it.
    pub version: Option<String>,
}

/// Everything behind one decision.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The decision as it stands.
    pub row: ShownRow,
    /// The CloudEvent by which it was made, exactly as it was recorded; none if it is not there.
    pub made: Option<Value>,
    /// What happened to it, entry by entry.
    pub history: Vec<Change>,
    /// What it rests on.
    pub behind: Behind,
}

/// Everything behind one decision.
///
/// # Errors
/// There is no such decision as of then, a parameter is wrong, or the views or the log do not answer.
pub fn one(
    inquiry: &Inquiry<'_>,
    id: &str,
    source: Option<&str>,
    asked: &AskedMoment,
) -> Result<Answer<Decision>, AnswerError> {
    let moment = moment(inquiry, asked)?;
    let view = moment.view("decisions")?;
    let engine = &moment.engine;
    let absent = || Err(absent(&moment, "decisions", id, source));
    let found = engine.row_of("decisions", id, source, moment.when)?.map_or_else(absent, Ok)?;
    // From its beginning, which has the event by which it was made.
    let part = HistoryPart { after: None, newest_first: false, limit: MAX_HISTORY };
    let history = engine.history_of("decisions", id, source, moment.when, part)?;
    let (history, next) = history.map(|history| (history.changes, history.next)).unwrap_or_default();
    let counted = |change: &&Change| change.ty == "decision.made" && change.corrected_by.is_none();
    let made = match history.iter().rev().find(counted) {
        Some(change) => {
            let bytes = inquiry.store().entry(change.seq)?;
            // By way of its canonical text, so that large numbers stay as they were written.
            serde_json::from_str(&canonical::to_string(&parsed(&bytes)?.event)).ok()
        }
        None => None,
    };
    let text = |name: &str| found.row.text(name).map(str::to_owned);
    let behind =
        Behind { entry: found.number, case: text("case"), model: text("model"), version: text("version") };
    let row = ShownRow::of(&*view, found, moment.when.at);
    let body = Decision { row, made, history, behind };
    Ok(Answer { body, as_of: moment.as_of().cut(next.is_some()), applied: engine.applied() })
}
