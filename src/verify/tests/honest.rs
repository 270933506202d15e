//! What is true is said to be true, in every form.

use super::*;
use daybook_spec::note::Signer as _;
use daybook_testkit::signer;
use daybook_verify::{Progress, Remembered, SourceKind};
use std::cell::Cell;

/// A ledger with two rotations, one of them by commitment alone.
pub(super) fn eventful() -> Ledger {
    let mut ledger = Ledger::of(10);
    ledger.rotate(2, Some(3));
    ledger.grow(5);
    ledger.rotate_alone(3, None);
    ledger.grow(4);
    ledger
}

#[test]
fn an_honest_ledger_verifies_in_every_form() {
    let ledger = eventful();
    let options = trusting(&ledger);
    let export = verified(look_at_export(ledger.export(), &options));
    assert_eq!((export.entries, export.uncovered, export.trusted), (21, 0, true));
    assert_eq!(export.keys.iter().map(|key| key.from).collect::<Vec<_>>(), [0, 11, 17]);
    assert_eq!(export.source, SourceKind::Export);
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    let report = verified(look_at_folder(folder.path(), &options));
    assert_eq!((report.entries, report.checkpoint), (21, export.checkpoint.clone()));
    for seq in 0..21 {
        let keys = Some(ledger.key_list().into_bytes());
        let options = Options { keys, ..options.clone() };
        let receipt = ledger.receipt(seq);
        assert_eq!(verified(look_at_receipt(receipt.to_text(), &options)).receipt_of, Some(seq));
        assert_eq!(verified(look_at_receipt(receipt.to_json(), &options)).checkpoint, export.checkpoint);
    }
}

#[test]
fn without_a_key_the_report_says_that_nothing_outside_was_consulted() {
    let report = verified(look_at_export(Ledger::of(3).export(), &Options::default()));
    assert!(!report.trusted);
    assert!(report.to_string().contains("only checked against itself"));
    assert!(report.to_json().contains("\"trusted\":false"));
}

#[test]
fn chunks_and_their_borders_do_not_matter() {
    // More than a chunk's entries in an export, and more bytes than a chunk's.
    let mut ledger = Ledger::of(1_500);
    let long = daybook_testkit::event("big", &format!("\"{}\"", "x".repeat(60_000)));
    for _ in 0..8 {
        ledger.record("app:x", &long);
    }
    ledger.rotate(2, None);
    ledger.grow(300);
    let options = trusting(&ledger);
    assert_eq!(verified(look_at_export(ledger.export(), &options)).entries, 1_809);
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    assert_eq!(verified(look_at_folder(folder.path(), &options)).entries, 1_809);
}

#[test]
fn progress_is_told_and_ends_at_the_whole() {
    struct Last(Cell<(u64, Option<u64>)>);
    impl Progress for Last {
        fn entries(&self, done: u64, total: Option<u64>) {
            self.0.set((done, total));
        }
    }
    let ledger = Ledger::of(5);
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    let last = Last(Cell::default());
    let _ = verify(Source::Folder(folder.path().into()), &trusting(&ledger), &last);
    assert_eq!(last.0.get(), (5, Some(5)));
}

#[test]
fn the_report_is_canonical_json_of_a_fixed_shape() {
    let ledger = Ledger::of(2);
    let mut report = verified(look_at_export(ledger.export(), &trusting(&ledger)));
    report.remembered = Remembered::Grew { from: 1 };
    let json: serde_json::Value = serde_json::from_str(&report.to_json()).unwrap();
    assert_eq!(serde_json_canonicalizer::to_string(&json).unwrap(), report.to_json());
    assert_eq!(json["outcome"], "verified");
    assert_eq!(json["checkpoint"]["size"], 2);
    assert_eq!(json["keys"][0]["vkey"], ledger.first_key().to_string());
    assert_eq!(json["remembered"], serde_json::json!({"outcome": "grew", "from": 1}));
}

#[test]
fn producers_signatures_are_counted_and_said_not_to_be_checked() {
    let mut ledger = Ledger::of(2);
    let key = signer("p.example", 9);
    let id = daybook_spec::encoding::to_hex(&key.verifier().id());
    let sig = daybook_spec::encoding::to_base64(&[7; 64]);
    let producer = format!("\"producer\":{{\"key\":\"p.example+{id}\",\"sig\":\"{sig}\"}},\"seq\"");
    ledger.record_changed(|text| text.replace("\"seq\"", &producer));
    let report = verified(look_at_export(ledger.export(), &trusting(&ledger)));
    assert_eq!(report.producer_signatures, 1);
    assert!(report.to_string().contains("were not checked"));
}
