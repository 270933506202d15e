//! Uses of data: what was used by whom, for what, over which stretch of time. One use is one row, however often it is told.

use super::told::{MAX_COUNT, Told, name_of};
use crate::views::engine::{Opening, Row, RowEvent, RowName, View};
use serde_json::{Value, json};

/// The view of uses.
pub struct Uses;

const ALLOWED: &str = "allowed";
const DENIED: &str = "denied";

/// Counts of one use that are shown, where they differ.
///
/// Reason: two are enough to make somebody look; all are in the history.
const MAX_COUNTS: usize = 16;

impl View for Uses {
    fn name(&self) -> &str {
        "access-uses"
    }

    fn family(&self) -> &str {
        "use"
    }

    fn version(&self) -> u64 {
        2
    }

    fn types(&self) -> Vec<String> {
        vec!["access.used".to_owned()]
    }

    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName> {
        self.row_of_source(ty, "", data)
    }

    /// A use is known by all that it is, its source included: told again under another event id, it is the same one.
    fn row_of_source(&self, _: &str, source: &str, data: &Value) -> Option<RowName> {
        let text = |name: &str| data.get(name)?.as_str();
        let resource = super::listed::resource(data.get("resource")?)?;
        let environment = data.pointer("/resource/environment").and_then(Value::as_str).unwrap_or_default();
        let name = format!("{:013x}", name_of(source, data));
        let parts = [&resource, environment, text("principal")?, text("operation")?, text("purpose")?];
        Some(RowName::Id(format!("{}@{name}", parts.join("@"))))
    }

    fn opening(&self, _: &str) -> Opening {
        Opening::Beside
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        let told = Told::of(event);
        row.state = if told.denied { DENIED } else { ALLOWED }.to_owned();
        row.copy(event, &["resource", "principal", "operation", "purpose", "outcome", "grant", "counter"]);
        row.set_time("from", told.from);
        row.set_time("to", told.to);
        let place =
            row.memo.get(PLACE).and_then(Value::as_u64).map_or(event.place, |first| first.min(event.place));
        row.memo.insert(PLACE.to_owned(), place.into());
        let counts = row.memo.entry(COUNTS).or_insert_with(|| json!([]));
        let mut counts: Vec<u64> =
            counts.as_array().into_iter().flatten().filter_map(Value::as_u64).collect();
        counts.push(told.count);
        counts.sort_unstable();
        counts.dedup();
        if counts.len() > MAX_COUNTS {
            counts.remove(0);
        }
        let count = counts.last().copied().unwrap_or(told.count).min(MAX_COUNT);
        row.set("count", count);
        row.set(if told.denied { DENIED } else { ALLOWED }, count);
        if counts.len() > 1 {
            row.set(COUNTS, counts.clone());
            row.set("counts_differ", true);
        }
        row.memo.insert(COUNTS.to_owned(), counts.into());
        if !told.irregular.is_empty() {
            row.set("irregular", told.irregular);
        }
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = Vec::new();
        lists.extend(row.text("grant").map(|grant| ("grant", grant.to_owned())));
        lists.extend(row.text("principal").map(|principal| ("principal", principal.to_owned())));
        lists.extend(
            row.value("resource").and_then(super::listed::resource).map(|resource| ("resource", resource)),
        );
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["grant", "principal", "resource"]
    }

    fn fields(&self) -> Vec<&str> {
        vec!["grant", "principal", "resource", "operation", "purpose", "outcome", "counts_differ"]
    }

    fn flags(&self) -> Vec<&'static str> {
        vec!["counts_differ"]
    }

    fn words(&self, field: &str) -> Option<Vec<String>> {
        const STATES: &[&str] = &[ALLOWED, DENIED];
        (field == "state").then(|| STATES.iter().copied().map(str::to_owned).collect())
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec!["operation", "purpose", "outcome"]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        let of = |name: &'static str| row.text(name).map(|value| (name, value.to_owned()));
        ["operation", "purpose", "outcome"].into_iter().filter_map(of).collect()
    }

    fn common_state(&self) -> Option<&str> {
        Some(ALLOWED)
    }
}

/// Every count that was told, ascending.
const COUNTS: &str = "counts";
/// Where the first telling stands in the order of recording.
const PLACE: &str = "place";

/// Where the first telling of a use stands in the order of recording: what is recorded from there on was not known.
#[must_use]
pub fn recorded_at_place(row: &Row) -> Option<u64> {
    row.memo.get(PLACE).and_then(Value::as_u64)
}

#[cfg(test)]
mod tests {
    use super::super::grants::tests::{at, nth};
    use super::*;
    use crate::views::engine::testing;

    fn event(seq: u64, day: i64, count: u64, allowed: bool) -> RowEvent {
        let outcome = if allowed { "allowed" } else { "denied" };
        let data = json!({
            "resource": {"kind": "dataset", "id": "d", "environment": "production"}, "principal": "user:p", "operation": "read",
            "purpose": "risk", "outcome": outcome, "from": at(day), "to": at(day + 1), "count": count,
        });
        testing::event(seq, nth(day), "access.used", "app:gate", data)
    }

    fn name(event: &RowEvent) -> String {
        match Uses.row_of_source(&event.ty, &event.source, &event.data) {
            Some(RowName::Id(id)) => id,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_use_is_one_of_all_that_it_is_its_source_and_its_times_included() {
        let first = name(&event(0, 0, 1, true));
        assert!(first.starts_with("dataset/d@production@user:p@read@risk@"), "{first}");
        assert_eq!(name(&event(7, 0, 5, true)), first);
        let mut elsewhere = event(0, 0, 1, true);
        elsewhere.source = "/elsewhere".to_owned();
        for other in [event(0, 1, 1, true), event(0, 0, 1, false), elsewhere] {
            assert_ne!(name(&other), first);
        }
        // Times are instants, whatever their offset.
        let mut offset = event(0, 0, 1, true);
        std::sync::Arc::make_mut(&mut offset.data)["from"] = "1970-01-01T02:00:00+02:00".into();
        assert_eq!(name(&offset), first);
    }
}
