//! The entries beside rows, as they are known: those on the lists of a view's judge, and those about acts of two and imports.

use super::reading::Reading;
use super::remembered::{Imports, Listed, SpokenOf};
use crate::spec::encoding::to_hex;
use crate::views::engine::acts::counted::MAX_READ;
use crate::views::engine::acts::import::{Brought, Import};
use crate::views::engine::acts::imports::imports_of;
use crate::views::engine::acts::listed::ANY;
use crate::views::engine::corrections::Counts;
use crate::views::engine::error::Result;
use crate::views::engine::judging::{Before, Beside};
use crate::views::engine::keys::Slot;
use crate::views::engine::lists;
use crate::views::engine::row::RowEvent;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
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

    /// The entries on a list, and what corrections say of them.
    fn read(&self, slot: Option<Slot>, list: (&str, &str), newest_first: bool) -> Result<Listed> {
        let seqs = self.entries(slot, list, (0, self.known), newest_first, MAX_BESIDE)?;
        let corrections = self.reading.corrections();
        let (feed, catalog) = (&*self.reading.engine.feed, &self.reading.catalog);
        let mut standing = Vec::with_capacity(seqs.len());
        let mut spoken_of = BTreeMap::new();
        for seq in seqs {
            let said = corrections.said_of(seq)?;
            let event = feed.event(seq)?.for_row(catalog);
            if said.is_nothing() {
                standing.push(event);
                continue;
            }
            let placed = match said.target() {
                Some(target) => {
                    let target = feed.event(target)?;
                    Some([false, true].map(|retimed| {
                        let mut placed = event.clone();
                        placed.put_in_place(&target, retimed);
                        placed
                    }))
                }
                None => None,
            };
            let one = SpokenOf { event, placed, said };
            standing.extend(one.counted(self.known).cloned());
            spoken_of.insert(seq, one);
        }
        standing.sort_by_key(|event| (event.place, event.seq));
        Ok(Listed { standing: standing.into(), spoken_of })
    }

    /// The entries of a list of the view's judge, remembered.
    fn list(&self, field: &'static str, value: &str) -> Result<Arc<Listed>> {
        let key = (self.known, field, value.to_owned());
        let read = || Ok(Arc::new(self.read(self.slot, (field, value), true)?));
        remembered(&self.reading.remembered.listed, key, read)
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
        Ok(self.list(field, value)?.standing.clone())
    }

    fn before(&self, field: &'static str, value: &str, known: u64) -> Result<Before> {
        let (listed, known) = (self.list(field, value)?, known.min(self.known));
        let differs = |one: &&SpokenOf| one.said.counts(self.known) != one.said.counts(known);
        if !listed.spoken_of.values().any(|one| differs(&one)) {
            return Ok(Before { standing: listed.standing.clone(), corrected: Vec::new() });
        }
        let untouched = listed.standing.iter().filter(|event| !listed.spoken_of.contains_key(&event.seq));
        let stood = listed.spoken_of.values().filter_map(|one| one.counted(known));
        let mut standing: Vec<RowEvent> = untouched.chain(stood).cloned().collect();
        let corrected = listed.spoken_of.values().filter(differs);
        let corrected = corrected.filter_map(|one| {
            let event = one.counted(known).or_else(|| one.counted(self.known))?;
            Some((event.clone(), one.said.last(self.known)?))
        });
        let corrected = corrected.collect();
        standing.sort_by_key(|event| (event.place, event.seq));
        Ok(Before { standing: standing.into(), corrected })
    }

    fn first(&self, field: &'static str, value: &str) -> Result<Option<u64>> {
        let key = (self.known, field, value.to_owned());
        remembered(&self.reading.remembered.first, key, || self.find_first(field, value))
    }

    fn acts(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>> {
        let key = (self.known, field, value.to_owned());
        let read = || Ok(self.read(self.reading.acts, (field, value), false)?.standing);
        remembered(&self.reading.remembered.acts, key, read)
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
