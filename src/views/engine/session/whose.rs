//! Whose row an event is about, where several sources use one id.
//!
//! The first row of an id is that of the source whose opening was recorded first. An opening of another source begins a row
//! of that source's own, unless it says the same; from then on the events of that source are about that row.

use super::{Said, Session, Whose, Working};
use crate::store::Table;
use crate::views::engine::error::Result;
use crate::views::engine::keys::{self, Slot};
use crate::views::engine::opening::Opening;
use crate::views::engine::row::RowEvent;
use crate::views::engine::stored::{Stored, load, siblings_of, source_hash, source_of};
use crate::views::engine::view::{RowName, View};
use sha2::{Digest as _, Sha256};
use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

/// Openings of a row that are looked at to see whether another source says the same.
///
/// Reason: each may be read from the log, some tens of microseconds. Beyond, what says the same has a row of its own, and
/// is seen there.
const MAX_OPENINGS: usize = 256;

/// A name for what an event says. Recorded members are in one order, so that equal data have equal texts.
fn says(event: &RowEvent) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update((event.ty.len() as u64).to_be_bytes());
    hash.update(&event.ty);
    hash.update(event.data.to_string());
    hash.finalize().into()
}

impl Session<'_> {
    /// The row that an event is about, of those that have its id, of which `first` is the first one.
    pub(super) fn whose(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        first: u64,
        name: &RowName,
        event: &RowEvent,
    ) -> Result<Whose> {
        let RowName::Id(id) = name else { return Ok(Whose::Row(first)) };
        if !view.is_of_one_source() {
            return Ok(Whose::Row(first));
        }
        let source = source_hash(&event.source);
        let stored = &self.working(slot, view, first)?.stored;
        if stored.source.is_none_or(|of| of == source) {
            return Ok(Whose::Row(first));
        }
        let (of, siblings) = (stored.source, stored.siblings);
        if siblings > 0
            && let Some(own) = self.find(keys::name_of_source(slot, id, &event.source))?
        {
            return Ok(Whose::Row(own));
        }
        if !view.opening(&event.ty).is_of_one_source() || self.is_said_by(slot, view, first, of, event)? {
            return Ok(Whose::Row(first));
        }
        Ok(Whose::Nobodys(id.clone()))
    }

    /// Whether an opening of the row, of this source, says the same as the event.
    fn is_said_by(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        number: u64,
        of: Option<u64>,
        event: &RowEvent,
    ) -> Result<bool> {
        if self.said.get(&(slot, number)).is_none_or(|said| said.of != of) {
            let said = self.read_said(slot, view, number, of)?;
            self.said.insert((slot, number), said);
        }
        Ok(self.said.get(&(slot, number)).is_some_and(|said| said.says.contains(&says(event))))
    }

    fn read_said(&self, slot: Slot, view: &Arc<dyn View>, number: u64, of: Option<u64>) -> Result<Said> {
        let mut said = Said { of, looked_at: 0, says: HashSet::new() };
        for (seq, kept) in self.events_of(slot, &**view, number)? {
            if source_of(kept.as_deref()).is_some_and(|source| Some(source) != of) {
                continue;
            }
            if said.looked_at == MAX_OPENINGS {
                break;
            }
            said.looked_at += 1;
            said.says.insert(says(&load(self.feed, self.catalog, seq, kept)?));
        }
        Ok(said)
    }

    /// Notes what one more event of a row says, where it was looked at what the others say.
    pub(super) fn say(&mut self, slot: Slot, view: &dyn View, number: u64, event: &RowEvent) {
        let Some(said) = self.said.get_mut(&(slot, number)) else { return };
        // As it is read: a view that keeps data does not keep the source apart.
        let is_of = view.keeps_data() || said.of == Some(source_hash(&event.source));
        if said.looked_at < MAX_OPENINGS && is_of {
            said.looked_at += 1;
            said.says.insert(says(event));
        }
    }

    /// A row of another source beside the first one, with what that source had said of the id before.
    pub(super) fn begin_beside(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        first: u64,
        id: String,
        event: &RowEvent,
    ) -> Result<()> {
        let source = source_hash(&event.source);
        self.named(keys::name_of_source(slot, &id, &event.source), event.seq);
        let mut stored = Stored::new(id, event);
        stored.beside = Some(first);
        self.begin(slot, view, stored, event);
        self.batch.put(Table::Terms, &keys::sibling(slot, first, event.seq), &source.to_be_bytes());
        self.siblings.entry((slot, first)).or_default().push((source, event.seq));
        let (mut earlier, mut by_name) = (Vec::new(), Vec::new());
        for (seq, kept) in self.events_of(slot, &**view, first)? {
            if source_of(kept.as_deref()).is_some_and(|of| of != source) {
                continue;
            }
            let mut other = load(self.feed, self.catalog, seq, kept)?;
            other.effective_at = view.effective_at(&other);
            if other.source == event.source && view.opening(&other.ty) == Opening::None {
                match view.row_of(&other.ty, &other.data) {
                    Some(RowName::Alias(name)) => by_name.push((name, other)),
                    _ => earlier.push(other),
                }
            }
        }
        // What came by another name follows whoever gave that name.
        let given: BTreeSet<String> =
            earlier.iter().flat_map(|other| view.aliases(&other.ty, &other.data)).collect();
        earlier.extend(by_name.into_iter().filter(|(name, _)| given.contains(name)).map(|(_, other)| other));
        let corrected = {
            let first = self.working(slot, view, first)?;
            first.stored.siblings += 1;
            if !earlier.is_empty() {
                first.fold_whole();
            }
            first.stored.last_seq = first.stored.last_seq.max(event.seq);
            first.stored.corrected.clone()
        };
        for other in &earlier {
            self.move_beside(slot, view, (first, event.seq), other, &corrected)?;
        }
        for other in self.called_by(slot, view, (first, event), &given)? {
            self.move_beside(slot, view, (first, event.seq), &other, &corrected)?;
        }
        Ok(())
    }

    /// What an event says is about the `own` row from now on, with the names that it gave and the corrections of it. It
    /// stays among the events of the first row too, which it was about before.
    pub(super) fn move_beside(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        (first, own): (u64, u64),
        event: &RowEvent,
        corrected: &[(u64, u64)],
    ) -> Result<()> {
        self.join(slot, view, own, event)?;
        self.carry_names(slot, view, (first, own), event)?;
        let own: &mut Working = self.working(slot, view, own)?;
        own.fold_whole();
        own.stored.corrected.extend(corrected.iter().filter(|(seq, _)| *seq == event.seq));
        Ok(())
    }

    /// Events of other sources that came to the `first` row by one of these names, which are now names of the row that the
    /// event begins; their own sources did not give the name to anything.
    fn called_by(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        (first, event): (u64, &RowEvent),
        given: &BTreeSet<String>,
    ) -> Result<Vec<RowEvent>> {
        let mut moved = BTreeSet::new();
        for name in given {
            if self.find(keys::name(slot, &RowName::Alias(name.clone())))? == Some(event.seq) {
                moved.insert(name.as_str());
            }
        }
        let mut called = Vec::new();
        if moved.is_empty() {
            return Ok(called);
        }
        for (seq, kept) in self.events_of(slot, &**view, first)? {
            let mut other = load(self.feed, self.catalog, seq, kept)?;
            let Some(RowName::Alias(name)) = view.row_of(&other.ty, &other.data) else { continue };
            let own = self.find(keys::alias_of_source(slot, &name, &other.source))?;
            if other.source != event.source && own.is_none() && moved.contains(name.as_str()) {
                other.effective_at = view.effective_at(&other);
                called.push(other);
            }
        }
        if !called.is_empty() {
            self.working(slot, view, first)?.fold_whole();
        }
        Ok(called)
    }

    /// The rows of other sources beside a row: hash of the source, and number.
    pub(super) fn siblings(&self, slot: Slot, first: u64, stored: &Stored) -> Result<Vec<(u64, u64)>> {
        let mut siblings = siblings_of(self.store, slot, first, stored)?;
        siblings.extend(self.siblings.get(&(slot, first)).into_iter().flatten());
        Ok(siblings)
    }
}
