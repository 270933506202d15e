//! What a role lets one do. These are the ledger's own rights; what somebody is in the organisation (risk officer, data
//! owner) is recorded like everything else and looked up in views.

use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;

/// What a token lets its holder do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Post events, and read what it posted itself.
    Producer,
    /// Read everything.
    Compliance,
    /// Read everything; the role for regulators and outside auditors.
    Auditor,
    /// Read everything, rotate keys, confirm the clock, change the catalogue.
    Admin,
    /// Correct events of any source.
    Corrector,
    /// Say for any source what it has posted.
    Reconciler,
    /// Bring in history.
    Importer,
    /// Answer people who ask for what is kept of them, or for its end.
    Privacy,
    /// See figures of groups so small that somebody could be meant.
    SpecialCategories,
    /// Place holds on what would otherwise be erased, and release them.
    HoldKeeper,
    /// Nothing but what everybody with a token may: for those who are invited to something else.
    Guest,
}

impl Role {
    /// All roles.
    pub const ALL: [Role; 11] = [
        Role::Producer,
        Role::Compliance,
        Role::Auditor,
        Role::Admin,
        Role::Corrector,
        Role::Reconciler,
        Role::Importer,
        Role::Privacy,
        Role::SpecialCategories,
        Role::HoldKeeper,
        Role::Guest,
    ];

    /// Types of event that come with the role: its tokens need not name them. Beside a [`Role::Producer`]'s, nothing else is
    /// posted.
    #[must_use]
    pub fn types(self) -> &'static [&'static str] {
        match self {
            Role::Admin => &["catalog.published"],
            Role::Corrector => &["event.corrected"],
            Role::Reconciler => &["source.reconciled"],
            Role::Importer => &["import.opened", "import.closed"],
            Role::Privacy => &["erasure.*", "person.*"],
            Role::HoldKeeper => &["hold.*"],
            Role::Producer | Role::Compliance | Role::Auditor | Role::SpecialCategories | Role::Guest => &[],
        }
    }

    /// Whether the types that come with it are for its tokens alone, whatever else a token names.
    #[must_use]
    pub fn alone(self) -> bool {
        matches!(self, Role::Admin | Role::Importer)
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Role::Producer => "producer",
            Role::Compliance => "compliance",
            Role::Auditor => "auditor",
            Role::Admin => "admin",
            Role::Corrector => "corrector",
            Role::Reconciler => "reconciler",
            Role::Importer => "importer",
            Role::Privacy => "privacy",
            Role::SpecialCategories => "special-categories",
            Role::HoldKeeper => "hold-keeper",
            Role::Guest => "guest",
        })
    }
}

impl FromStr for Role {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let known = Role::ALL.into_iter().find(|role| role.to_string() == text);
        known.ok_or_else(|| {
            let all = Role::ALL.map(|role| role.to_string()).join(", ");
            format!("{text:?} is no role; roles are {all}")
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_role_is_written_in_the_token_file_as_it_is_read_from_the_command_line() {
        for role in Role::ALL {
            assert_eq!(role.to_string().parse(), Ok(role));
            assert_eq!(serde_json::to_string(&role).unwrap(), format!("\"{role}\""));
        }
        assert!("wizard".parse::<Role>().unwrap_err().contains("hold-keeper"));
    }
}
