//! The rows that a control applies to, each with what of the control's evidence names it.

use super::counting::{Asked, Counted, ShownEvidence, declared, filters};
use super::evidence::{Way, is_by_row};
use crate::answers::error::AnswerError;
use crate::answers::parameters::Parameters;
use crate::answers::row::ShownRow;
use crate::answers::walk::{MAX_WALKED, walk};
use crate::answers::{Answer, Inquiry, Page, cursor};
use crate::catalog::Control;
use std::collections::HashMap;

/// Entries looked at for one row of a control whose list is long.
///
/// Reason: a page has up to 500 rows.
const MAX_WALKED_FOR_ONE: usize = 100;

/// Evidence of one control that names one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEvidence {
    /// How many events.
    pub count: Counted,
    /// The one that was recorded last.
    pub last: Option<ShownEvidence>,
}

/// A row that a control applies to, with its evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Member {
    /// The row.
    pub row: ShownRow,
    /// Evidence of this control that names the row.
    pub evidence: MemberEvidence,
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
    let catalog = inquiry.catalog();
    let control = declared(&catalog, id)?;
    let population = control.population.as_ref().ok_or_else(|| {
        AnswerError::NotThere(format!("{id} applies to the organisation, not to rows of a register"))
    })?;
    let asked = Asked::new(inquiry, &catalog, &parameters.moment)?;
    let moment = &asked.moment;
    let view = moment.view(&population.register)?;
    let (mut ask, identity) = parameters.ask(&*view, moment)?;
    ask.filters.extend(filters(&population.filter));
    let page = moment.engine.list(&population.register, &ask)?;
    let ids: Vec<String> = page.rows.iter().map(|found| found.id.clone()).collect();
    let mut evidence = evidence_of(&asked, control, &ids)?;
    let none = || MemberEvidence { count: Counted::Exactly(0), last: None };
    let item = |found| {
        let row = ShownRow::of(&*view, found, moment.when.at);
        let evidence = evidence.remove(&row.this.id).unwrap_or_else(none);
        Member { row, evidence }
    };
    let items = page.rows.into_iter().map(item).collect();
    let next = page.next.map(|place| cursor::encode_place(&identity, place));
    Ok(Answer { body: Page { items, next }, as_of: moment.as_of(), applied: page.applied })
}

/// How much evidence each of these rows has.
fn evidence_of(
    asked: &Asked<'_>,
    control: &Control,
    ids: &[String],
) -> Result<HashMap<String, MemberEvidence>, AnswerError> {
    let range = (0, asked.moment.when.known);
    if !is_by_row(asked, control)? {
        // One walk for all of them: over the whole list, or over as much of it as can be walked.
        let walked = walk(
            asked.inquiry.deadline(),
            range,
            true,
            usize::MAX,
            MAX_WALKED,
            |range, limit| asked.listed(control, range, true, limit),
            |seq| asked.evidence(control, seq),
        )?;
        let mut of_rows: HashMap<&str, Vec<&ShownEvidence>> = HashMap::new();
        for shown in &walked.items {
            for member in &shown.members {
                of_rows.entry(member).or_default().push(shown);
            }
        }
        let counted = |id: &String| {
            let found = of_rows.get(id.as_str()).map_or(&[][..], Vec::as_slice);
            (
                id.clone(),
                counted(found.len(), walked.next.is_none(), found.first().map(|last| (*last).clone())),
            )
        };
        return Ok(ids.iter().map(counted).collect());
    }
    let mut evidence = HashMap::new();
    for id in ids {
        let way = Way::to(control, id, true);
        let walked = walk(
            asked.inquiry.deadline(),
            range,
            true,
            usize::MAX,
            MAX_WALKED_FOR_ONE,
            |range, limit| way.candidates(asked, control, range, true, limit),
            |seq| {
                let shown = asked.evidence(control, seq)?;
                Ok(shown.filter(|shown| shown.members.iter().any(|member| member == id)))
            },
        )?;
        let all = walked.next.is_none();
        evidence.insert(id.clone(), counted(walked.items.len(), all, walked.items.into_iter().next()));
    }
    Ok(evidence)
}

fn counted(count: usize, all: bool, last: Option<ShownEvidence>) -> MemberEvidence {
    let count = count as u64;
    MemberEvidence { count: if all { Counted::Exactly(count) } else { Counted::AtLeast(count) }, last }
}
