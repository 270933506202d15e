//! Lies about which key is in force.

use super::*;
use daybook_spec::note::sign;
use daybook_testkit::{event, ordinary, signer};

fn rotated() -> Ledger {
    let mut ledger = Ledger::of(4);
    ledger.rotate(2, None);
    ledger.grow(3);
    ledger
}

#[test]
fn another_first_key_than_the_trusted_one_is_refused() {
    let ledger = Ledger::create("log.example/test", 5, None);
    let options = trusting(&Ledger::new());
    assert_eq!(failed(look_at_export(ledger.export(), &options)), (Code::KeyNotTrusted, None));
}

#[test]
fn a_later_key_is_not_the_first_key() {
    let ledger = rotated();
    let options = Options { key: Some(ledger.key().verifier_key()), ..Options::default() };
    assert_eq!(failed(look_at_export(ledger.export(), &options)), (Code::KeyNotTrusted, None));
}

#[test]
fn entries_by_the_old_key_after_a_rotation_are_refused() {
    let mut ledger = rotated();
    let text = ledger.text("app:x", &ordinary(9));
    ledger.push(&text, &[&*signer(&ledger.origin, 1)]);
    refused(&ledger, Code::KeyNotInForce, 8);
}

#[test]
fn entries_by_the_new_key_before_its_rotation_are_refused() {
    let mut ledger = Ledger::of(4);
    let text = ledger.text("app:x", &ordinary(4));
    ledger.push(&text, &[&*signer(&ledger.origin, 2)]);
    ledger.rotate(2, None);
    refused(&ledger, Code::KeyNotInForce, 4);
}

#[test]
fn a_rotation_without_the_new_key_s_signature_is_refused() {
    let mut ledger = Ledger::of(4);
    let old = ledger.key();
    ledger.rotate_signed(2, None, &[&*old]);
    refused(&ledger, Code::SignatureCount, 4);
}

#[test]
fn a_rotation_without_the_old_key_s_signature_and_without_a_commitment_is_refused() {
    let mut ledger = Ledger::of(4);
    ledger.rotate_alone(2, None);
    refused(&ledger, Code::RotationInvalid, 4);
}

#[test]
fn a_rotation_to_another_key_than_the_committed_one_is_refused() {
    let mut ledger = Ledger::create("log.example/test", 1, Some(2));
    ledger.grow(3);
    ledger.rotate_alone(3, None);
    refused(&ledger, Code::RotationInvalid, 4);
}

#[test]
fn a_commitment_counts_only_until_the_next_rotation() {
    let mut ledger = Ledger::create("log.example/test", 1, Some(2));
    ledger.rotate(3, None);
    ledger.rotate_alone(2, None);
    refused(&ledger, Code::RotationInvalid, 2);
}

#[test]
fn a_committed_key_may_come_alone_or_with_the_old_one() {
    for alone in [true, false] {
        let mut ledger = Ledger::create("log.example/test", 1, Some(2));
        ledger.grow(2);
        if alone {
            ledger.rotate_alone(2, None)
        } else {
            ledger.rotate(2, None)
        }
        ledger.grow(2);
        assert_eq!(verified(look_at_export(ledger.export(), &trusting(&ledger))).keys.len(), 2);
    }
}

#[test]
fn the_wrong_order_on_a_rotation_is_refused() {
    let mut ledger = Ledger::of(4);
    let (old, new) = (ledger.key(), signer(&ledger.origin, 2));
    ledger.rotate_signed(2, None, &[&*new, &*old]);
    refused(&ledger, Code::SignatureOrder, 4);
}

#[test]
fn a_stranger_s_signature_on_a_rotation_is_refused() {
    let (old, new, stranger) =
        (Ledger::new().key(), signer("log.example/test", 2), signer("log.example/test", 7));
    let signers: [&[&dyn daybook_spec::note::Signer]; 5] = [
        &[&*stranger, &*new],
        &[&*old, &*stranger],
        &[&*stranger],
        &[&*old, &*new, &*stranger],
        &[&*old, &*old],
    ];
    for signers in signers {
        let mut ledger = Ledger::of(4);
        ledger.rotate_signed(2, None, signers);
        let (code, seq) = finding(&ledger);
        assert!(matches!(code, Code::KeyNotInForce | Code::SignatureCount) && seq == Some(4), "{code}");
    }
}

#[test]
fn a_forged_signature_of_either_key_on_a_rotation_is_refused() {
    for forged in [0, 1] {
        let mut ledger = Ledger::of(4);
        let (old, new) = (ledger.key(), signer(&ledger.origin, 2));
        let text = ledger.text("ledger", &ledger.rotation_event(2, None));
        let other = ledger.text("ledger", &ledger.rotation_event(3, None));
        let note = sign(&text, &[&*old, &*new]);
        let wrong = sign(&other, &[&*old, &*new]);
        let lines = |note: &str| note.lines().skip(2).map(str::to_owned).collect::<Vec<_>>();
        let (mut right, wrong) = (lines(&note), lines(&wrong));
        right[forged] = wrong[forged].clone();
        ledger.push_raw(format!("{text}\n{}\n", right.join("\n")).into_bytes(), &text);
        refused(&ledger, Code::SignatureInvalid, 4);
    }
}

#[test]
fn a_rotation_to_a_key_that_was_used_before_is_refused() {
    let mut ledger = rotated();
    ledger.rotate(1, None);
    refused(&ledger, Code::KeyReused, 8);
    let mut ledger = Ledger::of(2);
    ledger.rotate(1, None);
    refused(&ledger, Code::KeyReused, 2);
    // Not even if it was committed to.
    let mut ledger = Ledger::create("log.example/test", 1, None);
    ledger.rotate(2, Some(1));
    ledger.rotate_alone(1, None);
    refused(&ledger, Code::KeyReused, 2);
}

#[test]
fn a_rotation_to_a_weak_key_or_another_ledger_s_is_refused() {
    let weak = {
        let mut point = [0; 32];
        point[0] = 1;
        let id = daybook_spec::encoding::to_hex(&daybook_spec::note::key_id("log.example/test", 1, &point));
        let typed = [&[1][..], &point].concat();
        format!("log.example/test+{id}+{}", daybook_spec::encoding::to_base64(&typed))
    };
    let foreign = signer("other.example", 2).verifier_key().to_string();
    for vkey in [weak, foreign, "nonsense".to_owned()] {
        let mut ledger = Ledger::of(2);
        let text = ledger.text("ledger", &event("ledger.key_rotated", &format!("{{\"key\":\"{vkey}\"}}")));
        ledger.push(&text, &[&*ledger.key(), &*signer("log.example/test", 2)]);
        refused(&ledger, Code::EntryMalformed, 2);
    }
}

#[test]
fn rotations_in_a_row_and_across_chunks_are_followed() {
    let mut ledger = Ledger::of(3);
    for seed in 2..40 {
        ledger.rotate(seed, None);
        ledger.grow(usize::from(seed) * 5 % 90);
    }
    for threads in [1, 4] {
        let options = Options { threads: Some(threads), ..trusting(&ledger) };
        assert_eq!(verified(look_at_export(ledger.export(), &options)).keys.len(), 39);
        let folder = tempfile::tempdir().unwrap();
        ledger.write_folder(folder.path(), 65_536);
        assert_eq!(verified(look_at_folder(folder.path(), &options)).keys.len(), 39);
    }
}

trait VerifierKeyOf {
    fn verifier_key(&self) -> daybook_spec::note::VerifierKey;
}

impl VerifierKeyOf for daybook_spec::note::SoftwareSigner {
    fn verifier_key(&self) -> daybook_spec::note::VerifierKey {
        daybook_spec::note::Signer::verifier(self).clone()
    }
}
