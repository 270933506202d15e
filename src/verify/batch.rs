//! Many signatures at once: the random sum of their equations holds if each of them does, and hardly ever if one does
//! not (once in 2^128). By the rules of ZIP 215, with the cofactor multiplied away, that is exact; by the stricter
//! single rules a batch could be made to hold by whose parts do not.

use crate::failure::Fault;
use crate::signatures::{Seed, does_not_verify};
use daybook_spec::note::VerifierKey;
use ed25519_zebra::batch::{Item, Verifier};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::SeedableRng as _;

/// The signatures of one chunk, which are few hundred: enough that a larger batch gains little more.
#[derive(Default)]
pub(crate) struct Batch {
    /// The entry's place, which of `keys` signed it, and the signature with what it is over.
    items: Vec<(u64, usize, Item)>,
    /// In the order in which they came.
    keys: Vec<VerifierKey>,
}

impl Batch {
    /// Puts in the signature of the entry at `index`; places only grow.
    pub(crate) fn put(
        &mut self,
        index: u64,
        key: &VerifierKey,
        text: &[u8],
        signature: &[u8],
    ) -> Result<(), Fault> {
        let signature: [u8; 64] = signature.try_into().map_err(|_| does_not_verify(key))?;
        if self.keys.last() != Some(key) {
            self.keys.push(key.clone());
        }
        let item = Item::from(((*key.public_key()).into(), signature.into(), text));
        self.items.push((index, self.keys.len() - 1, item));
        Ok(())
    }

    /// Whether all hold; if not, the first that does not. `stream` tells the batches of one seed apart.
    pub(crate) fn verify(&self, seed: &Seed, stream: u64) -> Result<(), (u64, Fault)> {
        let mut weights = ChaCha20Rng::from_seed(seed.0);
        weights.set_stream(stream);
        let mut sum = Verifier::new();
        self.items.iter().for_each(|(_, _, item)| sum.queue(item.clone()));
        if self.items.is_empty() || sum.verify(weights).is_ok() {
            return Ok(());
        }
        for (index, key, item) in &self.items {
            if item.clone().verify_single().is_err() {
                #[expect(
                    clippy::indexing_slicing,
                    reason = "an item's key was put in before it, and stays"
                )]
                return Err((*index, does_not_verify(&self.keys[*key])));
            }
        }
        // A sum of what holds one by one holds: the library has just said otherwise of the same signatures. Each was
        // found good by itself.
        Ok(())
    }
}
