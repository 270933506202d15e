//! How many approvals and escalations there were, how they ended, and how long they took: counted from rows, as of a moment.
//!
//! Each row is counted once, in the stretch in which it was opened (valid time), so that a total is the number of rows that
//! the list of the same filters has. Times are those of *all* rounds of these rows: if only the newest one counted, asking
//! again would make a late decision disappear. [`clocks`] says how long a round took, [`dimensions`] by what rows are put
//! together, [`spread`] what is told of many times.

pub mod clocks;
pub mod dimensions;
mod spread;

use super::caveats::{self, Caveat};
use super::error::AnswerError;
use super::moment::{AskedMoment, Moment, moment, time};
use super::names::Listener;
use super::parameters::Parameters;
use super::row::RowsRef;
use super::{Answer, Inquiry, Unheard, cursor};
use crate::views::engine::{Ask, Found, Place, View};
use clocks::{Course, Reached};
use dimensions::{Dimension, Key};
use spread::Spread;
use std::collections::BTreeMap;
use std::time::Instant;

/// Rows read at once.
const AT_ONCE: usize = 1_000;

/// Pages of rows that are counted for one answer; of more rows, the ones that came last to the ledger.
///
/// Reason: 100,000 rows take some seconds where each is judged; the deadline ends what takes longer.
const MAX_PAGES: usize = 100;

/// Groups in one answer.
///
/// Reason: a few hundred bytes each; whoever wants more asks in parts.
const MAX_GROUPS: usize = 12_000;

/// Statistics of approvals or escalations.
#[derive(Clone, Debug, PartialEq)]
pub struct CourseStatistics {
    /// By what they are grouped, in the order asked for.
    pub by: Vec<&'static str>,
    /// Rows that are counted: as many as the groups have together.
    pub total: u64,
    /// Where there are more rows than are counted for one answer: the entry from which on rows are counted, by their first
    /// entries.
    pub counted_from: Option<u64>,
    /// If so, the cursor for statistics of the others.
    pub rest: Option<String>,
    /// In the order of their values; rows without one come first.
    pub items: Vec<CourseGroup>,
    /// The names that were asked for and that the ledger had never heard of.
    pub unheard: Unheard,
    /// What touches them.
    pub caveats: Vec<Caveat>,
}

/// Statistics of one group.
#[derive(Clone, Debug, PartialEq)]
pub struct CourseGroup {
    /// By what it is one, and its value; none: the rows that have none.
    pub group: Vec<(&'static str, Option<String>)>,
    /// Where its rows are; none where no filter says so.
    pub rows: Option<RowsRef>,
    /// How many rows.
    pub count: u64,
    /// Their share of all that are counted.
    pub share: f64,
    /// How many of them are overdue.
    pub overdue: u64,
    /// How many are in which state.
    pub states: Vec<(String, u64)>,
    /// Rounds that these rows have together.
    pub rounds: u64,
    /// How long the rounds took: one for each of the course's clocks, by its name.
    pub took: Vec<(&'static str, Took)>,
}

/// How long rounds took to come to something. What they have come to, still wait for, and ended without are all rounds.
#[derive(Clone, Debug, PartialEq)]
pub struct Took {
    /// Rounds that came to it: their times are in the median and in the ninth decile.
    pub reached: u64,
    /// Rounds that still wait for it.
    pub waiting: u64,
    /// Rounds that ended without it.
    pub never: u64,
    /// The lower median, in seconds; none of none.
    pub median_seconds: Option<f64>,
    /// What nine of ten took at most, in seconds; none of none.
    pub p90_seconds: Option<f64>,
    /// Whether the two are the times themselves; otherwise they are within 1 %.
    pub exact: bool,
}

/// Statistics of the rows of one course.
///
/// # Errors
/// A parameter is wrong, there would be too many groups, or the views do not answer.
pub fn of_rows(
    inquiry: &Inquiry<'_>,
    course: &'static Course,
    parameters: &Parameters,
) -> Result<Answer<CourseStatistics>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let view = moment.view(course.view)?;
    let by = dimensions::read(course, parameters.get("group_by"))?;
    let limit = |name: &str| parameters.get(name).map(|text| time(name, text)).transpose();
    let within = (limit("from")?, limit("to")?);
    let mut ask = Ask { descending: true, opened: within, ..moment.all(AT_ONCE) };
    for name in course.filters {
        ask.filters.extend(parameters.filter(&*view, name)?.map(|values| ((*name).to_owned(), values)));
    }
    let mut of_query: Vec<_> = ask.filters.clone();
    of_query.sort();
    let AskedMoment { as_of, at, .. } = &parameters.moment;
    let identity = format!("{} {of_query:?} {by:?} {within:?} {as_of:?} {at:?}", course.view);
    ask.after = parameters.get("cursor").map(|text| cursor::decode_place(&identity, text)).transpose()?;
    let counting = Counting { course, by, moment: &moment, view: &*view };
    let asked = ask.clone();
    let (mut body, rest) = counting.count(ask, MAX_PAGES)?;
    body.rest = rest.map(|place| cursor::encode_place(&identity, place));
    body.unheard = Listener::new(inquiry, &moment).unheard_of(&*view, &asked, body.total > 0)?;
    body.caveats = caveats::with_first(inquiry, &moment, &*view, parameters)?;
    let as_of = moment.as_of().cut(rest.is_some());
    Ok(Answer { body, as_of, applied: moment.engine.applied() })
}

/// What is counted of one group.
#[derive(Default)]
struct Tally {
    count: u64,
    overdue: u64,
    states: BTreeMap<String, u64>,
    rounds: u64,
    clocks: Vec<Clock>,
}

#[derive(Clone, Default)]
struct Clock {
    waiting: u64,
    never: u64,
    spread: Spread,
}

struct Counting<'a> {
    course: &'static Course,
    by: Vec<Dimension>,
    moment: &'a Moment,
    view: &'a dyn View,
}

impl Counting<'_> {
    /// Counts page by page, the rows that came last to the ledger first; the last one that is counted, if there are more.
    fn count(
        &self,
        mut ask: Ask,
        most_pages: usize,
    ) -> Result<(CourseStatistics, Option<Place>), AnswerError> {
        let asked = ask.clone();
        let mut groups: BTreeMap<Vec<Key>, Tally> = BTreeMap::new();
        let mut rest = None;
        // What is counted has to be answered too.
        let half = Instant::now() + self.moment.deadline.left() / 2;
        for _ in 0..most_pages {
            let page = self.moment.engine.list(self.course.view, &ask)?;
            for found in &page.rows {
                self.add(groups.entry(self.keys(found)).or_default(), found);
            }
            (ask.after, rest) = (page.next, page.next);
            if page.next.is_none() || Instant::now() >= half {
                break;
            }
        }
        if groups.len() > MAX_GROUPS {
            let detail = format!("that would be {} groups; narrow it with from and to", groups.len());
            return Err(AnswerError::Parameter(detail));
        }
        let total: u64 = groups.values().map(|tally| tally.count).sum();
        let item = |(keys, tally): (Vec<Key>, Tally)| self.group(&asked, keys, tally, total);
        let body = CourseStatistics {
            by: self.by.iter().map(|by| by.name()).collect(),
            total,
            unheard: Unheard::new(),
            caveats: Vec::new(),
            counted_from: rest.map(|place| place.number),
            rest: None,
            items: groups.into_iter().map(item).collect(),
        };
        Ok((body, rest))
    }

    fn keys(&self, found: &Found) -> Vec<Key> {
        self.by.iter().map(|by| by.key(self.view, found, self.moment.when.at)).collect()
    }

    fn add(&self, tally: &mut Tally, found: &Found) {
        let at = self.moment.when.at;
        tally.count += 1;
        tally.overdue += u64::from(found.overdue(at));
        *tally.states.entry(found.state(self.view, at).to_owned()).or_default() += 1;
        tally.clocks.resize(self.course.clocks.len(), Clock::default());
        for round in (self.course.rounds)(&found.row) {
            tally.rounds += 1;
            for (clock, reached) in tally.clocks.iter_mut().zip(round) {
                match reached {
                    Reached::After(seconds) => clock.spread.add(seconds),
                    Reached::Waiting => clock.waiting += 1,
                    Reached::Never => clock.never += 1,
                }
            }
        }
    }

    fn group(&self, asked: &Ask, keys: Vec<Key>, tally: Tally, total: u64) -> CourseGroup {
        let Tally { count, overdue, states, rounds, clocks } = tally;
        let filters = dimensions::filters(&self.by, &keys, asked.opened).map(|mut filters| {
            filters.extend(asked.filters.iter().filter(|(name, _)| !self.is_by(name)).cloned());
            filters
        });
        let took = |clock: &Clock| Took {
            reached: clock.spread.count(),
            waiting: clock.waiting,
            never: clock.never,
            median_seconds: clock.spread.tenths(5),
            p90_seconds: clock.spread.tenths(9),
            exact: clock.spread.is_exact(),
        };
        CourseGroup {
            rows: filters.map(|filters| RowsRef { view: self.course.view.to_owned(), filters }),
            group: self.by.iter().map(|by| by.name()).zip(keys.into_iter().map(Key::text)).collect(),
            count,
            share: count as f64 / total as f64,
            overdue,
            states: states.into_iter().collect(),
            rounds,
            took: self.course.clocks.iter().copied().zip(clocks.iter().map(took)).collect(),
        }
    }

    /// Whether rows are put together by this field: then the group's own value is the filter.
    fn is_by(&self, field: &str) -> bool {
        self.by.iter().any(|by| by.name() == field)
    }
}

#[cfg(test)]
mod tests;
