//! The bytes of a sealed segment, which may never change: whoever holds a tile, a receipt or a copy holds these bytes.
//!
//! The ledger here owes nothing to chance: its key has a known seed, its clock stands where it is put, and what it
//! records follows from the number of the entry.

use crate::clock::ManualClock;
use crate::log::append::{Item, Submission};
use crate::log::disk::RealDisk;
use crate::log::home::Lock;
use crate::log::keys::LedgerKey;
use crate::log::opening::begin;
use crate::log::*;
use crate::spec::encoding::to_hex;
use crate::spec::entry::Draft;
use crate::spec::time::Timestamp;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

const ORIGIN: &str = "golden.example/segment";

/// SHA-256 of each file over 65,600 entries. If one of these has to be changed, a format has changed: first the
/// specification, then a way for the old form to be read.
const GOLDEN: [(&str, &str); 8] = [
    ("00000000/entries", "e214b5b5781401ff8a570e9ebd1721ce93473027ccb761f9bb3b4be6b5a2aade"),
    ("00000000/hashes", "cdee7c46d7e47443f716b5fb2f87ebdd15fa5ac552a583e11f57367a8a4120ca"),
    ("00000000/offsets", "9c1cc9f9eeecc4ffb7abe37d21a473144f99a3fed8370547be3168e1963a4bb4"),
    ("00000000/seal", "0e860b048294c088e6674ebbcd8aa7f9e78b70e57aabe65b94b3aac0dddc2252"),
    ("00000001/entries", "d36dfa68163840d461f3ac64b127da5f3be650aac8b1149ce398513ec5b64c86"),
    ("checkpoint", "9f33d2ddefa2229dd5fbe2769197fdc4dacb583a602a16df2bc6880d679c1433"),
    ("levels/1", "e29131943f4617a59165c0d2eab516a69679f762b58e32fedb7c8ae92171342b"),
    ("levels/2", "f16bb5728bafd6014b39715812e275fd364436df5b0380de0650e79eb60d7b0c"),
];

/// An event that differs from its neighbours in length and in kinds of characters.
fn item(number: u64) -> Item {
    let note = ["plain", "über", "\u{1F4D2}", "tab\\tquote\\\"", "\u{2028}"][(number % 5) as usize];
    let event = format!(
        r#"{{"data":{{"amount":{number}.5,"note":"{note}","x":"{}"}},"id":"{number}","source":"/golden","specversion":"1.0","subject":"case-{}","time":"2026-03-02T09:30:00Z","type":"golden.made"}}"#,
        "y".repeat((number % 97) as usize),
        number % 1_000,
    );
    Item {
        draft: Draft::new("app:golden", &event, ORIGIN),
        identity: identity("/golden", &number.to_string()),
        fingerprint: fingerprint("app:golden", &event),
        subject: Some(subject_hash("case")),
        source: "/golden".into(),
        not_before: None,
    }
}

#[test]
fn the_bytes_of_a_sealed_segment_are_what_they_always_were() {
    let dir = tempfile::tempdir().unwrap();
    let at = |micros| Timestamp::from_micros(1_780_000_000_000_000 + micros).unwrap();
    let clock = Arc::new(ManualClock::new(at(0)));
    let options = Options {
        data_dir: dir.path().to_owned(),
        keys_dir: dir.path().join("keys"),
        passphrase: None,
        disk: Arc::new(RealDisk),
        clock: clock.clone(),
        read_only: false,
        key_lost: false,
        adopt: None,
        publish: false,
        confirm_clock: false,
        known: Vec::new(),
    };
    let lock = Lock::take(dir.path()).unwrap().unwrap();
    let key = Arc::new(LedgerKey::from_seed(ORIGIN, &[7; 32]).unwrap());
    let log = begin(&options, key, Some([8; 32]), lock).unwrap();
    // Batches of odd sizes, of which one spans the segments' border; the clock moves between them.
    let mut next = 1;
    while next < 65_600 {
        let end = (next + 3_001).min(65_600);
        clock.advance_to(at(next as i64 * 1_001));
        let items = (next..end).map(item).collect();
        let submission = Submission { items, expected_version: None, looked_up_at: u64::MAX };
        log.append(submission).unwrap().blocking_recv().unwrap().unwrap();
        next = end;
    }
    log.close();
    let found = GOLDEN.map(|(name, _)| {
        let bytes = std::fs::read(dir.path().join("log").join(name)).unwrap();
        (name, to_hex(&Sha256::digest(bytes)))
    });
    let expected = GOLDEN.map(|(name, hash)| (name, hash.to_owned()));
    assert_eq!(found, expected);
}
