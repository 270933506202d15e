//! Selection rates and impact ratios by group and by intersection, from tallies.
//!
//! [`tally`] says which tallies stand, [`split`] into which groups they put people. Figures of several sources,
//! environments or populations are never added up: two sources may tell of the same people. Those of several versions are,
//! unless one is asked for. [`withheld`] says what is told to those who may not see small groups.

mod group;
mod split;
mod tally;
#[cfg(test)]
mod tests;
mod withheld;
#[cfg(test)]
mod withheld_tests;

use super::caveats::{self, Caveat};
use super::deadline::Deadline;
use super::error::AnswerError;
use super::moment::{moment, time};
use super::names::Listener;
use super::parameters::Parameters;
use super::{Answer, Inquiry, Unheard};
use crate::catalog::KEY_JOINER;
use crate::spec::time::Timestamp;
pub use group::GroupRow;
use group::groups;
use split::Split;
use std::collections::{BTreeMap, BTreeSet};
pub use tally::TallyStanding;
use tally::{People, Tally, of_row, overlap, stand};
use withheld::{FEWEST, Withheld};

/// The groups of one attribute, or of several together, as one source tells of one population.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// Which attributes; several are an intersection.
    pub attributes: Vec<String>,
    /// The source that tells it.
    pub source: String,
    /// Where the model ran, where the tallies say it.
    pub environment: Option<String>,
    /// Who was assessed, where the tallies say it.
    pub population: Option<String>,
    /// How many tallies are added up.
    pub tallies: usize,
    /// Numbers are withheld, because some of the people are in groups of fewer than so many: ratios are held against the
    /// groups that are told.
    pub withheld_below: Option<u64>,
    /// Everybody in them; none, as all numbers that follow, where they are withheld.
    pub total: Option<u64>,
    /// All whose group is known.
    pub known: Option<u64>,
    /// Those whose group is not known.
    pub unknown: Option<u64>,
    /// Those who are not told by these attributes.
    pub not_told: Option<u64>,
    /// Of those not told, how many only a stated total knows of.
    pub only_in_total: Option<u64>,
    /// How many are told beyond the totals that are stated.
    pub beyond_total: Option<u64>,
    /// A tally tells the same people in several ways, by sex and by ethnicity say: each counts once.
    pub several_ways: bool,
    /// The unknown share of all; none if there is nobody.
    pub unknown_share: Option<f64>,
    /// The lowest impact ratio of a group that is not small, or of all where all are small.
    pub lowest_impact_ratio: Option<f64>,
    /// There are only small groups: the ratios are of small groups.
    pub only_small: bool,
    /// By group.
    pub groups: Vec<GroupRow>,
}

/// The view of tallies.
const VIEW: &str = "fairness";

/// Tallies in one answer.
const MAX_TALLIES: usize = 2_000;

/// Tallies read at once.
const PAGE: usize = 500;

/// A tally that is named.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TallyRef {
    /// Model, version, period or bench, and what else makes it another one.
    pub id: String,
    /// The entry that tells it.
    pub entry: u64,
    /// The entry that stands in its place, where another one does.
    pub instead: Option<u64>,
}

/// Fairness of a model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Fairness {
    /// The model.
    pub model: String,
    /// The version, if one was asked for.
    pub version: Option<String>,
    /// How many tallies it is made from.
    pub tallies: usize,
    /// One for each attribute and each intersection, of each source, environment and population.
    pub questions: Vec<Question>,
    /// The tallies that it is made from.
    pub from: Vec<TallyRef>,
    /// Tallies of people that another one tells of, recorded before: named and not added.
    pub overlapping: Vec<TallyRef>,
    /// Tallies that lie only partly in the period asked for: named and not added.
    pub partly: Vec<TallyRef>,
    /// Tallies that contradict themselves: their period is none, or more were selected than assessed.
    pub irregular: Vec<TallyRef>,
    /// The names that were asked for and that the ledger had never heard of.
    pub unheard: Unheard,
    /// What touches tallies, of whichever model.
    pub caveats: Vec<Caveat>,
}

/// From when, and until when.
type Within = (Option<Timestamp>, Option<Timestamp>);

/// Selection rates and impact ratios of a model.
///
/// # Errors
/// A parameter is wrong, there are too many tallies, or the views do not answer.
pub fn of_model(inquiry: &Inquiry<'_>, parameters: &Parameters) -> Result<Answer<Fairness>, AnswerError> {
    let model = parameters.get("model").filter(|model| !model.is_empty());
    let model = model.ok_or_else(|| AnswerError::parameter("model", "a model, such as hire-rank"))?;
    let version = parameters.get("version");
    let kind = parameters.word("kind", &["tallied", "observed"])?.unwrap_or("tallied");
    let limit = |name: &str| parameters.get(name).map(|text| time(name, text)).transpose();
    let within = (limit("from")?, limit("to")?);
    let asked = attributes(parameters.get("attributes"))?;
    let moment = moment(inquiry, &parameters.moment)?;
    let ask = moment.all(PAGE).with("state", kind);
    let mut ask = match version {
        Some(version) => ask.with("model_version", &format!("{model}@{version}")),
        None => ask.with("model", model),
    };
    let mut tallies = Vec::new();
    loop {
        inquiry.deadline().check()?;
        let page = moment.engine.list(VIEW, &ask)?;
        tallies.extend(page.rows.iter().flat_map(of_row));
        if tallies.len() > MAX_TALLIES {
            let detail = format!("there are more than {MAX_TALLIES} tallies of it; ask for one version");
            return Err(AnswerError::Parameter(detail));
        }
        match page.next {
            Some(next) => ask.after = Some(next),
            None => break,
        }
    }
    let mut unheard = Unheard::new();
    if tallies.is_empty() {
        let listener = Listener::new(inquiry, &moment);
        unheard = listener.unheard("model", model, Some((VIEW, "model")))?;
        if let Some(version) = version
            && !listener.has_heard_in(VIEW, "model_version", &format!("{model}{KEY_JOINER}{version}"))?
        {
            unheard.insert("version".to_owned(), vec![version.to_owned()]);
        }
    }
    let caveats = caveats::of_view(inquiry, &moment, &*moment.view(VIEW)?)?;
    let body = Fairness {
        unheard,
        caveats,
        model: model.to_owned(),
        version: version.map(str::to_owned),
        ..report(stand(tallies), &asked, within, inquiry.sees_small_groups(), inquiry.deadline())?
    };
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

/// Where the period of a tally lies; one without a period lies in every stretch.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lies {
    Within,
    Partly,
    Outside,
}

fn lies(tally: &Tally, (from, to): Within) -> Lies {
    let Some((begins, until)) = tally.period else { return Lies::Within };
    let is_within = from.is_none_or(|from| from <= begins) && to.is_none_or(|to| until <= to);
    // One that ends as it begins lies in the stretch that holds this moment.
    let last = until.max(begins.saturating_add(1));
    let touches = from.is_none_or(|from| from < last) && to.is_none_or(|to| begins < to);
    match (is_within && touches, touches) {
        (true, _) => Lies::Within,
        (false, true) => Lies::Partly,
        (false, false) => Lies::Outside,
    }
}

/// Works the ratios out: for the attributes asked for, or for each attribute and each intersection that occurs. The
/// tallies come as they stand. Whoever does not see small groups is told less. Odd tallies have many attributes together:
/// the deadline is looked at for each question.
fn report(
    tallies: Vec<Tally>,
    asked: &[Vec<String>],
    within: Within,
    sees_small: bool,
    deadline: Deadline,
) -> Result<Fairness, AnswerError> {
    let mut found = Fairness::default();
    let mut added = Vec::new();
    for tally in &tallies {
        let named = |instead| TallyRef { id: tally.id.clone(), entry: tally.entry, instead };
        match (tally.standing, lies(tally, within)) {
            (_, Lies::Outside) => continue,
            (TallyStanding::ToldAgain(by) | TallyStanding::Overlaps(by), _) => {
                found.overlapping.push(named(Some(by)));
            }
            (TallyStanding::Stands, Lies::Partly) => found.partly.push(named(None)),
            (TallyStanding::Stands, Lies::Within) => {
                found.from.push(named(None));
                added.push(tally);
            }
        }
        if tally.irregular {
            found.irregular.push(named(None));
        }
    }
    found.tallies = added.len();
    let mut apart: BTreeMap<_, Vec<&Tally>> = BTreeMap::new();
    for tally in added {
        let people = &tally.people;
        apart.entry((&people.source, &people.environment, &people.population)).or_default().push(tally);
    }
    for tallies in apart.into_values() {
        let sets = if asked.is_empty() { occurring(&tallies) } else { asked.to_vec() };
        let mut counted = Vec::with_capacity(sets.len());
        for attributes in sets {
            deadline.check()?;
            counted.push(count(&tallies, attributes, &mut found.overlapping));
        }
        let withheld = if sees_small {
            vec![Withheld::Nothing; counted.len()]
        } else {
            let questions: Vec<_> =
                counted.iter().map(|counted| (counted.attributes.as_slice(), &counted.split)).collect();
            withheld::of_questions(&tallies, &by_each(&tallies, deadline)?, &questions)
        };
        let Some(people) = tallies.first().map(|tally| &tally.people) else { continue };
        let told = counted.into_iter().zip(&withheld);
        found.questions.extend(told.map(|(counted, withheld)| question(people, counted, withheld)));
    }
    found.overlapping.sort_by_key(|named| named.entry);
    found.overlapping.dedup();
    Ok(found)
}

/// The people of some tallies by each attribute that occurs in them.
fn by_each(tallies: &[&Tally], deadline: Deadline) -> Result<Vec<Split>, AnswerError> {
    let singles = occurring(tallies).into_iter().filter(|attributes| attributes.len() == 1);
    let split = |attributes: Vec<String>| -> Result<Split, AnswerError> {
        deadline.check()?;
        Ok(count(tallies, attributes, &mut Vec::new()).split)
    };
    singles.map(split).collect()
}

/// Each attribute and each intersection that occurs in tallies.
fn occurring(tallies: &[&Tally]) -> Vec<Vec<String>> {
    let mut sets: BTreeSet<(usize, Vec<String>)> = BTreeSet::new();
    for cell in tallies.iter().flat_map(|tally| &tally.cells) {
        let names: Vec<String> = cell.group.keys().cloned().collect();
        sets.extend(names.iter().map(|name| (1, vec![name.clone()])));
        sets.insert((names.len(), names));
    }
    sets.into_iter().map(|(_, names)| names).filter(|names| !names.is_empty()).collect()
}

/// The people of one question, counted.
struct Counted {
    attributes: Vec<String>,
    /// How many tallies are added up.
    tallies: usize,
    split: Split,
}

/// One question over the tallies of one source, environment and population. Of tallies by different attributes that tell
/// of the same people, those that know the attributes asked for are taken, the first recorded before others; the others are
/// named.
fn count(tallies: &[&Tally], mut attributes: Vec<String>, overlapping: &mut Vec<TallyRef>) -> Counted {
    attributes.sort();
    attributes.dedup();
    let knows = |tally: &&&Tally| attributes.iter().all(|name| tally.attributes.contains(name));
    let first = tallies.iter().filter(knows).chain(tallies.iter().filter(|tally| !knows(tally)));
    let mut added: Vec<&Tally> = Vec::new();
    for tally in first {
        let same = |other: &&&Tally| other.people == tally.people && overlap(other, tally);
        match added.iter().find(same).filter(|other| other.attributes != tally.attributes) {
            Some(other) => overlapping.push(TallyRef {
                id: tally.id.clone(),
                entry: tally.entry,
                instead: Some(other.entry),
            }),
            None => added.push(tally),
        }
    }
    Counted { split: split::split(&added, &attributes), tallies: added.len(), attributes }
}

fn question(people: &People, counted: Counted, withheld: &Withheld) -> Question {
    let Counted { attributes, tallies, split } = counted;
    let told = withheld::told(&split, withheld);
    let mut groups = groups(&told, split.known());
    // Which groups an intersection has would say something of them too.
    if *withheld != Withheld::All || attributes.len() == 1 {
        let untold = split.groups.iter().filter(|(group, _)| !told.groups.contains_key(*group));
        groups.extend(untold.map(|(group, sum)| GroupRow::withheld(group, sum)));
        groups.sort_by(|one, other| one.group.cmp(&other.group));
    }
    let (known, unknown, not_told) = (split.known(), split.unknown, split.not_told);
    let all = known.saturating_add(unknown).saturating_add(not_told);
    let lowest = groups.iter().filter(|row| told.only_small || row.small == Some(false));
    let lowest_impact_ratio = lowest.filter_map(|row| row.impact_ratio).min_by(f64::total_cmp);
    let number = |number: u64| Some(number).filter(|_| *withheld != Withheld::All);
    Question {
        source: people.source.clone(),
        environment: people.environment.clone(),
        population: people.population.clone(),
        tallies,
        withheld_below: Some(FEWEST).filter(|_| *withheld != Withheld::Nothing),
        total: number(all),
        known: number(known),
        unknown: number(unknown),
        not_told: number(not_told),
        only_in_total: number(split.made_up),
        beyond_total: number(split.too_many),
        several_ways: split.several_ways,
        unknown_share: number(unknown).filter(|_| all > 0).map(|unknown| unknown as f64 / all as f64),
        lowest_impact_ratio,
        only_small: told.only_small,
        attributes,
        groups,
    }
}
