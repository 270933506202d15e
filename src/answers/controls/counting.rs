//! Counting for controls: evidence that still counts, and rows that a control applies to, as of one moment.

use crate::answers::Inquiry;
use crate::answers::error::AnswerError;
use crate::answers::moment::{AskedMoment, Moment, moment};
use crate::answers::row::RowsRef;
use crate::answers::walk::{MAX_WALKED, walk};
use crate::catalog::{Catalog, Control, Filter, Population};
use crate::spec::time::Timestamp;
use crate::store::postings::BUNDLE;
use crate::views::engine::Event;
use crate::views::evidence::{CONTROL, EVIDENCE};
use serde_json::Value;
use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

/// Rows of a population in one page of those that are counted one by one.
const COUNTED_AT_ONCE: usize = 1_000;

/// Pages in which rows are counted one by one, at most: the engine bounds what it looks at for each.
const MAX_PAGES: usize = 20;

/// A number, or as much of it as was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// So many.
    Exactly(u64),
    /// At least so many: there was more to look at than is looked at for one answer.
    AtLeast(u64),
}

impl Counted {
    /// The number as it is told: exact, or else the least; one of the two is there.
    #[must_use]
    pub fn told(self) -> (Option<u64>, Option<u64>) {
        match self {
            Counted::Exactly(count) => (Some(count), None),
            Counted::AtLeast(count) => (None, Some(count)),
        }
    }
}

/// How many rows a population has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Members {
    /// So many.
    Counted(Counted),
    /// Why they cannot be counted now.
    Unavailable(String),
}

/// The rows that a control applies to.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownPopulation {
    /// As it is declared.
    pub declared: Population,
    /// How many rows.
    pub members: Members,
    /// By what they are asked.
    pub rows: RowsRef,
}

/// An event that is evidence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShownEvidence {
    /// Its entry's number.
    pub seq: u64,
    /// When the ledger recorded it.
    pub recorded_at: Timestamp,
    /// CloudEvents `type`.
    pub event_type: String,
    /// From when it counts.
    pub effective_at: Timestamp,
    /// Who acted.
    pub by: String,
    /// CloudEvents `subject`.
    pub subject: Option<String>,
    /// The rows of the population that it names.
    pub members: Vec<String>,
}

/// A control, and what there is of evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownControl {
    /// As it is declared.
    pub declared: Control,
    /// To which rows it applies; none where it applies to the organisation.
    pub population: Option<ShownPopulation>,
    /// Events that are evidence, without those that corrections took away.
    pub count: u64,
    /// The evidence that was recorded last, the newest first.
    pub recent: Vec<ShownEvidence>,
}

/// The control of this id.
///
/// # Errors
/// There is none.
pub fn declared<'a>(catalog: &'a Catalog, id: &str) -> Result<&'a Control, AnswerError> {
    catalog.control(id).ok_or_else(|| {
        let detail = format!("there is no control {id:.64?}; /v1/controls lists those that there are");
        AnswerError::NotThere(detail)
    })
}

/// One question about controls.
pub struct Asked<'a> {
    /// Who asks, and until when.
    pub inquiry: &'a Inquiry<'a>,
    /// The catalogue as it was by then, which declares the controls.
    pub catalog: Arc<Catalog>,
    /// As of when.
    pub moment: Moment,
    /// Entries that corrections speak of, ascending …
    spoken_of: Vec<u64>,
    /// … and whether they count by then, as far as it was looked at.
    corrected: RefCell<HashMap<u64, bool>>,
    /// Populations that have been counted: several controls apply to the same.
    counted: BTreeMap<String, Members>,
}

impl<'a> Asked<'a> {
    /// Finds the moment, and what does not count as of then.
    ///
    /// # Errors
    /// A parameter is wrong, or the views do not answer.
    pub fn new(inquiry: &'a Inquiry<'a>, asked: &AskedMoment) -> Result<Asked<'a>, AnswerError> {
        let moment = moment(inquiry, asked)?;
        let known = moment.when.known;
        let catalog = match asked.as_of {
            Some(_) => inquiry.desk().catalog.at(known),
            None => inquiry.catalog(),
        };
        let spoken_of = moment.engine.spoken_of()?.into_iter().filter(|seq| *seq < known).collect();
        let (corrected, counted) = (RefCell::default(), BTreeMap::new());
        Ok(Asked { inquiry, catalog, moment, spoken_of, corrected, counted })
    }

    /// Whether the lists of evidence that answer are those of a catalogue before this one.
    pub fn building(&self) -> bool {
        self.moment.engine.standing().iter().any(|view| view.name == EVIDENCE && view.building)
    }

    /// A control with its last evidence, at most `recent`. Rows of its population are counted one by one up to `most`.
    ///
    /// # Errors
    /// The views do not answer.
    pub fn control(
        &mut self,
        control: &Control,
        most: usize,
        recent: usize,
    ) -> Result<ShownControl, AnswerError> {
        self.inquiry.deadline().check()?;
        let population = match &control.population {
            Some(population) => Some(self.population(population, most)?),
            None => None,
        };
        let recent = self.latest(control, recent)?;
        let count = self.count(control)?;
        Ok(ShownControl { declared: control.clone(), population, count, recent })
    }

    /// Whether an entry does not count.
    ///
    /// # Errors
    /// The views do not answer.
    pub fn is_corrected(&self, seq: u64) -> Result<bool, AnswerError> {
        if self.spoken_of.binary_search(&seq).is_err() {
            return Ok(false);
        }
        if let Some(known) = self.corrected.borrow().get(&seq) {
            return Ok(*known);
        }
        let is = self.moment.engine.corrected_by(seq, self.moment.when.known)?.is_some();
        self.corrected.borrow_mut().insert(seq, is);
        Ok(is)
    }

    /// How much evidence a control has.
    ///
    /// # Errors
    /// The views do not answer.
    pub fn count(&self, control: &Control) -> Result<u64, AnswerError> {
        let engine = &self.moment.engine;
        let list = (CONTROL, control.id.as_str());
        let mut count = engine.count_entries(EVIDENCE, list, self.moment.when.known)?;
        // Of the many that corrections may speak of, those on this list are looked at: a stretch of the list at once.
        for some in self.spoken_of.chunk_by(|one, other| one / BUNDLE == other / BUNDLE) {
            let (Some(first), Some(last)) = (some.first(), some.last()) else { continue };
            self.inquiry.deadline().check()?;
            let listed = engine.entries(EVIDENCE, &[list], (*first, last + 1), false, usize::MAX)?;
            for seq in listed.into_iter().filter(|seq| some.binary_search(seq).is_ok()) {
                count = count.saturating_sub(u64::from(self.is_corrected(seq)?));
            }
        }
        Ok(count)
    }

    /// The candidates of a control's own list in a range.
    ///
    /// # Errors
    /// The views do not answer.
    pub fn listed(
        &self,
        control: &Control,
        range: (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>, AnswerError> {
        let list = (CONTROL, control.id.as_str());
        Ok(self.moment.engine.entries(EVIDENCE, &[list], range, newest_first, limit)?)
    }

    /// An entry as evidence of a control; none if it is none, or does not count.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn evidence(&self, control: &Control, seq: u64) -> Result<Option<ShownEvidence>, AnswerError> {
        if self.is_corrected(seq)? {
            return Ok(None);
        }
        let event = self.inquiry.event(seq)?;
        let Some(members) = named(control, &event) else { return Ok(None) };
        Ok(Some(ShownEvidence {
            seq,
            recorded_at: event.recorded_at,
            effective_at: event.effective_at(&self.catalog),
            by: event.by().to_owned(),
            event_type: event.ty,
            subject: event.subject,
            members,
        }))
    }

    fn latest(&self, control: &Control, limit: usize) -> Result<Vec<ShownEvidence>, AnswerError> {
        let walked = walk(
            self.inquiry.deadline(),
            (0, self.moment.when.known),
            true,
            limit,
            MAX_WALKED,
            |range, limit| self.listed(control, range, true, limit),
            |seq| self.evidence(control, seq),
        )?;
        Ok(walked.items)
    }

    fn population(&mut self, population: &Population, most: usize) -> Result<ShownPopulation, AnswerError> {
        let key = format!("{} {:?}", population.register, population.filter);
        let members = match self.counted.get(&key) {
            Some(members) => members.clone(),
            None => {
                let members = self.count_members(population, most)?;
                self.counted.insert(key, members.clone());
                members
            }
        };
        let rows = RowsRef { view: population.register.clone(), filters: filters(&population.filter) };
        Ok(ShownPopulation { declared: population.clone(), members, rows })
    }

    /// How many rows fit. A view that is not there, or not yet, is said so, and the other populations are counted.
    fn count_members(&self, population: &Population, most: usize) -> Result<Members, AnswerError> {
        match self.count_rows(population, most) {
            Ok(counted) => Ok(Members::Counted(counted)),
            Err(error @ (AnswerError::NotThere(_) | AnswerError::Building(_))) => {
                Ok(Members::Unavailable(error.to_string()))
            }
            Err(error) => Err(error),
        }
    }

    /// How many rows fit, and whether these are all.
    fn count_rows(&self, population: &Population, most: usize) -> Result<Counted, AnswerError> {
        let (engine, when) = (&self.moment.engine, self.moment.when);
        let filters = filters(&population.filter);
        // Rows are counted by their state as they come; everything else is counted here.
        if self.moment.current && filters.iter().all(|(name, _)| name == "state") {
            let counts =
                engine.counts(&population.register, "state", when.at, Some(self.moment.deadline.moment()))?;
            let fits = |state: &String| filters.iter().all(|(_, states)| states.contains(state));
            let fitting = counts.iter().filter(|(state, _)| fits(state));
            return Ok(Counted::Exactly(fitting.map(|(_, count)| count).sum()));
        }
        let mut ask = self.moment.all(COUNTED_AT_ONCE.min(most));
        ask.filters = filters;
        let mut count = 0;
        for _ in 0..MAX_PAGES.min(most.div_ceil(COUNTED_AT_ONCE)) {
            self.inquiry.deadline().check()?;
            let page = engine.list(&population.register, &ask)?;
            count += page.rows.len() as u64;
            match page.next {
                Some(next) => ask.after = Some(next),
                None => return Ok(Counted::Exactly(count)),
            }
        }
        Ok(Counted::AtLeast(count))
    }
}

/// The rows that an event names as evidence of a control; none if it is no evidence of it.
pub fn named(control: &Control, event: &Event) -> Option<Vec<String>> {
    let mut fits =
        control.evidence.iter().filter(|evidence| evidence.fits(&event.ty, &event.data)).peekable();
    fits.peek()?;
    let rows =
        fits.filter_map(|evidence| evidence.member.as_ref()).flat_map(|member| member.rows_of(&event.data));
    let mut seen = BTreeSet::new();
    Some(rows.filter(|row| seen.insert(row.clone())).collect())
}

/// What `where` says, as a question to a view.
pub fn filters(filter: &Filter) -> Vec<(String, Vec<String>)> {
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    filter.fields.iter().map(|(name, values)| (name.clone(), values.iter().map(text).collect())).collect()
}
