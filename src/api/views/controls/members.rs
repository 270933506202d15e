//! The rows that a control applies to, each with what of the control's evidence names it.

use super::asked::{Asked, filters};
use super::evidence::{Way, is_by_row};
use super::shown::{EvidenceView, MemberEvidence, MemberList, MemberView};
use crate::api::cursor;
use crate::api::views::ask::Parameters;
use crate::api::views::entries::{MAX_WALKED, walk};
use crate::api::views::moment::view;
use crate::api::views::row::row_view;
use crate::api::views::{Answer, problem};
use crate::catalog::{Catalog, Control};
use crate::web::{Problem, ProblemType, Service};
use std::collections::HashMap;

/// Entries looked at for one row of a control whose list is long.
///
/// Reason: a page has up to 500 rows.
const MAX_WALKED_FOR_ONE: usize = 100;

/// A page of members.
///
/// # Errors
/// There is no such control, it applies to no rows, a parameter is wrong, or the views do not answer.
pub fn list(
    service: &Service,
    catalog: &Catalog,
    id: &str,
    parameters: &Parameters,
) -> Result<Answer<MemberList>, Problem> {
    let control = catalog.control(id).ok_or_else(|| super::absent(id))?;
    let population = control.population.as_ref().ok_or_else(|| {
        let detail = format!("{id} applies to the organisation, not to rows of a register");
        Problem::new(ProblemType::NotFound, detail)
    })?;
    let asked = Asked::new(service, catalog, parameters)?;
    let moment = &asked.moment;
    let view = view(moment, &population.register)?;
    let (mut ask, identity) = parameters.ask(&*view, moment.when)?;
    ask.filters.extend(filters(&population.filter));
    let page = moment.engine.list(&population.register, &ask).map_err(problem)?;
    let ids: Vec<String> = page.rows.iter().map(|found| found.id.clone()).collect();
    let mut evidence = evidence_of(&asked, control, &ids)?;
    let item = |found| {
        let row = row_view(&*view, found, moment.when.at);
        let mut of_row = evidence.remove(&row.id).unwrap_or_default();
        let filter = ("member".to_owned(), vec![row.id.clone()]);
        of_row.link = asked.query.link(&format!("/v1/controls/{id}/evidence"), &[filter]);
        MemberView { row, evidence: of_row }
    };
    let items = page.rows.into_iter().map(item).collect();
    let next = page.next.map(|place| cursor::encode_place(&identity, place));
    Ok(Answer { body: MemberList { items, next, as_of: moment.view() }, applied: page.applied })
}

/// How much evidence each of these rows has.
fn evidence_of(
    asked: &Asked<'_>,
    control: &Control,
    ids: &[String],
) -> Result<HashMap<String, MemberEvidence>, Problem> {
    let range = (0, asked.moment.when.known);
    if !is_by_row(asked, control)? {
        // One walk for all of them: over the whole list, or over as much of it as can be walked.
        let walked = walk(
            range,
            true,
            usize::MAX,
            MAX_WALKED,
            |range, limit| asked.listed(control, range, limit),
            |seq| Ok(asked.evidence(control, seq)?.map(|(_, shown)| shown)),
        )?;
        let mut of_rows: HashMap<&str, Vec<&EvidenceView>> = HashMap::new();
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
            range,
            true,
            usize::MAX,
            MAX_WALKED_FOR_ONE,
            |range, limit| way.candidates(asked, control, range, limit),
            |seq| {
                let shown = asked.evidence(control, seq)?.map(|(_, shown)| shown);
                Ok(shown.filter(|shown| shown.members.iter().any(|member| member == id)))
            },
        )?;
        let all = walked.next.is_none();
        evidence.insert(id.clone(), counted(walked.items.len(), all, walked.items.into_iter().next()));
    }
    Ok(evidence)
}

fn counted(count: usize, all: bool, last: Option<EvidenceView>) -> MemberEvidence {
    let count = Some(count as u64);
    let (count, count_at_least) = if all { (count, None) } else { (None, count) };
    MemberEvidence { count, count_at_least, last, link: String::new() }
}
