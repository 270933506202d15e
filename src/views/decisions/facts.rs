//! What people told of a decision after it was made, kept with its row: enough to say at every moment which contest is
//! open, which answer counts, and what the last word is.
//!
//! Facts stand in the order in which events are folded. Which of several tellings of one contest is the first, and which
//! answer, is decided by the order of recording, so none is forgotten when another one comes.

use crate::spec::time::Timestamp;
use crate::views::engine::{Row, RowEvent, micros, told_digest};
use crate::views::told;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Where facts stand in a row's memory.
const FACTS: &str = "facts";

/// Reviews, and contests, of one decision that are kept with it.
///
/// Reason: more are a mistake of whoever posts them, and a row is written with each of its events; all are in the
/// history. Of reviews the earlier ones go; contests beyond it are open for good, because nobody can tell which of them
/// are answered.
pub(super) const MAX_KEPT: usize = 64;

/// Answers that are kept: two for each contest.
const MAX_ANSWERS: usize = 2 * MAX_KEPT;

/// What sort of fact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum Kind {
    #[serde(rename = "c")]
    Contest,
    #[serde(rename = "a")]
    Answer,
    #[serde(rename = "r")]
    Review,
}

/// One thing told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Fact {
    #[serde(rename = "k")]
    pub(super) kind: Kind,
    /// The contest or review that it names.
    #[serde(rename = "i", default, skip_serializing_if = "Option::is_none")]
    pub(super) id: Option<String>,
    #[serde(rename = "s")]
    pub(super) source: String,
    #[serde(rename = "q")]
    pub(super) seq: u64,
    /// Where it stands in the order of recording.
    #[serde(rename = "p")]
    pub(super) place: u64,
    /// When it was done.
    #[serde(rename = "d", with = "micros")]
    pub(super) done: Timestamp,
    /// From when it counts: when it was done, but not before the decision.
    #[serde(rename = "f", with = "micros")]
    pub(super) from: Timestamp,
    /// From when it takes effect.
    #[serde(rename = "e", with = "micros")]
    pub(super) effective: Timestamp,
    /// A short name for what it says.
    #[serde(rename = "h")]
    pub(super) digest: u64,
    /// How often the same source told the same again.
    #[serde(rename = "n", default, skip_serializing_if = "is_zero")]
    pub(super) again: u64,
    /// What is shown of it.
    #[serde(rename = "v")]
    pub(super) shown: Map<String, Value>,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

/// All facts of a row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Facts {
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) list: Vec<Fact>,
    /// Contests for which there was no room.
    #[serde(rename = "c", default, skip_serializing_if = "is_zero")]
    pub(super) contests_beyond: u64,
    /// When the first of them is due.
    #[serde(rename = "d", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) due_beyond: Option<Timestamp>,
    /// Reviews and answers that had to go.
    #[serde(rename = "o", default, skip_serializing_if = "is_zero")]
    pub(super) others_beyond: u64,
}

impl Facts {
    /// Those of a row. What cannot be read was never written.
    pub(super) fn of(row: &Row) -> Facts {
        row.memo.get(FACTS).and_then(|facts| Facts::deserialize(facts).ok()).unwrap_or_default()
    }

    pub(super) fn keep(&self, row: &mut Row) {
        // A struct of texts, numbers and JSON always serialises.
        row.memo.insert(FACTS.to_owned(), serde_json::to_value(self).unwrap_or_default());
    }

    /// Adds what an event tells. `opened` is when the decision was made, if that is known.
    pub(super) fn add(&mut self, kind: Kind, event: &RowEvent, opened: Option<Timestamp>, names: &[&str]) {
        let name = if kind == Kind::Review { "review" } else { "contest" };
        let mut shown = Map::new();
        for name in names {
            shown.extend(event.value(name).map(|value| ((*name).to_owned(), value.clone())));
        }
        shown.extend(event.told());
        shown.insert("entry".to_owned(), event.seq.into());
        let mut fact = Fact {
            kind,
            id: event.text(name).map(str::to_owned),
            source: event.source.clone(),
            seq: event.seq,
            place: event.place,
            done: event.acted_at,
            from: opened.map_or(event.acted_at, |opened| event.acted_at.max(opened)),
            effective: event.effective_at,
            digest: told_digest(&event.data),
            again: 0,
            shown,
        };
        let same = |other: &Fact| {
            (other.kind, &other.id, &other.source, other.digest)
                == (fact.kind, &fact.id, &fact.source, fact.digest)
                // Of two answers the first may be too early for its contest, and the second not.
                && (kind != Kind::Answer || other.done == fact.done)
        };
        // Without an id there is nothing by which it could be the same one.
        let told = self.list.iter().position(|other| fact.id.is_some() && same(other));
        if let Some(place) = told {
            match self.list.get_mut(place) {
                Some(first) if first.place <= fact.place => first.again += 1,
                _ => {
                    fact.again = self.list.remove(place).again + 1;
                    self.list.push(fact);
                }
            }
        } else if self.has_room(kind) {
            self.list.push(fact);
        } else if kind == Kind::Contest {
            self.contests_beyond += 1;
            let due = told::due(event, "due_at");
            self.due_beyond = self.due_beyond.into_iter().chain(due).min();
        } else {
            self.others_beyond += 1;
        }
    }

    /// Whether one more of a kind can be kept; of reviews one that decides nothing any more makes room.
    fn has_room(&mut self, kind: Kind) -> bool {
        let of_kind = self.list.iter().filter(|fact| fact.kind == kind).count();
        match kind {
            Kind::Contest => of_kind < MAX_KEPT,
            Kind::Answer => of_kind < MAX_ANSWERS,
            Kind::Review if of_kind < MAX_KEPT => true,
            Kind::Review => {
                let reviews = self.list.iter().enumerate().filter(|(_, fact)| fact.kind == Kind::Review);
                let is = |fact: &Fact, result: &str| {
                    fact.shown.get("result").and_then(Value::as_str) == Some(result)
                };
                let first = reviews.clone().find(|(_, fact)| !is(fact, "referred")).map(|(place, _)| place);
                let mut last =
                    reviews.clone().filter(|(_, fact)| is(fact, "overridden")).map(|(place, _)| place);
                let last = last.next_back();
                let idle = reviews
                    .map(|(place, _)| place)
                    .find(|place| Some(*place) != first && Some(*place) != last);
                if let Some(place) = idle {
                    self.list.remove(place);
                    self.others_beyond += 1;
                }
                true
            }
        }
    }
}
