//! The entries beside rows, as they are known: those on the lists of a view's judge, and those about acts of two and imports.

use super::reading::Reading;
use super::remembered::Imports;
use crate::spec::encoding::to_hex;
use crate::views::engine::acts::counted::MAX_READ;
use crate::views::engine::acts::import::{Brought, Import};
use crate::views::engine::acts::imports::imports_of;
use crate::views::engine::acts::listed::ANY;
use crate::views::engine::corrections::Counts;
use crate::views::engine::error::Result;
use crate::views::engine::judging::Beside;
use crate::views::engine::keys::Slot;
use crate::views::engine::lists;
use crate::views::engine::row::RowEvent;
use std::cell::Cell;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::Arc;

/// Entries of one list that are read for a judgement, the newest of them; of acts of two the oldest.
///
/// Reason: each is read from the log once a question, some tens of microseconds. They are the roles of one person, or the
/// rights lent to one; and of many confirmations of one act the first ones decide.
const MAX_BESIDE: usize = 2_048;

/// Lists that a question remembers.
///
/// Reason: some hundred bytes an event, so some megabytes. Beyond, it begins anew.
const MAX_REMEMBERED: usize = 4_096;

/// Entries of a list that are asked for at once.
const CHUNK: usize = 256;

/// What a question knows beside its rows.
pub(super) struct Aside<'a> {
    pub(super) reading: &'a Reading<'a>,
    /// The lists of the view's judge.
    pub(super) slot: Option<Slot>,
    pub(super) known: u64,
}

impl Aside<'_> {
    fn entries(
        &self,
        slot: Option<Slot>,
        list: (&str, &str),
        range: (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>> {
        let Some(slot) = slot else { return Ok(Vec::new()) };
        lists::entries(self.reading.store(), slot, &[list], range, newest_first, limit)
    }

    /// What stands of the entries on a list, in the order of recording.
    fn read(&self, slot: Option<Slot>, list: (&str, &str), newest_first: bool) -> Result<Arc<[RowEvent]>> {
        let seqs = self.entries(slot, list, (0, self.known), newest_first, MAX_BESIDE)?;
        let corrections = self.reading.corrections();
        let (feed, catalog) = (&*self.reading.engine.feed, &self.reading.catalog);
        let mut events = Vec::with_capacity(seqs.len());
        for seq in seqs {
            let counts = corrections.counts(seq, self.known)?;
            if matches!(counts, Counts::Not { .. }) {
                continue;
            }
            let mut event = feed.event(seq)?.for_row(catalog);
            if let Counts::InPlaceOf { target, retimed } = counts {
                event.put_in_place(&feed.event(target)?, retimed);
            }
            events.push(event);
        }
        events.sort_by_key(|event| (event.place, event.seq));
        Ok(events.into())
    }

    fn find_first(&self, field: &'static str, value: &str) -> Result<Option<u64>> {
        let corrections = self.reading.corrections();
        let mut from = 0;
        let mut first: Option<u64> = None;
        loop {
            let seqs = self.entries(self.slot, (field, value), (from, self.known), false, CHUNK)?;
            for seq in &seqs {
                match corrections.counts(*seq, self.known)? {
                    // What comes later stands later, but for what takes the place of something that was passed by.
                    Counts::AsItIs => return Ok(Some(first.map_or(*seq, |first| first.min(*seq)))),
                    Counts::InPlaceOf { target, .. } => {
                        first = Some(first.map_or(target, |first| first.min(target)));
                    }
                    Counts::Not { by } => {
                        if corrections.replaces(by)? {
                            first = Some(first.map_or(*seq, |first| first.min(*seq)));
                        }
                    }
                }
            }
            match seqs.last() {
                Some(last) if seqs.len() == CHUNK => from = last.saturating_add(1),
                _ => return Ok(first),
            }
        }
    }
}

/// What is remembered, or is found out now and remembered.
fn remembered<K: Eq + Hash, V: Clone>(
    all: &std::cell::RefCell<HashMap<K, V>>,
    key: K,
    find: impl FnOnce() -> Result<V>,
) -> Result<V> {
    if let Some(known) = all.borrow().get(&key) {
        return Ok(known.clone());
    }
    let found = find()?;
    let mut all = all.borrow_mut();
    if all.len() >= MAX_REMEMBERED {
        all.clear();
    }
    all.insert(key, found.clone());
    Ok(found)
}

impl Beside for Aside<'_> {
    fn listed(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>> {
        let key = (self.known, field, value.to_owned());
        remembered(&self.reading.remembered.listed, key, || self.read(self.slot, (field, value), true))
    }

    fn first(&self, field: &'static str, value: &str) -> Result<Option<u64>> {
        let key = (self.known, field, value.to_owned());
        remembered(&self.reading.remembered.first, key, || self.find_first(field, value))
    }

    fn acts(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>> {
        let key = (self.known, field, value.to_owned());
        remembered(&self.reading.remembered.acts, key, || self.read(self.reading.acts, (field, value), false))
    }

    fn any_act(&self, field: &'static str) -> Result<bool> {
        remembered(&self.reading.remembered.any_act, (self.known, field), || {
            Ok(!self.entries(self.reading.acts, (field, ANY), (0, self.known), false, 1)?.is_empty())
        })
    }

    fn imports(&self, source: &str) -> Result<Imports> {
        let key = (self.known, source.to_owned());
        remembered(&self.reading.remembered.imports, key, || Ok(imports_of(source, self)?.into()))
    }

    fn brought(&self, import: &Import) -> Result<Brought> {
        let counted = &self.reading.remembered.counted;
        let room = Cell::new(MAX_READ.saturating_sub(counted.get()));
        let engine = self.reading.engine;
        let brought = engine.counter.count(import, self.known, &room, &*engine.feed)?;
        counted.set(MAX_READ.saturating_sub(room.get()));
        Ok(brought)
    }

    fn digest(&self, seq: u64) -> Result<String> {
        Ok(format!("sha256:{}", to_hex(&self.reading.engine.feed.digest(seq)?)))
    }
}
