//! How a row looks, and its history.

use super::caveat::CaveatView;
use super::links;
use super::moment::{MomentView, text};
use crate::answers::Page;
use crate::answers::row::{Correction, ShownRow};
use crate::answers::rows::{Counts, RowHistory, Rows};
use crate::views::engine;
use crate::views::engine::{Change, Scheduled};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// How far it is known that whoever an event names did what it says.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// An application says so: it posted the event, and names somebody else as acting.
    Asserted,
    /// Whoever acted posted the event, and was authenticated.
    Authenticated,
    /// Whoever acted signed the event.
    Signed,
}

impl Assurance {
    /// As it is shown.
    pub fn of(assurance: engine::Assurance) -> Assurance {
        match assurance {
            engine::Assurance::Asserted => Assurance::Asserted,
            engine::Assurance::Authenticated => Assurance::Authenticated,
            engine::Assurance::Signed => Assurance::Signed,
        }
    }
}

/// A row of a view.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RowView {
    /// Its id; parts of a composed one are joined by `@`.
    #[schema(example = "APR-0005")]
    pub id: String,
    /// CloudEvents `source` of the event that opened it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/northgate/approvals")]
    pub source: Option<String>,
    /// Other sources that have a row of their own under this id: ask with `source`.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub other_sources: Vec<String>,
    /// Somebody said something else of this id: in this row (see `fields.conflicts`), or in a row of another source.
    pub conflict: bool,
    /// Where it stands. `expired` once its time is over, `scheduled` while all of it holds only later.
    #[schema(example = "granted")]
    pub state: String,
    /// Who answers for it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "user:u-1021")]
    pub owner: Option<String>,
    /// When its first event took effect.
    #[schema(example = "2026-01-09T09:15:00.000000Z")]
    pub opened_at: String,
    /// When its last event took effect.
    #[schema(example = "2026-01-15T16:02:00.000000Z")]
    pub changed_at: String,
    /// When it was done, or its time was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<String>,
    /// What is recorded of it and holds only later.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub scheduled: Vec<ScheduledView>,
    /// Who acted in its events.
    #[schema(example = json!(["user:u-1021", "user:u-1042"]))]
    pub actors: Vec<String>,
    /// By when something has to happen next.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub due_at: Option<String>,
    /// Whether that has passed, and it is not done.
    pub overdue: bool,
    /// From when it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<String>,
    /// Until when it counts.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<String>,
    /// `not-yet`, `in-force` or `expired`, where it knows such dates and is not done.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "in-force")]
    pub validity: Option<&'static str>,
    /// How far it is known that those who are named did what it says: the least of all its events.
    pub assurance: Assurance,
    /// Everything else that the view knows of it.
    #[schema(value_type = Object)]
    pub fields: Map<String, Value>,
    /// How many events of each type it is made of.
    pub events: BTreeMap<String, u32>,
    /// The first entry about it, and the last one that changed it.
    pub entries: EntriesView,
    /// Which of its events corrections speak of. Those that do not count any more are in the history, and nowhere else.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub corrections: Vec<CorrectionView>,
    /// Where more is.
    pub links: LinksView,
}

/// An event that is recorded and holds only later.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ScheduledView {
    /// Its entry's number.
    #[schema(example = 61)]
    pub seq: u64,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    #[schema(example = "access.revoked")]
    pub kind: String,
    /// From when it holds.
    #[schema(example = "2026-12-31T00:00:00.000000Z")]
    pub effective_at: String,
}

/// The entries that a row begins and ends with.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct EntriesView {
    /// The seq of the first one.
    #[schema(example = 41)]
    pub first: u64,
    /// The seq of the last one.
    #[schema(example = 58)]
    pub last: u64,
}

/// A correction.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct CorrectionView {
    /// The entry that it speaks of.
    #[schema(example = 402)]
    pub entry: u64,
    /// The entry that is the correction.
    #[schema(example = 417)]
    pub by: u64,
}

/// Where more of a row is.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct LinksView {
    /// The row itself.
    #[serde(rename = "self")]
    #[schema(example = "/v1/approvals/APR-0005")]
    pub this: String,
    /// What made it so, entry by entry.
    #[schema(example = "/v1/approvals/APR-0005/history")]
    pub history: String,
    /// Everything about it in all families.
    #[schema(example = "/v1/subjects/APR-0005/timeline")]
    pub timeline: String,
}

/// A page of rows.
#[derive(Serialize, ToSchema)]
pub struct RowList {
    /// In the order asked for.
    pub items: Vec<RowView>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
    pub next: Option<String>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// What touches this list and may make it say too much or too little; told with the first page, and absent where
    /// nothing is known to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<CaveatView>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// One row, as of a moment.
#[derive(Serialize, ToSchema)]
pub struct RowDetail {
    /// The row.
    #[serde(flatten)]
    pub row: RowView,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// What one event did to a row.
#[derive(Serialize, ToSchema)]
pub struct ChangeView {
    /// Its entry's number.
    #[schema(example = 41)]
    pub seq: u64,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    #[schema(example = "approval.granted")]
    pub kind: String,
    /// From when it counts; the order of a history.
    #[schema(example = "2026-01-12T10:00:00.000000Z")]
    pub effective_at: String,
    /// When it happened.
    #[schema(example = "2026-01-12T10:00:00.000000Z")]
    pub happened_at: String,
    /// Who acted.
    #[schema(example = "user:u-1003")]
    pub by: String,
    /// How far that is known.
    pub assurance: Assurance,
    /// It was recorded after an event that takes effect later.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub late: bool,
    /// The entry of the correction by which it does not count.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub corrected_by: Option<u64>,
    /// The row's state after it.
    #[schema(example = "partial")]
    pub state: String,
    /// The fields that it set; null where it cleared one.
    #[schema(value_type = Object)]
    pub changed: Map<String, Value>,
    /// The entry.
    #[schema(example = "/v1/events/41")]
    pub event: String,
}

/// What a table of changes has.
pub const CHANGE: &[&str] = &[
    "seq",
    "type",
    "effective_at",
    "happened_at",
    "by",
    "assurance",
    "late",
    "corrected_by",
    "state",
    "changed",
    "event",
];

/// A row's history.
#[derive(Serialize, ToSchema)]
pub struct HistoryView {
    /// By effective time, or from its end.
    pub items: Vec<ChangeView>,
    /// Give it as `cursor` to go on; null at the end.
    pub next: Option<String>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// How many rows have which value.
#[derive(Serialize, ToSchema)]
pub struct CountsView {
    /// By what is counted.
    #[schema(example = "state")]
    pub by: String,
    /// In the order of the values.
    pub items: Vec<CountView>,
    /// All rows.
    #[schema(example = 20)]
    pub total: u64,
    /// Rows whose due date has passed and that are not done.
    #[schema(example = 1)]
    pub overdue: u64,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// What a table of counts has.
pub const COUNT: &[&str] = &["value", "count"];

/// How many rows have a value.
#[derive(Serialize, ToSchema)]
pub struct CountView {
    /// The value.
    #[schema(example = "granted")]
    pub value: String,
    /// How many.
    #[schema(example = 14)]
    pub count: u64,
}

impl RowView {
    /// A row as it is shown.
    pub fn of(row: ShownRow) -> RowView {
        let this = links::row(&row.this);
        let links =
            LinksView { history: links::history(&row.this), timeline: links::timeline(&row.this.id), this };
        let scheduled = |Scheduled { seq, ty, effective_at }| ScheduledView {
            seq,
            kind: ty,
            effective_at: text(effective_at),
        };
        let correction = |Correction { entry, by }| CorrectionView { entry, by };
        RowView {
            id: row.this.id,
            source: row.source,
            other_sources: row.other_sources,
            conflict: row.conflict,
            ended_at: row.ended_at.map(text),
            scheduled: row.scheduled.into_iter().map(scheduled).collect(),
            actors: row.actors,
            state: row.state,
            owner: row.owner,
            opened_at: text(row.opened_at),
            changed_at: text(row.changed_at),
            due_at: row.due_at.map(text),
            overdue: row.overdue,
            valid_from: row.valid_from.map(text),
            valid_until: row.valid_until.map(text),
            validity: row.validity,
            assurance: Assurance::of(row.assurance),
            fields: row.fields,
            events: row.events,
            entries: EntriesView { first: row.first, last: row.last },
            corrections: row.corrections.into_iter().map(correction).collect(),
            links,
        }
    }
}

impl RowList {
    /// A page of rows as it is shown.
    pub fn of(page: Page<ShownRow>, as_of: MomentView) -> RowList {
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(RowView::of).collect();
        let (known, unknown) = (unheard.is_empty(), unheard);
        RowList { items, next, known, unknown, caveats: Vec::new(), as_of }
    }

    /// The same of rows whose columns are known: the API tells each row by its members.
    pub fn of_rows(rows: Rows, as_of: MomentView) -> RowList {
        let caveats = CaveatView::all(rows.caveats, &as_of.asked());
        RowList { caveats, ..RowList::of(rows.page, as_of) }
    }
}

impl RowDetail {
    /// One row as it is shown.
    pub fn of(row: ShownRow, as_of: MomentView) -> RowDetail {
        RowDetail { row: RowView::of(row), as_of }
    }
}

impl ChangeView {
    /// What one event did, as it is shown.
    pub fn of(change: Change) -> ChangeView {
        ChangeView {
            seq: change.seq,
            kind: change.ty,
            effective_at: text(change.effective_at),
            happened_at: text(change.happened_at),
            by: change.by,
            assurance: Assurance::of(change.assurance),
            late: change.late,
            corrected_by: change.corrected_by,
            state: change.state,
            changed: change.changed,
            event: links::entry(change.seq),
        }
    }
}

impl HistoryView {
    /// A history as it is shown.
    pub fn of(history: RowHistory, as_of: MomentView) -> HistoryView {
        let items = history.changes.into_iter().map(ChangeView::of).collect();
        HistoryView { items, next: history.next, as_of }
    }
}

impl CountsView {
    /// Counts as they are shown.
    pub fn of(counts: Counts, as_of: MomentView) -> CountsView {
        let Counts { by, items, total, overdue } = counts;
        let items = items.into_iter().map(|(value, count)| CountView { value, count }).collect();
        CountsView { by, items, total, overdue, as_of }
    }
}
