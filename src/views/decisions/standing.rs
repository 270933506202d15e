//! What the facts of a decision come to: contests with their answers, reviews, the last word, and what is due.

use super::facts::{Fact, Facts, Kind};
use crate::spec::time::Timestamp;
use crate::views::engine::EARLY;
use crate::views::told;
use serde_json::Value;

/// A decision of which something is known, and not that it was made.
pub(super) const UNOPENED: &str = "unopened";
/// One about which nobody has said anything more.
pub(super) const MADE: &str = "made";
/// One with an open contest.
pub(super) const CONTESTED: &str = "contested";

/// One contest, however often it was told: an item with its own due date and its own end.
pub(super) struct Contest<'a> {
    /// All that tell it, the first recorded first, each with its place among the facts.
    pub(super) told: Vec<(usize, &'a Fact)>,
    /// Those among them whose source had told it otherwise before.
    pub(super) otherwise: Vec<&'a Fact>,
    /// Its answers, the first recorded first: that one counts.
    pub(super) answers: Vec<(usize, &'a Fact)>,
}

impl<'a> Contest<'a> {
    pub(super) fn first(&self) -> Option<&'a Fact> {
        self.told.first().map(|(_, fact)| *fact)
    }

    pub(super) fn answer(&self) -> Option<&'a Fact> {
        self.answers.first().map(|(_, fact)| *fact)
    }

    /// How often it was told again.
    pub(super) fn told_again(&self) -> u64 {
        self.told.iter().map(|(_, fact)| 1 + fact.again).sum::<u64>().saturating_sub(1)
    }

    /// How often it was answered again.
    pub(super) fn answered_again(&self) -> u64 {
        self.answers.iter().map(|(_, fact)| 1 + fact.again).sum::<u64>().saturating_sub(1)
    }

    pub(super) fn due(&self) -> Option<Timestamp> {
        told::due_by(self.first()?.shown.get("due_at")?.as_str()?)
    }

    fn from(&self) -> Timestamp {
        self.first().map_or(Timestamp::FIRST, |fact| fact.from)
    }
}

/// One review or referral, however often it was told.
pub(super) struct Review<'a> {
    pub(super) told: Vec<(usize, &'a Fact)>,
    pub(super) otherwise: Vec<&'a Fact>,
}

impl<'a> Review<'a> {
    pub(super) fn first(&self) -> Option<&'a Fact> {
        self.told.first().map(|(_, fact)| *fact)
    }

    pub(super) fn told_again(&self) -> u64 {
        self.told.iter().map(|(_, fact)| 1 + fact.again).sum::<u64>().saturating_sub(1)
    }
}

/// How a decision stands.
pub(super) struct Standing<'a> {
    /// In the order in which they were first told.
    pub(super) contests: Vec<Contest<'a>>,
    /// In the order in which they were done.
    pub(super) reviews: Vec<Review<'a>>,
    /// Answers that answer nothing: there is no such contest, or they were given too long before it.
    pub(super) ended_nothing: Vec<&'a Fact>,
    /// Answers that could mean several contests.
    pub(super) ambiguous: Vec<&'a Fact>,
    /// An answer was done or recorded before its contest.
    pub(super) out_of_order: bool,
    /// What the last review or answer says.
    pub(super) last_word: Option<&'a str>,
    /// The outcome that the last override puts in the place of the first one.
    pub(super) overridden: Option<&'a Value>,
}

/// What a review or an answer says.
pub(super) fn result(fact: &Fact) -> Option<&str> {
    fact.shown.get("result").and_then(Value::as_str)
}

/// Works out how a decision stands.
pub(super) fn standing(facts: &Facts) -> Standing<'_> {
    let mut standing = Standing {
        contests: Vec::new(),
        reviews: Vec::new(),
        ended_nothing: Vec::new(),
        ambiguous: Vec::new(),
        out_of_order: false,
        last_word: None,
        overridden: None,
    };
    for told in recorded(facts, Kind::Contest) {
        let (same, otherwise) = place_of(standing.contests.iter().map(|contest| &contest.told), told.1);
        match same.and_then(|place| standing.contests.get_mut(place)) {
            Some(contest) => {
                contest.told.push(told);
                contest.otherwise.extend(otherwise.then_some(told.1));
            }
            None => standing.contests.push(Contest {
                told: vec![told],
                otherwise: Vec::new(),
                answers: Vec::new(),
            }),
        }
    }
    for told in recorded(facts, Kind::Review) {
        let (same, otherwise) = place_of(standing.reviews.iter().map(|review| &review.told), told.1);
        match same.and_then(|place| standing.reviews.get_mut(place)) {
            Some(review) => {
                review.told.push(told);
                review.otherwise.extend(otherwise.then_some(told.1));
            }
            None => standing.reviews.push(Review { told: vec![told], otherwise: Vec::new() }),
        }
    }
    standing.reviews.sort_by_key(|review| review.told.first().map(|(place, _)| *place));
    answers(facts, &mut standing);
    words(&mut standing);
    standing
}

/// Facts of one kind in the order of recording.
fn recorded(facts: &Facts, kind: Kind) -> Vec<(usize, &Fact)> {
    let mut found: Vec<_> = facts.list.iter().enumerate().filter(|(_, fact)| fact.kind == kind).collect();
    found.sort_by_key(|(_, fact)| fact.place);
    found
}

/// Which item a telling belongs to: one of the same id that says the same, else the one of its own source, which it then
/// contradicts.
fn place_of<'a>(
    items: impl Iterator<Item = &'a Vec<(usize, &'a Fact)>>,
    fact: &Fact,
) -> (Option<usize>, bool) {
    let (mut own, mut same) = (None, None);
    for (place, told) in items.enumerate() {
        let Some((_, first)) = told.first().filter(|(_, first)| first.id == fact.id) else { continue };
        if same.is_none() && told.iter().any(|(_, other)| other.digest == fact.digest) {
            same = Some(place);
        }
        if own.is_none() && fact.id.is_some() && first.source == fact.source {
            own = Some(place);
        }
    }
    (same.or(own), own.is_some() && same.is_none())
}

/// Gives each contest its answers.
fn answers<'a>(facts: &'a Facts, standing: &mut Standing<'a>) {
    let (named, nameless): (Vec<_>, Vec<_>) =
        recorded(facts, Kind::Answer).into_iter().partition(|(_, fact)| fact.id.is_some());
    for told in named {
        let of_id = || {
            let contests = standing.contests.iter().enumerate();
            contests
                .filter_map(|(place, contest)| Some((place, contest.first()?)))
                .filter(|(_, first)| first.id == told.1.id)
        };
        let own = of_id().find(|(_, first)| first.source == told.1.source).map(|(place, _)| place);
        let several = of_id().count() > 1;
        let place = own.or_else(|| of_id().next().map(|(place, _)| place));
        if own.is_none() && several {
            standing.ambiguous.push(told.1);
        }
        answer(standing, place, told);
    }
    let mut nameless = nameless;
    nameless.sort_by_key(|(place, _)| *place);
    for told in nameless {
        let open = |contest: &Contest<'_>| {
            contest.answer().is_none_or(|answer| answer.done.max(contest.from()) > told.1.done)
        };
        let contests = standing.contests.iter().enumerate();
        let oldest = contests
            .filter(|(_, contest)| open(contest))
            .min_by_key(|(_, contest)| (contest.from(), contest.first().map(|first| first.place)));
        let oldest = oldest.map(|(place, _)| place);
        let only = (standing.contests.len() == 1).then_some(0);
        if standing.contests.len() > 1 {
            standing.ambiguous.push(told.1);
        }
        answer(standing, only.or(oldest), told);
    }
}

/// An answer ends the contest that it is about; one that was given before the contest counts from it, if the two clocks
/// may differ by so much or it takes effect only after the contest was received.
fn answer<'a>(standing: &mut Standing<'a>, place: Option<usize>, told: (usize, &'a Fact)) {
    let fact = told.1;
    let contest = place.and_then(|place| standing.contests.get_mut(place));
    let Some((contest, first)) = contest.and_then(|contest| contest.first().map(|first| (contest, first)))
    else {
        standing.ended_nothing.push(fact);
        return;
    };
    let early = first.from.since(fact.done);
    if early > 0 || fact.place < first.place {
        standing.out_of_order = true;
    }
    let received = first.shown.get("received_at").and_then(Value::as_str).and_then(Timestamp::recorded);
    let holds_from = received.map_or(first.from, |received| received.min(first.from));
    if early > EARLY && fact.effective < holds_from {
        standing.ended_nothing.push(fact);
        return;
    }
    contest.answers.push(told);
    contest.answers.sort_by_key(|(_, answer)| answer.place);
}

/// The words of reviews and of the answers that count, in the order in which they were done. An answer that was given
/// before its contest comes right after it.
fn words(standing: &mut Standing<'_>) {
    let reviews = standing.reviews.iter().filter_map(|review| review.told.first());
    let mut spoken: Vec<(usize, usize, &Fact)> =
        reviews.map(|(place, fact)| (*place, *place, *fact)).collect();
    for contest in &standing.contests {
        if let (Some((place, answer)), Some((opened, _))) = (contest.answers.first(), contest.told.first()) {
            spoken.push((*place.max(opened), *place, answer));
        }
    }
    spoken.sort_by_key(|(place, own, _)| (*place, *own));
    for (_, _, fact) in spoken {
        standing.last_word = Some(result(fact).unwrap_or("resolved"));
        if fact.kind == Kind::Review && result(fact) == Some("overridden") {
            standing.overridden = fact.shown.get("new_outcome").or(standing.overridden);
        }
    }
}
