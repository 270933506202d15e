//! Full verification against the cryptography alone: of all the time that it takes, how much is signatures?
//!
//! ```text
//! cargo bench --bench verify
//! cargo bench --bench verify -- --entries 20000 --rounds 2 --threads 1
//! ```
//!
//! *bare* is a loop that does nothing but verify signatures that lie in memory already, on as many threads: one by one
//! strictly, or in batches as large as the verifier's. All take turns within one run, round by round, so that a noisy
//! neighbour hits all alike; a ratio is that of neighbours in time. Ratios by processor time stand beside those by the
//! clock, because they hold on a busy machine too.
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
use common::machine::{Machine, own_cpu_s, peak_memory_bytes};
use common::table::{Table, median, mib, thousands};
use daybook::log::bulk::read_entries;
use daybook::log::disk::RealDisk;
use daybook::spec::note::{Note, VerifierKey};
use daybook::verify::{Options as How, Outcome, Quiet, SEED_BYTES, Seed, Signatures, Source, verify};
use ed25519_zebra::batch::Verifier;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

/// Entries whose signatures the bare loops verify: a second's worth and more, and little memory.
const BARE_ENTRIES: u64 = 32_768;
/// Bytes after which the verifier's own chunks end (`verify::source::CHUNK_BYTES`), and so its batches.
const CHUNK_BYTES: usize = 640 << 10;
/// How often a process's memory is looked at.
const LOOK: Duration = Duration::from_millis(10);
/// Any seed will do where nobody is deceived.
const SEED: [u8; SEED_BYTES] = [7; SEED_BYTES];

/// Measures full verification against bare signature verification.
#[derive(Parser)]
#[command(name = "verify")]
struct Options {
    /// Entries of the ledger
    #[arg(long, default_value_t = 200_000)]
    entries: u64,
    /// Rounds; each measures everything once
    #[arg(long, default_value_t = 3)]
    rounds: usize,
    /// Numbers of threads [default: 1 and as many as cores]
    #[arg(long)]
    threads: Vec<usize>,
    /// A million entries
    #[arg(long)]
    full: bool,
    /// Put the table into this file, in the place of the last one
    #[arg(long)]
    results: Option<PathBuf>,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

/// One way to verify: what is measured, and what it is measured against.
struct Way {
    name: &'static str,
    bare: Option<usize>,
    goal: f64,
}

const BARE_STRICT: usize = 0;
const BARE_BATCH: usize = 3;
const WAYS: [Way; 6] = [
    Way { name: "bare, strict", bare: None, goal: 0.0 },
    Way { name: "folder, strict", bare: Some(BARE_STRICT), goal: 0.9 },
    Way { name: "export, strict", bare: Some(BARE_STRICT), goal: 0.9 },
    Way { name: "bare, batches", bare: None, goal: 0.0 },
    Way { name: "folder, batches", bare: Some(BARE_BATCH), goal: 0.8 },
    Way { name: "export, batches", bare: Some(BARE_BATCH), goal: 0.8 },
];

/// Entries a second, by the clock and by one processor's time.
#[derive(Clone, Copy)]
struct Rate {
    clock: f64,
    processor: f64,
}

fn main() -> Result<()> {
    if !common::is_asked_for("verify") {
        return Ok(());
    }
    let options = Options::parse();
    let entries = if options.full { 1_000_000 } else { options.entries };
    std::fs::create_dir_all(common::data_dir())?;
    let machine = Machine::look(&common::data_dir())?;
    machine.print();
    let ledger = common::ledger::prepare(entries, false)?;
    let export = export(&ledger.data)?;
    let sample = Sample::read(&ledger.data, entries.min(BARE_ENTRIES))?;
    println!("entry        {} bytes; batches of {}", sample.entry_bytes, sample.batch);

    let cores = std::thread::available_parallelism()?.get();
    let threads = match options.threads.is_empty() {
        true if cores > 1 => vec![1, cores],
        true => vec![1],
        false => options.threads.clone(),
    };
    let mut table = Table::new(
        2,
        &["threads", "what", "entries/s", "min - max", "/s of CPU", "ratio", "CPU ratio", "goal"],
    );
    for threads in threads {
        let mut rounds: Vec<Vec<Rate>> = WAYS.iter().map(|_| Vec::new()).collect();
        for round in 1..=options.rounds {
            for (way, rates) in rounds.iter_mut().enumerate() {
                let rate = measure(way, threads, &ledger.key, &sample, &ledger.data, &export, entries)?;
                println!(
                    "round {round}  {threads} threads  {:16} {:>9}/s",
                    WAYS[way].name,
                    thousands(rate.clock)
                );
                rates.push(rate);
            }
        }
        add_rows(&mut table, threads, &rounds);
    }
    let mut text = table.text();
    text.push_str(
        "\nMedians over the rounds. ratio: to the bare rate of the same mode, threads and round; CPU ratio: the same by \
         processor time.\n\n",
    );
    text.push_str(&peak_memory(&ledger.data, &export, &ledger.key)?);
    println!("\n{text}");
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "verify", &machine, &text))
}

fn add_rows(table: &mut Table, threads: usize, rounds: &[Vec<Rate>]) {
    for (way, rates) in WAYS.iter().zip(rounds) {
        let clocks = || rates.iter().map(|rate| rate.clock);
        let ratio = |of: fn(&Rate) -> f64| {
            let bare = way.bare.map(|bare| &rounds[bare]);
            bare.map_or("-".to_owned(), |bare| {
                format!(
                    "{:.3}",
                    median(rates.iter().zip(bare).map(|(own, bare)| of(own) / of(bare)).collect())
                )
            })
        };
        table.row(vec![
            threads.to_string(),
            way.name.to_owned(),
            thousands(median(clocks().collect())),
            format!(
                "{} - {}",
                thousands(clocks().fold(f64::INFINITY, f64::min)),
                thousands(clocks().fold(0.0, f64::max))
            ),
            thousands(median(rates.iter().map(|rate| rate.processor).collect())),
            ratio(|rate| rate.clock),
            ratio(|rate| rate.processor),
            if way.goal > 0.0 { format!("{:.1}", way.goal) } else { "-".to_owned() },
        ]);
    }
}

fn measure(
    way: usize,
    threads: usize,
    key: &VerifierKey,
    sample: &Sample,
    folder: &Path,
    export: &Path,
    entries: u64,
) -> Result<Rate> {
    let signatures = if way < BARE_BATCH { Signatures::Strict } else { Signatures::Batched(Seed(SEED)) };
    let how = How { key: Some(key.clone()), threads: Some(threads), signatures, ..How::default() };
    let source = match way % BARE_BATCH {
        0 => None,
        1 => Some(Source::Folder(folder.to_owned())),
        _ => Some(Source::Export(Box::new(File::open(export)?))),
    };
    let (start, before_s) = (Instant::now(), own_cpu_s()?);
    let count = match source {
        None => sample.verify(key, threads, way == BARE_BATCH)?,
        Some(source) => match verify(source, &how, &Quiet) {
            Outcome::Verified(report) if report.entries == entries => entries,
            other => bail!("the prepared ledger does not verify: {}", other.to_json()),
        },
    };
    let (clock_s, processor_s) = (start.elapsed().as_secs_f64(), own_cpu_s()? - before_s);
    Ok(Rate { clock: count as f64 / clock_s, processor: count as f64 / processor_s.max(0.01) })
}

/// Entries in memory.
struct Sample {
    entries: Vec<Vec<u8>>,
    entry_bytes: usize,
    /// As many as the verifier's own batches have.
    batch: usize,
}

impl Sample {
    fn read(data: &Path, count: u64) -> Result<Self> {
        let mut entries = Vec::new();
        let whole = read_entries(&RealDisk, &data.join("log"), count, |_, entry| {
            entries.push(entry.to_vec());
            Ok(())
        });
        whole.context("read the prepared ledger")?;
        let entry_bytes = entries.last().map_or(0, Vec::len);
        Ok(Self { entries, entry_bytes, batch: CHUNK_BYTES.div_ceil(entry_bytes + 2) })
    }

    /// Verifies all signatures and nothing else; says how many.
    fn verify(&self, key: &VerifierKey, threads: usize, batched: bool) -> Result<u64> {
        let parts = self.entries.chunks(self.entries.len().div_ceil(threads));
        let hold = std::thread::scope(|scope| {
            let threads: Vec<_> =
                parts.map(|part| scope.spawn(move || self.holds(key, part, batched))).collect();
            threads.into_iter().all(|thread| thread.join().unwrap_or(false))
        });
        if hold {
            Ok(self.entries.len() as u64)
        } else {
            bail!("a signature of the prepared ledger does not hold")
        }
    }

    fn holds(&self, key: &VerifierKey, entries: &[Vec<u8>], batched: bool) -> bool {
        let mut weights = ChaCha20Rng::from_seed(SEED);
        entries.chunks(self.batch).all(|entries| {
            let mut batch = Verifier::new();
            let one_by_one = entries.iter().all(|entry| {
                // Found without reading the entry: text, empty line, one signature line.
                let Some((text, signature)) = text_and_signature(entry) else { return false };
                if batched {
                    batch.queue(((*key.public_key()).into(), signature.into(), text));
                    return true;
                }
                key.verify(text, &signature)
            });
            one_by_one && (!batched || batch.verify(&mut weights).is_ok())
        })
    }
}

fn text_and_signature(entry: &[u8]) -> Option<(&[u8], [u8; 64])> {
    let note = Note::parse(entry).ok()?;
    let signature = note.signatures.first()?.signature.as_slice().try_into().ok()?;
    Some((note.text.as_bytes(), signature))
}

/// The export beside the folder, made once.
fn export(data: &Path) -> Result<PathBuf> {
    let path = data.with_extension("ndjson");
    if !path.exists() {
        let unfinished = data.with_extension("unfinished");
        let _ = std::fs::remove_file(&unfinished);
        let status = Command::new(env!("CARGO_BIN_EXE_daybook"))
            .args(["export", "--data"])
            .arg(data)
            .arg(&unfinished)
            .stderr(Stdio::null())
            .status()?;
        if !status.success() {
            bail!("daybook export: {status}");
        }
        std::fs::rename(&unfinished, &path)?;
    }
    Ok(path)
}

/// The verifier's own program. It is another package's, so cargo has it only if it is asked.
fn verifier() -> Result<PathBuf> {
    let programs = Path::new(env!("CARGO_BIN_EXE_daybook")).parent().context("programs are in a folder")?;
    let status = Command::new(env!("CARGO"))
        .args([
            "build",
            "--quiet",
            "--locked",
            "--release",
            "--package",
            "daybook-verify",
            "--features",
            "batch",
        ])
        .arg("--target-dir")
        .arg(programs.parent().context("that folder is in the target folder")?)
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .status()?;
    if !status.success() {
        bail!("cargo build --package daybook-verify: {status}");
    }
    Ok(programs.join("daybook-verify"))
}

/// The most memory that the verifier's own program had resident, however large the ledger.
fn peak_memory(folder: &Path, export: &Path, key: &VerifierKey) -> Result<String> {
    let verifier = verifier()?;
    let mut table = Table::new(1, &["daybook-verify", "peak MiB"]);
    for (name, source, more) in [
        ("folder, strict", folder, None),
        ("export, strict", export, None),
        ("folder, batches", folder, Some("--batch")),
        ("export, batches", export, Some("--batch")),
    ] {
        let mut child = Command::new(&verifier)
            .arg(source)
            .args(["--key", &key.to_string(), "--quiet"])
            .args(more)
            .spawn()?;
        let mut peak = 0;
        let status = loop {
            // Between two looks it may have ended; then there is nothing more to see.
            peak = peak_memory_bytes(child.id()).unwrap_or(0).max(peak);
            if let Some(status) = child.try_wait()? {
                break status;
            }
            std::thread::sleep(LOOK);
        };
        if !status.success() {
            bail!("daybook-verify: {status}");
        }
        table.row(vec![name.to_owned(), mib(peak)]);
    }
    Ok(table.text())
}
