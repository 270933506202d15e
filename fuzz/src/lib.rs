//! What must hold for any bytes, one property a target. A panic is a finding; libFuzzer keeps the bytes.
//!
//! Most properties say one thing: what a parser accepts, the printer writes back to the same bytes. Then there is
//! one spelling of each thing, and nobody can change bytes without changing what they say.

pub mod checkpoint;
pub mod entry;
pub mod export;
pub mod intake;
pub mod json;
pub mod keys;
pub mod note;
pub mod proof;
pub mod publication;
pub mod questions;
pub mod receipt;
pub mod spellings;
pub mod tile;

use daybook::spec::note::{Note, Signer as _, push_signature_line};
use daybook_testkit::{ORIGIN, signer};

/// Seeds of the keys that the corpus is signed with. Whatever verifies must have been signed by one of them, and
/// Ed25519 is deterministic, so its signature can be made again.
pub const SEEDS: [u8; 3] = [1, 2, 3];

/// A note printed from its parts.
#[must_use]
pub fn print_note(note: &Note<'_>) -> String {
    let mut printed = format!("{}\n", note.text);
    for line in &note.signatures {
        push_signature_line(&mut printed, line.name, line.id, &line.signature);
    }
    printed
}

/// Checks that whatever of a note's signatures verifies under a known key is the signature which that key makes.
pub fn no_forgery(note: &Note<'_>) {
    for seed in SEEDS {
        let signer = signer(ORIGIN, seed);
        if note.verify(std::slice::from_ref(signer.verifier())).is_ok() {
            let genuine = signer.sign(note.text.as_bytes());
            let by_this_key = note.signatures.iter().filter(|line| signer.verifier().made(line));
            for line in by_this_key {
                assert_eq!(line.signature, genuine, "a second signature over one text verifies");
            }
        }
    }
}
