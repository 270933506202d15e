//! The fewest events by which rows once differed.

use super::super::decisions::Decisions;
use super::super::engine::{CORRECTION, Event, When};
use super::super::histories::{minute, recorded, rows, told};
use serde_json::{Value, json};
use std::sync::Arc;

/// What stood in another event's place counts no more once a later correction puts something else there, and counts again
/// once that one is taken back, also where it is about another row than either.
#[test]
fn what_loses_the_place_of_another_event_counts_no_more_in_whatever_batches_it_is_applied() {
    let made = |id: &str| told("/a", "decision.made", 0, json!({"decision": id, "outcome": "no"}));
    let entry = |entry: u64| json!({"source": "/a", "id": format!("e-{entry}")});
    let corrected = |data: Value| told("/a", CORRECTION, 1, data);
    let replaced =
        |by: u64| corrected(json!({"target": entry(0), "replacement": entry(by), "rekeyed": true}));
    let mut story: Vec<Event> = ["D0", "D1", "D2"].map(made).to_vec();
    story.extend([replaced(1), replaced(2), corrected(json!({"target": entry(4)}))]);
    let events = recorded(story);
    for known in 3..=events.len() {
        let expected: &[&str] = match known {
            3 => &["D0", "D1", "D2"],
            4 => &["D1", "D2"],
            5 => &["D2"],
            _ => &["D1"],
        };
        for at_once in [1, 2, 3, known] {
            let when = When { known: known as u64, at: minute(200_000) };
            let found = rows(Arc::new(Decisions), &events[..known], at_once, &[when]).remove(0);
            let ids: Vec<&str> = found.iter().map(|found| found.id.as_str()).collect();
            assert_eq!(ids, expected, "{known} entries, {at_once} at once");
        }
    }
}
