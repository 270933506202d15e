//! How a row looks, and its history.

use crate::spec::time::Timestamp;
use crate::views::engine::{Assurance, Change, Found, History, View};
use serde::Serialize;
use serde_json::{Map, Value};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// A row of a view.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct RowView {
    /// Its id; parts of a composed one are joined by `@`.
    #[schema(example = "APR-0005")]
    pub id: String,
    /// Where it stands. `expired` once its time is over.
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
    /// As of when it holds.
    pub as_of: super::moment::MomentView,
}

/// One row, as of a moment.
#[derive(Serialize, ToSchema)]
pub struct RowDetail {
    /// The row.
    #[serde(flatten)]
    pub row: RowView,
    /// As of when it holds.
    pub as_of: super::moment::MomentView,
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

/// A row's history.
#[derive(Serialize, ToSchema)]
pub struct HistoryView {
    /// By effective time.
    pub items: Vec<ChangeView>,
    /// Whether there were more events than are shown at once, and the earliest are left out.
    pub shortened: bool,
    /// As of when it holds.
    pub as_of: super::moment::MomentView,
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
    pub as_of: super::moment::MomentView,
}

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

/// The address of a view's rows.
#[must_use]
pub fn address(view: &str) -> String {
    match view {
        "approvals" | "access" | "decisions" | "escalations" => format!("/v1/{view}"),
        "access-requests" => "/v1/access/requests".to_owned(),
        "access-uses" => "/v1/access/uses".to_owned(),
        register => format!("/v1/registers/{register}"),
    }
}

/// An id as a part of a path.
#[must_use]
pub fn escaped(id: &str) -> String {
    let mut out = String::with_capacity(id.len());
    for byte in id.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~:@".contains(&byte) {
            out.push(char::from(byte));
        } else {
            out.push_str(&format!("%{byte:02X}"));
        }
    }
    out
}

/// A row as it is shown.
#[must_use]
pub fn row_view(view: &dyn View, found: Found, at: Timestamp) -> RowView {
    let text = |time: Option<Timestamp>| time.map(|time| time.to_string());
    let this = format!("{}/{}", address(view.name()), escaped(&found.id));
    let links = LinksView {
        history: format!("{this}/history"),
        timeline: format!("/v1/subjects/{}/timeline", escaped(&found.id)),
        this,
    };
    RowView {
        state: found.state(view, at).to_owned(),
        overdue: found.overdue(at),
        validity: found.validity(at),
        opened_at: found.opened_at.to_string(),
        changed_at: found.changed_at.to_string(),
        due_at: text(found.row.due_at.filter(|_| !found.row.ended)),
        valid_from: text(found.row.valid_from),
        valid_until: text(found.row.valid_until),
        owner: found.row.owner,
        assurance: found.row.assurance,
        fields: found.row.fields,
        events: found.row.counts,
        entries: EntriesView { first: found.number, last: found.last_seq },
        corrections: found.corrected.into_iter().map(|(entry, by)| CorrectionView { entry, by }).collect(),
        id: found.id,
        links,
    }
}

/// A history as it is shown.
#[must_use]
pub fn history_view(history: History, as_of: super::moment::MomentView) -> HistoryView {
    let change = |change: Change| ChangeView {
        seq: change.seq,
        kind: change.ty,
        effective_at: change.effective_at.to_string(),
        happened_at: change.happened_at.to_string(),
        by: change.by,
        assurance: change.assurance,
        late: change.late,
        corrected_by: change.corrected_by,
        state: change.state,
        changed: change.changed,
        event: format!("/v1/events/{}", change.seq),
    };
    HistoryView {
        items: history.changes.into_iter().map(change).collect(),
        shortened: history.shortened,
        as_of,
    }
}
