//! What the organisation has to be able to show, and what the ledger holds of it: to which rows a control applies, how much
//! evidence there is, which was the last, and for which of them it is due or overdue. Each control is the one that the
//! catalogue declared by then. Whether one is violated is judged elsewhere, and nothing here may look as if it were.

pub mod counting;
pub mod evidence;
pub mod gathered;
pub mod members;
pub mod standing;

use super::caveats::{self, Caveat};
use super::error::AnswerError;
use super::moment::AskedMoment;
use super::parameters::Parameters;
use super::row::CORE;
use super::words::no_word;
use super::{Answer, Inquiry};
use crate::catalog::{Catalog, Control};
use crate::spec::time::Timestamp;
use counting::{Asked, ShownControl, declared};
use standing::{Summary, Waivers, summary};
use std::collections::BTreeSet;

/// Members of one population that are counted one by one for the list of all controls.
///
/// Reason: some sixty populations are counted for one answer.
const MAX_COUNTED_IN_LIST: usize = 1_000;

/// Members of the population that are counted one by one for one control.
const MAX_COUNTED: usize = 20_000;

/// Evidence that one control shows by itself; its list has all of it.
const RECENT: usize = 10;

/// Members of which it is told how they stand, for one control.
///
/// Reason: for each, up to a hundred entries are read.
const MAX_STANDING: usize = 500;

/// How much evidence, and how many members, a control has at most of which the list of all controls tells how it stands.
///
/// Reason: sixty of them are read for one answer.
const MAX_STANDING_IN_LIST: usize = 200;

/// A control, and how it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct OneControl {
    /// The control, and what there is of evidence.
    pub control: ShownControl,
    /// None where that is more than is looked at for this answer.
    pub standing: Option<Summary>,
}

/// Controls, and by which catalogue their evidence is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Controls<T> {
    /// The control or controls.
    pub shown: T,
    /// The catalogue has changed, and evidence is still counted as the one before it said.
    pub building: bool,
    /// What touches the rows that one control applies to.
    pub caveats: Vec<Caveat>,
}

/// All controls that fit, by id: to what each applies, its question, and what there is of evidence.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn list(
    inquiry: &Inquiry<'_>,
    parameters: &Parameters,
) -> Result<Answer<Controls<Vec<OneControl>>>, AnswerError> {
    let mut asked = Asked::new(inquiry, &parameters.moment)?;
    let catalog = asked.catalog.clone();
    let waivers = Waivers::of(&asked)?;
    let domain = domain(&catalog, parameters)?;
    let population = population(&catalog, parameters)?;
    let fits = |control: &&Control| {
        domain.is_none_or(|domain| control.domain == domain)
            && population.is_none_or(|name| {
                control.population.as_ref().is_some_and(|population| population.register == name)
            })
    };
    let mut shown = Vec::new();
    for control in catalog.controls().filter(fits) {
        let shown_control = asked.control(control, MAX_COUNTED_IN_LIST, 1)?;
        let few = shown_control.count <= MAX_STANDING_IN_LIST as u64;
        let standing = if few { Some(stand(&asked, &waivers, control, MAX_STANDING_IN_LIST)?) } else { None };
        let standing = standing.filter(|standing| standing.complete);
        shown.push(OneControl { control: shown_control, standing });
    }
    Ok(answer(&asked, shown, Vec::new()))
}

fn domain<'a>(catalog: &Catalog, parameters: &'a Parameters) -> Result<Option<&'a str>, AnswerError> {
    let Some(domain) = parameters.get("domain") else { return Ok(None) };
    if catalog.controls().any(|control| control.domain == domain) {
        return Ok(Some(domain));
    }
    let known: BTreeSet<&str> = catalog.controls().map(|control| control.domain.as_str()).collect();
    Err(no_word("domain", domain, &Vec::from_iter(known)))
}

fn population<'a>(catalog: &Catalog, parameters: &'a Parameters) -> Result<Option<&'a str>, AnswerError> {
    let Some(name) = parameters.get("population") else { return Ok(None) };
    if CORE.contains(&name) || catalog.register(name).is_some() {
        return Ok(Some(name));
    }
    let of_controls = catalog.controls().filter_map(|control| control.population.as_ref());
    let known: BTreeSet<&str> = of_controls.map(|population| population.register.as_str()).collect();
    Err(no_word("population", name, &Vec::from_iter(known)))
}

/// One control, with its latest evidence.
///
/// # Errors
/// There is no such control, a parameter is wrong, or the views do not answer.
pub fn one(
    inquiry: &Inquiry<'_>,
    id: &str,
    moment: &AskedMoment,
) -> Result<Answer<Controls<OneControl>>, AnswerError> {
    let mut asked = Asked::new(inquiry, moment)?;
    let catalog = asked.catalog.clone();
    let control = declared(&catalog, id)?;
    let shown = asked.control(control, MAX_COUNTED, RECENT)?;
    let standing = stand(&asked, &Waivers::of(&asked)?, control, MAX_STANDING)?;
    let caveats = match &control.population {
        Some(population) => match asked.moment.view(&population.register) {
            Ok(view) => caveats::of_view(inquiry, &asked.moment, &*view)?,
            // Told beside the population: it cannot be counted now.
            Err(_) => Vec::new(),
        },
        None => Vec::new(),
    };
    Ok(answer(&asked, OneControl { control: shown, standing: Some(standing) }, caveats))
}

fn stand(
    asked: &Asked<'_>,
    waivers: &Waivers,
    control: &Control,
    most: usize,
) -> Result<Summary, AnswerError> {
    let published = published(asked, control)?;
    summary(asked, waivers, control, published, most)
}

/// Since when a control is declared, without a break up to the catalogue of the question: from the publication that brought
/// it, or from the ledger's first entry.
fn published(asked: &Asked<'_>, control: &Control) -> Result<Timestamp, AnswerError> {
    let (desk, known) = (asked.inquiry.desk(), asked.moment.when.known);
    let versions = desk.catalog.versions().into_iter().rev();
    let by_then = versions.filter(|version| version.seq.is_none_or(|seq| seq < known));
    let first = by_then.take_while(|version| version.catalog.control(&control.id).is_some()).last();
    let seq = first.and_then(|version| version.seq).unwrap_or(0);
    if seq < known { Ok(desk.store.time(seq)?) } else { Ok(asked.moment.when.at) }
}

fn answer<T>(asked: &Asked<'_>, shown: T, caveats: Vec<Caveat>) -> Answer<Controls<T>> {
    let body = Controls { shown, building: asked.building(), caveats };
    Answer { body, as_of: asked.moment.as_of(), applied: asked.moment.engine.applied() }
}
