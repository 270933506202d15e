//! Do answers take longer from a large ledger than from a small one? Both are served at the same time and asked by turns.
//!
//! ```text
//! cargo bench --bench query             100,000 and 1,000,000 entries
//! cargo bench --bench query -- --full   and 10,000,000
//! ```
//!
//! A large ledger is asked for pages that nobody has read for a while. Where the system gives such pages away although it
//! has memory to spare, what is measured is the disk: see `DAYBOOK_BENCH_DATA` in `common/mod.rs`.
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
use common::http::Client;
use common::ledger::{EVENTS_OF_A_CASE, Prepared, prepare};
use common::machine::{Machine, read_all};
use common::serve::Server;
use common::table::{Table, quantile, thousands};
use std::ops::Range;
use std::path::PathBuf;
use std::time::Instant;

const STRIDE: u64 = 2_654_435_761;

/// Measures queries on a small and a large ledger.
#[derive(Parser)]
#[command(name = "query")]
struct Options {
    /// Entries of the small ledger
    #[arg(long, default_value_t = 100_000)]
    small: u64,
    /// Entries of the large one; may be repeated
    #[arg(long)]
    large: Vec<u64>,
    /// Ten million entries too
    #[arg(long)]
    full: bool,
    /// How often each question is asked of each ledger, after as often to warm it
    #[arg(long, default_value_t = 4_000)]
    times: u64,
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

/// A question about the entry with this number.
type Question = (&'static str, fn(&Prepared, u64) -> String);

const QUESTIONS: [Question; 10] = [
    ("event by number", |_, seq| format!("/v1/events/{seq}")),
    ("receipt", |_, seq| format!("/v1/events/{seq}/receipt")),
    ("list by subject", |ledger, seq| format!("/v1/events?subject={}&limit=20", ledger.subject(seq))),
    ("list by type, newest", |_, _| "/v1/events?type=decision.made&order=desc&limit=20".to_owned()),
    ("list by subject and type", |ledger, seq| {
        format!("/v1/events?type=decision.made&subject={}&limit=20", ledger.subject(seq))
    }),
    ("decision by id", |_, seq| format!("/v1/decisions/d-{seq:09}")),
    ("decisions of a case", |ledger, seq| format!("/v1/decisions?case={}", ledger.subject(seq))),
    ("decisions of a version, newest", |_, _| {
        "/v1/decisions?model_version=credit-line@1.1&limit=20".to_owned()
    }),
    ("timeline of a case", |ledger, seq| format!("/v1/subjects/{}/timeline", ledger.subject(seq))),
    ("inclusion proof", |_, seq| format!("/v1/proofs/inclusion?seq={seq}")),
];

fn main() -> Result<()> {
    if !common::is_asked_for("query") {
        return Ok(());
    }
    let options = Options::parse();
    std::fs::create_dir_all(common::data_dir())?;
    let machine = Machine::look(&common::data_dir())?;
    machine.print();
    let sizes = common::sizes(&options.large, options.full);
    let small = Served::start(&options, options.small)?;
    let mut table = Table::new(
        2,
        &["question", "entries", "p50 us", "p99 us", "p50 of the small", "p99", "p50 ratio", "p99 ratio"],
    );
    for entries in sizes {
        let large = Served::start(&options, entries)?;
        for (name, question) in QUESTIONS {
            // The first round warms both, with other entries (as long as there are twice as many), and does not count.
            ask(&small, &large, question, 0..options.times)?;
            let (of_small, of_large) = ask(&small, &large, question, options.times..2 * options.times)?;
            let (p50, p99) = (quantile(&of_large, 0.5), quantile(&of_large, 0.99));
            let (small_p50, small_p99) = (quantile(&of_small, 0.5), quantile(&of_small, 0.99));
            table.row(vec![
                name.to_owned(),
                thousands(entries as f64),
                format!("{p50:.0}"),
                format!("{p99:.0}"),
                format!("{small_p50:.0}"),
                format!("{small_p99:.0}"),
                format!("{:.2}", p50 / small_p50),
                format!("{:.2}", p99 / small_p99),
            ]);
        }
        large.server.stop()?;
    }
    small.server.stop()?;
    let mut text = table.text();
    text.push_str(&format!(
        "\nOver one connection, from the first byte sent to the last received; the ledger of {} entries and the large one by \
         turns,\nonce their tables are merged, the system has read all their files, and as many questions about other entries \
         have warmed both. A subject, which\nis a case, has {EVENTS_OF_A_CASE} events in each, far from one another. Goal: p99 ratio at \
         most 1.5 at 10,000,000.\n",
        thousands(options.small as f64)
    ));
    println!("\n{text}");
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "query", &machine, &text))
}

struct Served {
    ledger: Prepared,
    server: Server,
}

impl Served {
    fn start(options: &Options, entries: u64) -> Result<Self> {
        let ledger = prepare(entries, true)?;
        let server = Server::start(&options.daybook, &ledger.data)?;
        // A ledger is prepared without its views: they are made now, and kept for the next time.
        let mut client = Client::connect(server.address, &ledger.token)?;
        loop {
            let (status, body) = client.get("/v1/views")?;
            let views: serde_json::Value = serde_json::from_slice(&body)?;
            if status == 200 && views["lag"] == 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(200));
        }
        // Tables are merged for a while after they were written.
        server.wait_until_quiet()?;
        read_all(&ledger.data)?;
        Ok(Self { ledger, server })
    }
}

/// Asks both by turns; microseconds, sorted.
fn ask(
    small: &Served,
    large: &Served,
    question: fn(&Prepared, u64) -> String,
    numbers: Range<u64>,
) -> Result<(Vec<f64>, Vec<f64>)> {
    let mut clients = Vec::new();
    for served in [small, large] {
        clients.push((
            Client::connect(served.server.address, &served.ledger.token)?,
            &served.ledger,
            Vec::new(),
        ));
    }
    for nth in numbers {
        for (client, ledger, latencies) in &mut clients {
            // Entry 0 is the ledger's own.
            let path = question(ledger, 1 + nth.wrapping_mul(STRIDE) % (ledger.entries - 1));
            let start = Instant::now();
            let (status, body) = client.get(&path)?;
            latencies.push(start.elapsed().as_secs_f64() * 1e6);
            if status != 200 || body.starts_with(br#"{"items":[],"#) {
                bail!("{path}: {status} {}", String::from_utf8_lossy(&body));
            }
        }
    }
    let mut sorted = clients.into_iter().map(|(_, _, mut latencies)| {
        latencies.sort_by(f64::total_cmp);
        latencies
    });
    Ok((sorted.next().context("the small ledger")?, sorted.next().context("the large ledger")?))
}
