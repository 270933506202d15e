//! The entries that the index may not know yet: identities and subjects of what was sequenced lately, committed or
//! still on its way. Together with the index they know every identity, without a gap between them.

use crate::log::append::Item;
use crate::spec::merkle::Hash;
use std::collections::{HashMap, VecDeque};

/// Entries that the index may be behind before appending waits for it.
///
/// Reason: some seconds of the highest append rate, in about 40 MB.
pub const MAX_INDEX_LAG: u64 = 262_144;

/// Entries kept though the index has them.
///
/// Reason: a handler may have looked an identity up a moment ago, when the index did not have them yet; keeping a
/// second's worth saves looking again.
const KEPT: usize = 32_768;

struct Known {
    identity: [u8; 16],
    fingerprint: Hash,
    subject: Option<[u8; 16]>,
}

/// See the module.
pub struct Recent {
    /// The first entry that is here; the index has all before it.
    floor: u64,
    entries: VecDeque<Known>,
    by_identity: HashMap<[u8; 16], u64>,
}

impl Recent {
    /// Nothing yet; entries from `floor` on will be here.
    #[must_use]
    pub fn new(floor: u64) -> Self {
        Self { floor, entries: VecDeque::new(), by_identity: HashMap::new() }
    }

    /// The first entry that is here.
    #[must_use]
    pub fn floor(&self) -> u64 {
        self.floor
    }

    /// The entry after the last one here.
    #[must_use]
    pub fn end(&self) -> u64 {
        self.floor + self.entries.len() as u64
    }

    /// Adds the next entry.
    pub fn push(&mut self, item: &Item) {
        self.by_identity.insert(item.identity, self.end());
        let known = Known { identity: item.identity, fingerprint: item.fingerprint, subject: item.subject };
        self.entries.push_back(known);
    }

    /// An entry's number and fingerprint by its identity.
    #[must_use]
    pub fn find(&self, identity: &[u8; 16]) -> Option<(u64, Hash)> {
        let seq = *self.by_identity.get(identity)?;
        let known = self.entries.get((seq - self.floor) as usize)?;
        Some((seq, known.fingerprint))
    }

    /// How many entries from `from` on have this subject.
    #[must_use]
    pub fn count(&self, subject: &[u8; 16], from: u64) -> u64 {
        let skip = from.saturating_sub(self.floor) as usize;
        self.entries.iter().skip(skip).filter(|known| known.subject.as_ref() == Some(subject)).count() as u64
    }

    /// Forgets what the index has, less a margin.
    pub fn prune(&mut self, applied: u64) {
        while self.floor < applied && self.entries.len() > KEPT {
            self.drop_first();
        }
    }

    fn drop_first(&mut self) {
        if let Some(known) = self.entries.pop_front() {
            // A rewound identity may have been taken again by a later entry.
            if self.by_identity.get(&known.identity) == Some(&self.floor) {
                self.by_identity.remove(&known.identity);
            }
            self.floor += 1;
        }
    }

    /// Forgets what was not committed after all: entries from `size` on.
    pub fn rewind(&mut self, size: u64) {
        while self.end() > size {
            let Some(known) = self.entries.pop_back() else { return };
            self.by_identity.remove(&known.identity);
        }
    }
}
