//! How the course of an approval stands at a moment: what its row shows.

use super::round::{EndedBy, Round};
use super::standing::{Due, Shown, ShownCondition};
use super::states::{
    EXPIRED, GRANTED, GRANTED_UNVERIFIED, PARTIAL, PENDING, REJECTED, REVOKED, UNOPENED, WITHDRAWN,
};
use super::terms::{shown, words};
use super::told::{Act, Told};
use super::votes::unplaced_vote;
use crate::spec::time::Timestamp;
use crate::views::engine::{OUT_OF_ORDER, Result, Row};
use serde_json::{Map, Value, json};

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
    pub(super) fn openings(&self, round: &Round<'a>) -> Vec<&'a Told> {
        let again = round.told_again.iter().copied().filter(|told| told.acted_at <= self.at);
        std::iter::once(round.asked).chain(again).collect()
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

    /// Whether a grant stands on votes before which no role had been recorded.
    fn is_without_roles(&self, round: &Round<'_>) -> bool {
        if round.granted(self.at).is_none() {
            return false;
        }
        let places = round.places(true, self.at);
        let mut standing = round.standing(self.at).into_iter();
        standing.any(|ballot| ballot.for_it && ballot.no_roles && places.contains_key(&ballot.told.by))
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
        row.set("authority_annulled", votes.iter().any(|vote| vote.contains_key("annulled_by")));
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

/// The texts of a list.
pub(super) fn texts(value: Option<&Value>) -> impl Iterator<Item = String> {
    words(value).into_iter()
}
