//! What callers who may not see small groups are not told: not their numbers, and nothing from which they could be reckoned.
//!
//! Whoever is told all groups of an attribute but one, and everybody together, is told that one too; and by a second
//! attribute of the same people everybody together is told in any case. So beside small groups another one is withheld, and
//! what is withheld comes, of all that is told, to nothing but its sum. The rule is such that every number of persons under
//! ten that a small group may have, with every number of selected ones among them, gives the very same answer:
//!
//! - Beside the small groups of an attribute the first group by name is withheld of which so many were selected, and so many
//!   were not, that it can take up whatever the small ones leave ([`beside`]).
//! - Where there is none, no number of the same people is told at all.
//! - Intersections have small groups hidden in the lines of their tables: if any of the same people are few, no
//!   intersection is told, however it is asked for. Each attribute by itself says nothing of who is in two groups.
//! - Ratios are held against the highest rate of the groups that are told, never against that of one that is not.
//!
//! It is decided from all attributes that the tallies tell, and not from those that are asked for: asking for one after the
//! other gives no more. Two periods, or two versions, are two answers, and nothing is decided of their difference.

use super::split::{Split, Sum};
use super::tally::Tally;
use crate::views::fairness::Group;
use std::collections::BTreeMap;

/// The fewest persons in a group that everybody is told of who may ask.
pub(super) const FEWEST: u64 = 10;

/// The most that a small group can have.
const MOST_OF_SMALL: u64 = FEWEST - 1;

/// What of one question is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Withheld {
    /// Nothing is withheld.
    Nothing,
    /// The numbers of small groups, and of this one beside them.
    Beside(Group),
    /// All numbers.
    All,
}

/// Whether a group is one of those that are not told.
pub(super) fn is_small(sum: &Sum) -> bool {
    sum.n < FEWEST
}

/// What is withheld of questions about the same people, each by its attributes. `each` are these people by each attribute
/// that the tallies tell.
pub(super) fn of_questions(
    tallies: &[&Tally],
    each: &[Split],
    questions: &[(&[String], &Split)],
) -> Vec<Withheld> {
    let has_small = |split: &Split| split.groups.values().any(is_small);
    let mut splits = each.iter().chain(questions.iter().map(|(_, split)| *split));
    if !are_few(tallies) && !splits.any(has_small) {
        return vec![Withheld::Nothing; questions.len()];
    }
    if each.iter().any(|split| has_small(split) && beside(split).is_none()) {
        return vec![Withheld::All; questions.len()];
    }
    let of_one = |(attributes, split): &(&[String], &Split)| {
        if attributes.len() > 1 {
            return Some(Withheld::All);
        }
        if has_small(split) { beside(split).map(Withheld::Beside) } else { Some(Withheld::Nothing) }
    };
    let all: Option<Vec<Withheld>> = questions.iter().map(of_one).collect();
    all.unwrap_or_else(|| vec![Withheld::All; questions.len()])
}

/// Whether a group is small by all that the tallies tell of it.
fn are_few(tallies: &[&Tally]) -> bool {
    let mut people: BTreeMap<&Group, u64> = BTreeMap::new();
    for cell in tallies.iter().flat_map(|tally| &tally.cells).filter(|cell| !cell.group.is_empty()) {
        let n = people.entry(&cell.group).or_default();
        *n = n.saturating_add(cell.n);
    }
    people.into_values().any(|n| n < FEWEST)
}

/// The group that is withheld beside the small ones; none if there is none that would do.
///
/// It is chosen by its own numbers, so that what is told of others says nothing of it; and it is taken only if it would have
/// been chosen whatever the small groups have of the sums that are withheld.
fn beside(split: &Split) -> Option<Group> {
    let enough = |sum: &Sum| sum.selected >= FEWEST && sum.n.saturating_sub(sum.selected) >= FEWEST;
    let (group, chosen) = split.groups.iter().find(|(_, sum)| enough(sum))?;
    let withheld = || split.groups.values().filter(|sum| is_small(sum)).chain(std::iter::once(chosen));
    let total = |of: fn(&Sum) -> u64| withheld().map(of).fold(0, u64::saturating_add);
    // What the small ones can take at most.
    let slack = MOST_OF_SMALL.saturating_mul(withheld().count() as u64 - 1);
    let needed = FEWEST.saturating_add(slack);
    let (selected, others) = (total(|sum| sum.selected), total(|sum| sum.n.saturating_sub(sum.selected)));
    let (above, below) = (total(|sum| sum.above), total(|sum| sum.scored.saturating_sub(sum.above)));
    let is_scored = split.groups.values().any(|sum| sum.scored > 0);
    let fits = selected >= needed && others >= needed && (!is_scored || (above >= slack && below >= slack));
    fits.then(|| group.clone())
}

/// The split of the groups that are told, of those that are not, their names alone.
pub(super) fn told(split: &Split, withheld: &Withheld) -> Split {
    let is_told = |group: &Group, sum: &Sum| match withheld {
        Withheld::Nothing => true,
        Withheld::Beside(beside) => !is_small(sum) && group != beside,
        Withheld::All => false,
    };
    let groups = split.groups.iter().filter(|(group, sum)| is_told(group, sum));
    let groups: BTreeMap<Group, Sum> = groups.map(|(group, sum)| (group.clone(), sum.clone())).collect();
    let mut people = groups.values().filter(|sum| sum.n > 0).peekable();
    let only_small = people.peek().is_some() && people.all(|sum| sum.small);
    Split { groups, only_small, ..split.clone() }
}
