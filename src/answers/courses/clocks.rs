//! How long the rounds of a row took, by what the row shows of them: nothing else is known here of approvals and
//! escalations.

use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::views::engine::Row;
use serde_json::{Map, Value};

/// How a round stands with something that it is to come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reached {
    /// It came to it after so many seconds.
    After(u64),
    /// It waits for it.
    Waiting,
    /// It ended without it.
    Never,
}

/// Rows that have rounds, and what is timed in them.
#[derive(Debug)]
pub struct Course {
    /// Their view.
    pub view: &'static str,
    /// What the rounds are to come to.
    pub clocks: &'static [&'static str],
    /// For each round, how it stands with each of these.
    pub rounds: fn(&Row) -> Vec<Vec<Reached>>,
    /// The fields by which the rows are put together, beside the stretches of time in which they were opened.
    pub fields: &'static [&'static str],
    /// By which of them, if nothing else is asked for.
    pub default: &'static str,
    /// The fields by which the rows are asked.
    pub filters: &'static [&'static str],
}

/// From the request of a round to its grant or rejection.
pub static APPROVALS: Course = Course {
    view: "approvals",
    clocks: &["decide"],
    rounds: of_approval,
    fields: &["kind", "owner", "risk_class", "state"],
    default: "kind",
    filters: &["kind", "owner", "risk_class"],
};

/// From the opening of a round to its acknowledgement, its resolution, and its closing.
pub static ESCALATIONS: Course = Course {
    view: "escalations",
    clocks: &["acknowledge", "resolve", "close"],
    rounds: of_escalation,
    fields: &["severity", "level", "owner", "path", "opened_by_kind", "state"],
    default: "severity",
    filters: &["severity", "level", "owner", "path", "opened_by_kind"],
};

/// A round that ended by a withdrawal, its end, or a newer request, before anybody had decided, was never decided.
fn of_approval(row: &Row) -> Vec<Vec<Reached>> {
    let round = |round: &Map<String, Value>| {
        let ended = round.get("ended");
        let is_rejected = ended.and_then(|ended| ended.get("how")?.as_str()) == Some("rejected");
        let rejected = ended.filter(|_| is_rejected).and_then(|ended| time(ended.get("at")));
        let decided = time(round.get("granted_at")).or(rejected);
        vec![reached(time(round.get("requested_at")), decided, ended.is_some())]
    };
    objects(row.value("rounds")).map(round).collect()
}

/// What was closed is not resolved any more, and what was resolved is not acknowledged any more; a round before the newest
/// one waits for nothing.
fn of_escalation(row: &Row) -> Vec<Vec<Reached>> {
    let round = |round: &Map<String, Value>, is_over: bool| {
        let at = |name: &str| time(round.get(name));
        let (opened, acknowledged, resolved, closed) =
            (at("opened_at"), at("acknowledged_at"), at("resolved_at"), at("closed_at"));
        vec![
            reached(opened, acknowledged, is_over || resolved.is_some() || closed.is_some()),
            reached(opened, resolved, is_over || closed.is_some()),
            reached(opened, closed, is_over),
        ]
    };
    let before = objects(row.value("rounds_before")).map(|earlier| round(earlier, true));
    // Of what is not opened nothing is timed.
    let newest = row.fields.contains_key("opened_at").then(|| round(&row.fields, false));
    before.chain(newest).collect()
}

fn reached(from: Option<Timestamp>, at: Option<Timestamp>, is_over: bool) -> Reached {
    match (from, at) {
        (Some(from), Some(at)) => {
            Reached::After(u64::try_from(at.since(from) / MICROS_PER_SECOND).unwrap_or(0))
        }
        _ if is_over => Reached::Never,
        _ => Reached::Waiting,
    }
}

fn objects(value: Option<&Value>) -> impl Iterator<Item = &Map<String, Value>> {
    value.and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

fn time(value: Option<&Value>) -> Option<Timestamp> {
    Timestamp::recorded(value?.as_str()?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(fields: Value) -> Row {
        let Value::Object(fields) = fields else { panic!("{fields}") };
        Row { fields, ..Row::default() }
    }

    #[test]
    fn a_round_of_an_approval_is_decided_waits_or_never_is() {
        let at = |minute: u32| format!("2026-03-01T09:{minute:02}:00.000000Z");
        let rounds = json!([
            {"requested_at": at(0), "granted_at": at(2), "ended": {"how": "expired", "at": at(30)}},
            {"requested_at": at(10), "ended": {"how": "rejected", "at": at(11)}},
            {"requested_at": at(20), "ended": {"how": "withdrawn", "at": at(21)}},
            {"requested_at": at(30)},
        ]);
        let told = of_approval(&row(json!({"rounds": rounds})));
        let expected = [Reached::After(120), Reached::After(60), Reached::Never, Reached::Waiting];
        assert_eq!(told, expected.map(|reached| vec![reached]));
        assert!(of_approval(&Row::default()).is_empty());
    }

    #[test]
    fn what_was_closed_is_not_waited_for() {
        let at = |minute: u32| format!("2026-03-01T09:{minute:02}:00.000000Z");
        let open = row(json!({"opened_at": at(0), "acknowledged_at": at(1)}));
        assert_eq!(of_escalation(&open), [vec![Reached::After(60), Reached::Waiting, Reached::Waiting]]);
        let again = row(json!({
            "opened_at": at(30), "resolved_at": at(40),
            "rounds_before": [{"opened_at": at(0), "closed_at": at(10)}, {"opened_at": at(20)}],
        }));
        assert_eq!(
            of_escalation(&again),
            [
                vec![Reached::Never, Reached::Never, Reached::After(600)],
                vec![Reached::Never; 3],
                vec![Reached::Never, Reached::After(600), Reached::Waiting],
            ]
        );
        assert!(of_escalation(&Row::default()).is_empty());
    }
}
