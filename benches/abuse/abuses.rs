//! What others do meanwhile. Each goes on until it is told to end.

use crate::common::http::Client;
use crate::world::{World, done_at, envelope, post_batch, recused};
use anyhow::Result;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};
use std::thread::sleep;
use std::time::Duration;

/// Connections that ask at once.
const AT_ONCE: usize = 8;

/// A pause in which something else can happen.
const MOMENT: Duration = Duration::from_millis(20);

/// An abuse.
pub struct Abuse {
    pub name: &'static str,
    /// The server may have few files open.
    pub few_files: bool,
    pub go: fn(&World, &AtomicBool, &Told) -> Result<()>,
}

const fn abuse(name: &'static str, go: fn(&World, &AtomicBool, &Told) -> Result<()>) -> Abuse {
    Abuse { name, few_files: false, go }
}

/// All of them.
pub const ABUSES: [Abuse; 12] = [
    abuse("half-sent bodies", half_sent_bodies),
    abuse("fairness over odd tallies, the client gone", fairness),
    abuse("history of a long row", history),
    abuse("what is due as of another day, sorted", due_as_of),
    abuse("what ends, where some of it is far ahead", far_ahead),
    abuse("late recusals on one approval", late_recusals),
    abuse("very late events on a long row", very_late),
    abuse("corrections, and corrections of them", corrections),
    abuse("no HTTP, and no token", malformed),
    abuse("all streams by one token", streams),
    abuse("as many questions as connections", many_questions),
    Abuse { name: "idle strangers, files are few", few_files: true, go: idle },
];

/// What others are told, by status.
#[derive(Default)]
pub struct Told(Mutex<BTreeMap<String, u64>>);

impl Told {
    fn note(&self, what: impl Into<String>) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner).entry(what.into()).or_default() += 1;
    }

    pub fn text(&self) -> String {
        let told = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        told.iter().map(|(what, count)| format!("{what}: {count}")).collect::<Vec<_>>().join(", ")
    }
}

/// Asks one thing after the other on so many connections; the path may depend on the turn.
fn ask(
    world: &World,
    ending: &AtomicBool,
    told: &Told,
    connections: usize,
    path: &(dyn Fn(usize) -> String + Sync),
) -> Result<()> {
    std::thread::scope(|scope| {
        for connection in 0..connections {
            scope.spawn(move || {
                let mut client = None;
                for turn in 0.. {
                    if ending.load(Ordering::Relaxed) {
                        return;
                    }
                    let connect = || Client::connect(world.server().address, world.abuser()).ok();
                    let Some(mut asked) = client.take().or_else(connect) else {
                        told.note("not connected");
                        sleep(MOMENT);
                        continue;
                    };
                    match asked.get(&path(connection + turn * connections)) {
                        Ok((status, _)) => {
                            told.note(status.to_string());
                            client = Some(asked);
                        }
                        Err(_) => told.note("closed"),
                    }
                }
            });
        }
    });
    Ok(())
}

/// Posts one event after the other on one connection.
fn post(world: &World, ending: &AtomicBool, told: &Told, event: &dyn Fn(usize) -> Value) -> Result<()> {
    let mut client = Client::connect(world.server().address, world.abuser())?;
    for turn in 0.. {
        if ending.load(Ordering::Relaxed) {
            break;
        }
        let (status, _) = client.post_event(&event(turn).to_string())?;
        told.note(status.to_string());
    }
    Ok(())
}

fn half_sent_bodies(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    let head = format!(
        "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\nContent-Type: \
         application/cloudevents-batch+json\r\nContent-Length: 8000000\r\n\r\n[{}",
        world.abuser(),
        " ".repeat(200)
    );
    let mut held = Vec::new();
    while !ending.load(Ordering::Relaxed) {
        for _ in 0..100 {
            if held.len() >= world.sizes.connections {
                break;
            }
            let Ok(mut stream) = TcpStream::connect(world.server().address) else { break };
            if stream.write_all(head.as_bytes()).is_err() {
                break;
            }
            stream.set_nonblocking(true)?;
            held.push(stream);
        }
        held.retain_mut(|stream| match stream.read(&mut [0; 1_024]) {
            Ok(0) => {
                told.note("closed");
                false
            }
            Ok(_) => {
                told.note("answered");
                false
            }
            Err(error) => error.kind() == std::io::ErrorKind::WouldBlock,
        });
        sleep(MOMENT);
    }
    told.note(format!("held {}", held.len()));
    Ok(())
}

fn fairness(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    let request = format!(
        "GET /v1/decisions/fairness?model=odd HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        world.abuser()
    );
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while !ending.load(Ordering::Relaxed) {
                    if let Ok(mut stream) = TcpStream::connect(world.server().address) {
                        let _ = stream.write_all(request.as_bytes());
                        sleep(MOMENT);
                        told.note("gone");
                    }
                }
            });
        }
    });
    Ok(())
}

fn history(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    ask(world, ending, told, AT_ONCE, &|_| "/v1/escalations/E-0/history".to_owned())
}

fn due_as_of(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    let known = world.sizes.rows;
    ask(world, ending, told, AT_ONCE, &|turn| {
        format!("/v1/escalations?sort=due&limit=20&as_of={}", known - turn % 100)
    })
}

fn far_ahead(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    ask(world, ending, told, AT_ONCE, &|turn| {
        ["/v1/access?sort=ends&limit=20", "/v1/access?overdue=true&limit=20"][turn % 2].to_owned()
    })
}

fn late_recusals(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    post(world, ending, told, &|turn| {
        let data = recused(world.sizes.recusals + turn);
        // An hour late: after the request and before most of the others.
        let time =
            (chrono::Utc::now() - chrono::Duration::hours(1)).format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
        done_at(&time, "/world", &world.next_id(), "approval.recused", &data)
    })
}

fn very_late(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    post(world, ending, told, &|_| {
        let data = json!({"by": "user:eve", "escalation": "E-0", "level": 1});
        done_at("2026-03-01T09:00:01Z", "/world", &world.next_id(), "escalation.acknowledged", &data)
    })
}

/// Decisions, corrections of them, corrections of those, which take them back, and of those, which are refused.
fn corrections(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    let mut client = Client::connect(world.server().address, world.abuser())?;
    let mut made = 0;
    while !ending.load(Ordering::Relaxed) && made < world.sizes.corrected {
        let ids: Vec<String> = (0..200).map(|_| world.next_id()).collect();
        let row = |id: &String| {
            let data = json!({"by": "user:eve", "escalation": "E-1", "level": 1});
            envelope("/world", id, "escalation.acknowledged", &data)
        };
        let mut batches: Vec<Vec<Value>> = vec![ids.iter().map(row).collect()];
        let mut targets = ids;
        for _ in 0..3 {
            let next: Vec<String> = targets.iter().map(|_| world.next_id()).collect();
            let correct = |(id, target): (&String, &String)| {
                let data = json!({
                    "by": "user:eve", "target": {"source": "/world", "id": target}, "kind": "annul", "reason": "a mistake",
                });
                envelope("/world", id, "event.corrected", &data)
            };
            batches.push(next.iter().zip(&targets).map(correct).collect());
            targets = next;
        }
        for batch in batches {
            let (status, _) = post_batch(&mut client, &batch)?;
            told.note(status.to_string());
        }
        made += 200;
    }
    // Whoever asks how controls stand looks at what was corrected.
    ask(world, ending, told, 2, &|_| "/v1/controls".to_owned())
}

fn malformed(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    std::thread::scope(|scope| {
        for thread in 0..4 {
            scope.spawn(move || {
                while !ending.load(Ordering::Relaxed) {
                    let Ok(mut stream) = TcpStream::connect(world.server().address) else {
                        sleep(MOMENT);
                        continue;
                    };
                    let sent: &[u8] = if thread % 2 == 0 {
                        b"\x16\x03\x01\x02\x00garbage\r\n\r\n"
                    } else {
                        b"GET /v1/decisions HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer no\r\nConnection: close\r\n\r\n"
                    };
                    let _ = stream.write_all(sent);
                    let _ = stream.set_read_timeout(Some(Duration::from_secs(1)));
                    let _ = stream.read(&mut [0; 512]);
                    told.note(if thread % 2 == 0 { "no HTTP" } else { "no token" });
                }
            });
        }
    });
    Ok(())
}

fn streams(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    let request = format!(
        "GET /v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {}\r\n\r\n",
        world.abuser()
    );
    let mut held = Vec::new();
    while !ending.load(Ordering::Relaxed) {
        if held.len() < 300
            && let Ok(mut stream) = TcpStream::connect(world.server().address)
            && stream.write_all(request.as_bytes()).is_ok()
        {
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            let mut start = [0; 12];
            if stream.read_exact(&mut start).is_ok() {
                told.note(String::from_utf8_lossy(&start[9..]).into_owned());
            }
            held.push(stream);
        } else {
            sleep(MOMENT);
        }
    }
    Ok(())
}

fn many_questions(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    let known = world.sizes.rows;
    ask(world, ending, told, world.sizes.connections.min(256), &|turn| {
        format!("/v1/escalations?sort=due&limit=20&as_of={}", known - turn % 100)
    })
}

fn idle(world: &World, ending: &AtomicBool, told: &Told) -> Result<()> {
    let mut held = Vec::new();
    while !ending.load(Ordering::Relaxed) {
        if held.len() < world.sizes.connections.min(400)
            && let Ok(stream) = TcpStream::connect_timeout(&world.server().address, MOMENT)
        {
            stream.set_nonblocking(true)?;
            held.push(stream);
        } else {
            held.retain_mut(|stream| {
                let read = stream.read(&mut [0; 64]);
                let is_open = read.is_err_and(|error| error.kind() == std::io::ErrorKind::WouldBlock);
                if !is_open {
                    told.note("sent away");
                }
                is_open
            });
            sleep(MOMENT);
        }
    }
    told.note(format!("held {}", held.len()));
    Ok(())
}
