//! Rows that are folded again because an event came late, or because what counts of them has changed.

use super::{Again, Session, Working};
use crate::spec::time::Timestamp;
use crate::views::engine::error::Result;
use crate::views::engine::fold::advance;
use crate::views::engine::footholds::{Foothold, Footholds, Plan};
use crate::views::engine::gather::Gathering;
use crate::views::engine::keys::Slot;
use crate::views::engine::order::arrange;
use crate::views::engine::query::When;
use crate::views::engine::row::{Row, RowEvent};

impl Session<'_> {
    /// Folds a row again, if it has to be: from a foothold where there is one, and else as a whole.
    pub(super) fn fold(
        &mut self,
        slot: Slot,
        number: u64,
        working: &mut Working,
        footholds: &mut Footholds,
    ) -> Result<()> {
        match working.again {
            Again::Not => return Ok(()),
            Again::From(at) => {
                if let Some((foothold, row)) = footholds.before((slot, number), at)
                    && self.fold_on(slot, number, working, (&foothold, row), footholds)?
                {
                    return Ok(());
                }
            }
            Again::Whole => {}
        }
        footholds.forget((slot, number));
        self.fold_whole(slot, number, working, footholds)
    }

    /// Folds what comes after a foothold; false where what comes after has a say in what comes before.
    fn fold_on(
        &mut self,
        slot: Slot,
        number: u64,
        working: &mut Working,
        (foothold, row): (&Foothold, Row),
        footholds: &mut Footholds,
    ) -> Result<bool> {
        let siblings = self.siblings(slot, number, &working.stored)?;
        let placed = self.events_from(slot, &*working.view, number, foothold.next)?;
        self.read_again += placed.len() as u64;
        let after = self.gathering(slot, working, &siblings)?.after(placed, foothold, self.known)?;
        let Some(events) = after.filter(|events| !events.is_empty()) else { return Ok(false) };
        working.stored.follow_after(&foothold.sum, &events);
        let plan = Plan::of(&*working.view, &events, Some(foothold), &working.stored.targets());
        footholds.hold((slot, number), advance_all(working, row, &events, plan));
        Ok(true)
    }

    /// Folds a row from all its events, without those that do not count.
    fn fold_whole(
        &mut self,
        slot: Slot,
        number: u64,
        working: &mut Working,
        footholds: &mut Footholds,
    ) -> Result<()> {
        let siblings = self.siblings(slot, number, &working.stored)?;
        let placed = self.events_of(slot, &*working.view, number)?;
        self.read_again += placed.len() as u64;
        let when = When { known: self.known, at: Timestamp::LAST };
        let gathered = self.gathering(slot, working, &siblings)?.gather(placed, when)?;
        working.stored.follow(&gathered.events);
        let plan = Plan::of(&*working.view, &gathered.events, None, &working.stored.targets());
        footholds.hold((slot, number), advance_all(working, Row::default(), &gathered.events, plan));
        if !gathered.gone.is_empty() {
            // With all its events: as of an earlier day it is listed by what has been corrected since.
            let view = working.view.clone();
            let mut uncorrected = Row::default();
            let gone = gathered.gone.into_iter().map(|(event, _)| event);
            for event in arrange(&*view, gathered.events.into_iter().chain(gone).collect()) {
                advance(&*view, &mut uncorrected, &event);
                working.listed.extend(view.lists(&uncorrected));
                working.dense.extend(view.dense_lists(&uncorrected));
            }
        }
        Ok(())
    }

    fn gathering<'b>(
        &'b self,
        slot: Slot,
        working: &'b Working,
        siblings: &'b [(u64, u64)],
    ) -> Result<Gathering<'b>> {
        Ok(Gathering {
            view: &*working.view,
            stored: &working.stored,
            siblings,
            turn: self.turn_of(slot, &*working.view)?,
            corrections: &self.corrections,
            feed: self.feed,
            catalog: self.catalog,
            ends: None,
        })
    }
}

/// Folds events, one after the other, onto what a row was before them.
fn advance_all(working: &mut Working, row: Row, events: &[RowEvent], mut plan: Plan) -> Plan {
    working.stored.row = row;
    for (place, event) in events.iter().enumerate() {
        plan.note(place, &working.stored.row);
        working.advance(event);
    }
    plan
}
