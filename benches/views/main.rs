//! The views: how fast they are made from the log, what they take, and how long questions of a whole population last.
//!
//! ```text
//! cargo bench --bench views             1,000,000 entries
//! cargo bench --bench views -- --full   and 10,000,000; a million grants in any case
//! ```
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends"
)]

#[path = "../common/mod.rs"]
mod common;
mod grants;

use anyhow::{Result, bail};
use clap::Parser;
use common::ledger::{Prepared, open, prepare};
use common::machine::{Machine, disk_bytes, own_cpu_s, resident_bytes};
use common::table::{Table, mib, thousands};
use daybook::catalog::Catalog;
use daybook::follow::Feed;
use daybook::index::LogIndex;
use daybook::store::EngineKind;
use daybook::views::LogViews;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// As in the product: a fifth of the work is memory.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// Measures the views.
#[derive(Parser)]
#[command(name = "views")]
struct Options {
    /// Entries; may be repeated
    #[arg(long)]
    entries: Vec<u64>,
    /// Ten million entries too
    #[arg(long)]
    full: bool,
    /// Grants of access to ask
    #[arg(long, default_value_t = 1_000_000)]
    grants: u64,
    /// Put the table into this file, in the place of the last one
    #[arg(long)]
    results: Option<PathBuf>,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    if !common::is_asked_for("views") {
        return Ok(());
    }
    let options = Options::parse();
    std::fs::create_dir_all(common::data_dir())?;
    let machine = Machine::look(&common::data_dir())?;
    machine.print();
    let mut text = made_from_the_log(&common::sizes(&options.entries, options.full))?;
    text.push_str(&grants::who_could_read(options.grants)?);
    text.push_str("\nGoals: 50,000 entries/s; index and views together at most half of the log; who could read it: p99 under 20 ms.\n");
    println!("\n{text}");
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "views", &machine, &text))
}

/// All views of a prepared ledger of decisions, made anew.
fn made_from_the_log(sizes: &[u64]) -> Result<String> {
    let mut table = Table::new(
        1,
        &["entries", "entries/s", "last tenth/s", "CPU us/entry", "views B/entry", "of the log", "MiB after"],
    );
    for entries in sizes {
        let ledger = prepare(*entries, true)?;
        table.row(make(&ledger)?);
    }
    Ok(table.text())
}

fn make(ledger: &Prepared) -> Result<Vec<String>> {
    let opened = open(ledger)?;
    let store = opened.store.clone();
    let size = store.size();
    let feed = Feed::of(&store);
    let (index, _) = LogIndex::start(&ledger.data.join("index"), EngineKind::Fjall, &feed, Duration::MAX)?;
    if !index.wait_applied(size, Duration::from_secs(60)) {
        bail!("the index is behind");
    }
    let dir = ledger.data.join("views");
    if dir.exists() {
        std::fs::remove_dir_all(&dir)?;
    }
    let catalog = Arc::new(Catalog::embedded()?);
    let (start, cpu) = (Instant::now(), own_cpu_s()?);
    let views = LogViews::start(&dir, EngineKind::Fjall, &feed, index.identities())?;
    views.set_catalog(catalog);
    let mut at_nine_tenths = None;
    while !views.wait_applied(size, Duration::from_millis(50)) {
        if let (Some(problem), Ok(_)) = (views.problem(), views.now()) {
            bail!(problem);
        }
        let applied = views.applied();
        if applied >= size / 10 * 9 && at_nine_tenths.is_none() {
            at_nine_tenths = Some((Instant::now(), applied));
        }
    }
    let (took, cpu) = (start.elapsed().as_secs_f64(), own_cpu_s()? - cpu);
    let last = at_nine_tenths
        .map_or(f64::NAN, |(since, applied)| (size - applied) as f64 / since.elapsed().as_secs_f64());
    let resident = resident_bytes(std::process::id())?;
    drop(views);
    let per_entry = disk_bytes(&dir) as f64 / size as f64;
    let of_log = disk_bytes(&dir) as f64 / disk_bytes(&ledger.data.join("log")) as f64;
    Ok(vec![
        thousands(size as f64),
        thousands(size as f64 / took),
        thousands(last),
        format!("{:.1}", cpu * 1e6 / size as f64),
        format!("{per_entry:.0}"),
        format!("{of_log:.2}"),
        mib(resident),
    ])
}
