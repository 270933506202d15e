//! Escalations against the plain model, over random histories and as of several moments; that the order of recording does
//! not matter; and the counterexamples that were found.

use super::*;
use crate::spec::time::Timestamp;
use crate::views::engine::{CONFLICTS, Event, Found, OUT_OF_ORDER, When};
use crate::views::histories::{cases, entries, facts, minute, moment, recorded, rows, text, told};
use daybook_models::escalations::{ClockKind, Escalation, Missed, State, escalations};
use proptest::prelude::*;
use serde_json::json;
use std::sync::Arc;

/// One thing told: what, of which escalation, by whom, in which minute; a level, and a number that varies it.
type Draw = (u8, u8, u8, i64, i64, i64);

fn draw() -> impl Strategy<Value = Draw> {
    (0..18_u8, 0..2_u8, 0..6_u8, 0..24_i64, 1..4_i64, 0..6_i64)
}

fn event((kind, id, source, at, level, variant): Draw) -> Event {
    let source = ["/a", "/a", "/a", "/a", "/b", "/c"][usize::from(source)];
    let clocks = json!({"ack_due_at": text(at + variant), "resolve_due_at": text(8 + 3 * variant)});
    let (what, mut data) = match kind {
        0..=3 => {
            // Few that differ, so that some say the same again.
            let due = text(6 + 6 * (variant % 2));
            (
                "opened",
                json!({"level": 1, "assigned_to": "user:a", "ack_due_at": due, "resolve_due_at": text(20)}),
            )
        }
        4 | 5 => ("acknowledged", json!({"level": level})),
        6 | 7 => ("raised", json!({"to_level": level, "assigned_to": format!("user:{level}")})),
        8 => ("lowered", json!({"to_level": level})),
        9 => ("reassigned", json!({"assigned_to": format!("user:r{variant}")})),
        10 => ("paused", json!({"waiting_for": "vendor"})),
        11 => ("resumed", json!({})),
        12 | 13 => {
            let actions = json!([{"id": format!("x{level}"), "owner": "user:a", "due_at": text(at + variant)},
                {"owner": "user:b", "due_at": text(12)}]);
            ("resolved", json!({"resolution": "r", "cause_class": "data", "actions": actions}))
        }
        14 => {
            let action = [json!("x1"), json!("x2"), json!(2), json!("2"), json!("x9"), Value::Null];
            match action.get(variant as usize) {
                Some(Value::Null) | None => ("action_done", json!({})),
                Some(action) => ("action_done", json!({"action": action})),
            }
        }
        15 | 16 => ("closed", json!({"verification": "v"})),
        _ if variant < 3 => ("reopened", json!({"reason": "r", "resolve_due_at": text(at + variant)})),
        _ => ("reopened", json!({"reason": "r"})),
    };
    if matches!(what, "raised" | "lowered") && variant > 0 {
        data.as_object_mut().unwrap().extend(clocks.as_object().unwrap().clone());
    }
    data["escalation"] = format!("E{id}").into();
    told(source, &format!("escalation.{what}"), at, data)
}

fn history(draws: &[Draw]) -> Vec<Event> {
    recorded(draws.iter().copied().map(event).collect())
}

/// Round, level, which clock, when due, when ended.
type Miss = (u64, Option<i64>, String, Option<Timestamp>, Option<Timestamp>);

/// What is compared of a row.
#[derive(Clone, Debug, PartialEq)]
struct Seen {
    id: String,
    source: Option<String>,
    state: String,
    due: Option<Timestamp>,
    level: Option<i64>,
    owner: Option<String>,
    rounds: u64,
    /// First acknowledged, resolved, closed, paused.
    times: [Option<Timestamp>; 4],
    unresolved: bool,
    missed: Vec<Miss>,
    missed_before: Vec<Miss>,
    /// Id, place, when done, whether by the closing.
    actions: Vec<(Option<String>, u64, Option<Timestamp>, bool)>,
    out_of_order: bool,
    conflicts: Vec<u64>,
    confirmations: Vec<u64>,
    did_nothing: Vec<u64>,
    ended_nothing: Vec<u64>,
}

fn seen(found: &Found) -> Seen {
    let row = &found.row;
    let items = |name: &str| row.value(name).and_then(Value::as_array).cloned().unwrap_or_default();
    let time = |item: &Value, name: &str| item.get(name)?.as_str().and_then(Timestamp::recorded);
    let number = |item: &Value, name: &str| item.get(name).and_then(Value::as_u64).unwrap_or(0);
    let miss = |item: &Value| {
        let not = item["not"].as_str().unwrap().to_owned();
        (number(item, "round"), item["level"].as_i64(), not, time(item, "due_at"), time(item, "ended_at"))
    };
    let missed = |name: &str| {
        let mut missed: Vec<Miss> = items(name).iter().map(miss).collect();
        missed.sort();
        missed
    };
    let action = |item: &Value| {
        let id = item.get("id").and_then(Value::as_str).map(str::to_owned);
        (id, number(item, "position"), time(item, "done_at"), item.get("ended_by_closing").is_some())
    };
    Seen {
        id: found.id.clone(),
        source: row.source.clone(),
        state: row.state.clone(),
        due: row.due_at,
        level: row.value("level").and_then(Value::as_i64),
        owner: row.owner.clone(),
        rounds: if row.value("opened_at").is_none() {
            0
        } else {
            row.value("round").and_then(Value::as_u64).unwrap_or(1)
        },
        times: ["acknowledged_at", "resolved_at", "closed_at", "paused_at"].map(|name| row.time(name)),
        unresolved: row.is("unresolved"),
        missed: missed("missed"),
        missed_before: missed("missed_before"),
        actions: items("actions").iter().map(action).collect(),
        out_of_order: row.is(OUT_OF_ORDER),
        conflicts: entries(found, CONFLICTS, "seq"),
        confirmations: entries(found, "confirmations", "seq"),
        did_nothing: entries(found, "did_nothing", "entry"),
        ended_nothing: entries(found, "ended_nothing", "entry"),
    }
}

fn expected(row: &Escalation) -> Seen {
    let at = |micros: i64| Timestamp::clamped(micros);
    let name = |state: State| match state {
        State::Unopened => UNOPENED,
        State::Opened => "opened",
        State::Acknowledged => "acknowledged",
        State::Raised => "raised",
        State::Lowered => "lowered",
        State::Resolved => "resolved",
        State::Closed => "closed",
        State::Reopened => "reopened",
    };
    let miss = |miss: &Missed| {
        let not = match miss.kind {
            ClockKind::Acknowledge => "acknowledged",
            ClockKind::Resolve => "resolved",
            ClockKind::Action => "done",
        };
        (miss.round as u64, miss.level, not.to_owned(), Some(at(miss.due)), Some(at(miss.ended)))
    };
    let missed = |list: &[Missed]| {
        let mut missed: Vec<Miss> = list.iter().map(miss).collect();
        missed.sort();
        missed
    };
    let round = row.rounds.last();
    let times =
        round.map(|round| [round.acknowledged_at, round.resolved_at, round.closed_at, round.paused_at]);
    Seen {
        id: row.id.clone(),
        source: round.map(|_| row.source.clone()),
        state: name(row.state).to_owned(),
        due: row.due.map(at),
        level: round.and_then(|round| round.level),
        owner: round.and_then(|round| round.assigned_to.clone()),
        rounds: row.rounds.len() as u64,
        times: times.unwrap_or_default().map(|time| time.map(at)),
        unresolved: round.is_some_and(|round| round.unresolved),
        missed: missed(round.map_or(&[], |round| &round.missed)),
        missed_before: missed(&row.missed_before),
        actions: round
            .map_or(&[][..], |round| &round.actions)
            .iter()
            .map(|action| {
                (action.id.clone(), action.position as u64, action.ended.map(at), action.by_closing)
            })
            .collect(),
        out_of_order: !row.out_of_order.is_empty(),
        conflicts: row.conflicts.clone(),
        confirmations: row.confirmations.clone(),
        did_nothing: row.did_nothing.clone(),
        ended_nothing: row.ended_nothing.clone(),
    }
}

/// The view as of several moments.
fn of_view(events: &[Event], at_once: usize, known: &[u64]) -> Vec<Vec<Seen>> {
    let at = minute(200_000);
    let asked: Vec<When> = known.iter().map(|known| When { known: *known, at }).collect();
    let sorted = |rows: Vec<Found>| {
        let mut rows: Vec<Seen> = rows.iter().map(seen).collect();
        rows.sort_by_key(|row| (row.id.clone(), row.source.clone()));
        rows
    };
    rows(Arc::new(Escalations), events, at_once, &asked).into_iter().map(sorted).collect()
}

fn of_model(events: &[Event], known: u64) -> Vec<Seen> {
    let mut rows: Vec<Seen> =
        escalations(&facts(events), moment(known, minute(200_000))).iter().map(expected).collect();
    rows.sort_by_key(|row| (row.id.clone(), row.source.clone()));
    rows
}

fn holds(told: Vec<Event>) -> Vec<Seen> {
    let events = recorded(told);
    let all = events.len() as u64;
    for at_once in [1, events.len()] {
        assert_eq!(of_view(&events, at_once, &[all]), [of_model(&events, all)]);
    }
    of_model(&events, all)
}

proptest! {
    #![proptest_config(cases(48))]

    #[test]
    fn an_escalation_is_what_the_plain_model_says(draws in prop::collection::vec(draw(), 0..36), at_once in 1..40_usize, cut in 0..36_u64) {
        let events = history(&draws);
        let all = events.len() as u64;
        let known = [all, cut.min(all)];
        prop_assert_eq!(of_view(&events, at_once, &known), known.map(|known| of_model(&events, known)));
    }
}

/// What may differ with the order of recording, and nothing else: which of two openings in one round, or of two at one
/// instant, was the first one; whether recording went another way than doing; and what is said of when it was recorded.
/// Here no two openings lie in one round, and no two events at one instant, so that only the mark is left.
const MAY_DIFFER: [&str; 1] = [OUT_OF_ORDER];

#[test]
fn the_order_of_recording_changes_nothing_but_what_is_tied_to_it() {
    let act = |what: &str, at: i64, data: Value| {
        let mut data = data;
        data["escalation"] = "E".into();
        told("/a", &format!("escalation.{what}"), at, data)
    };
    let clocks = |level: u8, ack: i64, resolve: i64| json!({"level": level, "to_level": level, "assigned_to": format!("user:{level}"), "ack_due_at": text(ack), "resolve_due_at": text(resolve)});
    let story = [
        act("opened", 0, clocks(1, 5, 30)),
        act("acknowledged", 3, json!({"level": 1})),
        act("raised", 10, clocks(2, 12, 20)),
        act("acknowledged", 14, json!({"level": 2})),
        act("paused", 15, json!({})),
        act("resumed", 17, json!({})),
        act("resolved", 25, json!({"resolution": "r", "actions": [{"id": "x", "due_at": text(40)}]})),
        act("closed", 26, json!({"verification": "v"})),
        act("opened", 50, clocks(1, 55, 60)),
        act("acknowledged", 58, json!({"level": 1})),
        act("action_done", 59, json!({"action": "x"})),
    ];
    let row = |order: &[usize]| {
        let events = recorded(order.iter().map(|place| story[*place].clone()).collect());
        // Where the first action told as done was recorded says what a closing before it ends.
        let mut row = of_view(&events, 3, &[events.len() as u64]).remove(0).remove(0);
        assert_eq!(row, of_model(&events, events.len() as u64).remove(0));
        row.out_of_order = false;
        (row.did_nothing, row.ended_nothing) = (Vec::new(), Vec::new());
        row
    };
    // The action is told as done first of all, so that no closing ends it.
    let in_order: Vec<usize> = [vec![10], (0..10).collect()].concat();
    let first = row(&in_order);
    assert_eq!((first.state.as_str(), first.rounds, MAY_DIFFER), ("acknowledged", 2, [OUT_OF_ORDER]));
    assert_eq!(first.missed_before.len(), 3);
    let mut order: Vec<usize> = (0..10).collect();
    let mut seed = 7_u64;
    for _ in 0..20 {
        for place in (1..order.len()).rev() {
            seed = seed.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            order.swap(place, (seed >> 33) as usize % (place + 1));
        }
        assert_eq!(row(&[vec![10], order.clone()].concat()), first, "{order:?}");
    }
}

fn act(what: &str, at: i64, data: Value) -> Event {
    let mut data = data;
    data["escalation"] = "E".into();
    told("/a", &format!("escalation.{what}"), at, data)
}

fn opened(at: i64, ack: i64) -> Event {
    act(
        "opened",
        at,
        json!({"level": 1, "assigned_to": "user:a", "ack_due_at": text(ack), "resolve_due_at": text(ack + 50)}),
    )
}

#[test]
fn an_acknowledgement_a_second_before_its_opening_leaves_clock_level_and_owner() {
    let row = holds(vec![act("acknowledged", -1, json!({"level": 1})), opened(0, 5)]).remove(0);
    assert_eq!(
        (row.state.as_str(), row.level, row.owner.as_deref()),
        ("acknowledged", Some(1), Some("user:a"))
    );
    assert_eq!(row.due, Some(minute(55)));
}

#[test]
fn an_old_level_does_not_stop_the_new_clock() {
    let raised = act("raised", 6, json!({"to_level": 2, "ack_due_at": text(9), "resolve_due_at": text(60)}));
    let row = holds(vec![opened(0, 5), raised, act("acknowledged", 7, json!({"level": 1}))]).remove(0);
    assert_eq!((row.state.as_str(), row.due, row.did_nothing.len()), ("raised", Some(minute(9)), 1));
}

#[test]
fn what_is_opened_again_after_its_end_is_open_and_keeps_what_it_missed() {
    let row = holds(vec![opened(0, 5), act("closed", 9, json!({})), opened(20, 25)]).remove(0);
    assert_eq!((row.state.as_str(), row.rounds, row.due), ("opened", 2, Some(minute(25))));
    assert_eq!(row.missed_before.len(), 1);
}

#[test]
fn closing_at_the_same_instant_before_the_resolution_closes() {
    let row = holds(vec![opened(0, 5), act("closed", 4, json!({})), act("resolved", 4, json!({}))]).remove(0);
    assert_eq!((row.state.as_str(), row.unresolved), ("closed", true));
}

#[test]
fn an_opening_that_is_dated_back_takes_nobodys_place() {
    let row =
        holds(vec![opened(10, 15), act("acknowledged", 11, json!({"level": 1})), opened(-60, 90)]).remove(0);
    assert_eq!((row.state.as_str(), row.due, row.conflicts.len()), ("acknowledged", Some(minute(65)), 1));
}

#[test]
fn closing_ends_actions_only_before_the_ledger_knew_actions_told_as_done() {
    let resolved = || act("resolved", 1, json!({"actions": [{"owner": "user:a", "due_at": text(3)}]}));
    let before = holds(vec![opened(0, 5), resolved(), act("closed", 2, json!({}))]).remove(0);
    assert_eq!((before.due, before.actions.len()), (None, 1));
    let done = told("/b", "escalation.action_done", 0, json!({"escalation": "other", "action": "1"}));
    let after = holds(vec![done, opened(0, 5), resolved(), act("closed", 2, json!({}))]).remove(0);
    assert_eq!((after.state.as_str(), after.due), ("closed", Some(minute(3))));
}

#[test]
fn what_was_ended_long_before_its_opening_is_out_of_order_and_open() {
    let told = |what: &str, at: i64, data: Value| {
        let mut data = data;
        data["escalation"] = "E".into();
        told("/a", &format!("escalation.{what}"), at, data)
    };
    let seen =
        holds(vec![told("opened", 13, json!({"level": 1})), told("closed", 0, json!({"verification": "v"}))]);
    let row = seen.first().unwrap();
    assert_eq!(
        (row.state.as_str(), row.out_of_order, row.ended_nothing.as_slice()),
        ("opened", true, [1].as_slice())
    );
}

#[test]
fn what_was_told_before_the_opening_counts_from_it_also_after_a_reopening() {
    // Resolved within minutes before the opening, reopened and paused before it too.
    let events =
        history(&[(12, 0, 0, 14, 1, 0), (0, 0, 0, 19, 1, 0), (10, 0, 0, 18, 1, 0), (17, 0, 0, 14, 1, 0)]);
    let all = events.len() as u64;
    let seen = of_view(&events, 1, &[all]);
    assert_eq!(seen, [of_model(&events, all)]);
    assert_eq!(seen[0][0].times[3], Some(minute(19)));
}
