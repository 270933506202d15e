//! Tallies for fairness, in the plainest program: ANSWERS.md section 7 and *Fairness* in the catalogue.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use crate::base::{Fact, Micros, Moment};
use crate::decisions::reading;

/// What makes tallies comparable: the identity of a tally without its period (section 7).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// CloudEvents `source`.
    pub source: String,
    /// `data.model`.
    pub model: String,
    /// `data.version`.
    pub version: String,
    /// `data.environment`, if stated.
    pub environment: Option<String>,
    /// `data.population`, if stated.
    pub population: Option<String>,
    /// The attributes that it tells groups by.
    pub attributes: BTreeSet<String>,
}

/// One tally.
#[derive(Clone, Debug, PartialEq)]
pub struct Tally {
    /// The entry.
    pub seq: u64,
    /// Its identity, with the period.
    pub key: Key,
    /// From when on, as an instant.
    pub from: Micros,
    /// Until when: `[from, until)`.
    pub until: Micros,
    /// Its cells.
    pub cells: Vec<Cell>,
    /// Persons of whom no group is known.
    pub unknown: u64,
    /// Persons not told by an attribute, as stated.
    pub not_told: BTreeMap<String, u64>,
    /// All persons, as stated.
    pub total: Option<u64>,
    /// What is odd about it: `period`, `selected`.
    pub irregular: Vec<&'static str>,
    /// How it stands to those that were recorded before it.
    pub standing: Standing,
}

/// How a tally stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It counts.
    Stands,
    /// The same identity, period and data, told again.
    ToldAgain(u64),
    /// It overlaps in time the one of this entry, which was recorded before it: named, not added.
    Overlaps(u64),
}

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cell {
    /// Its value of each attribute.
    pub group: BTreeMap<String, String>,
    /// Persons assessed.
    pub n: u64,
    /// Persons selected.
    pub selected: u64,
}

/// The figure of one key over a period.
#[derive(Clone, Debug, PartialEq)]
pub struct Figure {
    /// Whose.
    pub key: Key,
    /// The tallies that were added.
    pub added: Vec<u64>,
    /// Tallies that overlap one that stands: named, not added.
    pub overlapping: Vec<u64>,
    /// Tallies that lie only partly in the period: named, not added.
    pub partly: Vec<u64>,
    /// All persons.
    pub total: u64,
    /// By each attribute alone.
    pub attributes: BTreeMap<String, Split>,
    /// By all attributes together, where there are several.
    pub together: Option<Split>,
}

/// Persons split into groups: nobody vanishes.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Split {
    /// The groups, by their values.
    pub groups: BTreeMap<Vec<String>, Group>,
    /// Persons of whom no group is known.
    pub unknown: u64,
    /// Persons who are not told by this attribute.
    pub not_told: u64,
    /// Persons counted beyond the stated totals: more were told than there are.
    pub too_many: u64,
    /// Persons that no member told, and that stand in `not_told` so that nobody vanishes.
    pub made_up: u64,
    /// The lowest impact ratio, of groups that are not small, or of all where all are.
    pub lowest: Option<f64>,
    /// There are only small groups: the ratio is one of small groups.
    pub only_small: bool,
}

/// One group.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Group {
    /// Persons assessed.
    pub n: u64,
    /// Persons selected.
    pub selected: u64,
    /// Selected over assessed.
    pub rate: Option<f64>,
    /// Its rate over the highest rate.
    pub ratio: Option<f64>,
    /// Under 2 % of the persons whose group is known.
    pub small: bool,
}

/// Every tally that is known, in the order of recording, with its standing.
#[must_use]
pub fn tallies(facts: &[Fact], moment: Moment) -> Vec<Tally> {
    let known = reading::known(facts, moment);
    let mut out: Vec<(Tally, &Fact)> = Vec::new();
    for f in reading::recorded_order(&known, "fairness.tallied") {
        let mut tally = tally(f);
        // Section 7: the earliest recorded stands, later ones are named and not added.
        // Choice: that is so for the same period, too. Section 2 would let a measurement *renew* its row; the
        // figure of a period that was told twice then would be the later one, and the earlier one out of
        // sight. Who has made a mistake has `event.corrected`.
        let stands = |other: &&(Tally, &Fact)| other.0.standing == Standing::Stands;
        let over = out.iter().filter(stands).find(|(other, _)| overlap(other, &tally));
        tally.standing = match over {
            None => Standing::Stands,
            Some((other, g)) if g.data == f.data => Standing::ToldAgain(other.seq),
            Some((other, _)) => Standing::Overlaps(other.seq),
        };
        out.push((tally, f));
    }
    out.into_iter().map(|(tally, _)| tally).collect()
}

/// Same source, model, version, environment, population and attributes, in time. `[from, until)`: periods
/// that only touch do not overlap.
fn overlap(a: &Tally, b: &Tally) -> bool {
    let same_moment = a.from == b.from;
    a.key == b.key && (same_moment || (a.from < b.until && b.from < a.until))
}

/// The figures of all keys, of the tallies that lie wholly in the period; without one, of all.
// Choice: of each source apart, for two sources may tell of the same persons.
#[must_use]
pub fn figures(facts: &[Fact], moment: Moment, period: Option<(Micros, Micros)>) -> Vec<Figure> {
    let all = tallies(facts, moment);
    let keys: BTreeSet<&Key> = all.iter().map(|t| &t.key).collect();
    keys.into_iter().filter_map(|key| figure(key, &all, period)).collect()
}

/// The figure of one key; none where no tally of it touches the period.
fn figure(key: &Key, all: &[Tally], period: Option<(Micros, Micros)>) -> Option<Figure> {
    let (mut added, mut overlapping, mut partly) = (Vec::new(), Vec::new(), Vec::new());
    for tally in all.iter().filter(|t| t.key == *key) {
        let inside = period.is_none_or(|(from, until)| from <= tally.from && tally.until <= until);
        let touches =
            period.is_none_or(|(from, until)| tally.from < until && from < tally.until.max(tally.from + 1));
        if !touches {
            continue;
        }
        // Choice: an overlapping tally that lies partly in the period is named as overlapping.
        match (tally.standing, inside) {
            (Standing::Stands, true) => added.push(tally),
            (Standing::Stands, false) => partly.push(tally.seq),
            _ => overlapping.push(tally.seq),
        }
    }
    if added.is_empty() && overlapping.is_empty() && partly.is_empty() {
        return None;
    }
    let attributes: BTreeMap<String, Split> = key
        .attributes
        .iter()
        .map(|attribute| (attribute.clone(), split(&added, std::slice::from_ref(attribute))))
        .collect();
    let together: Vec<String> = key.attributes.iter().cloned().collect();
    Some(Figure {
        key: key.clone(),
        total: added.iter().map(|t| total(t)).sum(),
        together: (together.len() > 1).then(|| split(&added, &together)),
        attributes,
        added: added.iter().map(|t| t.seq).collect(),
        overlapping,
        partly,
    })
}

/// All persons of a tally.
// Choice: as stated, but never fewer than one attribute accounts for; without a statement, the most that any
// accounts for.
fn total(tally: &Tally) -> u64 {
    let attributes = tally.key.attributes.iter().chain(tally.not_told.keys());
    let told = attributes.map(|a| told(tally, std::slice::from_ref(a)).sum()).max();
    told.unwrap_or_else(|| told_without_attributes(tally)).max(tally.total.unwrap_or_default())
}

/// A tally whose cells have no attribute at all.
fn told_without_attributes(tally: &Tally) -> u64 {
    tally.cells.iter().map(|c| c.n).sum::<u64>() + tally.unknown
}

/// What a tally itself tells by these attributes.
struct Told {
    groups: BTreeMap<Vec<String>, (u64, u64)>,
    unknown: u64,
    not_told: u64,
}

impl Told {
    fn sum(&self) -> u64 {
        self.groups.values().map(|(n, _)| n).sum::<u64>() + self.unknown + self.not_told
    }
}

/// Section 7: every person in a tally is in a group, in *unknown*, or in *not told by this attribute*.
fn told(tally: &Tally, attributes: &[String]) -> Told {
    let mut out = Told { groups: BTreeMap::new(), unknown: tally.unknown, not_told: 0 };
    let ways = ways(tally);
    let several = tells_in_several_ways(tally, &ways);
    let mut cells: Vec<&Cell> = tally.cells.iter().collect();
    if several {
        let knows = |way: &&(Vec<String>, Vec<&Cell>)| attributes.iter().all(|a| way.0.contains(a));
        cells = ways
            .iter()
            .filter(knows)
            .min_by_key(|way| (way.0.len(), &way.0))
            .map_or(Vec::new(), |way| way.1.clone());
        let most = ways.iter().map(|way| persons(&way.1)).max().unwrap_or_default();
        out.not_told = most.saturating_sub(persons(&cells));
    }
    for cell in cells {
        let values: Option<Vec<String>> = attributes.iter().map(|a| cell.group.get(a).cloned()).collect();
        match values {
            // A cell without a value of the attribute: its persons are not told by it.
            None => out.not_told += cell.n,
            Some(values) => {
                let group = out.groups.entry(values).or_default();
                group.0 += cell.n;
                group.1 += cell.selected.min(cell.n);
            }
        }
    }
    // Choice: `not_told` as stated is the whole number by this attribute, of which cells without a value may
    // be a part.
    let stated = attributes.iter().filter_map(|a| tally.not_told.get(a)).max().copied();
    out.not_told = out.not_told.max(stated.unwrap_or_default());
    out
}

/// The cells of a tally by the attributes that they have.
fn ways(tally: &Tally) -> Vec<(Vec<String>, Vec<&Cell>)> {
    let mut ways: Vec<(Vec<String>, Vec<&Cell>)> = Vec::new();
    for cell in &tally.cells {
        let names: Vec<String> = cell.group.keys().cloned().collect();
        match ways.iter_mut().find(|way| way.0 == names) {
            Some(way) => way.1.push(cell),
            None => ways.push((names, vec![cell])),
        }
    }
    ways
}

fn persons(cells: &[&Cell]) -> u64 {
    cells.iter().map(|c| c.n).sum()
}

// Choice: cells by different attributes may tell of the same persons (by sex, by race, and by both: what the law of New
// York asks for) or of others (women told by sex, men by sex and race). They are the same where the stated total has
// room for each way alone and not for all; without a total, where each way comes to as many assessed and as many
// selected. Then each person counts once, by the way with the fewest attributes that knows what is asked.
fn tells_in_several_ways(tally: &Tally, ways: &[(Vec<String>, Vec<&Cell>)]) -> bool {
    if ways.len() < 2 {
        return false;
    }
    match tally.total {
        Some(total) => {
            let all: u64 = ways.iter().map(|way| persons(&way.1)).sum();
            ways.iter().all(|way| persons(&way.1) + tally.unknown <= total) && all + tally.unknown > total
        }
        None => {
            let sums: BTreeSet<(u64, u64)> =
                ways.iter().map(|way| (persons(&way.1), way.1.iter().map(|c| c.selected).sum())).collect();
            sums.len() == 1
        }
    }
}

/// Adds tallies up by attributes, and reckons rates and ratios.
fn split(added: &[&Tally], attributes: &[String]) -> Split {
    let mut out = Split::default();
    for tally in added {
        let told = told(tally, attributes);
        let (sum, all) = (told.sum(), total(tally));
        out.unknown += told.unknown;
        out.not_told += told.not_told;
        // Nobody vanishes: who is in the total and in nothing else is not told by this attribute, and it is
        // marked.
        out.made_up += all.saturating_sub(sum);
        out.not_told += all.saturating_sub(sum);
        out.too_many += tally.total.map_or(0, |stated| sum.saturating_sub(stated));
        for (values, (n, selected)) in told.groups {
            let group = out.groups.entry(values).or_default();
            group.n += n;
            group.selected += selected;
        }
    }
    ratios(&mut out);
    out
}

/// Impact ratio: a group's selection rate over the highest group's. Small groups are marked and shown, and do
/// not give the highest rate; with only small groups there is still a ratio, marked.
fn ratios(split: &mut Split) {
    // Choice: 2 % of the persons whose group is known, the smaller base, so that fewer groups count as small.
    let known: u64 = split.groups.values().map(|g| g.n).sum();
    for group in split.groups.values_mut() {
        group.small = u128::from(group.n) * 50 < u128::from(known);
        group.rate = (group.n > 0).then(|| float(group.selected) / float(group.n));
    }
    let rated = |g: &&Group| g.n > 0;
    // Choice: "only small groups" means that no group of 2 % has anybody in it.
    split.only_small =
        split.groups.values().any(|g| g.n > 0) && !split.groups.values().filter(rated).any(|g| !g.small);
    let only_small = split.only_small;
    let highest = split
        .groups
        .values()
        .filter(rated)
        .filter(|g| only_small || !g.small)
        .map(|g| (g.selected, g.n))
        .max_by(|a, b| (u128::from(a.0) * u128::from(b.1)).cmp(&(u128::from(b.0) * u128::from(a.1))));
    // Where nobody was selected in any group there is no highest rate to compare with.
    let Some((selected, n)) = highest.filter(|(selected, _)| *selected > 0) else { return };
    for group in split.groups.values_mut().filter(|g| g.n > 0) {
        group.ratio = Some((float(group.selected) * float(n)) / (float(group.n) * float(selected)));
    }
    let counting = split.groups.values().filter(|g| only_small || !g.small).filter_map(|g| g.ratio);
    split.lowest = counting.min_by(f64::total_cmp);
}

/// A count as a float: counts are at most 2^53 (section 7).
#[allow(clippy::cast_precision_loss)]
const fn float(count: u64) -> f64 {
    count as f64
}

/// One tally as its event tells it.
fn tally(f: &Fact) -> Tally {
    let mut irregular = Vec::new();
    let (from, until) = period(&f.data).unwrap_or_else(|| {
        irregular.push("period");
        (f.act, f.act)
    });
    let cells = cells(&f.data);
    // Refused at intake; old ledgers may hold it. It is shown, marked, and reckoned with as all selected.
    if cells.iter().any(|c| c.selected > c.n) {
        irregular.push("selected");
    }
    let own = |key: &str| f.data.get(key).and_then(name);
    let attributes = match f.data.get("attributes").and_then(Value::as_array) {
        Some(list) => list.iter().filter_map(name).collect(),
        None => cells.iter().flat_map(|c| c.group.keys().cloned()).collect(),
    };
    let key = Key {
        source: f.source.clone(),
        model: own("model").unwrap_or_default(),
        version: own("version").unwrap_or_default(),
        environment: own("environment"),
        population: own("population"),
        attributes,
    };
    let not_told = f.data.get("not_told").and_then(Value::as_object);
    Tally {
        seq: f.seq,
        key,
        from,
        until,
        unknown: number(&f.data, "unknown"),
        not_told: not_told
            .into_iter()
            .flatten()
            .filter_map(|(attribute, n)| count(n).map(|n| (attribute.clone(), n)))
            .collect(),
        total: f.data.get("total").and_then(count),
        cells,
        irregular,
        standing: Standing::Stands,
    }
}

/// The period as instants: `{from, to}`, or `from/to`. Bare dates are days, the last one included.
fn period(data: &Value) -> Option<(Micros, Micros)> {
    let period = data.get("period")?;
    let pair = match period.as_str() {
        Some(text) => {
            let (from, to) = text.split_once('/')?;
            serde_json::json!({"from": from, "to": to})
        }
        None => period.clone(),
    };
    let (from, until) = (reading::begins(&pair, "from")?, reading::until(&pair, "to")?);
    (from <= until).then_some((from, until))
}

/// The cells; the group is `group: {attribute: value}`.
fn cells(data: &Value) -> Vec<Cell> {
    let list = data.get("cells").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let cell = |cell: &Value| Cell {
        group: cell
            .get("group")
            .and_then(Value::as_object)
            .into_iter()
            .flatten()
            .filter_map(|(attribute, value)| name(value).map(|value| (attribute.clone(), value)))
            .collect(),
        n: number(cell, "n"),
        selected: number(cell, "selected"),
    };
    list.iter().map(cell).collect()
}

/// A count; none is nought.
fn number(data: &Value, key: &str) -> u64 {
    data.get(key).and_then(count).unwrap_or_default()
}

/// Section 7 refuses counts beyond 2^53; what an old ledger holds is clamped to it.
fn count(value: &Value) -> Option<u64> {
    value.as_u64().map(|n| n.min(1 << 53))
}

/// A value as a text: a text as it is, a number or truth value as JSON writes it.
fn name(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::decisions::reading::testing::{at, fact, from, m, t};

    fn tallied(seq: u64, from: i64, to: i64, more: Value) -> Fact {
        let mut data = json!({
            "model": "hire", "version": "1", "period": {"from": t(from), "to": t(to)}, "unknown": 5,
            "cells": [
                {"group": {"sex": "f"}, "n": 100, "selected": 40},
                {"group": {"sex": "m"}, "n": 100, "selected": 50}
            ]
        });
        for (key, value) in more.as_object().unwrap() {
            data.as_object_mut().unwrap().insert(key.clone(), value.clone());
        }
        fact(seq, "fairness.tallied", 0, data)
    }

    fn standings(facts: &[Fact]) -> Vec<Standing> {
        tallies(facts, at(0)).iter().map(|t| t.standing).collect()
    }

    fn only(facts: &[Fact]) -> Figure {
        let mut all = figures(facts, at(0), None);
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    fn group(split: &Split, values: &[&str]) -> Group {
        let values: Vec<String> = values.iter().map(|v| (*v).to_owned()).collect();
        split.groups.get(&values).unwrap().clone()
    }

    use Standing::{Overlaps, Stands, ToldAgain};

    #[test]
    fn the_earliest_recorded_stands_and_later_ones_are_named() {
        let facts = [
            tallied(0, 0, 60, json!({})),
            tallied(1, 30, 90, json!({})),
            tallied(2, 60, 120, json!({})),
            tallied(3, 0, 60, json!({})),
            tallied(4, 0, 60, json!({"unknown": 9})),
        ];
        assert_eq!(standings(&facts), [Stands, Overlaps(0), Stands, ToldAgain(0), Overlaps(0)]);
        let figure = only(&facts);
        assert_eq!((figure.added, figure.overlapping, figure.total), (vec![0, 2], vec![1, 3, 4], 410));
    }

    #[test]
    fn periods_are_compared_as_instants() {
        let zone = tallied(
            1,
            0,
            0,
            json!({"period": {"from": "2026-03-01T14:00:00+02:00", "to": "2026-03-01T15:00:00+02:00"}}),
        );
        assert_eq!(standings(&[tallied(0, 0, 60, json!({})), zone]), [Stands, Overlaps(0)]);
        let days = tallied(0, 0, 0, json!({"period": {"from": "2026-03-01", "to": "2026-03-01"}}));
        let one = tallies(&[days], at(0)).remove(0);
        assert_eq!((one.from, one.until), (m(-720), m(720)));
    }

    #[test]
    fn a_tally_by_race_does_not_take_the_place_of_one_by_sex() {
        let race = json!({"cells": [{"group": {"race": "x"}, "n": 10, "selected": 1}]});
        let facts = [
            tallied(0, 0, 60, json!({})),
            tallied(1, 0, 60, race),
            tallied(2, 0, 60, json!({"environment": "test"})),
            tallied(3, 0, 60, json!({"population": "internal"})),
            from("b", tallied(4, 0, 60, json!({}))),
        ];
        assert_eq!(standings(&facts), [Stands; 5]);
        assert_eq!(figures(&facts, at(0), None).len(), 5);
    }

    #[test]
    fn what_lies_only_partly_in_the_period_is_named() {
        let facts =
            [tallied(0, 0, 60, json!({})), tallied(1, 60, 120, json!({})), tallied(2, 300, 400, json!({}))];
        let figure = figures(&facts, at(0), Some((m(0), m(90)))).remove(0);
        assert_eq!((figure.added, figure.partly, figure.total), (vec![0], vec![1], 205));
    }

    #[test]
    fn nobody_vanishes() {
        let cells = json!([
            {"group": {"sex": "f", "race": "x"}, "n": 30, "selected": 3},
            {"group": {"sex": "f", "race": "y"}, "n": 20, "selected": 4},
            {"group": {"sex": "m"}, "n": 10, "selected": 5}
        ]);
        let figure = only(&[tallied(
            0,
            0,
            60,
            json!({"cells": cells, "unknown": 7, "not_told": {"race": 12}, "total": 80}),
        )]);
        assert_eq!(figure.total, 80);
        for split in figure.attributes.values().chain(&figure.together) {
            let grouped: u64 = split.groups.values().map(|g| g.n).sum();
            assert_eq!(grouped + split.unknown + split.not_told, 80);
        }
        let sex = figure.attributes.get("sex").unwrap();
        assert_eq!((sex.unknown, sex.not_told, sex.made_up), (7, 13, 13));
        let race = figure.attributes.get("race").unwrap();
        assert_eq!((race.not_told, race.made_up), (23, 11));
        assert_eq!(group(&figure.together.unwrap(), &["y", "f"]).n, 20);
    }

    #[test]
    fn more_persons_than_the_total_are_marked() {
        let figure = only(&[tallied(0, 0, 60, json!({"total": 200}))]);
        assert_eq!((figure.total, figure.attributes.get("sex").unwrap().too_many), (205, 5));
    }

    #[test]
    fn the_impact_ratio_is_over_the_highest_rate() {
        let figure = only(&[tallied(0, 0, 60, json!({}))]);
        let sex = figure.attributes.get("sex").unwrap();
        assert!((group(sex, &["f"]).ratio.unwrap() - 0.8).abs() < 1e-12);
        assert_eq!((sex.lowest, group(sex, &["m"]).ratio, sex.only_small), (Some(0.8), Some(1.0), false));
    }

    #[test]
    fn small_groups_are_marked_and_shown_and_give_no_highest_rate() {
        let cells = json!([
            {"group": {"sex": "f"}, "n": 100, "selected": 40},
            {"group": {"sex": "m"}, "n": 100, "selected": 50},
            {"group": {"sex": "x"}, "n": 3, "selected": 3},
            {"group": {"sex": "y"}, "n": 0, "selected": 0}
        ]);
        let figure = only(&[tallied(0, 0, 60, json!({"cells": cells}))]);
        let sex = figure.attributes.get("sex").unwrap();
        let small = group(sex, &["x"]);
        assert!(small.small && !group(sex, &["f"]).small);
        assert_eq!((small.ratio, group(sex, &["y"]).rate, sex.lowest), (Some(2.0), None, Some(0.8)));
    }

    #[test]
    fn with_only_small_groups_there_is_still_a_ratio() {
        let cells: Vec<Value> = (0..60)
            .map(|i| json!({"group": {"town": i}, "n": 10, "selected": if i == 0 { 10 } else { 5 }}))
            .collect();
        let figure = only(&[tallied(0, 0, 60, json!({"cells": cells}))]);
        let town = figure.attributes.get("town").unwrap();
        assert!(town.only_small && group(town, &["7"]).small);
        assert_eq!((group(town, &["7"]).ratio, town.lowest), (Some(0.5), Some(0.5)));
    }

    #[test]
    fn where_nobody_was_selected_there_is_no_ratio() {
        let cells = json!([{"group": {"sex": "f"}, "n": 10, "selected": 0}]);
        let figure = only(&[tallied(0, 0, 60, json!({"cells": cells}))]);
        assert_eq!(figure.attributes.get("sex").unwrap().lowest, None);
    }

    #[test]
    fn odd_tallies_of_old_ledgers_are_shown_and_marked() {
        let cells = json!([{"group": {"sex": "f"}, "n": 10, "selected": 11}]);
        let odd = tallies(&[tallied(0, 0, 60, json!({"cells": cells, "period": "2026"}))], at(0)).remove(0);
        assert_eq!(odd.irregular, ["period", "selected"]);
    }
}
