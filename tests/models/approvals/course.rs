//! The course of one row: its events in the order in which they were done, and the rounds that come of it
//! (section 3).
//!
//! The whole course is walked, whatever moment is asked about; the answer then looks at it as of that moment.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::authority::{Authority, Wanted};
use super::places::{Voter, filled};
use super::reading::{FIVE_MINUTES, effective, in_order, names, text};
use super::terms::{Terms, Veto, terms};
use super::{EndedBy, WhyNot};
use crate::base::{Fact, Micros};

/// One round, as far as the walk has come.
pub(super) struct Round<'a> {
    pub(super) asked: &'a Fact,
    pub(super) terms: Terms,
    pub(super) told_again: Vec<&'a Fact>,
    pub(super) ballots: Vec<Ballot<'a>>,
    pub(super) recusals: Vec<Recusal<'a>>,
    pub(super) granted: Option<Micros>,
    pub(super) ends: Vec<End<'a>>,
}

/// A vote for or against.
pub(super) struct Ballot<'a> {
    pub(super) fact: &'a Fact,
    pub(super) for_it: bool,
    /// From when it counts: its act, or the opening that it was told before.
    pub(super) moment: Micros,
    pub(super) rights: Vec<String>,
    /// Whether, being against, it ends the round alone.
    pub(super) veto: bool,
    pub(super) no_roles: bool,
    pub(super) early: bool,
    pub(super) ambiguous: bool,
    /// Why it could not count in its round at all.
    pub(super) why_not: Option<WhyNot>,
    pub(super) conditions: Vec<Condition<'a>>,
}

/// A condition that a vote states.
pub(super) struct Condition<'a> {
    pub(super) id: &'a str,
    pub(super) stated: &'a Value,
    pub(super) met: Option<Met<'a>>,
}

/// By what a condition was met, and from when that counts.
#[derive(Clone, Copy)]
pub(super) struct Met<'a> {
    pub(super) fact: &'a Fact,
    pub(super) moment: Micros,
}

/// Somebody steps aside.
pub(super) struct Recusal<'a> {
    pub(super) fact: &'a Fact,
    pub(super) moment: Micros,
    pub(super) why_not: Option<WhyNot>,
}

/// How, when and by which event a round ends.
#[derive(Clone, Copy)]
pub(super) struct End<'a> {
    pub(super) how: EndedBy,
    pub(super) moment: Micros,
    pub(super) fact: Option<&'a Fact>,
}

/// A withdrawal or a revocation, and what it ended.
pub(super) struct Ending<'a> {
    pub(super) fact: &'a Fact,
    pub(super) by_stranger: bool,
    pub(super) early: bool,
    /// The entries that asked for the rounds that it ended.
    pub(super) ended: Vec<u64>,
}

/// A `condition_met` that ended nothing.
pub(super) struct Unused<'a> {
    pub(super) fact: &'a Fact,
    pub(super) ambiguous: bool,
}

/// All that became of a row.
#[derive(Default)]
pub(super) struct Course<'a> {
    pub(super) rounds: Vec<Round<'a>>,
    pub(super) endings: Vec<Ending<'a>>,
    pub(super) unused: Vec<Unused<'a>>,
    /// What was done before the first opening, and is about none.
    pub(super) unplaced: Vec<&'a Fact>,
}

/// Of a vote (by entry): the rounds (by the entry that asked) that were over before the vote was recorded.
type Over = BTreeMap<u64, BTreeSet<u64>>;

/// The course of the row that these facts are about.
pub(super) fn course<'a>(
    facts: &[&'a Fact],
    authority: &Authority<'_>,
    ambiguous: &BTreeSet<u64>,
) -> Course<'a> {
    // "… and if it was recorded not after that round's end" (section 3). Whether the round was over is asked
    // of what had been recorded before the vote: the rows as they were just then. An ending that is recorded
    // later and dated back does not take away a vote that was recorded before it.
    let mut over = Over::new();
    let mut recorded = facts.to_vec();
    recorded.sort_by_key(|fact| fact.place);
    for vote in recorded.iter().filter(|fact| is_vote(fact) || fact.ty == "approval.recused") {
        let known: Vec<&Fact> = recorded.iter().copied().filter(|fact| fact.place < vote.place).collect();
        let then = walk(&known, authority, &over, ambiguous);
        let ended = then
            .rounds
            .iter()
            .filter(|round| round.was_over_when_recorded(vote))
            .map(|round| round.asked.seq);
        let ended = ended.collect();
        over.insert(vote.seq, ended);
    }
    walk(&recorded, authority, &over, ambiguous)
}

pub(super) fn is_vote(fact: &Fact) -> bool {
    fact.ty == "approval.granted" || fact.ty == "approval.rejected"
}

fn walk<'a>(
    facts: &[&'a Fact],
    authority: &Authority<'_>,
    over: &Over,
    ambiguous: &BTreeSet<u64>,
) -> Course<'a> {
    let mut walker = Walker { course: Course::default(), authority, over, ambiguous };
    for fact in in_order(facts) {
        if fact.ty == "approval.requested" {
            walker.ask(fact);
        } else if fact.ty == "approval.condition_met" {
            walker.meet(fact);
        } else if walker.course.rounds.is_empty() {
            walker.course.unplaced.push(fact);
        } else {
            walker.follow(fact, fact.act);
        }
    }
    walker.course
}

struct Walker<'a, 'b> {
    course: Course<'a>,
    authority: &'b Authority<'b>,
    over: &'b Over,
    ambiguous: &'b BTreeSet<u64>,
}

impl<'a> Walker<'a, '_> {
    /// An opening: told again, or a new round (section 3, "Asking for an approval again").
    fn ask(&mut self, asked: &'a Fact) {
        let (at, terms) = (asked.act, terms(asked));
        // The same terms while pending or in force are told again; in force also while a newer one is pending
        // (section 10).
        let newest = self.course.rounds.len().saturating_sub(1);
        let again = self.course.rounds.iter_mut().enumerate().rev().find(|(number, round)| {
            round.terms == terms && (round.in_force(at) || (*number == newest && round.is_open(at)))
        });
        if let Some((_, round)) = again {
            round.told_again.push(asked);
            return;
        }
        // A round that is only pending is over when a newer one is asked.
        // Choice: `granted-unverified` is "still open": it is over as well, because it was not granted.
        if let Some(round) = self.course.rounds.last_mut().filter(|round| round.is_open(at)) {
            round.ends.push(End { how: EndedBy::NewerAsked, moment: at, fact: Some(asked) });
        }
        let told_early = self.told_early(asked, &terms);
        self.course.rounds.push(Round::new(asked, terms));
        for fact in told_early {
            self.follow(fact, at);
        }
    }

    /// What was done before this opening and is about it (section 4, "Nothing that is told early is lost").
    // Choice: before the first opening, an event can be about nothing else. Before a later one it is about
    // the round that was there already (also if that was over), unless it is a vote whose digest says that it
    // is for the new terms and not for those before.
    fn told_early(&mut self, asked: &'a Fact, terms: &Terms) -> Vec<&'a Fact> {
        let near = |fact: &Fact| asked.act.saturating_sub(fact.act) <= FIVE_MINUTES;
        let Some(round) = self.course.rounds.last_mut() else {
            let is_about = |fact: &&Fact| match fact.ty.as_str() {
                "approval.granted" | "approval.rejected" => near(fact) || fact.imported,
                "approval.withdrawn" | "approval.revoked" => near(fact) || effective(fact) >= asked.act,
                _ => true,
            };
            let (about, rest) = std::mem::take(&mut self.course.unplaced).into_iter().partition(is_about);
            self.course.unplaced = rest;
            return about;
        };
        let is_about = |ballot: &Ballot<'_>| {
            ballot.why_not == Some(WhyNot::OtherDigest)
                && (near(ballot.fact) || ballot.fact.imported)
                && ballot.fact.data.get("scope_digest") == terms.scope_digest.as_ref()
        };
        let (about, rest): (Vec<_>, Vec<_>) =
            std::mem::take(&mut round.ballots).into_iter().partition(is_about);
        round.ballots = rest;
        about.into_iter().map(|ballot| ballot.fact).collect()
    }

    /// An event of a row that has a round, counted from this moment: its act, or the opening that it was told
    /// before.
    fn follow(&mut self, fact: &'a Fact, moment: Micros) {
        match fact.ty.as_str() {
            "approval.granted" | "approval.rejected" => self.vote(fact, moment),
            "approval.recused" => self.recuse(fact, moment),
            "approval.withdrawn" => self.withdraw(fact, moment),
            _ => self.revoke(fact, moment),
        }
    }

    fn vote(&mut self, fact: &'a Fact, moment: Micros) {
        let Some(round) = self.course.rounds.last_mut() else {
            return;
        };
        let known_to = self.authority.known_to(fact);
        // Authority is judged at the moment the vote was done, by what was recorded before the vote (section
        // 3).
        let mut rights = self.authority.rights(fact, round.terms.wanted(), known_to);
        // If no role had been recorded in the ledger before the vote, nobody could have one.
        // Choice: then votes against end a round as well as votes for grant it; else nothing could be
        // rejected.
        let no_roles = rights.is_empty() && !self.authority.any_role(known_to);
        if no_roles {
            rights = vec![fact.by.clone()];
        }
        let for_it = fact.ty == "approval.granted";
        let veto = !for_it
            && match &round.terms.veto {
                Veto::None => false,
                Veto::Anybody => !rights.is_empty(),
                Veto::Roles(roles) => {
                    let wanted = Wanted { roles, ..round.terms.wanted() };
                    no_roles || !self.authority.rights(fact, wanted, known_to).is_empty()
                }
            };
        let mut ballot = Ballot {
            fact,
            for_it,
            moment,
            rights,
            veto,
            no_roles,
            early: moment != fact.act,
            ambiguous: self.ambiguous.contains(&fact.seq),
            why_not: round.why_not(fact, moment, self.over),
            conditions: if for_it { conditions(fact) } else { Vec::new() },
        };
        if ballot.why_not.is_some() {
            round.ballots.push(ballot);
            return;
        }
        self.course.unused.retain(|unused| !adopt(&mut ballot, unused));
        round.ballots.push(ballot);
        round.decide(fact, moment);
        // What was granted before stands until … the new round's grant (section 3).
        if let Some((granted, former)) = self.course.rounds.split_last_mut()
            && granted.granted == Some(moment)
        {
            for round in former.iter_mut().filter(|round| round.in_force(moment)) {
                round.ends.push(End { how: EndedBy::NewerGranted, moment, fact: Some(fact) });
            }
        }
    }

    /// "Who recused has none" (section 10): no vote in this round, done before or after. After the grant it
    /// changes nothing, like votes.
    fn recuse(&mut self, fact: &'a Fact, moment: Micros) {
        if let Some(round) = self.course.rounds.last_mut() {
            let why_not = round.why_not(fact, moment, self.over);
            round.recusals.push(Recusal { fact, moment, why_not });
        }
    }

    /// A withdrawal counts from the requester or a holder of a quorum role (section 3), and ends what is
    /// open: pending, partial, or granted-unverified (section 10).
    // Choice: it ends the newest round only: others are over, or granted, and what is granted is revoked.
    // Choice: where no role had been recorded nobody holds one, and only the requester withdraws.
    fn withdraw(&mut self, fact: &'a Fact, moment: Micros) {
        let known_to = self.authority.known_to(fact);
        let Some(round) = self.course.rounds.last_mut() else {
            return;
        };
        let by_stranger = !round.is_known_to(fact, self.authority, known_to);
        let early = moment != fact.act;
        let mut ended = Vec::new();
        if !by_stranger && round.is_named_by(fact) && round.is_open(moment) {
            let end = effective(fact).max(round.asked.act);
            round.ends.push(End { how: EndedBy::Withdrawn, moment: end, fact: Some(fact) });
            ended.push(round.asked.seq);
        }
        self.course.endings.push(Ending { fact, by_stranger, early, ended });
    }

    /// A revocation always counts and ends every round asked before it, granted or not; marked where a
    /// stranger does it (section 3). With `of` it ends the one round that it names (section 4).
    // Choice: a round that was over by then stays what it was; a revocation with effect from before that end
    // goes first.
    // Choice: a stranger is who neither asked for any of these rounds nor holds a role of their quorums.
    fn revoke(&mut self, fact: &'a Fact, moment: Micros) {
        let known_to = self.authority.known_to(fact);
        let mut ended = Vec::new();
        let mut by_stranger = true;
        for round in &mut self.course.rounds {
            by_stranger &= !round.is_known_to(fact, self.authority, known_to);
            let end = effective(fact).max(round.asked.act);
            if round.is_named_by(fact) && !round.is_over(end) {
                round.ends.push(End { how: EndedBy::Revoked, moment: end, fact: Some(fact) });
                ended.push(round.asked.seq);
            }
        }
        self.course.endings.push(Ending { fact, by_stranger, early: moment != fact.act, ended });
    }

    /// `condition_met` names its vote; without it, it ends the only open condition of that id, or none
    /// (section 3).
    // Choice: it may come after the round's end, if that is its expiry: the duty is open then, and can be
    // ended.
    fn meet(&mut self, fact: &'a Fact) {
        let (Some(id), vote) = (text(fact, "condition"), fact.data.get("vote")) else {
            self.course.unused.push(Unused { fact, ambiguous: false });
            return;
        };
        let mut open: Vec<&mut Condition<'a>> = Vec::new();
        for round in &mut self.course.rounds {
            if vote.is_none() && round.is_undone(fact.act) {
                continue;
            }
            let standing: BTreeSet<u64> =
                round.standing(Micros::MAX).iter().map(|ballot| ballot.fact.seq).collect();
            let named = |ballot: &&mut Ballot<'_>| vote.is_none_or(|vote| names(vote, ballot.fact));
            let ballots =
                round.ballots.iter_mut().filter(|ballot| standing.contains(&ballot.fact.seq)).filter(named);
            open.extend(ballots.flat_map(|ballot| ballot.open_conditions(id)));
        }
        let ambiguous = open.len() > 1;
        match open.pop() {
            Some(condition) if !ambiguous => condition.met = Some(Met { fact, moment: fact.act }),
            _ => self.course.unused.push(Unused { fact, ambiguous }),
        }
    }
}

/// A condition that was met up to five minutes before the vote that states it: told early (section 4).
// Choice: `condition_met` is an ending of its item: five minutes, not without limit. What was done long
// before somebody stated the condition cannot be about it.
fn adopt<'a>(ballot: &mut Ballot<'a>, unused: &Unused<'a>) -> bool {
    let Unused { fact, ambiguous: false } = *unused else {
        return false;
    };
    let named = fact.data.get("vote").is_none_or(|vote| names(vote, ballot.fact));
    let near = ballot.fact.act.saturating_sub(fact.act) <= FIVE_MINUTES;
    let moment = ballot.moment;
    let open = text(fact, "condition").and_then(|id| ballot.open_conditions(id).next());
    match open {
        Some(condition) if named && near => {
            condition.met = Some(Met { fact, moment });
            true
        }
        _ => false,
    }
}

fn conditions(vote: &Fact) -> Vec<Condition<'_>> {
    let stated = vote.data.get("conditions").and_then(Value::as_array);
    let read = |stated| Some(Condition { id: Value::as_str(Value::get(stated, "id")?)?, stated, met: None });
    stated.into_iter().flatten().filter_map(read).collect()
}

impl<'a> Ballot<'a> {
    fn open_conditions(&mut self, id: &str) -> impl Iterator<Item = &mut Condition<'a>> {
        self.conditions.iter_mut().filter(move |condition| condition.id == id && condition.met.is_none())
    }
}

impl<'a> Round<'a> {
    fn new(asked: &'a Fact, terms: Terms) -> Self {
        let (told_again, ballots, recusals) = (Vec::new(), Vec::new(), Vec::new());
        Self { asked, terms, told_again, ballots, recusals, granted: None, ends: Vec::new() }
    }

    /// The end that had come by then: the earliest by valid time.
    // Choice: only what was granted expires (CATALOG: "pending → partial → granted → expired"). A request
    // that nobody decided before its `valid_until` stays open and overdue: to call it expired would hide
    // that.
    pub(super) fn end(&self, at: Micros) -> Option<End<'a>> {
        let expiry = self.terms.valid_until.filter(|_| self.granted.is_some());
        let expiry = expiry.map(|moment| End { how: EndedBy::Expired, moment, fact: None });
        // Of ends at the same moment the first by act: they were pushed in that order, and an expiry needs no
        // act.
        expiry.iter().chain(&self.ends).filter(|end| end.moment <= at).min_by_key(|end| end.moment).copied()
    }

    pub(super) fn is_over(&self, at: Micros) -> bool {
        self.end(at).is_some()
    }

    /// Over, and not by its expiry: then its conditions are not due any more (section 10).
    pub(super) fn is_undone(&self, at: Micros) -> bool {
        self.end(at).is_some_and(|end| end.how != EndedBy::Expired)
    }

    pub(super) fn granted(&self, at: Micros) -> Option<Micros> {
        self.granted.filter(|granted| *granted <= at)
    }

    pub(super) fn is_open(&self, at: Micros) -> bool {
        self.granted(at).is_none() && !self.is_over(at)
    }

    pub(super) fn in_force(&self, at: Micros) -> bool {
        self.granted(at).is_some() && !self.is_over(at)
    }

    /// Why this vote or recusal cannot count in this round.
    fn why_not(&self, fact: &Fact, moment: Micros, over: &Over) -> Option<WhyNot> {
        let (digest, asked) = (fact.data.get("scope_digest"), self.terms.scope_digest.as_ref());
        // Choice: a vote that names another digest than its round's is for something else, and does not count
        // in it: a grant "covers nothing of the new terms". A vote that names none is for what was asked.
        if digest.is_some() && asked.is_some() && digest != asked {
            return Some(WhyNot::OtherDigest);
        }
        if self.is_over(moment) {
            return Some(WhyNot::AfterEnd);
        }
        // After the grant further votes are shown and change nothing (section 10).
        if self.granted.is_some() {
            return Some(WhyNot::AfterGrant);
        }
        // Choice: `valid_until` is the end of what is asked, granted or not: a vote after it, or recorded
        // after it, grants nothing. Else a vote dated back would cover, a year later, what was done then.
        if self.terms.valid_until.is_some_and(|until| moment >= until) {
            return Some(WhyNot::AfterEnd);
        }
        // Choice: where the round and the vote lie both inside an import, the vote is judged by its act
        // alone: all was recorded long after, and "history of ten years comes in cleanly".
        if !(fact.imported && self.asked.imported) {
            let was_over = over.get(&fact.seq).is_some_and(|rounds| rounds.contains(&self.asked.seq));
            let too_late = self.terms.valid_until.is_some_and(|until| fact.recorded > until);
            if was_over || too_late {
                return Some(WhyNot::RecordedAfterEnd);
            }
        }
        (is_vote(fact) && !self.asks_for(fact)).then_some(WhyNot::CapacityNotInQuorum)
    }

    /// Whether a vote is cast in a capacity that the quorum names.
    // Choice: a vote in another capacity is none of this quorum's, and does not count by its number either:
    // nobody could ever verify it. Where no role had been recorded it would else grant in any capacity.
    fn asks_for(&self, vote: &Fact) -> bool {
        let Some(capacity) = text(vote, "capacity") else { return true };
        let against = vote.ty == "approval.rejected";
        let vetoes = matches!(&self.terms.veto, Veto::Roles(roles) if against && roles.contains(capacity));
        self.terms.roles.is_empty() || self.terms.roles.contains(capacity) || vetoes
    }

    /// Whether this round, as known before the vote was recorded, had ended before that.
    fn was_over_when_recorded(&self, vote: &Fact) -> bool {
        self.ends.iter().any(|end| {
            // An end in the past lies before all that is recorded after it; of one that was announced the
            // moment counts.
            let announced = end.fact.is_some_and(|fact| end.moment > fact.recorded);
            end.moment < vote.recorded || (end.moment == vote.recorded && !announced)
        })
    }

    /// The votes that stand: of one person the last that could count, and none of who recused (section 10).
    pub(super) fn standing(&self, at: Micros) -> Vec<&Ballot<'a>> {
        let valid: Vec<&Ballot<'a>> =
            self.ballots.iter().filter(|ballot| ballot.why_not.is_none() && ballot.moment <= at).collect();
        let is_last = |position: usize, ballot: &Ballot<'_>| {
            !valid.iter().skip(position + 1).any(|later| later.fact.by == ballot.fact.by)
        };
        let votes = valid.iter().enumerate().filter(|(position, ballot)| is_last(*position, ballot));
        votes.map(|(_, ballot)| *ballot).filter(|ballot| !self.is_recused(&ballot.fact.by, at)).collect()
    }

    pub(super) fn is_recused(&self, who: &str, at: Micros) -> bool {
        self.recusals
            .iter()
            .any(|recusal| recusal.fact.by == who && recusal.why_not.is_none() && recusal.moment <= at)
    }

    /// Who fills a place, with whose right, of those who stand for it, or against it.
    pub(super) fn places(&self, for_it: bool, at: Micros) -> BTreeMap<String, String> {
        let voters: Vec<Voter> = self
            .standing(at)
            .into_iter()
            .filter(|ballot| ballot.for_it == for_it)
            .map(|ballot| Voter { name: ballot.fact.by.clone(), rights: ballot.rights.clone() })
            .collect();
        filled(&voters)
    }

    /// `granted` is the quorum by votes with authority. Votes against with authority: one with a veto ends
    /// the round; else they reject at the quorum's n (section 10).
    fn decide(&mut self, vote: &'a Fact, moment: Micros) {
        let vetoed = self.standing(Micros::MAX).iter().any(|ballot| ballot.veto);
        if vetoed || self.places(false, Micros::MAX).len() >= self.terms.n {
            self.ends.push(End { how: EndedBy::Rejected, moment, fact: Some(vote) });
        } else if self.places(true, Micros::MAX).len() >= self.terms.n {
            self.granted = Some(moment);
        }
    }

    /// Whether who ends the round is its requester, or holds one of the quorum's roles.
    fn is_known_to(&self, ending: &Fact, authority: &Authority<'_>, known_to: u64) -> bool {
        ending.by == self.terms.requester
            || authority.holds(&ending.by, &self.terms.roles, ending.act, known_to)
    }

    fn is_named_by(&self, ending: &Fact) -> bool {
        let mut openings = std::iter::once(self.asked).chain(self.told_again.iter().copied());
        ending.data.get("of").is_none_or(|of| openings.any(|opening| names(of, opening)))
    }
}
