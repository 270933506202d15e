//! What a derived store says of itself: which format and ledger it is of (`header`), and how far each of its tables has
//! come (`seal`). Integers are big-endian.

pub(crate) const HEADER_KEY: &[u8] = b"header";

/// Shorter than the other keys of each table, so it is none of them.
pub(crate) const SEAL_KEY: &[u8] = b"seal";

/// How far a table has come. Each table has its own copy, written in the same batch: an engine that lost
/// the end of one table but not of another is found out when the copies differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Seal {
    /// Entries applied.
    pub(crate) applied: u64,
    /// SHA-256 of the last one's text, zeros if there is none: proof that it was this log's history.
    pub(crate) anchor: [u8; 32],
}

impl Seal {
    pub(crate) const EMPTY: Seal = Seal { applied: 0, anchor: [0; 32] };

    pub(crate) fn record(&self) -> [u8; 40] {
        let mut record = [0; 40];
        let (applied, anchor) = record.split_at_mut(8);
        applied.copy_from_slice(&self.applied.to_be_bytes());
        anchor.copy_from_slice(&self.anchor);
        record
    }

    pub(crate) fn read(record: &[u8]) -> Option<Seal> {
        let (applied, anchor) = record.split_first_chunk::<8>()?;
        Some(Seal { applied: u64::from_be_bytes(*applied), anchor: anchor.try_into().ok()? })
    }
}

pub(crate) fn header_record(format_version: u32, ledger: &[u8; 32]) -> [u8; 36] {
    let mut record = [0; 36];
    let (version, id) = record.split_at_mut(4);
    version.copy_from_slice(&format_version.to_be_bytes());
    id.copy_from_slice(ledger);
    record
}

/// Format version and ledger id. The version is read also from a header of another length: it says why.
pub(crate) fn read_header(record: &[u8]) -> Option<(u32, Option<[u8; 32]>)> {
    let (version, id) = record.split_first_chunk::<4>()?;
    Some((u32::from_be_bytes(*version), id.try_into().ok()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seal_of_another_length_is_none() {
        let seal = Seal { applied: 7, anchor: [3; 32] };
        assert_eq!(Seal::read(&seal.record()), Some(seal));
        assert_eq!(Seal::read(&seal.record()[..39]), None);
        assert_eq!(Seal::read(&[]), None);
    }
}
