//! Does anybody's question, or anybody's event, stop another's? An honest client lists and posts at a modest rate, alone and
//! beside each of these in turn: what it waits, what memory the server takes and gives back, and what the others are told.
//!
//! ```text
//! cargo bench --bench abuse               some minutes
//! cargo bench --bench abuse -- --quick    a tenth of everything, for a look
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

mod abuses;
mod honest;
mod world;

use abuses::{ABUSES, Abuse, Told};
use anyhow::Result;
use clap::Parser;
use common::machine::{Machine, forget_peak_memory, peak_memory_bytes, resident_bytes};
use common::table::{Table, mib, quantile};
use honest::Waits;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;
use world::{Sizes, World};

/// Between the end of an abuse and the look at what memory it has left.
const GIVEN_BACK_AFTER: Duration = Duration::from_secs(10);

/// Measures what an honest client waits beside others who are not.
#[derive(Parser)]
#[command(name = "abuse")]
struct Options {
    /// How long each lasts, in seconds
    #[arg(long, default_value_t = 20)]
    seconds: u64,
    /// A tenth of the rows, events and connections, and 5 seconds each
    #[arg(long)]
    quick: bool,
    /// Only those whose name holds this; may be repeated
    #[arg(long)]
    only: Vec<String>,
    /// The ledger's binary
    #[arg(long, default_value = env!("CARGO_BIN_EXE_daybook"))]
    daybook: PathBuf,
    /// Put the table into this file, in the place of the last one
    #[arg(long)]
    results: Option<PathBuf>,
    /// Means nothing here: `make bench FULL=1` gives it to all
    #[arg(long, hide = true)]
    full: bool,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() -> Result<()> {
    if !common::is_asked_for("abuse") {
        return Ok(());
    }
    let options = Options::parse();
    std::fs::create_dir_all(common::data_dir())?;
    let machine = Machine::look(&common::data_dir())?;
    machine.print();
    let (sizes, seconds) =
        if options.quick { (Sizes::quick(), 5) } else { (Sizes::whole(), options.seconds) };
    let lasts = Duration::from_secs(seconds);
    let mut world = World::make(&options.daybook, sizes)?;
    let alone = beside(&world, lasts, None)?;
    let mut table = Table::new(
        1,
        &[
            "beside",
            "p50 ms",
            "p99 ms",
            "most ms",
            "not 2xx",
            "MiB before",
            "at most",
            "after",
            "told to the others",
        ],
    );
    table.row(line("nobody", &alone));
    let asked =
        |abuse: &&Abuse| options.only.is_empty() || options.only.iter().any(|name| abuse.name.contains(name));
    for abuse in ABUSES.iter().filter(asked) {
        if abuse.few_files {
            world.restart_with_few_files(&options.daybook)?;
        }
        let found = beside(&world, lasts, Some(abuse))?;
        println!("{}", line(abuse.name, &found).join("  "));
        table.row(line(abuse.name, &found));
        if abuse.few_files {
            world.restart(&options.daybook)?;
        }
    }
    world.end()?;
    let mut text = table.text();
    text.push_str(&format!(
        "\nThe honest client asks or posts each 10 ms: the newest decisions, what is overdue, the newest entries, one event. \
         Others are there for {seconds} s;\nmemory after is {} s later. Of a ledger with {sizes}.\nGoal: p99 under 50 ms beside \
         each, all of its requests answered, and memory given back.\n",
        GIVEN_BACK_AFTER.as_secs()
    ));
    println!("\n{text}");
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "abuse", &machine, &text))
}

/// What the honest client and the server come to beside an abuse.
struct Beside {
    waits: Waits,
    before: u64,
    most: u64,
    after: u64,
    told: String,
}

fn beside(world: &World, lasts: Duration, abuse: Option<&Abuse>) -> Result<Beside> {
    world.wait_until_followed()?;
    let pid = world.server().pid();
    let before = resident_bytes(pid)?;
    forget_peak_memory(pid);
    let (ending, told) = (AtomicBool::new(false), Told::default());
    let waits = std::thread::scope(|scope| -> Result<Waits> {
        let abusing = abuse.map(|abuse| {
            let (ending, told) = (&ending, &told);
            scope.spawn(move || (abuse.go)(world, ending, told))
        });
        let waits = honest::go(world, lasts);
        ending.store(true, Ordering::Relaxed);
        if let Some(abusing) = abusing {
            abusing.join().expect("an abuse ends")?;
        }
        waits
    })?;
    let most = peak_memory_bytes(pid)?;
    std::thread::sleep(if abuse.is_some() { GIVEN_BACK_AFTER } else { Duration::ZERO });
    Ok(Beside { waits, before, most, after: resident_bytes(pid)?, told: told.text() })
}

fn line(name: &str, found: &Beside) -> Vec<String> {
    let millis = |share: f64| format!("{:.1}", quantile(&found.waits.millis, share));
    vec![
        name.to_owned(),
        millis(0.5),
        millis(0.99),
        millis(1.0),
        format!("{} of {}", found.waits.refused, found.waits.millis.len()),
        mib(found.before),
        mib(found.most),
        mib(found.after),
        found.told.clone(),
    ]
}
