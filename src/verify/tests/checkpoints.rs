//! Lies in the checkpoint.

use super::*;
use daybook_spec::note::{Signer, push_signature_line};
use daybook_testkit::{checkpoint, signer};

#[track_caller]
fn refused_with(ledger: &Ledger, checkpoint: &str, code: Code) {
    let outcome = look_at_export(ledger.export_with(checkpoint), &trusting(ledger));
    assert_eq!(failed(outcome), (code, None), "{checkpoint}");
}

#[test]
fn a_checkpoint_of_another_ledger_is_refused() {
    let ledger = Ledger::of(4);
    let origin = "other.example";
    let other = checkpoint(origin, 4, ledger.root_at(4), &[&*signer(origin, 1)]);
    refused_with(&ledger, &other, Code::WrongLedger);
}

#[test]
fn a_checkpoint_by_a_stranger_is_refused() {
    let ledger = Ledger::of(4);
    for stranger in [signer(&ledger.origin, 7), signer("other.example", 1)] {
        refused_with(&ledger, &ledger.checkpoint_by(4, &[&*stranger]), Code::CheckpointInvalid);
    }
}

#[test]
fn a_checkpoint_with_another_root_is_refused_even_if_the_ledger_signed_it() {
    let ledger = Ledger::of(4);
    let other = checkpoint(&ledger.origin, 4, [7; 32], &[&*ledger.key()]);
    refused_with(&ledger, &other, Code::RootMismatch);
    // The root of a part, and a leaf's hash for a root.
    for root in [ledger.root_at(3), ledger.leaves()[3]] {
        refused_with(&ledger, &checkpoint(&ledger.origin, 4, root, &[&*ledger.key()]), Code::RootMismatch);
    }
}

#[test]
fn a_changed_checkpoint_is_refused() {
    let ledger = Ledger::of(4);
    let changed = ledger.checkpoint_at(3).replacen("\n3\n", "\n4\n", 1);
    refused_with(&ledger, &changed, Code::CheckpointInvalid);
}

#[test]
fn an_unbelievable_size_is_neither_believed_nor_waited_for() {
    let ledger = Ledger::of(4);
    for size in [5, 1 << 32, 1 << 53, 1 << 63, u64::MAX] {
        let huge = checkpoint(&ledger.origin, size, ledger.root_at(4), &[&*ledger.key()]);
        refused_with(&ledger, &huge, Code::Truncated);
        #[cfg(feature = "url")]
        {
            let outcome = servers::look_at_with(&ledger, &huge, &trusting(&ledger));
            assert_eq!(failed(outcome).0, Code::Truncated, "{size}");
        }
    }
}

#[test]
fn a_checkpoint_over_nothing_or_over_less_is_refused_in_an_export() {
    let ledger = Ledger::of(4);
    refused_with(&ledger, &ledger.checkpoint_at(0), Code::CheckpointInvalid);
    refused_with(&ledger, &ledger.checkpoint_at(3), Code::TrailingData);
}

#[test]
fn malformed_checkpoints_are_refused() {
    let ledger = Ledger::of(4);
    let good = ledger.checkpoint();
    for bad in [
        String::new(),
        good.trim_end().to_owned(),
        good.replacen("\n4\n", "\n04\n", 1),
        good.replacen("\n4\n", "\n4\nextension\n", 1),
        good.split("\n\n").next().unwrap().to_owned() + "\n",
    ] {
        refused_with(&ledger, &bad, Code::CheckpointInvalid);
    }
}

#[test]
fn after_a_rotation_the_old_key_alone_is_not_enough() {
    let mut ledger = Ledger::of(4);
    let old = ledger.key();
    ledger.rotate(2, None);
    refused_with(&ledger, &ledger.checkpoint_by(5, &[&*old]), Code::CheckpointInvalid);
    let both = ledger.checkpoint_by(5, &[&*old, &*ledger.key()]);
    verified(look_at_export(ledger.export_with(&both), &trusting(&ledger)));
}

#[test]
fn in_an_overlap_the_old_key_s_signature_must_hold_too() {
    let mut ledger = Ledger::of(4);
    let old = ledger.key();
    ledger.rotate(2, None);
    let mut note = ledger.checkpoint();
    push_signature_line(&mut note, &ledger.origin, old.verifier().id(), &old.sign(b"something else\n"));
    refused_with(&ledger, &note, Code::CheckpointInvalid);
}

#[test]
fn the_new_key_does_not_sign_for_what_came_before_it() {
    let mut ledger = Ledger::of(4);
    ledger.rotate(2, None);
    // In a folder the checkpoint may lag behind; then the key of its size counts, not the newest.
    for (signer, good) in [(signer(&ledger.origin, 1), true), (ledger.key(), false)] {
        let folder = tempfile::tempdir().unwrap();
        ledger.write_folder(folder.path(), 65_536);
        std::fs::write(folder.path().join("log/checkpoint"), ledger.checkpoint_by(4, &[&*signer])).unwrap();
        let outcome = look_at_folder(folder.path(), &trusting(&ledger));
        if good {
            assert_eq!(verified(outcome).uncovered, 1);
        } else {
            assert_eq!(failed(outcome), (Code::CheckpointInvalid, None));
        }
    }
}

#[test]
fn witnesses_and_strangers_beside_the_ledger_are_no_fault() {
    let ledger = Ledger::of(4);
    let witness = signer("witness.example", 9);
    let note = ledger.checkpoint_by(4, &[&*ledger.key(), &*witness]);
    verified(look_at_export(ledger.export_with(&note), &trusting(&ledger)));
}
