//! What is to be done about a grant: the next review, what a review decided, and the look at an emergency grant.
//!
//! Each duty has its own due date and its own end. What comes to its own end before the duty is due needs nothing; what was
//! due before stays due until it is done.

use crate::spec::time::{MICROS_PER_DAY, Timestamp};
use crate::views::engine::micros;
use crate::views::stretches::{EARLY, Stretch, Stretches};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// An emergency grant is reviewed within 3 days.
const EMERGENCY_DAYS: i64 = 3;

/// What a review decided is done 5 days after it, where it does not say by when.
const DECIDED_DAYS: i64 = 5;

/// Reviews, and reductions, of one grant that are remembered. Beyond, the oldest are left out.
///
/// Reason: five years of monthly reviews; what was not done about older ones is in the history.
const MAX_REMEMBERED: usize = 64;

/// A review, each once.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Review {
    #[serde(rename = "a", with = "micros")]
    pub(super) acted_at: Timestamp,
    #[serde(rename = "p")]
    pub(super) place: u64,
    #[serde(rename = "q")]
    pub(super) seq: u64,
    /// A short name for its source and data.
    #[serde(rename = "k")]
    pub(super) told: u64,
    #[serde(rename = "r")]
    pub(super) result: String,
    #[serde(rename = "n", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) next_due_at: Option<Timestamp>,
    #[serde(rename = "y", with = "micros", default, skip_serializing_if = "Option::is_none")]
    pub(super) act_by: Option<Timestamp>,
    /// What is shown of it.
    #[serde(rename = "d")]
    pub(super) shown: Value,
}

/// A reduction, as an act.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Reduced {
    #[serde(rename = "a", with = "micros")]
    pub(super) acted_at: Timestamp,
    #[serde(rename = "e", with = "micros")]
    pub(super) effective_at: Timestamp,
    #[serde(rename = "p")]
    pub(super) place: u64,
    #[serde(rename = "q")]
    pub(super) seq: u64,
    #[serde(rename = "s")]
    pub(super) source: String,
}

/// What has been done about a grant, in the order in which it was done.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Acts {
    #[serde(rename = "v", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reviews: Vec<Review>,
    /// Sources of the reviews, in their order.
    #[serde(rename = "s", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) sources: Vec<String>,
    #[serde(rename = "r", default, skip_serializing_if = "Vec::is_empty")]
    pub(super) reductions: Vec<Reduced>,
}

/// What is to be done.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Kind {
    EmergencyReview,
    Review,
    Revoke,
    Reduce,
}

impl Kind {
    fn word(self) -> &'static str {
        match self {
            Kind::EmergencyReview => "emergency-review",
            Kind::Review => "review",
            Kind::Revoke => "revoke",
            Kind::Reduce => "reduce",
        }
    }
}

/// One duty.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Duty {
    pub(super) kind: Kind,
    /// The entry that it comes from.
    pub(super) of: u64,
    /// From when there is it.
    pub(super) from: Timestamp,
    pub(super) due: Timestamp,
    /// When it was done or fell away.
    pub(super) ended: Option<Timestamp>,
    /// The grant ends by itself before it is due: nothing has to be done.
    pub(super) lapses: bool,
}

impl Duty {
    /// Whether it waits at a moment.
    pub(super) fn is_open(&self, at: Timestamp) -> bool {
        self.from <= at && self.ended.is_none_or(|ended| ended > at)
    }

    pub(super) fn shown(&self) -> Value {
        let mut shown = json!({"duty": self.kind.word(), "entry": self.of, "due_at": self.due.to_string()});
        if let (Some(members), Some(ended)) = (shown.as_object_mut(), self.ended) {
            let name = if self.lapses { "falls_away_at" } else { "done_at" };
            members.insert(name.to_owned(), ended.to_string().into());
        }
        shown
    }
}

impl Acts {
    /// One more review; whether it was told before.
    pub(super) fn review(&mut self, review: Review, source: &str) -> bool {
        let again = |other: &Review| other.acted_at == review.acted_at && other.told == review.told;
        if self.reviews.iter().any(again) {
            return true;
        }
        self.reviews.push(review);
        self.sources.push(source.to_owned());
        if self.reviews.len() > MAX_REMEMBERED {
            self.reviews.remove(0);
            self.sources.remove(0);
        }
        false
    }

    /// One more reduction.
    pub(super) fn reduce(&mut self, reduced: Reduced) {
        self.reductions.push(reduced);
        if self.reductions.len() > MAX_REMEMBERED {
            self.reductions.remove(0);
        }
    }

    /// The reviews that count by a moment, each with the moment from which it counts: told early, it counts from the
    /// opening.
    pub(super) fn counting(&self, stretches: &Stretches, at: Timestamp) -> Vec<(&Review, Timestamp)> {
        let opening = opening(stretches);
        let counted = self.reviews.iter().map(|review| (review, opening.max(Some(review.acted_at))));
        let counted = counted.filter_map(|(review, from)| Some((review, from?)));
        counted.filter(|(_, from)| *from <= at).collect()
    }

    /// All duties by a moment, the first due first.
    pub(super) fn duties(&self, stretches: &Stretches, at: Timestamp) -> Vec<Duty> {
        let reviews = self.counting(stretches, at);
        let mut duties = Vec::new();
        for stretch in stretches.iter().filter(|stretch| is_emergency(stretch)) {
            let from = stretch.begun.acted_at.min(stretch.from);
            // Only a look at it ends it, not the end of the grant: such grants are short.
            let looked = reviews.iter().map(|(_, at)| *at).find(|at| *at >= stretch.begun.acted_at);
            duties.push(Duty {
                kind: Kind::EmergencyReview,
                of: stretch.begun.seq,
                from,
                due: from.saturating_add(EMERGENCY_DAYS * MICROS_PER_DAY),
                ended: looked,
                lapses: false,
            });
        }
        for (place, (review, from)) in reviews.iter().enumerate() {
            let Some(due) = review.next_due_at else { continue };
            let next = reviews.get(place + 1).map(|(_, at)| *at);
            let over = over(stretches.iter(), due);
            let ended = [next, over.map(|(at, _)| at)].into_iter().flatten().min();
            let lapses = over.is_some_and(|(at, by_itself)| by_itself && next.is_none_or(|next| at < next));
            duties.push(Duty { kind: Kind::Review, of: review.seq, from: *from, due, ended, lapses });
        }
        self.decided(stretches, &reviews, &mut duties);
        duties.sort_by_key(|duty| (duty.due, duty.kind, duty.of));
        duties
    }

    /// What reviews decided, and whether it was done.
    fn decided(&self, stretches: &Stretches, reviews: &[(&Review, Timestamp)], duties: &mut Vec<Duty>) {
        let ended_nothing = stretches.ended_nothing();
        let mut reductions: Vec<&Reduced> =
            self.reductions.iter().filter(|reduced| !ended_nothing.contains(&reduced.seq)).collect();
        for (review, from) in reviews {
            let kind = match review.result.as_str() {
                "revoke" => Kind::Revoke,
                "reduce" => Kind::Reduce,
                _ => continue,
            };
            let due = review.act_by.unwrap_or_else(|| from.saturating_add(DECIDED_DAYS * MICROS_PER_DAY));
            // It was about what had been given by then.
            let about = stretches.iter().filter(|stretch| stretch.begun.acted_at <= *from);
            let over = over(about, due).map(|(at, by_itself)| (at.max(*from), by_itself));
            let reduced = if kind == Kind::Reduce {
                // A reduction names no review: each does the oldest that is open.
                let place =
                    reductions.iter().position(|reduced| does(reduced, review, *from, self.source(review)));
                place.map(|place| reductions.remove(place))
            } else {
                None
            };
            let reduced = reduced.map(|reduced| reduced.effective_at.max(reduced.acted_at).max(*from));
            let ended = [reduced, over.map(|(at, _)| at)].into_iter().flatten().min();
            let lapses = over.is_some_and(|(at, by_itself)| by_itself && reduced.is_none_or(|by| at < by));
            duties.push(Duty { kind, of: review.seq, from: *from, due, ended, lapses });
        }
    }

    fn source(&self, review: &Review) -> Option<&str> {
        let place = self.reviews.iter().position(|other| other.seq == review.seq)?;
        self.sources.get(place).map(String::as_str)
    }
}

fn opening(stretches: &Stretches) -> Option<Timestamp> {
    stretches.iter().map(|stretch| stretch.begun.acted_at).min()
}

fn is_emergency(stretch: &Stretch) -> bool {
    stretch.data.get("emergency") == Some(&Value::Bool(true))
}

/// Whether a reduction may be what a review asked for: it was done after it, or told early.
fn does(reduced: &Reduced, review: &Review, from: Timestamp, source: Option<&str>) -> bool {
    let before = if reduced.acted_at != review.acted_at {
        reduced.acted_at < review.acted_at
    } else {
        source == Some(&reduced.source) && reduced.place < review.place
    };
    let early = before && reduced.acted_at < from;
    !early || from.since(reduced.acted_at) <= EARLY || reduced.effective_at >= from
}

/// When all of these are over, and whether by themselves: what comes to its own end only after the duty is due was
/// overdue before, and its end does nothing about it.
fn over<'a>(stretches: impl Iterator<Item = &'a Stretch>, due: Timestamp) -> Option<(Timestamp, bool)> {
    let mut last: Option<(Timestamp, bool)> = None;
    for stretch in stretches {
        let cut = stretch.cut.as_ref().map(|cut| cut.at);
        let own = stretch.until.filter(|until| *until <= due || *until <= stretch.from);
        let end = match (cut, own) {
            (Some(cut), Some(own)) if own < cut => (own, true),
            (Some(cut), _) => (cut, false),
            (None, Some(own)) => (own, true),
            (None, None) => return None,
        };
        last = last.max(Some(end));
    }
    last
}
