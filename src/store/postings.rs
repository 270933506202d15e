//! Lists: for each field and value, which entries have it.
//!
//! A list has one record for each bundle (256 entries) in which it occurs: up to 31 offsets ascending, a byte each, or
//! from 32 on a bitmap of 32 bytes (bit `o % 8` of byte `o / 8`). The length tells which.

use crate::store::{Reader, StoreError, Table};
use std::collections::VecDeque;
use std::ops::ControlFlow;

/// An identity or a list's name. 128 bits of SHA-256: two values of an attacker's choice meet after some 2^64 tries,
/// and then they only get in each other's way.
pub(crate) type Key16 = [u8; 16];

/// Key of a list's record for one bundle.
pub(crate) fn posting_key(list: &Key16, bundle: u32) -> [u8; 20] {
    let mut key = [0; 20];
    let (name, number) = key.split_at_mut(16);
    name.copy_from_slice(list);
    number.copy_from_slice(&bundle.to_be_bytes());
    key
}

/// The bundle in a posting's key.
pub(crate) fn bundle_of_key(key: &[u8]) -> Option<u32> {
    let (_, number) = key.split_first_chunk::<16>()?;
    Some(u32::from_be_bytes(number.try_into().ok()?))
}

/// Entries in a bundle: that of the log's tiles (FORMATS.md, section 5), and what one byte counts.
pub(crate) const BUNDLE: u64 = 256;

/// Bytes of a bitmap record; as many offsets in bytes would be no smaller.
const BITMAP_BYTES: usize = 32;

/// Records that a cursor reads first: enough for a page of a dense list, little in vain for a sparse one.
const FIRST_READ: usize = 16;

/// The most that it reads at once (40 KiB in memory), reached while it is read without gaps.
const LARGEST_READ: usize = 1_024;

/// A set of offsets in a bundle.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Offsets([u64; 4]);

impl Offsets {
    #[expect(clippy::indexing_slicing, reason = "a byte divided by 64 is at most 3")]
    pub(crate) fn insert(&mut self, offset: u8) {
        self.0[usize::from(offset / 64)] |= 1 << (offset % 64);
    }

    #[expect(clippy::indexing_slicing, reason = "as in `insert`")]
    pub(crate) fn contains(self, offset: u8) -> bool {
        self.0[usize::from(offset / 64)] >> (offset % 64) & 1 == 1
    }

    /// All offsets with `from <= offset < to`; both at most 256.
    pub(crate) fn range(from: u64, to: u64) -> Offsets {
        let below = |end: u64, word: u64| match end.saturating_sub(word * 64) {
            0 => 0,
            bits @ 1..64 => (1 << bits) - 1,
            _ => u64::MAX,
        };
        Offsets([0, 1, 2, 3].map(|word| below(to, word) & !below(from, word)))
    }

    pub(crate) fn and(self, other: Offsets) -> Offsets {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Offsets([a & e, b & f, c & g, d & h])
    }

    pub(crate) fn or(self, other: Offsets) -> Offsets {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Offsets([a | e, b | f, c | g, d | h])
    }

    /// Those that are not among the others.
    pub(crate) fn less(self, other: Offsets) -> Offsets {
        let ([a, b, c, d], [e, f, g, h]) = (self.0, other.0);
        Offsets([a & !e, b & !f, c & !g, d & !h])
    }

    pub(crate) fn count(self) -> u64 {
        self.0.iter().map(|word| u64::from(word.count_ones())).sum()
    }

    /// Ascending, and from the other end descending.
    pub(crate) fn iter(self) -> impl DoubleEndedIterator<Item = u8> {
        (0..=u8::MAX).filter(move |offset| self.contains(*offset))
    }

    /// Appends the record to `out`.
    pub(crate) fn record(self, out: &mut Vec<u8>) {
        if self.count() < BITMAP_BYTES as u64 {
            out.extend(self.iter());
        } else {
            out.extend(self.0.iter().flat_map(|word| word.to_le_bytes()));
        }
    }

    /// Reads what [`Offsets::record`] wrote; nothing else is accepted.
    pub(crate) fn read(record: &[u8]) -> Option<Offsets> {
        let mut offsets = Offsets::default();
        if let Ok(bitmap) = <&[u8; BITMAP_BYTES]>::try_from(record) {
            let (words, _) = bitmap.as_chunks::<8>();
            for (word, bytes) in offsets.0.iter_mut().zip(words) {
                *word = u64::from_le_bytes(*bytes);
            }
            return (offsets.count() >= BITMAP_BYTES as u64).then_some(offsets);
        }
        let ascending = record.is_sorted_by(|a, b| a < b);
        if record.is_empty() || record.len() > BITMAP_BYTES || !ascending {
            return None;
        }
        record.iter().for_each(|offset| offsets.insert(*offset));
        Some(offsets)
    }
}

/// Why a list could not be read.
#[derive(Debug)]
pub(crate) enum ListError {
    Store(StoreError),
    /// A record that this index never wrote.
    Unreadable,
}

impl From<StoreError> for ListError {
    fn from(error: StoreError) -> Self {
        ListError::Store(error)
    }
}

/// Visits a list's records for the bundles `from..to`, in order or in reverse.
pub(crate) fn scan_list(
    store: &dyn Reader,
    list: &Key16,
    (from, to): (u32, u32),
    reverse: bool,
    visit: &mut dyn FnMut(u32, Offsets) -> ControlFlow<()>,
) -> Result<(), ListError> {
    let mut unreadable = false;
    let mut record = |key: &[u8], value: &[u8]| {
        let Some((bundle, offsets)) = bundle_of_key(key).zip(Offsets::read(value)) else {
            unreadable = true;
            return ControlFlow::Break(());
        };
        visit(bundle, offsets)
    };
    let (first, end) = (posting_key(list, from), posting_key(list, to));
    store.scan(Table::Postings, &first, &end, reverse, &mut record)?;
    if unreadable { Err(ListError::Unreadable) } else { Ok(()) }
}

/// Reads one list in one direction, some records at a time, and can leap.
pub(crate) struct ListCursor<'a> {
    store: &'a dyn Reader,
    list: Key16,
    reverse: bool,
    /// Records read ahead.
    ahead: VecDeque<(u32, Offsets)>,
    /// How many records the next read takes.
    read: usize,
    /// The last read came to the end of the bounds.
    ended: bool,
    /// The bundle of the last record read, from which a leap is measured.
    last: Option<u32>,
}

impl<'a> ListCursor<'a> {
    pub(crate) fn new(store: &'a dyn Reader, list: Key16, reverse: bool) -> Self {
        ListCursor {
            store,
            list,
            reverse,
            ahead: VecDeque::new(),
            read: FIRST_READ,
            ended: false,
            last: None,
        }
    }

    /// The first record in `bounds`, in the cursor's direction. From call to call, the bounds only shrink at the near end.
    pub(crate) fn seek(&mut self, bounds: (u32, u32)) -> Result<Option<(u32, Offsets)>, ListError> {
        let (from, to) = bounds;
        while let Some((bundle, _)) = self.ahead.front() {
            if (from..to).contains(bundle) {
                break;
            }
            self.ahead.pop_front();
        }
        if self.ahead.is_empty() && !self.ended {
            self.read_ahead(bounds)?;
        }
        Ok(self.ahead.front().copied())
    }

    fn read_ahead(&mut self, bounds: (u32, u32)) -> Result<(), ListError> {
        let near = if self.reverse { bounds.1.saturating_sub(1) } else { bounds.0 };
        if let Some(last) = self.last {
            // Read without gaps: take more at once. Leapt over: what was read ahead was mostly in vain.
            let gap = near.abs_diff(last) as usize;
            self.read = if gap <= self.read { (self.read * 4).min(LARGEST_READ) } else { FIRST_READ };
        }
        let (ahead, want) = (&mut self.ahead, self.read);
        scan_list(self.store, &self.list, bounds, self.reverse, &mut |bundle, offsets| {
            ahead.push_back((bundle, offsets));
            if ahead.len() < want { ControlFlow::Continue(()) } else { ControlFlow::Break(()) }
        })?;
        self.ended = self.ahead.len() < want;
        self.last = self.ahead.back().map(|(bundle, _)| *bundle);
        Ok(())
    }
}

pub(crate) fn bundle_of(seq: u64) -> u32 {
    // Applied entries are below `MAX_ENTRIES`, and what is asked is cut at them.
    u32::try_from(seq / BUNDLE).unwrap_or(u32::MAX)
}

/// The seqs in `from..to` (not empty) that are on all lists: a merge in which each list leaps to the bundle that the
/// furthest of the others has come to.
pub(crate) fn intersect(
    mut cursors: Vec<ListCursor<'_>>,
    from: u64,
    to: u64,
    reverse: bool,
    limit: usize,
) -> std::result::Result<Vec<u64>, ListError> {
    let mut found = Vec::new();
    // Bundles still to be looked at. The near end moves, the far end stays.
    let mut bounds = (bundle_of(from), bundle_of(to - 1).saturating_add(1));
    while bounds.0 < bounds.1 && found.len() < limit {
        let mut furthest = None;
        let mut agreed = true;
        let mut common = Offsets::range(0, BUNDLE);
        for cursor in &mut cursors {
            let Some((bundle, offsets)) = cursor.seek(bounds)? else { return Ok(found) };
            agreed &= furthest.is_none_or(|other| other == bundle);
            furthest = Some(bundle);
            common = common.and(offsets);
            bounds = if reverse { (bounds.0, bundle.saturating_add(1)) } else { (bundle, bounds.1) };
        }
        let Some(bundle) = furthest.filter(|_| agreed) else { continue };
        let base = u64::from(bundle) * BUNDLE;
        let wanted = Offsets::range(from.saturating_sub(base), to.saturating_sub(base).min(BUNDLE));
        let seqs = common.and(wanted).iter().map(|offset| base + u64::from(offset));
        let room = limit - found.len();
        if reverse {
            found.extend(seqs.rev().take(room))
        } else {
            found.extend(seqs.take(room))
        }
        bounds = if reverse { (bounds.0, bundle) } else { (bundle.saturating_add(1), bounds.1) };
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn offsets(of: &BTreeSet<u8>) -> Offsets {
        let mut offsets = Offsets::default();
        of.iter().for_each(|offset| offsets.insert(*offset));
        offsets
    }

    fn record(offsets: Offsets) -> Vec<u8> {
        let mut out = Vec::new();
        offsets.record(&mut out);
        out
    }

    proptest! {
        #[test]
        fn offsets_are_read_back(set in prop::collection::btree_set(any::<u8>(), 1..=256)) {
            let offsets = offsets(&set);
            let record = record(offsets);
            prop_assert_eq!(record.len(), set.len().min(BITMAP_BYTES));
            prop_assert_eq!(Offsets::read(&record), Some(offsets));
            prop_assert_eq!(offsets.iter().collect::<BTreeSet<_>>(), set.clone());
            prop_assert_eq!(offsets.count(), set.len() as u64);
        }

        #[test]
        fn a_range_cuts_offsets(set in prop::collection::btree_set(any::<u8>(), 0..=256), from in 0..=256_u64, to in 0..=256_u64) {
            let cut = offsets(&set).and(Offsets::range(from, to));
            let expected: BTreeSet<u8> = set.into_iter().filter(|o| (from..to).contains(&u64::from(*o))).collect();
            prop_assert_eq!(cut.iter().collect::<BTreeSet<_>>(), expected);
        }

        #[test]
        fn a_record_has_one_form(bytes in prop::collection::vec(any::<u8>(), 0..40)) {
            if let Some(offsets) = Offsets::read(&bytes) {
                prop_assert_eq!(record(offsets), bytes);
            }
        }
    }
}
