//! What each step costs by itself, on one core (criterion).
//!
//! ```text
//! cargo bench --bench micro
//! cargo bench --bench micro -- --only sign
//! ```
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a measurement that cannot be made ends"
)]

#[path = "common/mod.rs"]
mod common;

use anyhow::{Context, Result};
use clap::Parser;
use common::event::Event;
use common::ledger::{ACTOR, open, prepare};
use common::machine::Machine;
use common::table::{Table, thousands};
use criterion::{BatchSize, Criterion};
use daybook::catalog::Catalog;
use daybook::identity::{Principal, Role};
use daybook::intake::{Rules, accept};
use daybook::log::keys::LedgerKey;
use daybook::spec::canonical;
use daybook::spec::entry::{Draft, Entry, text_hash};
use daybook::spec::json::{Json, MAX_EVENT_DEPTH};
use daybook::spec::merkle::{Frontier, leaf_hash};
use daybook::spec::note::{Note, Signer, SoftwareSigner, sign};
use daybook::spec::tile::push_framed;
use daybook::spec::time::Timestamp;
use ed25519_zebra::batch::Verifier;
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;
use std::cell::RefCell;
use std::hint::black_box;
use std::path::{Path, PathBuf};
use std::time::Duration;

const ORIGIN: &str = "bench.example/ledger";
const SEED: [u8; 32] = [42; 32];
/// Signatures of one batch: as many entries of this size as the verifier's chunks have.
const BATCH: usize = 170;
/// Entries of the ledger that proofs are made from.
const TREE: u64 = 1_000_000;
const STRIDE: u64 = 2_654_435_761;

/// Measures the steps of an append and of a verification one by one.
#[derive(Parser)]
#[command(name = "micro")]
struct Options {
    /// Only benchmarks whose name holds this
    #[arg(long)]
    only: Option<String>,
    /// Seconds for each
    #[arg(long, default_value_t = 3)]
    seconds: u64,
    /// Nothing larger here: the tree has a million entries anyway
    #[arg(long, hide = true)]
    full: bool,
    /// Put the table into this file, in the place of the last one
    #[arg(long)]
    results: Option<PathBuf>,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
}

/// Criterion, and what was measured with it: the name, and how many things one measured call does.
struct Bench {
    criterion: Criterion,
    only: Option<String>,
    done: Vec<(String, u64)>,
}

impl Bench {
    fn each<T>(&mut self, name: &str, mut run: impl FnMut() -> T) {
        self.many(name, 1, &mut run);
    }

    fn many<T>(&mut self, name: &str, things: u64, run: &mut impl FnMut() -> T) {
        if self.is_wanted(name) {
            self.criterion.bench_function(name, |bencher| bencher.iter(&mut *run));
            self.done.push((name.to_owned(), things));
        }
    }

    fn is_wanted(&self, name: &str) -> bool {
        self.only.as_ref().is_none_or(|only| name.contains(only.as_str()))
    }
}

fn main() -> Result<()> {
    if !common::is_asked_for("micro") {
        return Ok(());
    }
    let options = Options::parse();
    std::fs::create_dir_all(common::data_dir())?;
    let machine = Machine::look(&common::data_dir())?;
    machine.print();
    let output = Path::new(env!("CARGO_TARGET_TMPDIR")).join("criterion");
    let criterion = Criterion::default()
        .without_plots()
        .output_directory(&output)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(options.seconds.max(1)));
    let mut bench = Bench { criterion, only: options.only.clone(), done: Vec::new() };
    let sizes = steps(&mut bench)?;
    tree(&mut bench)?;

    let mut table = Table::new(1, &["what", "ns", "a second"]);
    for (name, things) in &bench.done {
        let ns = median_ns(&output, name)? / *things as f64;
        table.row(vec![name.clone(), thousands(ns), thousands(1e9 / ns)]);
    }
    let text = format!(
        "{}\nMedians of one core. {sizes} Proofs are from the tiles of a ledger of {} entries. batch: a signature's part of {BATCH}.\n",
        table.text(),
        thousands(TREE as f64)
    );
    println!("\n{text}");
    options.results.as_ref().map_or(Ok(()), |path| common::results::keep(path, "micro", &machine, &text))
}

/// What criterion found for a benchmark, from the file that it leaves.
fn median_ns(output: &Path, name: &str) -> Result<f64> {
    let path = output.join(name).join("new/estimates.json");
    let text = std::fs::read(&path).with_context(|| path.display().to_string())?;
    let estimates: serde_json::Value = serde_json::from_slice(&text)?;
    estimates["median"]["point_estimate"].as_f64().context("no median")
}

/// The steps of one event's way, in order. Says how large the event is.
fn steps(bench: &mut Bench) -> Result<String> {
    let posted = Event::now().numbered(7).into_bytes();
    let json = Json::parse(&posted, MAX_EVENT_DEPTH)?;
    let event = canonical::to_string(&json);
    bench.each("parse", || Json::parse(black_box(&posted), MAX_EVENT_DEPTH).is_ok());
    bench.each("canonicalise", || canonical::to_string(black_box(&json)));
    bench.each("parse and canonicalise", || {
        canonical::canonicalize(black_box(&posted), MAX_EVENT_DEPTH).is_ok()
    });

    let catalog = Catalog::embedded()?;
    let principal = Principal::open(ACTOR, vec![Role::Producer]);
    let rules = Rules { origin: ORIGIN, catalog: &catalog, open_types: false };
    accept(&json, &principal, &rules).map_err(|refusals| anyhow::anyhow!("refused: {refusals:?}"))?;
    bench.each("intake (parse and accept)", || {
        let json = Json::parse(black_box(&posted), MAX_EVENT_DEPTH);
        json.is_ok_and(|json| accept(&json, &principal, &rules).is_ok())
    });

    let draft = Draft::new(ACTOR, &event, ORIGIN);
    let time = Timestamp::from_micros(1_790_000_000_000_000).context("a time")?;
    bench.each("chain (text and hash)", || {
        text_hash(draft.text(black_box(&[7; 32]), 123_456, time).as_bytes())
    });

    let text = draft.text(&[7; 32], 123_456, time);
    let (aws, dalek) = (LedgerKey::from_seed(ORIGIN, &SEED)?, SoftwareSigner::from_seed(ORIGIN, &SEED)?);
    bench.each("sign (aws-lc-rs, as the ledger does)", || aws.sign(black_box(text.as_bytes())));
    bench.each("sign (ed25519-dalek)", || dalek.sign(black_box(text.as_bytes())));

    let entry = sign(&text, &[&aws]).into_bytes();
    bench.each("leaf hash", || leaf_hash(black_box(&entry)));
    if bench.is_wanted("frame") {
        bench.criterion.bench_function("frame", |bencher| {
            // As the committer does it: one buffer for a whole batch.
            let buffer = || Vec::with_capacity(entry.len() + 2);
            bencher.iter_batched_ref(
                buffer,
                |bundle| push_framed(bundle, black_box(&entry)),
                BatchSize::SmallInput,
            );
        });
        bench.done.push(("frame".to_owned(), 1));
    }
    bench.each("read an entry", || Entry::parse(black_box(&entry)).is_ok());

    let note = Note::parse(&entry)?;
    let signature: [u8; 64] = note.signatures[0].signature.as_slice().try_into()?;
    bench.each("verify (strict)", || aws.verifier().verify(black_box(text.as_bytes()), &signature));
    let weights = RefCell::new(ChaCha20Rng::from_seed(SEED));
    bench.many("verify (batch)", BATCH as u64, &mut || {
        let mut batch = Verifier::new();
        for _ in 0..BATCH {
            batch.queue((
                (*aws.verifier().public_key()).into(),
                signature.into(),
                black_box(text.as_bytes()),
            ));
        }
        batch.verify(&mut *weights.borrow_mut()).is_ok()
    });
    Ok(format!("The event has {} bytes, its entry {}.", posted.len(), entry.len()))
}

/// The tree, and proofs from the tiles of a large ledger.
fn tree(bench: &mut Bench) -> Result<()> {
    let mut frontier = Frontier::new();
    (0..TREE).for_each(|_| frontier.push([7; 32]));
    bench.each("tree, append", || frontier.push(black_box([7; 32])));
    bench.each("tree, root", || frontier.root());

    let names = ["tree, inclusion proof", "tree, consistency proof"];
    if !names.iter().any(|name| bench.is_wanted(name)) {
        return Ok(());
    }
    let opened = open(&prepare(TREE, true)?)?;
    let size = opened.store.size();
    let mut nth = 0_u64;
    let mut next = move || {
        nth += 1;
        1 + nth.wrapping_mul(STRIDE) % (TREE - 1)
    };
    opened.store.inclusion(1, size)?;
    bench.each(names[0], || opened.store.inclusion(next(), size).is_ok());
    bench.each(names[1], || opened.store.consistency(next(), size).is_ok());
    Ok(())
}
