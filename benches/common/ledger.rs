//! Ledgers of any size, made once and kept: real folders that `daybook serve` opens for writing.
//!
//! They are written with the program's own bulk writer (`log::bulk`), and signed on all cores with the ledger's own key.
//! A benchmark that appends to one works on what it appended before; that changes no figure at these sizes.

use crate::common::data_dir;
use crate::common::event::{Event, subject};
use anyhow::{Context, Result, bail};
use daybook::clock::ManualClock;
use daybook::follow::Feed;
use daybook::identity::{NewToken, Role, Tokens};
use daybook::index::LogIndex;
use daybook::log::bulk::{Builder, read_entries};
use daybook::log::disk::RealDisk;
use daybook::log::home::Home;
use daybook::log::keys::find;
use daybook::log::{Opened, Options, create};
use daybook::spec::checkpoint::Checkpoint;
use daybook::spec::entry::{Draft, Entry};
use daybook::spec::merkle::{Frontier, leaf_hash};
use daybook::spec::note::{VerifierKey, sign};
use daybook::spec::time::Timestamp;
use daybook::store::EngineKind;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::sync_channel;
use std::time::{Duration, Instant};

/// Raised whenever what is made here changes: older folders are made again.
const VERSION: u32 = 2;
const ORIGIN: &str = "bench.example/ledger";
pub const ACTOR: &str = "app:bench";
/// Events of a case, spread evenly over the ledger: as many in a small one as in a large one, so that what belongs to a
/// case can be asked of both.
pub const EVENTS_OF_A_CASE: u64 = 10;
/// Entries that are signed and written at once.
const PART: u64 = 8_192;
/// Between two entries in ledger time; so the whole lies in the past when it is opened.
const STEP_MICROS: i64 = 100;

/// A prepared ledger.
pub struct Prepared {
    pub data: PathBuf,
    pub entries: u64,
    /// A token that may read everything and post.
    pub token: String,
    pub key: VerifierKey,
}

impl Prepared {
    /// The subject of an entry, which is its case.
    pub fn subject(&self, seq: u64) -> String {
        subject(seq, cases(self.entries))
    }
}

fn cases(entries: u64) -> u64 {
    (entries / EVENTS_OF_A_CASE).max(1)
}

/// The ledger of this many entries, with its index if `indexed`; made now if it is not there.
pub fn prepare(entries: u64, indexed: bool) -> Result<Prepared> {
    let data =
        data_dir().join(format!("ledger-v{VERSION}-{entries}{}", if indexed { "-indexed" } else { "" }));
    let marker = data.join("prepared.json");
    if !marker.exists() {
        if data.exists() {
            // Of a run that was cut off.
            std::fs::remove_dir_all(&data).with_context(|| data.display().to_string())?;
        }
        let start = Instant::now();
        println!("preparing    {entries} entries in {} …", data.display());
        let (token, key) = make(&data, entries)?;
        if indexed {
            index(&data)?;
        }
        let text = serde_json::json!({"token": token, "key": key.to_string()}).to_string();
        std::fs::write(&marker, text)?;
        println!("prepared     in {:.0} s", start.elapsed().as_secs_f64());
    }
    let text: serde_json::Value = serde_json::from_slice(&std::fs::read(&marker)?)?;
    let token = text["token"].as_str().context("no token")?.to_owned();
    let key = VerifierKey::parse(text["key"].as_str().context("no key")?)?;
    Ok(Prepared { data, entries, token, key })
}

/// Opens the log of a prepared ledger for reading.
pub fn open(ledger: &Prepared) -> Result<Opened> {
    let mut options = options(&ledger.data, Arc::new(ManualClock::new(Timestamp::EPOCH)));
    options.read_only = true;
    Ok(daybook::log::open(options)?)
}

fn options(data: &Path, clock: Arc<ManualClock>) -> Options {
    Options {
        data_dir: data.to_owned(),
        keys_dir: data.join("keys"),
        passphrase: None,
        disk: Arc::new(RealDisk),
        clock,
        read_only: false,
        key_lost: false,
        adopt: None,
        publish: false,
        confirm_clock: false,
        known: Vec::new(),
    }
}

fn make(data: &Path, entries: u64) -> Result<(String, VerifierKey)> {
    let span_micros = i64::try_from(entries)? * STEP_MICROS + 3_600_000_000;
    let begin_micros = chrono::Utc::now().timestamp_micros() - span_micros;
    let time = |seq: u64| Timestamp::from_micros(begin_micros + seq as i64 * STEP_MICROS).context("a time");
    let key = create(&options(data, Arc::new(ManualClock::new(time(0)?))), ORIGIN, None)?;
    let log_dir = data.join("log");
    let mut first = Vec::new();
    read_entries(&RealDisk, &log_dir, 1, |_, bytes| {
        first = bytes.to_vec();
        Ok(())
    })?;
    // The log is written anew around its first entry.
    std::fs::remove_dir_all(&log_dir)?;
    let signer = find(&data.join("keys"), &key, None)?;
    let mut chain = Entry::parse(&first)?.text_hash();
    let template = Event::canonical(cases(entries));

    std::thread::scope(|scope| -> Result<()> {
        let (signed, to_write) = sync_channel::<Vec<Vec<u8>>>(2);
        let signer = &signer;
        let writer = scope.spawn(move || -> Result<()> {
            let mut builder = Builder::new(&RealDisk, &log_dir)?;
            let mut tree = Frontier::new();
            for entry in to_write.iter().flatten() {
                tree.push(leaf_hash(&entry));
                builder.push(&entry)?;
            }
            let text = Checkpoint { origin: ORIGIN.to_owned(), size: tree.size(), root: tree.root() }.text();
            builder.finish(&sign(&text, &[signer]))?;
            Ok(())
        });
        let mut written = signed.send(vec![first]).is_ok();
        let mut seq = 1;
        while seq < entries && written {
            let end = entries.min(seq + PART);
            let mut texts = Vec::with_capacity(PART as usize);
            for seq in seq..end {
                let text = Draft::new(ACTOR, &template.numbered(seq), ORIGIN).text(&chain, seq, time(seq)?);
                chain = daybook::spec::entry::text_hash(text.as_bytes());
                texts.push(text);
            }
            seq = end;
            let (one, other) = texts.split_at(texts.len() / 2);
            let sign_all = |texts: &[String]| -> Vec<Vec<u8>> {
                texts.iter().map(|text| sign(text, &[signer]).into_bytes()).collect()
            };
            let (one, other) = std::thread::scope(|scope| {
                let one = scope.spawn(|| sign_all(one));
                let other = sign_all(other);
                (one.join(), other)
            });
            let Ok(mut part) = one else { bail!("a signing thread failed") };
            part.extend(other);
            written = signed.send(part).is_ok();
        }
        drop(signed);
        writer.join().map_err(|_| anyhow::anyhow!("the writing thread failed"))?
    })?;
    Home::new(Arc::new(RealDisk), data, entries, None, false).settle()?;
    let roles = vec![Role::Producer, Role::Auditor, Role::Compliance];
    let new = NewToken {
        actor: ACTOR.into(),
        roles,
        sources: vec![],
        types: None,
        speaks_for: None,
        expires: None,
    };
    Ok((Tokens::create(data, new)?.0, key))
}

fn index(data: &Path) -> Result<()> {
    let mut options = options(data, Arc::new(ManualClock::new(Timestamp::EPOCH)));
    options.read_only = true;
    let opened = daybook::log::open(options)?;
    let (index, _) =
        LogIndex::start(&data.join("index"), EngineKind::Fjall, &Feed::of(&opened.store), Duration::MAX)?;
    while !index.wait_applied(opened.store.size(), Duration::from_secs(1)) {
        if let Some(problem) = index.problem() {
            bail!(problem);
        }
    }
    Ok(())
}
