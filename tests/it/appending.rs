//! An event is recorded once, durably, and answered with where it is.

use crate::kit::{Ledger, event, event_with_id};
use serde_json::json;

#[test]
fn a_posted_event_has_a_number_a_time_a_hash_and_a_receipt() {
    let ledger = Ledger::empty();
    let posted = event();
    let answer = ledger.post(&posted);
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("location"), Some("/v1/events/1"));
    let recorded = answer.json();
    assert_eq!(recorded["seq"], 1);
    let read = ledger.get("/v1/events/1", "compliance").json();
    assert_eq!(read["event"], posted);
    assert_eq!(read["actor"], "app:demo");
    for member in ["seq", "time", "hash"] {
        assert_eq!(read[member], recorded[member]);
    }
    let receipt = ledger.get(recorded["receipt"].as_str().unwrap(), "auditor");
    assert!(receipt.text().starts_with("c2sp.org/tlog-proof@v1\nextra "));
}

#[test]
fn a_retry_never_records_twice() {
    let ledger = Ledger::empty();
    let posted = event();
    let first = ledger.post(&posted).json();
    for _ in 0..3 {
        let again = ledger.post(&posted);
        assert_eq!(again.status, 200);
        assert_eq!(again.header("daybook-replayed"), Some("true"));
        assert_eq!(again.json()["seq"], first["seq"]);
        assert_eq!(again.json()["hash"], first["hash"]);
    }
    assert_eq!(ledger.size(), 2);
}

#[test]
fn a_retry_is_known_after_a_restart_and_with_the_members_in_another_order() {
    let mut ledger = Ledger::empty();
    let posted = event();
    ledger.record(&posted);
    ledger.restart();
    let reordered = format!(
        r#"{{"type":"approval.withdrawn","time":"2026-03-02T09:30:00Z","subject":"APR-1","data":{{"reason":"asked twice", "approval":"APR-1","by":"user:u-1"}},"source":"/it","id":{},"specversion":"1.0"}}"#,
        posted["id"]
    );
    let again = ledger.post_with("application/json", &[], reordered.as_bytes());
    assert_eq!(again.status, 200, "{}", again.text());
    assert_eq!(ledger.size(), 2);
}

#[test]
fn other_content_under_the_same_identity_is_refused_and_not_told() {
    let ledger = Ledger::empty();
    let mut posted = event();
    ledger.record(&posted);
    posted["data"]["reason"] = json!("another reason");
    let answer = ledger.post(&posted);
    assert_eq!((answer.status, answer.problem().as_str()), (409, "identity-conflict"));
    assert!(!answer.text().contains("asked twice"));
    assert_eq!(ledger.size(), 2);
}

#[test]
fn the_same_content_by_another_actor_is_refused() {
    let ledger = Ledger::empty();
    let posted = event();
    ledger.record(&posted);
    let output = crate::kit::succeeds(
        crate::kit::daybook()
            .args(["token", "create", "--actor", "app:other", "--role", "producer"])
            .args(["--types", "approval.*", "--speaks-for", "user:*", "--data"])
            .arg(ledger.data()),
    );
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let token = format!("Bearer {}", output.trim());
    let headers = [("authorization", token.as_str()), ("content-type", "application/cloudevents+json")];
    let answer = ledger.request("POST", "/v1/events", &headers, posted.to_string().as_bytes());
    assert_eq!((answer.status, answer.problem().as_str()), (409, "identity-conflict"));
}

#[test]
fn a_batch_is_recorded_whole_and_in_order() {
    let ledger = Ledger::empty();
    let batch: Vec<_> = (0..1000).map(|_| event()).collect();
    let answer = ledger.post_batch(&batch);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let items = answer.json()["items"].as_array().unwrap().clone();
    assert_eq!(items.len(), 1000);
    for (place, item) in items.iter().enumerate() {
        assert_eq!(item["seq"], place as u64 + 1);
    }
    let read = ledger.get("/v1/events/1000", "auditor").json();
    assert_eq!(read["event"]["id"], batch[999]["id"]);
    assert_eq!(ledger.verify().1, 0);
}

#[test]
fn a_batch_with_bad_events_records_nothing_and_lists_each() {
    let ledger = Ledger::empty();
    let mut batch: Vec<_> = (0..5).map(|_| event()).collect();
    batch[1]["type"] = json!("approval.unheard");
    batch[3]["data"].as_object_mut().unwrap().remove("reason");
    let answer = ledger.post_batch(&batch);
    assert_eq!(answer.status, 422);
    let problem = answer.json();
    let places: Vec<_> = problem["errors"].as_array().unwrap().iter().map(|e| e["pointer"].clone()).collect();
    assert_eq!(places, [json!("/1/type"), json!("/3/data")]);
    assert_eq!(ledger.size(), 1);
}

#[test]
fn a_batch_may_hold_events_that_are_recorded_already() {
    let ledger = Ledger::empty();
    let (old, new) = (event(), event());
    ledger.record(&old);
    let answer = ledger.post_batch(&[new.clone(), old.clone(), new.clone()]);
    assert_eq!(answer.status, 201, "{}", answer.text());
    let items = answer.json()["items"].clone();
    assert_eq!((&items[0]["seq"], &items[1]["seq"], &items[2]["seq"]), (&json!(2), &json!(1), &json!(2)));
    assert_eq!((&items[1]["replayed"], &items[2]["replayed"]), (&json!(true), &json!(true)));
    let again = ledger.post_batch(&[new, old]);
    assert_eq!((again.status, again.header("daybook-replayed")), (200, Some("true")));
    assert_eq!(ledger.size(), 3);
}

#[test]
fn a_batch_that_contradicts_what_is_recorded_is_refused_whole() {
    let ledger = Ledger::empty();
    let mut old = event();
    ledger.record(&old);
    old["data"]["reason"] = json!("another");
    let answer = ledger.post_batch(&[event(), old]);
    assert_eq!((answer.status, answer.problem().as_str()), (409, "identity-conflict"));
    assert_eq!(answer.json()["errors"][0]["pointer"], "/1/id");
    let mut twin = event();
    let first = twin.clone();
    twin["data"]["reason"] = json!("another");
    let answer = ledger.post_batch(&[first, twin]);
    assert_eq!(answer.status, 409);
    assert_eq!(ledger.size(), 2);
}

#[test]
fn an_expected_version_lets_one_of_two_writers_through() {
    let ledger = Ledger::empty();
    let at = |version: &str, event: &serde_json::Value| {
        let headers = [("daybook-expected-version", version)];
        ledger.post_with("application/cloudevents+json", &headers, event.to_string().as_bytes())
    };
    assert_eq!(at("0", &event()).status, 201);
    let late = at("0", &event());
    assert_eq!((late.status, late.problem().as_str()), (409, "version-conflict"));
    assert_eq!(late.json()["actual"], 1);
    assert_eq!(at("1", &event()).status, 201);
    // A retry of what was recorded is a retry, whatever the version is now.
    let posted = event();
    assert_eq!(at("2", &posted).status, 201);
    assert_eq!(at("2", &posted).status, 200);
    let mut other = event();
    other["subject"] = json!("APR-2");
    assert_eq!(at("0", &other).status, 201);
    other.as_object_mut().unwrap().remove("subject");
    other["id"] = json!("no-subject");
    assert_eq!(at("0", &other).status, 422);
    for no_number_of_events in ["one", "-1", "9223372036854775808"] {
        assert_eq!(at(no_number_of_events, &posted).problem(), "bad-parameter", "{no_number_of_events}");
    }
}

#[test]
fn two_hundred_writers_with_the_same_version_leave_one_event() {
    let ledger = Ledger::empty();
    let recorded = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..200)
            .map(|_| {
                let ledger = &ledger;
                scope.spawn(move || {
                    let headers = [("daybook-expected-version", "0")];
                    let body = event().to_string();
                    ledger.post_with("application/cloudevents+json", &headers, body.as_bytes()).status
                })
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).filter(|status| *status == 201).count()
    });
    assert_eq!(recorded, 1);
    assert_eq!(ledger.size(), 2);
}

#[test]
fn two_hundred_retries_at_once_leave_one_event() {
    let ledger = Ledger::empty();
    let posted = event();
    let numbers = std::thread::scope(|scope| {
        let retries: Vec<_> = (0..200)
            .map(|_| {
                let (ledger, posted) = (&ledger, &posted);
                scope.spawn(move || {
                    let answer = ledger.post(posted);
                    assert!(answer.status == 200 || answer.status == 201, "{}", answer.text());
                    answer.json()["seq"].as_u64().unwrap()
                })
            })
            .collect();
        retries.into_iter().map(|retry| retry.join().unwrap()).collect::<Vec<_>>()
    });
    assert!(numbers.iter().all(|number| *number == 1));
    assert_eq!(ledger.size(), 2);
}

#[test]
fn many_clients_are_answered_in_one_order_without_gaps() {
    let ledger = Ledger::empty();
    let mut numbers = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..8)
            .map(|_| scope.spawn(|| (0..50).map(|_| ledger.record(&event())).collect::<Vec<_>>()))
            .collect();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect::<Vec<_>>()
    });
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=400).collect::<Vec<_>>());
    let (said, code) = ledger.verify();
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("401 entries"), "{said}");
}

#[test]
fn an_identity_is_source_and_id_together() {
    let ledger = Ledger::empty();
    let mut one = event_with_id("same");
    ledger.record(&one);
    one["source"] = json!("/it/other");
    ledger.record(&one);
    assert_eq!(ledger.size(), 3);
}
