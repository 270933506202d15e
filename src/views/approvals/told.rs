//! What an approval keeps of its events: all that its judgement needs, in the order in which they were done.

use crate::spec::time::Timestamp;
use crate::views::engine::{Assurance, RowEvent, micros, telling};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What was done. In the order of the life of an approval; recusals stand before votes, because who recused has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Act {
    Requested,
    Recused,
    Granted,
    Rejected,
    ConditionMet,
    Withdrawn,
    Revoked,
}

impl Act {
    /// All, each with its type.
    pub(super) const ALL: [(Act, &'static str); 7] = [
        (Act::Requested, "approval.requested"),
        (Act::Recused, "approval.recused"),
        (Act::Granted, "approval.granted"),
        (Act::Rejected, "approval.rejected"),
        (Act::ConditionMet, "approval.condition_met"),
        (Act::Withdrawn, "approval.withdrawn"),
        (Act::Revoked, "approval.revoked"),
    ];

    /// The members of its data that are kept.
    fn members(self) -> &'static [&'static str] {
        match self {
            Act::Requested => &[
                "kind",
                "target",
                "scope_digest",
                "rationale",
                "pillars",
                "quorum",
                "risk_class",
                "evidence",
                "due_at",
                "valid_until",
                "single_use",
                "requester",
            ],
            Act::Granted | Act::Rejected => {
                &["capacity", "rationale", "conflict_declared", "delegation", "scope_digest", "conditions"]
            }
            Act::Recused => &["reason"],
            Act::ConditionMet => &["condition", "vote"],
            Act::Withdrawn | Act::Revoked => &["reason", "of"],
        }
    }
}

/// One event of an approval.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Told {
    #[serde(rename = "q")]
    pub(super) seq: u64,
    /// Where it stands in the order of recording.
    #[serde(rename = "p")]
    pub(super) place: u64,
    #[serde(rename = "r", with = "micros")]
    pub(super) recorded_at: Timestamp,
    #[serde(rename = "a", with = "micros")]
    pub(super) acted_at: Timestamp,
    #[serde(rename = "e", with = "micros")]
    pub(super) effective_at: Timestamp,
    #[serde(rename = "t")]
    pub(super) act: Act,
    #[serde(rename = "s")]
    pub(super) source: String,
    #[serde(rename = "i")]
    pub(super) id: String,
    #[serde(rename = "c")]
    pub(super) actor: String,
    #[serde(rename = "b")]
    pub(super) by: String,
    #[serde(rename = "u")]
    pub(super) assurance: Assurance,
    #[serde(rename = "d")]
    pub(super) data: Map<String, Value>,
}

impl Told {
    /// An event of an approval; none of another type.
    pub(super) fn of(event: &RowEvent) -> Option<Told> {
        let (act, _) = *Act::ALL.iter().find(|(_, ty)| *ty == event.ty)?;
        let kept = |name: &&str| Some(((*name).to_owned(), event.data.get(*name)?.clone()));
        Some(Told {
            seq: event.seq,
            place: event.place,
            recorded_at: event.recorded_at,
            acted_at: event.acted_at,
            effective_at: event.effective_at,
            act,
            source: event.source.clone(),
            id: event.id.clone(),
            actor: event.actor.clone(),
            by: event.by.clone(),
            assurance: event.assurance,
            data: act.members().iter().filter_map(kept).collect(),
        })
    }

    pub(super) fn text(&self, name: &str) -> Option<&str> {
        self.data.get(name)?.as_str()
    }

    pub(super) fn is_vote(&self) -> bool {
        matches!(self.act, Act::Granted | Act::Rejected)
    }

    /// Whether a member that names an event names this one: by `source` and `id`, by the id alone, or by the entry's number.
    pub(super) fn is_named(&self, reference: &Value) -> bool {
        match reference {
            Value::String(named) => *named == self.id,
            Value::Number(number) => number.as_u64() == Some(self.seq),
            other => {
                other.get("source").and_then(Value::as_str) == Some(&self.source)
                    && other.get("id").and_then(Value::as_str) == Some(&self.id)
            }
        }
    }

    /// Who says it and when, and which entry it is.
    pub(super) fn shown(&self) -> Map<String, Value> {
        let mut told = telling((&self.by, &self.actor), self.assurance, self.acted_at, self.recorded_at);
        told.insert("seq".to_owned(), self.seq.into());
        told
    }
}

/// Whether `one` was done before `other`: by act; at one instant, of one source in the order of recording, else in the order
/// of an approval's life.
pub(super) fn before(one: &Told, other: &Told) -> bool {
    if one.acted_at != other.acted_at {
        return one.acted_at < other.acted_at;
    }
    if one.source == other.source || one.act == other.act {
        return one.place < other.place;
    }
    one.act < other.act
}
