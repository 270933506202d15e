//! Who had which right, when, and as far as the ledger knew: roles and delegations as stretches (section 4).

use std::collections::BTreeSet;

use serde_json::Value;

use super::Annulled;
use super::reading::{FIVE_MINUTES, before, begins, effective, ends, names, text, words};
use crate::base::{Fact, Micros};
use crate::corrections::{Import, imports};

/// What was recorded of roles, delegations and imports.
pub(super) struct Authority<'a> {
    assigned: Vec<&'a Fact>,
    unassigned: Vec<&'a Fact>,
    lent: Vec<&'a Fact>,
    taken_back: Vec<&'a Fact>,
    imports: Vec<Import>,
    facts: Vec<&'a Fact>,
    annulled: Vec<&'a Annulled>,
}

/// All that is known, whenever it was recorded.
pub(super) const NOW: u64 = u64::MAX;

/// What a vote has to have a right for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) roles: &'a BTreeSet<String>,
    pub(super) kind: Option<&'a str>,
    pub(super) risk: Option<&'a str>,
}

impl<'a> Authority<'a> {
    pub(super) fn new(facts: &[&'a Fact], annulled: &[&'a Annulled]) -> Self {
        let of = |ty: &str| facts.iter().copied().filter(|fact| fact.ty == ty).collect::<Vec<_>>();
        // Whatever says that two identifiers are one, or confirms something, has a say in what is in effect.
        let has_a_say = |fact: &&&Fact| {
            fact.ty.starts_with("import.") || fact.ty == "act.confirmed" || fact.ty == "principal.same_as"
        };
        let about: Vec<Fact> = facts.iter().filter(has_a_say).map(|fact| Fact::clone(fact)).collect();
        Self {
            assigned: of("role.assigned"),
            unassigned: of("role.unassigned"),
            lent: of("delegation.granted"),
            taken_back: of("delegation.revoked"),
            imports: imports(&about),
            facts: facts.to_vec(),
            annulled: annulled.to_vec(),
        }
    }

    /// As it stood among what an act is judged by: with what was annulled only later.
    pub(super) fn when_judged(&self, act: &Fact) -> Authority<'a> {
        let known_to = self.known_to(act);
        let later = self.annulled.iter().filter(|one| one.by >= known_to).map(|one| &one.fact);
        let facts: Vec<&Fact> = self.facts.iter().copied().chain(later).collect();
        Authority::new(&facts, &[])
    }

    /// Below which place an act is judged: what was recorded before it (section 3); for one inside an import,
    /// what was known at the import's end (section 4). An import that is not closed has not ended: all that
    /// is known.
    // Choice: of several imports that hold it, the one that was opened last.
    pub(super) fn known_to(&self, act: &Fact) -> u64 {
        if !act.imported {
            return act.place;
        }
        let import = self.imports.iter().rfind(|import| import.holds(act));
        import.and_then(|import| import.closed).unwrap_or(NOW)
    }

    /// Whether any role had been recorded in the ledger (section 3, `no-roles-recorded`).
    pub(super) fn any_role(&self, known_to: u64) -> bool {
        self.assigned.iter().any(|fact| fact.place < known_to)
    }

    /// Whether the principal holds one of the roles at that moment, itself.
    pub(super) fn holds(&self, who: &str, roles: &BTreeSet<String>, at: Micros, known_to: u64) -> bool {
        roles.iter().any(|role| {
            let about = |fact: &&Fact| {
                fact.place < known_to
                    && text(fact, "principal") == Some(who)
                    && text(fact, "role") == Some(role)
            };
            in_force(&pick(&self.assigned, about), &pick(&self.unassigned, about), at)
        })
    }

    /// Who lent this principal a right that covers the kind and the risk, in force at that moment.
    pub(super) fn lenders(
        &self,
        to: &str,
        wanted: Wanted<'_>,
        at: Micros,
        known_to: u64,
    ) -> BTreeSet<String> {
        let from: BTreeSet<&str> = pick(&self.lent, |fact| text(fact, "to") == Some(to))
            .into_iter()
            .filter_map(|fact| text(fact, "from"))
            .filter(|from| *from != to)
            .collect();
        from.into_iter()
            .filter(|from| {
                let about = |fact: &&Fact| {
                    fact.place < known_to && text(fact, "from") == Some(from) && text(fact, "to") == Some(to)
                };
                // All between the two are beginnings, so that an ending finds the one that it is about. Which
                // of them cover this approval is asked only of those that stand.
                let beginnings = pick(&self.lent, about);
                // Choice: a revocation that names kinds ends the delegation for these; one that names none,
                // for all.
                let endings = pick(&self.taken_back, |fact| about(fact) && kinds_cover(fact, wanted.kind));
                beginnings.iter().any(|beginning| {
                    // Choice: a delegation has an id of its own (its events name it), and an ending that names
                    // another id is about another delegation.
                    let beginnings = pick(&beginnings, |fact| same_delegation(fact, beginning));
                    let endings = pick(&endings, |fact| same_delegation(fact, beginning));
                    kinds_cover(beginning, wanted.kind)
                        && risk_covers(text(beginning, "max_risk"), wanted.risk)
                        && stretch(beginning, &beginnings, &endings).holds(at)
                })
            })
            .map(str::to_owned)
            .collect()
    }

    /// Whose rights this vote may use: the voter's own first, then those lent, by name.
    ///
    /// A right is the right of one *person* to approve.
    // Choice: who holds two of the quorum's roles has one right, not two: otherwise one person would fill two
    // places, the second by a delegate.
    // Choice: `capacity` says in which role the vote is cast. A capacity that is none of the quorum's roles
    // gives no right, also if the voter holds one of them beside it. Without a capacity any of the quorum's
    // roles will do.
    // Choice: a quorum without roles asks for none, so that nobody lacks one.
    // Choice: `delegation` in a vote is what the voter says; which right it fills is reckoned from what is
    // recorded.
    pub(super) fn rights(&self, vote: &Fact, wanted: Wanted<'_>, known_to: u64) -> Vec<String> {
        if wanted.roles.is_empty() {
            return vec![vote.by.clone()];
        }
        let roles: BTreeSet<String> = match text(vote, "capacity") {
            Some(capacity) => wanted.roles.iter().filter(|role| *role == capacity).cloned().collect(),
            None => wanted.roles.clone(),
        };
        // "No delegation of a delegation" (CATALOG): only who holds a role can lend the right of it.
        let lenders = self.lenders(&vote.by, wanted, vote.act, known_to);
        std::iter::once(vote.by.clone())
            .chain(lenders)
            .filter(|holder| self.holds(holder, &roles, vote.act, known_to))
            .collect()
    }
}

/// From when to when one beginning holds: `[from, until)`.
pub(super) struct Stretch {
    from: Micros,
    until: Micros,
}

impl Stretch {
    fn holds(&self, at: Micros) -> bool {
        self.from <= at && at < self.until
    }
}

/// Whether any of the stretches holds at that moment.
fn in_force(beginnings: &[&Fact], endings: &[&Fact], at: Micros) -> bool {
    beginnings.iter().any(|beginning| stretch(beginning, beginnings, endings).holds(at))
}

/// The stretch of one beginning, cut by the endings that are about it: at the ending's effective moment, and
/// empty where that lies before `from` (section 4, "Valid time decides when").
fn stretch(beginning: &Fact, beginnings: &[&Fact], endings: &[&Fact]) -> Stretch {
    let from = starts(beginning);
    let own_end = ends(beginning.data.get("valid_until")).unwrap_or(Micros::MAX);
    let cut = endings
        .iter()
        .filter(|ending| is_about(ending, beginning, beginnings))
        .map(|ending| effective(ending));
    let until = cut.fold(own_end, Micros::min);
    Stretch { from, until: until.max(from) }
}

fn starts(beginning: &Fact) -> Micros {
    begins(beginning.data.get("valid_from")).unwrap_or_else(|| effective(beginning))
}

/// Which beginnings an ending ends (section 4): what was done before it; where it names one (`of`), that one.
///
/// Told early: an ending is about what was begun after it only if nothing had been begun before it (or if it
/// names it). Then it ends the first beginning, if that came within five minutes, or if it takes effect at or
/// after its `from`.
// Choice: an ending that follows any beginning is about that one, also if it had ended before: else a second
// telling of an ending would end what was begun anew a minute later, and "what was done after it stands
// anew".
fn is_about(ending: &Fact, beginning: &Fact, beginnings: &[&Fact]) -> bool {
    let told_early =
        beginning.act.saturating_sub(ending.act) <= FIVE_MINUTES || effective(ending) >= starts(beginning);
    match ending.data.get("of") {
        Some(of) => names(of, beginning) && (before(beginning, ending) || told_early),
        None if before(beginning, ending) => true,
        None => {
            let is_first =
                beginnings.iter().all(|other| other.seq == beginning.seq || before(beginning, other));
            is_first && told_early
        }
    }
}

/// Whether the kinds of a delegation, or of its revocation, cover this kind.
// Choice: without the member, all kinds; with an empty list, none is named: a delegation lends nothing by it.
fn kinds_cover(fact: &Fact, kind: Option<&str>) -> bool {
    match (fact.data.get("kinds"), kind) {
        (None | Some(Value::Null), _) => true,
        (Some(kinds), _) if fact.ty == "delegation.revoked" && words(Some(kinds)).is_empty() => true,
        (Some(kinds), Some(kind)) => words(Some(kinds)).contains(kind),
        (Some(_), None) => false,
    }
}

/// Whether two events are about one delegation, as far as they name one.
fn same_delegation(one: &Fact, other: &Fact) -> bool {
    let (id, other_id) = (text(one, "delegation"), text(other, "delegation"));
    id.is_none() || other_id.is_none() || id == other_id
}

/// Whether a delegation up to `max` covers an approval of this risk.
// Choice: an approval without a risk class is taken for one of high risk: else whoever asks leaves it out. Of
// words that are not in the scale only the same one covers.
fn risk_covers(max: Option<&str>, risk: Option<&str>) -> bool {
    let Some(max) = max else {
        return true;
    };
    let risk = risk.unwrap_or("high");
    match (height(max), height(risk)) {
        (Some(max), Some(risk)) => risk <= max,
        _ => max == risk,
    }
}

/// The scale of risks: the catalogue's tiers, and the usual other words for them.
fn height(risk: &str) -> Option<u8> {
    match risk {
        "minimal" | "low" => Some(1),
        "limited" | "medium" => Some(2),
        "high" => Some(3),
        "prohibited" | "unacceptable" | "critical" => Some(4),
        _ => None,
    }
}

fn pick<'a>(facts: &[&'a Fact], wanted: impl Fn(&&'a Fact) -> bool) -> Vec<&'a Fact> {
    facts.iter().copied().filter(wanted).collect()
}
