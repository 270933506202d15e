//! Selection rates and impact ratios by group and by intersection, from tallies.

use super::error::AnswerError;
use super::moment::{moment, time};
use super::parameters::Parameters;
use super::{Answer, Inquiry};
use crate::spec::time::Timestamp;
use crate::views::engine::Row;
use crate::views::fairness::{Cell, Group, Tally};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// A group with a smaller share of all is marked.
///
/// Reason: New York City's rule for automated employment decision tools lets such a group be left out of the calculation.
const SMALL_SHARE: f64 = 0.02;

/// The usual indicator: four fifths.
const FOUR_FIFTHS: f64 = 0.8;

/// One group.
#[derive(Clone, Debug, PartialEq)]
pub struct GroupRow {
    /// Attributes and values.
    pub group: Group,
    /// How many were assessed.
    pub n: u64,
    /// How many of them were selected.
    pub selected: u64,
    /// Selected of those assessed; none if nobody was assessed.
    pub selection_rate: Option<f64>,
    /// The selection rate over the highest of a group that is not small; none if there is none, or it is 0.
    pub impact_ratio: Option<f64>,
    /// Above the median of those assessed, where every tally says so.
    pub scoring_rate: Option<f64>,
    /// The scoring rate over the highest of a group that is not small.
    pub scoring_impact_ratio: Option<f64>,
    /// The group's share of all whose group is known.
    pub share: Option<f64>,
    /// Under 2 % of all whose group is known: its ratio says little, and it is not taken for the highest.
    pub small: bool,
    /// The impact ratio is under four fifths: an indicator to look closer, not a verdict.
    pub below_four_fifths: bool,
}

/// The groups of one attribute, or of several together.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Which attributes; several are an intersection.
    pub attributes: Vec<String>,
    /// All whose group is known.
    pub known: u64,
    /// Those whose group is not known, or not in all of these attributes.
    pub unknown: u64,
    /// Their share of all; none if there is nobody.
    pub unknown_share: Option<f64>,
    /// The lowest impact ratio of a group that is not small.
    pub lowest_impact_ratio: Option<f64>,
    /// By group.
    pub groups: Vec<GroupRow>,
}

/// Impact ratios of everything that was asked for.
#[derive(Clone, Debug, PartialEq)]
pub struct FairnessReport {
    /// How many tallies it is made from.
    pub tallies: usize,
    /// One for each attribute and each intersection.
    pub questions: Vec<Question>,
}

/// Tallies in one answer.
const MAX_TALLIES: usize = 2_000;

/// Tallies read at once.
const PAGE: usize = 500;

/// A tally that fairness is made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyRef {
    /// Model, version, and period or bench.
    pub id: String,
    /// The last entry of it.
    pub entry: u64,
}

/// Fairness of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct Fairness {
    /// The model.
    pub model: String,
    /// The version, if one was asked for.
    pub version: Option<String>,
    /// Impact ratios.
    pub report: FairnessReport,
    /// The tallies that it is made from.
    pub from: Vec<TallyRef>,
}

/// Selection rates and impact ratios of a model.
///
/// # Errors
/// A parameter is wrong, there are too many tallies, or the views do not answer.
pub fn of_model(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Fairness>, AnswerError> {
    let model = parameters.get("model").filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| AnswerError::parameter("model", "a model, such as hire-rank"))?;
    let version = parameters.get("version");
    let kind = parameters.get("kind").unwrap_or("tallied");
    if !matches!(kind, "tallied" | "observed") {
        return Err(AnswerError::parameter("kind", "tallied or observed"));
    }
    let limit = |name: &str| parameters.get(name).map(|text| time(name, text)).transpose();
    let within = (limit("from")?, limit("to")?);
    let asked = attributes(parameters.get("attributes"))?;
    let moment = moment(inquiry, &parameters.moment)?;
    let ask = moment.all(PAGE).with("state", kind);
    let mut ask = match version {
        Some(version) => ask.with("model_version", &format!("{model}@{version}")),
        None => ask.with("model", model),
    };
    let (mut tallies, mut from) = (Vec::new(), Vec::new());
    loop {
        inquiry.deadline().check()?;
        let page = moment.engine.list("fairness", &ask)?;
        for found in page.rows {
            if !is_within(&found.row, within) {
                continue;
            }
            from.push(TallyRef { id: found.id, entry: found.last_seq });
            let fields = Value::Object(found.row.fields);
            tallies.push(serde_json::from_value::<Tally>(fields).unwrap_or_default());
        }
        if from.len() > MAX_TALLIES {
            let detail = format!("there are more than {MAX_TALLIES} tallies; narrow it with from and to");
            return Err(AnswerError::Parameter(detail));
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    let report = report(&tallies, &asked);
    let body = Fairness { model: model.to_owned(), version: version.map(str::to_owned), report, from };
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// Attributes with commas between them; joined by `+` an intersection. In a query `+` may have become a space.
fn attributes(text: Option<&str>) -> Result<Vec<Vec<String>>, AnswerError> {
    let asked: Vec<Vec<String>> = text.map_or(Vec::new(), |text| {
        text.split(',').map(|set| set.split(['+', ' ']).map(str::to_owned).collect()).collect()
    });
    if asked.len() > 16 || asked.iter().flatten().any(|name| name.is_empty() || name.len() > 64) {
        let expected = "up to 16 attributes or intersections such as sex+ethnicity";
        return Err(AnswerError::parameter("attributes", expected));
    }
    Ok(asked)
}

/// Whether the period of a tally lies in a stretch; one without a period does.
fn is_within(tally: &Row, (from, to): (Option<Timestamp>, Option<Timestamp>)) -> bool {
    let date = |name: &str| tally.time(name);
    from.is_none_or(|from| date("from").is_none_or(|begin| begin >= from))
        && to.is_none_or(|to| date("to").is_none_or(|end| end <= to))
}

/// Works the ratios out: for the attributes asked for, or for each attribute and each intersection that occurs.
#[must_use]
pub fn report(tallies: &[Tally], asked: &[Vec<String>]) -> FairnessReport {
    let occurring = || -> Vec<Vec<String>> {
        let mut sets: BTreeSet<(usize, Vec<String>)> = BTreeSet::new();
        for cell in tallies.iter().flat_map(|tally| &tally.cells) {
            let names: Vec<String> = cell.group.keys().cloned().collect();
            sets.extend(names.iter().map(|name| (1, vec![name.clone()])));
            sets.insert((names.len(), names));
        }
        sets.into_iter().map(|(_, names)| names).filter(|names| !names.is_empty()).collect()
    };
    let sets = if asked.is_empty() { occurring() } else { asked.to_vec() };
    let questions = sets.into_iter().map(|attributes| question(tallies, attributes)).collect();
    FairnessReport { tallies: tallies.len(), questions }
}

fn question(tallies: &[Tally], mut attributes: Vec<String>) -> Question {
    attributes.sort();
    attributes.dedup();
    let mut sums: BTreeMap<Group, Sum> = BTreeMap::new();
    let mut unknown = 0;
    for tally in tallies {
        unknown += tally.unknown;
        let chosen = chosen(tally, &attributes);
        if chosen.is_empty() {
            // It does not tell these groups apart: everyone in it is of an unknown group.
            unknown += largest_set(tally).iter().map(|cell| cell.n).sum::<u64>();
        }
        for cell in chosen {
            let group = cell
                .group
                .iter()
                .filter(|(name, _)| attributes.contains(*name))
                .map(|(name, value)| (name.clone(), value.clone()));
            sums.entry(group.collect()).or_default().add(cell);
        }
    }
    let known: u64 = sums.values().map(|sum| sum.n).sum();
    let small = |n: u64| (n as f64) < known as f64 * SMALL_SHARE;
    let highest = |rate: fn(&Sum) -> Option<f64>| {
        sums.values()
            .filter(|sum| !small(sum.n))
            .filter_map(rate)
            .fold(None, |highest: Option<f64>, rate| Some(highest.map_or(rate, |highest| highest.max(rate))))
    };
    let (highest_rate, highest_score) = (highest(Sum::rate), highest(Sum::score));
    let ratio = |rate: Option<f64>, highest: Option<f64>| {
        rate.zip(highest).filter(|(_, highest)| *highest > 0.0).map(|(rate, highest)| rate / highest)
    };
    let groups: Vec<GroupRow> = sums
        .iter()
        .map(|(group, sum)| {
            let impact_ratio = ratio(sum.rate(), highest_rate);
            GroupRow {
                group: group.clone(),
                n: sum.n,
                selected: sum.selected,
                selection_rate: sum.rate(),
                impact_ratio,
                scoring_rate: sum.score(),
                scoring_impact_ratio: ratio(sum.score(), highest_score),
                share: (known > 0).then(|| sum.n as f64 / known as f64),
                small: small(sum.n),
                below_four_fifths: impact_ratio.is_some_and(|ratio| ratio < FOUR_FIFTHS),
            }
        })
        .collect();
    let lowest = groups.iter().filter(|row| !row.small).filter_map(|row| row.impact_ratio);
    let lowest_impact_ratio = lowest
        .fold(None, |lowest: Option<f64>, ratio| Some(lowest.map_or(ratio, |lowest| lowest.min(ratio))));
    let all = known + unknown;
    let unknown_share = (all > 0).then(|| unknown as f64 / all as f64);
    Question { attributes, known, unknown, unknown_share, lowest_impact_ratio, groups }
}

/// The cells of a tally that answer a question. A tally may tell the same people by one attribute and by several
/// together; of all its sets of attributes that can answer, the one with the fewest is taken, so that nobody counts twice.
fn chosen<'a>(tally: &'a Tally, attributes: &[String]) -> Vec<&'a Cell> {
    let mut sets: BTreeMap<(usize, Vec<&String>), Vec<&Cell>> = BTreeMap::new();
    for cell in &tally.cells {
        if attributes.iter().all(|name| cell.group.contains_key(name)) {
            let names: Vec<&String> = cell.group.keys().collect();
            sets.entry((names.len(), names)).or_default().push(cell);
        }
    }
    sets.into_values().next().unwrap_or_default()
}

/// The cells of the set of attributes that covers the most people.
fn largest_set(tally: &Tally) -> Vec<&Cell> {
    let mut sets: BTreeMap<Vec<&String>, Vec<&Cell>> = BTreeMap::new();
    for cell in &tally.cells {
        sets.entry(cell.group.keys().collect()).or_default().push(cell);
    }
    sets.into_values().max_by_key(|cells| cells.iter().map(|cell| cell.n).sum::<u64>()).unwrap_or_default()
}

#[derive(Default)]
struct Sum {
    n: u64,
    selected: u64,
    above: u64,
    /// Of how many of them it is known whether they scored above the median.
    scored: u64,
}

impl Sum {
    fn add(&mut self, cell: &Cell) {
        self.n += cell.n;
        self.selected += cell.selected;
        if let Some(above) = cell.above_median {
            self.above += above;
            self.scored += cell.n;
        }
    }

    fn rate(&self) -> Option<f64> {
        (self.n > 0).then(|| self.selected as f64 / self.n as f64)
    }

    fn score(&self) -> Option<f64> {
        (self.n > 0 && self.scored == self.n).then(|| self.above as f64 / self.n as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn cell(group: &[(&str, &str)], n: u64, selected: u64) -> Cell {
        let group = group.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Cell { group, n, selected, above_median: None }
    }

    fn rows(question: &Question) -> Vec<(String, u64, Option<f64>)> {
        let name = |group: &Group| group.values().cloned().collect::<Vec<_>>().join("+");
        let thousandths = |ratio: f64| (ratio * 1_000.0).round() / 1_000.0;
        question
            .groups
            .iter()
            .map(|row| (name(&row.group), row.n, row.impact_ratio.map(thousandths)))
            .collect()
    }

    #[test]
    fn a_ratio_is_a_rate_over_the_highest_rate() {
        // 122/412 = 0.2961, 182/455 = 0.4: 0.740.
        let tally = Tally {
            cells: vec![cell(&[("sex", "female")], 412, 122), cell(&[("sex", "male")], 455, 182)],
            unknown: 31,
        };
        let report = report(&[tally], &[]);
        let question = &report.questions[0];
        assert_eq!(rows(question), [("female".into(), 412, Some(0.74)), ("male".into(), 455, Some(1.0))]);
        assert_eq!((question.known, question.unknown), (867, 31));
        assert!(question.groups[0].below_four_fifths && !question.groups[1].below_four_fifths);
    }

    #[test]
    fn intersections_are_added_up_to_single_attributes_and_nobody_counts_twice() {
        let both = |sex, race, n, selected| cell(&[("sex", sex), ("race", race)], n, selected);
        let cells = vec![
            both("f", "a", 100, 30),
            both("f", "b", 50, 10),
            both("m", "a", 100, 50),
            both("m", "b", 50, 20),
        ];
        let intersected = Tally { cells: cells.clone(), unknown: 5 };
        let asked = [vec!["sex".to_owned()], vec!["sex".to_owned(), "race".to_owned()]];
        let found = report(std::slice::from_ref(&intersected), &asked);
        // By sex: 40/150 and 70/150. Together: 0.3, 0.2, 0.5, 0.4 over 0.5.
        assert_eq!(rows(&found.questions[0]), [("f".into(), 150, Some(0.571)), ("m".into(), 150, Some(1.0))]);
        let expected = [("a+f", 100, 0.6), ("a+m", 100, 1.0), ("b+f", 50, 0.4), ("b+m", 50, 0.8)];
        assert_eq!(
            rows(&found.questions[1]),
            expected.map(|(name, n, ratio)| (name.to_owned(), n, Some(ratio)))
        );
        // The same people told by sex alone as well: these cells are taken, and not both.
        let mut told_twice = intersected;
        told_twice.cells.extend([cell(&[("sex", "f")], 150, 40), cell(&[("sex", "m")], 150, 70)]);
        assert_eq!(rows(&report(&[told_twice], &asked).questions[0]), rows(&found.questions[0]));
    }

    #[test]
    fn a_small_group_is_marked_and_is_not_the_highest() {
        let cells =
            vec![cell(&[("g", "tiny")], 1, 1), cell(&[("g", "one")], 60, 30), cell(&[("g", "two")], 60, 15)];
        let found = report(&[Tally { cells, unknown: 0 }], &[]);
        let question = &found.questions[0];
        assert_eq!(question.groups.iter().map(|row| row.small).collect::<Vec<_>>(), [false, true, false]);
        assert_eq!(
            rows(question),
            [("one".into(), 60, Some(1.0)), ("tiny".into(), 1, Some(2.0)), ("two".into(), 60, Some(0.5))]
        );
        assert_eq!(question.lowest_impact_ratio, Some(0.5));
    }

    #[test]
    fn where_nobody_was_assessed_or_selected_there_is_no_ratio() {
        let cells = vec![cell(&[("g", "one")], 0, 0), cell(&[("g", "two")], 10, 0)];
        let found = report(&[Tally { cells, unknown: 0 }], &[]);
        assert_eq!(rows(&found.questions[0]), [("one".into(), 0, None), ("two".into(), 10, None)]);
        assert_eq!(report(&[], &[vec!["sex".to_owned()]]).questions[0].unknown_share, None);
    }

    #[test]
    fn a_tally_that_does_not_tell_the_groups_apart_counts_as_unknown() {
        let tallies = [
            Tally { cells: vec![cell(&[("sex", "f")], 10, 5), cell(&[("sex", "m")], 10, 5)], unknown: 1 },
            Tally { cells: vec![cell(&[("age", "old")], 7, 5)], unknown: 2 },
        ];
        let question = &report(&tallies, &[vec!["sex".to_owned()]]).questions[0];
        assert_eq!((question.known, question.unknown), (20, 10));
    }

    #[test]
    fn scoring_rates_are_there_only_where_all_tallies_have_them() {
        let scored = |above| Cell { above_median: above, ..cell(&[("g", "x")], 10, 5) };
        let of = |cells| report(&[Tally { cells, unknown: 0 }], &[]).questions[0].groups[0].scoring_rate;
        assert_eq!(of(vec![scored(Some(4))]), Some(0.4));
        assert_eq!(of(vec![scored(Some(4)), scored(None)]), None);
    }

    proptest! {
        #[test]
        fn marginals_are_what_counting_person_by_person_gives(people in prop::collection::vec((0..3_u8, 0..3_u8, any::<bool>()), 0..80)) {
            let mut tally = Tally::default();
            for (sex, race, selected) in &people {
                let one = cell(&[("sex", &sex.to_string()), ("race", &race.to_string())], 1, u64::from(*selected));
                tally.cells.push(one);
            }
            let found = report(&[tally], &[vec!["sex".to_owned()]]);
            for row in &found.questions[0].groups {
                let of = people.iter().filter(|(sex, _, _)| sex.to_string() == row.group["sex"]);
                let n = of.clone().count() as u64;
                let selected = of.filter(|(_, _, selected)| *selected).count() as u64;
                prop_assert_eq!((row.n, row.selected), (n, selected));
                prop_assert!(row.impact_ratio.is_none_or(|ratio| ratio.is_finite()));
            }
        }
    }
}
