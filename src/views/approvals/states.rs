//! How an approval, or one of its rounds, may stand; and which of it is possible whatever roles and delegations say.

use super::terms::Terms;
use super::told::{Act, Told};
use std::collections::BTreeSet;

/// Nobody asked: votes came before their request, or without one.
pub(super) const UNOPENED: &str = "unopened";
/// Asked for; no vote for it counts.
pub(super) const PENDING: &str = "pending";
/// At least one vote for it counts, with or without authority.
pub(super) const PARTIAL: &str = "partial";
/// The quorum is reached by the count of votes alone: still open.
pub(super) const GRANTED_UNVERIFIED: &str = "granted-unverified";
/// The quorum is reached by votes with authority.
pub(super) const GRANTED: &str = "granted";
/// Ended by votes against.
pub(super) const REJECTED: &str = "rejected";
/// Ended by its requester, or a holder of a quorum role, before it was granted.
pub(super) const WITHDRAWN: &str = "withdrawn";
/// Ended by a revocation.
pub(super) const REVOKED: &str = "revoked";
/// Granted, and past its end.
pub(super) const EXPIRED: &str = "expired";

/// All of them.
pub(super) const ALL: &[&str] =
    &[UNOPENED, PENDING, PARTIAL, GRANTED_UNVERIFIED, GRANTED, REJECTED, WITHDRAWN, REVOKED, EXPIRED];

/// The states in which an approval may be found once all of this has been done.
///
/// Only what is simple is narrowed down: one opening, and nothing but votes in favour.
pub(super) fn possible(told: &[Told]) -> Vec<&'static str> {
    let mut openings = told.iter().filter(|told| told.act == Act::Requested);
    let Some(asked) = openings.next() else { return vec![UNOPENED] };
    let simple = |told: &Told| matches!(told.act, Act::Requested | Act::Granted | Act::ConditionMet);
    if openings.next().is_some() || !told.iter().all(simple) {
        let granted = [GRANTED_UNVERIFIED, GRANTED, REJECTED, WITHDRAWN, REVOKED, EXPIRED];
        return [PENDING, PARTIAL].into_iter().chain(granted).collect();
    }
    let votes = || told.iter().filter(|told| told.act == Act::Granted);
    let voters: BTreeSet<&str> = votes().map(|vote| vote.by.as_str()).collect();
    let terms = Terms::of(asked);
    if voters.is_empty() {
        return vec![PENDING];
    }
    if voters.len() < terms.n {
        return vec![PENDING, PARTIAL];
    }
    let counts = |vote: &Told| {
        vote.acted_at >= asked.acted_at
            && terms.valid_until.is_none()
            && vote.data.get("scope_digest").is_none_or(|digest| Some(digest) == terms.scope_digest.as_ref())
            && terms.asks_for(vote.text("capacity"), true)
    };
    let reached = [GRANTED_UNVERIFIED, GRANTED, EXPIRED];
    if votes().all(counts) {
        return reached.to_vec();
    }
    [PENDING, PARTIAL].into_iter().chain(reached).collect()
}
