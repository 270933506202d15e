//! Who is asking, and what a role lets one do.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a token lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Post events, and read what it posted itself.
    Producer,
    /// Read everything.
    Compliance,
    /// Read everything; the role for regulators and outside auditors.
    Auditor,
    /// Read everything, rotate keys, confirm the clock.
    Admin,
}

impl Role {
    /// All roles, in the order of their power.
    pub const ALL: [Role; 4] = [Role::Producer, Role::Compliance, Role::Auditor, Role::Admin];
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Producer => "producer",
            Role::Compliance => "compliance",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Role::ALL.into_iter().find(|role| role.to_string() == text);
        known.ok_or_else(|| format!("{text:?} is no role; roles are producer, compliance, auditor, admin"))
    }
}

/// An authenticated caller.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Principal {
    /// `app:<id>` or `user:<id>`, as it will stand in entries.
    pub actor: String,
    pub roles: Vec<Role>,
    /// CloudEvents sources it may post for: exact, or a prefix ending in `*`. Empty: any.
    pub sources: Vec<String>,
}

impl Principal {
    /// Whether it has a role.
    #[must_use]
    pub fn has(&self, role: Role) -> bool {
        self.roles.contains(&role)
    }

    /// Whether it may read what others posted.
    #[must_use]
    pub fn reads_all(&self) -> bool {
        self.has(Role::Compliance) || self.has(Role::Auditor) || self.has(Role::Admin)
    }

    /// Whether it may post events of this source.
    #[must_use]
    pub fn may_post_for(&self, source: &str) -> bool {
        let matches = |pattern: &String| match pattern.strip_suffix('*') {
            Some(prefix) => source.starts_with(prefix),
            None => source == pattern,
        };
        self.sources.is_empty() || self.sources.iter().any(matches)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_are_exact_or_prefixes() {
        let mut principal = Principal {
            actor: "app:x".into(),
            roles: vec![Role::Producer],
            sources: vec!["/a".into(), "/b/*".into()],
        };
        assert!(principal.may_post_for("/a") && principal.may_post_for("/b/c"));
        assert!(!principal.may_post_for("/a/x") && !principal.may_post_for("/b"));
        principal.sources.clear();
        assert!(principal.may_post_for("anything"));
    }
}
