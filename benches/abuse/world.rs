//! The ledger that is abused: rows to sort, one long row, an approval with many recusals, odd tallies, and events to correct.

use crate::common::http::Client;
use crate::common::ledger::{ACTOR, Prepared, prepare};
use crate::common::serve::Server;
use anyhow::{Context, Result, bail};
use daybook::identity::{NewToken, Role, Tokens};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::fmt;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

/// Events of one request.
const BATCH: usize = 500;

/// How long the views may take for what is posted.
const PATIENCE: Duration = Duration::from_secs(900);

/// Files that a server may have open where they are few.
const FEW_FILES: u32 = 160;

/// How much there is of everything.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// Escalations.
    pub rows: usize,
    /// Events of one escalation.
    pub long: usize,
    /// Recusals of one approval.
    pub recusals: usize,
    /// Events to correct, all of one row.
    pub corrected: usize,
    /// Tallies of one model.
    pub tallies: usize,
    /// Connections that are opened by one who opens as many as it can.
    pub connections: usize,
}

impl Sizes {
    pub fn whole() -> Sizes {
        Sizes {
            rows: 60_000,
            long: 50_000,
            recusals: 10_000,
            corrected: 42_000,
            tallies: 48,
            connections: 2_000,
        }
    }

    pub fn quick() -> Sizes {
        let whole = Sizes::whole();
        Sizes {
            rows: whole.rows / 10,
            long: whole.long / 10,
            recusals: whole.recusals / 10,
            corrected: whole.corrected / 10,
            connections: whole.connections / 10,
            ..whole
        }
    }
}

impl fmt::Display for Sizes {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sizes { rows, long, recusals, corrected, tallies, connections } = self;
        write!(
            formatter,
            "{rows} escalations, one of them with {long} events, an approval with {recusals} recusals, {corrected} events \
             of one row to correct, {tallies} tallies; {connections} connections at most"
        )
    }
}

pub struct World {
    ledger: Prepared,
    abuser: String,
    server: Option<Server>,
    pub sizes: Sizes,
    ids: AtomicU64,
}

impl World {
    /// A new ledger with all of it.
    pub fn make(daybook: &Path, sizes: Sizes) -> Result<World> {
        // What an earlier run has left is not what is measured.
        let old = prepare(1, false)?.data;
        std::fs::remove_dir_all(&old).with_context(|| old.display().to_string())?;
        let ledger = prepare(1, false)?;
        let abuser = Tokens::create(
            &ledger.data,
            NewToken {
                actor: "app:abuser".into(),
                roles: vec![Role::Producer, Role::Auditor],
                sources: vec![],
                types: None,
                speaks_for: None,
                expires: None,
            },
        )?
        .0;
        let server = Some(Server::start(daybook, &ledger.data)?);
        let world = World { ledger, abuser, server, sizes, ids: AtomicU64::new(0) };
        let begun = Instant::now();
        world.fill()?;
        println!("filled       in {:.0} s", begun.elapsed().as_secs_f64());
        Ok(world)
    }

    fn fill(&self) -> Result<()> {
        let sizes = self.sizes;
        let opened = |nth: usize| {
            let severity = ["low", "medium", "high"][nth % 3];
            json!({
                "by": ACTOR, "escalation": format!("E-{nth}"), "about": {"type": "model", "id": format!("m-{}", nth % 97)},
                "trigger": "person", "severity": severity, "path": "model-risk", "path_version": 1, "level": 1,
                "assigned_to": format!("user:u-{}", nth % 31), "aware_at": "2026-03-01T09:00:00Z",
                "ack_due_at": format!("2026-03-{:02}T{:02}:00:00Z", 2 + nth % 27, nth % 24),
                "resolve_due_at": "2026-05-01T09:00:00Z",
            })
        };
        self.post_all((0..sizes.rows).map(|nth| ("escalation.opened", opened(nth))))?;
        let acknowledged = json!({"by": "user:eve", "escalation": "E-0", "level": 1});
        self.post_all((0..sizes.long).map(|_| ("escalation.acknowledged", acknowledged.clone())))?;
        let asked = json!({
            "by": "user:ann", "approval": "A", "kind": "budget", "target": {"type": "budget", "id": "b", "version": "1"},
            "scope_digest": "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08",
            "rationale": "It is needed.", "pillars": [], "due_at": "2027-03-20T00:00:00Z",
            "quorum": {"n": 2, "roles": ["risk-officer"], "veto": false},
        });
        self.post_all([("approval.requested", asked)])?;
        self.post_all((0..sizes.recusals).map(|nth| ("approval.recused", recused(nth))))?;
        let tally = |nth: usize| {
            let cell = |one: usize| {
                let group = [
                    (format!("a-{}", (one + nth) % 7), format!("v-{one}")),
                    (format!("b-{}", (one * nth) % 11), "x".to_owned()),
                    (format!("c-{}", nth % 13), format!("w-{}", one % 5)),
                ];
                let group: BTreeMap<String, String> = group.into_iter().collect();
                json!({"group": group, "n": 10 + one + nth, "selected": (10 + one + nth) / 3})
            };
            json!({
                "by": ACTOR, "model": "odd", "version": format!("1.{nth}"), "unknown": nth,
                "period": {"from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"},
                "cells": (0..60).map(cell).collect::<Vec<_>>(),
            })
        };
        self.post_all((0..sizes.tallies).map(|nth| ("fairness.tallied", tally(nth))))?;
        let grant = |nth: usize| {
            json!({
                "by": "user:owner", "request": "ARQ", "grant": format!("G-{nth}"),
                "grantee": {"kind": "person", "id": format!("user:p-{nth}")}, "grantee_unit": "risk", "owner_unit": "risk",
                "resource": {"kind": "dataset", "id": "ds", "environment": "production"}, "operations": ["read"],
                "purpose": "risk", "legal_basis": "gdpr-6-1-f", "valid_from": "2026-01-01T00:00:00Z",
                "valid_until": format!("2035-01-{:02}T00:00:00Z", 1 + nth % 28),
            })
        };
        self.post_all((0..sizes.rows / 20).map(|nth| ("access.granted", grant(nth))))?;
        // What holds only in many years, as far ahead as an event may say.
        self.post_all([(
            "access.revoked",
            json!({"by": "user:owner", "grant": "G-1", "reason": "later", "effective_at": "2035-06-01T00:00:00Z"}),
        )])
    }

    /// Posts events by the abuser's token, in batches; each must be recorded.
    fn post_all(&self, events: impl IntoIterator<Item = (&'static str, Value)>) -> Result<()> {
        let mut client = Client::connect(self.server().address, &self.abuser)?;
        let events: Vec<Value> =
            events.into_iter().map(|(ty, data)| envelope("/world", &self.next_id(), ty, &data)).collect();
        for batch in events.chunks(BATCH) {
            loop {
                let (status, body) = post_batch(&mut client, batch)?;
                match status {
                    201 => break,
                    503 => std::thread::sleep(Duration::from_millis(200)),
                    _ => bail!("{status} {}", String::from_utf8_lossy(&body)),
                }
            }
        }
        Ok(())
    }

    /// Waits until the views have all that is recorded.
    pub fn wait_until_followed(&self) -> Result<()> {
        let mut client = Client::connect(self.server().address, &self.ledger.token)?;
        let begun = Instant::now();
        loop {
            let (status, body) = client.get("/v1/views")?;
            let views: Value = serde_json::from_slice(&body)?;
            if status == 200 && views["lag"] == 0 {
                return Ok(());
            }
            if begun.elapsed() > PATIENCE {
                bail!("the views are behind: {views}");
            }
            std::thread::sleep(Duration::from_millis(200));
        }
    }

    pub fn server(&self) -> &Server {
        self.server.as_ref().expect("it runs")
    }

    pub fn honest(&self) -> &str {
        &self.ledger.token
    }

    pub fn abuser(&self) -> &str {
        &self.abuser
    }

    /// An id that no event has.
    pub fn next_id(&self) -> String {
        format!("e-{}", self.ids.fetch_add(1, Ordering::Relaxed))
    }

    pub fn restart(&mut self, daybook: &Path) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop()?;
        }
        self.server = Some(Server::start(daybook, &self.ledger.data)?);
        Ok(())
    }

    /// The same with so few files that may be open that connections are scarce.
    pub fn restart_with_few_files(&mut self, daybook: &Path) -> Result<()> {
        let script = self.ledger.data.with_extension("few-files");
        let mut file = std::fs::File::create(&script)?;
        writeln!(file, "#!/bin/sh\nulimit -n {FEW_FILES}\nexec '{}' \"$@\"", daybook.display())?;
        file.set_permissions(std::fs::Permissions::from_mode(0o700))?;
        drop(file);
        self.restart(&script)
    }

    /// Stops the server, and removes the ledger.
    pub fn end(mut self) -> Result<()> {
        if let Some(server) = self.server.take() {
            server.stop()?;
        }
        std::fs::remove_dir_all(&self.ledger.data)?;
        Ok(())
    }
}

/// An event that happens now.
pub fn envelope(source: &str, id: &str, event_type: &str, data: &Value) -> Value {
    let now = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%S%.6fZ").to_string();
    done_at(&now, source, id, event_type, data)
}

/// An event that happened then.
pub fn done_at(time: &str, source: &str, id: &str, event_type: &str, data: &Value) -> Value {
    json!({"specversion": "1.0", "id": id, "source": source, "type": event_type, "time": time, "data": data})
}

pub fn decision(id: &str) -> Value {
    json!({
        "by": "app:credit-line", "decision": id, "case": format!("c-{id}"), "system": "credit-line", "model": "credit-line",
        "version": "1.1", "artifact_digest": "sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea",
        "environment": "production", "mode": "assisted", "outcome": "approved", "adverse": false,
        "significant_effect": false, "purpose": "lending", "jurisdiction": "DE", "legal_basis": "gdpr-6-1-b",
        "inputs": {"commitment": "Vq3kAAAAAAAAAc1dWbAAAAAAAAA2uXo9hT0yJ5fLrE8=", "ref": "in/1"}, "review_required": false,
    })
}

pub fn recused(nth: usize) -> Value {
    json!({"by": format!("user:r-{nth}"), "approval": "A", "reason": "Leads the team."})
}

pub fn post_batch(client: &mut Client, events: &[Value]) -> Result<(u16, Vec<u8>)> {
    client.post("application/cloudevents-batch+json", &Value::from(events.to_vec()).to_string())
}
