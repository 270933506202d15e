//! Nobody's question and nobody's event stops another's: an honest client beside some who are not. In the long form alone;
//! `cargo bench --bench abuse` measures all of them, on a larger ledger.

use crate::kit::{Ledger, daybook, soak, succeeds};
use serde_json::{Value, json};
use std::io::Write as _;
use std::net::TcpStream;
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

/// What an honest request may wait, with 99 of 100 of the others.
///
/// Reason: ten times the goal, on a build without optimisation.
const P99: Duration = Duration::from_millis(500);

/// Or so many times what it waits alone, on a machine that does other things as well.
const TIMES_ALONE: u32 = 10;

/// Memory that may be left of an abuse some seconds after it.
///
/// Reason: the allocator keeps some, and the views have more in their caches.
const LEFT: u64 = 192 << 20;

/// How long each abuse lasts.
const LASTS: Duration = Duration::from_secs(15);

/// Bodies that are held half sent.
const HALF_SENT: usize = 400;

/// Rows, and events of one row.
const ROWS: usize = 3_000;

type Abuse = fn(&Asking<'_>, usize);

const ABUSES: [(&str, Abuse); 6] = [
    ("late recusals", |asking, turn| {
        let data = json!({"by": format!("user:r-{turn}"), "approval": "A", "reason": "Leads the team."});
        asking.post(&format!("recused-{turn}"), "approval.recused", "2026-03-01T10:00:00Z", &data);
    }),
    ("a long history", |asking, _| asking.get("/v1/escalations/E-0/history")),
    ("what is due as of another day", |asking, turn| {
        asking.get(&format!("/v1/escalations?sort=due&limit=20&as_of={}", ROWS - turn % 50));
    }),
    ("late events of one row", |asking, turn| {
        let data = json!({"by": "user:eve", "escalation": "E-0", "level": 1});
        asking.post(&format!("late-{turn}"), "escalation.acknowledged", "2026-03-01T09:00:01Z", &data);
    }),
    ("half-sent bodies", |asking, _| {
        let token = asking.token;
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: {token}\r\nContent-Type: \
             application/cloudevents-batch+json\r\nContent-Length: 8000000\r\n\r\n[ "
        );
        if let Ok(mut stream) = TcpStream::connect(asking.ledger.url.strip_prefix("http://").unwrap()) {
            let _ = stream.write_all(head.as_bytes());
            let mut held = asking.held.lock().unwrap();
            if held.len() == HALF_SENT {
                held.clear();
            }
            held.push(stream);
        }
    }),
    ("statistics and controls", |asking, turn| {
        asking
            .get(["/v1/controls", "/v1/escalations/stats?group_by=owner", "/v1/approvals/counts"][turn % 3]);
    }),
];

/// One who asks.
struct Asking<'a> {
    ledger: &'a Ledger,
    token: &'a str,
    /// Connections that it holds open.
    held: &'a Mutex<Vec<TcpStream>>,
}

impl Asking<'_> {
    fn get(&self, path: &str) {
        let _ = self.ledger.try_request("GET", path, &[("authorization", self.token)], b"");
    }

    fn post(&self, id: &str, ty: &str, time: &str, data: &Value) {
        let event = event(id, ty, time, data).to_string();
        let headers = [("authorization", self.token), ("content-type", "application/cloudevents+json")];
        let _ = self.ledger.try_request("POST", "/v1/events", &headers, event.as_bytes());
    }
}

fn event(id: &str, ty: &str, time: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": "/it", "type": ty, "time": time, "data": data})
}

fn filled() -> Ledger {
    let ledger = Ledger::empty();
    let opened = |nth: usize| {
        let data = json!({
            "by": "app:watch", "escalation": format!("E-{nth}"), "about": {"type": "model", "id": "m"},
            "trigger": "person", "severity": "high", "path": "model-risk", "path_version": 1, "level": 1,
            "assigned_to": "user:eve", "aware_at": "2026-03-01T09:00:00Z",
            "ack_due_at": format!("2026-03-{:02}T10:00:00Z", 2 + nth % 27), "resolve_due_at": "2026-04-05T10:00:00Z",
        });
        event(&format!("o-{nth}"), "escalation.opened", "2026-03-01T09:00:00Z", &data)
    };
    let acknowledged = |nth: usize| {
        let data = json!({"by": "user:eve", "escalation": "E-0", "level": 1});
        event(&format!("a-{nth}"), "escalation.acknowledged", "2026-03-02T09:00:00Z", &data)
    };
    let asked = json!({
        "by": "user:ann", "approval": "A", "kind": "budget", "target": {"type": "budget", "id": "b", "version": "1"},
        "scope_digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
        "rationale": "It is needed.", "pillars": [], "due_at": "2027-03-20T00:00:00Z",
        "quorum": {"n": 2, "roles": ["risk-officer"], "veto": false},
    });
    let mut all: Vec<Value> = (0..ROWS).map(opened).collect();
    all.extend((0..ROWS).map(acknowledged));
    all.push(event("asked", "approval.requested", "2026-03-01T09:00:00Z", &asked));
    for batch in all.chunks(500) {
        let answer = ledger.post_batch(batch);
        assert_eq!(answer.status, 201, "{}", answer.text());
    }
    ledger.wait_until_ready();
    ledger
}

fn must_be_answered(ledger: &Ledger, path: &str) {
    let answer = ledger.get(path, "auditor");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
}

/// What 99 of 100 honest requests wait at most while this goes on.
fn p99_beside(ledger: &Ledger, abuser: &str, abuse: Abuse) -> Duration {
    let (ending, turns) = (AtomicBool::new(false), AtomicUsize::new(0));
    let held = Mutex::new(Vec::new());
    let mut waits = std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let asking = Asking { ledger, token: abuser, held: &held };
                while !ending.load(Ordering::Relaxed) {
                    abuse(&asking, turns.fetch_add(1, Ordering::Relaxed));
                }
            });
        }
        let begun = Instant::now();
        let mut waits = Vec::new();
        while begun.elapsed() < LASTS {
            let asked = Instant::now();
            match waits.len() % 3 {
                0 => must_be_answered(ledger, "/v1/escalations?overdue=true&limit=20"),
                1 => must_be_answered(ledger, "/v1/events?order=desc&limit=20"),
                _ => drop(ledger.record(&crate::kit::event())),
            }
            waits.push(asked.elapsed());
            std::thread::sleep(Duration::from_millis(10));
        }
        ending.store(true, Ordering::Relaxed);
        waits
    });
    waits.sort_unstable();
    waits[waits.len() * 99 / 100]
}

#[test]
fn an_honest_client_is_answered_beside_others_who_take_all_they_can() {
    if !soak() {
        return;
    }
    let ledger = filled();
    let mut command = daybook();
    command.args(["token", "create", "--data"]).arg(ledger.data());
    command.args(["--actor", "app:abuser", "--role", "auditor", "--role", "producer"]);
    command.args(["--types", "*", "--speaks-for", "user:*"]);
    let abuser = format!("Bearer {}", succeeds(&mut command).trim());
    let alone = p99_beside(&ledger, &abuser, |_, _| std::thread::sleep(Duration::from_millis(20)));
    println!("alone: p99 {alone:?}");
    let most = P99.max(alone * TIMES_ALONE);
    for (name, abuse) in ABUSES {
        let before = ledger.resident_bytes();
        let p99 = p99_beside(&ledger, &abuser, abuse);
        let begun = Instant::now();
        let left = loop {
            let left = ledger.resident_bytes().saturating_sub(before);
            if left < LEFT || begun.elapsed() > Duration::from_secs(30) {
                break left;
            }
            std::thread::sleep(Duration::from_millis(200));
        };
        println!("{name}: p99 {p99:?}, {} MiB left", left >> 20);
        assert!(p99 < most, "{name}: {p99:?}, and alone {alone:?}");
        assert!(left < LEFT, "{name}: {left} bytes are left");
    }
}
