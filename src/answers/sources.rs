//! What each source has posted, what of its numbering is missing, and what it says itself that it posted.
//!
//! Proofs show that nothing was altered, not that everything was posted. This is what the ledger can say about the latter.

use super::error::AnswerError;
use super::moment::{Moment, moment};
use super::names::Listener;
use super::parameters::Parameters;
use super::reconciliation::{Comparing, RECONCILIATIONS, Reconciliation};
use super::words::check_types;
use super::{Answer, Inquiry, Page, Unheard, cursor};
use crate::spec::time::Timestamp;
use crate::views::engine::{Ask, Engine, EngineError, When};
use crate::views::sources::{Posted, SOURCES, source_name};
use std::collections::{BTreeMap, BTreeSet};

/// Gaps of one source in the list of sources; one source by itself shows all that are known.
const GAPS_IN_LIST: usize = 20;

/// What one source said about itself, in the list of sources.
///
/// Reason: each is counted again for the answer.
const RECONCILIATIONS_IN_LIST: usize = 1;

/// What one source said about itself, where it is asked for alone.
const MAX_RECONCILIATIONS: usize = 24;

/// Sources looked at for one page.
///
/// Reason: some hundred milliseconds. A filter that fits next to nothing gives a short page and where to go on.
const MAX_LOOKED_AT: usize = 1_000;

/// Sources that said what they posted, at most, among which those are looked for that posted nothing.
const MAX_RECONCILED: usize = 10_000;

/// An entry, and when it was recorded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PostedEntry {
    /// Its number.
    pub seq: u64,
    /// When the ledger recorded it.
    pub recorded_at: Timestamp,
}

/// What a source has posted.
#[derive(Clone, Debug, PartialEq)]
pub struct Source {
    /// CloudEvents `source`.
    pub source: String,
    /// Its events.
    pub events: u64,
    /// The first one; none if there is none.
    pub first: Option<PostedEntry>,
    /// The last one; none if there is none.
    pub last: Option<PostedEntry>,
    /// Events with a `sequence` that is a whole number.
    pub numbered: u64,
    /// Events whose number another one had already.
    pub repeated: u64,
    /// Events whose `sequence` is no whole number.
    pub unreadable: u64,
    /// The lowest number: what was numbered before it, if anything, the ledger cannot know.
    pub lowest: Option<u64>,
    /// The highest number.
    pub highest: Option<u64>,
    /// How many numbers between the lowest and the highest were never posted.
    pub missing: u64,
    /// Which ones, from and to, the highest first.
    pub gaps: Vec<(u64, u64)>,
    /// Whether there are more gaps than are shown.
    pub shortened: bool,
    /// What the source says itself that it posted, the last first: in a list the last one alone.
    pub reconciliations: Vec<Reconciliation>,
    /// Whether numbers are missing, or the last reconciliation differs from what the ledger has.
    pub incomplete: bool,
    /// The types of its events, by name.
    pub types: Vec<String>,
    /// It has posted more types than are kept of one source.
    pub more_types: bool,
}

impl Source {
    /// Whether it may have posted an event of one of these types.
    fn has_posted(&self, types: &[&str]) -> bool {
        self.more_types || self.types.iter().any(|ty| types.contains(&ty.as_str()))
    }
}

/// All sources by name, or those that fit: also sources that posted nothing, where somebody says that they did.
///
/// # Errors
/// A parameter is wrong, or the views or the index do not answer.
pub fn list(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Page<Source>>, AnswerError> {
    let limit = parameters.limit()?;
    let incomplete = parameters.flag("incomplete")?;
    let types = parameters.names("type")?;
    if let Some(types) = &types {
        check_types(inquiry.desk(), "type", types)?;
    }
    let moment = asked_now(inquiry, parameters)?;
    let answer =
        |body, partial| Answer { body, as_of: moment.as_of().cut(partial), applied: moment.engine.applied() };
    let fits = |shown: &Source| {
        incomplete.is_none_or(|wanted| shown.incomplete == wanted)
            && types.as_ref().is_none_or(|types| shown.has_posted(types))
    };
    let mut page = Page { items: Vec::new(), next: None, unheard: Unheard::new() };
    let identity = format!("sources {:?} {incomplete:?} {types:?}", parameters.get("source"));
    let mut after = parameters.get("cursor").map(|text| cursor::decode_name(&identity, text)).transpose()?;
    if let Some(source) = parameters.get("source") {
        let shown = found(inquiry, &moment.engine, source)?;
        if shown.is_none() {
            page.unheard = Listener::new(inquiry, &moment).unheard("source", source, None)?;
        }
        page.items.extend(shown.filter(|shown| after.is_none() && fits(shown)));
        return Ok(answer(page, false));
    }
    let (reconciled, are_all) = reconciled(inquiry, &moment.engine)?;
    let mut looked_at = 0;
    let mut comparing = Comparing { inquiry: *inquiry, engine: &moment.engine, minutes: 0 };
    loop {
        let names = names_after(&moment.engine, &reconciled, after.as_deref(), limit.saturating_add(1))?;
        let last = names.len() <= limit;
        for (source, posted) in names {
            if page.items.len() == limit || looked_at == MAX_LOOKED_AT || comparing.is_enough() {
                let partial = page.items.len() < limit || !are_all;
                page.next = after.map(|after| cursor::encode_name(&identity, &after));
                return Ok(answer(page, partial));
            }
            looked_at += 1;
            inquiry.deadline().check()?;
            let said = comparing.of(&source, RECONCILIATIONS_IN_LIST)?;
            let shown = shown(&source, &posted, said, GAPS_IN_LIST);
            page.items.extend(Some(shown).filter(&fits));
            after = Some(source);
        }
        if last {
            return Ok(answer(page, !are_all));
        }
    }
}

/// One source, with all gaps that are known and what it said about itself.
///
/// # Errors
/// Nobody has said anything of it, a parameter is wrong, or the views or the index do not answer.
pub fn one(
    inquiry: &Inquiry<'_>,
    source: &str,
    parameters: &Parameters,
) -> Result<Answer<Source>, AnswerError> {
    let moment = asked_now(inquiry, parameters)?;
    let body = found(inquiry, &moment.engine, source)?.ok_or_else(|| {
        let detail = format!("no source {source:.128?} has posted anything; /v1/sources lists all");
        AnswerError::NotThere(detail)
    })?;
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// The moment, once the views have what is to be seen. Tallies are kept of now.
fn asked_now(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Moment, AnswerError> {
    if parameters.moment.as_of.is_some() || parameters.moment.at.is_some() {
        let detail = "what sources have posted is kept of now, without as_of and at";
        return Err(AnswerError::Parameter(detail.to_owned()));
    }
    moment(inquiry, &parameters.moment)
}

/// The sources of which somebody says that they posted something, and whether these are all.
fn reconciled(inquiry: &Inquiry<'_>, engine: &Engine) -> Result<(BTreeSet<String>, bool), AnswerError> {
    let when = When { known: engine.applied(), at: Timestamp::LAST };
    let mut ask = Ask { ends: Some(inquiry.deadline().moment()), ..Ask::all(when, MAX_RECONCILED) };
    let mut names = BTreeSet::new();
    loop {
        inquiry.deadline().check()?;
        let page = match engine.list(RECONCILIATIONS, &ask) {
            Ok(page) => page,
            Err(EngineError::NoSuchView(_)) => return Ok((names, true)),
            Err(error) => return Err(error.into()),
        };
        names.extend(page.rows.into_iter().map(|found| found.id));
        match page.next {
            Some(next) if names.len() < MAX_RECONCILED => ask.after = Some(next),
            next => return Ok((names, next.is_none())),
        }
    }
}

/// Sources after one in the order of their names, those that posted nothing included.
fn names_after(
    engine: &Engine,
    reconciled: &BTreeSet<String>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Posted)>, AnswerError> {
    // The name that follows this one.
    let from = after.map_or_else(|| source_name(""), |after| source_name(&format!("{after}\0")));
    let tallies = engine.tallies_between(SOURCES, &from, &source_name("\u{10ffff}"), limit)?;
    let start = source_name("").len();
    let mut found: BTreeMap<String, Posted> = BTreeMap::new();
    for (name, sum) in tallies {
        found.insert(name.get(start..).unwrap_or_default().to_owned(), read(sum)?);
    }
    let more = reconciled.iter().filter(|name| after.is_none_or(|after| name.as_str() > after)).take(limit);
    for name in more {
        found.entry(name.clone()).or_default();
    }
    // The first ones of both hold the first ones of the two together.
    Ok(found.into_iter().take(limit).collect())
}

fn read(tally: serde_json::Value) -> Result<Posted, AnswerError> {
    let unreadable = |_| AnswerError::Views(EngineError::Unreadable("a source's tally"));
    serde_json::from_value(tally).map_err(unreadable)
}

/// One source; none if nobody has said anything of it.
fn found(inquiry: &Inquiry<'_>, engine: &Engine, source: &str) -> Result<Option<Source>, AnswerError> {
    let name = source_name(source);
    let tally = engine.tallies_between(SOURCES, &name, &format!("{name}\0"), 1)?;
    let posted = tally.into_iter().next().map(|(_, sum)| read(sum)).transpose()?;
    let said = Comparing { inquiry: *inquiry, engine, minutes: 0 }.of(source, MAX_RECONCILIATIONS)?;
    if posted.is_none() && said.is_empty() {
        return Ok(None);
    }
    Ok(Some(shown(source, &posted.unwrap_or_default(), said, usize::MAX)))
}

fn shown(source: &str, posted: &Posted, said: Vec<Reconciliation>, most_gaps: usize) -> Source {
    let entry = |seq, recorded_at| PostedEntry { seq, recorded_at };
    let gaps = posted.gaps();
    let missing = posted.missing();
    let differs = said.first().is_some_and(|last| last.difference != 0);
    Source {
        source: source.to_owned(),
        events: posted.events,
        first: posted.recorded.map(|(first, _)| entry(posted.entries.0, first)),
        last: posted.recorded.map(|(_, last)| entry(posted.entries.1, last)),
        numbered: posted.numbered,
        repeated: posted.repeated,
        unreadable: posted.unreadable,
        lowest: posted.stretches.first().map(|(lowest, _)| *lowest),
        highest: posted.stretches.last().map(|(_, highest)| *highest),
        missing,
        shortened: gaps.len() > most_gaps || posted.missing_before > 0,
        gaps: gaps.into_iter().rev().take(most_gaps).collect(),
        reconciliations: said,
        incomplete: missing > 0 || differs,
        types: posted.types.iter().cloned().collect(),
        // Sums of an earlier version have no types: they are kept while the next one is being made.
        more_types: posted.more_types || (posted.events > 0 && posted.types.is_empty()),
    }
}
