//! What is printed, and what is written for machines.

use crate::common::machine::Machine;
use crate::common::table::{Table, median, thousands};
use crate::options::{Mode, Options};
use crate::process::{CATCH_UP_LIMIT, Lag};
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
pub fn table(runs: &[Run]) -> String {
    let mut table = Table::new(
        2,
        &[
            "mode",
            "server",
            "events/s",
            "min - max",
            "ratio",
            "p50 ms",
            "p99 ms",
            "p99/p50",
            "max p50",
            "max p99",
            "CPU s/1000",
            "index lag",
            "views lag",
            "catch-up s",
            "MiB",
            "bytes/event",
            "load cores",
            "other cores",
            "errors",
        ],
    );
    for mode in [Mode::Single, Mode::Batch] {
        for server in servers(runs) {
            let of_both: Vec<&Run> =
                runs.iter().filter(|run| run.mode == mode && run.server == server).collect();
            if !of_both.is_empty() {
                table.row(row(runs, &of_both, mode, server));
            }
        }
    }
    let mut text = table.text();
    text.push_str(&format!(
        "\nMedians over {} round(s). ratio: to the floor of the same round. p50, p99: a request's latency in ms at half of \
         the server's own highest rate,\nfrom when it was due; max p50, max p99: at its highest rate. CPU: the server's, \
         work after the last answer (catch-up) included.\nlag: entries by which index and views were behind, in the middle of \
         the highest rate > at its last answer; most of all rounds. MiB: most resident. load cores: used by the\ngenerator; other cores: by other \
         programs, which should be next to none.\n",
        runs.iter().map(|run| run.round).max().unwrap_or(0)
    ));
    for run in runs.iter().filter(|run| run.errors > 0) {
        let first = run.first_error.as_deref().unwrap_or("?");
        text.push_str(&format!(
            "round {}, {}, {}: {} errors, the first: {first}\n",
            run.round,
            run.mode.name(),
            run.server,
            run.errors
        ));
    }
    text
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
        format!("{:.1}", of(|run| run.max_p50_ms)),
        format!("{:.1}", of(|run| run.max_p99_ms)),
        format!("{:.4}", of(|run| run.server_cpu_s_per_1000)),
        lag(own, |lag| lag.index),
        lag(own, |lag| lag.views),
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
                "index_lag": run.lag.map(|lag| lag.map(|lag| lag.index)),
                "views_lag": run.lag.map(|lag| lag.map(|lag| lag.views)),
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

/// How far behind in the middle and at the end.
fn lag(own: &[&Run], of: fn(&Lag) -> u64) -> String {
    let most = |at: usize| own.iter().filter_map(|run| run.lag.map(|lag| of(&lag[at]))).max();
    match most(0).zip(most(1)) {
        Some((halfway, end)) => format!("{} > {}", thousands(halfway as f64), thousands(end as f64)),
        None => "-".to_owned(),
    }
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
