//! One group, and what is told of it.

use super::split::{Split, Sum};
use super::withheld::{FEWEST, is_small};
use crate::views::fairness::Group;

/// The usual indicator: four fifths.
const FOUR_FIFTHS: f64 = 0.8;

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRow {
    /// Attributes and values.
    pub group: Group,
    /// How many were assessed; none, as all that follows, where that is withheld.
    pub n: Option<u64>,
    /// It is withheld, because there are fewer than so many.
    pub n_below: Option<u64>,
    /// How many of them were selected.
    pub selected: Option<u64>,
    /// Selected of those assessed; none if nobody was assessed.
    pub selection_rate: Option<f64>,
    /// The selection rate over the highest of a group that is not small, or of all where all are small; none if there is
    /// none, or it is 0.
    pub impact_ratio: Option<f64>,
    /// Above the median of those assessed, where every tally says so.
    pub scoring_rate: Option<f64>,
    /// The scoring rate over the highest of a group that is not small, or of all where all are small.
    pub scoring_impact_ratio: Option<f64>,
    /// The group's share of all whose group is known.
    pub share: Option<f64>,
    /// Under 2 % of all whose group is known: its ratio says little, and it is not taken for the highest while there are
    /// other groups.
    pub small: Option<bool>,
    /// The impact ratio is under four fifths: an indicator to look closer, not a verdict.
    pub below_four_fifths: Option<bool>,
}

impl GroupRow {
    /// A group of which nothing is told but its name, and whether it is a small one.
    pub(super) fn withheld(group: &Group, sum: &Sum) -> GroupRow {
        GroupRow {
            group: group.clone(),
            n: None,
            n_below: Some(FEWEST).filter(|_| is_small(sum)),
            selected: None,
            selection_rate: None,
            impact_ratio: None,
            scoring_rate: None,
            scoring_impact_ratio: None,
            share: None,
            small: None,
            below_four_fifths: None,
        }
    }
}

/// The groups that are told, of so many whose group is known.
pub(super) fn groups(split: &Split, known: u64) -> Vec<GroupRow> {
    let (highest_rate, highest_score) = (split.highest(Sum::rate), split.highest(Sum::score));
    let ratio = |rate: Option<f64>, highest: Option<f64>| {
        rate.zip(highest).filter(|(_, highest)| *highest > 0.0).map(|(rate, highest)| rate / highest)
    };
    let row = |(group, sum): (&Group, &Sum)| {
        let impact_ratio = ratio(sum.rate(), highest_rate);
        GroupRow {
            group: group.clone(),
            n: Some(sum.n),
            n_below: None,
            selected: Some(sum.selected),
            selection_rate: sum.rate(),
            impact_ratio,
            scoring_rate: sum.score(),
            scoring_impact_ratio: ratio(sum.score(), highest_score),
            share: (known > 0).then(|| sum.n as f64 / known as f64),
            small: Some(sum.small),
            below_four_fifths: Some(impact_ratio.is_some_and(|ratio| ratio < FOUR_FIFTHS)),
        }
    };
    split.groups.iter().map(row).collect()
}
