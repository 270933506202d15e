//! Lists of entries: which entries speak of something. Kept as the index keeps its lists, a bundle of 256 entries at a
//! time.

use super::error::{EngineError, Result};
use super::keys::{self, Slot};
use crate::catalog::Catalog;
use crate::follow::Event;
use crate::store::postings::{BUNDLE, Key16, ListCursor, Offsets, intersect, posting_key, scan_list};
use crate::store::{Batch, Reader, Table};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::Arc;

/// Puts entries on lists.
pub trait EntryLists: Send + Sync {
    /// Its name among all projections.
    fn name(&self) -> &str;

    /// Another one means other lists from the same entries.
    fn version(&self) -> u64;

    /// The fields on whose lists it looks back: on which lists an entry is may depend on what these hold already.
    fn looks_back(&self) -> &[&'static str] {
        &[]
    }

    /// The lists that an entry is on, each as a field and a value, and whether the list's entries are counted.
    ///
    /// # Errors
    /// What it looks back at cannot be read.
    fn lists_of(
        &self,
        event: &Event,
        catalog: &Catalog,
        earlier: &dyn Earlier,
    ) -> Result<Vec<(&'static str, String, Counted)>>;
}

/// What was listed before an entry.
pub trait Earlier {
    /// The newest entries on one of the lists of a field that [`EntryLists::looks_back`] names, in the order of recording.
    ///
    /// # Errors
    /// The store or the log failed.
    fn listed(&self, field: &'static str, value: &str) -> Result<Vec<Arc<Event>>>;
}

/// Whether the engine keeps how many entries a list has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counted {
    /// It does: for few lists with many entries.
    Yes,
    /// It does not.
    No,
}

/// The records of the bundle that is not full yet: they are written again as it grows.
#[derive(Default)]
pub(super) struct Tail {
    /// None until the first entry since the store was opened.
    bundle: Option<u64>,
    /// The lists are all in here from the bundle's first entry on; otherwise the store may know more.
    whole: bool,
    lists: HashMap<Key16, (Offsets, bool)>,
}

impl Tail {
    /// Puts entry `seq` on a list.
    pub(super) fn add(&mut self, store: &dyn Reader, list: Key16, seq: u64, batch: &mut Batch) -> Result<()> {
        let bundle = seq / BUNDLE;
        if self.bundle != Some(bundle) {
            self.write(batch);
            // Entries come one after the other: all of this bundle came by here, unless the store was opened within it.
            let whole = self.bundle.is_some();
            *self = Tail { bundle: Some(bundle), whole, lists: HashMap::new() };
        }
        let whole = self.whole;
        let entry = match self.lists.entry(list) {
            std::collections::hash_map::Entry::Occupied(entry) => entry.into_mut(),
            std::collections::hash_map::Entry::Vacant(entry) => {
                let before = if whole { None } else { read_record(store, &list, bundle)? };
                entry.insert((before.unwrap_or_default(), false))
            }
        };
        entry.0.insert((seq % BUNDLE) as u8);
        entry.1 = true;
        Ok(())
    }

    /// Puts what has changed into `batch`.
    pub(super) fn write(&mut self, batch: &mut Batch) {
        let mut record = Vec::new();
        let Some(bundle) = self.bundle else { return };
        let bundle = u32::try_from(bundle).unwrap_or(u32::MAX);
        for (list, (offsets, changed)) in self.lists.iter_mut().filter(|(_, (_, changed))| *changed) {
            record.clear();
            offsets.record(&mut record);
            batch.put(Table::Postings, &posting_key(list, bundle), &record);
            *changed = false;
        }
    }
}

/// Puts members into a list's record of a bundle, in addition to those that it has.
pub(super) fn add(
    store: &dyn Reader,
    list: &Key16,
    bundle: u64,
    offsets: Offsets,
    batch: &mut Batch,
) -> Result<()> {
    let before = read_record(store, list, bundle)?.unwrap_or_default();
    let after = before.or(offsets);
    if after != before {
        let mut record = Vec::new();
        after.record(&mut record);
        let bundle = u32::try_from(bundle).unwrap_or(u32::MAX);
        batch.put(Table::Postings, &posting_key(list, bundle), &record);
    }
    Ok(())
}

fn read_record(store: &dyn Reader, list: &Key16, bundle: u64) -> Result<Option<Offsets>> {
    let bundle = u32::try_from(bundle).unwrap_or(u32::MAX);
    let record = store.get(Table::Postings, &posting_key(list, bundle))?;
    record.map(|record| Offsets::read(&record).ok_or(EngineError::Unreadable("a list's record"))).transpose()
}

/// Entries below `before` that are on all of these lists, the newest or the oldest first, from `from` on.
pub(super) fn entries(
    store: &dyn Reader,
    slot: Slot,
    lists: &[(&str, &str)],
    (from, before): (u64, u64),
    newest_first: bool,
    limit: usize,
) -> Result<Vec<u64>> {
    if from >= before || limit == 0 || lists.is_empty() {
        return Ok(Vec::new());
    }
    let cursor = |(field, value): &(&str, &str)| {
        ListCursor::new(store, keys::entries(slot, field, value), newest_first)
    };
    let cursors = lists.iter().map(cursor).collect();
    Ok(intersect(cursors, from, before, newest_first, limit)?)
}

/// How many entries below `before` are on a list. Takes time in proportion to the bundles that it is in.
pub(super) fn count_below(
    store: &dyn Reader,
    slot: Slot,
    (field, value): (&str, &str),
    before: u64,
) -> Result<u64> {
    let list = keys::entries(slot, field, value);
    let last = u32::try_from(before / BUNDLE).unwrap_or(u32::MAX);
    let mut count = 0;
    scan_list(store, &list, (0, last.saturating_add(1)), false, &mut |bundle, offsets| {
        let seen = if bundle < last { offsets } else { offsets.and(Offsets::range(0, before % BUNDLE)) };
        count += seen.count();
        ControlFlow::Continue(())
    })?;
    Ok(count)
}
