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

use crate::store::postings::Key16;
use sha2::{Digest, Sha256};

/// Raise it with every change to these records, to what is indexed, or to an engine's options: the index is then built anew.
pub(super) const FORMAT_VERSION: u32 = 2;

const LIST_DOMAIN: &[u8] = b"daybook/index/list/v1\n";

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
}
