//! Fairness: selection rates by group and impact ratios, from tallies and from observations that concern nobody.
//!
//! Protected attributes of single people are not in the ledger: what is, are tallies (`fairness.tallied`), and observations
//! of types that are declared to concern no identifiable person (`fairness.observed`). An impact ratio is a group's
//! selection rate over the highest group's. A ratio under four fifths is an indicator to look closer, not a verdict; and
//! ratios of small groups say little, so those are marked and never taken for the highest.

pub mod tallies;

pub use tallies::Tallies;

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Attribute and value, such as `sex` and `female`.
pub type Group = BTreeMap<String, String>;

/// People of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Cell {
    /// Which group.
    pub group: Group,
    /// How many were assessed.
    pub n: u64,
    /// How many of them were selected.
    pub selected: u64,
    /// How many of them scored above the median, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub above_median: Option<u64>,
}

/// What one tally says, or the observations of one bench.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Tally {
    /// Group by group; groups may be of one attribute, or of several together.
    pub cells: Vec<Cell>,
    /// How many are of no known group.
    #[serde(default)]
    pub unknown: u64,
}
