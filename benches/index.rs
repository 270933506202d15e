//! The index engines side by side, each under the ledger's own index code and in a process of its own.
//!
//! ```text
//! cargo bench --bench index            400,000 entries
//! cargo bench --bench index -- --full  4,000,000 entries
//! ```
//!
//! The entries come from a generator, not from a log, so that what is measured is the index alone.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends"
)]

#[path = "common/mod.rs"]
mod common;

use anyhow::{Context, Result, bail};
use clap::Parser;
use common::event::{CASES, subject};
use common::ledger::ACTOR;
use common::machine::{Machine, disk_bytes, own_cpu_s, peak_memory_bytes, resident_bytes};
use common::table::{Table, mib, quantile, thousands};
use daybook::follow::{Event, FeedError, Portion, Source, catch_up};
use daybook::index::{Filter, Index};
use daybook::spec::time::Timestamp;
use daybook::store::EngineKind;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Instant;

/// Lookups and queries of each kind.
const LOOKUPS: u64 = 50_000;
const QUERIES: u64 = 2_000;
/// Entries that a query asks for: a page.
const PAGE: usize = 100;
/// A prime, so that the lookups reach every part.
const STRIDE: u64 = 2_654_435_761;

const ENGINES: &[EngineKind] = EngineKind::ALL;

/// Measures the index engines under the ledger's own index.
#[derive(Parser)]
#[command(name = "index")]
struct Options {
    /// Entries
    #[arg(long, default_value_t = 400_000)]
    entries: u64,
    /// Four million entries
    #[arg(long)]
    full: bool,
    /// Measure one engine in this process and print one line of JSON (the benchmark starts itself so)
    #[arg(long, hide = true)]
    engine: Option<EngineKind>,
    /// Put the table into this file, in the place of the last one
    #[arg(long)]
    results: Option<PathBuf>,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    if !common::is_asked_for("index") {
        return Ok(());
    }
    let options = Options::parse();
    let entries = if options.full { 4_000_000 } else { options.entries };
    let dir = common::data_dir();
    std::fs::create_dir_all(&dir)?;
    if let Some(kind) = options.engine {
        let folder = tempfile::Builder::new().prefix("index-").tempdir_in(&dir)?;
        println!("{}", measure(kind, entries, folder.path())?);
        return Ok(());
    }
    let machine = Machine::look(&dir)?;
    machine.print();
    let mut table = Table::new(
        1,
        &[
            "engine",
            "entries",
            "applied/s",
            "last tenth/s",
            "CPU us",
            "find p50 us",
            "p99",
            "miss p50",
            "p99",
            "type p50 us",
            "p99",
            "subject p50",
            "p99",
            "both p50",
            "p99",
            "reopen ms",
            "bytes/entry",
            "peak MiB",
            "MiB after",
        ],
    );
    for kind in ENGINES {
        println!("measuring    {kind}");
        let output = Command::new(std::env::current_exe()?)
            .args(["--engine", kind.name(), "--entries", &entries.to_string()])
            .stderr(Stdio::inherit())
            .output()?;
        if !output.status.success() {
            bail!("{kind}: {}", output.status);
        }
        table.row(row(kind.name(), entries, &serde_json::from_slice(&output.stdout)?));
    }
    let mut text = table.text();
    text.push_str(
        "\nfind: an identity that is there, miss: one that is not. type, subject, both: the newest page of 100 of a list. \
         Latencies after a reopen,\nwith what the engine keeps in memory warm as it comes. peak: while applying; after: \
         reopened, all queries asked.\n",
    );
    println!("\n{text}");
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "index", &machine, &text))
}

fn row(engine: &str, entries: u64, told: &Value) -> Vec<String> {
    let figure = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    let micros = |name: &str| format!("{:.1}", figure(name));
    let mut cells = vec![engine.to_owned(), thousands(entries as f64)];
    cells.extend(["rate", "last_rate"].map(|name| thousands(figure(name))));
    cells.push(micros("cpu_us"));
    for kind in ["find", "miss", "type", "subject", "both"] {
        cells.push(micros(&format!("{kind}_p50")));
        cells.push(micros(&format!("{kind}_p99")));
    }
    cells.push(format!("{:.0}", figure("reopen_ms")));
    cells.push(format!("{:.0}", figure("disk") / entries as f64));
    cells.extend(["peak", "after"].map(|name| mib(figure(name) as u64)));
    cells
}

fn measure(kind: EngineKind, entries: u64, dir: &Path) -> Result<Value> {
    let made = Made(entries);
    let id = [7; 32];
    let (index, _) = Index::open(dir, kind, id, &made)?;
    let (start, cpu_before_s) = (Instant::now(), own_cpu_s()?);
    let tenth = entries - entries / 10;
    catch_up(&index, &made, tenth, &mut |_, _| {})?;
    let before_last = Instant::now();
    catch_up(&index, &made, entries, &mut |_, _| {})?;
    let (rate, last_rate) = (
        entries as f64 / start.elapsed().as_secs_f64(),
        (entries - tenth) as f64 / before_last.elapsed().as_secs_f64(),
    );
    let cpu_us = (own_cpu_s()? - cpu_before_s) * 1e6 / entries as f64;
    let peak = peak_memory_bytes(std::process::id())?;
    drop(index);
    let disk = disk_bytes(dir);

    let start = Instant::now();
    let (index, report) = Index::open(dir, kind, id, &made)?;
    let reopen_ms = start.elapsed().as_secs_f64() * 1_000.0;
    if report.behind > 0 {
        bail!("{kind} forgot {} entries at a clean end", report.behind);
    }
    let mut told = json!({"rate": rate, "last_rate": last_rate, "cpu_us": cpu_us, "reopen_ms": reopen_ms, "disk": disk, "peak": peak});
    let any = |nth: u64| nth.wrapping_mul(STRIDE) % entries;
    latencies(&mut told, "find", LOOKUPS, |nth| {
        let found = index.find(&daybook::log::identity(SOURCE, &id_of(any(nth))))?;
        if found == Some(any(nth)) { Ok(()) } else { bail!("entry {} is not found", any(nth)) }
    })?;
    latencies(&mut told, "miss", LOOKUPS, |nth| {
        let found = index.find(&daybook::log::identity(SOURCE, &id_of(entries + any(nth))))?;
        if found.is_none() { Ok(()) } else { bail!("found what is not there") }
    })?;
    let list = |filter: Filter<'_>| {
        let found = index.list(&filter, 0, entries, true, PAGE)?;
        if found.is_empty() { bail!("a list is empty") } else { Ok(()) }
    };
    latencies(&mut told, "type", QUERIES, |nth| {
        list(Filter { ty: Some(TYPES[nth as usize % TYPES.len()]), ..Filter::default() })
    })?;
    latencies(&mut told, "subject", QUERIES, |nth| {
        list(Filter { subject: Some(&subject(any(nth), CASES)), ..Filter::default() })
    })?;
    latencies(&mut told, "both", QUERIES, |nth| {
        let (seq, ty) = (any(nth), type_of(any(nth)));
        list(Filter {
            ty: Some(ty),
            subject: Some(&subject(seq, CASES)),
            actor: Some(ACTOR),
            ..Filter::default()
        })
    })?;
    told["after"] = resident_bytes(std::process::id())?.into();
    Ok(told)
}

/// Asks `count` things and notes the median and the 99th percentile in microseconds.
fn latencies(told: &mut Value, name: &str, count: u64, mut ask: impl FnMut(u64) -> Result<()>) -> Result<()> {
    let mut all = Vec::with_capacity(count as usize);
    for nth in 0..count {
        let start = Instant::now();
        ask(nth).with_context(|| name.to_owned())?;
        all.push(start.elapsed().as_secs_f64() * 1e6);
    }
    all.sort_by(f64::total_cmp);
    told[format!("{name}_p50")] = quantile(&all, 0.5).into();
    told[format!("{name}_p99")] = quantile(&all, 0.99).into();
    Ok(())
}

const SOURCE: &str = "/credit";
const TYPES: [&str; 4] = ["decision.made", "approval.granted", "access.granted", "override.recorded"];

fn id_of(seq: u64) -> String {
    format!("d-{seq:09}")
}

fn type_of(seq: u64) -> &'static str {
    TYPES[(seq / 7 % 4) as usize]
}

/// A history made up from the numbers of its entries: few types, one source and actor, about a million cases.
struct Made(u64);

impl Made {
    fn made(&self, seq: u64) -> Event {
        Event {
            seq,
            recorded_at: Timestamp::EPOCH,
            happened_at: Timestamp::EPOCH,
            source: SOURCE.to_owned(),
            id: id_of(seq),
            ty: type_of(seq).to_owned(),
            subject: Some(subject(seq, CASES)),
            sequence: None,
            actor: ACTOR.to_owned(),
            text_hash: hash(seq),
            data: Arc::default(),
        }
    }
}

impl Source for Made {
    fn ledger(&self) -> Result<[u8; 32], FeedError> {
        Ok([7; 32])
    }

    fn committed(&self) -> u64 {
        self.0
    }

    fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError> {
        let to = self.0.min(from + portion.entries as u64);
        out.extend((from..to).map(|seq| Arc::new(self.made(seq))));
        Ok(())
    }

    fn event(&self, seq: u64) -> Result<Event, FeedError> {
        Ok(self.made(seq))
    }

    fn digest(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        Ok(hash(seq))
    }
}

/// Stands for an entry's hash: different for each, and cheap.
fn hash(seq: u64) -> [u8; 32] {
    let mut hash = [0; 32];
    hash[..8].copy_from_slice(&seq.to_be_bytes());
    hash
}
