//! Other names of rows: learnt from one event, and used by others that may have come before it.

use super::Session;
use crate::views::engine::error::Result;
use crate::views::engine::keys::{self, Slot};
use crate::views::engine::row::RowEvent;
use crate::views::engine::stored::{SOURCE_BYTES, load, source_hash, source_of};
use crate::views::engine::view::{RowName, STUB, View};
use std::sync::Arc;

/// Events of a row that are looked at to see who gave it a name first.
///
/// Reason: each is read from the log. Beyond, the name goes to whoever is known to have given it.
const MAX_LOOKED_AT: usize = 256;

impl Session<'_> {
    /// Gives a row another name. Events that came under that name before it was known become the row's.
    pub(super) fn alias(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        number: u64,
        name: RowName,
    ) -> Result<()> {
        let key = keys::name(slot, &name);
        match self.find(key)? {
            None => {}
            Some(known) if known == number => return Ok(()),
            Some(known) => {
                // Whoever had the name first keeps it; only a row that is nothing but a name gives way.
                let stub = self.working(slot, view, known)?;
                if !stub.stored.id.starts_with(STUB) {
                    return Ok(());
                }
                stub.gone = true;
                let stub = stub.stored.clone();
                for (seq, kept) in self.events_of(slot, &**view, known)? {
                    self.events.insert(keys::event(slot, known, seq), None);
                    let kept = kept.unwrap_or_else(|| vec![0; SOURCE_BYTES]);
                    self.events.insert(keys::event(slot, number, seq), Some(kept));
                }
                let row = &mut self.working(slot, view, number)?.stored;
                row.events += stub.events;
                if stub.last_act >= row.last_act {
                    (row.last_act, row.last_source) = (stub.last_act, 0);
                }
                row.latest = row.latest.max(stub.latest);
                row.last_seq = row.last_seq.max(stub.last_seq);
                row.corrected.extend(stub.corrected);
                self.working(slot, view, number)?.fold_whole();
                // What was said of either by then is another list now.
                self.said.remove(&(slot, number));
            }
        }
        self.named(key, number);
        Ok(())
    }

    /// What a source had said by a name that others had given to another row is about its own row once it gives the name
    /// itself.
    pub(super) fn take_own(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        number: u64,
        alias: &str,
        event: &RowEvent,
    ) -> Result<()> {
        let name = RowName::Alias(alias.to_owned());
        let Some(other) = self.find(keys::name(slot, &name))?.filter(|other| *other != number) else {
            return Ok(());
        };
        let stored = &self.working(slot, view, other)?.stored;
        if stored.id.starts_with(STUB) {
            return Ok(());
        }
        let corrected = stored.corrected.clone();
        let mut own = Vec::new();
        for (seq, kept) in self.events_of(slot, &**view, other)? {
            if source_of(kept.as_deref()).is_some_and(|of| of != source_hash(&event.source)) {
                continue;
            }
            let mut said = load(self.feed, self.catalog, seq, kept)?;
            if said.source == event.source && view.row_of(&said.ty, &said.data).as_ref() == Some(&name) {
                said.effective_at = view.effective_at(&said);
                own.push(said);
            }
        }
        if own.is_empty() {
            return Ok(());
        }
        // There it tells from when on they are elsewhere.
        self.keep(slot, &**view, other, event);
        self.said.remove(&(slot, other));
        let before = self.working(slot, view, other)?;
        before.fold_whole();
        before.stored.last_seq = before.stored.last_seq.max(event.seq);
        for said in &own {
            self.move_beside(slot, view, (other, number), said, &corrected)?;
        }
        Ok(())
    }

    /// The rows that an event of a source may be kept with: the first one of the name, and the source's own.
    pub(super) fn rows_named(&mut self, slot: Slot, name: &RowName, source: &str) -> Result<Vec<u64>> {
        let mut numbers: Vec<u64> = self.find(keys::name(slot, name))?.into_iter().collect();
        let own = match name {
            RowName::Id(id) => keys::name_of_source(slot, id, source),
            RowName::Alias(alias) => keys::alias_of_source(slot, alias, source),
        };
        let own = self.find(own)?.filter(|own| !numbers.contains(own));
        numbers.extend(own);
        Ok(numbers)
    }

    /// Other names that an event gave to the `first` row of its id, before its source had a row of its `own`: to that source
    /// they are names of its own row, and to everybody if nobody had given them before.
    pub(super) fn carry_names(
        &mut self,
        slot: Slot,
        view: &Arc<dyn View>,
        (first, own): (u64, u64),
        event: &RowEvent,
    ) -> Result<()> {
        for alias in view.aliases(&event.ty, &event.data) {
            self.named(keys::alias_of_source(slot, &alias, &event.source), own);
            let name = keys::name(slot, &RowName::Alias(alias.clone()));
            if self.find(name)? == Some(first) && !self.is_named_before(slot, view, first, &alias, event)? {
                self.named(name, own);
            }
        }
        Ok(())
    }

    /// Whether an event of another source gave a row this name before that one did.
    fn is_named_before(
        &self,
        slot: Slot,
        view: &Arc<dyn View>,
        number: u64,
        alias: &str,
        event: &RowEvent,
    ) -> Result<bool> {
        let before = self.events_of(slot, &**view, number)?.into_iter().filter(|(seq, _)| *seq < event.seq);
        for (seq, kept) in before.take(MAX_LOOKED_AT) {
            let other = load(self.feed, self.catalog, seq, kept)?;
            if other.source != event.source
                && view.aliases(&other.ty, &other.data).iter().any(|of| of == alias)
            {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
