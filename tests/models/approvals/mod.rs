//! Approvals: rounds, votes and authority (ANSWERS.md section 3; 4 and 10 as they touch them; CATALOG
//! "approval").
//!
//! Everything is reckoned anew from the facts that stand. `rows` in this file says whose row an event is
//! about, [`course`] walks a row's events in the order in which they were done, [`authority`] knows roles and
//! delegations, [`places`] matches voters and rights, and [`answer`] says how all this stands at a moment.
//!
//! A role that was annulled is not among the facts that stand: it is given beside them, with the correction
//! that did it, so that the votes can be marked whose authority it took away. What is not in the facts cannot
//! be said here: that a kind declares own votes void (no type says so yet: they are marked, and count).

mod answer;
mod authority;
mod course;
mod places;
mod reading;
mod shown;
mod terms;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};

pub use shown::{
    Approval, Condition, ConditionState, EndedRound, Ending, ExtendedDue, InForce, Missed, Own, Recusal,
    Round, Unused, Vote,
};
pub use terms::{Terms, Veto};

use crate::base::{Fact, Moment};
use authority::Authority;
use reading::text;

/// What an approval, or one of its rounds, is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nobody asked: there are only events that open nothing (section 10).
    Unopened,
    /// Asked; no vote for it counts.
    Pending,
    /// At least one vote for it counts, with or without authority.
    Partial,
    /// The quorum is reached by the count of votes alone: still open.
    GrantedUnverified,
    /// The quorum is reached by votes with authority.
    Granted,
    /// Ended by votes against.
    Rejected,
    /// Ended by its requester, or a holder of a quorum role, before it was granted.
    Withdrawn,
    /// Ended by a revocation, granted or not.
    Revoked,
    /// Granted, and past its `valid_until`.
    Expired,
}

impl State {
    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Unopened => "unopened",
            Self::Pending => "pending",
            Self::Partial => "partial",
            Self::GrantedUnverified => "granted-unverified",
            Self::Granted => "granted",
            Self::Rejected => "rejected",
            Self::Withdrawn => "withdrawn",
            Self::Revoked => "revoked",
            Self::Expired => "expired",
        }
    }
}

/// How a round ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndedBy {
    /// By votes against.
    Rejected,
    /// By a withdrawal.
    Withdrawn,
    /// By a revocation.
    Revoked,
    /// By its `valid_until`.
    Expired,
    /// It was only pending when a newer round was asked for.
    NewerAsked,
    /// It was in force when a newer round was granted.
    NewerGranted,
}

/// Why a vote does not count, or fills no place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WhyNot {
    /// Done before the approval was asked for, by more than the page allows.
    BeforeOpening,
    /// Done when its round was over.
    AfterEnd,
    /// Recorded when its round was over.
    RecordedAfterEnd,
    /// Done after the grant: shown, and changes nothing.
    AfterGrant,
    /// For another digest than was asked.
    OtherDigest,
    /// In a capacity that the round's quorum does not name.
    CapacityNotInQuorum,
    /// The same person voted again in this round.
    LaterVote,
    /// The person recused.
    Recused,
    /// Without authority: a vote against does not count, a vote for counts only among persons.
    NoAuthority,
    /// With authority, but the right fills a place already: it counts only among persons.
    RightTaken,
}

/// An entry about a role or a delegation that was annulled.
#[derive(Clone, Debug, PartialEq)]
pub struct Annulled {
    /// As it was recorded.
    pub fact: Fact,
    /// The correction that annulled it.
    pub by: u64,
}

/// The approvals, as they stood at a moment, as known at a moment, where nothing beside them was annulled.
#[must_use]
pub fn approvals(facts: &[Fact], moment: Moment) -> Vec<Approval> {
    approvals_with(facts, &[], moment)
}

/// The approvals, as they stood at a moment, as known at a moment. `facts` are those that stand.
///
/// They come in the order in which they were first recorded. One that was not yet asked for at `moment.at` is
/// not there.
#[must_use]
pub fn approvals_with(facts: &[Fact], annulled: &[Annulled], moment: Moment) -> Vec<Approval> {
    let known: Vec<&Fact> = facts.iter().filter(|fact| fact.seq < moment.known).collect();
    let annulled: Vec<&Annulled> = annulled.iter().filter(|one| one.by < moment.known).collect();
    let authority = Authority::new(&known, &annulled);
    rows(&known).iter().filter_map(|row| answer::answer(row, &authority, moment)).collect()
}

/// A row and the facts that are about it.
struct Row<'a> {
    id: &'a str,
    source: &'a str,
    facts: Vec<&'a Fact>,
    /// Events that could mean the row of another source (section 2), by entry.
    ambiguous: BTreeSet<u64>,
    /// Openings of other sources with the same data.
    confirmations: Vec<&'a Fact>,
    /// Where the other rows of this id come from.
    others: Vec<&'a str>,
}

/// Whose row it is (section 2, `rounds`): of the source that asked first, or of another that asked under the
/// same id.
fn rows<'a>(facts: &[&'a Fact]) -> Vec<Row<'a>> {
    let mut by_id: BTreeMap<&str, Vec<&Fact>> = BTreeMap::new();
    for fact in facts.iter().filter(|fact| fact.ty.starts_with("approval.") && fact.ty != "approval.consumed")
    {
        if let Some(id) = text(fact, "approval").or(fact.subject.as_deref()) {
            by_id.entry(id).or_default().push(fact);
        }
    }
    let mut rows: Vec<Row<'_>> = by_id.into_iter().flat_map(|(id, facts)| rows_of_id(id, facts)).collect();
    rows.sort_by_key(|row| row.facts.iter().map(|fact| fact.place).min());
    rows
}

fn rows_of_id<'a>(id: &'a str, mut facts: Vec<&'a Fact>) -> Vec<Row<'a>> {
    facts.sort_by_key(|fact| fact.place);
    let (openings, others): (Vec<&Fact>, Vec<&Fact>) =
        facts.into_iter().partition(|fact| fact.ty == "approval.requested");
    // First means first recorded; if it is annulled, it is not among the facts, and the earliest that stands
    // is first.
    let Some(first) = openings.first().or(others.first()).map(|fact| fact.source.as_str()) else {
        return Vec::new();
    };
    let mut rows = vec![Row::new(id, first)];
    for opening in &openings {
        // From another source with the same data it is a confirmation on the first row, and no row. The same
        // data is `data` alone, compared with any opening of the first row (section 10).
        // Choice: also where that source has a row of its own by then.
        let confirms = openings.iter().any(|other| other.source == first && other.data == opening.data);
        let source = opening.source.as_str();
        if source != first && confirms {
            if let Some(row) = rows.first_mut() {
                row.confirmations.push(opening);
            }
        } else if let Some(row) = rows.iter_mut().find(|row| row.source == source) {
            row.facts.push(opening);
        } else {
            let mut row = Row::new(id, source);
            row.facts.push(opening);
            rows.push(row);
        }
    }
    // An event that names an id belongs to the row of its own source, else to the first recorded, marked
    // ambiguous where there are several (section 2).
    let several = rows.len() > 1;
    for fact in others {
        let own = rows.iter().position(|row| row.source == fact.source);
        if let Some(row) = rows.get_mut(own.unwrap_or(0)) {
            row.facts.push(fact);
            if several && own.is_none() {
                row.ambiguous.insert(fact.seq);
            }
        }
    }
    let sources: Vec<&str> = rows.iter().map(|row| row.source).collect();
    for row in &mut rows {
        row.others = sources.iter().copied().filter(|source| *source != row.source).collect();
    }
    rows
}

impl<'a> Row<'a> {
    fn new(id: &'a str, source: &'a str) -> Self {
        let (facts, confirmations, others) = (Vec::new(), Vec::new(), Vec::new());
        Self { id, source, facts, ambiguous: BTreeSet::new(), confirmations, others }
    }
}
