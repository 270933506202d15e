//! Statistics of a small ledger: what is in no group, what is counted of which round, and what is cut.

use super::clocks::{APPROVALS, ESCALATIONS};
use super::*;
use crate::answers::tests::kit::{SmallLedger, time};
use serde_json::{Value, json};

fn asked(pairs: &[(&str, &str)]) -> Parameters {
    Parameters::of(pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))).unwrap()
}

fn requested(approval: &str, kind: &str, version: &str) -> Value {
    json!({
        "by": "user:ann", "approval": approval, "kind": kind,
        "target": {"type": "budget", "id": approval, "version": version},
        "scope_digest": format!("sha256:{}", "0".repeat(64)), "rationale": "It is needed.", "pillars": [],
        "quorum": {"n": 1, "roles": ["risk-officer"], "veto": false}, "due_at": "2026-03-20T00:00:00Z",
    })
}

fn granted(approval: &str) -> Value {
    json!({
        "by": "user:bob", "approval": approval, "scope_digest": format!("sha256:{}", "0".repeat(64)),
        "capacity": "risk-officer", "rationale": "It is right.", "conflict_declared": false,
    })
}

/// A ledger to which things are told at the time when they are done.
struct Told {
    ledger: SmallLedger,
    number: u64,
}

impl Told {
    fn new() -> Told {
        Told { ledger: SmallLedger::at("2026-02-01T00:00:00.000000Z"), number: 0 }
    }

    fn at(&mut self, now: &str, event_type: &str, data: Value) {
        self.ledger.clock.advance_to(time(now));
        self.number += 1;
        self.ledger.post(&format!("e{}", self.number), event_type, "CASE-1", now, data);
    }

    fn statistics(&self, course: &'static Course, pairs: &[(&str, &str)]) -> CourseStatistics {
        of_rows(&self.ledger.inquiry(), course, &asked(pairs)).unwrap().body
    }
}

/// One that is granted after an hour and asked for again, one that is withdrawn, and one that waits.
fn approvals() -> Told {
    let mut told = Told::new();
    told.at("2026-02-27T09:00:00.000000Z", "approval.requested", requested("A-1", "budget", "1"));
    told.at("2026-02-27T10:00:00.000000Z", "approval.granted", granted("A-1"));
    told.at("2026-03-02T09:00:00.000000Z", "approval.requested", requested("A-2", "budget", "1"));
    told.at(
        "2026-03-02T09:30:00.000000Z",
        "approval.withdrawn",
        json!({"by": "user:ann", "approval": "A-2", "reason": "No."}),
    );
    told.at("2026-03-03T09:00:00.000000Z", "approval.requested", requested("A-3", "hire", "1"));
    told.at("2026-03-04T09:00:00.000000Z", "approval.requested", requested("A-1", "budget", "2"));
    told
}

fn figures(took: &Took) -> (u64, u64, u64, Option<f64>, Option<f64>) {
    (took.reached, took.waiting, took.never, took.median_seconds, took.p90_seconds)
}

#[test]
fn a_row_is_counted_once_and_each_of_its_rounds_is_timed() {
    let told = approvals();
    let all = told.statistics(&APPROVALS, &[("group_by", "none")]);
    let [group] = all.items.as_slice() else { panic!("{all:?}") };
    assert_eq!((all.total, group.count, group.rounds, all.counted_from), (3, 3, 4, None));
    assert_eq!(group.states, [("pending".to_owned(), 2), ("withdrawn".to_owned(), 1)]);
    assert_eq!(figures(&group.took[0].1), (1, 2, 1, Some(3_600.0), Some(3_600.0)));
    // Asked again in March, it was opened in February.
    let by = told.statistics(&APPROVALS, &[("group_by", "kind,month")]);
    let text = |value: &str| Some(value.to_owned());
    let groups: Vec<_> = by.items.iter().map(|group| (group.group.clone(), group.count)).collect();
    let of = |kind, month| vec![("kind", text(kind)), ("month", text(month))];
    assert_eq!(
        groups,
        [(of("budget", "2026-02"), 1), (of("budget", "2026-03"), 1), (of("hire", "2026-03"), 1)]
    );
    let march = told.statistics(&APPROVALS, &[("from", "2026-03-01"), ("kind", "budget")]);
    assert_eq!((march.total, march.items[0].states.clone()), (1, vec![("withdrawn".to_owned(), 1)]));
    assert!(told.statistics(&APPROVALS, &[("to", "2026-02-27T09:00:00Z")]).items.is_empty());
}

#[test]
fn what_was_not_known_or_not_done_by_then_is_not_counted() {
    let told = approvals();
    let waiting = |pairs: &[(&str, &str)]| {
        let found = told.statistics(&APPROVALS, &[&[("group_by", "none")], pairs].concat());
        (found.total, figures(&found.items[0].took[0].1))
    };
    assert_eq!(waiting(&[("as_of", "1")]), (1, (0, 1, 0, None, None)));
    assert_eq!(waiting(&[("at", "2026-02-27T09:30:00Z")]), (1, (0, 1, 0, None, None)));
    assert_eq!(waiting(&[("at", "2026-02-28")]), (1, (1, 0, 0, Some(3_600.0), Some(3_600.0))));
    // All that waits is overdue by then.
    let late = told.statistics(&APPROVALS, &[("group_by", "none"), ("at", "2026-03-21")]);
    assert_eq!(late.items[0].overdue, 2);
}

#[test]
fn of_more_rows_than_are_counted_the_last_ones_are_and_that_is_said() {
    let told = approvals();
    let inquiry = told.ledger.inquiry();
    let moment = moment(&inquiry, &Default::default()).unwrap();
    let view = moment.view("approvals").unwrap();
    let counting = Counting { course: &APPROVALS, by: Vec::new(), moment: &moment, view: &*view };
    let ask = Ask { descending: true, ..moment.all(1) };
    let of = |pages: usize| {
        let (found, rest) = counting.count(ask.clone(), pages).unwrap();
        assert_eq!(found.counted_from, rest.map(|place| place.number));
        (found.total, found.counted_from)
    };
    assert_eq!((of(2), of(3)), ((2, Some(3)), (3, None)));
}

#[test]
fn parts_of_statistics_come_to_what_they_are_together() {
    let told = approvals();
    let inquiry = told.ledger.inquiry();
    let moment = moment(&inquiry, &Default::default()).unwrap();
    let view = moment.view("approvals").unwrap();
    let counting = Counting { course: &APPROVALS, by: Vec::new(), moment: &moment, view: &*view };
    let (whole, rest) = counting.count(Ask { descending: true, ..moment.all(100) }, 10).unwrap();
    assert!(rest.is_none());
    let (mut ask, mut parts) = (Ask { descending: true, ..moment.all(1) }, Vec::new());
    loop {
        let (part, rest) = counting.count(ask.clone(), 1).unwrap();
        parts.push(part);
        ask.after = rest;
        if rest.is_none() {
            break;
        }
    }
    assert_eq!(parts.len(), 3);
    let sum = |of: &dyn Fn(&CourseGroup) -> u64| -> (u64, u64) {
        let groups = |found: &CourseStatistics| found.items.iter().map(of).sum::<u64>();
        (groups(&whole), parts.iter().map(groups).sum())
    };
    let figures: [&dyn Fn(&CourseGroup) -> u64; 6] = [
        &|group| group.count,
        &|group| group.rounds,
        &|group| group.overdue,
        &|group| group.took[0].1.reached,
        &|group| group.took[0].1.waiting,
        &|group| group.states.iter().map(|(_, count)| count).sum(),
    ];
    for of in figures {
        let (whole, together) = sum(of);
        assert_eq!(whole, together);
    }
}

#[test]
fn an_escalation_is_timed_to_its_acknowledgement_resolution_and_closing() {
    let mut told = Told::new();
    let opened = |id: &str, severity: &str| {
        json!({
            "by": "app:watch", "escalation": id, "about": {"type": "model", "id": "m"}, "trigger": "person",
            "severity": severity, "path": "model-risk", "path_version": 1, "level": 1, "assigned_to": "user:eve",
            "aware_at": "2026-03-01T09:00:00Z", "ack_due_at": "2026-03-01T10:00:00Z",
            "resolve_due_at": "2026-03-05T10:00:00Z",
        })
    };
    told.at("2026-03-01T09:00:00.000000Z", "escalation.opened", opened("E-1", "high"));
    told.at(
        "2026-03-01T09:10:00.000000Z",
        "escalation.acknowledged",
        json!({"by": "user:eve", "escalation": "E-1", "level": 1}),
    );
    told.at("2026-03-08T09:00:00.000000Z", "escalation.opened", opened("E-2", "high"));
    told.at("2026-03-09T09:00:00.000000Z", "escalation.opened", opened("E-3", "low"));
    let found = told.statistics(&ESCALATIONS, &[("group_by", "severity,week")]);
    let names: Vec<Vec<_>> = found
        .items
        .iter()
        .map(|group| group.group.iter().filter_map(|(_, value)| value.as_deref()).collect())
        .collect();
    // The first day of March 2026 is a Sunday.
    assert_eq!(names, [["high", "2026-W09"], ["high", "2026-W10"], ["low", "2026-W11"]]);
    let high = told.statistics(&ESCALATIONS, &[("severity", "high"), ("group_by", "owner")]);
    let [group] = high.items.as_slice() else { panic!("{high:?}") };
    assert_eq!(group.group, [("owner", Some("user:eve".to_owned()))]);
    let took: Vec<_> = group.took.iter().map(|(name, took)| (*name, figures(took))).collect();
    assert_eq!(
        took,
        [
            ("acknowledge", (1, 1, 0, Some(600.0), Some(600.0))),
            ("resolve", (0, 2, 0, None, None)),
            ("close", (0, 2, 0, None, None)),
        ]
    );
    for (name, wrong) in [("level", "10"), ("group_by", "kind"), ("from", "soon"), ("path", "")] {
        let refused = of_rows(&told.ledger.inquiry(), &ESCALATIONS, &asked(&[(name, wrong)]));
        assert!(matches!(refused, Err(AnswerError::Parameter(_))), "{name}: {refused:?}");
    }
}
