//! The floor: the least work that a signed, durable ledger over HTTP must do, on the HTTP stack and with the crates
//! that the product uses. It parses the JSON, hashes and signs once per event, and makes many requests durable with
//! one write and one sync. It does not authenticate, validate, canonicalise, number, chain, index or answer with a
//! receipt: what a ledger loses against the floor is the price of those.

use crate::options::{FloorOptions, Signer};
use actix_web::{App, HttpResponse, HttpServer, web};
use anyhow::{Context, Result};
use aws_lc_rs::signature::Ed25519KeyPair;
use ed25519_dalek::{Signer as _, SigningKey};
use sha2::{Digest, Sha256};
use std::fs::{File, OpenOptions};
use std::io::{Read, Write};
use std::sync::mpsc;
use tokio::sync::oneshot;

/// Largest request body: the ledger's own limit for a batch.
const BODY_BYTES: usize = 8 << 20;
/// Requests waiting for the committer. Far above what 256 connections can have under way; full is a 503.
const QUEUE_REQUESTS: usize = 4_096;
/// Bytes of one commit, so that the first in it does not wait for everyone.
const COMMIT_BYTES: usize = 4 << 20;
/// Any key will do: nobody verifies.
const SEED: [u8; 32] = [42; 32];

struct Floor {
    key: Key,
    queue: mpsc::SyncSender<Waiting>,
}

enum Key {
    Aws(Ed25519KeyPair),
    Dalek(SigningKey),
}

/// A request that waits to become durable.
struct Waiting {
    record: Vec<u8>,
    answer: oneshot::Sender<u64>,
}

/// Serves until its standard input ends, which is when the benchmark does.
pub fn serve(options: &FloorOptions) -> Result<()> {
    std::fs::create_dir_all(&options.data).context("data folder")?;
    let path = options.data.join("log");
    let file = OpenOptions::new().create(true).append(true).open(&path).context("log file")?;
    let key = match options.signer {
        Signer::Aws => Key::Aws(Ed25519KeyPair::from_seed_unchecked(&SEED).context("key")?),
        Signer::Dalek => Key::Dalek(SigningKey::from_bytes(&SEED)),
    };
    let (queue, waiting) = mpsc::sync_channel(QUEUE_REQUESTS);
    std::thread::spawn(move || {
        if let Err(error) = commit(&waiting, file) {
            eprintln!("floor: cannot write: {error}");
            std::process::exit(1);
        }
    });
    std::thread::spawn(|| {
        let _ = std::io::stdin().read_to_end(&mut Vec::new());
        std::process::exit(0);
    });

    let floor = web::Data::new(Floor { key, queue });
    actix_web::rt::System::new().block_on(async {
        let server = HttpServer::new(move || {
            App::new()
                .app_data(floor.clone())
                .app_data(web::PayloadConfig::new(BODY_BYTES))
                .route("/v1/events", web::post().to(append))
        })
        .workers(options.workers)
        .bind(("127.0.0.1", 0))
        .context("bind")?;
        let address = server.addrs()[0];
        println!(r#"{{"url":"http://{address}","key":"","tokens":{{"producer":"floor"}}}}"#);
        server.run().await.context("serve")
    })
}

async fn append(floor: web::Data<Floor>, body: web::Bytes) -> HttpResponse {
    let events = match serde_json::from_slice(&body) {
        Ok(serde_json::Value::Array(events)) => events.len(),
        Ok(_) => 1,
        Err(error) => return HttpResponse::BadRequest().body(error.to_string()),
    };
    let (answer, durable) = oneshot::channel();
    let waiting = Waiting { record: floor.record(&body, events), answer };
    if floor.queue.try_send(waiting).is_err() {
        return HttpResponse::ServiceUnavailable().body("full");
    }
    match durable.await {
        Ok(seq) => {
            HttpResponse::Created().content_type("application/json").body(format!(r#"{{"seq":{seq}}}"#))
        }
        Err(_) => HttpResponse::InternalServerError().body("not written"),
    }
}

impl Floor {
    /// What is written for a request: its bytes, and for each event its hash and a signature. The signature is over
    /// the event's bytes, not its hash, because that is the call that a ledger of signed notes has to make.
    ///
    /// A batch is signed in as many equal parts as it has events. The parts need not be the events themselves: their
    /// bytes are as many, so the work is the same, and finding them would be work that is no part of a floor.
    fn record(&self, body: &[u8], events: usize) -> Vec<u8> {
        let mut record = Vec::with_capacity(body.len() + events * (32 + 64));
        record.extend_from_slice(body);
        for part in body.chunks(body.len().div_ceil(events.max(1)).max(1)) {
            record.extend_from_slice(&Sha256::digest(part));
            match &self.key {
                Key::Aws(key) => record.extend_from_slice(key.sign(part).as_ref()),
                Key::Dalek(key) => record.extend_from_slice(&key.sign(part).to_bytes()),
            }
        }
        record
    }
}

/// Group commit without a timer: whatever waits is one write and one sync; meanwhile the next group gathers.
fn commit(queue: &mpsc::Receiver<Waiting>, mut file: File) -> std::io::Result<()> {
    let mut seq = 0;
    let (mut bytes, mut answers) = (Vec::new(), Vec::new());
    while let Ok(first) = queue.recv() {
        bytes.clear();
        let mut next = Some(first);
        while let Some(waiting) = next {
            bytes.extend_from_slice(&waiting.record);
            answers.push(waiting.answer);
            next = if bytes.len() < COMMIT_BYTES { queue.try_recv().ok() } else { None };
        }
        file.write_all(&bytes)?;
        file.sync_data()?;
        for answer in answers.drain(..) {
            seq += 1;
            // Who no longer waits needs no answer.
            let _ = answer.send(seq);
        }
    }
    Ok(())
}
