//! What the beginnings and endings of one row come to.

use super::stretch::{Done, Ending, Standing, Stretch};
use crate::spec::time::Timestamp;
use crate::views::engine::micros;
use serde::{Deserialize, Serialize};

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

impl Stretches {
    /// Reckons beginnings and endings that are given in whatever order. Nothing is left out: it is not kept.
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
                reckoned.ends(ending);
            }
            reckoned.begins(stretch);
        }
        endings.for_each(|ending| reckoned.ends(ending));
        reckoned
    }

    /// One more stretch.
    pub fn begin(&mut self, stretch: Stretch) {
        self.begins(stretch);
        if self.list.len() > MAX_STRETCHES {
            let ended = |stretch: &Stretch| (stretch.end().unwrap_or(Timestamp::LAST), stretch.order());
            let first = self.list.iter().enumerate().min_by_key(|(_, stretch)| ended(stretch));
            if let Some(first) = first.map(|(place, _)| place) {
                self.list.remove(first);
                self.left_out += 1;
            }
        }
    }

    fn begins(&mut self, mut stretch: Stretch) {
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
    }

    /// An ending, of all that it can mean.
    pub fn end(&mut self, ending: Ending) {
        self.ends(ending);
        while self.waiting.len() > MAX_WAITING {
            let oldest = self.waiting.remove(0);
            self.give_up(&oldest);
        }
    }

    fn ends(&mut self, ending: Ending) {
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
