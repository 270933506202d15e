//! The suite of lies: each test is something that an enemy, an accident or a bug might do to a ledger, and that the
//! verifier must not be taken in by.

mod chain;
mod checkpoints;
mod command;
mod exports;
mod flips;
mod folders;
mod honest;
mod keys;
mod receipts;
mod remembered;
#[cfg(feature = "url")]
mod servers;
mod speed;

use super::testkit::Ledger;
use super::{Code, Options, Outcome, Quiet, Report, Source, verify};
use std::io::Cursor;
use std::path::Path;

fn trusting(ledger: &Ledger) -> Options {
    Options { key: Some(ledger.first_key()), threads: Some(2), ..Options::default() }
}

fn look_at_export(bytes: Vec<u8>, options: &Options) -> Outcome {
    verify(Source::Export(Box::new(Cursor::new(bytes))), options, &Quiet)
}

fn look_at_receipt(bytes: impl Into<Vec<u8>>, options: &Options) -> Outcome {
    verify(Source::Receipt(Box::new(Cursor::new(bytes.into()))), options, &Quiet)
}

fn look_at_folder(folder: &Path, options: &Options) -> Outcome {
    verify(Source::Folder(folder.to_owned()), options, &Quiet)
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
