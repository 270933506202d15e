//! People split into groups: nobody vanishes. Everybody in a tally is in a group, of no known group, or not told by the
//! attributes that are asked for.

use super::tally::{Cell, Tally};
use crate::views::fairness::Group;
use std::collections::{BTreeMap, BTreeSet};

/// A group with a smaller share of all is marked: one in so many, 2 %.
///
/// Reason: New York City's rule for automated employment decision tools lets such a group be left out of the calculation.
const SMALL: u128 = 50;

/// One group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Sum {
    pub(super) n: u64,
    pub(super) selected: u64,
    pub(super) above: u64,
    /// Of how many of them it is known whether they scored above the median.
    pub(super) scored: u64,
    pub(super) small: bool,
}

impl Sum {
    fn add(&mut self, cell: &Cell) {
        self.n = self.n.saturating_add(cell.n);
        // More selected than assessed is what older ledgers hold: all of them.
        self.selected = self.selected.saturating_add(cell.selected.min(cell.n));
        if let Some(above) = cell.above_median {
            self.above = self.above.saturating_add(above.min(cell.n));
            self.scored = self.scored.saturating_add(cell.n);
        }
    }

    pub(super) fn rate(&self) -> Option<f64> {
        (self.n > 0).then(|| self.selected as f64 / self.n as f64)
    }

    pub(super) fn score(&self) -> Option<f64> {
        (self.n > 0 && self.scored == self.n).then(|| self.above as f64 / self.n as f64)
    }
}

/// All people of some tallies, by some attributes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Split {
    pub(super) groups: BTreeMap<Group, Sum>,
    /// Of no known group.
    pub(super) unknown: u64,
    /// Not told by these attributes.
    pub(super) not_told: u64,
    /// Of those, how many no member of a tally told, but its total.
    pub(super) made_up: u64,
    /// Told beyond the totals that are stated.
    pub(super) too_many: u64,
    /// A tally tells the same people in several ways.
    pub(super) several_ways: bool,
    /// There are only small groups.
    pub(super) only_small: bool,
}

/// What one tally tells by some attributes.
struct Told<'a> {
    cells: Vec<&'a Cell>,
    not_told: u64,
}

impl Told<'_> {
    fn sum(&self, tally: &Tally) -> u64 {
        people(&self.cells).saturating_add(tally.unknown).saturating_add(self.not_told)
    }
}

/// The cells of a tally by the attributes that they have.
fn families(tally: &Tally) -> BTreeMap<(usize, BTreeSet<&String>), Vec<&Cell>> {
    let mut families: BTreeMap<(usize, BTreeSet<&String>), Vec<&Cell>> = BTreeMap::new();
    for cell in &tally.cells {
        families.entry((cell.group.len(), cell.group.keys().collect())).or_default().push(cell);
    }
    families
}

fn people(cells: &[&Cell]) -> u64 {
    sum(cells.iter().map(|cell| cell.n))
}

/// A sum that stays at the highest number there is: old ledgers hold counts without bounds.
fn sum(counts: impl Iterator<Item = u64>) -> u64 {
    counts.fold(0, u64::saturating_add)
}

/// Whether cells by different attributes tell of the same people: by sex, by ethnicity, and by both. They do where the total
/// that is stated has room for each of these alone and not for all; without a total, where each of them comes to as many
/// assessed and as many selected.
fn tells_in_several_ways(tally: &Tally) -> bool {
    *tally.reckoned.several_ways.get_or_init(|| reckon_ways(tally))
}

fn reckon_ways(tally: &Tally) -> bool {
    let families = families(tally);
    if families.len() < 2 {
        return false;
    }
    if let Some(total) = tally.total {
        let all = sum(families.values().map(|cells| people(cells)));
        let with_unknown = |people: u64| people.saturating_add(tally.unknown);
        let each = families.values().all(|cells| with_unknown(people(cells)) <= total);
        return each && with_unknown(all) > total;
    }
    let selected = |cells: &Vec<&Cell>| sum(cells.iter().map(|cell| cell.selected));
    let mut sums: Vec<(u64, u64)> = families.values().map(|cells| (people(cells), selected(cells))).collect();
    sums.dedup();
    sums.len() == 1
}

fn told<'a>(tally: &'a Tally, attributes: &[String]) -> Told<'a> {
    let has_all = |cell: &&Cell| attributes.iter().all(|name| cell.group.contains_key(name));
    let mut told = if tells_in_several_ways(tally) {
        // Of all that can answer the one with the fewest attributes is taken, so that nobody counts twice.
        let families = families(tally);
        let most = families.values().map(|cells| people(cells)).max().unwrap_or(0);
        let chosen = families.into_values().find(|cells| cells.iter().all(has_all)).unwrap_or_default();
        Told { not_told: most.saturating_sub(people(&chosen)), cells: chosen }
    } else {
        let (cells, others): (Vec<&Cell>, Vec<&Cell>) = tally.cells.iter().partition(has_all);
        Told { not_told: people(&others), cells }
    };
    // As stated, it is the whole number by this attribute, of which cells without it may be a part.
    let stated = attributes.iter().filter_map(|name| tally.not_told.get(name)).max();
    told.not_told = told.not_told.max(stated.copied().unwrap_or(0));
    told
}

/// Everybody in a tally: as it states, but never fewer than one attribute accounts for.
pub(super) fn everybody(tally: &Tally) -> u64 {
    *tally.reckoned.everybody.get_or_init(|| reckon_everybody(tally))
}

fn reckon_everybody(tally: &Tally) -> u64 {
    let by = |attribute: &String| told(tally, std::slice::from_ref(attribute)).sum(tally);
    let most = tally.attributes.iter().chain(tally.not_told.keys()).map(by).max();
    let most =
        most.unwrap_or_else(|| people(&tally.cells.iter().collect::<Vec<_>>()).saturating_add(tally.unknown));
    most.max(tally.total.unwrap_or(0))
}

/// Adds tallies up by attributes.
pub(super) fn split(tallies: &[&Tally], attributes: &[String]) -> Split {
    let mut split = Split::default();
    for tally in tallies {
        let told = told(tally, attributes);
        let (sum, all) = (told.sum(tally), everybody(tally));
        // Who is in the total and in nothing else is not told by these attributes.
        let made_up = all.saturating_sub(sum);
        let too_many = tally.total.map_or(0, |stated| sum.saturating_sub(stated));
        split.several_ways |= tells_in_several_ways(tally);
        split.unknown = split.unknown.saturating_add(tally.unknown);
        split.made_up = split.made_up.saturating_add(made_up);
        split.not_told = split.not_told.saturating_add(told.not_told).saturating_add(made_up);
        split.too_many = split.too_many.saturating_add(too_many);
        for cell in told.cells {
            let of_asked = cell.group.iter().filter(|(name, _)| attributes.contains(*name));
            let group: Group = of_asked.map(|(name, value)| (name.clone(), value.clone())).collect();
            split.groups.entry(group).or_default().add(cell);
        }
    }
    let known = split.known();
    for sum in split.groups.values_mut() {
        sum.small = u128::from(sum.n) * SMALL < u128::from(known);
    }
    let mut people = split.groups.values().filter(|sum| sum.n > 0).peekable();
    split.only_small = people.peek().is_some() && people.all(|sum| sum.small);
    split
}

impl Split {
    /// All whose group is known.
    pub(super) fn known(&self) -> u64 {
        sum(self.groups.values().map(|sum| sum.n))
    }

    /// Whether ratios are held against a group: small ones are not, unless there are no others.
    pub(super) fn is_measure(&self, sum: &Sum) -> bool {
        self.only_small || !sum.small
    }

    /// The highest rate of a group that ratios are held against.
    pub(super) fn highest(&self, rate: fn(&Sum) -> Option<f64>) -> Option<f64> {
        let rates = self.groups.values().filter(|sum| self.is_measure(sum)).filter_map(rate);
        rates.max_by(f64::total_cmp)
    }
}
