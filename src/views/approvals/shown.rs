//! How the course of an approval stands at a moment: what its row shows.

use super::authority::{Authority, NOW};
use super::course::{Course, inverted};
use super::round::{Ballot, EndedBy, Round, WhyNot};
use super::states::{
    EXPIRED, GRANTED, GRANTED_UNVERIFIED, PARTIAL, PENDING, REJECTED, REVOKED, UNOPENED, WITHDRAWN,
};
use super::terms::{Veto, Wanted, shown, words};
use super::told::{Act, Told};
use crate::spec::time::Timestamp;
use crate::views::engine::{OUT_OF_ORDER, Result, Row};
use crate::views::stretches::ends;
use serde_json::{Map, Value, json};
use std::collections::BTreeMap;

/// What is answered about: a course, by whose rights, when.
pub(super) struct Shown<'a> {
    pub(super) course: &'a Course<'a>,
    pub(super) authority: &'a Authority<'a>,
    pub(super) at: Timestamp,
}

/// A due date that was told again, and by whom.
struct Due<'a> {
    due_at: Timestamp,
    told: &'a Told,
}

/// A condition of a vote that stands.
struct ShownCondition<'a> {
    due_at: Option<Timestamp>,
    is_open: bool,
    members: Map<String, Value>,
    stated: &'a Value,
}

impl<'a> Shown<'a> {
    /// Fills in the row; says whether there is one at this time.
    pub(super) fn fill(&self, row: &mut Row, events: &[&Told], confirmations: &[&Told]) -> Result<bool> {
        let at = self.at;
        let done: Vec<&Told> = events.iter().copied().filter(|told| told.acted_at <= at).collect();
        let begun: Vec<(usize, &Round<'a>)> = self.begun().collect();
        let is_unopened = self.course.rounds.is_empty();
        if done.is_empty() || (!is_unopened && begun.is_empty()) {
            return Ok(false);
        }
        let mut votes = Vec::new();
        for (number, round) in &begun {
            self.votes(*number, round, &mut votes)?;
        }
        let unplaced = self.course.unplaced.iter().filter(|told| told.is_vote() && told.acted_at <= at);
        votes.extend(unplaced.map(|told| unplaced_vote(told)));
        let rounds: Vec<Map<String, Value>> =
            begun.iter().map(|(number, round)| self.round(*number, round)).collect();
        row.state = UNOPENED.to_owned();
        if let Some((number, round)) = begun.last() {
            self.newest(row, *number, round);
        }
        self.dates(row, &begun);
        self.flags(row, &begun, &votes);
        if self.is_out_of_order(&done) {
            row.set(OUT_OF_ORDER, true);
        }
        put(row, "votes", votes);
        put(row, "rounds", rounds);
        put(row, "withdrawals", self.endings(Act::Withdrawn));
        put(row, "revocations", self.endings(Act::Revoked));
        put(row, "recusals", self.recusals(&begun));
        put(row, "conditions_unmatched", self.unmatched());
        let confirmed = confirmations.iter().filter(|told| told.acted_at <= at).map(|told| {
            let mut shown = told.shown();
            shown.insert("source".to_owned(), told.source.as_str().into());
            shown.insert("id".to_owned(), told.id.as_str().into());
            shown
        });
        put(row, "confirmations", confirmed.collect());
        Ok(true)
    }

    /// The rounds that had been asked for by then, with their numbers from 1.
    fn begun(&self) -> impl Iterator<Item = (usize, &'a Round<'a>)> {
        let rounds = self.course.rounds.iter().enumerate();
        rounds.filter(|(_, round)| round.asked.acted_at <= self.at).map(|(place, round)| (place + 1, round))
    }

    /// How a round stands. One that gave way to a newer one keeps the word that it had.
    fn state(&self, round: &Round<'_>) -> &'static str {
        let how = round.end(self.at).map(|end| end.how);
        let for_it = || round.standing(self.at).iter().filter(|ballot| ballot.for_it).count();
        match how {
            Some(EndedBy::Rejected) => REJECTED,
            Some(EndedBy::Withdrawn) => WITHDRAWN,
            Some(EndedBy::Revoked) => REVOKED,
            Some(EndedBy::Expired) => EXPIRED,
            Some(EndedBy::NewerAsked | EndedBy::NewerGranted) | None if round.granted(self.at).is_some() => {
                GRANTED
            }
            // The count without authority is by persons: of each one vote stands.
            _ => match for_it() {
                0 => PENDING,
                votes if votes >= round.terms.n => GRANTED_UNVERIFIED,
                _ => PARTIAL,
            },
        }
    }

    /// What the newest round asks for, and what came of it.
    fn newest(&self, row: &mut Row, number: usize, round: &Round<'a>) {
        let state = self.state(round);
        let expired = state == EXPIRED;
        // The engine says `expired` of a granted row whose time is over.
        row.state = if expired { GRANTED } else { state }.to_owned();
        row.owner = Some(round.terms.requester.clone());
        row.fields.extend(shown(round.asked));
        // What is no term is as it was told last.
        let openings = self.openings(round);
        for name in ["rationale", "evidence"] {
            let last = openings.iter().rev().find_map(|told| told.data.get(name));
            row.fields.extend(last.map(|value| (name.to_owned(), value.clone())));
        }
        row.set("round", number);
        row.set_time("requested_at", round.asked.acted_at);
        row.set("scope_changes", number - 1);
        let standing = round.standing(self.at);
        let for_it = standing.iter().filter(|ballot| ballot.for_it).count();
        let against = standing.iter().filter(|ballot| !ballot.for_it && ballot.may_count()).count();
        row.set("votes_for", for_it);
        row.set("votes_against", against);
        row.set("votes_with_authority", self.with_authority(round));
        let end = round.end(self.at);
        let rejected = end.filter(|end| end.how == EndedBy::Rejected).map(|end| end.moment);
        if let Some(decided_at) = round.granted(self.at).or(rejected) {
            row.set_time("decided_at", decided_at);
        }
        for (how, name) in [(EndedBy::Withdrawn, WITHDRAWN), (EndedBy::Revoked, REVOKED)] {
            if let Some(told) = end.filter(|end| end.how == how).and_then(|end| end.told) {
                let at = told.effective_at.max(round.asked.acted_at).to_string();
                row.set(
                    name,
                    json!({"by": told.by, "at": at, "reason": told.text("reason"), "seq": told.seq}),
                );
            }
        }
        let recused = round.recusals.iter().filter(|recusal| recusal.why_not.is_none());
        let recused = recused.filter(|recusal| recusal.moment <= self.at);
        put(row, "recused", recused.map(|recusal| recusal.told.by.clone()).collect::<Vec<_>>());
        if row.state == GRANTED {
            row.valid_until = round.end(Timestamp::LAST).map(|end| end.moment);
        }
        if let Some((number, round)) = self.begun().filter(|(_, round)| round.in_force(self.at)).last() {
            let until = round.end(Timestamp::LAST).map(|end| end.moment.to_string());
            let granted_at = round.granted(self.at).map(|at| at.to_string());
            row.set(
                "in_force",
                json!({"round": number, "terms": shown(round.asked), "granted_at": granted_at, "until": until}),
            );
        }
        let blank = |text: Option<&str>| text.is_none_or(|text| text.trim().is_empty());
        let without = standing.iter().filter(|ballot| ballot.for_it || ballot.may_count());
        let without = without.into_iter().any(|ballot| blank(ballot.told.text("rationale")));
        row.set("without_rationale", without || blank(row.text("rationale")));
        row.set("without_pillar", round.terms.pillars.is_empty());
    }

    /// Places that are filled in favour by votes with authority.
    fn with_authority(&self, round: &Round<'_>) -> usize {
        let places = round.places(true, self.at);
        let standing = round.standing(self.at);
        let verified = standing
            .iter()
            .filter(|ballot| ballot.for_it && !ballot.no_roles && places.contains_key(&ballot.told.by));
        verified.count()
    }

    /// The openings of a round by then.
    fn openings(&self, round: &Round<'a>) -> Vec<&'a Told> {
        let again = round.told_again.iter().copied().filter(|told| told.acted_at <= self.at);
        std::iter::once(round.asked).chain(again).collect()
    }

    /// When a round is due, and the latest and the earliest date that it was given when it was told again. Overdue counts
    /// against the first; a round asked for without a date has the first one told later.
    fn due(&self, round: &Round<'a>) -> (Option<Timestamp>, Option<Due<'a>>, Option<Due<'a>>) {
        let openings = self.openings(round).into_iter();
        let told: Vec<Due<'a>> =
            openings.filter_map(|told| Some(Due { due_at: ends(told.data.get("due_at"))?, told })).collect();
        let first = told.first().map(|due| due.due_at);
        let (mut later, mut earlier): (Option<Due<'a>>, Option<Due<'a>>) = (None, None);
        for due in told {
            if Some(due.due_at) > first && later.as_ref().is_none_or(|later| later.due_at <= due.due_at) {
                later = Some(due);
            } else if Some(due.due_at) < first
                && earlier.as_ref().is_none_or(|earlier| due.due_at < earlier.due_at)
            {
                earlier = Some(due);
            }
        }
        (first, later, earlier)
    }

    /// By when something has to happen next: the earliest of what is open.
    fn dates(&self, row: &mut Row, begun: &[(usize, &Round<'a>)]) {
        let newest = begun.last().map(|(_, round)| *round);
        let mut due = Vec::new();
        if let Some(round) = newest {
            let (first, later, earlier) = self.due(round);
            due.extend(first.filter(|_| round.is_open(self.at)));
            for (name, told) in [("extended_due_at", later), ("earlier_due_at", earlier)] {
                if let Some(Due { due_at, told }) = told {
                    row.set(name, json!({"due_at": due_at.to_string(), "by": told.by, "seq": told.seq}));
                }
            }
        }
        let conditions: Vec<ShownCondition<'a>> =
            begun.iter().flat_map(|(number, round)| self.conditions(*number, round)).collect();
        due.extend(conditions.iter().filter(|condition| condition.is_open).filter_map(|one| one.due_at));
        row.due_at = due.into_iter().min();
        row.ended = row.due_at.is_none() && matches!(row.state.as_str(), REJECTED | WITHDRAWN | REVOKED);
        row.ended_at =
            newest.and_then(|round| round.end(self.at)).map(|end| end.moment).filter(|_| row.ended);
        let shown = conditions.into_iter().map(|condition| {
            let mut members = condition.stated.as_object().cloned().unwrap_or_default();
            members.extend(condition.members);
            members
        });
        put(row, "conditions", shown.collect());
    }

    /// The conditions of the votes that stand. They are due from the grant on, while it is in force or expired, and not after
    /// revocation, rejection, withdrawal or a newer round's grant.
    fn conditions(&self, number: usize, round: &Round<'a>) -> Vec<ShownCondition<'a>> {
        let mut conditions = Vec::new();
        for ballot in round.standing(self.at) {
            for condition in &ballot.conditions {
                let due_at = ends(condition.stated.get("due_at"));
                let met = condition.met.filter(|(_, moment)| *moment <= self.at);
                let state = if met.is_some() {
                    "met"
                } else if round.is_undone(self.at) {
                    "over"
                } else if round.granted(self.at).is_some() {
                    "open"
                } else {
                    "before-grant"
                };
                let mut members = Map::new();
                members.insert("round".to_owned(), number.into());
                members.insert("vote".to_owned(), ballot.told.seq.into());
                members.insert("by".to_owned(), ballot.told.by.as_str().into());
                members.insert("state".to_owned(), state.into());
                if let Some((told, _)) = met {
                    members.insert("met_at".to_owned(), told.acted_at.to_string().into());
                    members.insert("met_by".to_owned(), told.by.as_str().into());
                }
                let is_open = state == "open";
                conditions.push(ShownCondition { due_at, is_open, members, stated: condition.stated });
            }
        }
        conditions
    }

    /// One round, without its votes.
    fn round(&self, number: usize, round: &Round<'a>) -> Map<String, Value> {
        let mut members = Map::new();
        let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
        let (first, later, earlier) = self.due(round);
        put("round", number.into());
        put("state", self.state(round).into());
        put("asked", round.asked.seq.into());
        put("requested_at", round.asked.acted_at.to_string().into());
        put("terms", shown(round.asked).into());
        let again = self.openings(round).into_iter().skip(1).map(|told| told.seq);
        put("told_again", again.collect::<Vec<_>>().into());
        for (name, time) in [("granted_at", round.granted(self.at)), ("due_at", first)] {
            time.map(|time| put(name, time.to_string().into()));
        }
        for (name, told) in [("extended_due_at", later), ("earlier_due_at", earlier)] {
            told.map(|due| {
                let due_at = due.due_at.to_string();
                put(name, json!({"due_at": due_at, "by": due.told.by, "seq": due.told.seq}))
            });
        }
        if let Some(end) = round.end(self.at) {
            let (seq, by) = (end.told.map(|told| told.seq), end.told.map(|told| told.by.as_str()));
            let at = end.moment.to_string();
            put("ended", json!({"how": end.how.word(), "at": at, "seq": seq, "by": by}));
        }
        put("missed", self.missed(number, round).into());
        put("no_roles_recorded", self.is_without_roles(round).into());
        members
    }

    /// What a round had missed when it was decided, met or ended. A decision that came late is missed as well, also while
    /// what it granted is in force; so is a condition that was met late.
    fn missed(&self, number: usize, round: &Round<'a>) -> Vec<Map<String, Value>> {
        let end = round.end(self.at).map(|end| end.moment);
        let granted = round.granted(self.at);
        let mut missed = Vec::new();
        let mut miss = |what: &str, due_at: Timestamp| {
            let mut members = Map::new();
            members.insert("what".to_owned(), what.into());
            members.insert("round".to_owned(), number.into());
            members.insert("due_at".to_owned(), due_at.to_string().into());
            missed.push(members);
        };
        let decided = granted.into_iter().chain(end).min();
        if let Some(due_at) = self.due(round).0.filter(|due| decided.is_some_and(|decided| *due < decided)) {
            miss("decision", due_at);
        }
        let undone = round.end(self.at).filter(|_| round.is_undone(self.at)).map(|end| end.moment);
        let mut conditions = Vec::new();
        for ballot in round.standing(self.at) {
            for condition in &ballot.conditions {
                let met = condition.met.map(|(_, moment)| moment).filter(|moment| *moment <= self.at);
                // It was due from the grant until it was met, or its round was undone.
                let stopped = met.into_iter().chain(undone).min();
                let (Some(due_at), Some(granted), Some(stopped)) =
                    (ends(condition.stated.get("due_at")), granted, stopped)
                else {
                    continue;
                };
                if granted < stopped && due_at < stopped {
                    conditions.push((ballot.told.seq, condition.id, due_at));
                }
            }
        }
        for (_, _, due_at) in &conditions {
            miss("condition", *due_at);
        }
        let of_conditions =
            missed.iter_mut().filter(|members| members.get("what") == Some(&"condition".into()));
        for (members, (vote, id, _)) in of_conditions.zip(conditions) {
            members.insert("vote".to_owned(), vote.into());
            members.insert("condition".to_owned(), id.into());
        }
        missed
    }

    /// Whether a grant stands on votes before which no role had been recorded.
    fn is_without_roles(&self, round: &Round<'_>) -> bool {
        if round.granted(self.at).is_none() {
            return false;
        }
        let places = round.places(true, self.at);
        let mut standing = round.standing(self.at).into_iter();
        standing.any(|ballot| ballot.for_it && ballot.no_roles && places.contains_key(&ballot.told.by))
    }

    fn votes(&self, number: usize, round: &Round<'a>, into: &mut Vec<Map<String, Value>>) -> Result<()> {
        let (places_for, places_against) = (round.places(true, self.at), round.places(false, self.at));
        let standing: Vec<u64> = round.standing(self.at).iter().map(|ballot| ballot.told.seq).collect();
        for ballot in round.ballots.iter().filter(|ballot| ballot.moment <= self.at) {
            let places = if ballot.for_it { &places_for } else { &places_against };
            let mut vote = self.vote(round, ballot, standing.contains(&ballot.told.seq), places)?;
            vote.insert("round".to_owned(), number.into());
            into.push(vote);
        }
        Ok(())
    }

    fn vote(
        &self,
        round: &Round<'a>,
        ballot: &Ballot<'a>,
        stands: bool,
        places: &BTreeMap<String, String>,
    ) -> Result<Map<String, Value>> {
        let told = ballot.told;
        let right_of = places.get(&told.by).filter(|_| stands);
        let may_count = ballot.may_count();
        let with_authority = may_count && !ballot.no_roles;
        let why_not = match ballot.why_not {
            Some(why_not) => Some(why_not),
            None if round.is_recused(&told.by, self.at) => Some(WhyNot::Recused),
            None if !stands => Some(WhyNot::VotedAgain),
            None if !may_count => Some(WhyNot::NoAuthority),
            None if right_of.is_none() && !ballot.veto => Some(WhyNot::RightTaken),
            None => None,
        };
        let mut vote = cast(told, ballot.for_it);
        let mut put = |name: &str, value: Value| vote.insert(name.to_owned(), value);
        put("counts", (stands && (ballot.for_it || may_count)).into());
        put("with_authority", with_authority.into());
        why_not.map(|why_not| put("why_not", why_not.word().into()));
        right_of.map(|right| put("right_of", right.as_str().into()));
        let lender = match right_of {
            Some(right) => Some(right).filter(|right| **right != told.by),
            None => ballot.rights.first().filter(|right| **right != told.by),
        };
        put(
            "authority",
            match (ballot.no_roles, ballot.lack, lender) {
                (true, _, _) => "no-roles-recorded",
                (_, Some(lack), _) => lack.word(),
                (_, _, Some(_)) => "delegated",
                _ => "held",
            }
            .into(),
        );
        lender.filter(|_| with_authority).map(|lender| put("from", lender.as_str().into()));
        put("own", (told.by == round.terms.requester).into());
        let wanted = round.terms.wanted();
        // By all that is known now, and whether or not the vote needed it.
        let lenders = self.authority.lenders(&told.by, wanted, told.acted_at, NOW)?;
        let by_delegate = told.by != round.terms.requester && lenders.contains(&round.terms.requester);
        put("by_requesters_delegate", by_delegate.into());
        let now = self.has_right_now(round, ballot)?;
        if now != with_authority {
            put("authority_now", now.into());
        }
        let mut others = round.ends.iter().filter_map(|end| end.told).filter(|end| end.seq != told.seq);
        if ballot.moment != told.acted_at
            || inverted(told, round.asked)
            || others.any(|end| inverted(told, end))
        {
            put(OUT_OF_ORDER, true.into());
        }
        Ok(vote)
    }

    fn has_right_now(&self, round: &Round<'_>, ballot: &Ballot<'_>) -> Result<bool> {
        let wanted = round.terms.wanted();
        if !self.authority.rights(ballot.told, wanted, NOW)?.is_empty() {
            return Ok(true);
        }
        match &round.terms.veto {
            Veto::Roles(roles) if !ballot.for_it => {
                Ok(!self.authority.rights(ballot.told, Wanted { roles, ..wanted }, NOW)?.is_empty())
            }
            _ => Ok(false),
        }
    }

    /// Withdrawals or revocations that were done, or had taken effect, by then.
    fn endings(&self, act: Act) -> Vec<Map<String, Value>> {
        let number = |asked: &u64| {
            let place = self.course.rounds.iter().position(|round| round.asked.seq == *asked);
            place.map(|place| place + 1)
        };
        let is_shown =
            |told: &Told| told.act == act && (told.effective_at <= self.at || told.acted_at <= self.at);
        let shown = |told: &Told, by_stranger: bool, ended: Vec<usize>| {
            let mut shown = told.shown();
            let mut put = |name: &str, value: Value| shown.insert(name.to_owned(), value);
            put("effective_at", told.effective_at.to_string().into());
            told.data.get("reason").map(|reason| put("reason", reason.clone()));
            put("by_stranger", by_stranger.into());
            put("ended_nothing", ended.is_empty().into());
            put("ended", ended.into());
            (told.seq, shown)
        };
        let placed = self.course.endings.iter().filter(|ending| is_shown(ending.told)).map(|ending| {
            let ended = ending.ended.iter().filter_map(number).collect();
            shown(ending.told, ending.by_stranger, ended)
        });
        // Told too long before the opening: shown, and does nothing.
        let unplaced = self.course.unplaced.iter().filter(|told| is_shown(told));
        let mut all: Vec<(u64, Map<String, Value>)> =
            placed.chain(unplaced.map(|told| shown(told, false, Vec::new()))).collect();
        all.sort_by_key(|(seq, _)| *seq);
        all.into_iter().map(|(_, shown)| shown).collect()
    }

    fn recusals(&self, begun: &[(usize, &Round<'a>)]) -> Vec<Map<String, Value>> {
        let mut shown = Vec::new();
        for (number, round) in begun {
            for recusal in round.recusals.iter().filter(|recusal| recusal.moment <= self.at) {
                let mut members = recusal.told.shown();
                let mut put = |name: &str, value: Value| members.insert(name.to_owned(), value);
                put("round", (*number).into());
                recusal.told.data.get("reason").map(|reason| put("reason", reason.clone()));
                put("counts", recusal.why_not.is_none().into());
                recusal.why_not.map(|why_not| put("why_not", why_not.word().into()));
                shown.push(members);
            }
        }
        shown
    }

    fn unmatched(&self) -> Vec<Map<String, Value>> {
        let unused = self.course.unused.iter().filter(|unused| unused.told.acted_at <= self.at);
        let shown = unused.map(|unused| {
            let mut members = unused.told.shown();
            members.insert("condition".to_owned(), unused.told.text("condition").into());
            members.insert("ambiguous".to_owned(), unused.ambiguous.into());
            members
        });
        shown.collect()
    }

    /// Marks by which approvals are found.
    fn flags(&self, row: &mut Row, begun: &[(usize, &Round<'a>)], votes: &[Map<String, Value>]) {
        let missed: Vec<Map<String, Value>> =
            begun.iter().flat_map(|(number, round)| self.missed(*number, round)).collect();
        row.set("missed_before", !missed.is_empty());
        put(row, "missed", missed);
        let any = |name: &str| votes.iter().any(|vote| vote.get(name) == Some(&Value::Bool(true)));
        row.set("own_vote", any("own"));
        row.set("delegates_vote", any("by_requesters_delegate"));
        let strangers = self.course.endings.iter().filter(|ending| ending.by_stranger);
        let mut strangers =
            strangers.filter(|ending| ending.told.acted_at <= self.at || ending.told.effective_at <= self.at);
        row.set("by_stranger", strangers.next().is_some());
        let without_roles = begun.iter().any(|(_, round)| self.is_without_roles(round));
        row.set("no_roles_recorded", without_roles);
        if without_roles {
            row.set("caveats", json!(["no-roles-recorded"]));
        }
    }

    /// Whether an opening or an ending was recorded in another order than it was done, or anything was told early.
    fn is_out_of_order(&self, done: &[&Told]) -> bool {
        let marks = |told: &Told| matches!(told.act, Act::Requested | Act::Withdrawn | Act::Revoked);
        let (mut highest, mut highest_marking) = (0, 0);
        for (place, told) in done.iter().enumerate() {
            let passed = if marks(told) { highest } else { highest_marking };
            if place > 0 && told.place < passed {
                return true;
            }
            highest = highest.max(told.place);
            if marks(told) {
                highest_marking = highest_marking.max(told.place);
            }
        }
        let opened = self.course.rounds.first().map(|round| round.asked.acted_at);
        if done.iter().any(|told| opened.is_some_and(|opened| told.acted_at < opened)) {
            return true;
        }
        let early = |round: &Round<'_>| {
            let ballots = || round.ballots.iter().filter(|ballot| ballot.moment <= self.at);
            let met = ballots().flat_map(|ballot| &ballot.conditions).filter_map(|condition| condition.met);
            let mut met = met.filter(|(_, moment)| *moment <= self.at);
            ballots().any(|ballot| ballot.moment != ballot.told.acted_at)
                || met.any(|(told, moment)| moment != told.acted_at)
        };
        self.course.rounds.iter().any(early)
    }
}

/// A list of the row, where there is anything on it.
fn put<T: Into<Value>>(row: &mut Row, name: &str, items: Vec<T>) {
    if !items.is_empty() {
        row.set(name, items.into_iter().map(Into::into).collect::<Vec<Value>>());
    }
}

/// A vote as it was cast.
fn cast(told: &Told, for_it: bool) -> Map<String, Value> {
    let mut vote = told.shown();
    let result = if for_it { GRANTED } else { REJECTED };
    vote.insert("result".to_owned(), result.into());
    let said = told.data.iter().map(|(name, value)| (name.clone(), value.clone()));
    vote.extend(said);
    vote
}

/// A vote that is about no round: told too long before the opening, or nobody asked.
fn unplaced_vote(told: &Told) -> Map<String, Value> {
    let mut vote = cast(told, told.act == Act::Granted);
    let members: [(&str, Value); 6] = [
        ("counts", false.into()),
        ("with_authority", false.into()),
        ("authority", "no-round".into()),
        ("own", false.into()),
        ("by_requesters_delegate", false.into()),
        ("why_not", WhyNot::BeforeOpening.word().into()),
    ];
    vote.extend(members.map(|(name, value)| (name.to_owned(), value)));
    vote
}

/// The texts of a list.
pub(super) fn texts(value: Option<&Value>) -> impl Iterator<Item = String> {
    words(value).into_iter()
}
