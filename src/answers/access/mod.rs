//! Access across grants and roles: who can reach what, what somebody can reach, and what nothing covers.

pub mod cover;
#[cfg(test)]
mod model_tests;
pub mod reach;
pub mod who;

use super::caveats::{self, Caveat};
use super::error::AnswerError;
use super::moment::moment;
use super::names::Listener;
use super::parameters::Parameters;
use super::row::ShownRow;
use super::{Answer, Inquiry, Page, Unheard, cursor};
use cover::{Cover, Why};
use reach::{Reach, Wanted};
use who::{Access, MAX_GRANTS, Way};

fn wanted(parameters: &Parameters) -> Wanted<'_> {
    Wanted {
        operation: parameters.get("operation"),
        environment: parameters.get("environment"),
        purpose: parameters.get("purpose"),
    }
}

/// What no grant was ever given for, of that for which nothing was found.
fn unheard_terms(listener: &Listener<'_>, parameters: &Parameters) -> Result<Unheard, AnswerError> {
    let mut unheard = Unheard::new();
    for (name, field) in [("operation", "operations"), ("purpose", "purpose")] {
        if let Some(value) = parameters.get(name) {
            unheard.extend(listener.unheard(name, value, Some(("access", field)))?);
        }
    }
    Ok(unheard)
}

/// Ways by which somebody can reach something.
#[derive(Clone, Debug, PartialEq)]
pub struct Ways {
    /// The ways.
    pub page: Page<Reach>,
    /// What touches them; told with the first page.
    pub caveats: Vec<Caveat>,
}

/// Who can reach a resource: now, on a day, as known on another day; through roles too.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn readers(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Ways>, AnswerError> {
    let resource = parameters.get("resource").filter(|resource| resource.contains('/'));
    let resource = resource
        .ok_or_else(|| AnswerError::parameter("resource", "kind and id, such as dataset/loans-core"))?;
    let moment = moment(inquiry, &parameters.moment)?;
    let asked = &parameters.moment;
    let wanted = wanted(parameters);
    let identity = format!("readers {resource} {wanted:?} {:?} {:?}", asked.as_of, asked.at);
    let after = parameters.get("cursor").map(|text| cursor::decode_place(&identity, text)).transpose()?;
    let access = Access { engine: &moment.engine, deadline: inquiry.deadline() };
    let limit = parameters.limit()?;
    let part = access.readers(resource, wanted, moment.when, after, limit)?;
    let partial = part.partial;
    let next = part.next.map(|place| cursor::encode_place(&identity, place));
    let mut unheard = Unheard::new();
    if part.items.is_empty() {
        let listener = Listener::new(inquiry, &moment);
        unheard = listener.unheard("resource", resource, Some(("access", "resource")))?;
        unheard.extend(unheard_terms(&listener, parameters)?);
    }
    let caveats = caveats::with_first(inquiry, &moment, &*moment.view("access")?, parameters)?;
    let body = Ways { page: Page { items: part.items, next, unheard }, caveats };
    Ok(Answer { body, as_of: moment.as_of().cut(partial), applied: moment.engine.applied() })
}

/// What a principal can reach: now, on a day, as known on another day; through its roles too. In the order of what it
/// reaches; where it was given more than is looked at for one answer, part by part.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn reach(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Ways>, AnswerError> {
    let principal = parameters.get("principal").filter(|principal| !principal.is_empty());
    let principal =
        principal.ok_or_else(|| AnswerError::parameter("principal", "a principal, such as user:u-1031"))?;
    let moment = moment(inquiry, &parameters.moment)?;
    let access = Access { engine: &moment.engine, deadline: inquiry.deadline() };
    let (asked, wanted) = (&parameters.moment, wanted(parameters));
    let identity = format!("reach {principal} {wanted:?} {:?} {:?}", asked.as_of, asked.at);
    let after = parameters.get("cursor").map(|text| cursor::decode_name(&identity, text)).transpose()?;
    let after = after.map(|text| Way::read(&text).ok_or(AnswerError::Cursor)).transpose()?;
    let (items, next, partial) = access.reachable(principal, wanted, moment.when, after, MAX_GRANTS)?;
    let next = next.map(|way| cursor::encode_name(&identity, &way.text()));
    let mut unheard = Unheard::new();
    if items.is_empty() && next.is_none() {
        let listener = Listener::new(inquiry, &moment);
        unheard = listener.unheard("principal", principal, Some(("access", "principal")))?;
        unheard.extend(unheard_terms(&listener, parameters)?);
    }
    let caveats = caveats::with_first(inquiry, &moment, &*moment.view("access")?, parameters)?;
    let body = Ways { page: Page { items, next, unheard }, caveats };
    Ok(Answer { body, as_of: moment.as_of().cut(partial), applied: moment.engine.applied() })
}

/// A use that grants do not cover wholly, or did not when it was recorded.
#[derive(Clone, Debug, PartialEq)]
pub struct UncoveredUse {
    /// The use.
    pub usage: ShownRow,
    /// How far it is covered, by what is known.
    pub cover: Cover,
    /// The same by what was known when it was recorded.
    pub as_recorded: Cover,
    /// Why it is not covered, or was not.
    pub why: Why,
}

/// Uses that grants do not cover wholly at their own moments, or that are covered only by what was recorded after them.
/// Denied uses are listed apart: with `outcome=denied`.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn uncovered(
    inquiry: &Inquiry<'_>,
    parameters: &Parameters,
) -> Result<Answer<Page<UncoveredUse>>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let view = moment.view("access-uses")?;
    let (mut ask, identity) = parameters.ask(inquiry, &*view, &moment)?;
    let asked = ask.clone();
    if parameters.get("outcome").is_none() {
        ask.filters.push(("outcome".to_owned(), vec!["allowed".to_owned()]));
    }
    let access = Access { engine: &moment.engine, deadline: inquiry.deadline() };
    let part = access.judged_uses(&ask)?;
    let shown = |item: who::JudgedUse| {
        let afterwards = item.as_recorded != Cover::Covered;
        let grants = item.now.grants;
        let why = item.now.why.or_else(|| afterwards.then_some(Why::Afterwards { grants }))?;
        let usage = ShownRow::of(&*view, item.usage, moment.when.at);
        Some(UncoveredUse { usage, cover: item.now.cover, as_recorded: item.as_recorded, why })
    };
    let items: Vec<UncoveredUse> = part.items.into_iter().filter_map(shown).collect();
    let unheard = Listener::new(inquiry, &moment).unheard_of(&*view, &asked, !items.is_empty())?;
    let next = part.next.map(|place| cursor::encode_place(&identity, place));
    let body = Page { items, next, unheard };
    Ok(Answer { body, as_of: moment.as_of().cut(part.partial), applied: moment.engine.applied() })
}

/// Grants in force to people who held a role, and hold none any more.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn role_ended(
    inquiry: &Inquiry<'_>,
    parameters: &Parameters,
) -> Result<Answer<Page<ShownRow>>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let view = moment.view("access")?;
    let (mut ask, identity) = parameters.ask(inquiry, &*view, &moment)?;
    let asked = ask.clone();
    ask.validity = Some("in-force".to_owned());
    ask.filters.push(("state".to_owned(), vec!["granted".to_owned()]));
    let access = Access { engine: &moment.engine, deadline: inquiry.deadline() };
    let page = moment.engine.list("access", &ask)?;
    let mut items = Vec::new();
    for grant in page.rows {
        if access.role_ended(&grant, moment.when)? {
            items.push(ShownRow::of(&*view, grant, moment.when.at));
        }
    }
    let next = page.next.map(|place| cursor::encode_place(&identity, place));
    let unheard = Listener::new(inquiry, &moment).unheard_of(&*view, &asked, !items.is_empty())?;
    let as_of = moment.as_of().cut(page.partial);
    Ok(Answer { body: Page { items, next, unheard }, as_of, applied: page.applied })
}
