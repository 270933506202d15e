//! Escalations: what was raised to whom, against which clocks, and how it ended.
//!
//! opened → acknowledged → raised or lowered … → resolved → closed; opened again or reopened, a new round with clocks of its
//! own begins, and what the rounds before it missed stays. Each level has two clocks: to acknowledge, and to resolve. The
//! row is due at the earliest clock that runs, or when the first action that a resolution left is to be done: closing does
//! not do it. [`course`] says what each event does in the state that it finds, [`round`] what a round is made of.

mod act;
mod course;
mod openings;
mod round;
mod shown;
#[cfg(test)]
mod tests;

use super::engine::{Opening, Row, RowEvent, RowName, View, told_digest};
use act::Act;
use course::Course;
use round::State;
use serde_json::Value;

/// The view of escalations.
pub struct Escalations;

/// An escalation of which something is known, and not its opening.
const UNOPENED: &str = "unopened";

/// By what it is about, whatever type that has: how the timeline of an id finds what was escalated of it.
pub const ABOUT_ID: &str = "about_id";

const OPENED: &str = "escalation.opened";

impl View for Escalations {
    fn name(&self) -> &str {
        "escalations"
    }

    fn family(&self) -> &str {
        "escalation"
    }

    fn version(&self) -> u64 {
        2
    }

    /// In the order of the life of an escalation.
    fn types(&self) -> Vec<String> {
        ["opened", "acknowledged", "raised", "lowered", "reassigned", "paused", "resumed", "resolved"]
            .into_iter()
            .chain(["action_done", "closed", "reopened"])
            .map(|name| format!("escalation.{name}"))
            .collect()
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("escalation")?.as_str()?.to_owned()))
    }

    fn opening(&self, ty: &str) -> Opening {
        if ty == OPENED { Opening::Rounds } else { Opening::None }
    }

    fn is_of_one_source(&self) -> bool {
        true
    }

    fn ends_round(&self, ty: &str) -> bool {
        matches!(ty, "escalation.resolved" | "escalation.closed")
    }

    /// From the first action on that the ledger knew as done, a closing does not end what is still to be done.
    fn turn(&self) -> Option<&str> {
        Some("escalation.action_done")
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        if row.state.is_empty() {
            row.state = UNOPENED.to_owned();
        }
        let act = Act::of(event);
        let mut course = Course::of(row);
        if event.ty != OPENED {
            course.told(&act, event.early_by);
        } else {
            let own = row.source.as_deref() == Some(&event.source);
            course.opened(&act, told_digest(&event.data), own);
        }
        shown::show(row, &course);
        course.keep(row);
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = Vec::new();
        if let (Some(ty), Some(id)) = (row.text("about.type"), row.text("about.id")) {
            lists.push(("about", format!("{ty}/{id}")));
        }
        lists.extend(row.text("about.id").map(|id| (ABOUT_ID, id.to_owned())));
        for name in ["assigned_to", "trigger", "path"] {
            lists.extend(row.text(name).map(|value| (name, value.to_owned())));
        }
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["about", ABOUT_ID, "assigned_to", "trigger", "path"]
    }

    fn fields(&self) -> Vec<&str> {
        let mut fields = self.list_fields();
        fields.extend(self.counted_fields());
        fields.extend(["cause_class", "finding"]);
        fields.extend(self.flags());
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    fn flags(&self) -> Vec<&'static str> {
        vec!["closed_by_resolver", "missed", "missed_before", "unresolved"]
    }

    fn words(&self, field: &str) -> Option<Vec<String>> {
        let states = State::ALL.into_iter().map(State::name).chain([UNOPENED]);
        (field == "state").then(|| states.map(str::to_owned).collect())
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec![
            "severity",
            "level",
            "path",
            "opened_by_kind",
            "severity_level",
            "open_severity_level",
            "missed",
            "missed_before",
            "unresolved",
        ]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut facets: Vec<(&'static str, String)> = Vec::new();
        for name in ["severity", "path"] {
            facets.extend(row.text(name).map(|value| (name, value.to_owned())));
        }
        let level = row.value("level").map(Value::to_string);
        facets.extend(level.clone().map(|level| ("level", level)));
        if let Some(trigger) = row.text("trigger") {
            let kind = trigger.split_once(':').map_or(trigger, |(kind, _)| kind);
            facets.push(("opened_by_kind", kind.to_owned()));
        }
        // What was missed is a list; whether anything was is a flag.
        for name in ["missed", "missed_before", "unresolved"] {
            facets.extend(row.value(name).map(|_| (name, "true".to_owned())));
        }
        if let (Some(severity), Some(level)) = (row.text("severity"), level) {
            facets.push(("severity_level", format!("{severity}/{level}")));
            if !matches!(row.state.as_str(), "resolved" | "closed") {
                facets.push(("open_severity_level", format!("{severity}/{level}")));
            }
        }
        facets
    }
}
