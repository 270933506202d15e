//! The evidence of one control, page by page; all of it, or what names one row.

use super::counting::{Asked, ShownEvidence, declared};
use crate::answers::error::AnswerError;
use crate::answers::names::Listener;
use crate::answers::parameters::Parameters;
use crate::answers::walk::{MAX_WALKED, Sought, resumed, speaking_of, walk};
use crate::answers::{Answer, Inquiry, Page, Unheard, cursor};
use crate::catalog::{Catalog, Control, KEY_JOINER};

/// A page of evidence, the latest recorded first unless it is asked for in the order of the ledger. What corrections took
/// away is left out.
///
/// # Errors
/// There is no such control, a parameter is wrong, or the views do not answer.
pub fn list(
    inquiry: &Inquiry<'_>,
    id: &str,
    parameters: &Parameters,
) -> Result<Answer<Page<ShownEvidence>>, AnswerError> {
    let asked = Asked::new(inquiry, &parameters.moment)?;
    let control = declared(&asked.catalog, id)?;
    let member = parameters.get("member");
    let limit = parameters.limit()?;
    let newest_first = parameters.newest_first(true)?;
    let identity = format!("evidence {newest_first} {id} {member:?} {:?}", parameters.moment.as_of);
    let at = parameters.get("cursor").map(|text| cursor::decode(&identity, text)).transpose()?;
    let range = resumed((0, asked.moment.when.known), newest_first, at, inquiry.store().size())?;
    let way = match member {
        Some(member) => Way::to(control, member, is_by_row(&asked, control)?),
        None => Way::Listed,
    };
    let walked = walk(
        inquiry.deadline(),
        range,
        newest_first,
        limit,
        MAX_WALKED,
        |range, limit| way.candidates(&asked, control, range, newest_first, limit),
        |seq| {
            let shown = asked.evidence(control, seq)?;
            Ok(shown.filter(|shown| member.is_none_or(|id| shown.members.iter().any(|member| member == id))))
        },
    )?;
    let next = walked.next.map(|seq| cursor::encode(&identity, seq));
    let mut unheard = Unheard::new();
    if let Some(member) = member.filter(|_| walked.items.is_empty()) {
        let register = control.population.as_ref().map(|population| (population.register.as_str(), "id"));
        unheard = Listener::new(inquiry, &asked.moment).unheard("member", member, register)?;
    }
    let body = Page { items: walked.items, next, unheard };
    let as_of = asked.moment.as_of().cut(walked.partial);
    Ok(Answer { body, as_of, applied: asked.moment.engine.applied() })
}

/// On which list evidence that names a row is looked for.
pub enum Way {
    /// On the control's own.
    Listed,
    /// On that of the entries that speak of this id.
    Speaking(String),
}

impl Way {
    /// The way to the evidence that names a row.
    pub fn to(control: &Control, member: &str, by_row: bool) -> Way {
        if !by_row {
            return Way::Listed;
        }
        let mut fields = control.evidence.iter().filter_map(|evidence| evidence.member.as_ref());
        let composed = fields.any(|member| member.fields.len() > 1);
        // Of a composed key the first part is what entries speak of.
        let id = if composed { member.split(KEY_JOINER).next().unwrap_or(member) } else { member };
        Way::Speaking(id.to_owned())
    }

    /// Candidates in a range.
    ///
    /// # Errors
    /// The views or the index do not answer.
    pub fn candidates(
        &self,
        asked: &Asked<'_>,
        control: &Control,
        range: (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>, AnswerError> {
        match self {
            Way::Listed => asked.listed(control, range, newest_first, limit),
            Way::Speaking(id) => {
                let (inquiry, engine) = (asked.inquiry, &asked.moment.engine);
                speaking_of(inquiry, engine, &[Sought::Anything(id)], range, newest_first, limit)
            }
        }
    }
}

/// Whether evidence is better looked for from its row: the control's own list is more than can be walked for one answer,
/// and there is another one.
///
/// # Errors
/// The views do not answer.
pub fn is_by_row(asked: &Asked<'_>, control: &Control) -> Result<bool, AnswerError> {
    Ok(asked.count(control)? > MAX_WALKED as u64 && is_spoken_of(&asked.catalog, control))
}

/// Whether each event that names a row as evidence is on the list of the row's id too: the field that names it is the
/// entity's, or a link.
fn is_spoken_of(catalog: &Catalog, control: &Control) -> bool {
    control.evidence.iter().all(|evidence| {
        let Some(member) = &evidence.member else { return true };
        let (Some(field), Some(ty)) = (member.fields.first(), catalog.get(&evidence.event_type)) else {
            return false;
        };
        ty.entity.id == *field || ty.links.iter().any(|link| link.field == *field)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nearly_all_evidence_is_found_from_its_row() {
        let catalog = Catalog::embedded().unwrap();
        let lost: Vec<&str> = catalog
            .controls()
            .filter(|control| !is_spoken_of(&catalog, control))
            .map(|control| control.id.as_str())
            .collect();
        // Those of ER-4 and IN-6 are many, and they are found.
        assert!(!lost.contains(&"ER-4") && !lost.contains(&"IN-6") && !lost.contains(&"DG-1"), "{lost:?}");
        assert!(lost.len() < 10, "{lost:?}");
    }
}
