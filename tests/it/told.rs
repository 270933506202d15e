//! What clients sent and were told, and whether the ledger still says the same.

use crate::kit::{Answer, Ledger};
use daybook::spec::encoding::hash_from_base64;
use daybook::spec::merkle::{Hash, verify_consistency};
use serde_json::Value;
use std::collections::HashMap;

/// One request to record events, posted until it is answered, and again whenever the client likes.
#[derive(Clone, Debug)]
pub struct Sent {
    pub events: Vec<Value>,
    /// The header `Daybook-Expected-Version`, for a single event.
    pub expected: Option<u64>,
    /// Number and hash of each event, once it was acknowledged.
    pub told: Option<Vec<(u64, String)>>,
}

impl Sent {
    pub fn one(event: Value) -> Self {
        Self { events: vec![event], expected: None, told: None }
    }

    pub fn expecting(event: Value, version: u64) -> Self {
        Self { expected: Some(version), ..Self::one(event) }
    }

    pub fn batch(events: Vec<Value>) -> Self {
        Self { events, expected: None, told: None }
    }

    /// Posts it. An acknowledgement is kept; a second one must say the same as the first. None: no answer came.
    pub fn post(&mut self, ledger: &Ledger) -> Option<Answer> {
        let expected = self.expected.map(|version| version.to_string());
        let headers: Vec<_> =
            expected.iter().map(|version| ("daybook-expected-version", version.as_str())).collect();
        let answer = if self.events.len() == 1 {
            let body = self.events[0].to_string();
            ledger.try_post_with("application/cloudevents+json", &headers, body.as_bytes())
        } else {
            let body = Value::Array(self.events.clone()).to_string();
            ledger.try_post_with("application/cloudevents-batch+json", &[], body.as_bytes())
        };
        let answer = answer.ok()?;
        if matches!(answer.status, 200 | 201) {
            let said = answer.json();
            let items = said["items"].as_array().cloned().unwrap_or_else(|| vec![said]);
            let told: Vec<_> = items.iter().map(place).collect();
            assert_eq!(told.len(), self.events.len(), "{}", answer.text());
            if let Some(before) = &self.told {
                assert_eq!((answer.status, &told), (200, before), "a retry was told something else");
            }
            self.told = Some(told);
        }
        Some(answer)
    }

    fn ids(&self) -> impl Iterator<Item = &str> {
        self.events.iter().map(|event| event["id"].as_str().unwrap())
    }
}

fn place(item: &Value) -> (u64, String) {
    (item["seq"].as_u64().unwrap(), item["hash"].as_str().unwrap().to_owned())
}

/// A checkpoint that somebody was handed.
#[derive(Clone, Debug)]
pub struct Seen {
    pub size: u64,
    pub root: Hash,
}

impl Seen {
    pub fn parse(note: &str) -> Self {
        let mut lines = note.lines().skip(1);
        let size = lines.next().unwrap().parse().unwrap();
        Self { size, root: hash_from_base64(lines.next().unwrap()).unwrap() }
    }

    pub fn now(ledger: &Ledger) -> Self {
        Self::parse(&ledger.checkpoint().1)
    }

    /// Has the ledger prove that its present checkpoint goes on from this one; answers the present one.
    pub fn must_hold(&self, ledger: &Ledger) -> Self {
        let now = Self::now(ledger);
        assert!(now.size >= self.size, "{} entries were covered, and now {}", self.size, now.size);
        let path = format!("/v1/proofs/consistency?from={}&to={}", self.size, now.size);
        let answer = ledger.get(&path, "auditor");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let proof: Vec<_> = answer.json()["hashes"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hash| hash_from_base64(hash.as_str().unwrap()).unwrap())
            .collect();
        verify_consistency(self.size, &self.root, now.size, &now.root, &proof).unwrap_or_else(|error| {
            panic!("the checkpoint of {} entries is contradicted: {error}", self.size)
        });
        now
    }
}

/// Where each event is, as the ledger lists them; read on from where it was read to.
#[derive(Default)]
pub struct Listed {
    by_id: HashMap<String, (u64, String)>,
    pub size: u64,
}

impl Listed {
    /// Leaves the first `size` entries out.
    pub fn from(size: u64) -> Self {
        Self { by_id: HashMap::new(), size }
    }

    /// Reads what is new. No number may be missing, and no event there twice.
    pub fn read_on(&mut self, ledger: &Ledger) {
        ledger.wait_until_ready();
        let list = format!("/v1/events?limit=500&from={}", self.size);
        let mut next = Some(list.clone());
        while let Some(path) = next.take() {
            let page = ledger.get(&path, "auditor");
            assert_eq!(page.status, 200, "{}", page.text());
            let page = page.json();
            for item in page["items"].as_array().unwrap() {
                let id = item["event"]["id"].as_str().unwrap().to_owned();
                let (seq, hash) = place(item);
                assert_eq!(seq, self.size, "a number is missing");
                let earlier = self.by_id.insert(id.clone(), (seq, hash));
                assert_eq!(earlier, None, "{id} is there twice");
                self.size += 1;
            }
            next = page["next"].as_str().map(|cursor| format!("{list}&cursor={cursor}"));
        }
        assert_eq!(self.size, ledger.size(), "the list ends before the log");
    }

    /// What was acknowledged is there as it was told; what was not is there whole or not at all.
    pub fn must_hold(&self, sent: &Sent) {
        let found: Vec<_> = sent.ids().map(|id| self.by_id.get(id)).collect();
        match &sent.told {
            Some(told) => {
                for ((id, told), found) in sent.ids().zip(told).zip(&found) {
                    assert_eq!(*found, Some(told), "{id} was acknowledged, and is gone, moved or changed");
                }
            }
            None => {
                let there = found.iter().flatten().count();
                assert!(there == 0 || there == found.len(), "a batch is half there: {found:?}");
            }
        }
        let numbers: Vec<_> = found.iter().flatten().map(|(seq, _)| *seq).collect();
        assert!(numbers.windows(2).all(|pair| pair[1] == pair[0] + 1), "a batch out of order: {numbers:?}");
    }
}
