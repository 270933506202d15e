//! The questions that every view of rows answers: which rows, one row, its history, how many of each kind.

use super::caveats::{self, Caveat};
use super::cursor;
use super::error::AnswerError;
use super::moment::{AskedMoment, Moment, moment};
use super::names::Listener;
use super::parameters::Parameters;
use super::row::{Column, ShownRow, columns};
use super::words::no_word;
use super::{Answer, Inquiry, Page};
use crate::views::engine::{CONFLICT, Change, HistoryPart, MAX_HISTORY};

/// A page of rows, and what each of them has.
#[derive(Clone, Debug, PartialEq)]
pub struct Rows {
    /// What each row has or may have, in the order in which a table shows it.
    pub columns: Vec<Column>,
    /// The rows.
    pub page: Page<ShownRow>,
    /// What touches them; told with the first page.
    pub caveats: Vec<Caveat>,
}

/// The rows of a view that fit.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn list(inquiry: &Inquiry<'_>, name: &str, parameters: &Parameters) -> Result<Answer<Rows>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let view = moment.view(name)?;
    let (ask, identity) = parameters.ask(inquiry, &*view, &moment)?;
    let page = moment.engine.list(name, &ask)?;
    let unheard = Listener::new(inquiry, &moment).unheard_of(&*view, &ask, !page.rows.is_empty())?;
    let items = page.rows.into_iter().map(|found| ShownRow::of(&*view, found, moment.when.at)).collect();
    let next = page.next.map(|place| cursor::encode_place(&identity, place));
    let caveats = caveats::with_first(inquiry, &moment, &*view, parameters)?;
    let body = Rows { columns: columns(&*view), page: Page { items, next, unheard }, caveats };
    Ok(Answer { body, as_of: moment.as_of().cut(page.partial), applied: page.applied })
}

/// One row.
///
/// # Errors
/// There is none, a parameter is wrong, or the views do not answer.
pub fn one(
    inquiry: &Inquiry<'_>,
    name: &str,
    id: &str,
    source: Option<&str>,
    asked: &AskedMoment,
) -> Result<Answer<ShownRow>, AnswerError> {
    let moment = moment(inquiry, asked)?;
    let view = moment.view(name)?;
    let found = moment.engine.row_of(name, id, source, moment.when)?;
    let found = found.map_or_else(|| Err(absent(&moment, name, id, source)), Ok)?;
    let others = if found.others > 0 { moment.engine.sources_of(name, id, moment.when)? } else { Vec::new() };
    let mut body = ShownRow::of(&*view, found, moment.when.at);
    body.other_sources = others.into_iter().filter(|other| Some(other) != body.source.as_ref()).collect();
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// What made a row what it is, entry by entry.
#[derive(Clone, Debug, PartialEq)]
pub struct RowHistory {
    /// By effective time, or from its end.
    pub changes: Vec<Change>,
    /// The cursor to go on with; none at the end.
    pub next: Option<String>,
}

/// What made a row what it is, by effective time; the last of it first, if it is asked for so.
///
/// # Errors
/// There is no such row, a parameter is wrong, or the views do not answer.
pub fn history(
    inquiry: &Inquiry<'_>,
    name: &str,
    id: &str,
    parameters: &Parameters,
) -> Result<Answer<RowHistory>, AnswerError> {
    let newest_first = parameters.newest_first(false)?;
    let limit = parameters.get("limit").map(|_| parameters.limit()).transpose()?;
    let AskedMoment { as_of, at, .. } = &parameters.moment;
    let source = parameters.get("source");
    let identity = format!("history {name} {id:?} {source:?} {newest_first} {as_of:?} {at:?}");
    let after = parameters.get("cursor").map(|text| cursor::decode(&identity, text)).transpose()?;
    let moment = moment(inquiry, &parameters.moment)?;
    let part = HistoryPart { after, newest_first, limit: limit.unwrap_or(MAX_HISTORY) };
    let found = moment.engine.history_of(name, id, source, moment.when, part)?;
    let found = found.map_or_else(|| Err(absent(&moment, name, id, source)), Ok)?;
    let as_of = moment.as_of().cut(limit.is_none() && found.next.is_some());
    let next = found.next.map(|seq| cursor::encode(&identity, seq));
    Ok(Answer { body: RowHistory { changes: found.changes, next }, as_of, applied: found.applied })
}

/// How many rows have which value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    /// By what is counted.
    pub by: String,
    /// Value and number, in the order of the values.
    pub items: Vec<(String, u64)>,
    /// All rows.
    pub total: u64,
    /// Rows whose due date has passed and that are not done.
    pub overdue: u64,
}

/// How many rows of a view have which value.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn counts(
    inquiry: &Inquiry<'_>,
    name: &str,
    parameters: &Parameters,
) -> Result<Answer<Counts>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let view = moment.view(name)?;
    let by = parameters.get("by").unwrap_or("state");
    let fields = view.counted_fields();
    if !matches!(by, "state" | CONFLICT) && !fields.contains(&by) {
        let mut known = vec!["state", CONFLICT];
        known.extend(&fields);
        return Err(no_word("by", by, &known));
    }
    if !moment.current {
        let detail = "counts are kept of now; to count as of another day, list the rows as of that day";
        return Err(AnswerError::Parameter(detail.to_owned()));
    }
    let (engine, at) = (&moment.engine, moment.when.at);
    let ends = Some(moment.deadline.moment());
    let body = Counts {
        by: by.to_owned(),
        items: engine.counts(name, by, at, ends)?,
        total: engine.rows(name)?,
        overdue: engine.overdue(name, at, ends)?,
    };
    Ok(Answer { body, as_of: moment.as_of(), applied: engine.applied() })
}

/// Why there is no such row: it was taken away, or never was there.
pub fn absent(moment: &Moment, name: &str, id: &str, source: Option<&str>) -> AnswerError {
    match moment.engine.taken_away(name, id, source, moment.when) {
        Err(error) => return error.into(),
        Ok(Some(by)) => {
            let detail = format!(
                "all events of {id:.128?} were taken away by corrections, the last one in entry {by}; its history \
                 shows them"
            );
            return AnswerError::TakenAway { detail, by };
        }
        Ok(None) => {}
    }
    AnswerError::NotThere(format!("{name} has no row {id:.128?}, as of the moment that was asked for"))
}
