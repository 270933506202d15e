//! A changed byte is found: by the verifier, and by the ledger before it serves.

use crate::kit::{Ledger, event, flip, serve};
use std::io::Read as _;

#[test]
fn a_flipped_byte_of_entries_is_found_and_named_and_nothing_is_cut() {
    let mut ledger = Ledger::empty();
    for _ in 0..4 {
        ledger.record(&event());
    }
    ledger.stop();
    let path = ledger.data().join("log/00000000/entries");
    let original = std::fs::read(&path).unwrap();
    // A sample that meets every kind of place: lengths, text, signatures. Every single byte is for the long campaign.
    for at in (0..original.len()).step_by(97).chain(0..4).chain([original.len() - 1]) {
        flip(&path, at);
        let (said, code) = ledger.verify();
        assert_eq!(code, 1, "byte {at}: {said}");
        assert!(said.contains("entry ") || said.contains("entries"), "byte {at}: no place is named: {said}");
        if at.is_multiple_of(5) {
            let mut child = serve(&ledger.data(), &[]);
            let (mut out, mut err) = (String::new(), String::new());
            child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
            child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
            assert_eq!(child.wait().unwrap().code(), Some(1), "byte {at}");
            assert!(out.is_empty() && err.contains("acknowledged entries are damaged"), "byte {at}: {err}");
            assert_eq!(
                std::fs::metadata(&path).unwrap().len(),
                original.len() as u64,
                "byte {at}: it was cut"
            );
        }
        flip(&path, at);
    }
    assert_eq!(std::fs::read(&path).unwrap(), original);
    ledger.restart();
    assert_eq!(ledger.size(), 5);
}

#[test]
fn a_flipped_byte_of_the_head_costs_nothing() {
    let mut ledger = Ledger::empty();
    for _ in 0..4 {
        ledger.record(&event());
    }
    let path = ledger.data().join("log/head");
    for at in [0, 20, 511, 512, 600, 1_023, 1_024, 1_100, 1_535, 1_536, 1_600, 2_047] {
        ledger.stop();
        flip(&path, at);
        let (said, code) = ledger.verify();
        assert_eq!(code, 0, "byte {at}: {said}");
        ledger.restart();
        assert_eq!(ledger.size(), 5, "byte {at}");
        assert!(ledger.stderr().contains("copies of the head were damaged"), "byte {at} was not noticed");
    }
}

#[test]
fn what_was_never_acknowledged_is_cut_and_said() {
    let mut ledger = Ledger::empty();
    ledger.record(&event());
    ledger.stop();
    let path = ledger.data().join("log/00000000/entries");
    let original = std::fs::read(&path).unwrap();
    // A whole valid entry above the head is no more acknowledged than half a one.
    for tail in [&original[..], &original[..40], b"x"] {
        std::fs::write(&path, [&original[..], tail].concat()).unwrap();
        assert_eq!(ledger.verify().1, 0);
        ledger.restart();
        assert_eq!(ledger.size(), 2);
        ledger.stop();
        assert_eq!(std::fs::read(&path).unwrap(), original);
    }
    assert!(ledger.stderr().contains("never acknowledged"));
}

#[test]
fn a_missing_end_of_entries_is_refused() {
    let mut ledger = Ledger::empty();
    ledger.record(&event());
    ledger.stop();
    let path = ledger.data().join("log/00000000/entries");
    let bytes = std::fs::read(&path).unwrap();
    std::fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    assert_eq!(ledger.verify().1, 1);
    let mut child = serve(&ledger.data(), &[]);
    assert_eq!(child.wait().unwrap().code(), Some(1));
}
