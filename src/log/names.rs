//! By which hashes an event, a subject and a submission are known.

use crate::spec::merkle::Hash;
use sha2::{Digest as _, Sha256};

/// Who an event is, for ever: a hash of CloudEvents `source` and `id`, lengths first so that no two pairs run into
/// each other.
#[must_use]
pub fn identity(source: &str, id: &str) -> [u8; 16] {
    let hash = Sha256::new()
        .chain_update("daybook/identity/v1\n")
        .chain_update((source.len() as u64).to_be_bytes())
        .chain_update(source)
        .chain_update(id)
        .finalize();
    first_16(&hash)
}

/// A hash of a subject, for counting.
#[must_use]
pub fn subject_hash(subject: &str) -> [u8; 16] {
    first_16(&Sha256::new().chain_update("daybook/subject/v1\n").chain_update(subject).finalize())
}

fn first_16(hash: &[u8]) -> [u8; 16] {
    let mut first = [0; 16];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    first
}

/// What an event says and who says so: two submissions are the same if their fingerprints are.
#[must_use]
pub fn fingerprint(actor: &str, event: &str) -> Hash {
    let actor_bytes = (actor.len() as u64).to_be_bytes();
    Sha256::new().chain_update(actor_bytes).chain_update(actor).chain_update(event).finalize().into()
}
