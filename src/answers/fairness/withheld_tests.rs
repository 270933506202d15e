//! What is withheld cannot be reckoned: another world, in which a withheld group has other numbers, gives the very same
//! answer. So nothing that anyone sums, subtracts or divides from the answer tells one of them from the other.

use super::tally::Cell;
use super::*;
use crate::views::fairness::Group;
use crate::views::histories::{cases, minute};
use proptest::prelude::*;

fn group(pairs: &[(&str, &str)]) -> Group {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn cell(pairs: &[(&str, &str)], n: u64, selected: u64) -> Cell {
    Cell { group: group(pairs), n, selected, above_median: None }
}

/// One tally of a source, of a period of its own.
fn tally(entry: u64, cells: Vec<Cell>) -> Tally {
    let from = minute(10 * i64::try_from(entry).unwrap());
    Tally {
        id: entry.to_string(),
        entry,
        place: entry,
        attributes: cells.iter().flat_map(|cell| cell.group.keys().cloned()).collect(),
        period: Some((from, from.saturating_add(1))),
        cells,
        unknown: 3,
        ..Tally::default()
    }
}

/// What somebody is told who sees small groups, or does not.
fn told(tallies: &[Tally], sees_small: bool) -> Fairness {
    report(tallies.to_vec(), &[], (None, None), sees_small, Deadline::default()).unwrap()
}

fn by<'a>(found: &'a Fairness, attributes: &[&str]) -> &'a Question {
    found.questions.iter().find(|question| question.attributes == attributes).unwrap()
}

/// Names of the groups with their numbers, and below how many they are withheld.
fn shown(question: &Question) -> Vec<(&str, Option<u64>, Option<u64>)> {
    let groups = question.groups.iter();
    groups.map(|row| (row.group.values().next().unwrap().as_str(), row.n, row.n_below)).collect()
}

#[test]
fn a_small_group_is_withheld_and_the_first_beside_it_that_hides_it() {
    let cells = vec![
        cell(&[("race", "a")], 12, 6),
        cell(&[("race", "b")], 500, 200),
        cell(&[("race", "c")], 360, 150),
        cell(&[("race", "d")], 7, 7),
    ];
    let tallies = [tally(0, cells)];
    let found = told(&tallies, false);
    let race = by(&found, &["race"]);
    // Of `a` too few were selected to hide anybody.
    let expected = [("a", Some(12), None), ("b", None, None), ("c", Some(360), None), ("d", None, Some(10))];
    assert_eq!(shown(race), expected);
    assert_eq!((race.known, race.total, race.withheld_below), (Some(879), Some(882), Some(10)));
    // The highest rate of all is the small group's, and would tell of it.
    // Of those that are told, `a` is too small to be a measure.
    let ratios: Vec<_> = race.groups.iter().filter_map(|row| row.impact_ratio).collect();
    assert_eq!((ratios, race.lowest_impact_ratio), (vec![0.5 / (150.0 / 360.0), 1.0], Some(1.0)));
    let all = by(&told(&tallies, true), &["race"]).clone();
    assert_eq!(shown(&all)[3], ("d", Some(7), None));
    assert_eq!(all.withheld_below, None);
}

#[test]
fn where_no_group_hides_the_small_one_nothing_of_the_same_people_is_told() {
    let of = |source: &str, entry: u64, cells: Vec<Cell>| {
        let mut tally = tally(entry, cells);
        tally.people.source = source.to_owned();
        tally
    };
    let few = |entry: u64| {
        vec![cell(&[("race", "a"), ("sex", "f")], 3, 1), cell(&[("race", "b"), ("sex", "f")], 12 + entry, 6)]
    };
    let many = vec![cell(&[("sex", "f")], 60, 30), cell(&[("sex", "m")], 70, 30)];
    let tallies = [of("/few", 0, few(0)), of("/many", 1, many)];
    let found = told(&tallies, false);
    let (few, many): (Vec<_>, Vec<_>) =
        found.questions.iter().partition(|question| question.source == "/few");
    assert_eq!(few.len(), 3);
    for question in few {
        assert!(nothing_is_told(question), "{question:?}");
    }
    // Nor is anything told of them by an attribute that has no small groups, if that alone is asked for.
    let sex = report(tallies.to_vec(), &[vec!["sex".to_owned()]], (None, None), false, Deadline::default())
        .unwrap();
    assert!(nothing_is_told(&sex.questions[0]) && sex.questions[1].known == Some(130), "{sex:?}");
    // Another source tells of others.
    assert_eq!((many[0].known, many[0].withheld_below), (Some(130), None));
}

/// Intersections have small groups in the lines of their tables.
#[test]
fn an_intersection_with_few_in_it_is_not_told_however_it_is_asked_for() {
    let cells = vec![
        cell(&[("race", "a"), ("sex", "f")], 402, 100),
        cell(&[("race", "b"), ("sex", "f")], 9, 3),
        cell(&[("race", "b"), ("sex", "m")], 200, 80),
    ];
    let tallies = [tally(0, cells)];
    let found = told(&tallies, false);
    assert!(nothing_is_told(by(&found, &["race", "sex"])) && by(&found, &["race", "sex"]).groups.is_empty());
    assert_eq!(shown(by(&found, &["sex"])), [("f", Some(411), None), ("m", Some(200), None)]);
    let both = vec!["race".to_owned(), "sex".to_owned()];
    let asked = report(tallies.to_vec(), &[both], (None, None), false, Deadline::default()).unwrap();
    assert_eq!(asked.questions.as_slice(), [by(&found, &["race", "sex"]).clone()]);
}

fn nothing_is_told(question: &Question) -> bool {
    let Question { total, known, unknown, not_told, only_in_total, beyond_total, .. } = question;
    let numbers = [total, known, unknown, not_told, only_in_total, beyond_total];
    let rates = [question.unknown_share, question.lowest_impact_ratio];
    numbers.iter().all(|number| number.is_none())
        && rates.iter().all(Option::is_none)
        && question.withheld_below == Some(FEWEST)
        && question.groups.iter().all(|row| {
            let GroupRow { n, selected, small, below_four_fifths, .. } = row;
            let rates =
                [row.selection_rate, row.impact_ratio, row.scoring_rate, row.scoring_impact_ratio, row.share];
            n.is_none()
                && selected.is_none()
                && small.is_none()
                && below_four_fifths.is_none()
                && rates.iter().all(Option::is_none)
        })
}

/// A person who is moved: whether selected, and whether above the median.
type Person = (bool, bool);

/// Whether a cell has such a person, and may lose one.
fn has(cell: &Cell, (selected, above): Person) -> bool {
    let of = |number: u64, is: bool| if is { number } else { cell.n - number };
    of(cell.selected, selected) > 0 && cell.above_median.is_none_or(|number| of(number, above) > 0)
}

/// The same people, one of them in another group of one attribute.
fn moved(
    tallies: &[Tally],
    (at, from): (usize, usize),
    attribute: &str,
    to: &str,
    person: Person,
) -> Vec<Tally> {
    let mut tallies = tallies.to_vec();
    let cells = &mut tallies[at].cells;
    let mut target = cells[from].group.clone();
    target.insert(attribute.to_owned(), to.to_owned());
    let there = cells.iter().position(|cell| cell.group == target).unwrap_or_else(|| {
        let above_median = cells[from].above_median.map(|_| 0);
        cells.push(Cell { group: target, above_median, ..Cell::default() });
        cells.len() - 1
    });
    for (place, by) in [(from, -1_i64), (there, 1)] {
        let cell = &mut cells[place];
        let add = |number: &mut u64, is: bool| {
            *number = number.checked_add_signed(if is { by } else { 0 }).unwrap()
        };
        add(&mut cell.n, true);
        add(&mut cell.selected, person.0);
        cell.above_median.iter_mut().for_each(|above| add(above, person.1));
    }
    tallies
}

/// Whether selected, and whether above the median.
const PERSONS: [Person; 4] = [(true, true), (true, false), (false, true), (false, false)];

/// All worlds in which one person of one group is in another one, each with what that person is.
fn worlds(tallies: &[Tally], attribute: &str, (from, to): (&str, &str)) -> Vec<(Person, Vec<Tally>)> {
    let mut worlds = Vec::new();
    for (at, tally) in tallies.iter().enumerate() {
        for (place, cell) in tally.cells.iter().enumerate() {
            if cell.group.get(attribute).is_some_and(|value| value == from) {
                let persons = PERSONS.into_iter().filter(|person| has(cell, *person));
                worlds.extend(
                    persons.map(|person| (person, moved(tallies, (at, place), attribute, to, person))),
                );
            }
        }
    }
    worlds
}

fn n_of(tallies: &[Tally], attribute: &str, value: &str) -> u64 {
    let of = |tally: &Tally| {
        let cells = tally.cells.iter().filter(|cell| cell.group.get(attribute).is_some_and(|is| is == value));
        cells.map(|cell| cell.n).sum::<u64>()
    };
    tallies.iter().map(of).sum()
}

fn cells() -> impl Strategy<Value = Vec<Cell>> {
    // About as many as it takes to hide a group, and a little more or less.
    let n = prop_oneof![2 => 0..10_u64, 3 => 20..60_u64, 1 => 40..400_u64];
    let one = (0..4_usize, 0..3_usize, n, 0..=100_u64, 0..=100_u64);
    (prop::collection::vec(one, 1..7), 0..3_u8, any::<bool>()).prop_map(|(drawn, by, is_scored)| {
        let mut cells: BTreeMap<Group, Cell> = BTreeMap::new();
        for (race, sex, n, selected, above) in drawn {
            let (race, sex) = (["a", "b", "c", "d"][race], ["f", "m", "x"][sex]);
            let group = match by {
                0 => group(&[("race", race)]),
                1 => group(&[("sex", sex)]),
                _ => group(&[("race", race), ("sex", sex)]),
            };
            let above_median = is_scored.then_some(n * above / 100);
            cells.insert(group.clone(), Cell { group, n, selected: n * selected / 100, above_median });
        }
        cells.into_values().collect()
    })
}

proptest! {
    #![proptest_config(cases(512))]

    #[test]
    fn nobody_tells_the_world_from_one_in_which_a_small_group_has_other_numbers(told_of in prop::collection::vec(cells(), 1..4)) {
        let tallies: Vec<Tally> = (0..).zip(told_of).map(|(entry, cells)| tally(entry, cells)).collect();
        let (all, found) = (told(&tallies, true), told(&tallies, false));
        if tallies.iter().flat_map(|tally| &tally.cells).all(|cell| cell.n >= FEWEST) {
            prop_assert_eq!(&found, &all);
        }
        for question in &found.questions {
            prop_assert!(question.groups.iter().all(|row| row.n.is_none_or(|n| n >= FEWEST)));
            if question.attributes.len() > 1 || question.known.is_none() {
                prop_assert!(question.withheld_below.is_none() || nothing_is_told(question), "{:?}", question);
                continue;
            }
            let attribute = question.attributes[0].as_str();
            let withheld: Vec<&GroupRow> = question.groups.iter().filter(|row| row.n.is_none()).collect();
            let beside: Vec<&str> =
                withheld.iter().filter(|row| row.n_below.is_none()).map(|row| row.group[attribute].as_str()).collect();
            prop_assert_eq!(beside.len(), usize::from(!withheld.is_empty()), "{:?}", question);
            for small in withheld.iter().filter(|row| row.n_below.is_some()) {
                let small = small.group[attribute].as_str();
                let mut others = 0;
                for (way, preferred) in [(small, beside[0]), (beside[0], small)].iter().flat_map(|way| PERSONS.map(|of| (*way, of))) {
                    // As far as it goes, one person after the other: until nobody is in the small group, or it is none any more.
                    let mut world = tallies.clone();
                    loop {
                        let mut next = worlds(&world, attribute, way);
                        next.retain(|(_, world)| n_of(world, attribute, small) < FEWEST);
                        let first = next.iter().position(|(person, _)| *person == preferred).unwrap_or(0);
                        if next.is_empty() {
                            break;
                        }
                        world = next.swap_remove(first).1;
                        others += 1;
                        prop_assert_eq!(&told(&world, false), &found, "{} {}", attribute, small);
                    }
                }
                prop_assert!(others > 0, "there is only this world");
            }
        }
    }
}
