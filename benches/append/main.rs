//! The whole-system append benchmark: how close does the ledger come to the least work that any signed, durable
//! ledger over HTTP must do?
//!
//! ```text
//! cargo bench --bench append                     floor · log alone · log and index, both modes, three rounds
//! cargo bench --bench append -- --quick          the same in under a minute, for a first look
//! cargo bench --bench append -- --only batch --serve-args "--index none" --serve-args "--index sled"
//! ```
//!
//! An absolute rate says more about the machine than about the program, so every rate stands beside that of the
//! *floor* (`floor.rs`): a bare server on the same HTTP stack that parses, hashes, signs and group-commits, and does
//! nothing else. Floor and product take turns within one run, so that a noisy neighbour hits both.
//! Each is a process of its own; the load (`load.rs`) comes from this process, over loopback, the same bytes to each.
//!
//! Linux only: it reads `/proc` and drives its connections with epoll.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends"
)]

#[path = "../common/mod.rs"]
mod common;
mod events;
mod floor;
mod load;
mod options;
mod process;
mod report;
mod response;
mod run;
mod stop;

use anyhow::{Context, Result};
use clap::Parser;
use options::{Command, Options};

fn main() -> Result<()> {
    if !common::is_asked_for("append") {
        return Ok(());
    }
    let options = Options::parse();
    match &options.command {
        Some(Command::Floor(floor)) => floor::serve(floor),
        None => measure(&options),
    }
}

/// Runs the matrix round by round, printing each run as it ends, then the table.
fn measure(options: &Options) -> Result<()> {
    stop::watch_signals()?;
    std::fs::create_dir_all(&options.dir).with_context(|| format!("create {}", options.dir.display()))?;
    let machine = common::machine::Machine::look(&options.dir)?;
    machine.print();

    let event = common::event::Event::now();
    println!("event        {} bytes of JSON, the same to every server", event.len());
    let mut runs = Vec::new();
    let outcome = run_matrix(options, &event, &mut runs);
    // What was measured before a failure is still a measurement.
    let table = report::table(&runs);
    println!("\n{table}");
    if let Some(path) = &options.json {
        report::write_json(path, options, &machine, &runs)?;
    }
    outcome?;
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "append", &machine, &table))
}

/// Round by round and in turns, so that every ratio is between neighbours in time.
fn run_matrix(options: &Options, event: &common::event::Event, runs: &mut Vec<run::Run>) -> Result<()> {
    for round in 1..=options.rounds() {
        for mode in options.modes() {
            for server in options.servers() {
                let run = run::measure(options, event, round, mode, &server)
                    .with_context(|| format!("round {round}, {}, {}", mode.name(), server.label))?;
                report::print_progress(&run);
                runs.push(run);
            }
        }
    }
    Ok(())
}
