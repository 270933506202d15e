//! What a view keeps: rows, and the events that made them.

use super::acts::act::Act;
use super::micros;
use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::views::stretches::{self, Done, Identity, Stretches};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

/// How far it is known that whoever an event names did what it says.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Assurance {
    /// An application says so: it posted the event, and names somebody else as acting.
    #[default]
    Asserted,
    /// Whoever acted posted the event, and was authenticated.
    Authenticated,
    /// Whoever acted signed the event.
    Signed,
}

impl Assurance {
    /// Its name, as the API shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Assurance::Asserted => "asserted",
            Assurance::Authenticated => "authenticated",
            Assurance::Signed => "signed",
        }
    }
}

/// People and applications that are kept with a row.
///
/// Reason: a quorum has at most 32, and few rows have more than a handful of hands on them; all are in the history.
pub const MAX_ACTORS: usize = 48;

/// One event, as a fold sees it.
///
/// It has three times: when it was done (`acted_at`), from when it holds (`effective_at`), and when the ledger recorded it
/// (`recorded_at`). Events are folded in the order in which they were done.
#[derive(Clone, Debug, PartialEq)]
pub struct RowEvent {
    /// Its entry's number.
    pub seq: u64,
    /// Where it stands in the order of recording: its own number, or its target's where it replaces another event.
    pub place: u64,
    /// When the entry at its place was recorded.
    pub recorded_at: Timestamp,
    /// Act time: when it was done. CloudEvents `time`, but not later than it was recorded; of a replacement, its target's.
    pub acted_at: Timestamp,
    /// Valid time: from when it holds.
    pub effective_at: Timestamp,
    /// CloudEvents `time`, as it was sent.
    pub happened_at: Timestamp,
    /// How long before the opening of its row it was done, in microseconds: it was told early, and counts from the opening.
    /// 0 for all others.
    pub early_by: i64,
    /// Whether it was recorded after the ledger's first event of the type that its view names as a turn (`View::turn`).
    pub after_turn: bool,
    /// CloudEvents `type`.
    pub ty: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// Who posted it.
    pub actor: String,
    /// Who acted: `data.by`, and otherwise who posted it.
    pub by: String,
    /// See [`Assurance`].
    pub assurance: Assurance,
    /// How it stands, where it is an act of two that somebody looked at ([`super::View::is_act_of_two`]).
    pub act: Option<Act>,
    /// CloudEvents `data`.
    pub data: Arc<Value>,
}

/// How long before the opening of its row an event may have been done and still be what it says, in microseconds: the
/// clocks of two systems differ by a little.
pub const EARLY: i64 = stretches::EARLY;

impl RowEvent {
    /// Whether it holds only from a time on that lies after its recording.
    pub fn is_ahead(&self) -> bool {
        self.effective_at > self.recorded_at
    }

    /// Whether it was done longer before the opening of its row than two clocks may differ.
    pub fn is_too_early(&self) -> bool {
        self.early_by > EARLY
    }

    /// What was done, as far as the order of acts asks.
    #[must_use]
    pub fn done(&self) -> Done {
        let event = Identity { source: self.source.clone(), id: self.id.clone() };
        Done { acted_at: self.acted_at, place: self.place, seq: self.seq, event }
    }

    /// Who says what it tells, and when: `by`, `actor`, `assurance`, `at` (when it was done), `recorded_at`, and
    /// `late_seconds` where it was recorded a second or more after it was done.
    pub fn told(&self) -> Map<String, Value> {
        telling((&self.by, &self.actor), self.assurance, self.acted_at, self.recorded_at)
    }

    /// The text at `name` of `data`; `a.b` goes into the object `a`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    /// The time at `name` of `data`.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        Timestamp::recorded(self.text(name)?)
    }

    /// Whether `name` of `data` is there and true.
    pub fn is(&self, name: &str) -> bool {
        self.value(name) == Some(&Value::Bool(true))
    }

    /// The value at `name` of `data`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        if !name.contains('.') {
            return self.data.get(name);
        }
        name.split('.').try_fold(&*self.data, |value, name| value.get(name))
    }
}

/// See [`RowEvent::told`].
pub fn telling(
    (by, actor): (&str, &str),
    assurance: Assurance,
    acted_at: Timestamp,
    recorded_at: Timestamp,
) -> Map<String, Value> {
    let mut told = Map::new();
    told.insert("by".to_owned(), by.into());
    told.insert("actor".to_owned(), actor.into());
    told.insert("assurance".to_owned(), assurance.as_str().into());
    told.insert("at".to_owned(), acted_at.to_string().into());
    told.insert("recorded_at".to_owned(), recorded_at.to_string().into());
    let late = recorded_at.since(acted_at) / MICROS_PER_SECOND;
    if late > 0 {
        told.insert("late_seconds".to_owned(), late.into());
    }
    told
}

/// The state of one row after some of its events. Only a view's `step` changes it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// CloudEvents `source` of the event that opened it; none as long as nothing has.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Where it stands; see the view for the states there are. Empty before the first event.
    #[serde(rename = "s")]
    pub state: String,
    /// Whether it is done: neither overdue nor expiring any more.
    #[serde(rename = "e", default, skip_serializing_if = "std::ops::Not::not")]
    pub ended: bool,
    /// By when something has to happen next.
    #[serde(rename = "d", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub due_at: Option<Timestamp>,
    /// From when it counts.
    #[serde(rename = "f", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<Timestamp>,
    /// Until when it counts, that moment not included.
    #[serde(rename = "u", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<Timestamp>,
    /// Who answers for it.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Everything else, in the shape in which the API shows it.
    #[serde(rename = "v", default, skip_serializing_if = "Map::is_empty")]
    pub fields: Map<String, Value>,
    /// What holds several times or side by side under its id, where its view keeps that.
    #[serde(rename = "y", default, skip_serializing_if = "Stretches::is_unknown")]
    pub stretches: Stretches,
    /// What a fold has to remember and nobody is shown.
    #[serde(rename = "m", default, skip_serializing_if = "Map::is_empty")]
    pub memo: Map<String, Value>,
    /// When it was done, if it is: from when the event holds that ended it. Kept by the engine.
    #[serde(rename = "x", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub ended_at: Option<Timestamp>,
    /// Who acted in its events, at most [`MAX_ACTORS`]. Kept by the engine.
    #[serde(rename = "b", default)]
    pub actors: BTreeSet<String>,
    /// How many events of each type count. Kept by the engine.
    #[serde(rename = "c", default)]
    pub counts: BTreeMap<String, u32>,
    /// The least assurance of all events that count. Kept by the engine.
    #[serde(rename = "a", default)]
    pub assurance: Assurance,
}

impl Row {
    /// Sets a field.
    pub fn set(&mut self, name: &str, value: impl Into<Value>) {
        self.fields.insert(name.to_owned(), value.into());
    }

    /// Copies fields of an event's data, under the same names, where it has them.
    pub fn copy(&mut self, event: &RowEvent, names: &[&str]) {
        for name in names {
            if let Some(value) = event.data.get(*name) {
                self.fields.insert((*name).to_owned(), value.clone());
            }
        }
    }

    /// A field's text; `a.b` goes into the object `a`.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.value(name)?.as_str()
    }

    /// The time in a field's text; `a.b` goes into the object `a`.
    pub fn time(&self, name: &str) -> Option<Timestamp> {
        Timestamp::recorded(self.text(name)?)
    }

    /// Sets a field to a time, as the ledger writes times.
    pub fn set_time(&mut self, name: &str, time: Timestamp) {
        self.set(name, time.to_string());
    }

    /// The time that a fold remembers under this name.
    pub fn remembered(&self, name: &str) -> Option<Timestamp> {
        Timestamp::from_micros(self.memo.get(name)?.as_i64()?)
    }

    /// Remembers a time under this name.
    pub fn remember(&mut self, name: &str, time: Timestamp) {
        self.memo.insert(name.to_owned(), time.micros().into());
    }

    /// A field's value; `a.b` goes into the object `a`.
    pub fn value(&self, name: &str) -> Option<&Value> {
        let Some((first, rest)) = name.split_once('.') else { return self.fields.get(name) };
        rest.split('.').try_fold(self.fields.get(first)?, |value, name| value.get(name))
    }

    /// Whether the field is there and true.
    pub fn is(&self, name: &str) -> bool {
        self.value(name) == Some(&Value::Bool(true))
    }

    /// The list in this field, made where it is not there.
    pub fn list(&mut self, name: &str) -> &mut Vec<Value> {
        let value = self.fields.entry(name).or_insert_with(|| Value::Array(Vec::new()));
        if !value.is_array() {
            *value = Value::Array(Vec::new());
        }
        match value {
            Value::Array(items) => items,
            // It is one since the line above.
            _ => unreachable!("a list"),
        }
    }
}
