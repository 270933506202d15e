//! With which authority a vote was cast: by a role held at that moment, or by one that was lent.

use crate::spec::time::Timestamp;

/// A stretch in which somebody held a role.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// Who.
    pub principal: String,
    /// Which role.
    pub role: String,
    /// From when …
    pub from: Option<Timestamp>,
    /// … until when, that moment not included.
    pub until: Option<Timestamp>,
}

/// A right to vote, lent.
#[derive(Clone, Debug, PartialEq)]
pub struct Delegation {
    /// Its id.
    pub id: String,
    /// Whose right it is.
    pub from: String,
    /// Who may use it.
    pub to: String,
    /// For which kinds of approval.
    pub kinds: Vec<String>,
    /// Up to which risk class.
    pub max_risk: String,
    /// From when …
    pub valid_from: Option<Timestamp>,
    /// … until when, revocation included.
    pub until: Option<Timestamp>,
}

/// A vote, as far as authority depends on it.
#[derive(Clone, Debug, PartialEq)]
pub struct Vote {
    /// Who voted.
    pub by: String,
    /// In which role.
    pub capacity: String,
    /// Under which delegation.
    pub delegation: Option<String>,
    /// When.
    pub at: Timestamp,
}

/// With which authority a vote was cast.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The voter held the role.
    Held,
    /// The voter used the right of somebody who held the role.
    Delegated {
        /// Whose right it is.
        from: String,
    },
    /// The voter did not hold the role, and named no delegation.
    NotHeld,
    /// There was no such delegation to the voter.
    DelegationUnknown,
    /// The delegation was not in force at that moment.
    DelegationNotInForce,
    /// The delegation does not cover this kind of approval, or not this risk.
    DelegationDoesNotCover,
    /// Whoever lent the right did not hold the role. A right that was lent cannot be lent on.
    DelegatorDidNotHold,
    /// Whoever lent the right voted too: one person, one vote.
    DelegatorVotedToo,
}

impl Authority {
    /// Whether the vote had the authority that it claimed.
    #[must_use]
    pub fn holds(&self) -> bool {
        matches!(self, Authority::Held | Authority::Delegated { .. })
    }
}

/// With which authority each of these votes was cast, on an approval of a kind and risk class.
#[must_use]
pub fn authorities(
    votes: &[Vote],
    (kind, risk): (&str, Option<&str>),
    holdings: &[Holding],
    delegations: &[Delegation],
) -> Vec<Authority> {
    let holds = |principal: &str, role: &str, at: Timestamp| {
        holdings.iter().any(|holding| {
            holding.principal == principal && holding.role == role && within(at, holding.from, holding.until)
        })
    };
    let one = |vote: &Vote| {
        let Some(id) = &vote.delegation else {
            return if holds(&vote.by, &vote.capacity, vote.at) {
                Authority::Held
            } else {
                Authority::NotHeld
            };
        };
        let Some(lent) = delegations.iter().find(|lent| lent.id == *id && lent.to == vote.by) else {
            return Authority::DelegationUnknown;
        };
        if !within(vote.at, lent.valid_from, lent.until) {
            return Authority::DelegationNotInForce;
        }
        if !lent.kinds.iter().any(|covered| covered == kind) || class(risk) > class(Some(&lent.max_risk)) {
            return Authority::DelegationDoesNotCover;
        }
        if !holds(&lent.from, &vote.capacity, vote.at) {
            return Authority::DelegatorDidNotHold;
        }
        if votes.iter().any(|other| other.by == lent.from && other.delegation.is_none()) {
            return Authority::DelegatorVotedToo;
        }
        Authority::Delegated { from: lent.from.clone() }
    };
    votes.iter().map(one).collect()
}

fn within(at: Timestamp, from: Option<Timestamp>, until: Option<Timestamp>) -> bool {
    from.is_none_or(|from| from <= at) && until.is_none_or(|until| at < until)
}

/// Risk classes in their order. An approval without one is taken for the highest.
fn class(name: Option<&str>) -> u8 {
    match name {
        Some("minimal") => 0,
        Some("limited") => 1,
        _ => 2,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(micros: i64) -> Timestamp {
        Timestamp::clamped(micros)
    }

    fn held(principal: &str, role: &str, from: i64, until: Option<i64>) -> Holding {
        Holding { principal: principal.into(), role: role.into(), from: Some(at(from)), until: until.map(at) }
    }

    fn lent(from: &str, to: &str, max_risk: &str) -> Delegation {
        Delegation {
            id: "D".into(),
            from: from.into(),
            to: to.into(),
            kinds: vec!["data-access".into()],
            max_risk: max_risk.into(),
            valid_from: Some(at(10)),
            until: Some(at(20)),
        }
    }

    fn vote(by: &str, delegation: Option<&str>, when: i64) -> Vote {
        let delegation = delegation.map(str::to_owned);
        Vote { by: by.into(), capacity: "risk-officer".into(), delegation, at: at(when) }
    }

    fn of(votes: &[Vote], risk: &str, delegations: &[Delegation]) -> Vec<Authority> {
        let holdings = [held("ann", "risk-officer", 5, Some(30)), held("bob", "clerk", 0, None)];
        authorities(votes, ("data-access", Some(risk)), &holdings, delegations)
    }

    #[test]
    fn a_role_counts_from_its_first_moment_to_its_last() {
        for (at, expected) in
            [(4, Authority::NotHeld), (5, Authority::Held), (29, Authority::Held), (30, Authority::NotHeld)]
        {
            assert_eq!(of(&[vote("ann", None, at)], "high", &[]), [expected]);
        }
    }

    #[test]
    fn a_right_is_lent_for_a_time_a_kind_and_a_risk_and_not_lent_on() {
        let by_bob = |at| [vote("bob", Some("D"), at)];
        let ann = [lent("ann", "bob", "limited")];
        assert_eq!(of(&by_bob(12), "limited", &ann), [Authority::Delegated { from: "ann".into() }]);
        assert_eq!(of(&by_bob(12), "high", &ann), [Authority::DelegationDoesNotCover]);
        assert_eq!(of(&by_bob(20), "limited", &ann), [Authority::DelegationNotInForce]);
        assert_eq!(of(&by_bob(12), "limited", &[]), [Authority::DelegationUnknown]);
        assert_eq!(of(&[vote("eve", Some("D"), 12)], "limited", &ann), [Authority::DelegationUnknown]);
        let eve = [lent("eve", "bob", "limited")];
        assert_eq!(of(&by_bob(12), "limited", &eve), [Authority::DelegatorDidNotHold]);
    }

    #[test]
    fn one_person_has_one_vote_also_through_another() {
        let votes = [vote("bob", Some("D"), 12), vote("ann", None, 13)];
        let expected = [Authority::DelegatorVotedToo, Authority::Held];
        assert_eq!(of(&votes, "limited", &[lent("ann", "bob", "limited")]), expected);
    }
}
