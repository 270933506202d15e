//! A digest of everything that a view keeps, carried along with each change: the sum of the hashes of its records.
//!
//! Equal records give equal digests in whatever order they were written, and one change costs two hashes and no reading. It
//! finds mistakes, not forgers: who can write the store can make a sum fit. What protects the truth is the log.

use sha2::{Digest as _, Sha256};

/// A sum of SHA-256 hashes, as four 64-bit numbers that are added apart.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Digest([u64; 4]);

impl Digest {
    pub(super) fn add(&mut self, key: &[u8], value: &[u8]) {
        let words = words(key, value);
        self.0.iter_mut().zip(words).for_each(|(sum, word)| *sum = sum.wrapping_add(word));
    }

    pub(super) fn remove(&mut self, key: &[u8], value: &[u8]) {
        let words = words(key, value);
        self.0.iter_mut().zip(words).for_each(|(sum, word)| *sum = sum.wrapping_sub(word));
    }

    /// 64 hexadecimal digits.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().map(|word| format!("{word:016x}")).collect()
    }

    pub(super) fn from_hex(text: &str) -> Option<Digest> {
        let bytes = crate::spec::encoding::from_hex::<32>(text)?;
        let (words, _) = bytes.as_chunks::<8>();
        let mut digest = Digest::default();
        for (sum, word) in digest.0.iter_mut().zip(words) {
            *sum = u64::from_be_bytes(*word);
        }
        Some(digest)
    }
}

/// The key's slot, its first four bytes, is left out: it is chance which slot a view has.
fn words(key: &[u8], value: &[u8]) -> [u64; 4] {
    let key = key.get(4..).unwrap_or_default();
    let mut hash = Sha256::new();
    hash.update((key.len() as u64).to_be_bytes());
    hash.update(key);
    hash.update(value);
    let hash: [u8; 32] = hash.finalize().into();
    let (chunks, _) = hash.as_chunks::<8>();
    let mut words = [0; 4];
    for (word, chunk) in words.iter_mut().zip(chunks) {
        *word = u64::from_be_bytes(*chunk);
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_added_and_removed_again_leaves_nothing_in_any_order() {
        let (mut one, mut other) = (Digest::default(), Digest::default());
        one.add(b"....a", b"1");
        one.add(b"....b", b"2");
        other.add(b"xxxxb", b"2");
        other.add(b"xxxxa", b"0");
        other.remove(b"....a", b"0");
        assert_ne!(one, other);
        other.add(b"....a", b"1");
        assert_eq!(one, other);
        assert_eq!(Digest::from_hex(&one.hex()), Some(one));
    }
}
