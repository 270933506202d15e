//! One event of an escalation, as far as its course needs it: some are kept until what they are about is told.

use crate::spec::time::Timestamp;
use crate::views::engine::{EARLY, RowEvent, micros};
use crate::views::told;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What is read of an event's data.
const READ: [&str; 21] = [
    "about",
    "trigger",
    "severity",
    "path",
    "path_version",
    "aware_at",
    "finding",
    "level",
    "from_level",
    "to_level",
    "assigned_to",
    "ack_due_at",
    "resolve_due_at",
    "reason",
    "waiting_for",
    "resolution",
    "cause_class",
    "actions",
    "action",
    "result",
    "verification",
];

/// An event of an escalation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Act {
    /// The last part of its type.
    #[serde(rename = "t")]
    pub(super) what: String,
    #[serde(rename = "q")]
    pub(super) seq: u64,
    /// Where it stands in the order of recording.
    #[serde(rename = "p")]
    pub(super) place: u64,
    #[serde(rename = "d", with = "micros")]
    pub(super) done: Timestamp,
    #[serde(rename = "e", with = "micros")]
    pub(super) effective: Timestamp,
    /// Whether it was recorded after the ledger's first action that was told as done.
    #[serde(rename = "a", default, skip_serializing_if = "std::ops::Not::not")]
    pub(super) since_actions: bool,
    #[serde(rename = "w")]
    pub(super) told: Map<String, Value>,
    #[serde(rename = "v")]
    pub(super) data: Map<String, Value>,
}

impl Act {
    pub(super) fn of(event: &RowEvent) -> Act {
        let mut data = Map::new();
        for name in READ {
            data.extend(event.value(name).map(|value| (name.to_owned(), value.clone())));
        }
        let what = event.ty.rsplit('.').next().unwrap_or_default().to_owned();
        let mut told = event.told();
        told.insert("entry".to_owned(), event.seq.into());
        told.insert("source".to_owned(), event.source.as_str().into());
        Act {
            what,
            seq: event.seq,
            place: event.place,
            done: event.acted_at,
            effective: event.effective_at,
            since_actions: event.after_turn,
            told,
            data,
        }
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name)?.as_str()
    }

    pub(super) fn due(&self, name: &str) -> Option<Timestamp> {
        told::due_by(self.text(name)?)
    }

    /// A level, written as a number or as its digits.
    pub(super) fn level(&self, name: &str) -> Option<i64> {
        let value = self.data.get(name)?;
        value.as_i64().or_else(|| value.as_str()?.parse().ok())
    }

    /// Which action it names: a text, or a number.
    pub(super) fn action(&self) -> Option<String> {
        let value = self.data.get("action")?;
        value.as_str().map(str::to_owned).or_else(|| value.as_u64().map(|number| number.to_string()))
    }

    /// Whether it was done no longer before an opening than two clocks may differ.
    pub(super) fn is_near(&self, opening: Timestamp) -> bool {
        opening.since(self.done) <= EARLY
    }

    /// As it is shown where it did nothing.
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.told.clone();
        shown.insert("type".to_owned(), format!("escalation.{}", self.what).into());
        for name in ["level", "from_level", "to_level", "action"] {
            shown.extend(self.data.get(name).map(|value| (name.to_owned(), value.clone())));
        }
        Value::Object(shown)
    }
}
