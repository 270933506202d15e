//! What one answer does not hold is found by going on: pages come to the whole, and each says whether it is all there is.

use crate::kit::{Ledger, agent};
use serde_json::{Value, json};

/// An escalation with as many acknowledgements.
fn long_row(ledger: &Ledger, events: usize) {
    let opened = json!({
        "by": "app:watch", "escalation": "E", "about": {"type": "model", "id": "m"}, "trigger": "person",
        "severity": "high", "path": "model-risk", "path_version": 1, "level": 1, "assigned_to": "user:eve",
        "aware_at": "2026-03-01T09:00:00Z", "ack_due_at": "2026-03-01T10:00:00Z",
        "resolve_due_at": "2026-03-05T10:00:00Z",
    });
    let event = |nth: usize, ty: &str, data: &Value| {
        json!({
            "specversion": "1.0", "id": format!("e-{nth}"), "source": "/it", "type": ty,
            "time": format!("2026-03-01T09:{:02}:{:02}Z", nth / 60 % 60, nth % 60), "data": data,
        })
    };
    let mut all = vec![event(0, "escalation.opened", &opened)];
    let acknowledged = json!({"by": "user:eve", "escalation": "E", "level": 1});
    all.extend((1..=events).map(|nth| event(nth, "escalation.acknowledged", &acknowledged)));
    for batch in all.chunks(500) {
        let answer = ledger.post_batch(batch);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
}

fn ask(ledger: &Ledger, path: &str) -> Value {
    let path = format!("{path}&min_seq={}", ledger.size() - 1);
    let answer = ledger.get(&path, "auditor");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// The numbers of the entries of all pages, and how many pages there were.
fn pages(ledger: &Ledger, path: &str) -> (Vec<u64>, usize) {
    let (mut seqs, mut cursor, mut count) = (Vec::new(), String::new(), 0);
    loop {
        let page = ask(ledger, &format!("{path}{cursor}"));
        let items = page["items"].as_array().unwrap();
        seqs.extend(items.iter().map(|item| item["seq"].as_u64().unwrap()));
        count += 1;
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (seqs, count),
        }
    }
}

#[test]
fn a_long_history_is_read_to_its_end_in_either_order() {
    let ledger = Ledger::empty();
    long_row(&ledger, 1_200);
    let whole: Vec<u64> = (1..=1_201).collect();
    let first = ask(&ledger, "/v1/escalations/E/history?order=asc");
    assert_eq!(first["items"].as_array().unwrap().len(), 1_000);
    assert_eq!(first["as_of"]["partial"], true, "{}", first["as_of"]);
    assert_eq!(pages(&ledger, "/v1/escalations/E/history?order=asc"), (whole.clone(), 2));
    assert_eq!(pages(&ledger, "/v1/escalations/E/history?limit=500"), (whole.clone(), 3));
    let (mut newest_first, count) = pages(&ledger, "/v1/escalations/E/history?order=desc&limit=400");
    newest_first.reverse();
    assert_eq!((newest_first, count), (whole, 4));
    // Who asks for so many is not told that there are more otherwise than by `next`.
    let asked = ask(&ledger, "/v1/escalations/E/history?limit=1");
    assert!(asked["as_of"].get("partial").is_none() && asked["next"].is_string(), "{asked}");
    // A cursor belongs to its question.
    let next = asked["next"].as_str().unwrap();
    let other = ledger.get(&format!("/v1/escalations/E/history?order=desc&cursor={next}"), "auditor");
    assert_eq!(other.problem(), "bad-cursor");
    // A table goes on by itself.
    let token = format!("Bearer {}", ledger.token("auditor"));
    let headers = [("authorization", token.as_str()), ("accept", "text/csv")];
    let table = ledger.request("GET", "/v1/escalations/E/history", &headers, b"").text();
    assert_eq!(table.lines().count(), 1 + 1_201);
}

#[test]
fn questions_of_one_caller_wait_for_each_other_and_are_answered() {
    let ledger = Ledger::with_config("[limits]\nquestions_per_caller = 1\n");
    long_row(&ledger, 60);
    ask(&ledger, "/v1/escalations?limit=1");
    let url = format!("{}/v1/escalations/E/history", ledger.url);
    let token = format!("Bearer {}", ledger.token("auditor"));
    std::thread::scope(|scope| {
        let asking: Vec<_> = (0..6)
            .map(|_| {
                scope.spawn(|| {
                    agent().get(&url).header("authorization", &token).call().unwrap().status().as_u16()
                })
            })
            .collect();
        let statuses: Vec<u16> = asking.into_iter().map(|asked| asked.join().unwrap()).collect();
        assert!(statuses.iter().all(|status| *status == 200), "{statuses:?}");
    });
}
