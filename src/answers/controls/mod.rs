//! What the organisation has to be able to show, and what the ledger holds of it.
//!
//! Here is what was recorded: how much evidence, which was the last, to how many rows a control applies. Whether a control
//! is kept is judged elsewhere, and nothing here may look as if it were.

pub mod counting;
pub mod evidence;
pub mod members;

use super::error::AnswerError;
use super::moment::AskedMoment;
use super::parameters::Parameters;
use super::row::CORE;
use super::words::no_word;
use super::{Answer, Inquiry};
use crate::catalog::{Catalog, Control};
use counting::{Asked, ShownControl, declared};
use std::collections::BTreeSet;

/// Members of one population that are counted one by one for the list of all controls.
///
/// Reason: some sixty populations are counted for one answer.
const MAX_COUNTED_IN_LIST: usize = 1_000;

/// Members of the population that are counted one by one for one control.
const MAX_COUNTED: usize = 20_000;

/// Evidence that one control shows by itself; its list has all of it.
const RECENT: usize = 10;

/// Controls, and by which catalogue their evidence is counted.
#[derive(Clone, Debug, PartialEq)]
pub struct Controls<T> {
    /// The control or controls.
    pub shown: T,
    /// The catalogue has changed, and evidence is still counted as the one before it said.
    pub building: bool,
}

/// All controls that fit, by id: to what each applies, its question, and what there is of evidence.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn list(
    inquiry: &Inquiry<'_>,
    parameters: &Parameters,
) -> Result<Answer<Controls<Vec<ShownControl>>>, AnswerError> {
    let catalog = inquiry.catalog();
    let mut asked = Asked::new(inquiry, &catalog, &parameters.moment)?;
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
        shown.push(asked.control(control, MAX_COUNTED_IN_LIST, 1)?);
    }
    Ok(answer(&asked, shown))
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
) -> Result<Answer<Controls<ShownControl>>, AnswerError> {
    let catalog = inquiry.catalog();
    let mut asked = Asked::new(inquiry, &catalog, moment)?;
    let control = declared(&catalog, id)?;
    let shown = asked.control(control, MAX_COUNTED, RECENT)?;
    Ok(answer(&asked, shown))
}

fn answer<T>(asked: &Asked<'_>, shown: T) -> Answer<Controls<T>> {
    let body = Controls { shown, building: asked.building() };
    Answer { body, as_of: asked.moment.as_of(), applied: asked.moment.engine.applied() }
}
