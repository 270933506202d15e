//! Who can reach what, from grants and roles: pure, so that it can be looked at.

use super::cover::Grantee;
use crate::spec::time::Timestamp;
use crate::views::access::resource;
use crate::views::stretches::Stretch;
use serde_json::Value;

/// One way by which somebody can reach something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Who.
    pub principal: String,
    /// What, as kind and id.
    pub resource: String,
    /// Where.
    pub environment: String,
    /// What may be done with it.
    pub operations: Vec<String>,
    /// For which purpose.
    pub purpose: String,
    /// The grant.
    pub grant: String,
    /// The role that the grant was given to, where it was given to a role.
    pub through_role: Option<String>,
    /// From when the grant counts.
    pub valid_from: Option<Timestamp>,
    /// Until when it counts.
    pub valid_until: Option<Timestamp>,
    /// Who granted it.
    pub granted_by: Option<String>,
    /// The approval that it rests on.
    pub approval: Option<String>,
    /// The agreement between the units, where they differ.
    pub agreement: Option<String>,
    /// The entry that granted it.
    pub entry: u64,
}

/// What is asked of a grant beside its resource.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Only grants that permit this.
    pub operation: Option<&'a str>,
    /// Only grants for this environment.
    pub environment: Option<&'a str>,
    /// Only grants for this purpose.
    pub purpose: Option<&'a str>,
}

impl Wanted<'_> {
    /// Whether a stretch of a grant is one of those at a time.
    #[must_use]
    pub fn fits(&self, stretch: &Stretch, at: Timestamp) -> bool {
        let text = |name: &str| stretch.data.get(name)?.as_str();
        let environment = stretch.data.get("resource").and_then(|of| of.get("environment")?.as_str());
        self.operation
            .is_none_or(|wanted| operations(stretch, at).iter().any(|operation| operation == wanted))
            && self.environment.is_none_or(|wanted| environment == Some(wanted))
            && self.purpose.is_none_or(|wanted| text("purpose") == Some(wanted))
    }
}

/// What may still be done by a stretch of a grant at a time.
fn operations(stretch: &Stretch, at: Timestamp) -> Vec<String> {
    let items = stretch.data.get("operations").and_then(Value::as_array).into_iter().flatten();
    stretch.left_of(items.filter_map(|item| item.as_str().map(str::to_owned)).collect(), at)
}

/// To whom a stretch of a grant is; none if it does not say.
#[must_use]
pub fn grantee(stretch: &Stretch) -> Option<Grantee<'_>> {
    let text = |name: &str| stretch.data.get("grantee")?.get(name)?.as_str();
    let id = text("id")?;
    Some(if text("kind") == Some("role") { Grantee::Role(id) } else { Grantee::Principal(id) })
}

/// The way that a stretch of a grant opens at a time to its grantee, or to one who holds the role that it was given to.
#[must_use]
pub fn way(grant: &str, stretch: &Stretch, (principal, role): (&str, Option<&str>), at: Timestamp) -> Reach {
    let value = |name: &str| stretch.data.get(name);
    let text = |name: &str| value(name).and_then(Value::as_str).map(str::to_owned);
    let environment = value("resource").and_then(|of| of.get("environment")?.as_str());
    Reach {
        principal: principal.to_owned(),
        resource: value("resource").and_then(resource).unwrap_or_default(),
        environment: environment.unwrap_or_default().to_owned(),
        operations: operations(stretch, at),
        purpose: text("purpose").unwrap_or_default(),
        grant: grant.to_owned(),
        through_role: role.map(str::to_owned),
        valid_from: Some(stretch.from),
        valid_until: stretch.end(),
        granted_by: text("by"),
        approval: text("approval"),
        agreement: text("agreement"),
        entry: stretch.begun.seq,
    }
}
