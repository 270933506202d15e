//! Whether a row is one of those asked for.

use super::asked::{Ask, Found};
use super::reading::Reading;
use crate::spec::time::Timestamp;
use crate::views::engine::view::{BY, CONFLICT, SOURCE, View};
use serde_json::Value;

impl Reading<'_> {
    pub(super) fn fits(&self, ask: &Ask, found: &Found) -> bool {
        let at = ask.when.at;
        let view = &*self.view;
        let within = |date: Option<Timestamp>, (from, to): (Option<Timestamp>, Option<Timestamp>)| {
            (from.is_none() && to.is_none())
                || date
                    .is_some_and(|date| from.is_none_or(|from| from <= date) && to.is_none_or(|to| date < to))
        };
        ask.overdue.is_none_or(|overdue| overdue == found.overdue(at))
            && ask.validity.as_deref().is_none_or(|wanted| found.validity(at) == Some(wanted))
            && within(found.row.due_at.filter(|_| !found.row.ended), ask.due)
            && within(found.row.valid_until.filter(|_| !found.row.ended), ask.until)
            && within(Some(found.opened_at), ask.opened)
            && within(Some(found.changed_at), ask.changed)
            && within(found.ended_at(at), ask.ended)
            && ask.before.as_ref().is_none_or(|(field, before)| {
                found.row.text(field).and_then(Timestamp::recorded).is_some_and(|time| time < *before)
            })
            && ask.filters.iter().all(|(field, values)| has(view, found, at, field, values))
    }
}

/// Whether a row has one of these values in a field.
fn has(view: &dyn View, found: &Found, at: Timestamp, field: &str, values: &[String]) -> bool {
    if view.flags().contains(&field) {
        let is = stands_in(view, found, at, field, &["true".to_owned()]);
        return values.iter().any(|value| value == if is { "true" } else { "false" });
    }
    stands_in(view, found, at, field, values)
}

fn stands_in(view: &dyn View, found: &Found, at: Timestamp, field: &str, values: &[String]) -> bool {
    let one_of = |text: &str| values.iter().any(|value| value == text);
    match field {
        "state" => one_of(found.state(view, at)),
        "id" => one_of(&found.id),
        CONFLICT => one_of(if found.conflict() { "true" } else { "false" }),
        SOURCE => found.row.source.as_deref().is_some_and(one_of),
        BY => found.row.actors.iter().any(|by| one_of(by)),
        "owner" => found.row.owner.as_deref().is_some_and(one_of),
        _ => {
            found.row.value(field).is_some_and(|value| value_is_one_of(value, &one_of))
                || view.lists(&found.row).iter().any(|(name, value)| *name == field && one_of(value))
                || view.dense_lists(&found.row).iter().any(|(name, value)| *name == field && one_of(value))
                || view.facets(&found.row).iter().any(|(name, value)| *name == field && one_of(value))
        }
    }
}

fn value_is_one_of(value: &Value, one_of: &dyn Fn(&str) -> bool) -> bool {
    match value {
        Value::String(text) => one_of(text),
        Value::Bool(_) | Value::Number(_) => one_of(&value.to_string()),
        Value::Array(items) => items.iter().any(|item| value_is_one_of(item, one_of)),
        Value::Object(_) | Value::Null => false,
    }
}
