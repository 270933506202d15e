//! The index's keys and small records, byte for byte.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `Meta` | `header` | format version (u32) and ledger id (32 bytes) |
//! | each | `seal` | entries applied (u64) and the anchor: SHA-256 of the last one's text, or zeros |
//! | `Ids` | identity (16 bytes) | seq, big-endian without leading zero bytes |
//! | `Postings` | list (16 bytes), bundle (u32) | offsets in the bundle: see `postings` |
//!
//! A bundle is 256 entries, as in the log's tiles. Integers are big-endian, so that bundles sort. A list's 16 bytes name the
//! field and its value together: 20 bytes in all are as many as fjall keeps without an allocation of their own.

use sha2::{Digest, Sha256};

/// Raise it with every change to these records, to what is indexed, or to an engine's options: the index is then built anew.
pub(super) const FORMAT_VERSION: u32 = 2;

pub(in crate::views) const HEADER_KEY: &[u8] = b"header";

/// Shorter than the other keys of each table, so it is none of them.
pub(in crate::views) const SEAL_KEY: &[u8] = b"seal";

const LIST_DOMAIN: &[u8] = b"daybook/index/list/v1\n";

/// An identity or a list's name. 128 bits of SHA-256: two values of an attacker's choice meet after some 2^64 tries,
/// and then they only get in each other's way.
pub(in crate::views) type Key16 = [u8; 16];

/// The fields that have lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Field {
    Type,
    Source,
    Subject,
    Actor,
}

/// The name of the list of all entries whose `field` is `value`.
pub(super) fn list_key(field: Field, value: &str) -> Key16 {
    let number: u8 = match field {
        Field::Type => 1,
        Field::Source => 2,
        Field::Subject => 3,
        Field::Actor => 4,
    };
    let mut hash = Sha256::new_with_prefix(LIST_DOMAIN);
    hash.update([number]);
    hash_sized(&mut hash, value);
    first_16(hash)
}

fn hash_sized(hash: &mut Sha256, text: &str) {
    hash.update((text.len() as u64).to_be_bytes());
    hash.update(text);
}

fn first_16(hash: Sha256) -> Key16 {
    let digest: [u8; 32] = hash.finalize().into();
    // 32 bytes have a first 16: the default is never taken.
    digest.first_chunk().copied().unwrap_or_default()
}

/// Key of a list's record for one bundle.
pub(in crate::views) fn posting_key(list: &Key16, bundle: u32) -> [u8; 20] {
    let mut key = [0; 20];
    let (name, number) = key.split_at_mut(16);
    name.copy_from_slice(list);
    number.copy_from_slice(&bundle.to_be_bytes());
    key
}

/// The bundle in a posting's key.
pub(super) fn bundle_of_key(key: &[u8]) -> Option<u32> {
    let (_, number) = key.split_first_chunk::<16>()?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

/// Writes a seq in as few bytes as it takes: three or four for a long time to come, in a table with a record an entry.
pub(super) fn seq_record(seq: u64, buffer: &mut [u8; 8]) -> &[u8] {
    *buffer = seq.to_be_bytes();
    let zeros = (seq.leading_zeros() / 8) as usize;
    buffer.get(zeros..).unwrap_or_default()
}

/// Reads what [`seq_record`] wrote; nothing else is accepted.
pub(super) fn read_seq(record: &[u8]) -> Option<u64> {
    if record.len() > 8 || record.first() == Some(&0) {
        return None;
    }
    Some(record.iter().fold(0, |seq, byte| seq << 8 | u64::from(*byte)))
}

/// How far a table has come. Each table has its own copy, written in the same batch: an engine that lost
/// the end of one table but not of another is found out when the copies differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::views) struct Seal {
    /// Entries applied.
    pub(in crate::views) applied: u64,
    /// SHA-256 of the last one's text, zeros if there is none: proof that it was this log's history.
    pub(in crate::views) anchor: [u8; 32],
}

impl Seal {
    pub(in crate::views) const EMPTY: Seal = Seal { applied: 0, anchor: [0; 32] };

    pub(in crate::views) fn record(&self) -> [u8; 40] {
        let mut record = [0; 40];
        let (applied, anchor) = record.split_at_mut(8);
        applied.copy_from_slice(&self.applied.to_be_bytes());
        anchor.copy_from_slice(&self.anchor);
        record
    }

    pub(in crate::views) fn read(record: &[u8]) -> Option<Seal> {
        let (applied, anchor) = record.split_first_chunk::<8>()?;
        Some(Seal { applied: u64::from_be_bytes(*applied), anchor: anchor.try_into().ok()? })
    }
}

pub(in crate::views) fn header_record(format_version: u32, ledger: &[u8; 32]) -> [u8; 36] {
    let mut record = [0; 36];
    let (version, id) = record.split_at_mut(4);
    version.copy_from_slice(&format_version.to_be_bytes());
    id.copy_from_slice(ledger);
    record
}

/// Format version and ledger id. The version is read also from a header of another length: it says why.
pub(in crate::views) fn read_header(record: &[u8]) -> Option<(u32, Option<[u8; 32]>)> {
    let (version, id) = record.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*version), id.try_into().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_has_another_list_in_each_field() {
        assert_ne!(list_key(Field::Type, "x"), list_key(Field::Subject, "x"));
    }

    #[test]
    fn a_seq_is_read_back_and_has_one_form() {
        for seq in [0, 1, 255, 256, 65_535, 1 << 24, u64::MAX] {
            assert_eq!(read_seq(seq_record(seq, &mut [0; 8])), Some(seq));
        }
        assert_eq!(seq_record(300, &mut [0; 8]), [1, 44]);
        assert_eq!(read_seq(&[0, 1]), None);
        assert_eq!(read_seq(&[1; 9]), None);
    }

    #[test]
    fn a_seal_of_another_length_is_none() {
        let seal = Seal { applied: 7, anchor: [3; 32] };
        assert_eq!(Seal::read(&seal.record()), Some(seal));
        assert_eq!(Seal::read(&seal.record()[..39]), None);
        assert_eq!(Seal::read(&[]), None);
    }
}
