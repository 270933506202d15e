//! A row as of a moment, with everything worked out that depends on the moment, and the columns that its view knows.

use crate::spec::time::Timestamp;
use crate::views::engine::{Assurance, Found, Scheduled, View};
use serde_json::{Map, Value};
use std::collections::BTreeMap;

/// The views that are asked by their own name; all others that have rows to show are registers.
pub const CORE: [&str; 6] =
    ["approvals", "access", "access-requests", "access-uses", "decisions", "escalations"];

/// A row of a view, by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowRef {
    /// The view or register.
    pub view: String,
    /// The row's id.
    pub id: String,
    /// Whose row it is, where several sources have one under the id.
    pub source: Option<String>,
}

/// The rows of a view that fit, by what they are asked with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RowsRef {
    /// The view or register.
    pub view: String,
    /// Field, and the values of which one has to fit.
    pub filters: Vec<(String, Vec<String>)>,
}

/// A correction, and the entry of the row that it speaks of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Correction {
    /// The entry that it speaks of.
    pub entry: u64,
    /// The entry that is the correction.
    pub by: u64,
}

/// A row as it is shown.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownRow {
    /// Which row of which view: where it, its history and its timeline are found.
    pub this: RowRef,
    /// CloudEvents `source` of the event that opened it.
    pub source: Option<String>,
    /// Other sources that have a row under its id; told where one row is asked for.
    pub other_sources: Vec<String>,
    /// Whether somebody said something else of its id: in it, or in a row of another source.
    pub conflict: bool,
    /// What is recorded of it and holds only later.
    pub scheduled: Vec<Scheduled>,
    /// When it ended: was done, or its time was over.
    pub ended_at: Option<Timestamp>,
    /// Who acted in its events.
    pub actors: Vec<String>,
    /// Where it stands; `expired` once its time is over.
    pub state: String,
    /// Who answers for it.
    pub owner: Option<String>,
    /// When its first event took effect.
    pub opened_at: Timestamp,
    /// When its last event took effect.
    pub changed_at: Timestamp,
    /// By when something has to happen next; none once it is done.
    pub due_at: Option<Timestamp>,
    /// Whether that has passed.
    pub overdue: bool,
    /// From when it counts.
    pub valid_from: Option<Timestamp>,
    /// Until when it counts.
    pub valid_until: Option<Timestamp>,
    /// `not-yet`, `in-force` or `expired`, where it knows such dates and is not done.
    pub validity: Option<&'static str>,
    /// The least assurance of all its events.
    pub assurance: Assurance,
    /// Everything else that the view knows of it.
    pub fields: Map<String, Value>,
    /// How many events of each type it is made of.
    pub events: BTreeMap<String, u32>,
    /// Its first entry.
    pub first: u64,
    /// The last one that changed it.
    pub last: u64,
    /// Which of its events corrections speak of.
    pub corrections: Vec<Correction>,
}

impl ShownRow {
    /// A row of a view, at a time.
    #[must_use]
    pub fn of(view: &dyn View, found: Found, at: Timestamp) -> ShownRow {
        ShownRow {
            state: found.state(view, at).to_owned(),
            conflict: found.conflict(),
            ended_at: found.ended_at(at),
            actors: found.row.actors.iter().cloned().collect(),
            other_sources: Vec::new(),
            overdue: found.overdue(at),
            validity: found.validity(at),
            opened_at: found.opened_at,
            changed_at: found.changed_at,
            due_at: found.row.due_at.filter(|_| !found.row.ended),
            valid_from: found.row.valid_from,
            valid_until: found.row.valid_until,
            owner: found.row.owner,
            assurance: found.row.assurance,
            fields: found.row.fields,
            events: found.row.counts,
            first: found.number,
            last: found.last_seq,
            corrections: found.corrected.into_iter().map(|(entry, by)| Correction { entry, by }).collect(),
            this: RowRef {
                view: view.name().to_owned(),
                id: found.id,
                source: found.row.source.clone().filter(|_| found.others > 0),
            },
            source: found.row.source,
            scheduled: found.scheduled,
        }
    }
}

/// What stands in a column.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ColumnKind {
    /// A text of the row itself, such as its id.
    Text,
    /// A time of the row itself.
    Time,
    /// True or false.
    Flag,
    /// A field of the view: whatever JSON its events have there.
    Field,
}

/// Something that each row of a view has or may have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Column {
    /// Its name, by which rows are asked too.
    pub name: String,
    /// What stands in it.
    pub kind: ColumnKind,
}

/// What every row has, before the fields of its view.
const OF_ALL: [(&str, ColumnKind); 14] = [
    ("id", ColumnKind::Text),
    ("state", ColumnKind::Text),
    ("owner", ColumnKind::Text),
    ("source", ColumnKind::Text),
    ("conflict", ColumnKind::Flag),
    ("opened_at", ColumnKind::Time),
    ("changed_at", ColumnKind::Time),
    ("ended_at", ColumnKind::Time),
    ("due_at", ColumnKind::Time),
    ("overdue", ColumnKind::Flag),
    ("valid_from", ColumnKind::Time),
    ("valid_until", ColumnKind::Time),
    ("validity", ColumnKind::Text),
    ("assurance", ColumnKind::Text),
];

/// The columns of a view, in the order in which a table shows them.
#[must_use]
pub fn columns(view: &dyn View) -> Vec<Column> {
    let flags = view.flags();
    let of_all = OF_ALL.map(|(name, kind)| Column { name: name.to_owned(), kind });
    let known = |name: &&str| !OF_ALL.iter().any(|(of_all, _)| of_all == name);
    let of_view = view.fields().into_iter().filter(known).map(|name| Column {
        name: name.to_owned(),
        kind: if flags.contains(&name) { ColumnKind::Flag } else { ColumnKind::Field },
    });
    of_all.into_iter().chain(of_view).collect()
}
