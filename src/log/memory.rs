//! What there is beside the log that remembers it. A log never shrinks and never changes, so whatever knows more of it than
//! it says itself proves that it was put back.

use crate::log::recovery::last_text_hash;
use crate::log::store::{ReadError, Store};
use crate::spec::checkpoint::{Checkpoint, CheckpointError};
use crate::spec::merkle::Hash;
use crate::spec::note::{NoteError, VerifierKey};
use sha2::{Digest as _, Sha256};
use std::fmt;

/// One thing that remembers the log.
#[derive(Clone, Debug)]
pub struct Memory {
    /// What it is, as an operator knows it: `home`, `index`, a file, a URL.
    pub place: String,
    pub of: Remembered,
}

impl Memory {
    /// How many entries it knows of; none if it is unreadable.
    #[must_use]
    pub fn size(&self) -> u64 {
        match &self.of {
            Remembered::Size(size) | Remembered::Last { size, .. } => *size,
            Remembered::Checkpoint { note } => Checkpoint::parse(note).map_or(0, |(said, _)| said.size),
        }
    }
}

/// What is remembered.
#[derive(Clone, Debug)]
pub enum Remembered {
    /// That there were so many entries.
    Size(u64),
    /// That the ledger whose first entry has this hash had so many, and the hash of the last one's text.
    Last { ledger: Hash, size: u64, text_hash: Hash },
    /// A checkpoint that was handed out.
    Checkpoint { note: Vec<u8> },
}

/// The log is not what it was.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PutBack {
    /// What knows it.
    place: String,
    /// Entries that there were.
    pub known: u64,
    /// Entries that there are.
    has: u64,
    /// It was handed out, signed: no adoption takes that back.
    pub is_signed: bool,
}

impl fmt::Display for PutBack {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { place, known, has, .. } = self;
        if known > has {
            write!(f, "{place} knows of {known} entries, and the log has {has}")
        } else {
            write!(f, "{place} knows another entry {} than the log has", known.saturating_sub(1))
        }
    }
}

/// All that speaks against this log. What cannot be read, or is of another ledger, says nothing.
///
/// # Errors
/// The log cannot be read.
pub fn against(store: &Store, memories: &[Memory]) -> Result<Vec<PutBack>, ReadError> {
    let keys: Vec<VerifierKey> = store.keys().into_iter().map(|key| key.key).collect();
    let first: Option<Hash> = match store.size() {
        0 => None,
        _ => Some(Sha256::digest(store.entry(0)?).into()),
    };
    let mut found = Vec::new();
    for memory in memories {
        let (known, is_signed) = match &memory.of {
            Remembered::Size(size) => (*size, false),
            Remembered::Last { ledger, size, text_hash } => {
                let foreign = first.is_none_or(|first| first != *ledger);
                if foreign || (*size <= store.size() && is_last(store, *size, text_hash)?) {
                    continue;
                }
                (*size, false)
            }
            Remembered::Checkpoint { note } => {
                let Some(checkpoint) = believed(store, note, &keys) else {
                    tracing::debug!(place = memory.place, "what is there is no checkpoint of this ledger");
                    continue;
                };
                if checkpoint.size <= store.size() && store.root_at(checkpoint.size)? == checkpoint.root {
                    continue;
                }
                (checkpoint.size, true)
            }
        };
        if known > store.size() || !matches!(memory.of, Remembered::Size(_)) {
            found.push(PutBack { place: memory.place.clone(), known, has: store.size(), is_signed });
        }
    }
    Ok(found)
}

fn is_last(store: &Store, size: u64, text_hash: &Hash) -> Result<bool, ReadError> {
    let Some(last) = size.checked_sub(1) else { return Ok(true) };
    Ok(last_text_hash(&store.entry(last)?) == *text_hash)
}

/// A checkpoint that this ledger signed; also a larger one by a key that the log does not know: an older log knows nothing of
/// the rotation that came after it.
fn believed(store: &Store, note: &[u8], keys: &[VerifierKey]) -> Option<Checkpoint> {
    let (checkpoint, _) = Checkpoint::parse(note).ok().filter(|(said, _)| said.origin == store.origin())?;
    match Checkpoint::open(note, keys) {
        Ok(_) => Some(checkpoint),
        Err(CheckpointError::Note(NoteError::NoKnownKey)) => {
            Some(checkpoint).filter(|said| said.size > store.size())
        }
        Err(_) => None,
    }
}
