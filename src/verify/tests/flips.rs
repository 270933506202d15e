//! Every byte counts: whatever is changed is noticed, and noticed alike by one thread and by four.

use super::*;
use proptest::prelude::*;
use std::fs;

/// Other values for a byte: each bit, and what often means something.
fn others(byte: u8) -> impl Iterator<Item = u8> {
    (0..8)
        .map(move |bit| byte ^ 1 << bit)
        .chain([0, b'\n', b' ', b'"', 255])
        .filter(move |other| *other != byte)
}

fn small() -> Ledger {
    let mut ledger = Ledger::of(2);
    ledger.rotate(2, None);
    ledger.grow(1);
    ledger
}

#[test]
fn no_changed_byte_of_an_export_goes_unnoticed() {
    let ledger = small();
    let (good, options) = (ledger.export(), Options { threads: Some(1), ..trusting(&ledger) });
    verified(look_at_export(good.clone(), &options));
    for at in 0..good.len() {
        for (nth, other) in others(good[at]).enumerate() {
            let mut bad = good.clone();
            bad[at] = other;
            // In batches too, but for time's sake only once a byte.
            let outcome = match nth {
                0 => look_at_export(bad, &options),
                _ => verify(Source::Export(Box::new(Cursor::new(bad))), &options, &Quiet),
            };
            assert!(matches!(outcome, Outcome::Failed(_)), "byte {at}: {other:#04x}: {outcome:?}");
        }
    }
}

#[test]
fn no_changed_byte_of_a_receipt_goes_unnoticed() {
    let ledger = Ledger::of(7);
    let options = trusting(&ledger);
    for good in [ledger.receipt(4).to_text(), ledger.receipt(4).to_json()] {
        verified(look_at_receipt(good.clone(), &options));
        for at in 0..good.len() {
            for other in others(good.as_bytes()[at]) {
                let mut bad = good.clone().into_bytes();
                bad[at] = other;
                let outcome = look_at_receipt(bad, &options);
                assert!(matches!(outcome, Outcome::Failed(_)), "byte {at}: {other:#04x}: {outcome:?}");
            }
        }
    }
}

#[test]
fn no_changed_byte_of_a_list_of_keys_is_believed() {
    let ledger = small();
    let good = ledger.key_list();
    let receipt = ledger.receipt(1).to_text();
    let look =
        |keys: Vec<u8>| look_at_receipt(receipt.clone(), &Options { keys: Some(keys), ..trusting(&ledger) });
    let before = verified(look(good.clone().into_bytes()));
    for at in 0..good.len() {
        let mut bad = good.clone().into_bytes();
        bad[at] ^= 1;
        // Names of members that may be left out are not signed; what is believed must be the same.
        if let Outcome::Verified(report) = look(bad) {
            assert_eq!(report.keys, before.keys, "byte {at}");
        }
    }
}

#[test]
fn no_changed_byte_of_a_folder_goes_unnoticed() {
    let ledger = small();
    let options = Options { threads: Some(1), ..trusting(&ledger) };
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    for name in ["log/00000000/entries", "log/checkpoint"] {
        let path = folder.path().join(name);
        let good = fs::read(&path).unwrap();
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 1 << (at % 8);
            // A malformed checkpoint is read again for a while; most of its bytes are tried in the export.
            if name == "log/checkpoint" && at % 16 != 0 {
                continue;
            }
            fs::write(&path, bad).unwrap();
            let outcome = look_at_folder(folder.path(), &options);
            assert!(matches!(outcome, Outcome::Failed(_)), "{name}, byte {at}: {outcome:?}");
        }
        fs::write(&path, good).unwrap();
    }
    // The head has twins; one changed byte must neither stop nor shorten anything.
    let path = folder.path().join("log/head");
    let good = fs::read(&path).unwrap();
    for at in (0..good.len()).step_by(7) {
        let mut bad = good.clone();
        bad[at] ^= 1 << (at % 8);
        fs::write(&path, bad).unwrap();
        assert_eq!(
            verified(look_at_folder(folder.path(), &options)).entries,
            ledger.size(),
            "head, byte {at}"
        );
    }
}

/// A ledger of some chunks, made once.
fn long() -> &'static (Ledger, Vec<u8>, Vec<u8>) {
    static LONG: std::sync::OnceLock<(Ledger, Vec<u8>, Vec<u8>)> = std::sync::OnceLock::new();
    LONG.get_or_init(|| {
        let mut ledger = Ledger::of(700);
        ledger.rotate(2, None);
        ledger.grow(500);
        ledger.rotate(3, None);
        ledger.grow(100);
        let (export, entries) = (ledger.export(), daybook_testkit::framed(&ledger.entries));
        (ledger, export, entries)
    })
}

fn same_verdict(bytes: &[u8], options: &Options) -> Result<(), TestCaseError> {
    let look = |threads| {
        let outcome = look_at_export(bytes.to_vec(), &Options { threads: Some(threads), ..options.clone() });
        outcome.to_json()
    };
    let one = look(1);
    prop_assert!(!one.contains("\"verified\""));
    prop_assert_eq!(&look(4), &one);
    prop_assert_eq!(&look(2), &one);
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    #[test]
    fn any_number_of_threads_comes_to_the_same_verdict(
        changes in prop::collection::vec((any::<prop::sample::Index>(), 1..=255_u8), 1..4),
    ) {
        let (ledger, export, _) = long();
        let mut bytes = export.clone();
        for (at, flip) in changes {
            let at = at.index(bytes.len());
            bytes[at] ^= flip;
        }
        if bytes != *export {
            same_verdict(&bytes, &trusting(ledger))?;
        }
    }

    #[test]
    fn moved_lines_come_to_the_same_verdict(from in any::<prop::sample::Index>(), to in any::<prop::sample::Index>()) {
        let (ledger, export, _) = long();
        let mut lines: Vec<&[u8]> = export.split_inclusive(|b| *b == b'\n').collect();
        let (from, to) = (from.index(lines.len()), to.index(lines.len()));
        let line = lines.remove(from);
        lines.insert(to, line);
        if from != to {
            same_verdict(&lines.concat(), &trusting(ledger))?;
        }
    }

    #[test]
    fn bytes_made_of_nothing_are_never_believed(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let (ledger, export, _) = long();
        let options = trusting(ledger);
        prop_assert!(!matches!(look_at_receipt(bytes.clone(), &options), Outcome::Verified(_)));
        let header = export.split_inclusive(|b| *b == b'\n').next().unwrap_or_default();
        let bytes = [header, &bytes].concat();
        prop_assert!(!matches!(look_at_export(bytes, &options), Outcome::Verified(_)));
    }
}
