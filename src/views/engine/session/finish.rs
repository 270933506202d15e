//! Writing what a batch of entries came to: rows, and everything that is kept of them.

use super::marks::{Marks, is_there};
use super::{Session, Sum, Working};
use crate::store::postings::{BUNDLE, Offsets};
use crate::store::{Batch, Table};
use crate::views::engine::digest::Digest;
use crate::views::engine::error::{EngineError, Result};
use crate::views::engine::footholds::Footholds;
use crate::views::engine::keys::{self, DateKind, Slot};
use crate::views::engine::lists::{self, Tail};
use crate::views::engine::slots::Member;
use crate::views::engine::stored::{Stored, read_count};
use crate::views::engine::view::CONFLICT;
use crate::views::stats::DayStats;
use serde_json::Value;
use std::collections::HashMap;
use std::collections::hash_map::Entry;

/// Bytes of most rows' records: room is made for as many at once.
const ROW_BYTES: usize = 512;

impl Session<'_> {
    /// Writes everything into one batch, and carries the members' digests and numbers of rows on. How many events were read
    /// again for it is in the second.
    pub(in crate::views::engine) fn finish(
        mut self,
        members: &mut [Member],
        tails: &mut HashMap<Slot, Tail>,
        footholds: &mut Footholds,
    ) -> Result<(Batch, u64)> {
        // In the order of their numbers, which is that of most of their keys: what is written side by side in a table
        // finds its place sooner.
        let mut rows: Vec<_> = std::mem::take(&mut self.in_hand).into_iter().collect();
        rows.sort_unstable_by_key(|(key, _)| *key);
        let mut dense: HashMap<(Slot, &str, String, u64), Offsets> = HashMap::new();
        let place: HashMap<Slot, usize> =
            members.iter().enumerate().map(|(place, member)| (member.slot, place)).collect();
        for ((slot, number), mut working) in rows {
            let Some(member) = place.get(&slot).and_then(|place| members.get_mut(*place)) else { continue };
            if working.gone {
                footholds.forget((slot, number));
            } else {
                self.fold(slot, number, &mut working, footholds)?;
            }
            self.write_row(slot, number, &mut working, member)?;
            if !working.gone {
                for (field, value) in working.dense {
                    let list = (slot, field, value, number / BUNDLE);
                    dense.entry(list).or_default().insert((number % BUNDLE) as u8);
                }
            }
        }
        for (key, value) in std::mem::take(&mut self.events) {
            let member =
                slot_of(&key).and_then(|slot| place.get(&slot)).and_then(|place| members.get_mut(*place));
            let Some(member) = member else { continue };
            if let Some(value) = value {
                // It is new: each event is applied once, and moved at most once.
                member.digest.add(&key, &value);
                self.batch.put(Table::Events, &key, &value);
            } else if let Some(before) = self.store.get(Table::Events, &key)? {
                member.digest.remove(&key, &before);
                self.batch.delete(Table::Events, &key);
            }
        }
        for (key, Sum { slot, name, tallier, events }) in std::mem::take(&mut self.tallies) {
            let before = self.store.get(Table::Meta, &key)?;
            let mut value = before.as_deref().map_or(Ok(Value::Null), |bytes| {
                serde_json::from_slice(bytes).map_err(|_| EngineError::Unreadable("a tally"))
            })?;
            let beside = tallier.add(&name, &mut value, &events, self.catalog);
            let beside = beside.into_iter().map(|(name, value)| (keys::tally(slot, &name), None, value));
            let Some(member) = place.get(&slot).and_then(|place| members.get_mut(*place)) else { continue };
            for (key, before, value) in std::iter::once((key, before, value)).chain(beside) {
                let bytes = serde_json::to_vec(&value).unwrap_or_default();
                if before.as_deref() != Some(bytes.as_slice()) {
                    replace(&mut member.digest, &key, before.as_deref(), Some(&bytes));
                    self.batch.put(Table::Meta, &key, &bytes);
                }
            }
        }
        self.write_counts()?;
        for (key, stats) in std::mem::take(&mut self.statistics) {
            if stats == DayStats::default() {
                self.batch.delete(Table::Meta, &key);
            } else {
                self.batch.put(Table::Meta, &key, &serde_json::to_vec(&stats).unwrap_or_default());
            }
        }
        tails.values_mut().for_each(|tail| tail.write(&mut self.batch));
        for ((slot, field, value, bundle), offsets) in dense {
            let list = keys::entries(slot, field, &value);
            lists::add(self.store, &list, bundle, offsets, &mut self.batch)?;
        }
        Ok((self.batch, self.read_again))
    }

    fn write_row(
        &mut self,
        slot: Slot,
        number: u64,
        working: &mut Working,
        member: &mut Member,
    ) -> Result<()> {
        if working.stored.in_conflict() {
            working.listed.push((CONFLICT, "true".to_owned()));
        }
        working.listed.sort_unstable();
        working.listed.dedup();
        let view = &*working.view;
        if !working.gone {
            let stored = &mut working.stored;
            stored.settled = view.settled_from(&stored.row);
            let from = stored.stays_from();
            view.settle(&mut stored.row, from);
            // What it is before then is worked out when it is asked.
            stored.ahead |= from > self.recorded_at;
        }
        let key = keys::row(slot, number);
        let before = working.before.as_ref().map(|(_, stored)| stored);
        let after = (!working.gone).then_some(&working.stored);
        let bytes = after.map(|stored| {
            let mut bytes = Vec::with_capacity(ROW_BYTES);
            // A struct of texts, numbers and JSON always serialises, and a vector takes everything.
            let _ = serde_json::to_writer(&mut bytes, stored);
            bytes
        });
        let bytes_before = working.before.as_ref().map(|(bytes, _)| bytes.as_slice());
        replace(&mut member.digest, &key, bytes_before, bytes.as_deref());
        match &bytes {
            Some(bytes) => self.batch.put(Table::Rows, &key, bytes),
            None if before.is_some() => self.batch.delete(Table::Rows, &key),
            None => {}
        }
        match (is_there(before), is_there(after)) {
            (false, true) => member.rows += 1,
            (true, false) => member.rows = member.rows.saturating_sub(1),
            _ => {}
        }

        let (old, new) = (Marks::of(view, before), Marks::of(view, after));
        if old != new {
            for key in old.keys(slot, number) {
                self.batch.delete(Table::Terms, &key);
            }
            for key in new.keys(slot, number) {
                self.batch.put(Table::Terms, &key, &[]);
            }
            for (sign, marks) in [(-1, old), (1, new)] {
                for (kind, time) in marks.dates.iter().filter(|(kind, _)| match kind {
                    DateKind::Due => true,
                    // Counted to tell how many are expired.
                    DateKind::Until => marks.expiring,
                    DateKind::Ahead => false,
                }) {
                    *self.days.entry(keys::days(slot, *kind, time.day())).or_default() += sign;
                }
                for (facet, value) in marks.facets {
                    *self.counts.entry((slot, facet, value)).or_default() += sign;
                }
            }
        }
        for (field, value) in working.listed.iter().filter(|_| after.is_some()) {
            self.batch.put(Table::Terms, &keys::listed(slot, field, value, number), &[]);
        }
        let facts = |stored: Option<&Stored>| {
            stored.filter(|stored| is_there(Some(stored))).and_then(|stored| view.contribution(&stored.row))
        };
        let (old, new) = (facts(before), facts(after));
        if old != new {
            for (facts, add) in [(old, false), (new, true)] {
                let Some(facts) = facts else { continue };
                let key = keys::statistics(slot, &facts.model, &facts.version, facts.day);
                let stats = match self.statistics.entry(key) {
                    Entry::Occupied(stats) => stats.into_mut(),
                    Entry::Vacant(place) => {
                        let record = self.store.get(Table::Meta, place.key())?;
                        place.insert(record.map_or(Ok(DayStats::default()), |record| {
                            serde_json::from_slice(&record).map_err(|_| EngineError::Unreadable("statistics"))
                        })?)
                    }
                };
                if add { stats.add(&facts) } else { stats.remove(&facts) }
            }
        }
        Ok(())
    }

    fn write_counts(&mut self) -> Result<()> {
        let counts = std::mem::take(&mut self.counts).into_iter();
        let counts = counts.map(|((slot, facet, value), change)| (keys::count(slot, facet, &value), change));
        for (key, change) in counts.chain(std::mem::take(&mut self.days)) {
            if change == 0 {
                continue;
            }
            let before = read_count(self.store, &key)?;
            match before.saturating_add_signed(change) {
                0 => self.batch.delete(Table::Meta, &key),
                after => self.batch.put(Table::Meta, &key, &after.to_be_bytes()),
            }
        }
        Ok(())
    }
}

fn replace(digest: &mut Digest, key: &[u8], before: Option<&[u8]>, after: Option<&[u8]>) {
    if before != after {
        before.iter().for_each(|bytes| digest.remove(key, bytes));
        after.iter().for_each(|bytes| digest.add(key, bytes));
    }
}

fn slot_of(key: &[u8]) -> Option<Slot> {
    key.first_chunk::<4>().map(|bytes| Slot::from_be_bytes(*bytes))
}
