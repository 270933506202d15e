//! The course of an approval: its events in the order in which they were done, and the rounds that come of it.
//!
//! The whole course is walked, whatever moment is asked about; what is shown is how it stands at that moment.

use super::authority::Authority;
use super::inside::Inside;
use super::round::{Ballot, Condition, End, EndedBy, Recusal, Round, WhyNot, stated};
use super::terms::{Terms, Veto, Wanted};
use super::told::{Act, Told, before};
use crate::spec::time::Timestamp;
use crate::views::engine::{EARLY, Result};
use std::collections::{BTreeMap, BTreeSet, VecDeque};

/// Late votes of one approval for which it is looked at how the approval stood just before they were recorded.
///
/// Reason: each is a walk of its own, a millisecond on the longest approvals. Later ones of an approval that can have ended
/// count as recorded after its end; voting again settles it.
const MAX_LOOKS_BACK: usize = 64;

/// A withdrawal or a revocation, and what it ended.
pub(super) struct Ending<'a> {
    pub(super) told: &'a Told,
    pub(super) by_stranger: bool,
    /// The entries that asked for the rounds that it ended.
    pub(super) ended: Vec<u64>,
}

/// A `condition_met` that ended nothing.
pub(super) struct Unused<'a> {
    pub(super) told: &'a Told,
    pub(super) ambiguous: bool,
}

/// All that became of an approval.
#[derive(Default)]
pub(super) struct Course<'a> {
    pub(super) rounds: Vec<Round<'a>>,
    pub(super) endings: Vec<Ending<'a>>,
    pub(super) unused: Vec<Unused<'a>>,
    /// What was done before the first opening, and is about none.
    pub(super) unplaced: Vec<&'a Told>,
    /// Which of the events lie inside an import.
    pub(super) inside: Inside,
}

/// Of a vote (by entry): the rounds (by the entry that asked) that were over before it was recorded, as known then.
type Over = BTreeMap<u64, BTreeSet<u64>>;

/// The course of these events, which come in the order in which they were done.
pub(super) fn course<'a>(events: &[&'a Told], authority: &Authority<'_>) -> Result<Course<'a>> {
    let inside = authority.inside(events)?;
    let mut over = Over::new();
    if can_end(events) {
        for (looked, vote) in late(events).into_iter().enumerate() {
            let known: Vec<&Told> = events.iter().copied().filter(|told| told.place < vote.place).collect();
            let ended = if looked < MAX_LOOKS_BACK {
                let then = walk(&known, authority, &over, &inside)?;
                let ended = then.rounds.iter().filter(|round| round.was_over_when_recorded(vote));
                ended.map(|round| round.asked.seq).collect()
            } else {
                events.iter().filter(|told| told.act == Act::Requested).map(|told| told.seq).collect()
            };
            over.insert(vote.seq, ended);
        }
    }
    let course = walk(events, authority, &over, &inside)?;
    Ok(Course { inside, ..course })
}

/// Whether any round can have an end.
fn can_end(events: &[&Told]) -> bool {
    let openings = events.iter().filter(|told| told.act == Act::Requested);
    let ends = |told: &&Told| {
        matches!(told.act, Act::Rejected | Act::Withdrawn | Act::Revoked)
            || told.data.contains_key("valid_until")
    };
    openings.count() > 1 || events.iter().any(ends)
}

/// Votes and recusals that were recorded in another order than they were done, in the order of recording.
fn late<'a>(events: &[&'a Told]) -> Vec<&'a Told> {
    let mut highest = 0;
    let mut after_a_later_one = vec![false; events.len()];
    for (late, told) in after_a_later_one.iter_mut().zip(events) {
        *late = told.place < highest;
        highest = highest.max(told.place);
    }
    let mut lowest = u64::MAX;
    let mut found = Vec::new();
    for (told, after) in events.iter().zip(after_a_later_one).rev() {
        if (told.is_vote() || told.act == Act::Recused) && (after || told.place > lowest) {
            found.push(*told);
        }
        lowest = lowest.min(told.place);
    }
    found.sort_by_key(|told| told.place);
    found
}

fn walk<'a>(
    events: &[&'a Told],
    authority: &Authority<'_>,
    over: &Over,
    inside: &Inside,
) -> Result<Course<'a>> {
    let mut walker = Walker { course: Course::default(), authority, over, inside };
    for told in events {
        match told.act {
            Act::Requested => walker.ask(told)?,
            Act::ConditionMet => walker.meet(told),
            _ if walker.course.rounds.is_empty() => walker.course.unplaced.push(told),
            _ => walker.follow(told, told.acted_at)?,
        }
    }
    Ok(walker.course)
}

struct Walker<'a, 'b> {
    course: Course<'a>,
    authority: &'b Authority<'b>,
    over: &'b Over,
    inside: &'b Inside,
}

fn is_near(opening: &Told, told: &Told) -> bool {
    opening.acted_at.since(told.acted_at) <= EARLY
}

impl<'a> Walker<'a, '_> {
    /// An opening: told again, or a new round. The same terms are told again while pending or in force; in force also while
    /// a newer round is pending.
    fn ask(&mut self, asked: &'a Told) -> Result<()> {
        let (at, terms) = (asked.acted_at, Terms::of(asked));
        let newest = self.course.rounds.len().saturating_sub(1);
        let again = self.course.rounds.iter_mut().enumerate().rev().find(|(number, round)| {
            round.terms == terms && (round.in_force(at) || (*number == newest && round.is_open(at)))
        });
        if let Some((_, round)) = again {
            round.told_again.push(asked);
            return Ok(());
        }
        // A round that is not granted is over when a newer one is asked for.
        if let Some(round) = self.course.rounds.last_mut().filter(|round| round.is_open(at)) {
            round.ends.push(End { how: EndedBy::NewerAsked, moment: at, told: Some(asked) });
        }
        let told_early = self.told_early(asked, &terms);
        self.course.rounds.push(Round::new(asked, terms));
        for told in told_early {
            self.follow(told, at)?;
        }
        Ok(())
    }

    /// What was done before this opening and is about it. Before the first one an event can be about nothing else: a vote if
    /// it was done at most five minutes before, or lies inside an import; an ending within five minutes, or if it takes effect
    /// at or after the opening. Before a later one it is about the round that was there already, unless it is a vote whose
    /// digest says that it is for the new terms and not for those before.
    fn told_early(&mut self, asked: &'a Told, terms: &Terms) -> Vec<&'a Told> {
        let inside = self.inside;
        let Some(round) = self.course.rounds.last_mut() else {
            let is_about = |told: &&Told| match told.act {
                Act::Granted | Act::Rejected => is_near(asked, told) || inside.holds(told),
                Act::Withdrawn | Act::Revoked => is_near(asked, told) || told.effective_at >= asked.acted_at,
                _ => true,
            };
            let (about, rest) = std::mem::take(&mut self.course.unplaced).into_iter().partition(is_about);
            self.course.unplaced = rest;
            return about;
        };
        let is_about = |ballot: &Ballot<'_>| {
            ballot.why_not == Some(WhyNot::AnotherScope)
                && (is_near(asked, ballot.told) || inside.holds(ballot.told))
                && ballot.told.data.get("scope_digest") == terms.scope_digest.as_ref()
        };
        let ballots = std::mem::take(&mut round.ballots).into_iter();
        let (about, rest): (Vec<_>, Vec<_>) = ballots.partition(is_about);
        round.ballots = rest;
        about.into_iter().map(|ballot| ballot.told).collect()
    }

    /// An event of an approval that has a round, counted from this moment: its act, or the opening that it was told before.
    fn follow(&mut self, told: &'a Told, moment: Timestamp) -> Result<()> {
        match told.act {
            Act::Granted | Act::Rejected => self.vote(told, moment),
            Act::Recused => {
                self.recuse(told, moment);
                Ok(())
            }
            Act::Withdrawn => self.withdraw(told, moment),
            Act::Revoked => self.revoke(told, moment),
            Act::Requested | Act::ConditionMet => Ok(()),
        }
    }

    fn why_not(&self, round: &Round<'_>, told: &Told, moment: Timestamp) -> Option<WhyNot> {
        let was_over = match self.over.get(&told.seq) {
            Some(over) => over.contains(&round.asked.seq),
            // It was recorded in its order: what was done before it is what was known.
            None => round.was_over_when_recorded(told),
        };
        let imported = self.inside.holds(told) && self.inside.holds(round.asked);
        round.why_not(told, moment, was_over, imported)
    }

    fn vote(&mut self, told: &'a Told, moment: Timestamp) -> Result<()> {
        let Some(round) = self.course.rounds.last() else { return Ok(()) };
        let why_not = self.why_not(round, told, moment);
        let mut ballot = self.cast(round, told, moment)?;
        ballot.why_not = why_not;
        if why_not.is_none() {
            self.course.unused.retain(|unused| !adopt(&mut ballot, unused));
        }
        let Some((round, former)) = self.course.rounds.split_last_mut() else { return Ok(()) };
        round.ballots.push(ballot);
        if why_not.is_some() {
            return Ok(());
        }
        round.decide(told, moment);
        // What was granted before stands until the new round's grant.
        if round.granted == Some(moment) {
            for round in former.iter_mut().filter(|round| round.in_force(moment)) {
                round.ends.push(End { how: EndedBy::NewerGranted, moment, told: Some(told) });
            }
        }
        Ok(())
    }

    /// Authority is judged at the moment the vote was done, by what was recorded before the vote; inside an import, by what
    /// was known at its end. Where no role had been recorded, nobody could have one: then votes against count as well as
    /// votes for, else nothing could be rejected.
    fn cast(&self, round: &Round<'a>, told: &'a Told, moment: Timestamp) -> Result<Ballot<'a>> {
        let (authority, wanted) = (self.authority, round.terms.wanted());
        let known_to = self.inside.known_to(told);
        let mut rights = authority.rights(told, wanted, known_to)?;
        let no_roles = rights.is_empty() && !authority.any_role(known_to)?;
        let lack = match rights.is_empty() && !no_roles {
            true => Some(authority.lack(told, wanted, known_to)?),
            false => None,
        };
        if no_roles {
            rights = vec![told.by.clone()];
        }
        let for_it = told.act == Act::Granted;
        let veto = !for_it
            && match &round.terms.veto {
                Veto::None => false,
                Veto::Anybody => !rights.is_empty(),
                Veto::Roles(roles) => {
                    no_roles || !authority.rights(told, Wanted { roles, ..wanted }, known_to)?.is_empty()
                }
            };
        let conditions = if for_it { stated(told) } else { Vec::new() };
        Ok(Ballot { told, for_it, moment, rights, veto, no_roles, lack, why_not: None, conditions })
    }

    /// Who steps aside has no vote in this round, done before or after. After the grant it changes nothing, like votes.
    fn recuse(&mut self, told: &'a Told, moment: Timestamp) {
        let Some(round) = self.course.rounds.last() else { return };
        let why_not = self.why_not(round, told, moment);
        if let Some(round) = self.course.rounds.last_mut() {
            round.recusals.push(Recusal { told, moment, why_not });
        }
    }

    /// A withdrawal counts from the requester or a holder of a quorum role, and ends the newest round where it is open:
    /// others are over, or granted, and what is granted is revoked.
    fn withdraw(&mut self, told: &'a Told, moment: Timestamp) -> Result<()> {
        let known_to = self.inside.known_to(told);
        let Some(round) = self.course.rounds.last_mut() else { return Ok(()) };
        let by_stranger = !round.is_known_to(told, self.authority, known_to)?;
        let mut ended = Vec::new();
        if !by_stranger && round.is_named_by(told) && round.is_open(moment) {
            let moment = told.effective_at.max(round.asked.acted_at);
            round.ends.push(End { how: EndedBy::Withdrawn, moment, told: Some(told) });
            ended.push(round.asked.seq);
        }
        self.course.endings.push(Ending { told, by_stranger, ended });
        Ok(())
    }

    /// A revocation always counts, and ends every round asked before it, granted or not; with `of` the one that it names. A
    /// round that was over by then stays what it was, and a revocation with effect from before that end goes first. A
    /// stranger is who neither asked for any of these rounds nor holds a role of their quorums.
    fn revoke(&mut self, told: &'a Told, _: Timestamp) -> Result<()> {
        let known_to = self.inside.known_to(told);
        let mut ended = Vec::new();
        let mut by_stranger = true;
        for round in &mut self.course.rounds {
            by_stranger &= !round.is_known_to(told, self.authority, known_to)?;
            let moment = told.effective_at.max(round.asked.acted_at);
            if round.is_named_by(told) && !round.is_over(moment) {
                round.ends.push(End { how: EndedBy::Revoked, moment, told: Some(told) });
                ended.push(round.asked.seq);
            }
        }
        self.course.endings.push(Ending { told, by_stranger, ended });
        Ok(())
    }

    /// A condition is met in the vote that is named; without a name, it is the only open one of that id, or none. It may be
    /// met after the round's expiry: the duty is open then, and can be ended.
    fn meet(&mut self, told: &'a Told) {
        let (Some(id), vote) = (told.text("condition"), told.data.get("vote")) else {
            self.course.unused.push(Unused { told, ambiguous: false });
            return;
        };
        let mut open: Vec<&mut Condition<'a>> = Vec::new();
        for round in &mut self.course.rounds {
            if vote.is_none() && round.is_undone(told.acted_at) {
                continue;
            }
            let standing: BTreeSet<u64> =
                round.standing(Timestamp::LAST).iter().map(|ballot| ballot.told.seq).collect();
            let ballots = round.ballots.iter_mut().filter(|ballot| {
                standing.contains(&ballot.told.seq) && vote.is_none_or(|vote| ballot.told.is_named(vote))
            });
            open.extend(ballots.flat_map(|ballot| ballot.open_conditions(id)));
        }
        let ambiguous = open.len() > 1;
        match open.pop() {
            Some(condition) if !ambiguous => condition.met = Some((told, told.acted_at)),
            _ => self.course.unused.push(Unused { told, ambiguous }),
        }
    }
}

/// A condition that was met up to five minutes before the vote that states it: told early. What was done long before
/// somebody stated the condition cannot be about it.
fn adopt<'a>(ballot: &mut Ballot<'a>, unused: &Unused<'a>) -> bool {
    let Unused { told, ambiguous: false } = *unused else { return false };
    let named = told.data.get("vote").is_none_or(|vote| ballot.told.is_named(vote));
    let near = is_near(ballot.told, told);
    let moment = ballot.moment;
    let Some(id) = told.text("condition").filter(|_| named && near) else { return false };
    match ballot.open_conditions(id).next() {
        Some(condition) => {
            condition.met = Some((told, moment));
            true
        }
        None => false,
    }
}

/// The events of one approval in the order in which they were done, also those that were told before the first opening; and
/// the openings of other sources, which say the same.
///
/// At one instant each source keeps its order, and of those that are next in each the one goes first that comes first in the
/// life of an approval.
pub(super) fn in_order(told: &[Told]) -> (Vec<&Told>, Vec<&Told>) {
    let openings = told.iter().filter(|told| told.act == Act::Requested);
    let own = openings.min_by_key(|told| told.place).map(|told| told.source.as_str());
    let confirms = |told: &&Told| told.act == Act::Requested && Some(told.source.as_str()) != own;
    let (confirmations, mut events): (Vec<&Told>, Vec<&Told>) = told.iter().partition(confirms);
    events.sort_by_key(|told| (told.acted_at, told.place, told.seq));
    let mut ordered = Vec::with_capacity(events.len());
    for instant in events.chunk_by(|one, other| one.acted_at == other.acted_at) {
        let mut by_source: BTreeMap<&str, VecDeque<&Told>> = BTreeMap::new();
        for told in instant {
            by_source.entry(&told.source).or_default().push_back(told);
        }
        loop {
            let next = by_source.values_mut().filter(|left| !left.is_empty());
            let next = next.min_by_key(|left| left.front().map(|told| (told.act, told.place, told.seq)));
            match next.and_then(VecDeque::pop_front) {
                Some(told) => ordered.push(told),
                None => break,
            }
        }
    }
    (ordered, confirmations)
}

/// Whether two were recorded the other way round than they were done.
pub(super) fn inverted(one: &Told, other: &Told) -> bool {
    before(one, other) != (one.place < other.place)
}
