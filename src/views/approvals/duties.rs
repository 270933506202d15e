//! What is due of an approval, and what was missed: decisions by their first date, and conditions from the grant on.

use super::round::Round;
use super::standing::{Due, Shown, ShownCondition};
use crate::spec::time::Timestamp;
use crate::views::stretches::ends;
use serde_json::{Map, Value};

impl<'a> Shown<'a> {
    /// When a round is due, and the latest and the earliest date that it was given when it was told again. Overdue counts
    /// against the first; a round asked for without a date has the first one told later.
    pub(super) fn due(&self, round: &Round<'a>) -> (Option<Timestamp>, Option<Due<'a>>, Option<Due<'a>>) {
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

    /// The conditions of the votes that stand. They are due from the grant on, while it is in force or expired, and not after
    /// revocation, rejection, withdrawal or a newer round's grant.
    pub(super) fn conditions(&self, number: usize, round: &Round<'a>) -> Vec<ShownCondition<'a>> {
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

    /// What a round had missed when it was decided, met or ended. A decision that came late is missed as well, also while
    /// what it granted is in force; so is a condition that was met late.
    pub(super) fn missed(&self, number: usize, round: &Round<'a>) -> Vec<Map<String, Value>> {
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
}
