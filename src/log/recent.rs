//! The entries that the index may not know yet: identities and subjects of what was sequenced lately, committed or
//! still on its way. Together with the index they know every identity, without a gap between them.

use crate::log::append::{Item, Sources};
use crate::spec::merkle::Hash;
use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;

/// Entries that the index may be behind before appending waits for it.
///
/// Reason: some seconds of the highest append rate, in about 40 MB.
pub const MAX_INDEX_LAG: u64 = 262_144;

/// Entries kept though the index has them.
///
/// Reason: a handler may have looked an identity up a moment ago, when the index did not have them yet; keeping a
/// second's worth saves looking again.
const KEPT: usize = 32_768;

/// Sources up to this length are kept, in bytes.
///
/// Reason: those that applications have are shorter; if each entry had one of its own, they took some 40 MB more.
const MAX_SOURCE_BYTES: usize = 128;

struct Known {
    identity: [u8; 16],
    fingerprint: Hash,
    subject: Option<[u8; 16]>,
    /// None where it is too long to be kept.
    source: Option<Arc<str>>,
}

/// See the module.
pub struct Recent {
    /// The first entry that is here; the index has all before it.
    floor: u64,
    entries: VecDeque<Known>,
    by_identity: HashMap<[u8; 16], u64>,
    /// The sources of `entries`, each held once: there are few, and many entries of each.
    sources: HashSet<Arc<str>>,
}

impl Recent {
    /// Nothing yet; entries from `floor` on will be here.
    #[must_use]
    pub fn new(floor: u64) -> Self {
        Self { floor, entries: VecDeque::new(), by_identity: HashMap::new(), sources: HashSet::new() }
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
        let source = self.held(&item.source);
        let Item { identity, fingerprint, subject, .. } = *item;
        self.entries.push_back(Known { identity, fingerprint, subject, source });
    }

    fn held(&mut self, source: &Arc<str>) -> Option<Arc<str>> {
        if source.len() > MAX_SOURCE_BYTES {
            return None;
        }
        if let Some(held) = self.sources.get(source) {
            return Some(held.clone());
        }
        self.sources.insert(source.clone());
        Some(source.clone())
    }

    /// Forgets a source that no entry here has any more.
    fn let_go(&mut self, source: Option<Arc<str>>) {
        let Some(source) = source else { return };
        // Here, and among the sources held; whoever made the item may hold it too, and then it is let go with the next one.
        if Arc::strong_count(&source) <= 2 {
            self.sources.remove(&source);
        }
    }

    /// An entry's number and fingerprint by its identity.
    #[must_use]
    pub fn find(&self, identity: &[u8; 16]) -> Option<(u64, Hash)> {
        let seq = *self.by_identity.get(identity)?;
        let known = self.entries.get((seq - self.floor) as usize)?;
        Some((seq, known.fingerprint))
    }

    /// How many entries from `from` on have this subject, and a source that counts. None if one of them has a source that is
    /// not kept here: then the index has to be waited for.
    #[must_use]
    pub fn count(&self, subject: &[u8; 16], from: u64, sources: Option<&Sources>) -> Option<u64> {
        let skip = from.saturating_sub(self.floor) as usize;
        let mut entries =
            self.entries.iter().skip(skip).filter(|known| known.subject.as_ref() == Some(subject));
        let Some(Sources(counts)) = sources else { return Some(entries.count() as u64) };
        entries.try_fold(0, |count, known| Some(count + u64::from(counts(known.source.as_deref()?))))
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
            self.let_go(known.source);
            self.floor += 1;
        }
    }

    /// Forgets what was not committed after all: entries from `size` on.
    pub fn rewind(&mut self, size: u64) {
        while self.end() > size {
            let Some(known) = self.entries.pop_back() else { return };
            self.by_identity.remove(&known.identity);
            self.let_go(known.source);
        }
    }
}
