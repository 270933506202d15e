//! Where batches and the strict rules part, and where they must not.

use super::*;
use curve25519_dalek::constants::EIGHT_TORSION;
use curve25519_dalek::edwards::EdwardsPoint;
use curve25519_dalek::scalar::{Scalar, clamp_integer};
use daybook_spec::note::{Signer, VerifierKey, push_signature_line};
use daybook_testkit::{ordinary, signer};
use sha2::{Digest as _, Sha512};

fn batched(options: &Options, seed: u8) -> Options {
    Options { signatures: Signatures::Batched(Seed([seed; SEED_BYTES])), ..options.clone() }
}

fn look(ledger: &Ledger, options: &Options) -> Outcome {
    verify(Source::Export(Box::new(Cursor::new(ledger.export()))), options, &Quiet)
}

/// A holder of the key who signs as nobody should: with `nonce`, and a point of small order added to R.
struct Crooked {
    key: VerifierKey,
    secret: Scalar,
    nonce: Scalar,
    torsion: EdwardsPoint,
}

impl Crooked {
    fn new(origin: &str, seed: u8, nonce: u64, torsion: usize) -> Self {
        let hash: [u8; 64] = Sha512::digest([seed; 32]).into();
        let half: [u8; 32] = hash[..32].try_into().unwrap();
        Self {
            key: signer(origin, seed).verifier().clone(),
            secret: Scalar::from_bytes_mod_order(clamp_integer(half)),
            nonce: Scalar::from(nonce),
            torsion: EIGHT_TORSION[torsion],
        }
    }
}

impl Signer for Crooked {
    fn verifier(&self) -> &VerifierKey {
        &self.key
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        let point = (EdwardsPoint::mul_base(&self.nonce) + self.torsion).compress();
        let hash = Sha512::new().chain_update(point.0).chain_update(self.key.public_key()).chain_update(text);
        let challenge = Scalar::from_bytes_mod_order_wide(&hash.finalize().into());
        let answer = self.nonce + challenge * self.secret;
        [point.0, answer.to_bytes()].concat().try_into().unwrap()
    }
}

#[test]
fn what_only_the_holder_of_the_key_can_make_is_where_the_two_part() {
    for torsion in 0..EIGHT_TORSION.len() {
        // With a nonce of zero all of R is a point of small order.
        for nonce in [0, 5] {
            let mut ledger = Ledger::of(4);
            let crooked = Crooked::new(&ledger.origin, 1, nonce, torsion);
            let text = ledger.text("app:x", &ordinary(4));
            ledger.push(&text, &[&crooked]);
            ledger.grow(3);
            let options = trusting(&ledger);
            if (torsion, nonce) == (0, 5) {
                verified(look(&ledger, &options));
            } else {
                assert_eq!(failed(look(&ledger, &options)), (Code::SignatureInvalid, Some(4)));
            }
            // Never by chance: whatever the weights, among others and alone.
            for seed in 0..4 {
                assert!(verified(look(&ledger, &batched(&options, seed))).batched);
            }
        }
    }
}

#[test]
fn a_false_signature_is_found_beside_a_crooked_one_and_alone_is_named() {
    let mut ledger = Ledger::of(4);
    let crooked = Crooked::new(&ledger.origin, 1, 5, 3);
    let text = ledger.text("app:x", &ordinary(4));
    ledger.push(&text, &[&crooked]);
    ledger.grow(3);
    let entry = String::from_utf8(ledger.entries[6].clone()).unwrap();
    ledger.entries[6] = entry.replace("user:é", "user:è").into_bytes();
    let outcome = look(&ledger, &batched(&trusting(&ledger), 9));
    assert_eq!(failed(outcome), (Code::SignatureInvalid, Some(6)));
}

#[test]
fn false_signatures_that_cancel_out_without_weights_are_found() {
    let mut ledger = Ledger::of(4);
    let key = ledger.key();
    for sign in [Scalar::ONE, -Scalar::ONE] {
        let text = ledger.text("app:x", &ordinary(ledger.size()));
        let mut signature = key.sign(text.as_bytes());
        let answer = Scalar::from_canonical_bytes(signature[32..].try_into().unwrap()).unwrap();
        signature[32..].copy_from_slice(&(answer + sign).to_bytes());
        let mut note = format!("{text}\n");
        push_signature_line(&mut note, &ledger.origin, key.verifier().id(), &signature);
        ledger.push_raw(note.into_bytes(), &text);
    }
    refused(&ledger, Code::SignatureInvalid, 4);
}

#[test]
fn rotations_and_checkpoints_are_held_to_the_strict_rules_in_batches_too() {
    let mut ledger = Ledger::of(4);
    let (crooked, new) = (Crooked::new(&ledger.origin, 1, 5, 3), signer(&ledger.origin, 2));
    let checkpoint = ledger.checkpoint_by(4, &[&crooked]);
    let options = batched(&trusting(&ledger), 7);
    let export = Source::Export(Box::new(Cursor::new(ledger.export_with(&checkpoint))));
    assert_eq!(failed(verify(export, &options, &Quiet)), (Code::CheckpointInvalid, None));
    ledger.rotate_signed(2, None, &[&crooked, &*new]);
    refused(&ledger, Code::SignatureInvalid, 4);
}

#[test]
fn a_receipt_is_always_checked_strictly_and_says_so() {
    let mut ledger = Ledger::of(4);
    let options = batched(&trusting(&ledger), 7);
    assert!(!verified(look_at_receipt(ledger.receipt(2).to_text(), &options)).batched);
    let text = ledger.text("app:x", &ordinary(4));
    ledger.push(&text, &[&Crooked::new(&ledger.origin, 1, 5, 3)]);
    let outcome = look_at_receipt(ledger.receipt(4).to_text(), &options);
    assert_eq!(failed(outcome), (Code::SignatureInvalid, Some(4)));
}
