//! The log's folder (FORMATS.md section 8): names of its files, and the bytes of `head`.
//!
//! `head` says what was acknowledged. It has two slots, written in turn, so that a torn write spoils only the slot
//! being written. Each slot is stored twice, in sectors of their own: a torn write leaves one of the twins as it
//! was or as it was to be, and rot in one twin leaves the other. So the newest head survives any one fault, and
//! nothing acknowledged is cut because of one.

use crate::merkle::Hash;
use sha2::{Digest, Sha256};

/// Entries in a full segment: 256 bundles, one full level-1 tile.
pub const SEGMENT_ENTRIES: u64 = 65_536;

/// The log's folder in a data folder.
pub const LOG_DIR: &str = "log";

/// Framed entries, one after the other; in each segment's folder.
pub const ENTRIES_FILE: &str = "entries";

/// The head; in the log's folder.
pub const HEAD_FILE: &str = "head";

/// The latest signed checkpoint, a note; in the log's folder. Derived: the key makes the same one again.
pub const CHECKPOINT_FILE: &str = "checkpoint";

/// A segment's folder in the log's folder.
#[must_use]
pub fn segment_dir(segment: u64) -> String {
    format!("{segment:08}")
}

/// Bytes of one stored copy of a slot.
///
/// Reason: a disk writes a sector whole or not at all; 512 is the smallest sector in use.
pub const SLOT_BYTES: usize = 512;

/// Copies in the file: two slots, each twice, in the order A, A, B, B.
pub const COPIES: usize = 4;

/// Bytes of the whole file.
pub const HEAD_BYTES: usize = SLOT_BYTES * COPIES;

const MAGIC: &[u8; 16] = b"daybook head v1\n";

/// How far the log is durable and acknowledged.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// Entries.
    pub size: u64,
    /// The segment that the last entry stands in; 0 for an empty log.
    pub segment: u64,
    /// Where the last entry ends in that segment's `entries`.
    pub end: u64,
    /// SHA-256 of the last entry's text; 32 zero bytes for an empty log.
    pub chain: Hash,
    /// RFC 6962 root over all entries.
    pub root: Hash,
}

impl Head {
    /// One copy: magic, the five fields, zeros, and the SHA-256 of all that in the last 32 bytes.
    #[must_use]
    pub fn to_slot(&self) -> [u8; SLOT_BYTES] {
        let mut slot = [0; SLOT_BYTES];
        slot[..16].copy_from_slice(MAGIC);
        slot[16..24].copy_from_slice(&self.size.to_be_bytes());
        slot[24..32].copy_from_slice(&self.segment.to_be_bytes());
        slot[32..40].copy_from_slice(&self.end.to_be_bytes());
        slot[40..72].copy_from_slice(&self.chain);
        slot[72..104].copy_from_slice(&self.root);
        let digest: Hash = Sha256::digest(&slot[..SLOT_BYTES - 32]).into();
        slot[SLOT_BYTES - 32..].copy_from_slice(&digest);
        slot
    }

    /// Reads one copy; none if any of its bytes is not as it was written.
    #[must_use]
    pub fn from_slot(slot: &[u8; SLOT_BYTES]) -> Option<Self> {
        let (_magic, rest) = slot.split_first_chunk::<16>()?;
        let (size, rest) = rest.split_first_chunk()?;
        let (segment, rest) = rest.split_first_chunk()?;
        let (end, rest) = rest.split_first_chunk()?;
        let (chain, rest) = rest.split_first_chunk()?;
        let (root, _zeros_and_digest) = rest.split_first_chunk()?;
        let head = Head {
            size: u64::from_be_bytes(*size),
            segment: u64::from_be_bytes(*segment),
            end: u64::from_be_bytes(*end),
            chain: *chain,
            root: *root,
        };
        (head.to_slot() == *slot).then_some(head)
    }

    /// Reads the file: each copy in its order, none where it is damaged.
    #[must_use]
    pub fn read_copies(file: &[u8]) -> [Option<Head>; COPIES] {
        let mut copies = [None; COPIES];
        for (copy, slot) in copies.iter_mut().zip(file.chunks_exact(SLOT_BYTES)) {
            *copy = slot.try_into().ok().and_then(Head::from_slot);
        }
        copies
    }

    /// The head in force: the newest of the undamaged copies, provided that no slot has lost both its twins. If one
    /// has, it may have been the newest, and only an operator can tell.
    #[must_use]
    pub fn in_force(copies: &[Option<Head>; COPIES]) -> Option<Head> {
        let [a1, a2, b1, b2] = *copies;
        let newest = |x: Option<Head>, y: Option<Head>| match (x, y) {
            (Some(x), Some(y)) => Some(if y.size > x.size { y } else { x }),
            (x, y) => x.or(y),
        };
        match (newest(a1, a2), newest(b1, b2)) {
            (Some(a), Some(b)) => newest(Some(a), Some(b)),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(size: u64) -> Head {
        Head { size, segment: size >> 16, end: size * 700, chain: [size as u8; 32], root: [7; 32] }
    }

    fn file(a: Head, b: Head) -> Vec<u8> {
        [a.to_slot(), a.to_slot(), b.to_slot(), b.to_slot()].concat()
    }

    #[test]
    fn any_one_damaged_byte_is_seen_and_the_newest_head_survives_it() {
        let good = file(head(41), head(42));
        assert_eq!(Head::in_force(&Head::read_copies(&good)), Some(head(42)));
        for at in 0..good.len() {
            let mut bad = good.clone();
            bad[at] ^= 0x10;
            let copies = Head::read_copies(&bad);
            assert_eq!(copies.iter().filter(|copy| copy.is_none()).count(), 1, "byte {at}");
            assert_eq!(Head::in_force(&copies), Some(head(42)), "byte {at}");
        }
    }

    #[test]
    fn a_torn_write_leaves_the_old_head_or_the_new() {
        let (before, after) = (file(head(41), head(40)), file(head(41), head(42)));
        for torn in 0..=2 * SLOT_BYTES {
            let at = 2 * SLOT_BYTES + torn;
            let bytes = [&after[..at], &before[at..]].concat();
            let size = Head::in_force(&Head::read_copies(&bytes)).unwrap().size;
            assert!(size == 41 || size == 42, "torn after {torn} bytes: {size}");
        }
    }

    #[test]
    fn a_slot_that_lost_both_twins_leaves_the_decision_to_an_operator() {
        let mut bad = file(head(41), head(42));
        bad[2 * SLOT_BYTES] ^= 1;
        bad[3 * SLOT_BYTES] ^= 1;
        assert_eq!(Head::in_force(&Head::read_copies(&bad)), None);
        assert_eq!(Head::in_force(&Head::read_copies(&[])), None);
    }
}
