//! Which events of an approval lie inside an import: history that was brought in long after it was done.

use super::told::Told;
use crate::views::engine::Import;
use std::collections::BTreeMap;
use std::sync::Arc;

/// The imports of the events that lie inside one, by the events' entries.
#[derive(Default)]
pub(super) struct Inside(BTreeMap<u64, Arc<Import>>);

impl Inside {
    pub(super) fn put(&mut self, seq: u64, import: Arc<Import>) {
        self.0.insert(seq, import);
    }

    /// The import inside which an event lies.
    pub(super) fn import(&self, told: &Told) -> Option<&Import> {
        self.0.get(&told.seq).map(|import| &**import)
    }

    pub(super) fn holds(&self, told: &Told) -> bool {
        self.0.contains_key(&told.seq)
    }

    /// Below which place authority for what was done is known: what was recorded before it; inside an import, what was
    /// known at its end.
    pub(super) fn known_to(&self, told: &Told) -> u64 {
        self.import(told).map_or(told.place, Import::known_to)
    }
}
