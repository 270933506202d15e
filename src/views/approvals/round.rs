//! One round: what was asked for, who voted, and how it ended.

use super::authority::{Authority, Lack};
use super::places::{Voter, filled};
use super::terms::Terms;
use super::told::{Act, Told};
use crate::spec::time::Timestamp;
use crate::views::engine::Result;
use serde_json::Value;
use std::collections::BTreeMap;

/// How a round ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndedBy {
    Rejected,
    Withdrawn,
    Revoked,
    Expired,
    /// It was not granted when a newer round was asked for.
    NewerAsked,
    /// It was in force when a newer round was granted.
    NewerGranted,
}

impl EndedBy {
    pub(super) fn word(self) -> &'static str {
        match self {
            EndedBy::Rejected => "rejected",
            EndedBy::Withdrawn => "withdrawn",
            EndedBy::Revoked => "revoked",
            EndedBy::Expired => "expired",
            EndedBy::NewerAsked => "newer-asked",
            EndedBy::NewerGranted => "newer-granted",
        }
    }
}

/// Why a vote or a recusal does not count in its round.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WhyNot {
    BeforeOpening,
    AfterEnd,
    RecordedAfterEnd,
    AfterDecision,
    AnotherScope,
    CapacityNotInQuorum,
    VotedAgain,
    Recused,
    NoAuthority,
    RightTaken,
}

impl WhyNot {
    pub(super) fn word(self) -> &'static str {
        match self {
            WhyNot::BeforeOpening => "before-opening",
            WhyNot::AfterEnd => "after-end",
            WhyNot::RecordedAfterEnd => "recorded-after-end",
            WhyNot::AfterDecision => "after-decision",
            WhyNot::AnotherScope => "another-scope",
            WhyNot::CapacityNotInQuorum => "capacity-not-in-quorum",
            WhyNot::VotedAgain => "voted-again",
            WhyNot::Recused => "recused",
            WhyNot::NoAuthority => "no-authority",
            WhyNot::RightTaken => "right-taken",
        }
    }
}

/// A vote for or against.
pub(super) struct Ballot<'a> {
    pub(super) told: &'a Told,
    pub(super) for_it: bool,
    /// From when it counts: its act, or the opening that it was told before.
    pub(super) moment: Timestamp,
    pub(super) rights: Vec<String>,
    /// Whether, being against, it ends the round alone.
    pub(super) veto: bool,
    /// No role at all had been recorded before it: it counts as if with authority.
    pub(super) no_roles: bool,
    pub(super) lack: Option<Lack>,
    /// Why it could not count in its round at all.
    pub(super) why_not: Option<WhyNot>,
    pub(super) conditions: Vec<Condition<'a>>,
}

/// A condition that a vote states.
pub(super) struct Condition<'a> {
    pub(super) id: &'a str,
    pub(super) stated: &'a Value,
    /// By what it was met, and from when that counts.
    pub(super) met: Option<(&'a Told, Timestamp)>,
}

/// Somebody steps aside.
pub(super) struct Recusal<'a> {
    pub(super) told: &'a Told,
    pub(super) moment: Timestamp,
    pub(super) why_not: Option<WhyNot>,
}

/// How, when and by which event a round ends.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) how: EndedBy,
    pub(super) moment: Timestamp,
    pub(super) told: Option<&'a Told>,
}

/// One round.
pub(super) struct Round<'a> {
    pub(super) asked: &'a Told,
    pub(super) terms: Terms,
    pub(super) told_again: Vec<&'a Told>,
    pub(super) ballots: Vec<Ballot<'a>>,
    pub(super) recusals: Vec<Recusal<'a>>,
    pub(super) granted: Option<Timestamp>,
    pub(super) ends: Vec<End<'a>>,
}

impl<'a> Ballot<'a> {
    pub(super) fn open_conditions(&mut self, id: &str) -> impl Iterator<Item = &mut Condition<'a>> {
        self.conditions.iter_mut().filter(move |condition| condition.id == id && condition.met.is_none())
    }

    /// Whether it may fill a place, or end the round alone.
    pub(super) fn may_count(&self) -> bool {
        !self.rights.is_empty() || self.veto
    }
}

/// The conditions that a vote states.
pub(super) fn stated(vote: &Told) -> Vec<Condition<'_>> {
    let stated = vote.data.get("conditions").and_then(Value::as_array);
    let read = |stated| Some(Condition { id: Value::as_str(Value::get(stated, "id")?)?, stated, met: None });
    stated.into_iter().flatten().filter_map(read).collect()
}

impl<'a> Round<'a> {
    pub(super) fn new(asked: &'a Told, terms: Terms) -> Self {
        let (told_again, ballots, recusals) = (Vec::new(), Vec::new(), Vec::new());
        Round { asked, terms, told_again, ballots, recusals, granted: None, ends: Vec::new() }
    }

    /// The end that had come by then: the earliest by valid time, and of several at one moment the first by act.
    ///
    /// Only what was granted expires. A request that nobody decided before its `valid_until` stays open and overdue: to call
    /// it expired would hide that.
    pub(super) fn end(&self, at: Timestamp) -> Option<End<'a>> {
        let expiry = self.terms.valid_until.filter(|_| self.granted.is_some());
        let expiry = expiry.map(|moment| End { how: EndedBy::Expired, moment, told: None });
        let ends = expiry.iter().chain(&self.ends).filter(|end| end.moment <= at);
        ends.min_by_key(|end| end.moment).copied()
    }

    pub(super) fn is_over(&self, at: Timestamp) -> bool {
        self.end(at).is_some()
    }

    /// Over, and not by its expiry: then its conditions are not due any more.
    pub(super) fn is_undone(&self, at: Timestamp) -> bool {
        self.end(at).is_some_and(|end| end.how != EndedBy::Expired)
    }

    pub(super) fn granted(&self, at: Timestamp) -> Option<Timestamp> {
        self.granted.filter(|granted| *granted <= at)
    }

    pub(super) fn is_open(&self, at: Timestamp) -> bool {
        self.granted(at).is_none() && !self.is_over(at)
    }

    pub(super) fn in_force(&self, at: Timestamp) -> bool {
        self.granted(at).is_some() && !self.is_over(at)
    }

    /// Why this vote or recusal cannot count in this round. `was_over`: that the round had ended, as far as was known when
    /// it was recorded.
    ///
    /// A vote that names another digest than its round's is for something else; one that names none is for what was asked.
    /// `valid_until` is the end of what is asked, granted or not: else a vote dated back would cover, a year later, what was
    /// done then.
    /// Where the round and the vote both lie inside an import (`imported`), all of it was recorded long after, and the vote is
    /// judged by its act alone.
    pub(super) fn why_not(
        &self,
        told: &Told,
        moment: Timestamp,
        was_over: bool,
        imported: bool,
    ) -> Option<WhyNot> {
        let (digest, asked) = (told.data.get("scope_digest"), self.terms.scope_digest.as_ref());
        if digest.is_some() && asked.is_some() && digest != asked {
            return Some(WhyNot::AnotherScope);
        }
        if self.is_over(moment) {
            return Some(WhyNot::AfterEnd);
        }
        if self.granted.is_some() {
            return Some(WhyNot::AfterDecision);
        }
        if self.terms.valid_until.is_some_and(|until| moment >= until) {
            return Some(WhyNot::AfterEnd);
        }
        let too_late = self.terms.valid_until.is_some_and(|until| told.recorded_at > until);
        if (was_over || too_late) && !imported {
            return Some(WhyNot::RecordedAfterEnd);
        }
        let in_capacity = self.terms.asks_for(told.text("capacity"), told.act == Act::Granted);
        (told.is_vote() && !in_capacity).then_some(WhyNot::CapacityNotInQuorum)
    }

    /// Whether this round had ended before this was recorded, by what had been recorded before it.
    ///
    /// An end in the past lies before all that is recorded after it; of one that was announced the moment counts.
    pub(super) fn was_over_when_recorded(&self, told: &Told) -> bool {
        let is_known = self.asked.place < told.place;
        is_known
            && self.ends.iter().any(|end| {
                let known = end.told.is_none_or(|ended| ended.place < told.place);
                let announced = end.told.is_some_and(|ended| end.moment > ended.recorded_at);
                known && (end.moment < told.recorded_at || (end.moment == told.recorded_at && !announced))
            })
    }

    /// The votes that stand: of one person the last that could count, and none of who stepped aside.
    pub(super) fn standing(&self, at: Timestamp) -> Vec<&Ballot<'a>> {
        let valid = self.ballots.iter().filter(|ballot| ballot.why_not.is_none() && ballot.moment <= at);
        let mut last: BTreeMap<&str, usize> = BTreeMap::new();
        let valid: Vec<&Ballot<'a>> = valid.collect();
        for (place, ballot) in valid.iter().enumerate() {
            last.insert(&ballot.told.by, place);
        }
        let stands = |(place, ballot): &(usize, &Ballot<'a>)| {
            last.get(ballot.told.by.as_str()) == Some(place) && !self.is_recused(&ballot.told.by, at)
        };
        valid.into_iter().enumerate().filter(stands).map(|(_, ballot)| ballot).collect()
    }

    pub(super) fn is_recused(&self, who: &str, at: Timestamp) -> bool {
        let mut recusals = self.recusals.iter();
        recusals.any(|recusal| recusal.told.by == who && recusal.why_not.is_none() && recusal.moment <= at)
    }

    /// Who fills a place, with whose right, of those who stand for it, or against it.
    pub(super) fn places(&self, for_it: bool, at: Timestamp) -> BTreeMap<String, String> {
        let standing = self.standing(at);
        let voters = standing.iter().filter(|ballot| ballot.for_it == for_it);
        let voters: Vec<Voter<'_>> =
            voters.map(|ballot| Voter { name: &ballot.told.by, rights: &ballot.rights }).collect();
        let filled = filled(&voters).into_iter();
        filled.map(|(voter, right)| (voter.to_owned(), right.to_owned())).collect()
    }

    /// What the votes come to, after one more. `granted` is the quorum by votes with authority. A vote against with a veto
    /// ends the round; without one, votes against with authority end it at the quorum's n.
    pub(super) fn decide(&mut self, vote: &'a Told, moment: Timestamp) {
        let vetoed = self.standing(Timestamp::LAST).iter().any(|ballot| ballot.veto);
        if vetoed || self.places(false, Timestamp::LAST).len() >= self.terms.n {
            self.ends.push(End { how: EndedBy::Rejected, moment, told: Some(vote) });
        } else if self.places(true, Timestamp::LAST).len() >= self.terms.n {
            self.granted = Some(moment);
        }
    }

    /// Whether who ends the round is its requester, or holds one of the quorum's roles.
    pub(super) fn is_known_to(
        &self,
        ending: &Told,
        authority: &Authority<'_>,
        known_to: u64,
    ) -> Result<bool> {
        Ok(ending.by == self.terms.requester
            || authority.holds(&ending.by, &self.terms.roles, ending.acted_at, known_to)?)
    }

    /// Whether an ending that names an opening names one of this round's.
    pub(super) fn is_named_by(&self, ending: &Told) -> bool {
        let mut openings = std::iter::once(self.asked).chain(self.told_again.iter().copied());
        ending.data.get("of").is_none_or(|of| openings.any(|opening| opening.is_named(of)))
    }
}
