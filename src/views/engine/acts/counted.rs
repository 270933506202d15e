//! What imports hold, counted entry by entry and carried on from question to question.

use super::import::{Brought, Import};
use crate::follow::{Event, Portion};
use crate::spec::time::Timestamp;
use crate::views::engine::error::Result;
use crate::views::engine::event::EventFeed;
use std::cell::Cell;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entries that are read for one question.
///
/// Reason: some microseconds each, so about a second. What is left is read for the next question, which goes on here.
pub(in crate::views::engine) const MAX_READ: u64 = 200_000;

/// Entries, and bytes of them, that are read at once.
const PORTION: Portion = Portion { entries: 1_024, bytes: 4 << 20, data: false };

/// Imports of which it is kept how far they were counted. Beyond, all are counted from their beginning again.
///
/// Reason: one takes some kilobytes, and each was confirmed by two people.
const MAX_KEPT: usize = 256;

/// How far each import has been counted, by the entry that opened it.
#[derive(Default)]
pub(in crate::views::engine) struct Counter(Mutex<HashMap<u64, Counted>>);

#[derive(Clone)]
struct Counted {
    /// From which place on, and in which window: with others it is counted anew.
    of: (u64, Option<Timestamp>, Option<Timestamp>),
    /// The first entry that was not looked at.
    next: u64,
    by_type: BTreeMap<String, u64>,
}

impl Counter {
    /// What lies inside an import among the entries below `known`. `room` is how many entries may still be read.
    pub(in crate::views::engine) fn count(
        &self,
        import: &Import,
        known: u64,
        room: &Cell<u64>,
        feed: &dyn EventFeed,
    ) -> Result<Brought> {
        let Some(begins) = import.begins() else {
            return Ok(Brought { by_type: BTreeMap::new(), is_whole: true });
        };
        let end = import.known_to().min(known);
        let of = (begins, import.from, import.until);
        let first = begins.saturating_add(1);
        let kept = self.kept().get(&import.opened).filter(|kept| kept.of == of).cloned();
        let reached = kept.as_ref().map(|kept| kept.next);
        let kept = kept.filter(|kept| kept.next <= end);
        let mut counted = kept.unwrap_or(Counted { of, next: first, by_type: BTreeMap::new() });
        let mut events = Vec::new();
        while counted.next < end && room.get() > 0 {
            let most = end.saturating_sub(counted.next).min(room.get());
            let entries = usize::try_from(most).unwrap_or(usize::MAX).min(PORTION.entries);
            events.clear();
            feed.read(counted.next, Portion { entries, ..PORTION }, &mut events)?;
            let Some(last) = events.last() else { break };
            counted.next = last.seq.saturating_add(1);
            room.set(room.get().saturating_sub(events.len() as u64));
            let inside =
                |event: &&Arc<Event>| event.source == import.source && import.is_in_window(event.acted_at());
            for event in events.iter().filter(inside) {
                *counted.by_type.entry(event.ty.clone()).or_default() += 1;
            }
        }
        let brought = Brought { by_type: counted.by_type.clone(), is_whole: counted.next >= end };
        if reached.is_none_or(|reached| reached < counted.next) {
            let mut kept = self.kept();
            if kept.len() >= MAX_KEPT {
                kept.clear();
            }
            kept.insert(import.opened, counted);
        }
        Ok(brought)
    }

    fn kept(&self) -> MutexGuard<'_, HashMap<u64, Counted>> {
        // Each is put there whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
