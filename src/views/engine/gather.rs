//! The events of one row that count as of a moment, read from where they are kept and put where they count.

use super::corrections::{Corrections, Counts};
use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::footholds::Foothold;
use super::opening::Opening;
use super::order::{arrange, by_acts};
use super::query::When;
use super::row::RowEvent;
use super::stored::{Placed, Stored, load, source_hash};
use super::view::{RowName, STUB, View};
use crate::catalog::Catalog;
use std::collections::BTreeMap;
use std::time::Instant;

/// A row whose events are to be gathered.
pub(super) struct Gathering<'a> {
    pub(super) view: &'a dyn View,
    pub(super) stored: &'a Stored,
    /// Rows of other sources under the same id: hash of the source, and number of the row.
    pub(super) siblings: &'a [(u64, u64)],
    /// The entry of the view's turn, if there was one.
    pub(super) turn: Option<u64>,
    pub(super) corrections: &'a Corrections<'a>,
    pub(super) feed: &'a dyn EventFeed,
    pub(super) catalog: &'a Catalog,
    /// From when on nobody waits for them any more.
    pub(super) ends: Option<Instant>,
}

/// Events read between two looks at the clock.
///
/// Reason: some tens of microseconds each; the clock costs less than one.
const BETWEEN_LOOKS: usize = 64;

/// The events of a row as of a moment.
#[derive(Default)]
pub(super) struct Gathered {
    /// Those that count and hold by then, and those that the view reckons with whenever they hold, in the order in which
    /// they are folded.
    pub(super) events: Vec<RowEvent>,
    /// Those that count and hold only later.
    pub(super) later: Vec<RowEvent>,
    /// Those that do not count, and by which correction.
    pub(super) gone: Vec<(RowEvent, u64)>,
    /// The last entry that has a say, corrections not included.
    pub(super) last_seq: u64,
}

impl Gathering<'_> {
    /// Gathers what was recorded below `when.known` and holds by `when.at`.
    pub(super) fn gather(&self, placed: Vec<Placed>, when: When) -> Result<Gathered> {
        let mut gathered = Gathered::default();
        let mut events = Vec::with_capacity(placed.len());
        let mut loaded = Vec::with_capacity(placed.len());
        for (seq, kept) in placed.into_iter().filter(|(seq, _)| *seq < when.known) {
            if loaded.len().is_multiple_of(BETWEEN_LOOKS)
                && self.ends.is_some_and(|ends| Instant::now() >= ends)
            {
                return Err(EngineError::TookTooLong);
            }
            loaded.push(load(self.feed, self.catalog, seq, kept)?);
        }
        self.leave_out_what_is_called_otherwise(&mut loaded, when.known);
        let corrected = self.stored.targets();
        for mut event in loaded {
            let seq = event.seq;
            if self.belongs_elsewhere(&event, when.known) {
                continue;
            }
            if corrected.contains(&seq) {
                match self.corrections.counts(seq, when.known)? {
                    Counts::AsItIs => {}
                    Counts::InPlaceOf { target, retimed } => {
                        self.put_in_place(&mut event, target, retimed)?
                    }
                    Counts::Not { by } => {
                        event.after_turn = self.turn.is_some_and(|turn| turn < event.place);
                        gathered.last_seq = gathered.last_seq.max(seq);
                        gathered.gone.push((event, by));
                        continue;
                    }
                }
            }
            event.after_turn = self.turn.is_some_and(|turn| turn < event.place);
            event.effective_at = self.view.effective_at(&event);
            if event.effective_at > when.at && !self.view.is_reckoned(&event.ty) {
                gathered.later.push(event);
            } else {
                gathered.last_seq = gathered.last_seq.max(seq);
                events.push(event);
            }
        }
        gathered.events = arrange(self.view, events);
        Ok(gathered)
    }

    /// The events of a row that were done after a foothold, in the order in which they are folded, from those that were
    /// recorded from its `next` on; none where they have a say in what comes before it.
    pub(super) fn after(
        &self,
        placed: Vec<Placed>,
        foothold: &Foothold,
        known: u64,
    ) -> Result<Option<Vec<RowEvent>>> {
        let corrected = self.stored.targets();
        let mut events = Vec::with_capacity(placed.len());
        for (seq, kept) in placed {
            if corrected.contains(&seq) {
                return Ok(None);
            }
            let mut event = load(self.feed, self.catalog, seq, kept)?;
            if foothold.has(&event) {
                continue;
            }
            if !foothold.goes_on_with(self.view, &event) {
                return Ok(None);
            }
            if !self.belongs_elsewhere(&event, known) {
                event.after_turn = self.turn.is_some_and(|turn| turn < event.place);
                event.effective_at = self.view.effective_at(&event);
                events.push(event);
            }
        }
        Ok(Some(by_acts(&self.view.types(), events)))
    }

    /// An event that names the row by another name belongs to it from when an event had given it that name, and as long as
    /// that one belongs to it: one of its own source, if there is one, else the first. The row of nobody, in which it waited
    /// until then, gives none.
    fn leave_out_what_is_called_otherwise(&self, events: &mut Vec<RowEvent>, known: u64) {
        if self.stored.id.starts_with(STUB) {
            return;
        }
        let called = |event: &RowEvent| match self.view.row_of(&event.ty, &event.data) {
            Some(RowName::Alias(name)) => Some(name),
            _ => None,
        };
        if !events.iter().any(|event| called(event).is_some()) {
            return;
        }
        // Who gave which name, and whether that belongs to this row.
        let mut given: BTreeMap<String, Vec<(String, bool)>> = BTreeMap::new();
        for event in events.iter() {
            for name in self.view.aliases(&event.ty, &event.data) {
                let here = !self.belongs_elsewhere(event, known);
                given.entry(name).or_default().push((event.source.clone(), here));
            }
        }
        events.retain(|event| {
            let Some(name) = called(event) else { return true };
            let Some(given) = given.get(&name) else { return false };
            let own = given.iter().find(|(source, _)| *source == event.source);
            own.or(given.first()).is_some_and(|(_, here)| *here)
        });
    }

    /// An event that names an id belongs to the row of its own source, once there is one.
    fn belongs_elsewhere(&self, event: &RowEvent, known: u64) -> bool {
        // By another name it was brought here for that name.
        let Some(RowName::Id(id)) = self.view.row_of_source(&event.ty, &event.source, &event.data) else {
            return false;
        };
        // It is here for the names that it gives.
        let source = source_hash(&event.source);
        if id != self.stored.id || (self.stored.beside.is_some() && self.stored.source != Some(source)) {
            return true;
        }
        if self.siblings.is_empty() || self.view.opening(&event.ty) != Opening::None {
            return false;
        }
        self.siblings.iter().any(|(of, number)| *of == source && *number < known)
    }

    fn put_in_place(&self, event: &mut RowEvent, target: u64, retimed: bool) -> Result<()> {
        event.put_in_place(&self.feed.event(target)?, retimed);
        Ok(())
    }
}
