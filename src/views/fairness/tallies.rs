//! The view of tallies: what was tallied or observed of each model and version.

use crate::views::engine::{Row, RowEvent, RowName, View};
use serde_json::{Value, json};

/// The view of tallies.
pub struct Tallies;

const TALLIED: &str = "fairness.tallied";
const OBSERVED: &str = "fairness.observed";

impl View for Tallies {
    fn name(&self) -> &str {
        "fairness"
    }

    fn family(&self) -> &str {
        "tally"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        vec![TALLIED.to_owned(), OBSERVED.to_owned()]
    }

    /// A tally is one of a model, version and period; observations are put together by model, version and bench.
    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName> {
        let text = |name: &str| data.pointer(name)?.as_str();
        let mut parts = vec![text("/model")?, text("/version")?];
        if ty == TALLIED {
            parts.extend([text("/period/from")?, text("/period/to")?]);
        } else {
            parts.push(text("/bench")?);
        }
        Some(RowName::Id(parts.join("@")))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        row.copy(event, &["model", "version"]);
        if event.ty == TALLIED {
            // Tallied again: the later word counts.
            row.state = "tallied".to_owned();
            row.copy(event, &["cells", "unknown"]);
            for name in ["from", "to"] {
                if let Some(time) = event.text(&format!("period.{name}")) {
                    row.set(name, time);
                }
            }
            return;
        }
        row.state = "observed".to_owned();
        row.copy(event, &["bench"]);
        row.set("unknown", 0);
        let Some(group) = event.value("group").cloned() else { return };
        let cells = row.list("cells");
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::time::Timestamp;
    use crate::views::engine::{fold, testing};
    use crate::views::fairness::Tally;

    fn event(ty: &str, data: Value) -> RowEvent {
        testing::event(0, Timestamp::EPOCH, ty, "app:x", data)
    }

    #[test]
    fn observations_add_up_and_a_tally_replaces_the_one_before() {
        let seen = |sex: &str, selected: bool| {
            event(
                OBSERVED,
                json!({"model": "m", "version": "1", "bench": "b", "group": {"sex": sex}, "selected": selected}),
            )
        };
        let row = fold(&Tallies, &[seen("f", true), seen("m", false), seen("f", false)]);
        let tally: Tally = serde_json::from_value(Value::Object(row.fields)).unwrap();
        let counts: Vec<_> = tally.cells.iter().map(|cell| (cell.n, cell.selected)).collect();
        assert_eq!(counts, [(2, 1), (1, 0)]);
        let tallied = |n: u64| {
            let cells = json!([{"group": {"sex": "f"}, "n": n, "selected": 1}]);
            event(
                TALLIED,
                json!({"model": "m", "version": "1", "period": {"from": "a", "to": "b"}, "cells": cells, "unknown": 2}),
            )
        };
        let row = fold(&Tallies, &[tallied(5), tallied(7)]);
        let tally: Tally = serde_json::from_value(Value::Object(row.fields)).unwrap();
        assert_eq!((tally.cells[0].n, tally.unknown), (7, 2));
    }
}
