//! One stretch, and what cuts it.

use crate::spec::time::{Day, MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};
use crate::views::engine::micros;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How long before what it is about an event may have been done and still be what it says, in microseconds: the clocks of
/// two systems differ by a little.
pub const EARLY: i64 = 5 * MICROS_PER_MINUTE;

/// When something begins: a time, or the first instant of a day of UTC. What cannot be read is as if it were not there.
#[must_use]
pub fn begins(value: Option<&Value>) -> Option<Timestamp> {
    let text = value?.as_str()?;
    Timestamp::recorded(text).or_else(|| Some(Day::parse(text)?.start()))
}

/// When something ends, the first instant at which it holds no longer: a time, or the end of a day of UTC.
#[must_use]
pub fn ends(value: Option<&Value>) -> Option<Timestamp> {
    let text = value?.as_str()?;
    Timestamp::recorded(text).or_else(|| Some(Day::parse(text)?.start().saturating_add(MICROS_PER_DAY)))
}

/// An event by its identity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    /// CloudEvents `source`.
    #[serde(rename = "s")]
    pub source: String,
    /// CloudEvents `id`.
    #[serde(rename = "i")]
    pub id: String,
}

impl Identity {
    /// What `of` of an ending names. What is missing is an empty text, which no event has.
    #[must_use]
    pub fn named(of: &Value) -> Identity {
        let member = |name: &str| of.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        Identity { source: member("source"), id: member("id") }
    }
}

/// What was done, as far as the order of acts asks.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Done {
    /// Act time.
    #[serde(rename = "a", with = "micros")]
    pub acted_at: Timestamp,
    /// Its place in the order of recording.
    #[serde(rename = "p")]
    pub place: u64,
    /// Its entry.
    #[serde(rename = "q")]
    pub seq: u64,
    /// The event.
    #[serde(flatten)]
    pub event: Identity,
}

/// One stretch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Stretch {
    /// What began it.
    #[serde(flatten)]
    pub begun: Done,
    /// From when it holds.
    #[serde(rename = "f", with = "micros")]
    pub from: Timestamp,
    /// Until when by its own words; none is without end.
    #[serde(rename = "u", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// What cut it first.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub cut: Option<Cut>,
    /// What was taken from it, the first first.
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    pub reduced: Vec<Reduction>,
    /// What is known of it.
    #[serde(rename = "d", default)]
    pub data: Map<String, Value>,
}

/// Where an ending cut a stretch.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Cut {
    /// The moment: the stretch does not hold at it any more.
    #[serde(rename = "t", with = "micros")]
    pub at: Timestamp,
    /// What cut it.
    #[serde(flatten)]
    pub by: Done,
    /// What is known of that.
    #[serde(rename = "d", default)]
    pub data: Map<String, Value>,
}

/// What is left of a stretch from a moment on.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Reduction {
    /// From when.
    #[serde(rename = "t", with = "micros")]
    pub at: Timestamp,
    /// Its entry.
    #[serde(rename = "q")]
    pub seq: u64,
    /// What may still be done.
    #[serde(rename = "o")]
    pub operations: Vec<String>,
}

/// What ends stretches, or a part of them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Ending {
    /// What was done.
    #[serde(flatten)]
    pub done: Done,
    /// From when it holds.
    #[serde(rename = "e", with = "micros")]
    pub effective_at: Timestamp,
    /// The one stretch that it names.
    #[serde(rename = "n", default, skip_serializing_if = "Option::is_none")]
    pub of: Option<Identity>,
    /// It leaves these operations, and ends the others; none: it ends all.
    #[serde(rename = "o", default, skip_serializing_if = "Option::is_none")]
    pub leaves: Option<Vec<String>>,
    /// What is known of it.
    #[serde(rename = "d", default)]
    pub data: Map<String, Value>,
}

/// How a row stands by one of its stretches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Standing {
    /// It has not begun.
    Scheduled,
    /// It holds.
    InForce,
    /// It came to its own end.
    Over,
    /// It was cut.
    Cut,
}

impl Done {
    /// Whether this beginning was done before that ending: at one instant, of one source in the order of recording, and
    /// of two the beginning first.
    pub(super) fn is_before(&self, ending: &Done) -> bool {
        if self.acted_at != ending.acted_at {
            return self.acted_at < ending.acted_at;
        }
        self.event.source != ending.event.source || (self.place, self.seq) < (ending.place, ending.seq)
    }
}

impl Stretch {
    /// Its end after cuts; none is without end. It lies before `from` where it was cut there.
    #[must_use]
    pub fn end(&self) -> Option<Timestamp> {
        [self.until, self.cut.as_ref().map(|cut| cut.at)].into_iter().flatten().min()
    }

    /// Whether it holds at a moment.
    #[must_use]
    pub fn holds(&self, at: Timestamp) -> bool {
        self.from <= at && self.end().is_none_or(|end| at < end)
    }

    /// Whether it never holds.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.end().is_some_and(|end| end <= self.from)
    }

    /// Whether something cut it before its own end.
    #[must_use]
    pub fn is_cut(&self) -> bool {
        self.cut.as_ref().is_some_and(|cut| self.until.is_none_or(|until| cut.at < until))
    }

    /// How it stands at a moment.
    #[must_use]
    pub fn standing(&self, at: Timestamp) -> Standing {
        if self.holds(at) {
            Standing::InForce
        } else if at < self.from && !self.is_empty() {
            Standing::Scheduled
        } else {
            self.ended()
        }
    }

    pub(super) fn ended(&self) -> Standing {
        if self.is_cut() { Standing::Cut } else { Standing::Over }
    }

    /// Of two that hold, the one that began last says what the row is; then the one that was done last.
    pub(super) fn order(&self) -> (Timestamp, Timestamp, u64, u64) {
        (self.from, self.begun.acted_at, self.begun.place, self.begun.seq)
    }

    pub(super) fn receive(&mut self, ending: &Ending) {
        if let Some(leaves) = &ending.leaves {
            let reduction =
                Reduction { at: ending.effective_at, seq: ending.done.seq, operations: leaves.clone() };
            // What was done before comes before: reductions are received in that order.
            self.reduced.push(reduction);
            self.reduced.sort_by_key(|reduction| reduction.at);
            self.keep_what_reduces();
            return;
        }
        let cut = Cut { at: ending.effective_at, by: ending.done.clone(), data: ending.data.clone() };
        let order = |cut: &Cut| (cut.at, cut.by.acted_at, cut.by.place, cut.by.seq);
        if self.cut.as_ref().is_none_or(|before| order(&cut) < order(before)) {
            self.cut = Some(cut);
        }
    }

    /// A reduction that takes nothing more is left out: there are as many as there are operations, and one more.
    fn keep_what_reduces(&mut self) {
        let mut left: Option<Vec<String>> = None;
        self.reduced.retain(|reduction| {
            let now: Vec<String> = match &left {
                None => reduction.operations.clone(),
                Some(left) => left.iter().filter(|one| reduction.operations.contains(one)).cloned().collect(),
            };
            let takes = left.as_ref().is_none_or(|left| now.len() < left.len());
            left = Some(now);
            takes
        });
    }

    /// Until when an operation may be done, by what was taken away and by its end; none is without end.
    #[must_use]
    pub fn end_of(&self, operation: &str) -> Option<Timestamp> {
        let without = |reduction: &&Reduction| !reduction.operations.iter().any(|left| left == operation);
        let taken = self.reduced.iter().find(without).map(|reduction| reduction.at);
        [self.end(), taken].into_iter().flatten().min()
    }

    /// Those of its operations that are left at a moment.
    #[must_use]
    pub fn left_of(&self, operations: Vec<String>, at: Timestamp) -> Vec<String> {
        let taken = self.reduced.iter().filter(|reduction| reduction.at <= at);
        taken.fold(operations, |mut left, reduction| {
            left.retain(|operation| reduction.operations.contains(operation));
            left
        })
    }
}

impl Ending {
    pub(super) fn is_about(&self, stretch: &Stretch) -> bool {
        self.of.as_ref().is_none_or(|of| *of == stretch.begun.event)
    }

    /// Whether it counts for a stretch that was done after it.
    pub(super) fn counts_early(&self, stretch: &Stretch) -> bool {
        stretch.begun.acted_at.since(self.done.acted_at) <= EARLY || self.effective_at >= stretch.from
    }
}
