//! The turn of a view: the first event of a type that changes what later ones mean.

use super::Session;
use crate::store::Table;
use crate::views::engine::error::Result;
use crate::views::engine::keys::{self, Slot};
use crate::views::engine::row::RowEvent;
use crate::views::engine::stored::turn_of;
use crate::views::engine::view::View;

impl Session<'_> {
    /// Whether an event was recorded after the turn of a view; the first one of its type is the turn.
    pub(super) fn turn(&mut self, slot: Slot, view: &dyn View, event: &RowEvent) -> Result<bool> {
        let Some(ty) = view.turn() else { return Ok(false) };
        let known = self.turn_of(slot, view)?;
        self.turns.insert(slot, known);
        if known.is_none() && ty == event.ty {
            self.batch.put(Table::Meta, &keys::turn(slot), &event.seq.to_be_bytes());
            self.turns.insert(slot, Some(event.seq));
        }
        Ok(known.is_some_and(|turn| turn < event.place))
    }

    /// The entry of a view's turn, this batch included.
    pub(super) fn turn_of(&self, slot: Slot, view: &dyn View) -> Result<Option<u64>> {
        self.turns.get(&slot).map_or_else(|| turn_of(self.store, slot, view), |known| Ok(*known))
    }
}
