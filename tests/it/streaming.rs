//! Entries can be followed as they are recorded; whoever falls off goes on where they were.

use crate::kit::{Ledger, event};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

/// A raw subscriber.
pub struct Subscriber(BufReader<TcpStream>);

impl Subscriber {
    pub fn connect(ledger: &Ledger, query: &str, last_id: Option<u64>) -> Self {
        Self::try_connect(ledger, query, last_id).unwrap_or_else(|refused| panic!("{refused}"))
    }

    /// The same, where there may be no room; then what the server said.
    fn try_connect(ledger: &Ledger, query: &str, last_id: Option<u64>) -> Result<Self, String> {
        let address = ledger.url.strip_prefix("http://").unwrap();
        let mut stream = TcpStream::connect(address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        let last_id = last_id.map(|id| format!("Last-Event-ID: {id}\r\n")).unwrap_or_default();
        let token = ledger.token("auditor");
        write!(
            stream,
            "GET /v1/events/stream{query} HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n{last_id}\r\n"
        )
        .unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let accepted = line.contains("200");
        let mut head = line.clone();
        while line != "\r\n" {
            line.clear();
            reader.read_line(&mut line).unwrap();
            head += &line;
        }
        if accepted { Ok(Self(reader)) } else { Err(head) }
    }

    /// The next entry's number, from its `id` line and its data.
    pub fn next(&mut self) -> u64 {
        loop {
            let mut line = String::new();
            assert!(self.0.read_line(&mut line).unwrap() > 0, "the stream ended");
            if let Some(id) = line.strip_prefix("id: ") {
                let id = id.trim().parse().unwrap();
                line.clear();
                self.0.read_line(&mut line).unwrap();
                let data: serde_json::Value =
                    serde_json::from_str(line.strip_prefix("data: ").unwrap().trim()).unwrap();
                assert_eq!(data["seq"], id);
                return id;
            }
        }
    }
}

#[test]
fn a_subscriber_sees_what_is_there_and_what_comes_in_order() {
    let ledger = Ledger::empty();
    ledger.record(&event());
    let mut all = Subscriber::connect(&ledger, "?from=0", None);
    assert_eq!((all.next(), all.next()), (0, 1));
    let mut new = Subscriber::connect(&ledger, "", None);
    let batch: Vec<_> = (0..200).map(|_| event()).collect();
    assert_eq!(ledger.post_batch(&batch).status, 201);
    for expected in 2..202 {
        assert_eq!((all.next(), new.next()), (expected, expected));
    }
}

#[test]
fn a_subscriber_goes_on_after_the_last_entry_it_saw() {
    let mut ledger = Ledger::demo();
    let mut first = Subscriber::connect(&ledger, "?from=0", None);
    let seen = (0..10).map(|_| first.next()).next_back().unwrap();
    drop(first);
    ledger.restart();
    let mut again = Subscriber::connect(&ledger, "", Some(seen));
    assert_eq!(again.next(), seen + 1);
}

#[test]
fn a_subscriber_gets_only_what_it_asked_for() {
    let ledger = Ledger::demo();
    let mut decisions = Subscriber::connect(&ledger, "?from=0&type=decision.made", None);
    for _ in 0..5 {
        let seq = decisions.next();
        assert_eq!(
            ledger.get(&format!("/v1/events/{seq}"), "auditor").json()["event"]["type"],
            "decision.made"
        );
    }
}

#[test]
fn a_subscriber_that_does_not_read_is_dropped_and_can_resume() {
    let ledger = Ledger::with_config("open_types = true\n");
    let mut slow = Subscriber::connect(&ledger, "?from=0", None);
    assert_eq!(slow.next(), 0);
    // More than the sockets' buffers and the few waiting messages hold: about 60 MB.
    for batch in 0..10 {
        let events: Vec<_> = (0..100)
            .map(|i| {
                serde_json::json!({"specversion": "1.0", "id": format!("{batch}-{i}"), "source": "/it", "type": "big",
                    "data": "x".repeat(60_000)})
            })
            .collect();
        assert_eq!(ledger.post_batch(&events).status, 201);
    }
    // It reads nothing for longer than the server is patient; appending goes on meanwhile.
    std::thread::sleep(Duration::from_secs(12));
    ledger.record(&event());
    let (mut last, begun) = (0_u64, Instant::now());
    let mut rest = Vec::new();
    // What is left in the buffers, then the end.
    slow.0.read_to_end(&mut rest).ok();
    assert!(begun.elapsed() < Duration::from_secs(15), "it was not dropped");
    for line in rest.split(|byte| *byte == b'\n') {
        if let Some(id) = line.strip_prefix(b"id: ") {
            last = String::from_utf8_lossy(id).trim().parse().unwrap();
        }
    }
    assert!(last < 1001, "it got everything: nothing was tested");
    let mut again = Subscriber::connect(&ledger, "", Some(last.saturating_sub(1)));
    assert_eq!(again.next(), last.max(1));
}

#[test]
fn subscribers_are_bounded_and_one_that_leaves_makes_room() {
    let most = daybook::api::stream::MAX_STREAMS;
    let ledger = Ledger::with_config(&format!("[limits]\nstreams_per_caller = {most}\n"));
    let mut all: Vec<_> = (0..most).map(|_| Subscriber::connect(&ledger, "", None)).collect();
    let refused = Subscriber::try_connect(&ledger, "", None).err().unwrap();
    assert!(refused.starts_with("HTTP/1.1 503 ") && refused.contains("retry-after: 1\r\n"), "{refused}");
    // Those who are in are served.
    let seq = ledger.record(&event());
    assert!(all.iter_mut().all(|subscriber| subscriber.next() == seq));
    all.pop();
    let begun = Instant::now();
    let mut next = loop {
        // That somebody is gone is noticed when something is sent to them.
        ledger.record(&event());
        if let Ok(subscriber) = Subscriber::try_connect(&ledger, "", None) {
            break subscriber;
        }
        assert!(begun.elapsed() < Duration::from_secs(30), "the room did not come back");
        std::thread::sleep(Duration::from_millis(50));
    };
    assert_eq!(ledger.record(&event()), next.next());
}
