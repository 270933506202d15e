//! Killed at any moment, nothing acknowledged is lost, nothing is there twice, nothing handed out is contradicted.

use crate::kit::{Ledger, event};
use serde_json::Value;
use std::collections::HashMap;
use std::sync::Mutex;
use std::time::Duration;

#[test]
fn an_acknowledged_event_survives_kill_9() {
    let mut ledger = Ledger::empty();
    // What each round was told: the event's id, its number and its hash.
    let mut acknowledged: HashMap<String, (u64, String)> = HashMap::new();
    let mut checkpoints: Vec<(u64, String)> = Vec::new();
    for round in 0..5_u64 {
        let told = Mutex::new(Vec::new());
        let seen = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            for client in 0..6 {
                let (ledger, told, seen) = (&ledger, &told, &seen);
                scope.spawn(move || {
                    for turn in 0.. {
                        let batch: Vec<Value> = (0..=(client * turn) % 7).map(|_| event()).collect();
                        // Any failure is the kill: this client is done.
                        let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                            ledger.post_batch(&batch)
                        }));
                        let Ok(answer) = sent else { return };
                        if answer.status != 201 {
                            return;
                        }
                        let items = answer.json()["items"].as_array().unwrap().clone();
                        for (posted, item) in batch.iter().zip(items) {
                            told.lock().unwrap().push((
                                posted["id"].as_str().unwrap().to_owned(),
                                item["seq"].as_u64().unwrap(),
                                item["hash"].as_str().unwrap().to_owned(),
                            ));
                        }
                        if turn % 8 == 0 {
                            let sent = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| {
                                ledger.checkpoint()
                            }));
                            seen.lock().unwrap().extend(sent.ok());
                        }
                    }
                });
            }
            std::thread::sleep(Duration::from_millis(300 + 67 * round));
            std::process::Command::new("kill").args(["-9", &ledger.pid().to_string()]).status().unwrap();
        });
        let told = told.into_inner().unwrap();
        assert!(told.len() > 3, "round {round}: only {} events were acknowledged", told.len());
        acknowledged.extend(told.into_iter().map(|(id, seq, hash)| (id, (seq, hash))));
        checkpoints.extend(seen.into_inner().unwrap());
        ledger.kill();
        ledger.restart();
        let (said, code) = ledger.verify();
        assert_eq!(code, 0, "round {round}: {said}");
    }
    let mut found: HashMap<String, u64> = HashMap::new();
    let mut cursor = String::new();
    loop {
        let page = ledger.get(&format!("/v1/events?limit=500{cursor}"), "auditor").json();
        for item in page["items"].as_array().unwrap() {
            let id = item["event"]["id"].as_str().unwrap().to_owned();
            let seq = item["seq"].as_u64().unwrap();
            assert_eq!(found.insert(id.clone(), seq), None, "{id} is there twice");
            if let Some((told, hash)) = acknowledged.get(&id) {
                assert_eq!(
                    (*told, hash.as_str()),
                    (seq, item["hash"].as_str().unwrap()),
                    "{id} moved or changed"
                );
            }
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    for id in acknowledged.keys() {
        assert!(found.contains_key(id), "{id} was acknowledged and is gone");
    }
    assert!(!checkpoints.is_empty());
    for (size, note) in checkpoints {
        let root = note.lines().nth(2).unwrap();
        let token = format!("Bearer {}", ledger.token("auditor"));
        let path = format!("/v1/proofs/consistency?from={size}");
        let answer = ledger.request("GET", &path, &[("authorization", &token)], b"");
        let (new_size, new_note) = ledger.checkpoint();
        let hash = |text: &str| daybook::spec::encoding::hash_from_base64(text).unwrap();
        let proof: Vec<_> =
            answer.json()["hashes"].as_array().unwrap().iter().map(|h| hash(h.as_str().unwrap())).collect();
        daybook::spec::merkle::verify_consistency(
            size,
            &hash(root),
            new_size,
            &hash(new_note.lines().nth(2).unwrap()),
            &proof,
        )
        .unwrap_or_else(|error| panic!("the checkpoint of {size} entries is contradicted: {error}"));
    }
}

#[test]
fn two_processes_never_have_one_folder() {
    let ledger = Ledger::empty();
    let output = crate::kit::serve(&ledger.data(), &[]).wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(1));
    assert!(crate::kit::text(&output.stderr).contains("another process has the folder"));
    ledger.record(&event());
}
