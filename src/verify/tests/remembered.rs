//! What was seen before cannot be unseen.

use super::*;
use daybook_verify::Remembered;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

struct Memory {
    _folder: TempDir,
    path: PathBuf,
}

impl Memory {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self { path: folder.path().join("seen"), _folder: folder }
    }

    fn options(&self, ledger: &Ledger) -> Options {
        Options { remember: Some(self.path.clone()), ..trusting(ledger) }
    }

    fn look(&self, ledger: &Ledger) -> Outcome {
        look_at_export(ledger.export(), &self.options(ledger))
    }
}

#[test]
fn a_ledger_that_only_grows_is_told_so() {
    let memory = Memory::new();
    let mut ledger = Ledger::of(5);
    assert_eq!(verified(memory.look(&ledger)).remembered, Remembered::First);
    assert_eq!(verified(memory.look(&ledger)).remembered, Remembered::Same);
    ledger.grow(4);
    assert_eq!(verified(memory.look(&ledger)).remembered, Remembered::Grew { from: 5 });
    ledger.rotate(2, None);
    assert_eq!(verified(memory.look(&ledger)).remembered, Remembered::Grew { from: 9 });
    assert_eq!(
        fs::read_dir(memory.path.parent().unwrap()).unwrap().count(),
        1,
        "nothing else is left behind"
    );
}

#[test]
fn a_forked_history_is_refused() {
    let memory = Memory::new();
    let base = Ledger::of(5);
    let (mut seen, mut fork) = (base.clone(), base);
    seen.grow(2);
    fork.micros += 3;
    fork.grow(4);
    verified(memory.look(&seen));
    let before = fs::read(&memory.path).unwrap();
    assert_eq!(failed(memory.look(&fork)), (Code::Forked, None));
    // Also at the same size.
    fork.entries.truncate(7);
    assert_eq!(failed(memory.look(&fork)), (Code::Forked, None));
    assert_eq!(fs::read(&memory.path).unwrap(), before, "what was seen stays remembered");
}

#[test]
fn a_replayed_old_checkpoint_is_refused() {
    let memory = Memory::new();
    let old = Ledger::of(5);
    let mut new = old.clone();
    new.grow(3);
    verified(memory.look(&new));
    // Everything of the old one holds by itself.
    verified(look_at_export(old.export(), &trusting(&old)));
    assert_eq!(failed(memory.look(&old)), (Code::Shrunk, None));
}

#[test]
fn another_ledger_or_first_key_is_refused() {
    let memory = Memory::new();
    verified(memory.look(&Ledger::of(5)));
    assert_eq!(failed(memory.look(&Ledger::create("other.example", 1, None))), (Code::WrongLedger, None));
    assert_eq!(failed(memory.look(&Ledger::create("log.example/test", 4, None))), (Code::Forked, None));
}

#[test]
fn nothing_is_remembered_of_what_does_not_hold() {
    let memory = Memory::new();
    let mut ledger = Ledger::of(5);
    ledger.entries.swap(2, 3);
    failed(memory.look(&ledger));
    assert!(!memory.path.exists());
}

#[test]
fn a_checkpoint_that_lags_behind_does_not_make_it_forget() {
    let memory = Memory::new();
    let ledger = Ledger::of(8);
    verified(memory.look(&ledger));
    let before = fs::read(&memory.path).unwrap();
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    fs::write(folder.path().join("log/checkpoint"), ledger.checkpoint_at(6)).unwrap();
    let report = verified(look_at_folder(folder.path(), &memory.options(&ledger)));
    assert_eq!((report.remembered, report.uncovered), (Remembered::Same, 2));
    assert_eq!(fs::read(&memory.path).unwrap(), before);
}

#[test]
fn a_spoilt_memory_is_no_reason_to_begin_anew() {
    let memory = Memory::new();
    let ledger = Ledger::of(3);
    verified(memory.look(&ledger));
    let good = fs::read(&memory.path).unwrap();
    for bad in [&b""[..], b"{}", &good[..good.len() / 2], &[b'x'; 300_000]] {
        fs::write(&memory.path, bad).unwrap();
        assert!(matches!(memory.look(&ledger), Outcome::CouldNotCheck(_)));
        assert_eq!(fs::read(&memory.path).unwrap(), bad);
    }
}

#[test]
fn what_cannot_be_remembered_is_told() {
    let ledger = Ledger::of(3);
    let options = Options { remember: Some("/no/such/folder/seen".into()), ..trusting(&ledger) };
    let outcome = look_at_export(ledger.export(), &options);
    assert!(matches!(outcome, Outcome::CouldNotCheck(why) if why.contains("could not be remembered")));
}

#[test]
fn a_receipt_compares_at_the_same_size_only_and_is_never_remembered() {
    let memory = Memory::new();
    let ledger = Ledger::of(6);
    let options = memory.options(&ledger);
    verified(look_at_receipt(ledger.receipt(2).to_text(), &options));
    assert!(!memory.path.exists());
    verified(memory.look(&ledger));
    let before = fs::read(&memory.path).unwrap();
    let report = verified(look_at_receipt(ledger.receipt(2).to_text(), &options));
    assert_eq!(report.remembered, Remembered::Same);
    let report = verified(look_at_receipt(ledger.receipt_at(2, 4).to_text(), &options));
    assert_eq!(report.remembered, Remembered::NotComparable { remembered: 6 });
    let mut fork = Ledger::of(5);
    fork.micros += 9;
    fork.grow(1);
    assert_eq!(failed(look_at_receipt(fork.receipt(2).to_text(), &options)).0, Code::Forked);
    assert_eq!(fs::read(&memory.path).unwrap(), before);
}
