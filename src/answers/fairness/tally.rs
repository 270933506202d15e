//! Tallies as they are told, and which of them stand: of those that tell of the same people at the same time, the first one
//! recorded.

use crate::spec::time::Timestamp;
use crate::views::engine::Found;
use crate::views::fairness::{BY_SOURCE, Group, attributes};
use serde_json::{Map, Value};
use std::cell::OnceCell;
use std::collections::{BTreeMap, BTreeSet};

/// The most that a count may say: beyond, JSON readers lose some. Intake refuses more; what older ledgers hold counts as
/// so many.
const MAX_COUNT: u64 = 1 << 53;

/// People of one group.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Cell {
    pub(super) group: Group,
    pub(super) n: u64,
    pub(super) selected: u64,
    /// How many of them scored above the median, where that is known.
    pub(super) above_median: Option<u64>,
}

/// Whose people a tally counts: those of two tallies that agree in it, and overlap in time, are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct People {
    pub(super) source: String,
    pub(super) version: String,
    pub(super) environment: Option<String>,
    pub(super) population: Option<String>,
}

/// How a tally stands.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TallyStanding {
    /// It counts.
    #[default]
    Stands,
    /// It says what that entry says.
    ToldAgain(u64),
    /// It overlaps, in time, what that entry says, which was recorded before it.
    Overlaps(u64),
}

/// One tally of one source.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) id: String,
    pub(super) entry: u64,
    /// Where it stands in the order of recording.
    pub(super) place: u64,
    pub(super) digest: u64,
    pub(super) people: People,
    pub(super) attributes: BTreeSet<String>,
    /// From and until, where it states a period.
    pub(super) period: Option<(Timestamp, Timestamp)>,
    pub(super) cells: Vec<Cell>,
    pub(super) unknown: u64,
    /// People not told by an attribute, as stated.
    pub(super) not_told: BTreeMap<String, u64>,
    pub(super) total: Option<u64>,
    /// Its period is none, or more were selected than assessed.
    pub(super) irregular: bool,
    pub(super) standing: TallyStanding,
    /// What its cells come to, once it has been worked out: it is asked for each question.
    pub(super) reckoned: Reckoned,
}

/// What the cells of a tally come to, whichever attributes are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Reckoned {
    /// Whether they tell of the same people in several ways.
    pub(super) several_ways: OnceCell<bool>,
    /// Everybody in it.
    pub(super) everybody: OnceCell<u64>,
}

fn count(value: &Value) -> Option<u64> {
    value.as_u64().map(|n| n.min(MAX_COUNT))
}

fn word(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(_) | Value::Bool(_) => Some(value.to_string()),
        _ => None,
    }
}

fn cell(value: &Value) -> Cell {
    let number = |name: &str| value.get(name).and_then(count);
    let group = value.get("group").and_then(Value::as_object).into_iter().flatten();
    Cell {
        group: group.filter_map(|(name, value)| Some((name.clone(), word(value)?))).collect(),
        n: number("n").unwrap_or(0),
        selected: number("selected").unwrap_or(0),
        above_median: number("above_median"),
    }
}

/// The tallies of a row, with those that are only named.
pub(super) fn of_row(found: &Found) -> Vec<Tally> {
    let row = &found.row;
    let text = |name: &str| row.text(name).map(str::to_owned);
    let mut tallies = Vec::new();
    for told in row.value(BY_SOURCE).and_then(Value::as_array).into_iter().flatten() {
        let Some(of) = told.as_object() else { continue };
        let number = |of: &Map<String, Value>, name: &str| of.get(name).and_then(Value::as_u64).unwrap_or(0);
        let cells: Vec<Cell> =
            of.get("cells").and_then(Value::as_array).into_iter().flatten().map(cell).collect();
        let period = of.get("period").and_then(Value::as_array).and_then(|period| {
            let at = |place: usize| Timestamp::from_micros(period.get(place)?.as_i64()?);
            Some((at(0)?, at(1)?))
        });
        let not_told = of.get("not_told").and_then(Value::as_object).into_iter().flatten();
        let tally = Tally {
            id: found.id.clone(),
            entry: number(of, "entry"),
            place: number(of, "place"),
            digest: number(of, "digest"),
            people: People {
                source: of.get("source").and_then(Value::as_str).unwrap_or_default().to_owned(),
                version: text("version").unwrap_or_default(),
                environment: text("environment"),
                population: text("population"),
            },
            attributes: attributes(told),
            period,
            irregular: of.contains_key("irregular") || cells.iter().any(|cell| cell.selected > cell.n),
            cells,
            unknown: of.get("unknown").and_then(count).unwrap_or(0),
            not_told: not_told.filter_map(|(name, n)| Some((name.clone(), count(n)?))).collect(),
            total: of.get("total").and_then(count),
            standing: TallyStanding::Stands,
            reckoned: Reckoned::default(),
        };
        for later in of.get("later").and_then(Value::as_array).into_iter().flatten() {
            let Some(later) = later.as_object() else { continue };
            let mut named = Tally { cells: Vec::new(), reckoned: Reckoned::default(), ..tally.clone() };
            named.entry = number(later, "entry");
            named.place = number(later, "place");
            named.digest = number(later, "digest");
            tallies.push(named);
        }
        tallies.push(tally);
    }
    tallies
}

/// Whether two stretches have a moment in common. Those that only touch have none.
pub(super) fn overlap(one: &Tally, other: &Tally) -> bool {
    match (one.period, other.period) {
        (Some((from, until)), Some((other_from, other_until))) => {
            from == other_from || (from < other_until && other_from < until)
        }
        // Observations of different benches are of different people.
        _ => one.id == other.id,
    }
}

/// Says of each tally whether it stands. They come back in the order of recording.
pub(super) fn stand(mut tallies: Vec<Tally>) -> Vec<Tally> {
    tallies.sort_by_key(|tally| (tally.place, tally.entry));
    let mut standing: BTreeMap<(People, BTreeSet<String>), Vec<Tally>> = BTreeMap::new();
    for tally in &mut tallies {
        let same = standing.entry((tally.people.clone(), tally.attributes.clone())).or_default();
        tally.standing = match same.iter().find(|other| overlap(other, tally)) {
            None => TallyStanding::Stands,
            Some(other) if other.digest == tally.digest => TallyStanding::ToldAgain(other.entry),
            Some(other) => TallyStanding::Overlaps(other.entry),
        };
        if tally.standing == TallyStanding::Stands {
            same.push(Tally { cells: Vec::new(), reckoned: Reckoned::default(), ..tally.clone() });
        }
    }
    tallies
}
