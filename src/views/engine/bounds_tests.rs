//! What is bounded: how much is read again for events that come late, how much is looked at for a page, and that pages which
//! end at a bound hold together what there is.

use super::query::Bounds;
use super::tests::{Bench, START, digests, event, toys};
use super::*;
use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::store::EngineKind;
use serde_json::{Value, json};
use std::collections::BTreeSet;

/// So many seconds after the beginning.
fn second(seconds: i64) -> Timestamp {
    START.saturating_add(seconds * MICROS_PER_SECOND)
}

/// An event about a toy, recorded as late as its number says and done so many seconds before.
fn moved(seq: u64, toy: &str, late: i64, more: Value) -> Event {
    let recorded_at = second(seq as i64);
    let mut data = json!({"by": "app:x", "toy": toy});
    data.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    Event { happened_at: second(seq as i64 - late), ..event(seq, "toy.moved", recorded_at, data) }
}

fn bench(events: impl IntoIterator<Item = Event>) -> Bench {
    let bench = Bench::new(EngineKind::Fjall);
    bench.feed.0.lock().unwrap().extend(events);
    bench
}

/// The digests when everything is applied at once.
fn at_once(other: &Bench) -> Vec<(String, String, u64)> {
    let whole = bench(other.feed.0.lock().unwrap().iter().cloned());
    let (engine, _) = whole.open(&toys(1));
    whole.catch_up(&engine, usize::MAX);
    digests(&engine)
}

#[test]
fn an_event_that_comes_a_little_late_has_a_little_read_again() {
    let long = 2_000;
    let bench = bench((0..long).map(|seq| moved(seq, "t", 0, json!({}))));
    let (engine, _) = bench.open(&toys(1));
    bench.catch_up(&engine, 1_000);
    assert_eq!(engine.read_again(), 0);
    // Each second event was done five seconds before it was recorded; each comes alone.
    let late = 400;
    let more =
        (long..long + 2 * late).map(|seq| moved(seq, "t", if seq % 2 == 0 { 0 } else { 5 }, json!({})));
    bench.feed.0.lock().unwrap().extend(more);
    bench.catch_up(&engine, 1);
    // Two views, each of which folds its whole row once.
    let (whole, each) = (2 * long, engine.read_again().saturating_sub(2 * long) / (2 * late));
    assert!(engine.read_again() > whole && each < 40, "{each} were read again for each");
    assert_eq!(digests(&engine), at_once(&bench));
}

#[test]
fn events_that_come_very_late_together_have_their_row_folded_once() {
    let long = 2_000;
    let bench = bench((0..long).map(|seq| moved(seq, "t", 0, json!({}))));
    let (engine, _) = bench.open(&toys(1));
    bench.catch_up(&engine, 1_000);
    let more = (long..long + 1_000).map(|seq| moved(seq, "t", seq as i64 - 1, json!({})));
    bench.feed.0.lock().unwrap().extend(more);
    bench.catch_up(&engine, 1_000);
    assert_eq!(engine.read_again(), 2 * (long + 1_000));
    assert_eq!(digests(&engine), at_once(&bench));
}

#[test]
fn a_foothold_is_left_where_something_changes_what_lies_before_it() {
    let bench = bench((0..200).map(|seq| moved(seq, "t", 0, json!({}))));
    let (engine, _) = bench.open(&toys(1));
    let mut seq = 200;
    let tell = |told: Event| {
        bench.feed.0.lock().unwrap().push(told);
        bench.catch_up(&engine, 1);
        assert_eq!(digests(&engine), at_once(&bench));
    };
    bench.catch_up(&engine, 50);
    for turn in 0..12_u64 {
        tell(moved(seq, "t", 3, json!({"tag": "late"})));
        let target = json!({"by": "app:x", "target": {"source": "/s", "id": (turn * 17).to_string()}});
        let named = json!({"by": "app:x", "toy": "t", "name": format!("n{turn}")});
        let called = json!({"by": "app:x", "called": format!("n{}", if turn == 5 { 7 } else { turn.saturating_sub(1) })});
        let (ty, data) =
            [(CORRECTION, target), ("toy.named", named), ("toy.heard", called)][turn as usize % 3].clone();
        tell(event(seq + 1, ty, second(seq as i64 + 1), data));
        // Very late, and at the very instant of another one.
        tell(moved(seq + 2, "t", seq as i64 - 90, json!({})));
        seq += 3;
    }
}

/// Rows of many kinds: due and ending at many times, done, not begun, late and changed.
fn many() -> Vec<Event> {
    let mut events = Vec::new();
    for toy in 0..40_i64 {
        let at = |seconds: i64| json!(second(seconds).to_string());
        let state = ["live", "new", "done"][toy as usize % 3];
        let mut data = json!({"state": state, "tag": format!("g{}", toy % 2)});
        if toy % 4 > 0 {
            data["due"] = at(toy * 37 % 90);
        }
        if toy % 5 > 0 {
            data["until"] = at(toy * 53 % 90);
        }
        if toy % 7 == 0 {
            data["effective_at"] = at(60 + toy);
        }
        events.push(moved(events.len() as u64, &format!("t{toy}"), toy % 3, data));
        if toy % 6 == 0 {
            let other = json!({"state": "live", "due": second(toy).to_string()});
            events.push(moved(events.len() as u64, &format!("t{}", toy / 2), 1, other));
        }
    }
    events
}

#[test]
fn pages_that_end_at_a_bound_hold_together_what_there_is() {
    let events = many();
    let (end, last) = (events.len() as u64, second(events.len() as i64));
    let bench = bench(events);
    let (engine, _) = bench.open(&toys(1));
    bench.catch_up(&engine, 7);
    let moments = [(end, last), (end / 2, second(20)), (end, second(30))];
    let orders = [Sort::Recorded, Sort::Opened, Sort::Changed, Sort::Ended, Sort::Due, Sort::Until];
    let mut partial = 0;
    for (known, at) in moments {
        for (sort, descending) in orders.into_iter().flat_map(|sort| [(sort, false), (sort, true)]) {
            for overdue in [None, Some(true)] {
                let ask = Ask { sort, descending, overdue, ..Ask::all(When { known, at }, 1_000) };
                let reading = engine.reading("toys").unwrap();
                let whole = reading.list(&ask).unwrap();
                assert!(whole.next.is_none() && !whole.partial);
                let mut reading = engine.reading("toys").unwrap();
                reading.bounds = Bounds { scanned: 5, sorted: 6, searched: 9 };
                let mut page = Ask { limit: 3, ..ask.clone() };
                let mut found = Vec::new();
                for pages in 0.. {
                    assert!(pages < 200, "it goes on for ever: {page:?}");
                    let part = reading.list(&page).unwrap();
                    let dates: Vec<_> = part.rows.iter().map(|found| found.date(sort, at)).collect();
                    assert!(if descending { dates.iter().rev().is_sorted() } else { dates.is_sorted() });
                    assert_eq!(part.partial, part.next.is_some() && part.rows.len() < 3);
                    partial += usize::from(part.partial);
                    found.extend(part.rows);
                    page.after = part.next;
                    if page.after.is_none() {
                        break;
                    }
                }
                let numbers = |rows: &[Found]| rows.iter().map(|row| row.number).collect::<BTreeSet<_>>();
                assert_eq!(numbers(&found).len(), found.len(), "a row comes once: {ask:?}");
                assert_eq!(numbers(&found), numbers(&whole.rows), "{ask:?}");
                if sort == Sort::Recorded {
                    assert_eq!(found, whole.rows);
                }
            }
        }
    }
    assert!(partial > 20, "{partial}");
}

#[test]
fn one_event_of_a_far_year_costs_nobody_more() {
    let rows = 1_000;
    let due = |seq: u64| {
        let at = second(seq as i64 / 2);
        moved(
            seq,
            &format!("t{seq}"),
            0,
            json!({"state": "live", "due": at.to_string(), "until": at.to_string()}),
        )
    };
    let bench = bench((0..rows).map(due));
    let (engine, _) = bench.open(&toys(1));
    bench.catch_up(&engine, 1_000);
    let ask = |sort: Sort, overdue: Option<bool>| {
        let when = When { known: engine.applied(), at: second(2_000) };
        let page = engine.list("toys", &Ask { sort, overdue, ..Ask::all(when, 10) }).unwrap();
        (page.rows.iter().map(|row| row.id.clone()).collect::<Vec<_>>(), page.looked_at)
    };
    let all = || {
        let questions =
            [(Sort::Due, Some(true)), (Sort::Due, None), (Sort::Until, None), (Sort::Recorded, None)];
        questions.map(|(sort, overdue)| ask(sort, overdue))
    };
    let before = all();
    let overdue = engine.overdue("toys", second(2_000), None).unwrap();
    let far = json!({
        "state": "live", "due": second(1).to_string(), "until": "9000-01-02T00:00:00.000000Z",
        "effective_at": "9000-01-01T00:00:00.000000Z",
    });
    bench.feed.0.lock().unwrap().push(moved(rows, "far", 0, far));
    bench.catch_up(&engine, 1);
    for ((found, looked_at), (then, cost)) in all().into_iter().zip(before) {
        // What holds only in that year is shown as scheduled, in its place.
        let others: Vec<&String> = found.iter().filter(|id| *id != "far").collect();
        assert!(then.iter().zip(others).all(|(one, other)| one == other), "{then:?} {found:?}");
        assert!(looked_at <= cost + 1, "{looked_at} instead of {cost}");
    }
    assert_eq!(engine.overdue("toys", second(2_000), None).unwrap(), overdue + 1);
}

#[test]
fn pages_of_a_history_come_to_the_whole() {
    let mut events: Vec<Event> = (0..30)
        .map(|seq| moved(seq, "t", [0, 0, 4, 9][seq as usize % 4], json!({"tag": seq.to_string()})))
        .collect();
    for (seq, target) in [(30, 3), (31, 12)] {
        let data = json!({"by": "app:x", "target": {"source": "/s", "id": target.to_string()}});
        events.push(event(seq, CORRECTION, second(seq as i64), data));
    }
    let bench = bench(events);
    let (engine, _) = bench.open(&toys(1));
    bench.catch_up(&engine, 10);
    let when = When { known: 32, at: second(100) };
    let part = |after, newest_first, limit| {
        let part = HistoryPart { after, newest_first, limit };
        engine.history_of("toys", "t", None, when, part).map(|found| found.unwrap())
    };
    let whole = part(None, false, 1_000).unwrap();
    assert_eq!((whole.changes.len(), whole.next), (30, None));
    assert_eq!(whole.changes.iter().filter(|change| change.corrected_by.is_some()).count(), 2);
    for (newest_first, limit) in [(false, 7), (true, 7), (false, 1), (true, 30), (true, 29)] {
        let (mut together, mut after) = (Vec::new(), None);
        loop {
            let found = part(after, newest_first, limit).unwrap();
            assert!(found.changes.len() <= limit);
            together.extend(found.changes);
            after = found.next;
            if after.is_none() {
                break;
            }
        }
        if newest_first {
            together.reverse();
        }
        assert_eq!(together, whole.changes, "{newest_first} {limit}");
    }
    assert!(matches!(part(Some(77), false, 7), Err(EngineError::NotInIt)));
}
