//! The rows that a control applies to, each with what of the control's evidence names it.

use super::counting::{Asked, declared, filters};
use super::gathered::{MemberEvidence, evidence_of};
use super::standing::{Standing, Waivers};
use crate::answers::error::AnswerError;
use crate::answers::names::Listener;
use crate::answers::parameters::Parameters;
use crate::answers::row::ShownRow;
use crate::answers::{Answer, Inquiry, Page, cursor};
use crate::catalog::{Control, Population};
use crate::views::engine::Found;

/// A row that a control applies to, with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The row.
    pub row: ShownRow,
    /// Evidence of this control that names the row.
    pub evidence: MemberEvidence,
    /// How it stands; none where not all of its evidence could be looked at.
    pub standing: Option<Standing>,
}

/// The register or view to whose rows a control applies.
///
/// # Errors
/// There is no such control, or it applies to no rows.
pub fn register(inquiry: &Inquiry<'_>, id: &str) -> Result<String, AnswerError> {
    Ok(population(declared(&inquiry.catalog(), id)?)?.register.clone())
}

fn population(control: &Control) -> Result<&Population, AnswerError> {
    control.population.as_ref().ok_or_else(|| {
        let id = &control.id;
        AnswerError::NotThere(format!("{id} applies to the organisation, not to rows of a register"))
    })
}

/// A page of members.
///
/// # Errors
/// There is no such control, it applies to no rows, a parameter is wrong, or the views do not answer.
pub fn list(
    inquiry: &Inquiry<'_>,
    id: &str,
    parameters: &Parameters,
) -> Result<Answer<Page<Member>>, AnswerError> {
    let asked = Asked::new(inquiry, &parameters.moment)?;
    let control = declared(&asked.catalog, id)?;
    let population = population(control)?;
    let moment = &asked.moment;
    let view = moment.view(&population.register)?;
    let (mut ask, identity) = parameters.ask(inquiry, &*view, moment)?;
    let of_asker = ask.clone();
    ask.filters.extend(filters(&population.filter));
    let page = moment.engine.list(&population.register, &ask)?;
    let ids: Vec<String> = page.rows.iter().map(|found| found.id.clone()).collect();
    let evidence = evidence_of(&asked, control, &ids)?;
    let waivers = Waivers::of(&asked)?;
    let item = |found: Found| {
        let (opened_at, at) = (found.opened_at, moment.when.at);
        let row = ShownRow::of(&*view, found, at);
        let evidence = evidence.of(&row.this.id);
        let standing = waivers.standing(control, Some(&row.this.id), opened_at, &evidence, at);
        Member { row, evidence, standing }
    };
    let items = page.rows.into_iter().map(item).collect();
    let next = page.next.map(|place| cursor::encode_place(&identity, place));
    let unheard = Listener::new(inquiry, moment).unheard_of(&*view, &of_asker, !ids.is_empty())?;
    let as_of = moment.as_of().cut(page.partial);
    Ok(Answer { body: Page { items, next, unheard }, as_of, applied: page.applied })
}
