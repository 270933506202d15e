//! Statistics of decisions: counters for each model, version and day, kept as decisions change.
//!
//! What one decision adds is a pure function of its row ([`Contribution`]); when the row changes, the old contribution is
//! taken away and the new one added ([`DayStats`]). So a late event or a correction changes the statistics as it changes the
//! row, and a year is answered from some hundred days' counters and not from millions of decisions.

mod durations;

pub use durations::Durations;

use crate::spec::time::Day;
use durations::take_one;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// How a review ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Review {
    /// The decision stood.
    Confirmed,
    /// Another outcome took its place.
    Overridden,
}

/// How a contest ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Contest {
    /// It is not decided yet.
    Open,
    /// The decision stood.
    Upheld,
    /// It fell.
    Reversed,
}

/// What one decision adds to the statistics.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Contribution {
    /// The model that decided.
    pub model: String,
    /// Its version.
    pub version: String,
    /// The day of the decision, in UTC.
    pub day: Day,
    /// What the model decided.
    pub outcome: String,
    /// Nobody decided with it.
    pub automated: bool,
    /// It went against the person concerned.
    pub adverse: bool,
    /// It has a legal or similarly significant effect.
    pub significant: bool,
    /// Somebody has to look at it.
    pub review_required: bool,
    /// How the last review ended, and how many seconds it took. A referral is none.
    pub review: Option<(Review, Option<u64>)>,
    /// Somebody referred it on, and nobody has decided since.
    pub referred: bool,
    /// Each contest, once.
    pub contests: Vec<Contest>,
    /// The person concerned was told that it is adverse.
    pub notified: bool,
    /// It was explained to the person concerned.
    pub explained: bool,
}

/// What the decisions of one model, version and day come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct DayStats {
    /// Decisions by outcome. As many outcomes as the models use; each name is at most 64 bytes long.
    #[serde(rename = "o", skip_serializing_if = "BTreeMap::is_empty")]
    pub outcomes: BTreeMap<String, u64>,
    /// The other counters, by [`Counter`]'s number; one that is zero is not there.
    #[serde(rename = "c", skip_serializing_if = "BTreeMap::is_empty")]
    counters: BTreeMap<u8, u64>,
    /// How long reviews took.
    #[serde(rename = "r", skip_serializing_if = "Durations::is_empty")]
    pub reviews: Durations,
}

/// What is counted. The numbers are in the store: never give one a second meaning (11 and 12 were
/// decisions by their last contest).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub enum Counter {
    /// All decisions.
    Decisions = 0,
    /// Decided without a person.
    Automated = 1,
    /// Against the person concerned.
    Adverse = 2,
    /// With a significant effect.
    Significant = 3,
    /// To be reviewed.
    ReviewRequired = 4,
    /// Reviewed, required or not.
    Reviewed = 5,
    /// Confirmed by the last review.
    Confirmed = 6,
    /// Overridden by the last review.
    Overridden = 7,
    /// Referred on, and not decided since.
    Referred = 8,
    /// To be reviewed, and not reviewed.
    Unreviewed = 9,
    /// Decisions that are contested, or were.
    Contested = 10,
    /// Adverse, and the person was not told.
    AdverseUnnotified = 13,
    /// Contested, and not explained to the person.
    ContestedUnexplained = 14,
    /// Contests: a decision may have several.
    Contests = 15,
    /// Contests that nobody has answered.
    ContestsOpen = 16,
    /// Contests after which the decision stood.
    Upheld = 17,
    /// Contests after which it fell.
    Reversed = 18,
}

impl Contribution {
    fn counters(&self) -> impl Iterator<Item = Counter> {
        let review = self.review.map(|(review, _)| review);
        let of_contests = self.contests.iter().flat_map(|contest| {
            let ended = match contest {
                Contest::Open => Counter::ContestsOpen,
                Contest::Upheld => Counter::Upheld,
                Contest::Reversed => Counter::Reversed,
            };
            [Counter::Contests, ended]
        });
        let contested = !self.contests.is_empty();
        [
            (true, Counter::Decisions),
            (self.automated, Counter::Automated),
            (self.adverse, Counter::Adverse),
            (self.significant, Counter::Significant),
            (self.review_required, Counter::ReviewRequired),
            (review.is_some(), Counter::Reviewed),
            (review == Some(Review::Confirmed), Counter::Confirmed),
            (review == Some(Review::Overridden), Counter::Overridden),
            (self.referred, Counter::Referred),
            (self.review_required && review.is_none(), Counter::Unreviewed),
            (contested, Counter::Contested),
            (self.adverse && !self.notified, Counter::AdverseUnnotified),
            (contested && !self.explained, Counter::ContestedUnexplained),
        ]
        .into_iter()
        .filter_map(|(is, counter)| is.then_some(counter))
        .chain(of_contests)
    }
}

impl DayStats {
    /// A counter.
    #[must_use]
    pub fn get(&self, counter: Counter) -> u64 {
        self.counters.get(&(counter as u8)).copied().unwrap_or(0)
    }

    /// Adds a decision.
    pub fn add(&mut self, facts: &Contribution) {
        *self.outcomes.entry(facts.outcome.clone()).or_default() += 1;
        for counter in facts.counters() {
            *self.counters.entry(counter as u8).or_default() += 1;
        }
        if let Some((_, Some(seconds))) = facts.review {
            self.reviews.add(seconds);
        }
    }

    /// Takes away a decision that was added: afterwards it is as if it had never been.
    pub fn remove(&mut self, facts: &Contribution) {
        take_one(&mut self.outcomes, &facts.outcome);
        for counter in facts.counters() {
            take_one(&mut self.counters, &(counter as u8));
        }
        if let Some((_, Some(seconds))) = facts.review {
            self.reviews.remove(seconds);
        }
    }

    /// Adds all decisions of another day, version or model.
    pub fn merge(&mut self, other: &DayStats) {
        for (outcome, count) in &other.outcomes {
            *self.outcomes.entry(outcome.clone()).or_default() += count;
        }
        for (counter, count) in &other.counters {
            *self.counters.entry(*counter).or_default() += count;
        }
        self.reviews.merge(&other.reviews);
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use crate::spec::time::Timestamp;
    use proptest::prelude::*;

    pub(super) fn contribution() -> impl Strategy<Value = Contribution> {
        let review = prop::option::of((0..2_u8, prop::option::of(0..100_000_u64)));
        (0..3_u8, any::<[bool; 7]>(), review, prop::collection::vec(0..3_u8, 0..3)).prop_map(
            |(outcome, flags, review, contests)| Contribution {
                model: "m".into(),
                version: "1".into(),
                day: Timestamp::EPOCH.day(),
                outcome: format!("o{outcome}"),
                automated: flags[0],
                adverse: flags[1],
                significant: flags[2],
                review_required: flags[3],
                review: review.map(|(kind, seconds)| {
                    ([Review::Confirmed, Review::Overridden][usize::from(kind)], seconds)
                }),
                referred: flags[6],
                contests: contests
                    .into_iter()
                    .map(|kind| [Contest::Open, Contest::Upheld, Contest::Reversed][usize::from(kind)])
                    .collect(),
                notified: flags[4],
                explained: flags[5],
            },
        )
    }

    proptest! {
        #[test]
        fn counters_are_what_counting_again_gives(
            kept in prop::collection::vec(contribution(), 0..30),
            taken in prop::collection::vec(contribution(), 0..30),
        ) {
            let mut stats = DayStats::default();
            taken.iter().chain(&kept).for_each(|facts| stats.add(facts));
            taken.iter().for_each(|facts| stats.remove(facts));
            let count = |is: &dyn Fn(&Contribution) -> bool| kept.iter().filter(|facts| is(facts)).count() as u64;
            let is = |facts: &Contribution, wanted: Review| facts.review.is_some_and(|(review, _)| review == wanted);
            prop_assert_eq!(stats.get(Counter::Decisions), kept.len() as u64);
            prop_assert_eq!(stats.get(Counter::Overridden), count(&|facts| is(facts, Review::Overridden)));
            prop_assert_eq!(stats.get(Counter::Unreviewed), count(&|facts| facts.review_required && facts.review.is_none()));
            prop_assert_eq!(stats.get(Counter::AdverseUnnotified), count(&|facts| facts.adverse && !facts.notified));
            prop_assert_eq!(
                stats.get(Counter::ContestedUnexplained),
                count(&|facts| !facts.contests.is_empty() && !facts.explained)
            );
            let contests = |wanted: &dyn Fn(&Contest) -> bool| {
                kept.iter().flat_map(|facts| &facts.contests).filter(|contest| wanted(contest)).count() as u64
            };
            prop_assert_eq!(stats.get(Counter::Contests), contests(&|_| true));
            prop_assert_eq!(stats.get(Counter::ContestsOpen), contests(&|contest| *contest == Contest::Open));
            prop_assert_eq!(stats.get(Counter::Reversed), contests(&|contest| *contest == Contest::Reversed));
            for outcome in ["o0", "o1", "o2"] {
                let found = stats.outcomes.get(outcome).copied().unwrap_or(0);
                prop_assert_eq!(found, count(&|facts| facts.outcome == outcome));
            }
            // Merged from halves, and read back.
            let (one, other) = kept.split_at(kept.len() / 2);
            let sum = |part: &[Contribution]| {
                let mut stats = DayStats::default();
                part.iter().for_each(|facts| stats.add(facts));
                stats
            };
            let mut merged = sum(other);
            merged.merge(&sum(one));
            prop_assert_eq!(&merged, &stats);
            let text = serde_json::to_string(&stats).unwrap();
            prop_assert_eq!(serde_json::from_str::<DayStats>(&text).unwrap(), stats);
            // Nothing is left of what is taken away.
            kept.iter().for_each(|facts| merged.remove(facts));
            prop_assert_eq!(merged, DayStats::default());
        }
    }
}
