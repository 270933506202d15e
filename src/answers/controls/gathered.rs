//! What there is of a control's evidence for each of many rows.

use super::counting::{Asked, Counted, ShownEvidence};
use super::evidence::{Way, is_by_row};
use crate::answers::error::AnswerError;
use crate::answers::walk::{MAX_WALKED, Walked, walk};
use crate::catalog::{Cadence, Control};
use crate::spec::time::Timestamp;
use std::collections::HashMap;

/// Entries looked at for one row of a control whose list is long.
///
/// Reason: a page has up to 500 rows.
const MAX_WALKED_FOR_ONE: usize = 100;

/// Evidence of one control that names one row.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberEvidence {
    /// How many events count at the moment: they took effect within the cadence before it.
    pub count: Counted,
    /// How many events there are.
    pub total: Counted,
    /// The one that was recorded last.
    pub last: Option<ShownEvidence>,
    /// The latest time by then from which any of them counts, those included that name no row.
    pub effective_at: Option<Timestamp>,
    /// Whether all of them were looked at, those included that name no row.
    pub all: bool,
}

/// Evidence of one control, row by row.
pub struct Evidenced {
    /// What there is of each row.
    rows: HashMap<String, MemberEvidence>,
    /// All of it, whichever rows it names; where each row was looked at by itself, nothing.
    pub of_all: MemberEvidence,
    /// What a row has that no evidence names.
    unnamed: MemberEvidence,
}

impl Evidenced {
    /// What there is of a row.
    #[must_use]
    pub fn of(&self, row: &str) -> MemberEvidence {
        self.rows.get(row).unwrap_or(&self.unnamed).clone()
    }
}

/// How much evidence each of these rows has.
///
/// # Errors
/// The views do not answer.
pub fn evidence_of(asked: &Asked<'_>, control: &Control, ids: &[String]) -> Result<Evidenced, AnswerError> {
    let range = (0, asked.moment.when.known);
    let names_none = |evidence: &&ShownEvidence| {
        let mut of_type = control.evidence.iter().filter(|of| of.event_type == evidence.event_type);
        of_type.any(|of| of.member.is_none())
    };
    let at = asked.moment.when.at;
    if is_by_row(asked, control)? {
        let some_name_none = control.evidence.iter().any(|evidence| evidence.member.is_none());
        let most = if some_name_none { MAX_WALKED_FOR_ONE } else { 0 };
        let newest = listed(asked, control, most)?;
        let all_unnamed = newest.next.is_none() || !some_name_none;
        let unnamed: Vec<&ShownEvidence> = newest.items.iter().filter(names_none).collect();
        let mut rows = HashMap::new();
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
            let found: Vec<&ShownEvidence> = walked.items.iter().collect();
            let all = (walked.next.is_none(), all_unnamed);
            rows.insert(id.clone(), counted(control, &found, &unnamed, all, at));
        }
        let none = counted(control, &[], &unnamed, (false, all_unnamed), at);
        return Ok(Evidenced { rows, of_all: none.clone(), unnamed: none });
    }
    // One walk for all of them: over the whole list, or over as much of it as can be walked.
    let walked = listed(asked, control, MAX_WALKED)?;
    let all = (walked.next.is_none(), true);
    let everything: Vec<&ShownEvidence> = walked.items.iter().collect();
    let unnamed: Vec<&ShownEvidence> = walked.items.iter().filter(names_none).collect();
    let mut of_rows: HashMap<&str, Vec<&ShownEvidence>> = HashMap::new();
    for shown in &walked.items {
        for member in &shown.members {
            of_rows.entry(member).or_default().push(shown);
        }
    }
    let of_row = |id: &String| {
        let found = of_rows.get(id.as_str()).map_or(&[][..], Vec::as_slice);
        (id.clone(), counted(control, found, &unnamed, all, at))
    };
    Ok(Evidenced {
        rows: ids.iter().map(of_row).collect(),
        of_all: counted(control, &everything, &[], all, at),
        unnamed: counted(control, &[], &unnamed, all, at),
    })
}

/// The evidence of a control that was recorded last, of at most so many entries.
fn listed(asked: &Asked<'_>, control: &Control, most: usize) -> Result<Walked<ShownEvidence>, AnswerError> {
    walk(
        asked.inquiry.deadline(),
        (0, asked.moment.when.known),
        true,
        usize::MAX,
        most,
        |range, limit| asked.listed(control, range, true, limit),
        |seq| asked.evidence(control, seq),
    )
}

/// What the evidence that names a row comes to, and that which names none.
fn counted(
    control: &Control,
    found: &[&ShownEvidence],
    unnamed: &[&ShownEvidence],
    (all, all_unnamed): (bool, bool),
    at: Timestamp,
) -> MemberEvidence {
    let number = |count: usize| {
        let count = count as u64;
        if all { Counted::Exactly(count) } else { Counted::AtLeast(count) }
    };
    let counts = |shown: &&&ShownEvidence| {
        shown.effective_at <= at
            && match &control.cadence {
                Cadence::PerEvent => true,
                Cadence::Every(span) => span.after(shown.effective_at).is_none_or(|due| at < due),
            }
    };
    let effective = found.iter().chain(unnamed).map(|shown| shown.effective_at);
    MemberEvidence {
        count: number(found.iter().filter(counts).count()),
        total: number(found.len()),
        last: found.first().map(|last| (*last).clone()),
        effective_at: effective.filter(|effective| *effective <= at).max(),
        all: all && all_unnamed,
    }
}
