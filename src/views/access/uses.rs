//! Uses of data: for each resource, principal, operation and purpose, how much of it there was.

use crate::views::engine::{Row, RowEvent, RowName, View};
use serde_json::{Value, json};

/// The view of uses.
pub struct Uses;

/// Grants that are remembered of a use.
///
/// Reason: one after the other over the years; more are a mistake of whoever counts.
const MAX_GRANTS: usize = 32;

impl View for Uses {
    fn name(&self) -> &str {
        "access-uses"
    }

    fn family(&self) -> &str {
        "use"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        vec!["access.used".to_owned()]
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        let text = |name: &str| data.get(name)?.as_str();
        let resource = super::listed::resource(data.get("resource")?)?;
        let environment = data.pointer("/resource/environment").and_then(Value::as_str).unwrap_or_default();
        let parts = [&resource, environment, text("principal")?, text("operation")?, text("purpose")?];
        Some(RowName::Id(parts.join("@")))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        row.state = "used".to_owned();
        row.copy(event, &["resource", "principal", "operation", "purpose"]);
        let count = event.value("count").and_then(Value::as_u64).unwrap_or(0);
        let allowed = event.text("outcome") != Some("denied");
        let name = if allowed { "allowed" } else { "denied" };
        let before = row.value(name).and_then(Value::as_u64).unwrap_or(0);
        row.set(name, before.saturating_add(count));
        if let Some((from, to)) = event.time("from").zip(event.time("to")) {
            let first = row.remembered("first").map_or(from, |first| first.min(from));
            let last = row.remembered("last").map_or(to, |last| last.max(to));
            row.remember("first", first);
            row.remember("last", last);
            row.set_time("first_from", first);
            row.set_time("last_to", last);
            if allowed {
                // Whether it was covered is asked of the moment when the last of it began.
                let began = row.remembered("began").map_or(from, |began| began.max(from));
                row.remember("began", began);
                row.set_time("last_began", began);
            }
        }
        if let Some(grant) = event.value("grant") {
            let grants = row.list("grants");
            if !grants.contains(grant) {
                grants.push(grant.clone());
                if grants.len() > MAX_GRANTS {
                    grants.remove(0);
                }
            }
        }
        row.fields.entry("grants").or_insert_with(|| json!([]));
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = Vec::new();
        lists.extend(row.text("principal").map(|principal| ("principal", principal.to_owned())));
        lists.extend(
            row.value("resource").and_then(super::listed::resource).map(|resource| ("resource", resource)),
        );
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["principal", "resource"]
    }

    fn fields(&self) -> Vec<&str> {
        vec!["principal", "resource", "operation", "purpose"]
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec!["operation", "purpose"]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        let of = |name: &'static str| row.text(name).map(|value| (name, value.to_owned()));
        of("operation").into_iter().chain(of("purpose")).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::grants::tests::{at, nth};
    use super::*;
    use crate::views::engine::{fold, testing};
    use proptest::prelude::*;

    fn event(seq: u64, day: i64, count: u64, allowed: bool) -> RowEvent {
        let outcome = if allowed { "allowed" } else { "denied" };
        let data = json!({
            "resource": {"kind": "dataset", "id": "d", "environment": "production"}, "principal": "user:p", "operation": "read",
            "purpose": "risk", "outcome": outcome, "from": at(day), "to": at(day + 1), "count": count,
        });
        testing::event(seq, nth(day), "access.used", "app:gate", data)
    }

    proptest! {
        #[test]
        fn uses_add_up(draws in prop::collection::vec((0..90_i64, 1..9_u64, any::<bool>()), 1..12)) {
            let events: Vec<RowEvent> =
                (0..).zip(&draws).map(|(seq, (day, count, allowed))| event(seq, *day, *count, *allowed)).collect();
            let row = fold(&Uses, &events);
            let sum = |wanted: bool| draws.iter().filter(|draw| draw.2 == wanted).map(|draw| draw.1).sum::<u64>();
            let of = |name: &str| row.value(name).and_then(Value::as_u64).unwrap_or(0);
            prop_assert_eq!((of("allowed"), of("denied")), (sum(true), sum(false)));
            let days = || draws.iter().map(|draw| draw.0);
            prop_assert_eq!(row.text("first_from").map(str::to_owned), days().min().map(at));
            prop_assert_eq!(row.text("last_to").map(str::to_owned), days().max().map(|day| at(day + 1)));
            let began = draws.iter().filter(|draw| draw.2).map(|draw| draw.0).max().map(at);
            prop_assert_eq!(row.text("last_began").map(str::to_owned), began);
        }
    }

    #[test]
    fn a_use_is_one_of_resource_environment_principal_operation_and_purpose() {
        let name = Uses.row_of("access.used", &event(0, 0, 1, true).data);
        assert_eq!(name, Some(RowName::Id("dataset/d@production@user:p@read@risk".into())));
    }
}
