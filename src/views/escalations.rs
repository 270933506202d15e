//! Escalations: what was raised to whom, against which clocks, and how it ended.
//!
//! opened → acknowledged → raised … → resolved → closed → reopened. Each level has two clocks: to acknowledge, and to
//! resolve. The row is due at whichever is running: the first until somebody has taken it on at this level, then the
//! second. What is resolved waits for its closing, for which nobody set a clock; what is closed is done. Reopened, it has
//! no clocks until somebody raises it, for the event names none.

use super::engine::{Row, RowEvent, RowName, View};
use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use serde_json::{Value, json};

/// The view of escalations.
pub struct Escalations;

/// An escalation of which something is known, and not its opening.
const UNOPENED: &str = "unopened";
const OPENED: &str = "opened";
const ACKNOWLEDGED: &str = "acknowledged";
const RAISED: &str = "raised";
const RESOLVED: &str = "resolved";
const CLOSED: &str = "closed";
const REOPENED: &str = "reopened";

impl View for Escalations {
    fn name(&self) -> &str {
        "escalations"
    }

    fn family(&self) -> &str {
        "escalation"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        ["opened", "acknowledged", "raised", "reassigned", "resolved", "closed", "reopened"]
            .map(|name| format!("escalation.{name}"))
            .to_vec()
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("escalation")?.as_str()?.to_owned()))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        if row.state.is_empty() {
            row.state = UNOPENED.to_owned();
        }
        let at = event.effective_at.to_string();
        let open = matches!(row.state.as_str(), UNOPENED | OPENED | ACKNOWLEDGED | RAISED | REOPENED);
        match event.ty.as_str() {
            "escalation.opened" => {
                row.copy(
                    event,
                    &["about", "trigger", "severity", "path", "path_version", "aware_at", "finding"],
                );
                row.set("opened_at", at);
                row.set("opened_by", event.by.as_str());
                if row.state == UNOPENED {
                    row.state = OPENED.to_owned();
                    start_clocks(row, event, "level");
                }
            }
            "escalation.acknowledged" if open => {
                check_clock(row, "ack_due_at", "acknowledged", event.effective_at);
                if row.value("acknowledged_at").is_none() {
                    row.set("acknowledged_at", at);
                    if let Some(opened) = row.time("opened_at") {
                        row.set("seconds_to_acknowledge", seconds(opened, event.effective_at));
                    }
                }
                row.state = ACKNOWLEDGED.to_owned();
            }
            "escalation.raised" if open => {
                // Raised because the clock has run out, that moment included.
                check_clocks(row, event.effective_at.saturating_add(1));
                let raised = json!({
                    "from_level": event.value("from_level"), "to_level": event.value("to_level"), "at": at,
                    "reason": event.text("reason"), "by": event.by,
                });
                row.list("raised").push(raised);
                row.state = RAISED.to_owned();
                start_clocks(row, event, "to_level");
            }
            "escalation.reassigned" if open => {
                row.copy(event, &["assigned_to"]);
            }
            "escalation.resolved" if open => {
                check_clocks(row, event.effective_at);
                row.copy(event, &["resolution", "cause_class", "actions"]);
                row.set("resolved_at", at);
                row.set("resolved_by", event.by.as_str());
                if let Some(opened) = row.time("opened_at") {
                    row.set("seconds_to_resolve", seconds(opened, event.effective_at));
                }
                row.state = RESOLVED.to_owned();
            }
            "escalation.closed" if row.state == RESOLVED => {
                row.copy(event, &["verification"]);
                row.set("closed_at", at);
                row.set("closed_by", event.by.as_str());
                // It is for somebody else to verify; that it was not is recorded and seen.
                let same = row.text("resolved_by") == Some(event.by.as_str());
                row.set("closed_by_resolver", same);
                row.state = CLOSED.to_owned();
            }
            "escalation.reopened" if matches!(row.state.as_str(), RESOLVED | CLOSED) => {
                let times = row.value("reopened").and_then(Value::as_u64).unwrap_or(0) + 1;
                row.set("reopened", times);
                row.set("reopened_reason", event.text("reason").unwrap_or_default());
                for name in ["ack_due_at", "resolve_due_at", "acknowledged_at", "seconds_to_acknowledge"]
                    .into_iter()
                    .chain(["resolved_at", "resolved_by", "seconds_to_resolve", "closed_at", "closed_by"])
                    .chain(["closed_by_resolver", "resolution", "cause_class", "actions", "verification"])
                {
                    row.fields.remove(name);
                }
                row.state = REOPENED.to_owned();
            }
            _ => {}
        }
        row.owner = row.text("assigned_to").map(str::to_owned);
        row.ended = row.state == CLOSED;
        let clock = match row.state.as_str() {
            OPENED | RAISED => Some("ack_due_at"),
            ACKNOWLEDGED => Some("resolve_due_at"),
            _ => None,
        };
        row.due_at = clock.and_then(|clock| row.time(clock));
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = Vec::new();
        if let (Some(ty), Some(id)) = (row.text("about.type"), row.text("about.id")) {
            lists.push(("about", format!("{ty}/{id}")));
        }
        for name in ["assigned_to", "trigger", "path"] {
            lists.extend(row.text(name).map(|value| (name, value.to_owned())));
        }
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["about", "assigned_to", "trigger", "path"]
    }

    fn fields(&self) -> Vec<&str> {
        let mut fields = self.list_fields();
        fields.extend(self.counted_fields());
        fields.extend(["cause_class", "finding", "closed_by_resolver"]);
        fields.sort_unstable();
        fields.dedup();
        fields
    }

    fn flags(&self) -> Vec<&'static str> {
        vec!["closed_by_resolver"]
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec!["severity", "level", "path", "opened_by_kind", "severity_level", "open_severity_level"]
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
        if let (Some(severity), Some(level)) = (row.text("severity"), level) {
            facets.push(("severity_level", format!("{severity}/{level}")));
            if !matches!(row.state.as_str(), RESOLVED | CLOSED) {
                facets.push(("open_severity_level", format!("{severity}/{level}")));
            }
        }
        facets
    }
}

/// The clocks of a level begin to run.
fn start_clocks(row: &mut Row, event: &RowEvent, level: &str) {
    row.copy(event, &["assigned_to", "ack_due_at", "resolve_due_at"]);
    if let Some(level) = event.value(level) {
        row.set("level", level.clone());
    }
}

/// Whole seconds from one time to another; none where the second comes first.
fn seconds(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.since(from) / MICROS_PER_SECOND).unwrap_or(0)
}

/// Notes which clock of the level has passed, when the level is left.
fn check_clocks(row: &mut Row, at: Timestamp) {
    if matches!(row.state.as_str(), OPENED | RAISED) {
        check_clock(row, "ack_due_at", "acknowledged", at);
    }
    check_clock(row, "resolve_due_at", "resolved", at);
}

fn check_clock(row: &mut Row, clock: &str, what: &str, at: Timestamp) {
    let Some(due) = row.time(clock).filter(|due| *due < at) else { return };
    let late = json!({"level": row.value("level"), "not": what, "late_seconds": seconds(due, at)});
    row.list("late").push(late);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::engine::{fold, testing};
    use proptest::prelude::*;

    fn second(second: i64) -> Timestamp {
        Timestamp::EPOCH.saturating_add(second * MICROS_PER_SECOND)
    }

    fn event(seq: u64, ty: &str, by: &str, mut data: Value) -> RowEvent {
        data["escalation"] = "E".into();
        testing::event(seq, second(seq as i64), &format!("escalation.{ty}"), by, data)
    }

    fn due(at: i64) -> String {
        second(at).to_string()
    }

    fn opened(seq: u64, ack: i64, resolve: i64) -> RowEvent {
        let data = json!({
            "about": {"type": "model", "id": "m"}, "trigger": "policy:p", "severity": "high", "path": "p", "path_version": 1,
            "level": 1, "assigned_to": "user:a", "aware_at": due(0), "ack_due_at": due(ack), "resolve_due_at": due(resolve),
        });
        event(seq, "opened", "app:w", data)
    }

    fn raised(seq: u64, to: u8, ack: i64, resolve: i64) -> RowEvent {
        let data = json!({
            "from_level": to - 1, "to_level": to, "reason": "r", "assigned_to": format!("user:{to}"), "ack_due_at": due(ack),
            "resolve_due_at": due(resolve),
        });
        event(seq, "raised", "app:w", data)
    }

    fn plain(seq: u64, ty: &str, by: &str) -> RowEvent {
        event(
            seq,
            ty,
            by,
            json!({"reason": "r", "level": 1, "resolution": "x", "cause_class": "data", "actions": [], "verification": "v", "assigned_to": "user:z"}),
        )
    }

    #[test]
    fn each_level_has_its_own_clocks() {
        let events = [
            opened(0, 10, 20),
            plain(12, "acknowledged", "user:a"),
            raised(21, 2, 30, 40),
            plain(25, "acknowledged", "user:2"),
            plain(35, "resolved", "user:2"),
        ];
        let due_at = |many: usize| fold(&Escalations, &events[..many]).due_at;
        assert_eq!(
            [1, 2, 3, 4, 5].map(due_at),
            [Some(10), Some(20), Some(30), Some(40), None].map(|due| due.map(second))
        );
        let row = fold(&Escalations, &events);
        assert_eq!(
            (row.value("seconds_to_acknowledge"), row.value("seconds_to_resolve")),
            (Some(&json!(12)), Some(&json!(35)))
        );
        let late = json!([{"level": 1, "not": "acknowledged", "late_seconds": 2}, {"level": 1, "not": "resolved", "late_seconds": 1}]);
        assert_eq!(row.value("late"), Some(&late));
        assert_eq!(row.owner.as_deref(), Some("user:2"));
    }

    #[test]
    fn who_resolved_it_closes_it_and_that_is_seen() {
        let events = [
            opened(0, 10, 20),
            plain(1, "resolved", "user:a"),
            plain(2, "closed", "user:a"),
            plain(3, "reopened", "user:b"),
        ];
        let closed = fold(&Escalations, &events[..3]);
        assert!(closed.ended && closed.is("closed_by_resolver"));
        let again = fold(&Escalations, &events);
        assert_eq!((again.state.as_str(), again.ended, again.due_at), (REOPENED, false, None));
    }

    /// The model: the allowed transitions as a table.
    fn model(events: &[RowEvent]) -> (String, Option<Value>, Option<Timestamp>) {
        let mut state = UNOPENED;
        let (mut level, mut assigned): (Option<Value>, Option<String>) = (None, None);
        let mut clocks: (Option<Timestamp>, Option<Timestamp>) = (None, None);
        for event in events {
            let open = ![RESOLVED, CLOSED].contains(&state);
            let next = match event.ty.trim_start_matches("escalation.") {
                "opened" if state == UNOPENED => OPENED,
                "acknowledged" if open => ACKNOWLEDGED,
                "raised" if open => RAISED,
                "resolved" if open => RESOLVED,
                "closed" if state == RESOLVED => CLOSED,
                "reopened" if !open => REOPENED,
                _ => state,
            };
            let begins = (event.ty.ends_with(".opened") && state == UNOPENED)
                || (event.ty.ends_with("raised") && open);
            if begins {
                level = event.value("to_level").or(event.value("level")).cloned();
                clocks = (event.time("ack_due_at"), event.time("resolve_due_at"));
            }
            if begins || (event.ty.ends_with("reassigned") && open) {
                assigned = event.text("assigned_to").map(str::to_owned);
            }
            if next == REOPENED {
                clocks = (None, None);
            }
            state = next;
        }
        let due = match state {
            OPENED | RAISED => clocks.0,
            ACKNOWLEDGED => clocks.1,
            _ => None,
        };
        (format!("{state} {assigned:?}"), level, due)
    }

    proptest! {
        #[test]
        fn an_escalation_is_what_the_plain_model_says(draws in prop::collection::vec((0..9_u8, 2..5_u8, 0..60_i64), 0..14)) {
            let events: Vec<RowEvent> = (0_u64..).zip(&draws).map(|(seq, (kind, level, clock))| match kind {
                0 | 1 => opened(seq, *clock, *clock + 5),
                2 => raised(seq, *level, *clock, *clock + 9),
                other => plain(seq, ["acknowledged", "reassigned", "resolved", "closed", "reopened", "acknowledged"][usize::from(*other - 3)], "user:a"),
            }).collect();
            let row = fold(&Escalations, &events);
            if !events.is_empty() {
                let found = (format!("{} {:?}", row.state, row.owner), row.value("level").cloned(), row.due_at);
                prop_assert_eq!(found, model(&events));
            }
        }
    }
}
