//! Fairness: selection rates by group and impact ratios, from tallies and from observations that concern nobody.
//!
//! Protected attributes of single people are not in the ledger: what is, are tallies (`fairness.tallied`), and observations
//! of types that are declared to concern no identifiable person (`fairness.observed`). An impact ratio is a group's
//! selection rate over the highest group's. A ratio under four fifths is an indicator to look closer, not a verdict; and
//! ratios of small groups say little, so those are marked and never taken for the highest.

mod period;
mod tallies;

pub use tallies::{BY_SOURCE, Tallies, attributes};

/// Attribute and value, such as `sex` and `female`.
pub type Group = std::collections::BTreeMap<String, String>;
