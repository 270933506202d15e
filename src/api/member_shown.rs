//! How the rows look that a control applies to, each with its evidence.

use super::control_shown::EvidenceView;
use super::links;
use super::moment::{MomentView, text};
use super::row::RowView;
use crate::answers::Page;
use crate::answers::controls::members::Member;
use crate::answers::controls::standing::Standing;
use crate::answers::moment::AskedMoment;
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A row that a control applies to, with its evidence.
#[derive(Serialize, ToSchema)]
pub struct MemberView {
    /// The row.
    #[serde(flatten)]
    pub row: RowView,
    /// Evidence of this control that names the row.
    pub evidence: MemberEvidence,
}

/// Evidence of one control that names one row.
#[derive(Clone, Debug, Default, Serialize, ToSchema)]
pub struct MemberEvidence {
    /// So many events count at the moment: they took effect within the cadence before it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub count: Option<u64>,
    /// So many there are.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 3)]
    pub total: Option<u64>,
    /// At least so many, in place of `count`: there were more entries to look at than are looked at for one answer.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub count_at_least: Option<u64>,
    /// In the same way in place of `total`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub total_at_least: Option<u64>,
    /// The one that was recorded last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<EvidenceView>,
    /// How the member stands: `waived`, `never-evidenced` (no evidence ever, and the first due date has passed), `overdue`,
    /// `not-yet-due` or `satisfied`. Absent where not all of its evidence could be looked at.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "satisfied")]
    pub state: Option<&'static str>,
    /// When evidence is due next: the cadence after the latest that counts, or after the member's opening; of a waived one
    /// when the waiver ends. Absent where the cadence is `per-event`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2027-02-24T09:30:00.000000Z")]
    pub due_by: Option<String>,
    /// The entry that waives it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 801)]
    pub waived_by: Option<u64>,
    /// All of them.
    #[schema(example = "/v1/controls/ER-4/evidence?member=D-2026-0004")]
    pub link: String,
}

/// A page of the rows that a control applies to.
#[derive(Serialize, ToSchema)]
pub struct MemberList {
    /// In the order asked for.
    pub items: Vec<MemberView>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
    pub next: Option<String>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// As of when it holds.
    pub as_of: MomentView,
}

impl MemberList {
    /// A page of the rows that a control applies to, asked as of this moment.
    pub fn of(control: &str, page: Page<Member>, moment: &AskedMoment, as_of: MomentView) -> MemberList {
        let item = |Member { row, evidence, standing }: Member| {
            let filter = ("member".to_owned(), vec![row.this.id.clone()]);
            let address = format!("/v1/controls/{control}/evidence");
            let (count, count_at_least) = evidence.count.told();
            let (total, total_at_least) = evidence.total.told();
            let evidence = MemberEvidence {
                count,
                count_at_least,
                total,
                total_at_least,
                last: evidence.last.map(EvidenceView::of),
                state: standing.map(|standing| standing.state.word()),
                due_by: standing.and_then(|standing: Standing| standing.due_by).map(text),
                waived_by: standing.and_then(|standing| standing.waived_by),
                link: links::then(&address, &[filter], moment),
            };
            MemberView { row: RowView::of(row), evidence }
        };
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(item).collect();
        MemberList { items, next, known: unheard.is_empty(), unknown: unheard, as_of }
    }
}
