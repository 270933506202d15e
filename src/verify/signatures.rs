//! Which Ed25519 signatures count (FORMATS.md, "Which Ed25519 signatures count").

use crate::failure::{Code, Fault};
use daybook_spec::note::VerifierKey;
use std::fmt;

/// Bytes of a [`Seed`].
pub const SEED_BYTES: usize = 32;

/// What a batch draws its random weights from. It must be fresh for each verification and unknown to whoever made the
/// ledger: who knows it can make false signatures that cancel out.
#[derive(Clone)]
pub struct Seed(pub [u8; SEED_BYTES]);

/// A seed is a secret while it is used: it is never shown.
impl fmt::Debug for Seed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Seed(…)")
    }
}

/// How the signatures of entries are checked.
#[derive(Clone, Debug, Default)]
pub enum Signatures {
    /// One by one, by the strictest rules: what passes here, every other library accepts.
    #[default]
    Strict,
    /// Many at once, by the rules of ZIP 215, under which a batch holds exactly if each of its signatures does. Nobody
    /// but the key's holder can make a signature that passes; the holder can make some that the strict rules refuse.
    #[cfg(feature = "batch")]
    Batched(Seed),
}

impl Signatures {
    pub(crate) fn are_batched(&self) -> bool {
        !matches!(self, Signatures::Strict)
    }
}

/// Says of the entry at a place whether its signature by a key over a text holds; a batch says so only at its end.
pub(crate) type Hold<'a> = &'a mut dyn FnMut(u64, &VerifierKey, &[u8], &[u8]) -> Result<(), Fault>;

/// The same of an entry that is known.
pub(crate) type HoldOne<'a> = &'a mut dyn FnMut(&VerifierKey, &[u8], &[u8]) -> Result<(), Fault>;

/// Strict single verification.
pub(crate) fn hold_strictly(key: &VerifierKey, text: &[u8], signature: &[u8]) -> Result<(), Fault> {
    if key.verify(text, signature) { Ok(()) } else { Err(does_not_verify(key)) }
}

pub(crate) fn does_not_verify(key: &VerifierKey) -> Fault {
    Fault::new(
        Code::SignatureInvalid,
        format!(
            "the signature by {key} does not verify: the entry was changed after it was signed, or the signature is \
             forged"
        ),
    )
}
