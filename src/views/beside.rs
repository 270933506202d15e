//! Stretches: what may hold several times, or side by side, under one name. Roles, grants, delegations, deployments.
//!
//! Each beginning gives a stretch `[from, until)`. The *act* decides which beginnings an ending ends: those that were done
//! before it, whenever either was recorded; what was done after it stands anew. *Valid time* decides when: a stretch is cut
//! at the moment from which the ending holds, and is empty where that lies before its beginning. An ending may name one
//! stretch. What was told before everything that it can mean counts for the first of it, if it was done at most
//! [`EARLY`] before, or takes effect at or after its `from`; otherwise it ends nothing, and is shown.
//!
//! Beginnings and endings are given in the order in which they were done, as the engine folds them.

use super::engine::micros;
use crate::spec::time::{Day, MICROS_PER_DAY, MICROS_PER_MINUTE, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// How long before what it is about an event may have been done and still be what it says, in microseconds: the clocks of
/// two systems differ by a little.
pub const EARLY: i64 = 5 * MICROS_PER_MINUTE;

/// Stretches of one row that are kept. Beyond, the one that ended first is left out, and counted.
///
/// Reason: ten years of monthly renewals; what is more is in the history. A row is read and written as one.
pub const MAX_STRETCHES: usize = 128;

/// Endings that are remembered because what they mean may still come. Beyond, the oldest are shown as ending nothing.
///
/// Reason: they name something that was not told yet; one or two are out of order, more are a mistake.
const MAX_WAITING: usize = 32;

/// Endings that ended nothing and are shown.
///
/// Reason: one is enough to make somebody look; all are in the history.
const MAX_NOTHING: usize = 32;

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

/// An ending that may mean what is still to be told.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Waiting {
    #[serde(rename = "e")]
    ending: Ending,
    /// It has ended something that was done before it.
    #[serde(rename = "r", default, skip_serializing_if = "std::ops::Not::not")]
    reached: bool,
    /// When the first stretch was done that it can mean, where it was told before it.
    #[serde(rename = "f", with = "micros", default, skip_serializing_if = "Option::is_none")]
    first: Option<Timestamp>,
    /// It counts for that one.
    #[serde(rename = "c", default, skip_serializing_if = "std::ops::Not::not")]
    counts: bool,
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

/// The stretches of one row.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Stretches {
    #[serde(rename = "l", default, skip_serializing_if = "Vec::is_empty")]
    list: Vec<Stretch>,
    #[serde(rename = "w", default, skip_serializing_if = "Vec::is_empty")]
    waiting: Vec<Waiting>,
    /// Entries that ended nothing, and nothing of what they name is to come.
    #[serde(rename = "n", default, skip_serializing_if = "Vec::is_empty")]
    nothing: Vec<u64>,
    /// The last place in the order of recording of an ending that names no stretch, done at an instant that has passed.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    ended_place: Option<u64>,
    #[serde(rename = "o", default, skip_serializing_if = "std::ops::Not::not")]
    out_of_order: bool,
    #[serde(rename = "m", default, skip_serializing_if = "is_zero")]
    left_out: u64,
}

fn is_zero(number: &u64) -> bool {
    *number == 0
}

impl Done {
    /// Whether this beginning was done before that ending: at one instant, of one source in the order of recording, and
    /// of two the beginning first.
    fn is_before(&self, ending: &Done) -> bool {
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

    fn ended(&self) -> Standing {
        if self.is_cut() { Standing::Cut } else { Standing::Over }
    }

    /// Of two that hold, the one that began last says what the row is; then the one that was done last.
    fn order(&self) -> (Timestamp, Timestamp, u64, u64) {
        (self.from, self.begun.acted_at, self.begun.place, self.begun.seq)
    }

    fn receive(&mut self, ending: &Ending) {
        if let Some(leaves) = &ending.leaves {
            let reduction =
                Reduction { at: ending.effective_at, seq: ending.done.seq, operations: leaves.clone() };
            self.reduced.push(reduction);
            self.reduced.sort_by_key(|reduction| (reduction.at, reduction.seq));
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
    fn is_about(&self, stretch: &Stretch) -> bool {
        self.of.as_ref().is_none_or(|of| *of == stretch.begun.event)
    }

    /// Whether it counts for a stretch that was done after it.
    fn counts_early(&self, stretch: &Stretch) -> bool {
        stretch.begun.acted_at.since(self.done.acted_at) <= EARLY || self.effective_at >= stretch.from
    }
}

impl Stretches {
    /// Reckons beginnings and endings that are given in whatever order.
    #[must_use]
    pub fn reckon(mut beginnings: Vec<Stretch>, mut endings: Vec<Ending>) -> Stretches {
        let order = |done: &Done| (done.acted_at, done.place, done.seq);
        beginnings.sort_by_key(|stretch| order(&stretch.begun));
        endings.sort_by_key(|ending| order(&ending.done));
        let mut endings = endings.into_iter().peekable();
        let mut reckoned = Stretches::default();
        for stretch in beginnings {
            // At one instant the beginnings first: an ending looks at each of them.
            let before = |ending: &Ending| ending.done.acted_at < stretch.begun.acted_at;
            while let Some(ending) = endings.next_if(before) {
                reckoned.end(ending);
            }
            reckoned.begin(stretch);
        }
        endings.for_each(|ending| reckoned.end(ending));
        reckoned
    }

    /// One more stretch.
    pub fn begin(&mut self, mut stretch: Stretch) {
        self.passes(stretch.begun.acted_at);
        // Done after these, and recorded before one of them.
        self.out_of_order |= self.ended_place.is_some_and(|place| stretch.begun.place < place);
        for waiting in &mut self.waiting {
            let Waiting { ending, reached, first, counts } = waiting;
            if !ending.is_about(&stretch) {
                continue;
            }
            if stretch.begun.is_before(&ending.done) {
                *reached = true;
                self.out_of_order |= ending.done.place < stretch.begun.place;
                stretch.receive(ending);
            } else if *reached {
                self.out_of_order |= stretch.begun.place < ending.done.place;
            } else if first.is_none_or(|first| first == stretch.begun.acted_at) {
                *first = Some(stretch.begun.acted_at);
                self.out_of_order = true;
                if ending.counts_early(&stretch) {
                    *counts = true;
                    stretch.receive(ending);
                }
            }
        }
        self.list.push(stretch);
        if self.list.len() > MAX_STRETCHES {
            let ended = |stretch: &Stretch| (stretch.end().unwrap_or(Timestamp::LAST), stretch.order());
            let first = self.list.iter().enumerate().min_by_key(|(_, stretch)| ended(stretch));
            if let Some(first) = first.map(|(place, _)| place) {
                self.list.remove(first);
                self.left_out += 1;
            }
        }
    }

    /// An ending, of all that it can mean.
    pub fn end(&mut self, ending: Ending) {
        self.passes(ending.done.acted_at);
        let mut reached = false;
        for stretch in self.list.iter_mut().filter(|stretch| ending.is_about(stretch)) {
            if stretch.begun.is_before(&ending.done) {
                reached = true;
                self.out_of_order |= ending.done.place < stretch.begun.place;
                stretch.receive(&ending);
            }
        }
        let mut waiting = Waiting { ending, reached, first: None, counts: false };
        if !reached {
            self.tell_early(&mut waiting);
        } else {
            let done = &waiting.ending.done;
            let after = self.list.iter().filter(|stretch| waiting.ending.is_about(stretch));
            self.out_of_order |= after
                .filter(|stretch| !stretch.begun.is_before(done))
                .any(|stretch| stretch.begun.place < done.place);
        }
        self.waiting.push(waiting);
        while self.waiting.len() > MAX_WAITING {
            let oldest = self.waiting.remove(0);
            self.give_up(&oldest);
        }
    }

    /// An ending before all that it can mean counts for the first of it.
    fn tell_early(&mut self, waiting: &mut Waiting) {
        let about = self.list.iter_mut().filter(|stretch| waiting.ending.is_about(stretch));
        let mut about: Vec<&mut Stretch> = about.collect();
        waiting.first = about.iter().map(|stretch| stretch.begun.acted_at).min();
        for stretch in about.iter_mut().filter(|stretch| Some(stretch.begun.acted_at) == waiting.first) {
            self.out_of_order = true;
            if waiting.ending.counts_early(stretch) {
                waiting.counts = true;
                stretch.receive(&waiting.ending);
            }
        }
    }

    /// Endings of an instant that has passed are not waited with any more, if they have ended something.
    fn passes(&mut self, now: Timestamp) {
        let over = |waiting: &Waiting| waiting.reached && waiting.ending.done.acted_at < now;
        if !self.waiting.iter().any(over) {
            return;
        }
        let (over, waiting) = std::mem::take(&mut self.waiting).into_iter().partition(over);
        self.waiting = waiting;
        over.iter().for_each(|waiting| self.give_up(waiting));
    }

    fn give_up(&mut self, waiting: &Waiting) {
        if waiting.ending.of.is_none() {
            self.ended_place = self.ended_place.max(Some(waiting.ending.done.place));
        }
        if !waiting.reached && !waiting.counts && self.nothing.len() < MAX_NOTHING {
            self.nothing.push(waiting.ending.done.seq);
        }
    }

    /// Whether there are none, and nothing was ended.
    #[must_use]
    pub fn is_unknown(&self) -> bool {
        *self == Stretches::default()
    }

    /// All stretches, in the order in which they were given.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Stretch> + Clone {
        self.list.iter()
    }

    /// Those that hold at a moment.
    pub fn in_force(&self, at: Timestamp) -> impl Iterator<Item = &Stretch> {
        self.list.iter().filter(move |stretch| stretch.holds(at))
    }

    /// Ends those of the stretches so far that are meant, and no other, whatever is told later.
    pub fn end_those(&mut self, ending: &Ending, meant: impl Fn(&Stretch) -> bool) {
        let ended =
            self.list.iter_mut().filter(|stretch| stretch.begun.is_before(&ending.done) && meant(stretch));
        ended.for_each(|stretch| stretch.receive(ending));
    }

    /// Whether recording went another way than the acts.
    #[must_use]
    pub fn is_out_of_order(&self) -> bool {
        self.out_of_order
    }

    /// How many stretches are left out.
    #[must_use]
    pub fn left_out(&self) -> u64 {
        self.left_out
    }

    /// Entries of endings that ended nothing, ascending.
    #[must_use]
    pub fn ended_nothing(&self) -> Vec<u64> {
        let waiting = self.waiting.iter().filter(|waiting| !waiting.reached && !waiting.counts);
        let waiting = waiting.map(|waiting| waiting.ending.done.seq);
        let mut nothing: Vec<u64> = self.nothing.iter().copied().chain(waiting).collect();
        nothing.sort_unstable();
        nothing
    }

    /// The stretch that says what the row is at a moment: of those that hold, the one that began last; else the one that
    /// ended last; else the next that begins; else one that never holds.
    #[must_use]
    pub fn speaking(&self, at: Timestamp) -> Option<(&Stretch, Standing)> {
        let said = |standing: Standing| move |stretch| (stretch, standing);
        if let Some(holds) = self.in_force(at).max_by_key(|stretch| stretch.order()) {
            return Some((holds, Standing::InForce));
        }
        let ended = self.list.iter().filter(|stretch| stretch.end().is_some_and(|end| end <= at));
        // Of two that ended at one moment, the one that was cut speaks.
        let last = ended.max_by_key(|stretch| (stretch.end(), stretch.ended(), stretch.order()));
        if let Some(last) = last {
            return Some((last, last.ended()));
        }
        let to_come = self.list.iter().filter(|stretch| !stretch.is_empty());
        if let Some(next) = to_come.min_by_key(|stretch| stretch.order()) {
            return Some(said(Standing::Scheduled)(next));
        }
        let never = self.list.iter().max_by_key(|stretch| (stretch.ended(), stretch.order()));
        never.map(|stretch| (stretch, stretch.ended()))
    }

    /// From when on the same stretch speaks for ever, and nothing but its own end is to come.
    #[must_use]
    pub fn settled_from(&self) -> Option<Timestamp> {
        let holding = || self.list.iter().filter(|stretch| !stretch.is_empty());
        let last = self.list.iter().map(|stretch| stretch.end().unwrap_or(Timestamp::LAST)).max()?;
        let mut at_last = self.list.iter().filter(|stretch| stretch.end().unwrap_or(Timestamp::LAST) == last);
        let by_itself = at_last.all(|stretch| !stretch.is_cut() && !stretch.is_empty());
        let froms = holding().map(|stretch| stretch.from);
        let ends = self.list.iter().filter_map(Stretch::end).filter(|end| !by_itself || *end < last);
        froms.chain(ends).max()
    }
}
