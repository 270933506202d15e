//! Which events count: an `event.corrected` takes its target away from its own number on, unless it is taken away itself.

use super::error::Result;
use super::event::EventFeed;
use super::keys;
use crate::follow::Event;
use crate::store::{Batch, Store, Table};
use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::ops::ControlFlow;

/// The type of a correction.
pub const CORRECTION: &str = "event.corrected";

/// Corrections as the store has them, and those of the batch in hand.
pub(super) struct Corrections<'a> {
    store: &'a dyn Store,
    /// Targets and their corrections, where the batch in hand has added some.
    fresh: BTreeMap<u64, Vec<u64>>,
}

impl<'a> Corrections<'a> {
    pub(super) fn new(store: &'a dyn Store) -> Corrections<'a> {
        Corrections { store, fresh: BTreeMap::new() }
    }

    /// The corrections of an entry, ascending.
    pub(super) fn of(&self, target: u64) -> Result<Vec<u64>> {
        if let Some(fresh) = self.fresh.get(&target) {
            return Ok(fresh.clone());
        }
        let record = self.store.get(Table::Meta, &keys::corrections(target))?.unwrap_or_default();
        Ok(read(&record))
    }

    /// Notes a correction.
    pub(super) fn add(&mut self, target: u64, correction: u64, batch: &mut Batch) -> Result<()> {
        let mut known = self.of(target)?;
        if let Err(place) = known.binary_search(&correction) {
            known.insert(place, correction);
            let record: Vec<u8> = known.iter().flat_map(|seq| seq.to_be_bytes()).collect();
            batch.put(Table::Meta, &keys::corrections(target), &record);
            self.fresh.insert(target, known);
        }
        Ok(())
    }

    /// The correction by which an entry does not count among the entries below `known`, if there is one: the first of
    /// those that count themselves.
    pub(super) fn against(&self, seq: u64, known: u64) -> Result<Option<u64>> {
        // All corrections that matter: of the entry, of those, and so on. Each has a higher number than its target.
        let mut matter: BTreeMap<u64, Vec<u64>> = BTreeMap::new();
        let mut open = vec![seq];
        while let Some(entry) = open.pop() {
            if let Entry::Vacant(place) = matter.entry(entry) {
                let corrections = self.of(entry)?;
                let corrections: Vec<u64> =
                    corrections.into_iter().filter(|next| (entry + 1..known).contains(next)).collect();
                open.extend(&corrections);
                place.insert(corrections);
            }
        }
        // From the latest on: whether one counts depends on later ones alone.
        let mut counts = BTreeSet::new();
        let mut against = None;
        for (entry, corrections) in matter.iter().rev() {
            against = corrections.iter().copied().find(|correction| counts.contains(correction));
            if against.is_none() {
                counts.insert(*entry);
            }
        }
        Ok(against)
    }

    /// The entries that a new correction of `target` may have changed: the target, and where that is a correction, its
    /// own target, and so on.
    pub(super) fn touched(
        target: u64,
        feed: &dyn EventFeed,
        target_of: &dyn Fn(&Event) -> Result<Option<u64>>,
    ) -> Result<Vec<Event>> {
        let mut touched = Vec::new();
        let mut next = Some(target);
        while let Some(seq) = next {
            let event = feed.event(seq)?;
            next = if event.ty == CORRECTION { target_of(&event)? } else { None };
            touched.push(event);
        }
        Ok(touched)
    }
}

fn read(record: &[u8]) -> Vec<u64> {
    record.as_chunks::<8>().0.iter().map(|bytes| u64::from_be_bytes(*bytes)).collect()
}

/// All corrected entries and their corrections.
pub(super) fn all(store: &dyn Store) -> Result<Vec<(u64, Vec<u64>)>> {
    let (from, to) = keys::all_corrections();
    let mut found = Vec::new();
    store.scan(Table::Meta, &from, &to, false, &mut |key, value| {
        found.extend(keys::corrected(key).map(|seq| (seq, read(value))));
        ControlFlow::Continue(())
    })?;
    Ok(found)
}
