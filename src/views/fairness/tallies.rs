//! The view of tallies: what was tallied or observed of each model and version.
//!
//! A row is what one identity of a tally leads to: model, version, environment, population, period and the attributes by
//! which it tells groups apart; of a bench, what was observed on it. Within it each source is apart, and of what a source
//! tells several times the first one recorded stands.

use super::period::{Period, period_of};
use crate::views::engine::{Row, RowEvent, RowName, View, told_digest};
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The view of tallies.
pub struct Tallies;

const TALLIED: &str = "fairness.tallied";
const OBSERVED: &str = "fairness.observed";

/// Where the tallies of a row stand, one for each source.
pub const BY_SOURCE: &str = "by_source";

/// Sources of one row that are kept; beyond, they are counted.
///
/// Reason: who tallies a model are its owner and perhaps an auditor; each may bring 256 cells.
const MAX_SOURCES: usize = 16;

/// Later tellings of one source that are named; beyond, they are counted.
const MAX_LATER: usize = 32;

impl View for Tallies {
    fn name(&self) -> &str {
        "fairness"
    }

    fn family(&self) -> &str {
        "tally"
    }

    fn version(&self) -> u64 {
        2
    }

    fn types(&self) -> Vec<String> {
        vec![TALLIED.to_owned(), OBSERVED.to_owned()]
    }

    /// Observations are put together by model, version and bench.
    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName> {
        let text = |name: &str| data.get(name)?.as_str();
        let mut parts = vec![text("model")?.to_owned(), text("version")?.to_owned()];
        if ty == OBSERVED {
            parts.push(text("bench")?.to_owned());
            return Some(RowName::Id(parts.join("@")));
        }
        parts.push(period_of(data).map_or_else(|| "?".to_owned(), |period| period.to_string()));
        for name in ["environment", "population"] {
            parts.extend(text(name).map(|value| format!("{name}={value}")));
        }
        parts.push(attributes(data).into_iter().collect::<Vec<_>>().join("+"));
        Some(RowName::Id(parts.join("@")))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        row.copy(event, &["model", "version", "environment", "population", "bench"]);
        let sources = row.list(BY_SOURCE);
        let own = sources.iter().position(|tally| tally["source"].as_str() == Some(&event.source));
        let kept = sources.len();
        if event.ty == TALLIED {
            row.state = "tallied".to_owned();
        } else {
            row.state = "observed".to_owned();
        }
        let beyond = own.is_none() && kept >= MAX_SOURCES;
        if beyond {
            let before = row.value("sources_beyond").and_then(Value::as_u64).unwrap_or(0);
            row.set("sources_beyond", before + 1);
            return;
        }
        let sources = row.list(BY_SOURCE);
        match own.and_then(|own| sources.get_mut(own)) {
            Some(Value::Object(tally)) if event.ty == TALLIED => tallied_again(tally, event),
            Some(Value::Object(tally)) => observed(tally, event),
            _ if event.ty == TALLIED => sources.push(Value::Object(tallied(event))),
            _ => {
                let mut tally = Map::new();
                tally.insert("source".to_owned(), event.source.as_str().into());
                observed(&mut tally, event);
                sources.push(Value::Object(tally));
            }
        }
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let Some((model, version)) = row.text("model").zip(row.text("version")) else { return Vec::new() };
        vec![("model_version", format!("{model}@{version}")), ("model", model.to_owned())]
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["model_version", "model"]
    }

    fn facets(&self, _: &Row) -> Vec<(&'static str, String)> {
        Vec::new()
    }
}

/// The attributes by which a tally tells groups apart: as it states them, and otherwise those of its cells.
pub fn attributes(data: &Value) -> BTreeSet<String> {
    if let Some(stated) = data.get("attributes").and_then(Value::as_array) {
        return stated.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    }
    let cells = data.get("cells").and_then(Value::as_array).into_iter().flatten();
    cells.filter_map(|cell| cell.get("group")?.as_object()).flat_map(Map::keys).cloned().collect()
}

/// A tally of a source, as it is kept: what it says, and where it stands in the order of recording.
fn tallied(event: &RowEvent) -> Map<String, Value> {
    let mut tally = Map::new();
    for name in ["cells", "unknown", "total", "not_told", "attributes"] {
        tally.extend(event.value(name).map(|value| (name.to_owned(), value.clone())));
    }
    let Period { from, until, regular } = period_of(&event.data).unwrap_or(Period {
        from: event.acted_at,
        until: event.acted_at,
        regular: false,
    });
    tally.insert("period".to_owned(), json!([from.micros(), until.micros()]));
    if !regular {
        tally.insert("irregular".to_owned(), true.into());
    }
    tally.insert("source".to_owned(), event.source.as_str().into());
    tally.insert("entry".to_owned(), event.seq.into());
    tally.insert("place".to_owned(), event.place.into());
    tally.insert("digest".to_owned(), told_digest(&event.data).into());
    tally
}

/// The same identity again, of the same source: the first one recorded stands, the other is named.
fn tallied_again(tally: &mut Map<String, Value>, event: &RowEvent) {
    let mut later = match tally.remove("later") {
        Some(Value::Array(later)) => later,
        _ => Vec::new(),
    };
    let mut other = tallied(event);
    let place = |tally: &Map<String, Value>| tally.get("place").and_then(Value::as_u64);
    if place(&other) < place(tally) {
        std::mem::swap(tally, &mut other);
    }
    let named = |name: &str| other.get(name).cloned().unwrap_or_default();
    if later.len() < MAX_LATER {
        later.push(json!({"entry": named("entry"), "place": named("place"), "digest": named("digest")}));
    } else {
        let beyond = other.get("later_beyond").and_then(Value::as_u64).unwrap_or(0) + 1;
        tally.insert("later_beyond".to_owned(), beyond.into());
    }
    tally.insert("later".to_owned(), later.into());
}

/// One more observation of a source.
fn observed(tally: &mut Map<String, Value>, event: &RowEvent) {
    tally.insert("entry".to_owned(), event.seq.into());
    tally.insert("place".to_owned(), event.place.into());
    let Some(group) = event.value("group").cloned() else { return };
    let cells = tally.entry("cells").or_insert_with(|| json!([]));
    let Value::Array(cells) = cells else { return };
    let place = cells.iter().position(|cell| cell["group"] == group).unwrap_or_else(|| {
        cells.push(json!({"group": group, "n": 0, "selected": 0}));
        cells.len() - 1
    });
    let Some(Value::Object(cell)) = cells.get_mut(place) else { return };
    let mut add = |name: &str, is: bool| {
        let count = cell.get(name).and_then(Value::as_u64).unwrap_or(0) + u64::from(is);
        cell.insert(name.to_owned(), count.into());
    };
    add("n", true);
    add("selected", event.is("selected"));
    if event.value("above_median").is_some() {
        add("above_median", event.is("above_median"));
    }
}
