//! What lists look back at, kept for one batch.

use crate::follow::Event;
use crate::store::Reader;
use crate::views::engine::error::Result;
use crate::views::engine::event::EventFeed;
use crate::views::engine::keys::Slot;
use crate::views::engine::lists::{self, Earlier};
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// Entries of one list that are looked back at, the newest ones.
///
/// Reason: each is read from the log once a batch. They are what was agreed with one source, which is a handful.
const MAX_LOOKED_AT: usize = 64;

/// A list: its slot, field and value.
type List = (Slot, &'static str, String);

/// The lists that were looked back at in this batch, with what the batch has put on them.
#[derive(Default)]
pub(super) struct Looked(RefCell<HashMap<List, Vec<Arc<Event>>>>);

/// The lists of one slot, to be looked back at.
pub(super) struct Back<'a> {
    pub(super) store: &'a dyn Reader,
    pub(super) feed: &'a dyn EventFeed,
    pub(super) slot: Slot,
    pub(super) looked: &'a Looked,
}

impl Back<'_> {
    /// Notes an entry that is put on a list which is looked back at.
    pub(super) fn note(&self, field: &'static str, value: &str, event: &Event) -> Result<()> {
        let mut events = self.listed(field, value)?;
        events.push(Arc::new(event.clone()));
        if events.len() > MAX_LOOKED_AT {
            events.remove(0);
        }
        self.looked.0.borrow_mut().insert((self.slot, field, value.to_owned()), events);
        Ok(())
    }
}

impl Earlier for Back<'_> {
    fn listed(&self, field: &'static str, value: &str) -> Result<Vec<Arc<Event>>> {
        let list = (self.slot, field, value.to_owned());
        if let Some(events) = self.looked.0.borrow().get(&list) {
            return Ok(events.clone());
        }
        let on = [(field, value)];
        let mut seqs = lists::entries(self.store, self.slot, &on, (0, u64::MAX), true, MAX_LOOKED_AT)?;
        seqs.reverse();
        let mut events = Vec::with_capacity(seqs.len());
        for seq in seqs {
            events.push(Arc::new(self.feed.event(seq)?));
        }
        self.looked.0.borrow_mut().insert(list, events.clone());
        Ok(events)
    }
}
