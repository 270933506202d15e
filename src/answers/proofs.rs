//! What offline verification needs: checkpoint, tiles, proofs, and the history of keys. Where the log is public, anyone may
//! ask; that is for whoever lends the desk to decide.

use super::Desk;
use super::error::AnswerError;
use crate::log::append::satisfies;
use crate::log::store::SignedCheckpoint;
use crate::spec::merkle::Hash;
use crate::spec::note::VerifierKey;
use crate::spec::receipt::Receipt;
use crate::spec::tile::{TILE_WIDTH, Tile};

/// The latest signed checkpoint.
///
/// # Errors
/// This is a copy that has none.
pub fn checkpoint(desk: Desk<'_>) -> Result<SignedCheckpoint, AnswerError> {
    let signed = desk.store.checkpoint();
    signed.ok_or_else(|| AnswerError::NotThere("this copy has no signed checkpoint".to_owned()))
}

/// The bytes of a tile of hashes or of a bundle of entries, by the last part of its path.
///
/// # Errors
/// There is no such tile, or not yet; or it cannot be read.
pub fn tile(desk: Desk<'_>, path: &str) -> Result<Vec<u8>, AnswerError> {
    let size = desk.store.size();
    let not_there = || AnswerError::NotThere(format!("no such tile in a log of {size} entries"));
    let tile = Tile::parse(path).ok_or_else(not_there)?;
    if tile.needs_size().is_none_or(|needed| needed > size) {
        return Err(not_there());
    }
    Ok(match tile {
        Tile::Hashes { level, number, width } => {
            let hashes = desk.store.tile_hashes(level, number, 0..usize::from(width))?;
            hashes.as_flattened().to_vec()
        }
        Tile::Entries { number, width } => {
            let first = number * TILE_WIDTH;
            desk.store.framed(first..first + u64::from(width))?
        }
    })
}

/// That an entry is in a tree of `size` entries; of those of the latest checkpoint, if not given. The leaf's sibling first.
///
/// # Errors
/// The tree or the log does not reach that far.
pub fn inclusion(desk: Desk<'_>, seq: u64, size: Option<u64>) -> Result<Vec<Hash>, AnswerError> {
    let size = size.unwrap_or_else(|| latest(desk));
    if seq >= size {
        return Err(AnswerError::NotThere(format!("a tree of {size} entries has no entry {seq}")));
    }
    Ok(desk.store.inclusion(seq, size)?)
}

/// That the log only grew from one size to another; to that of the latest checkpoint, if not given.
///
/// # Errors
/// The sizes are in the wrong order, or the log does not reach that far.
pub fn consistency(desk: Desk<'_>, from: u64, to: Option<u64>) -> Result<Vec<Hash>, AnswerError> {
    let to = to.unwrap_or_else(|| latest(desk));
    if from > to {
        let detail = "\"from\" must not be greater than \"to\": a log only grows";
        return Err(AnswerError::Parameter(detail.to_owned()));
    }
    Ok(desk.store.consistency(from, to)?)
}

fn latest(desk: Desk<'_>) -> u64 {
    desk.store.checkpoint().map_or(0, |signed| signed.checkpoint.size)
}

/// A key and when it counts.
#[derive(Clone, Debug)]
pub struct Key {
    /// The key.
    pub key: VerifierKey,
    /// The first entry that this key alone signs.
    pub from: u64,
    /// The receipt of the entry that brought it into force; none for the first key.
    pub rotation: Option<Receipt>,
    /// The receipt of the entry that committed to this key beforehand, where one did.
    pub commitment: Option<Receipt>,
}

/// The history of keys, oldest first, with the receipts that let anyone walk from the first to the last.
#[derive(Clone, Debug)]
pub struct Keys {
    /// The keys.
    pub keys: Vec<Key>,
    /// The receipt of entry 0, which names the first key.
    pub created: Receipt,
}

/// The history of the ledger's keys.
///
/// # Errors
/// The log cannot be read.
pub fn keys(desk: Desk<'_>) -> Result<Keys, AnswerError> {
    let receipt = |seq| desk.store.receipt(seq);
    let known = desk.store.keys();
    let mut keys = Vec::with_capacity(known.len());
    for (place, key) in known.iter().enumerate() {
        let before = place.checked_sub(1).and_then(|place| known.get(place));
        // The commitment stands in the entry that brought the key before into force.
        let commitment = before.filter(|before| satisfies(&key.key, before.next));
        keys.push(Key {
            key: key.key.clone(),
            from: key.from,
            rotation: key.rotation.map(receipt).transpose()?,
            commitment: commitment.map(|before| receipt(before.rotation.unwrap_or(0))).transpose()?,
        });
    }
    Ok(Keys { keys, created: receipt(0)? })
}
