//! The terms of a round: with other terms an approval is another one.

use super::told::Told;
use crate::spec::time::Timestamp;
use crate::views::stretches::ends;
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// What is asked for. Not among it: `due_at`, `rationale`, `evidence`.
///
/// The order of roles and pillars is no term, and a member that is absent is the same as its plain default: no veto, not
/// for single use, one vote.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Terms {
    pub(super) scope_digest: Option<Value>,
    target: Option<Value>,
    kind: Option<String>,
    /// How many places there are to fill, at least one.
    pub(super) n: usize,
    pub(super) roles: BTreeSet<String>,
    pub(super) veto: Veto,
    quorum_rest: Map<String, Value>,
    risk_class: Option<String>,
    /// As an instant: the same one written otherwise is the same term.
    pub(super) valid_until: Option<Timestamp>,
    single_use: bool,
    pub(super) pillars: BTreeSet<String>,
    pub(super) requester: String,
}

/// Who ends a round alone by a vote against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Veto {
    /// Nobody: votes against reject at the quorum's n.
    None,
    /// Everybody who has a right in the quorum.
    Anybody,
    /// Who has a right by one of these roles.
    Roles(BTreeSet<String>),
}

/// What a vote has to have a right for.
#[derive(Clone, Copy)]
pub(super) struct Wanted<'a> {
    pub(super) roles: &'a BTreeSet<String>,
    pub(super) kind: Option<&'a str>,
    pub(super) risk: Option<&'a str>,
}

impl Terms {
    /// Those of an opening.
    pub(super) fn of(asked: &Told) -> Terms {
        let member = |name: &str| asked.data.get(name).filter(|value| !value.is_null()).cloned();
        let mut quorum_rest =
            asked.data.get("quorum").and_then(Value::as_object).cloned().unwrap_or_default();
        let n = quorum_rest.remove("n").and_then(|n| n.as_u64()).unwrap_or(1).max(1);
        let veto = match quorum_rest.remove("veto") {
            Some(Value::Bool(true)) => Veto::Anybody,
            stated => {
                Some(words(stated.as_ref())).filter(|roles| !roles.is_empty()).map_or(Veto::None, Veto::Roles)
            }
        };
        Terms {
            scope_digest: member("scope_digest"),
            target: member("target"),
            kind: asked.text("kind").map(str::to_owned),
            n: usize::try_from(n).unwrap_or(usize::MAX),
            roles: words(quorum_rest.remove("roles").as_ref()),
            veto,
            quorum_rest,
            risk_class: asked.text("risk_class").map(str::to_owned),
            valid_until: ends(asked.data.get("valid_until")),
            single_use: asked.data.get("single_use") == Some(&Value::Bool(true)),
            pillars: words(asked.data.get("pillars")),
            requester: asked.text("requester").unwrap_or(&asked.by).to_owned(),
        }
    }

    /// What a vote on these terms has to have a right for.
    pub(super) fn wanted(&self) -> Wanted<'_> {
        Wanted { roles: &self.roles, kind: self.kind.as_deref(), risk: self.risk_class.as_deref() }
    }

    /// Whether a vote in this capacity is one of this quorum. A quorum without roles asks for none.
    pub(super) fn asks_for(&self, capacity: Option<&str>, for_it: bool) -> bool {
        let Some(capacity) = capacity else { return true };
        let vetoes = matches!(&self.veto, Veto::Roles(roles) if !for_it && roles.contains(capacity));
        self.roles.is_empty() || self.roles.contains(capacity) || vetoes
    }
}

/// What an opening says of its terms, as it said it.
pub(super) fn shown(asked: &Told) -> Map<String, Value> {
    let named =
        ["kind", "target", "scope_digest", "pillars", "quorum", "risk_class", "valid_until", "single_use"];
    let said = named.into_iter().filter_map(|name| Some((name.to_owned(), asked.data.get(name)?.clone())));
    let mut shown: Map<String, Value> = said.collect();
    let requester = asked.text("requester").unwrap_or(&asked.by);
    shown.insert("requested_by".to_owned(), requester.into());
    shown
}

/// A list of texts, or one text alone, as a set.
pub(super) fn words(value: Option<&Value>) -> BTreeSet<String> {
    match value {
        Some(Value::String(word)) => BTreeSet::from([word.clone()]),
        Some(Value::Array(items)) => items.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => BTreeSet::new(),
    }
}
