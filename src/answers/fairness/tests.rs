//! Fairness against the plain model, over random tallies; and the counterexamples that were found.

use super::split::everybody;
use super::*;
use crate::views::engine::{Event, When};
use crate::views::fairness::Tallies;
use crate::views::histories::{cases, facts, minute, moment, recorded, rows, text, told};
use daybook_models::fairness as model;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;

fn tallied(source: &str, (from, to): (i64, i64), cells: &Value, more: &Value) -> Event {
    let mut data = json!({
        "model": "hire", "version": "1", "period": {"from": text(from), "to": text(to)}, "cells": cells, "unknown": 5,
    });
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    told(source, "fairness.tallied", 0, data)
}

/// The tallies of a history, as they stand.
fn standing(events: &[Event], at_once: usize) -> Vec<Tally> {
    let when = When { known: events.len() as u64, at: minute(200_000) };
    let found = rows(Arc::new(Tallies), events, at_once, &[when]).remove(0);
    stand(found.iter().flat_map(of_row).collect())
}

#[test]
fn a_question_over_odd_tallies_ends_when_nobody_waits_for_it_any_more() {
    let cells = json!([{"group": {"sex": "f"}, "n": 20, "selected": 9}, {"group": {"age": "x"}, "n": 12, "selected": 3}]);
    let tallies = standing(&recorded(vec![tallied("/s", (0, 9), &cells, &json!({}))]), 1);
    let ended = report(tallies, &[], (None, None), true, Deadline::after(Duration::ZERO));
    assert!(matches!(ended, Err(AnswerError::TookTooLong)), "{ended:?}");
}

fn all(told: Vec<Event>) -> Fairness {
    report(standing(&recorded(told), 1), &[], (None, None), true, Deadline::default()).unwrap()
}

/// The only question by these attributes.
fn by<'a>(found: &'a Fairness, attributes: &[&str]) -> &'a Question {
    let mut questions = found.questions.iter().filter(|question| question.attributes == attributes);
    let question = questions.next().unwrap_or_else(|| panic!("{found:?}"));
    assert!(questions.next().is_none(), "{found:?}");
    question
}

fn cells_of(draws: &[(u8, u8, u64, u64)]) -> Value {
    let cell = |(sex, race, n, selected): &(u8, u8, u64, u64)| {
        let mut group = json!({});
        if *sex > 0 {
            group["sex"] = json!(format!("s{sex}"));
        }
        if *race > 0 || *sex == 0 {
            group["race"] = json!(format!("r{race}"));
        }
        json!({"group": group, "n": n, "selected": selected})
    };
    draws.iter().map(cell).collect()
}

fn tally() -> impl Strategy<Value = Event> {
    let cells = prop::collection::vec((0..3_u8, 0..3_u8, 0..40_u64, 0..45_u64), 1..6);
    let more = (prop::option::of(0..120_u64), prop::option::of(0..40_u64), 0..3_u8);
    (0..3_u8, 0..6_i64, 0..4_i64, cells, more).prop_map(
        |(source, from, long, cells, (total, not_told, place))| {
            let mut more = json!({});
            if let Some(total) = total {
                more["total"] = total.into();
            }
            if let Some(not_told) = not_told {
                more["not_told"] = json!({"race": not_told});
            }
            if place > 0 {
                more["environment"] = json!(["test", "production"][usize::from(place - 1)]);
            }
            // Few that differ, so that some say the same again.
            let cells =
                if source == 0 { cells_of(&[(1, 0, 10, 5), (2, 0, 10, 9)]) } else { cells_of(&cells) };
            tallied(["/a", "/a", "/b"][usize::from(source)], (from * 10, (from + long) * 10), &cells, &more)
        },
    )
}

proptest! {
    #![proptest_config(cases(32))]

    #[test]
    fn tallies_stand_and_people_are_split_as_the_plain_model_says(told in prop::collection::vec(tally(), 1..24), at_once in 1..24_usize) {
        let events = recorded(told);
        let found = standing(&events, at_once);
        let at = moment(events.len() as u64, minute(200_000));
        let expected = model::tallies(&facts(&events), at);
        let stands = |tally: &Tally| (tally.entry, tally.standing);
        let stands_too = |tally: &model::Tally| {
            (tally.seq, match tally.standing {
                model::Standing::Stands => TallyStanding::Stands,
                model::Standing::ToldAgain(by) => TallyStanding::ToldAgain(by),
                model::Standing::Overlaps(by) => TallyStanding::Overlaps(by),
            })
        };
        prop_assert_eq!(
            found.iter().map(stands).collect::<Vec<_>>(),
            expected.iter().map(stands_too).collect::<Vec<_>>()
        );
        for figure in model::figures(&facts(&events), at, None) {
            let added: Vec<&Tally> = found.iter().filter(|tally| figure.added.contains(&tally.entry)).collect();
            prop_assert_eq!(added.iter().map(|tally| everybody(tally)).sum::<u64>(), figure.total);
            let mut splits: Vec<(Vec<String>, &model::Split)> =
                figure.attributes.iter().map(|(name, split)| (vec![name.clone()], split)).collect();
            splits.extend(figure.together.as_ref().map(|split| (figure.key.attributes.iter().cloned().collect(), split)));
            for (attributes, expected) in splits {
                let split = split::split(&added, &attributes);
                prop_assert_eq!(
                    (split.unknown, split.not_told, split.too_many, split.made_up, split.only_small),
                    (expected.unknown, expected.not_told, expected.too_many, expected.made_up, expected.only_small)
                );
                let groups = groups(&split, split.known());
                prop_assert_eq!(groups.len(), expected.groups.len());
                for row in &groups {
                    let values: Vec<String> = attributes.iter().map(|name| row.group[name].clone()).collect();
                    let group = &expected.groups[&values];
                    prop_assert_eq!(
                        (row.n, row.selected, row.small),
                        (Some(group.n), Some(group.selected), Some(group.small))
                    );
                    let near = |one: Option<f64>, other: Option<f64>| match (one, other) {
                        (Some(one), Some(other)) => (one - other).abs() < 1e-9,
                        (one, other) => one.is_none() && other.is_none(),
                    };
                    prop_assert!(near(row.selection_rate, group.rate) && near(row.impact_ratio, group.ratio), "{row:?} {group:?}");
                }
            }
        }
    }

    #[test]
    fn nobody_vanishes(told in prop::collection::vec(tally(), 1..12)) {
        let tallies = standing(&recorded(told), 1);
        for tally in &tallies {
            for attributes in occurring(&[tally]) {
                let split = split::split(&[tally], &attributes);
                let persons = split.known() + split.unknown + split.not_told;
                prop_assert!(persons >= everybody(tally), "{:?} {:?}", tally, split);
                prop_assert!(persons >= tally.total.unwrap_or(0));
            }
        }
    }

    #[test]
    fn marginals_are_what_counting_person_by_person_gives(people in prop::collection::vec((1..3_u8, 1..3_u8, any::<bool>()), 1..80)) {
        let cells: Vec<_> = people.iter().map(|(sex, race, selected)| (*sex, *race, 1, u64::from(*selected))).collect();
        let found = all(vec![tallied("/a", (0, 10), &cells_of(&cells), &json!({}))]);
        for row in &by(&found, &["sex"]).groups {
            let of = people.iter().filter(|(sex, _, _)| format!("s{sex}") == row.group["sex"]);
            let n = of.clone().count() as u64;
            let selected = of.filter(|(_, _, selected)| *selected).count() as u64;
            prop_assert_eq!((row.n, row.selected), (Some(n), Some(selected)));
        }
    }
}

#[test]
fn a_ratio_is_a_rate_over_the_highest_rate() {
    // 122/412 = 0.2961, 182/455 = 0.4: 0.740.
    let cells = json!([{"group": {"sex": "f"}, "n": 412, "selected": 122}, {"group": {"sex": "m"}, "n": 455, "selected": 182}]);
    let found = all(vec![tallied("/a", (0, 10), &cells, &json!({}))]);
    let question = by(&found, &["sex"]);
    assert_eq!((question.known, question.unknown), (Some(867), Some(5)));
    assert_eq!((question.not_told, question.total, question.withheld_below), (Some(0), Some(872), None));
    assert!((question.lowest_impact_ratio.unwrap() - 0.740_291).abs() < 1e-5);
    let below: Vec<_> = question.groups.iter().map(|group| group.below_four_fifths).collect();
    assert_eq!(below, [Some(true), Some(false)]);
}

#[test]
fn women_told_by_sex_and_men_by_sex_and_race_are_all_there() {
    let cells = json!([{"group": {"sex": "f"}, "n": 100, "selected": 20}, {"group": {"sex": "m", "race": "a"}, "n": 60, "selected": 50},
        {"group": {"sex": "m", "race": "b"}, "n": 40, "selected": 35}]);
    let found = all(vec![tallied("/a", (0, 10), &cells, &json!({"unknown": 0}))]);
    let sex = by(&found, &["sex"]);
    assert_eq!((sex.known, sex.unknown, sex.not_told), (Some(200), Some(0), Some(0)));
    assert!((sex.lowest_impact_ratio.unwrap() - 0.2 / 0.85).abs() < 1e-9);
    assert_eq!((by(&found, &["race"]).known, by(&found, &["race"]).not_told), (Some(100), Some(100)));
}

#[test]
fn the_same_people_told_by_sex_by_race_and_by_both_count_once() {
    let both = |sex: &str, race: &str, n: u64, selected: u64| json!({"group": {"sex": sex, "race": race}, "n": n, "selected": selected});
    let one = |name: &str, value: &str, n: u64, selected: u64| json!({"group": {name: value}, "n": n, "selected": selected});
    let cells = json!([
        both("f", "a", 100, 30),
        both("f", "b", 50, 10),
        both("m", "a", 100, 50),
        both("m", "b", 50, 20),
        one("sex", "f", 150, 40),
        one("sex", "m", 150, 70),
        one("race", "a", 200, 80),
        one("race", "b", 100, 30)
    ]);
    let found = all(vec![tallied("/a", (0, 10), &cells, &json!({}))]);
    for attributes in [vec!["sex"], vec!["race"], vec!["race", "sex"]] {
        let question = by(&found, &attributes);
        assert_eq!((question.known, question.not_told, question.several_ways), (Some(300), Some(0), true));
    }
    // Small groups were left out of the intersections: the total says that it is still the same people.
    let cells = json!([
        both("f", "a", 100, 30),
        both("m", "a", 100, 50),
        one("sex", "f", 110, 33),
        one("sex", "m", 104, 52)
    ]);
    let found = all(vec![tallied("/a", (0, 10), &cells, &json!({"total": 219}))]);
    assert_eq!((by(&found, &["sex"]).known, by(&found, &["sex"]).not_told), (Some(214), Some(0)));
    assert_eq!((by(&found, &["race"]).known, by(&found, &["race"]).not_told), (Some(200), Some(14)));
}

#[test]
fn a_month_and_its_quarter_are_not_added_up() {
    let cells = |n: u64| json!([{"group": {"sex": "f"}, "n": n, "selected": 1}]);
    let tally = |from: i64, to: i64, n: u64| tallied("/a", (from, to), &cells(n), &json!({}));
    let found = all(vec![tally(0, 10, 100), tally(10, 20, 100), tally(0, 20, 200), tally(0, 10, 100)]);
    assert_eq!((by(&found, &["sex"]).known, found.tallies), (Some(200), 2));
    let named: Vec<_> = found.overlapping.iter().map(|tally| (tally.entry, tally.instead)).collect();
    assert_eq!(named, [(2, Some(0)), (3, Some(0))]);
    let events = recorded(vec![tally(0, 10, 100), tally(10, 20, 100)]);
    let found =
        report(standing(&events, 1), &[], (Some(minute(0)), Some(minute(15))), true, Deadline::default())
            .unwrap();
    assert_eq!((found.from.len(), found.partly.len(), by(&found, &["sex"]).known), (1, 1, Some(100)));
}

#[test]
fn a_tally_by_race_stands_beside_one_by_sex_and_its_people_count_once() {
    let sex = json!([{"group": {"sex": "f"}, "n": 60, "selected": 6}, {"group": {"sex": "m"}, "n": 40, "selected": 8}]);
    let race = json!([{"group": {"race": "a"}, "n": 100, "selected": 14}]);
    let found = all(vec![
        tallied("/a", (0, 10), &sex, &json!({})),
        tallied("/a", (0, 10), &race, &json!({})),
        tallied("/a", (10, 20), &race, &json!({})),
    ]);
    let (sex, race) = (by(&found, &["sex"]), by(&found, &["race"]));
    // Of the second period only the race is told.
    assert_eq!((sex.known, sex.unknown, sex.not_told), (Some(100), Some(10), Some(100)));
    assert_eq!((race.known, race.unknown, race.not_told), (Some(200), Some(10), Some(0)));
}

#[test]
fn figures_of_two_sources_are_not_added_up() {
    let cells = json!([{"group": {"sex": "f"}, "n": 60, "selected": 6}]);
    let found =
        all(vec![tallied("/a", (0, 10), &cells, &json!({})), tallied("/b", (0, 10), &cells, &json!({}))]);
    let told: Vec<_> =
        found.questions.iter().map(|question| (question.source.as_str(), question.known)).collect();
    assert_eq!(told, [("/a", Some(60)), ("/b", Some(60))]);
}

#[test]
fn with_only_small_groups_there_is_still_a_ratio() {
    let cells: Value = (0..60)
        .map(|n| json!({"group": {"site": format!("s{n:02}")}, "n": 100, "selected": if n == 0 { 5 } else { 50 }}))
        .collect();
    let found = all(vec![tallied("/a", (0, 10), &cells, &json!({}))]);
    let site = by(&found, &["site"]);
    assert!(site.only_small && site.groups.iter().all(|group| group.small == Some(true)));
    assert!((site.lowest_impact_ratio.unwrap() - 0.1).abs() < 1e-9);
}

#[test]
fn what_an_old_ledger_holds_without_bounds_is_shown_and_never_fails() {
    let cells = json!([{"group": {"sex": "f"}, "n": u64::MAX, "selected": 1}, {"group": {"sex": "m"}, "n": 1, "selected": u64::MAX}]);
    let found = all(vec![tallied(
        "/a",
        (0, 10),
        &cells,
        &json!({"unknown": u64::MAX, "total": u64::MAX, "period": "2026"}),
    )]);
    assert_eq!((found.irregular.len(), by(&found, &["sex"]).groups.len()), (1, 2));
}

#[test]
fn scoring_rates_are_there_only_where_all_tallies_have_them() {
    let scored = |above: Option<u64>| {
        let mut cell = json!({"group": {"g": "x"}, "n": 10, "selected": 5});
        if let Some(above) = above {
            cell["above_median"] = above.into();
        }
        cell
    };
    let rate = |cells: Value| {
        by(&all(vec![tallied("/a", (0, 10), &cells, &json!({}))]), &["g"]).groups[0].scoring_rate
    };
    assert_eq!(rate(json!([scored(Some(4))])), Some(0.4));
    assert_eq!(rate(json!([scored(Some(4)), scored(None)])), None);
}
