//! Which engines there are, and what an operator is told of them.

use std::fmt;
use std::str::FromStr;

/// Which engine keeps the store.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum EngineKind {
    /// A log-structured merge tree: steady append rate, small memory.
    #[default]
    Fjall,
    /// A lock-free B-tree on a log. It takes memory and start-up time in proportion to what it holds: see
    /// [`EngineKind::warning`].
    #[cfg(feature = "sled")]
    Sled,
}

/// Entries of a ledger up to which sled is at ease.
///
/// Reason: with index and views it may then take 2.5 GB, which a small server can spare; fjall takes a tenth.
#[cfg(feature = "sled")]
const SLED_AT_EASE: u64 = 200_000;

/// Memory that sled takes for an entry at most, with index and views: the highest that was measured. It takes most while
/// both are made in one go, and far less of small events that come at some thousand a second.
const SLED_BYTES_AN_ENTRY: u64 = 12_600;

impl EngineKind {
    /// The engines of this build.
    pub const ALL: &[EngineKind] = &[
        EngineKind::Fjall,
        #[cfg(feature = "sled")]
        EngineKind::Sled,
    ];

    /// The names of all engines there ever were: of a store's folder, those that are not in use are removed.
    pub const FOLDERS: [&str; 2] = ["fjall", "sled"];

    /// The engine's name, as written on the command line.
    #[must_use]
    pub fn name(self) -> &'static str {
        match self {
            EngineKind::Fjall => "fjall",
            #[cfg(feature = "sled")]
            EngineKind::Sled => "sled",
        }
    }

    /// The number of entries from which on [`EngineKind::warning`] has something to say.
    #[must_use]
    pub fn warns_beyond(self) -> Option<u64> {
        match self {
            EngineKind::Fjall => None,
            #[cfg(feature = "sled")]
            EngineKind::Sled => Some(SLED_AT_EASE),
        }
    }

    /// What whoever runs a ledger of so many entries with this engine has to know.
    #[must_use]
    pub fn warning(self, entries: u64) -> Option<String> {
        self.warns_beyond().filter(|most| entries > *most).map(|_| {
            format!(
                "{self} keeps all that it holds in memory: for {entries} entries up to {} MB ({:.1} kB an entry), and it \
                 grows with the ledger; fjall, the default, does not. Stop the ledger, say index = \"fjall\" in \
                 daybook.toml, and start it: index and views are then made anew from the log",
                entries * SLED_BYTES_AN_ENTRY / 1_000_000,
                SLED_BYTES_AN_ENTRY as f64 / 1_000.0,
            )
        })
    }
}

impl fmt::Display for EngineKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for EngineKind {
    type Err = UnknownEngine;

    fn from_str(name: &str) -> Result<Self, UnknownEngine> {
        match name {
            "fjall" => Ok(EngineKind::Fjall),
            #[cfg(feature = "sled")]
            "sled" => Ok(EngineKind::Sled),
            _ => Err(UnknownEngine(name.to_owned())),
        }
    }
}

/// A name that is no engine of this build.
#[derive(Debug, thiserror::Error)]
#[error("no index engine {0:?}; there is {known}", known = names())]
pub struct UnknownEngine(String);

fn names() -> String {
    EngineKind::ALL.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(" and ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_engine_is_refused_with_those_that_there_are() {
        let error = "rocks".parse::<EngineKind>().unwrap_err().to_string();
        assert_eq!(error, r#"no index engine "rocks"; there is fjall and sled"#);
        for kind in EngineKind::ALL {
            assert_eq!(kind.name().parse::<EngineKind>().unwrap(), *kind);
        }
    }

    #[test]
    fn sled_warns_of_its_memory_beyond_200_000_entries_and_fjall_never() {
        assert_eq!(EngineKind::Sled.warning(200_000), None);
        let warning = EngineKind::Sled.warning(200_001).unwrap();
        assert!(warning.contains("2520 MB (12.6 kB an entry)"), "{warning}");
        assert_eq!(EngineKind::Fjall.warning(u64::MAX), None);
    }
}
