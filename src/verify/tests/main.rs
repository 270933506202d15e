//! The suite of lies: each test is something that an enemy, an accident or a bug might do to a ledger, and that the
//! verifier must not be taken in by.
//!
//! The ledgers come from the test kit, and are told to the library as anyone would; what depends on the size of segments
//! is beside the source of folders, and `program` runs the program.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]

#[cfg(feature = "batch")]
mod batches;
mod chain;
mod checkpoints;
mod command;
mod exports;
mod flips;
mod honest;
mod keys;
mod program;
mod published;
mod receipts;
mod remembered;
#[cfg(feature = "url")]
mod servers;
mod speed;

use daybook_testkit::Ledger;
use daybook_verify::{Code, Options, Outcome, Quiet, Report, Source, verify};
#[cfg(feature = "batch")]
use daybook_verify::{SEED_BYTES, Seed, Signatures};
use std::io::Cursor;
use std::path::Path;

fn trusting(ledger: &Ledger) -> Options {
    Options { key: Some(ledger.first_key()), threads: Some(2), ..Options::default() }
}

fn look_at_export(bytes: Vec<u8>, options: &Options) -> Outcome {
    in_both_modes(options, |options| {
        verify(Source::Export(Box::new(Cursor::new(bytes.clone()))), options, &Quiet)
    })
}

fn look_at_receipt(bytes: impl Into<Vec<u8>>, options: &Options) -> Outcome {
    verify(Source::Receipt(Box::new(Cursor::new(bytes.into()))), options, &Quiet)
}

fn look_at_folder(folder: &Path, options: &Options) -> Outcome {
    in_both_modes(options, |options| verify(Source::Folder(folder.to_owned()), options, &Quiet))
}

/// Looks with signatures checked one by one and in batches. Both must come to the same in every word, but for how
/// they looked; the answer is the strict one. What is remembered changes what comes next, so there only one looks.
#[track_caller]
fn in_both_modes(options: &Options, look: impl Fn(&Options) -> Outcome) -> Outcome {
    let strict = look(options);
    #[cfg(feature = "batch")]
    if options.remember.is_none() {
        let signatures = Signatures::Batched(Seed([7; SEED_BYTES]));
        let batched = look(&Options { signatures, ..options.clone() });
        let said = |outcome: &Outcome| match outcome {
            Outcome::Verified(report) => Report { batched: false, ..(**report).clone() }.to_json(),
            other => other.to_json(),
        };
        assert_eq!(said(&batched), said(&strict), "batches come to another verdict");
    }
    strict
}

#[track_caller]
fn verified(outcome: Outcome) -> Report {
    match outcome {
        Outcome::Verified(report) => *report,
        other => panic!("not verified: {other:?}"),
    }
}

#[track_caller]
fn failed(outcome: Outcome) -> (Code, Option<u64>) {
    match outcome {
        Outcome::Failed(failure) => (failure.code, failure.seq),
        other => panic!("did not fail: {other:?}"),
    }
}

/// The finding on a ledger, the same in every form that it can take.
#[track_caller]
fn finding(ledger: &Ledger) -> (Code, Option<u64>) {
    let options = trusting(ledger);
    let export = failed(look_at_export(ledger.export(), &options));
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    assert_eq!(failed(look_at_folder(folder.path(), &options)), export, "folder and export disagree");
    let untrusting = Options { key: None, threads: Some(1), ..options };
    assert_eq!(failed(look_at_export(ledger.export(), &untrusting)), export, "without a key");
    #[cfg(feature = "url")]
    assert_eq!(failed(servers::look_at(ledger, &untrusting)), export, "server and export disagree");
    export
}

#[track_caller]
fn refused(ledger: &Ledger, code: Code, seq: u64) {
    assert_eq!(finding(ledger), (code, Some(seq)));
}
