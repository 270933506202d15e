//! The newest entries in memory, for as long as some follower has yet to take them and there is room.

use super::event::Event;
use super::source::Portion;
use std::collections::VecDeque;
use std::sync::Arc;

/// Entries held, at most.
///
/// Reason: posting begins to give way when the views are 20,000 entries behind, and the largest batches bring a few
/// thousand more: whoever keeps that pace stays within, and nothing is read twice for him.
pub(super) const MAX_ENTRIES: usize = 32_768;

/// Bytes of memory held, at most, as [`Event`] weighs itself.
///
/// Reason: `MAX_ENTRIES` of ordinary size. Large ones are fewer; reading them again is dear to nobody but a follower that
/// is behind.
pub(super) const MAX_BYTES: usize = 64 << 20;

struct Held {
    event: Arc<Event>,
    weight: usize,
}

/// See the module. Its entries are consecutive.
pub(super) struct Ring {
    held: VecDeque<Held>,
    /// The number of the first one held, or of the next one to come.
    floor: u64,
    bytes: usize,
    max_entries: usize,
    max_bytes: usize,
}

impl Ring {
    pub(super) fn new(next: u64, max_entries: usize, max_bytes: usize) -> Ring {
        Ring { held: VecDeque::new(), floor: next, bytes: 0, max_entries, max_bytes }
    }

    /// The number of the entry after the last one held.
    pub(super) fn end(&self) -> u64 {
        self.floor + self.held.len() as u64
    }

    /// Whether an entry is held.
    pub(super) fn holds(&self, seq: u64) -> bool {
        (self.floor..self.end()).contains(&seq)
    }

    /// Entries held, and their bytes of memory.
    pub(super) fn size(&self) -> (usize, usize) {
        (self.held.len(), self.bytes)
    }

    /// Adds entries with their weights. If they do not follow those held, because some were left out in between, those held
    /// go: who still needs them reads the log. What had to go is in `gone`, to be dropped outside of locks.
    pub(super) fn push(&mut self, entries: Vec<(Arc<Event>, usize)>, gone: &mut Vec<Arc<Event>>) {
        for (event, weight) in entries {
            if event.seq != self.end() {
                self.restart(event.seq, gone);
            }
            self.bytes += weight;
            self.held.push_back(Held { event, weight });
            while self.held.len() > self.max_entries || self.bytes > self.max_bytes {
                self.drop_first(gone);
            }
        }
    }

    /// Nothing is held any more; the next entry has this number.
    pub(super) fn restart(&mut self, next: u64, gone: &mut Vec<Arc<Event>>) {
        gone.extend(self.held.drain(..).map(|held| held.event));
        (self.floor, self.bytes) = (next, 0);
    }

    /// Lets go of entries below `passed`, which everyone has taken.
    pub(super) fn let_go(&mut self, passed: u64, gone: &mut Vec<Arc<Event>>) {
        while self.floor < passed && !self.held.is_empty() {
            self.drop_first(gone);
        }
    }

    fn drop_first(&mut self, gone: &mut Vec<Arc<Event>>) {
        if let Some(first) = self.held.pop_front() {
            self.bytes -= first.weight;
            self.floor += 1;
            gone.push(first.event);
        }
    }

    /// Appends to `out` a portion of the entries from `from` on; false if that one is not held.
    pub(super) fn take(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> bool {
        if !self.holds(from) {
            return false;
        }
        let mut bytes = 0;
        // Less than the number of entries held, which a usize counts.
        for held in self.held.iter().skip((from - self.floor) as usize).take(portion.entries) {
            if bytes >= portion.bytes {
                break;
            }
            bytes += held.weight;
            out.push(held.event.clone());
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::follow::testing::history;

    fn entries(seqs: std::ops::Range<u64>) -> Vec<(Arc<Event>, usize)> {
        history(1, seqs).into_iter().map(|event| (event, 10)).collect()
    }

    const ALL: Portion = Portion { entries: usize::MAX, bytes: usize::MAX, data: true };

    fn taken(ring: &Ring, from: u64, portion: Portion) -> Option<Vec<u64>> {
        let mut out = Vec::new();
        ring.take(from, portion, &mut out).then(|| out.iter().map(|event| event.seq).collect())
    }

    #[test]
    fn what_is_held_is_bounded_in_entries_and_in_bytes() {
        for (max_entries, max_bytes, held) in [(5, 1_000, 5), (1_000, 45, 4), (1_000, 9, 0)] {
            let mut ring = Ring::new(0, max_entries, max_bytes);
            let mut gone = Vec::new();
            for from in (0..100).step_by(3) {
                ring.push(entries(from..from + 3), &mut gone);
                assert!(ring.size().0 <= max_entries && ring.size().1 <= max_bytes, "{:?}", ring.size());
            }
            assert_eq!((ring.size(), ring.end()), ((held, held * 10), 102));
            assert_eq!(gone.len() + held, 102);
        }
    }

    #[test]
    fn a_portion_is_bounded_and_begins_where_it_is_asked_to() {
        let mut ring = Ring::new(7, 10, 1_000);
        ring.push(entries(7..13), &mut Vec::new());
        assert_eq!(taken(&ring, 7, ALL), Some((7..13).collect()));
        assert_eq!(taken(&ring, 11, ALL), Some(vec![11, 12]));
        assert_eq!(taken(&ring, 8, Portion { entries: 2, ..ALL }), Some(vec![8, 9]));
        // The one that fills it is in it.
        assert_eq!(taken(&ring, 8, Portion { bytes: 11, ..ALL }), Some(vec![8, 9]));
        assert_eq!((taken(&ring, 6, ALL), taken(&ring, 13, ALL)), (None, None));
    }

    #[test]
    fn what_everyone_has_taken_goes_and_so_does_what_no_longer_joins() {
        let mut ring = Ring::new(0, 10, 1_000);
        let mut gone = Vec::new();
        ring.push(entries(0..6), &mut gone);
        ring.let_go(4, &mut gone);
        assert_eq!((taken(&ring, 3, ALL), taken(&ring, 4, ALL)), (None, Some(vec![4, 5])));
        // 6 to 8 were left out.
        ring.push(entries(9..11), &mut gone);
        assert_eq!((taken(&ring, 5, ALL), taken(&ring, 9, ALL)), (None, Some(vec![9, 10])));
        ring.let_go(100, &mut gone);
        assert_eq!((ring.size(), ring.end(), gone.len()), ((0, 0), 11, 8));
    }
}
