//! What is printed, and what is written for machines.

use crate::machine::Machine;
use crate::options::{Mode, Options};
use crate::process::CATCH_UP_LIMIT;
use crate::run::Run;
use anyhow::{Context, Result};
use serde_json::{Value, json};
use std::path::Path;

/// One line as a run ends, so that a long benchmark is seen to live.
pub fn print_progress(run: &Run) {
    println!(
        "round {}  {:6}  {:30} {:>9}/s  other programs {:.2} cores{}",
        run.round,
        run.mode.name(),
        run.server,
        thousands(run.events_per_s),
        run.other_cores,
        errors(run).map(|errors| format!("  {errors}")).unwrap_or_default()
    );
}

/// The result: for each mode and server the medians over the rounds.
pub fn print_table(runs: &[Run]) {
    if runs.is_empty() {
        return;
    }
    let mut rows = vec![
        [
            "mode",
            "server",
            "events/s",
            "min - max",
            "ratio",
            "p50 ms",
            "p99 ms",
            "p99/p50",
            "CPU s/1000",
            "catch-up s",
            "MiB",
            "bytes/event",
            "load cores",
            "other cores",
            "errors",
        ]
        .map(str::to_owned)
        .to_vec(),
    ];
    for mode in [Mode::Single, Mode::Batch] {
        for server in servers(runs) {
            let of_both: Vec<&Run> =
                runs.iter().filter(|run| run.mode == mode && run.server == server).collect();
            if !of_both.is_empty() {
                rows.push(row(runs, &of_both, mode, server));
            }
        }
    }
    println!();
    print_aligned(&rows);
    println!(
        "\nMedians over {} round(s). ratio: to the floor of the same round. p50, p99: a request's latency at half of the \
         server's own highest rate,\nfrom when it was due. CPU: the server's, work after the last answer (catch-up) \
         included. MiB: most resident. load cores: used by the generator; other \
         cores: by other programs,\nwhich should be next to none.",
        runs.iter().map(|run| run.round).max().unwrap_or(0)
    );
    for run in runs.iter().filter(|run| run.errors > 0) {
        let first = run.first_error.as_deref().unwrap_or("?");
        println!(
            "round {}, {}, {}: {} errors, the first: {first}",
            run.round,
            run.mode.name(),
            run.server,
            run.errors
        );
    }
}

fn row(runs: &[Run], own: &[&Run], mode: Mode, server: &str) -> Vec<String> {
    let of = |figure: fn(&Run) -> f64| median(own.iter().copied().map(figure).collect());
    let rates = || own.iter().map(|run| run.events_per_s);
    let ratios: Vec<f64> = own.iter().filter_map(|run| ratio(runs, run)).collect();
    let catch_up_s = of(|run| run.catch_up_s);
    let limit_s = CATCH_UP_LIMIT.as_secs_f64();
    let failed = own.iter().filter(|run| run.errors > 0).count();
    vec![
        mode.name().to_owned(),
        server.to_owned(),
        thousands(of(|run| run.events_per_s)),
        format!(
            "{} - {}",
            thousands(rates().fold(f64::INFINITY, f64::min)),
            thousands(rates().fold(0.0, f64::max))
        ),
        if ratios.is_empty() { "-".to_owned() } else { format!("{:.2}", median(ratios)) },
        format!("{:.2}", of(|run| run.half_p50_ms)),
        format!("{:.2}", of(|run| run.half_p99_ms)),
        format!("{:.1}", of(|run| run.half_p99_ms / run.half_p50_ms)),
        format!("{:.4}", of(|run| run.server_cpu_s_per_1000)),
        if catch_up_s > limit_s { format!("> {limit_s}") } else { format!("{catch_up_s:.1}") },
        format!("{:.0}", of(|run| run.peak_memory_bytes as f64 / f64::from(1 << 20))),
        format!("{:.0}", of(|run| run.disk_bytes_per_event)),
        format!("{:.2}", of(|run| run.generator_cores)),
        format!("{:.2}", of(|run| run.other_cores)),
        if failed == 0 { "0".to_owned() } else { format!("in {failed} of {} runs", own.len()) },
    ]
}

/// Every run as it was, for comparison over time.
pub fn write_json(path: &Path, options: &Options, machine: &Machine, runs: &[Run]) -> Result<()> {
    let all: Vec<Value> = runs
        .iter()
        .map(|run| {
            json!({
                "round": run.round,
                "mode": run.mode.name(),
                "server": run.server,
                "events_per_s": run.events_per_s,
                "ratio_to_floor": ratio(runs, run),
                "max_p50_ms": run.max_p50_ms,
                "max_p99_ms": run.max_p99_ms,
                "half_events_per_s": run.half_events_per_s,
                "half_p50_ms": run.half_p50_ms,
                "half_p99_ms": run.half_p99_ms,
                "server_cpu_s_per_1000": run.server_cpu_s_per_1000,
                "generator_cores": run.generator_cores,
                "other_cores": run.other_cores,
                "catch_up_s": run.catch_up_s,
                "peak_memory_bytes": run.peak_memory_bytes,
                "disk_bytes_per_event": run.disk_bytes_per_event,
                "errors": run.errors,
                "first_error": run.first_error,
            })
        })
        .collect();
    let report = json!({
        "machine": {
            "cpu": machine.cpu,
            "cores": machine.cores,
            "memory_bytes": machine.memory_bytes,
            "kernel": machine.kernel,
            "load_average": machine.load_average,
            "file_system": machine.file_system,
            "sync_ms": machine.sync_ms,
        },
        "date": machine.date,
        "seconds": options.measured().as_secs(),
        "rounds": options.rounds(),
        "runs": all,
    });
    let mut text = serde_json::to_string_pretty(&report)?;
    text.push('\n');
    std::fs::write(path, text).with_context(|| format!("write {}", path.display()))
}

/// A run's rate over that of the floor in the same round and mode; nothing if either had errors, because a refusal
/// is cheaper than an append.
fn ratio(runs: &[Run], run: &Run) -> Option<f64> {
    let floor =
        runs.iter().find(|other| other.is_floor && other.round == run.round && other.mode == run.mode)?;
    (run.errors == 0 && floor.errors == 0 && floor.events_per_s > 0.0)
        .then(|| run.events_per_s / floor.events_per_s)
}

fn errors(run: &Run) -> Option<String> {
    (run.errors > 0).then(|| format!("{} ERRORS, not a result", run.errors))
}

/// The servers in the order in which they first ran.
fn servers(runs: &[Run]) -> Vec<&str> {
    let mut servers: Vec<&str> = Vec::new();
    for run in runs {
        if !servers.contains(&run.server.as_str()) {
            servers.push(&run.server);
        }
    }
    servers
}

fn median(mut figures: Vec<f64>) -> f64 {
    figures.sort_by(f64::total_cmp);
    match figures.len() {
        0 => f64::NAN,
        count if count % 2 == 1 => figures[count / 2],
        count => f64::midpoint(figures[count / 2 - 1], figures[count / 2]),
    }
}

/// Columns as wide as their widest cell; the first two are names, the rest are figures.
fn print_aligned(rows: &[Vec<String>]) {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width =
        |column: usize| rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, &width))| {
            if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        println!("{}", cells.collect::<Vec<_>>().join("  ").trim_end());
    }
}

/// Whole, with commas.
fn thousands(figure: f64) -> String {
    let digits = format!("{:.0}", figure.max(0.0));
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at) % 3 == 0 {
            text.push(',');
        }
        text.push(digit);
    }
    text
}
