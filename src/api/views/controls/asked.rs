//! Counting for controls: evidence that still counts, and rows that a control applies to, as of one moment.

use super::shown::{
    ControlLinks, ControlView, EvidenceCount, EvidenceTypeView, EvidenceView, MembersCount, PopulationView,
};
use crate::api::views::ask::Parameters;
use crate::api::views::entries::{MAX_WALKED, entry_link, event, walk};
use crate::api::views::moment::{Moment, MomentQuery, moment};
use crate::api::views::problem;
use crate::api::views::row::address;
use crate::catalog::{Cadence, Catalog, Control, Filter, Population};
use crate::views::due;
use crate::views::engine::{Ask, EngineError, Event};
use crate::views::evidence::{CONTROL, EVIDENCE};
use crate::web::{Problem, Service};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

/// Rows of a population in one page of those that are counted one by one.
const COUNTED_AT_ONCE: usize = 1_000;

/// Pages in which rows are counted one by one, at most: the engine bounds what it looks at for each.
const MAX_PAGES: usize = 20;

/// One question about controls.
pub struct Asked<'a> {
    pub service: &'a Service,
    pub catalog: &'a Catalog,
    pub moment: Moment,
    /// As the client gave it, for links to the same moment.
    pub query: &'a MomentQuery,
    /// Entries that do not count by then, and their types.
    corrected: BTreeMap<u64, String>,
    /// Populations that have been counted: several controls apply to the same.
    counted: BTreeMap<String, MembersCount>,
}

impl<'a> Asked<'a> {
    /// Finds the moment, and what does not count as of then.
    ///
    /// # Errors
    /// A parameter is wrong, or the views do not answer.
    pub fn new(
        service: &'a Service,
        catalog: &'a Catalog,
        parameters: &'a Parameters,
    ) -> Result<Asked<'a>, Problem> {
        let query = &parameters.moment;
        let moment = moment(service, query)?;
        let known = moment.when.known;
        let mut corrected = BTreeMap::new();
        for seq in moment.engine.spoken_of().map_err(problem)?.into_iter().filter(|seq| *seq < known) {
            if moment.engine.corrected_by(seq, known).map_err(problem)?.is_some() {
                corrected.insert(seq, event(service, seq)?.ty);
            }
        }
        Ok(Asked { service, catalog, moment, query, corrected, counted: BTreeMap::new() })
    }

    /// Whether the lists of evidence that answer are those of a catalogue before this one.
    pub fn building(&self) -> bool {
        self.moment.engine.standing().iter().any(|view| view.name == EVIDENCE && view.building)
    }

    /// A control with its last evidence, at most `recent`, of which the first is in it too. Rows of its population are
    /// counted one by one up to `most`.
    ///
    /// # Errors
    /// The views do not answer.
    pub fn control(
        &mut self,
        control: &Control,
        most: usize,
        recent: usize,
    ) -> Result<(ControlView, Vec<EvidenceView>), Problem> {
        let population = match &control.population {
            Some(population) => Some(self.population(population, most)?),
            None => None,
        };
        let evidence = self.latest(control, recent)?;
        let last_at = evidence.first().map(|(event, _)| event.recorded_at);
        let recent: Vec<EvidenceView> = evidence.into_iter().map(|(_, shown)| shown).collect();
        let due_by = match &control.cadence {
            Cadence::PerEvent => None,
            Cadence::Every(span) => {
                last_at.and_then(|last| due::after(last, span)).map(|time| time.to_string())
            }
        };
        let this = format!("/v1/controls/{}", control.id);
        let of_type = |evidence: &crate::catalog::Evidence| EvidenceTypeView {
            kind: evidence.event_type.clone(),
            filter: shown_filter(&evidence.filter),
        };
        let view = ControlView {
            id: control.id.clone(),
            title: control.title.clone(),
            domain: control.domain.clone(),
            question: control.question.clone(),
            violation: control.violation.clone(),
            links: ControlLinks {
                evidence: format!("{this}/evidence"),
                members: population.as_ref().map(|_| format!("{this}/members")),
                this,
            },
            population,
            evidence_types: control.evidence.iter().map(of_type).collect(),
            evidence: EvidenceCount { count: self.count(control)?, last: recent.first().cloned() },
            cadence: due::cadence_text(&control.cadence),
            due_by,
        };
        Ok((view, recent))
    }

    /// Whether an entry does not count.
    pub fn is_corrected(&self, seq: u64) -> bool {
        self.corrected.contains_key(&seq)
    }

    /// How much evidence a control has.
    ///
    /// # Errors
    /// The views do not answer.
    pub fn count(&self, control: &Control) -> Result<u64, Problem> {
        let engine = &self.moment.engine;
        let list = (CONTROL, control.id.as_str());
        let mut count = engine.count_entries(EVIDENCE, list, self.moment.when.known).map_err(problem)?;
        let of_control = |ty: &String| control.evidence.iter().any(|evidence| evidence.event_type == *ty);
        for (seq, _) in self.corrected.iter().filter(|(_, ty)| of_control(ty)) {
            let range = (*seq, seq + 1);
            let listed = engine.entries(EVIDENCE, &[list], range, false, 1).map_err(problem)?;
            count = count.saturating_sub(listed.len() as u64);
        }
        Ok(count)
    }

    /// The candidates of a control's own list in a range, the newest first.
    ///
    /// # Errors
    /// The views do not answer.
    pub fn listed(&self, control: &Control, range: (u64, u64), limit: usize) -> Result<Vec<u64>, Problem> {
        let list = (CONTROL, control.id.as_str());
        self.moment.engine.entries(EVIDENCE, &[list], range, true, limit).map_err(problem)
    }

    /// An entry as evidence of a control; none if it is none, or does not count.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn evidence(&self, control: &Control, seq: u64) -> Result<Option<(Event, EvidenceView)>, Problem> {
        if self.is_corrected(seq) {
            return Ok(None);
        }
        let event = event(self.service, seq)?;
        let Some(members) = named(control, &event) else { return Ok(None) };
        let shown = EvidenceView {
            seq,
            time: event.recorded_at.to_string(),
            kind: event.ty.clone(),
            effective_at: event.effective_at(self.catalog).to_string(),
            by: event.by().to_owned(),
            subject: event.subject.clone(),
            members,
            link: entry_link(seq),
        };
        Ok(Some((event, shown)))
    }

    fn latest(&self, control: &Control, limit: usize) -> Result<Vec<(Event, EvidenceView)>, Problem> {
        let walked = walk(
            (0, self.moment.when.known),
            true,
            limit,
            MAX_WALKED,
            |range, limit| self.listed(control, range, limit),
            |seq| self.evidence(control, seq),
        )?;
        Ok(walked.items)
    }

    fn population(&mut self, population: &Population, most: usize) -> Result<PopulationView, Problem> {
        let key = format!("{} {:?}", population.register, population.filter);
        let members = match self.counted.get(&key) {
            Some(members) => members.clone(),
            None => self.counted.entry(key).or_insert(count_members(&self.moment, population, most)?).clone(),
        };
        Ok(PopulationView {
            register: population.register.clone(),
            filter: shown_filter(&population.filter),
            members,
            link: self.query.link(&address(&population.register), &filters(&population.filter)),
        })
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

fn shown_filter(filter: &Filter) -> Map<String, Value> {
    filter.fields.iter().map(|(name, values)| (name.clone(), Value::Array(values.clone()))).collect()
}

/// How many rows fit. A view that is not there, or not yet, is said so, and the other populations are counted.
fn count_members(moment: &Moment, population: &Population, most: usize) -> Result<MembersCount, Problem> {
    match count_rows(moment, population, most) {
        Ok((members, true)) => Ok(MembersCount { members: Some(members), ..MembersCount::default() }),
        Ok((members, false)) => {
            Ok(MembersCount { members_at_least: Some(members), ..MembersCount::default() })
        }
        Err(error @ (EngineError::NoSuchView(_) | EngineError::Building { .. })) => {
            let why = Some(problem(error).detail);
            Ok(MembersCount { members_unavailable: why, ..MembersCount::default() })
        }
        Err(error) => Err(problem(error)),
    }
}

/// How many rows fit, and whether these are all.
fn count_rows(moment: &Moment, population: &Population, most: usize) -> Result<(u64, bool), EngineError> {
    let (engine, when) = (&moment.engine, moment.when);
    let filters = filters(&population.filter);
    // Rows are counted by their state as they come; everything else is counted here.
    if moment.current && filters.iter().all(|(name, _)| name == "state") {
        let counts = engine.counts(&population.register, "state", when.at)?;
        let fits = |state: &String| filters.iter().all(|(_, states)| states.contains(state));
        return Ok((counts.iter().filter(|(state, _)| fits(state)).map(|(_, count)| count).sum(), true));
    }
    let mut ask = Ask::all(when, COUNTED_AT_ONCE.min(most));
    ask.filters = filters;
    let mut count = 0;
    for _ in 0..MAX_PAGES.min(most.div_ceil(COUNTED_AT_ONCE)) {
        let page = engine.list(&population.register, &ask)?;
        count += page.rows.len() as u64;
        match page.next {
            Some(next) => ask.after = Some(next),
            None => return Ok((count, true)),
        }
    }
    Ok((count, false))
}
