//! What touches an answer and may make it say too much or too little: what was not posted, or late, what is contradicted,
//! what was corrected of late, and what was decided by somebody whose right nobody has recorded.
//!
//! Each is a count with a few names and where all of them are found. Looking for them is bounded: beyond the bound a count
//! says `at least`.

use super::Inquiry;
use super::controls::counting::Counted;
use super::error::AnswerError;
use super::late::{Late, Wanted};
use super::look_alikes::of_kinds;
use super::moment::Moment;
use super::parameters::{MAX_VALUES, Parameters};
use super::row::{RowRef, RowsRef};
use super::walk::{MAX_WALKED, index_up_to, indexed, walk};
use crate::index::Filter;
use crate::spec::time::MICROS_PER_DAY;
use crate::views::alike::{PRINCIPAL, Pair, SOURCE};
use crate::views::engine::{CONFLICT, CORRECTION, CorrectionStanding, EngineError, View};
use crate::views::sources::{Posted, SOURCES, source_name};

/// How many of each are named.
const NAMED: usize = 5;

/// Sources of which gaps are looked for.
///
/// Reason: some milliseconds.
const MAX_SOURCES: usize = 1_000;

/// Corrections that are looked at.
///
/// Reason: two entries are read for each, so some milliseconds.
const MAX_CORRECTIONS: usize = 100;

/// Entries that are looked at to see whether they are late.
///
/// Reason: each is read, so some milliseconds.
const MAX_LATE: usize = 50;

/// Pairs of names of one kind that are looked at.
///
/// Reason: each is a short record; half a millisecond.
const MAX_PAIRS: usize = 200;

/// How old a correction may be to be told.
const OF_LATE: i64 = 30 * MICROS_PER_DAY;

/// What is the matter.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Sources whose numbering has gaps, of those that have posted events of these kinds.
    Gaps,
    /// Rows of which somebody says something else.
    Conflicts,
    /// Entries that were recorded late.
    Late,
    /// Corrections in force of events of this kind, of the last 30 days.
    Corrections,
    /// Names of people, of sources and of what is asked about that look alike.
    LookAlikes,
    /// Approvals that were granted by people whose right to it is not recorded.
    UnverifiedAuthority,
}

/// What one of them is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Named {
    /// A source.
    Source(String),
    /// A row.
    Row(RowRef),
    /// An entry.
    Entry(u64),
    /// A name that looks like another one.
    Alike(Pair),
}

/// Where all of them are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Whole {
    /// Sources that are not complete and have posted events of one of these types; of any, where there are none.
    Sources(Vec<String>),
    /// Late entries of these types; of any, where there are none.
    Late(Vec<String>),
    /// Rows that fit.
    Rows(RowsRef),
    /// Corrections.
    Corrections,
    /// Names of these kinds that look alike.
    LookAlikes(Vec<String>),
}

/// One thing to know beside an answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Caveat {
    /// What is the matter.
    pub kind: Kind,
    /// How many.
    pub count: Counted,
    /// Some of them, at most five.
    pub named: Vec<Named>,
    /// Where all of them are.
    pub whole: Whole,
}

/// What touches answers from the rows of a view, as of a moment.
///
/// # Errors
/// The views, the index or the log do not answer.
pub fn of_view(inquiry: &Inquiry<'_>, moment: &Moment, view: &dyn View) -> Result<Vec<Caveat>, AnswerError> {
    let mut caveats = Vec::new();
    let types = touching(view);
    // What is missing of a numbering is kept of now.
    if moment.current {
        caveats.extend(gaps(moment, &types)?);
    }
    caveats.extend(rows(moment, view, Kind::Conflicts, (CONFLICT, "true"))?);
    caveats.extend(late(inquiry, moment, &types)?);
    caveats.extend(corrections(inquiry, moment, &types)?);
    caveats.extend(look_alikes(inquiry, moment, view)?);
    if view.name() == "approvals" {
        caveats.extend(rows(moment, view, Kind::UnverifiedAuthority, ("state", "granted-unverified"))?);
    }
    Ok(caveats)
}

/// The same with the first page of a list; whoever goes on has been told.
///
/// # Errors
/// As for [`of_view`].
pub fn with_first(
    inquiry: &Inquiry<'_>,
    moment: &Moment,
    view: &dyn View,
    parameters: &Parameters,
) -> Result<Vec<Caveat>, AnswerError> {
    if parameters.get("cursor").is_some() { Ok(Vec::new()) } else { of_view(inquiry, moment, view) }
}

/// The types of the events that its rows rest on: those that they are folded from, and those by which they are judged.
fn touching(view: &dyn View) -> Vec<String> {
    let mut types = view.types();
    if let Some(judge) = view.judge() {
        types.extend(judge.types().iter().map(|ty| (*ty).to_owned()));
    }
    types
}

/// The types as a filter may have them: of more than that it has none, and finds too much rather than too little.
fn asked(types: &[String]) -> Vec<String> {
    if types.len() <= MAX_VALUES { types.to_vec() } else { Vec::new() }
}

fn caveat(kind: Kind, (count, all): (usize, bool), named: Vec<Named>, whole: Whole) -> Option<Caveat> {
    let count = count as u64;
    let count = if all { Counted::Exactly(count) } else { Counted::AtLeast(count) };
    (!named.is_empty()).then_some(Caveat { kind, count, named, whole })
}

fn gaps(moment: &Moment, types: &[String]) -> Result<Option<Caveat>, AnswerError> {
    let tallies = moment.engine.tallies(SOURCES, &source_name(""), MAX_SOURCES)?;
    let all = tallies.len() < MAX_SOURCES;
    let start = source_name("").len();
    let mut with_gaps = Vec::new();
    for (name, sum) in tallies {
        let posted = serde_json::from_value::<Posted>(sum);
        if posted.is_ok_and(|posted| posted.missing() > 0 && posted.has_posted(types)) {
            with_gaps.push(Named::Source(name.get(start..).unwrap_or_default().to_owned()));
        }
    }
    let count = with_gaps.len();
    with_gaps.truncate(NAMED);
    Ok(caveat(Kind::Gaps, (count, all), with_gaps, Whole::Sources(asked(types))))
}

/// Entries that were recorded late. Where none of the newest ones that may be is, it goes on looking for one.
fn late(inquiry: &Inquiry<'_>, moment: &Moment, types: &[String]) -> Result<Option<Caveat>, AnswerError> {
    let wanted = Wanted { source: None, types: types.to_vec() };
    let whole = Whole::Late(asked(types));
    let mut late = match Late::new(inquiry, moment) {
        // The lists are being made: how many there are is not known.
        Err(AnswerError::Views(EngineError::Building { .. } | EngineError::NoSuchView(_))) => {
            let (kind, count, named) = (Kind::Late, Counted::AtLeast(0), Vec::new());
            return Ok(Some(Caveat { kind, count, named, whole }));
        }
        late => late?,
    };
    let mut range = (0, moment.when.known);
    for _ in 0..MAX_WALKED / MAX_LATE {
        let walked = late.walk(&wanted, range, true, usize::MAX, MAX_LATE)?;
        match walked.next {
            Some(next) if walked.items.is_empty() => range.1 = next,
            next => {
                let (count, all) = (walked.items.len(), next.is_none());
                let named = walked.items.iter().take(NAMED).map(|late| Named::Entry(late.seq)).collect();
                return Ok(caveat(Kind::Late, (count, all), named, whole));
            }
        }
    }
    Ok(None)
}

/// Names that look alike: of people, of sources, and of the rows of the view where they have names of their own. The latest
/// pairs are named.
fn look_alikes(
    inquiry: &Inquiry<'_>,
    moment: &Moment,
    view: &dyn View,
) -> Result<Option<Caveat>, AnswerError> {
    let mut kinds = vec![PRINCIPAL, SOURCE];
    if inquiry.catalog().types().any(|ty| ty.entity.family == view.family()) {
        kinds.push(view.family());
    }
    kinds.sort_unstable();
    kinds.dedup();
    let whole = Whole::LookAlikes(kinds.iter().map(|kind| (*kind).to_owned()).collect());
    let mut pairs = match of_kinds(moment, &kinds, MAX_PAIRS) {
        Err(AnswerError::Views(EngineError::Building { .. } | EngineError::NoSuchView(_))) => {
            let (kind, count, named) = (Kind::LookAlikes, Counted::AtLeast(0), Vec::new());
            return Ok(Some(Caveat { kind, count, named, whole }));
        }
        pairs => pairs?,
    };
    let of_kind = |kind: &&str| pairs.iter().filter(|pair| pair.kind == *kind).count();
    let all = kinds.iter().all(|kind| of_kind(kind) < MAX_PAIRS) && !pairs.iter().any(|pair| pair.more);
    let count = pairs.len();
    pairs.sort_by_key(|pair| std::cmp::Reverse(pair.seq));
    let named = pairs.into_iter().take(NAMED).map(Named::Alike).collect();
    Ok(caveat(Kind::LookAlikes, (count, all), named, whole))
}

/// Rows that have a value.
fn rows(
    moment: &Moment,
    view: &dyn View,
    kind: Kind,
    (field, value): (&str, &str),
) -> Result<Option<Caveat>, AnswerError> {
    let page = moment.engine.list(view.name(), &moment.all(NAMED + 1).with(field, value))?;
    let all = page.next.is_none() && page.rows.len() <= NAMED;
    let count = page.rows.len();
    let row = |found: crate::views::engine::Found| {
        let source = found.row.source.clone().filter(|_| found.others > 0);
        Named::Row(RowRef { view: view.name().to_owned(), id: found.id, source })
    };
    let named = page.rows.into_iter().take(NAMED).map(row).collect();
    let filters = vec![(field.to_owned(), vec![value.to_owned()])];
    let whole = Whole::Rows(RowsRef { view: view.name().to_owned(), filters });
    Ok(caveat(kind, (count, all), named, whole))
}

fn corrections(
    inquiry: &Inquiry<'_>,
    moment: &Moment,
    types: &[String],
) -> Result<Option<Caveat>, AnswerError> {
    let (known, since) = (moment.when.known, moment.when.at.saturating_add(-OF_LATE));
    let index = index_up_to(inquiry, known)?;
    let filter = Filter { ty: Some(CORRECTION), ..Filter::default() };
    // To find where the days begin takes a score of entries to be read: only where there is one in them.
    let newest = indexed(index, filter, (0, known), true, 1)?.first().copied();
    let newest = newest.map(|seq| inquiry.store().time(seq)).transpose()?;
    if newest.is_none_or(|time| time < since) {
        return Ok(None);
    }
    let from = inquiry.store().first_at_or_after(since)?;
    let walked = walk(
        inquiry.deadline(),
        (from, known),
        true,
        usize::MAX,
        MAX_CORRECTIONS,
        |range, limit| indexed(index, filter, range, true, limit),
        |seq| {
            let Some(effect) = moment.engine.effect_of(seq, known)? else { return Ok(None) };
            let Some(target) = effect.of.filter(|_| effect.standing == CorrectionStanding::InForce) else {
                return Ok(None);
            };
            Ok(types.contains(&inquiry.event(target)?.ty).then_some(Named::Entry(seq)))
        },
    )?;
    let (count, all) = (walked.items.len(), walked.next.is_none());
    let named = walked.items.into_iter().take(NAMED).collect();
    Ok(caveat(Kind::Corrections, (count, all), named, Whole::Corrections))
}
