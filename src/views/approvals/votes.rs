//! What is shown of each vote.

use super::authority::{Authority, NOW};
use super::course::inverted;
use super::round::{Ballot, Round, WhyNot};
use super::standing::Shown;
use super::states::{GRANTED, REJECTED};
use super::terms::{Veto, Wanted};
use super::told::{Act, Told};
use crate::views::engine::{OUT_OF_ORDER, Result};
use serde_json::{Map, Value};
use std::collections::{BTreeMap, BTreeSet};

impl<'a> Shown<'a> {
    pub(super) fn votes(
        &self,
        number: usize,
        round: &Round<'a>,
        into: &mut Vec<Map<String, Value>>,
    ) -> Result<()> {
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

    pub(super) fn vote(
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
        let annulled_by = if with_authority { BTreeSet::new() } else { self.annulled_by(round, ballot)? };
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
                (_, Some(_), _) if !annulled_by.is_empty() => "annulled",
                (_, Some(lack), _) => lack.word(),
                (_, _, Some(_)) => "delegated",
                _ => "held",
            }
            .into(),
        );
        if !annulled_by.is_empty() {
            put("annulled_by", annulled_by.into_iter().collect::<Vec<u64>>().into());
        }
        lender.filter(|_| with_authority).map(|lender| put("from", lender.as_str().into()));
        put("own", (told.by == round.terms.requester).into());
        let wanted = round.terms.wanted();
        // By all that is known now, and whether or not the vote needed it.
        let lenders = self.authority.lenders(&told.by, wanted, told.acted_at, NOW)?;
        let by_delegate = told.by != round.terms.requester && lenders.contains(&round.terms.requester);
        put("by_requesters_delegate", by_delegate.into());
        let now = has_right(self.authority, round, ballot, NOW)?;
        if now != with_authority {
            put("authority_now", now.into());
        }
        self.course.inside.import(told).map(|import| put("imported", import.import.as_str().into()));
        let mut others = round.ends.iter().filter_map(|end| end.told).filter(|end| end.seq != told.seq);
        if ballot.moment != told.acted_at
            || inverted(told, round.asked)
            || others.any(|end| inverted(told, end))
        {
            put(OUT_OF_ORDER, true.into());
        }
        Ok(vote)
    }

    /// By which corrections a vote lost the authority that it had when it was recorded: those of the roles and delegations
    /// that gave it.
    fn annulled_by(&self, round: &Round<'_>, ballot: &Ballot<'_>) -> Result<BTreeSet<u64>> {
        let told = ballot.told;
        let known_to = self.course.inside.known_to(told);
        let then = self.authority.before(known_to);
        if !has_right(&then, round, ballot, known_to)? {
            return Ok(BTreeSet::new());
        }
        let wanted = round.terms.wanted();
        let mut roles = wanted.roles.clone();
        if let Veto::Roles(of_veto) = &round.terms.veto {
            roles.extend(of_veto.iter().cloned());
        }
        then.corrected_since(told, Wanted { roles: &roles, ..wanted })
    }
}

/// Whether a vote has a right, or a veto, by what is known below an entry.
fn has_right(
    authority: &Authority<'_>,
    round: &Round<'_>,
    ballot: &Ballot<'_>,
    known_to: u64,
) -> Result<bool> {
    let wanted = round.terms.wanted();
    if !authority.rights(ballot.told, wanted, known_to)?.is_empty() {
        return Ok(true);
    }
    match &round.terms.veto {
        Veto::Roles(roles) if !ballot.for_it => {
            Ok(!authority.rights(ballot.told, Wanted { roles, ..wanted }, known_to)?.is_empty())
        }
        _ => Ok(false),
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
pub(super) fn unplaced_vote(told: &Told) -> Map<String, Value> {
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
