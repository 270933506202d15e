//! Who had which right, when, and as far as the ledger knew: by roles and delegations, read from the entries about them as
//! stretches.

use super::entitled::{ANY, ASSIGNED, HOLDER, LENT_TO};
use super::inside::Inside;
use super::terms::{Wanted, words};
use super::told::Told;
use crate::spec::time::Timestamp;
use crate::views::engine::{Beside, Result, RowEvent, import_of};
use crate::views::stretches::{Ending, Identity, Stretch, Stretches, begins, ends};
use serde_json::{Map, Value};
use std::collections::BTreeSet;
use std::sync::Arc;

/// All that is known, whenever it was recorded.
pub(super) const NOW: u64 = u64::MAX;

/// Why somebody had no right.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lack {
    NotHeld,
    DelegationUnknown,
    DelegationNotInForce,
    DelegationDoesNotCover,
    DelegatorDidNotHold,
}

impl Lack {
    pub(super) fn word(self) -> &'static str {
        match self {
            Lack::NotHeld => "not-held",
            Lack::DelegationUnknown => "delegation-unknown",
            Lack::DelegationNotInForce => "delegation-not-in-force",
            Lack::DelegationDoesNotCover => "delegation-does-not-cover",
            Lack::DelegatorDidNotHold => "delegator-did-not-hold",
        }
    }
}

/// What was recorded of roles and delegations.
pub(super) struct Authority<'a> {
    beside: &'a dyn Beside,
    /// As it stood among the entries below this one, before what was corrected since then.
    before: Option<u64>,
}

impl<'a> Authority<'a> {
    pub(super) fn new(beside: &'a dyn Beside) -> Authority<'a> {
        Authority { beside, before: None }
    }

    /// As it stood among the entries below this one.
    pub(super) fn before(&self, known_to: u64) -> Authority<'a> {
        Authority { beside: self.beside, before: Some(known_to) }
    }

    fn listed(&self, field: &'static str, who: &str) -> Result<Arc<[RowEvent]>> {
        match self.before {
            None => self.beside.listed(field, who),
            Some(known) => Ok(self.beside.before(field, who, known)?.standing),
        }
    }

    /// The corrections, recorded since then, of what gave this vote its rights in these roles.
    pub(super) fn corrected_since(&self, vote: &Told, wanted: Wanted<'_>) -> Result<BTreeSet<u64>> {
        let mut found = BTreeSet::new();
        let Some(known) = self.before else { return Ok(found) };
        let mut holders = self.lenders(&vote.by, wanted, vote.acted_at, known)?;
        holders.insert(vote.by.clone());
        for holder in &holders {
            let corrected = self.beside.before(HOLDER, holder, known)?.corrected.into_iter();
            let roles = corrected
                .filter(|(event, _)| event.text("role").is_some_and(|role| wanted.roles.contains(role)));
            found.extend(roles.map(|(_, by)| by));
        }
        let lent = self.beside.before(LENT_TO, &vote.by, known)?.corrected.into_iter();
        found.extend(lent.map(|(_, by)| by));
        Ok(found)
    }

    /// Which of these events lie inside an import in effect, and which of them.
    pub(super) fn inside(&self, events: &[&Told]) -> Result<Inside> {
        let mut inside = Inside::default();
        for told in events {
            if let Some(import) = import_of(self.beside, &told.source, told.acted_at, told.place)? {
                inside.put(told.seq, import);
            }
        }
        Ok(inside)
    }

    /// Whether any role had been recorded in the ledger by then.
    pub(super) fn any_role(&self, known_to: u64) -> Result<bool> {
        Ok(self.beside.first(ASSIGNED, ANY)?.is_some_and(|first| first < known_to))
    }

    /// Whether the principal holds one of the roles at that moment, itself.
    pub(super) fn holds(
        &self,
        who: &str,
        roles: &BTreeSet<String>,
        at: Timestamp,
        known_to: u64,
    ) -> Result<bool> {
        let events = self.listed(HOLDER, who)?;
        Ok(roles.iter().any(|role| {
            let about = |event: &&RowEvent| {
                event.place < known_to
                    && event.text("principal") == Some(who)
                    && event.text("role") == Some(role)
            };
            let (beginnings, endings): (Vec<_>, Vec<_>) =
                events.iter().filter(about).partition(|event| event.ty == "role.assigned");
            reckon(&beginnings, &endings).in_force(at).next().is_some()
        }))
    }

    /// Who lent this principal a right that covers the kind and the risk, in force at that moment.
    pub(super) fn lenders(
        &self,
        to: &str,
        wanted: Wanted<'_>,
        at: Timestamp,
        known_to: u64,
    ) -> Result<BTreeSet<String>> {
        let events = self.listed(LENT_TO, to)?;
        let about = |event: &&RowEvent| event.place < known_to && event.text("to") == Some(to);
        let (lent, taken_back): (Vec<&RowEvent>, Vec<&RowEvent>) =
            events.iter().filter(about).partition(|event| event.ty == "delegation.granted");
        let in_force = |one: &&&RowEvent| covers(one, wanted) && is_lent(one, &lent, &taken_back, wanted, at);
        let lenders = lent.iter().filter(in_force).filter_map(|one| one.text("from"));
        Ok(lenders.filter(|from| *from != to).map(str::to_owned).collect())
    }

    /// Whose rights this vote may use: the voter's own first, then those lent, by name.
    ///
    /// A right is the right of one person to approve: who holds two of the quorum's roles has one, not two. The capacity
    /// says in which role the vote is cast; without one any of the quorum's will do. Only who holds a role can lend its
    /// right. Which right a vote fills is reckoned from what is recorded, and not from the delegation that it names.
    pub(super) fn rights(&self, vote: &Told, wanted: Wanted<'_>, known_to: u64) -> Result<Vec<String>> {
        if wanted.roles.is_empty() {
            return Ok(vec![vote.by.clone()]);
        }
        let roles = of_capacity(vote, wanted);
        let mut rights = Vec::new();
        if roles.is_empty() {
            return Ok(rights);
        }
        let lenders = self.lenders(&vote.by, wanted, vote.acted_at, known_to)?;
        for holder in std::iter::once(vote.by.clone()).chain(lenders) {
            if self.holds(&holder, &roles, vote.acted_at, known_to)? {
                rights.push(holder);
            }
        }
        Ok(rights)
    }

    /// Why a vote has no right, as far as the delegation that it names tells.
    pub(super) fn lack(&self, vote: &Told, wanted: Wanted<'_>, known_to: u64) -> Result<Lack> {
        let Some(id) = vote.text("delegation") else { return Ok(Lack::NotHeld) };
        let events = self.listed(LENT_TO, &vote.by)?;
        let about = |event: &&RowEvent| {
            event.place < known_to
                && event.text("to") == Some(&vote.by)
                && event.text("delegation") == Some(id)
        };
        let (lent, taken_back): (Vec<&RowEvent>, Vec<&RowEvent>) =
            events.iter().filter(about).partition(|event| event.ty == "delegation.granted");
        if lent.is_empty() {
            return Ok(Lack::DelegationUnknown);
        }
        let mut in_force = lent.iter().filter(|one| is_lent(one, &lent, &taken_back, wanted, vote.acted_at));
        let Some(first) = in_force.next() else { return Ok(Lack::DelegationNotInForce) };
        let covering = std::iter::once(first).chain(in_force).any(|one| covers(one, wanted));
        Ok(if covering { Lack::DelegatorDidNotHold } else { Lack::DelegationDoesNotCover })
    }
}

/// In which of the quorum's roles a vote is cast.
fn of_capacity(vote: &Told, wanted: Wanted<'_>) -> BTreeSet<String> {
    match vote.text("capacity") {
        Some(capacity) => wanted.roles.iter().filter(|role| *role == capacity).cloned().collect(),
        None => wanted.roles.clone(),
    }
}

/// Whether a delegation holds at that moment. A revocation ends those between the same two, of the id that it names where
/// both name one; one that names kinds ends the delegation for these alone.
fn is_lent(
    one: &RowEvent,
    lent: &[&RowEvent],
    taken_back: &[&RowEvent],
    wanted: Wanted<'_>,
    at: Timestamp,
) -> bool {
    let same = |other: &&&RowEvent| {
        let (id, other_id) = (one.text("delegation"), other.text("delegation"));
        other.text("from") == one.text("from") && (id.is_none() || other_id.is_none() || id == other_id)
    };
    let beginnings: Vec<&RowEvent> = lent.iter().filter(same).copied().collect();
    let ends_it = |ending: &&&RowEvent| {
        let kinds = ending.data.get("kinds");
        words(kinds).is_empty() || kinds_cover(kinds, wanted.kind)
    };
    let endings: Vec<&RowEvent> = taken_back.iter().filter(same).filter(ends_it).copied().collect();
    reckon(&beginnings, &endings).in_force(at).any(|stretch| stretch.begun.seq == one.seq)
}

/// The stretches of what was given and taken.
fn reckon(beginnings: &[&RowEvent], endings: &[&RowEvent]) -> Stretches {
    let begun = |event: &&RowEvent| Stretch {
        begun: event.done(),
        from: begins(event.value("valid_from")).unwrap_or(event.effective_at),
        until: ends(event.value("valid_until")),
        cut: None,
        reduced: Vec::new(),
        data: Map::new(),
    };
    let ended = |event: &&RowEvent| Ending {
        done: event.done(),
        effective_at: event.effective_at,
        of: event.value("of").filter(|of| !of.is_null()).map(Identity::named),
        leaves: None,
        data: Map::new(),
    };
    Stretches::reckon(beginnings.iter().map(begun).collect(), endings.iter().map(ended).collect())
}

fn covers(delegation: &RowEvent, wanted: Wanted<'_>) -> bool {
    kinds_cover(delegation.data.get("kinds"), wanted.kind)
        && risk_covers(delegation.text("max_risk"), wanted.risk)
}

/// Whether the kinds of a delegation cover this kind: without the member all; with an empty list none.
fn kinds_cover(kinds: Option<&Value>, kind: Option<&str>) -> bool {
    match (kinds, kind) {
        (None | Some(Value::Null), _) => true,
        (Some(kinds), Some(kind)) => words(Some(kinds)).contains(kind),
        (Some(_), None) => false,
    }
}

/// Whether a delegation up to `max` covers an approval of this risk. One that does not say its risk is taken for a high one.
/// Of words that are not on the scale only the same one covers.
fn risk_covers(max: Option<&str>, risk: Option<&str>) -> bool {
    let Some(max) = max else { return true };
    let risk = risk.unwrap_or("high");
    match (height(max), height(risk)) {
        (Some(max), Some(risk)) => risk <= max,
        _ => max == risk,
    }
}

/// The scale of risks: the catalogue's classes, and the usual other words for them.
fn height(risk: &str) -> Option<u8> {
    match risk {
        "minimal" | "low" => Some(1),
        "limited" | "medium" => Some(2),
        "high" => Some(3),
        "prohibited" | "unacceptable" | "critical" => Some(4),
        _ => None,
    }
}
