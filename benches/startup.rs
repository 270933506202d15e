//! How long `daybook serve` takes until it can be read and written, and how much memory it then has, however large the
//! ledger.
//!
//! ```text
//! cargo bench --bench startup             1,000,000 entries
//! cargo bench --bench startup -- --full   and 10,000,000
//! ```
//!
//! The files are in the page cache, as after a restart of the program and not of the machine.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends"
)]

#[path = "common/mod.rs"]
mod common;

use anyhow::{Result, bail};
use clap::Parser;
use common::event::Event;
use common::http::Client;
use common::ledger::{Prepared, prepare};
use common::machine::{Machine, disk_bytes, peak_memory_bytes, resident_bytes};
use common::serve::Server;
use common::table::{Table, median, mib, thousands};
use std::path::{Path, PathBuf};

/// Events posted before each stop, so that there is something that only just became durable.
const POSTED: u64 = 500;
/// Random entries and receipts read before memory is looked at again.
const READ: u64 = 2_000;
const STRIDE: u64 = 2_654_435_761;

/// Measures start-up time and memory.
#[derive(Parser)]
#[command(name = "startup")]
struct Options {
    /// Entries of the ledger; may be repeated
    #[arg(long)]
    entries: Vec<u64>,
    /// Ten million entries too
    #[arg(long)]
    full: bool,
    /// Starts after each kind of stop
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// The ledger's binary
    #[arg(long, default_value = env!("CARGO_BIN_EXE_daybook"))]
    daybook: PathBuf,
    /// Put the table into this file, in the place of the last one
    #[arg(long)]
    results: Option<PathBuf>,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    if !common::is_asked_for("startup") {
        return Ok(());
    }
    let options = Options::parse();
    std::fs::create_dir_all(common::data_dir())?;
    let machine = Machine::look(&common::data_dir())?;
    machine.print();
    let sizes = common::sizes(&options.entries, options.full);
    let mut table = Table::new(
        2,
        &[
            "entries",
            "after",
            "reads s",
            "max",
            "writes s",
            "max",
            "MiB ready",
            "MiB used",
            "peak MiB",
            "log B/entry",
            "index B/entry",
        ],
    );
    for entries in sizes {
        let ledger = prepare(entries, true)?;
        // The first start after the ledger was made is none of the kinds that are measured.
        let mut server = Server::start(&options.daybook, &ledger.data)?;
        for after in ["a clean stop", "SIGKILL"] {
            let mut starts = Vec::new();
            for round in 0..options.rounds {
                post(&server, &ledger)?;
                if after == "SIGKILL" {
                    server.kill()?
                } else {
                    server.stop()?
                }
                server = Server::start(&options.daybook, &ledger.data)?;
                println!(
                    "{entries} entries, after {after}, {}: reads after {:.3} s, writes after {:.3} s",
                    round + 1,
                    server.reads_after.as_secs_f64(),
                    server.writes_after.as_secs_f64()
                );
                starts.push(Start::look(&server, &ledger)?);
            }
            table.row(row(&ledger, after, &starts));
        }
        server.stop()?;
    }
    let mut text = table.text();
    text.push_str(
        "\nFrom the start of the process to the first answer of /readyz that says so: medians and the longest. MiB ready: \
         resident then; used: after 2,000\nrandom entries and receipts were read. Goals: under 1 s for both, under 400 MiB.\n",
    );
    println!("\n{text}");
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "startup", &machine, &text))
}

struct Start {
    reads_s: f64,
    writes_s: f64,
    ready_bytes: u64,
    used_bytes: u64,
    peak_bytes: u64,
}

impl Start {
    fn look(server: &Server, ledger: &Prepared) -> Result<Self> {
        let ready_bytes = resident_bytes(server.pid())?;
        let mut client = Client::connect(server.address, &ledger.token)?;
        for nth in 0..READ {
            let seq = nth.wrapping_mul(STRIDE) % ledger.entries;
            let more = if nth % 2 == 0 { "" } else { "/receipt" };
            let (status, _) = client.get(&format!("/v1/events/{seq}{more}"))?;
            if status != 200 {
                bail!("entry {seq}{more}: {status}");
            }
        }
        Ok(Self {
            reads_s: server.reads_after.as_secs_f64(),
            writes_s: server.writes_after.as_secs_f64(),
            ready_bytes,
            used_bytes: resident_bytes(server.pid())?,
            peak_bytes: peak_memory_bytes(server.pid())?,
        })
    }
}

/// Posts some events that no run before has posted.
fn post(server: &Server, ledger: &Prepared) -> Result<()> {
    let mut client = Client::connect(server.address, &ledger.token)?;
    let template = Event::now();
    let run = chrono::Utc::now().timestamp_micros();
    for nth in 0..POSTED {
        let event = template.numbered(nth).replacen("\"id\":\"d-", &format!("\"id\":\"s-{run}-"), 1);
        let (status, body) = client.post_event(&event)?;
        if status != 201 {
            bail!("{status} {}", String::from_utf8_lossy(&body));
        }
    }
    Ok(())
}

fn row(ledger: &Prepared, after: &str, starts: &[Start]) -> Vec<String> {
    let of = |figure: fn(&Start) -> f64| -> Vec<f64> { starts.iter().map(figure).collect() };
    let seconds = |figure: fn(&Start) -> f64| {
        let longest = of(figure).into_iter().fold(0.0, f64::max);
        [format!("{:.3}", median(of(figure))), format!("{longest:.3}")]
    };
    let most = |figure: fn(&Start) -> u64| mib(starts.iter().map(figure).max().unwrap_or(0));
    let per_entry = |folder: &Path| format!("{:.0}", disk_bytes(folder) as f64 / ledger.entries as f64);
    let mut cells = vec![thousands(ledger.entries as f64), after.to_owned()];
    cells.extend(seconds(|start| start.reads_s));
    cells.extend(seconds(|start| start.writes_s));
    cells.extend([
        most(|start| start.ready_bytes),
        most(|start| start.used_bytes),
        most(|start| start.peak_bytes),
    ]);
    cells.extend([per_entry(&ledger.data.join("log")), per_entry(&ledger.data.join("index"))]);
    cells
}
