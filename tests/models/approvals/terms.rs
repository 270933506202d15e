//! The terms of a round: with other terms an approval is another one (section 3).

use std::collections::BTreeSet;

use serde_json::{Map, Value};

use super::authority::Wanted;
use super::reading::{ends, text, words};
use crate::base::{Fact, Micros};

/// What is asked for: digest, target, kind, quorum, roles, veto, risk class, valid_until, single_use,
/// pillars, requester. Not among them: due_at, rationale, evidence.
#[derive(Clone, Debug, PartialEq)]
pub struct Terms {
    /// `scope_digest`.
    pub scope_digest: Option<Value>,
    /// `target`.
    pub target: Option<Value>,
    /// `kind`.
    pub kind: Option<String>,
    /// `quorum.n`: how many places there are to fill, at least one.
    pub n: usize,
    /// `quorum.roles`.
    pub roles: BTreeSet<String>,
    /// `quorum.veto`.
    pub veto: Veto,
    /// What else the quorum says.
    pub quorum_rest: Map<String, Value>,
    /// `risk_class`.
    pub risk_class: Option<String>,
    /// `valid_until`, as an instant: the same instant written otherwise is the same term.
    pub valid_until: Option<Micros>,
    /// `single_use`.
    pub single_use: bool,
    /// `pillars`.
    pub pillars: BTreeSet<String>,
    /// Who asks.
    pub requester: String,
}

/// Who ends a round alone by a vote against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Veto {
    /// Nobody: votes against reject at the quorum's n.
    None,
    /// Everybody who has a right in the quorum.
    Anybody,
    /// Who has a right by one of these roles.
    Roles(BTreeSet<String>),
}

/// The terms of one opening.
// Choice: the order in which roles and pillars are listed is no term, and a member that is absent is the same
// as its plain default (veto none, single_use false, n one).
pub(super) fn terms(asked: &Fact) -> Terms {
    let member = |name: &str| asked.data.get(name).filter(|value| !value.is_null()).cloned();
    let mut quorum_rest = asked.data.get("quorum").and_then(Value::as_object).cloned().unwrap_or_default();
    let n = quorum_rest.remove("n").and_then(|n| n.as_u64()).unwrap_or(1).max(1);
    Terms {
        scope_digest: member("scope_digest"),
        target: member("target"),
        kind: text(asked, "kind").map(str::to_owned),
        n: usize::try_from(n).unwrap_or(usize::MAX),
        roles: words(quorum_rest.remove("roles").as_ref()),
        veto: veto(quorum_rest.remove("veto").as_ref()),
        quorum_rest,
        risk_class: text(asked, "risk_class").map(str::to_owned),
        valid_until: ends(asked.data.get("valid_until")),
        single_use: asked.data.get("single_use").and_then(Value::as_bool).unwrap_or(false),
        pillars: words(asked.data.get("pillars")),
        requester: text(asked, "requester").unwrap_or(&asked.by).to_owned(),
    }
}

impl Terms {
    /// What a vote on these terms has to have a right for.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted { roles: &self.roles, kind: self.kind.as_deref(), risk: self.risk_class.as_deref() }
    }
}

/// Who may veto: `true` for everybody with a right, or the roles that the quorum names.
// Choice: the page says only that there is a veto or none; both ways of writing it are read.
fn veto(stated: Option<&Value>) -> Veto {
    match stated {
        Some(Value::Bool(true)) => Veto::Anybody,
        Some(value) if !words(Some(value)).is_empty() => Veto::Roles(words(Some(value))),
        _ => Veto::None,
    }
}
