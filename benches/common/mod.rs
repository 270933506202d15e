//! What the benchmarks share. Each uses its own part of it.
#![allow(dead_code)]

pub mod event;
pub mod http;
pub mod ledger;
pub mod machine;
pub mod results;
pub mod serve;
pub mod table;

use std::path::{Path, PathBuf};

/// `cargo test --all-targets` starts benchmarks without arguments, `cargo bench` with `--bench`: minutes of load are only
/// for whoever asked for them.
pub fn is_asked_for(bench: &str) -> bool {
    let asked = std::env::args_os().len() > 1;
    if !asked {
        println!("{bench}: nothing measured; run it with `cargo bench --bench {bench}`");
    }
    asked
}

/// Where prepared ledgers are kept from run to run: `target/bench-data`, which `cargo clean` removes, or the folder in the
/// environment variable `DAYBOOK_BENCH_DATA`, such as one on a file system in memory.
pub fn data_dir() -> PathBuf {
    if let Some(dir) = std::env::var_os("DAYBOOK_BENCH_DATA") {
        return dir.into();
    }
    Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("target")).join("bench-data")
}

/// Entries of the ledgers to measure: those asked for, else a million; and with `full` ten million.
pub fn sizes(asked: &[u64], full: bool) -> Vec<u64> {
    let mut sizes = if asked.is_empty() { vec![1_000_000] } else { asked.to_vec() };
    sizes.extend(full.then_some(10_000_000));
    sizes
}
