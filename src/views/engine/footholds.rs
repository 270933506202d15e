//! Where the fold of a long row can be taken up again: what the row was after some of its events.
//!
//! A row is folded in the order of acts, so an event that comes late has all that was done after it folded again. In a row
//! of a hundred thousand events that would be a hundred thousand steps for each. From a foothold that lies before the late
//! event, only what was done after the foothold is folded. Footholds lie the closer to each other the nearer they are to
//! the row's end, so that there are few of them, and a late event has a few times as many events folded as were done after
//! it.
//!
//! They are held in memory alone: after a start the first late event of a row folds all of it. What they are held for is
//! said by [`goes_on_with`]: where anything else could have a say in the events before, the row is folded as a whole.

use super::keys::Slot;
use super::opening::Opening;
use super::row::{Row, RowEvent};
use super::view::{RowName, View};
use crate::spec::time::Timestamp;
use std::collections::{HashMap, HashSet};

/// Events of a row below which all of it is folded again.
///
/// Reason: some milliseconds. The rows of tests are short, and are to have footholds too.
const FEW: u64 = if cfg!(test) { 4 } else { 256 };

/// Events from a row's end to the nearest foothold; to the next ones it is twice, four times … as many.
const APART: u64 = if cfg!(test) { 2 } else { 64 };

/// Bytes of all footholds together; beyond, those of the row that was longest of no use go.
const MAX_BYTES: usize = 16 << 20;

/// Rows that have footholds, at most.
const MAX_ROWS: usize = 1_024;

/// A row of a view: its slot, and its number.
type Which = (Slot, u64);

/// What is known of the first events of a row, in the order in which they are folded.
#[derive(Clone, Copy, Debug)]
pub(super) struct Sum {
    /// How many.
    pub(super) events: u64,
    /// The latest act time among them.
    until: Timestamp,
    /// From when the first one holds.
    pub(super) opened_at: Timestamp,
    /// The latest time from which one of them holds.
    pub(super) latest: Timestamp,
    /// Whether one of them holds only later than it was recorded.
    pub(super) ahead: bool,
    /// The place of the opening among them that was recorded first.
    opening: Option<u64>,
}

impl Sum {
    fn none() -> Sum {
        let first = Timestamp::FIRST;
        Sum { events: 0, until: first, opened_at: first, latest: first, ahead: false, opening: None }
    }

    fn add(&mut self, view: &dyn View, event: &RowEvent) {
        if self.events == 0 {
            self.opened_at = event.effective_at;
        }
        self.events += 1;
        self.until = self.until.max(event.acted_at);
        self.latest = self.latest.max(event.effective_at);
        self.ahead |= event.is_ahead();
        if view.opening(&event.ty) != Opening::None {
            self.opening = Some(self.opening.map_or(event.place, |first| first.min(event.place)));
        }
    }
}

/// What a row was after its events of up to an act time: all of these, and none that was done later.
#[derive(Clone, Debug)]
pub(super) struct Foothold {
    pub(super) sum: Sum,
    /// All events that are not in it have at least this number.
    pub(super) next: u64,
    /// The row, as JSON.
    row: Vec<u8>,
}

impl Foothold {
    /// Whether an event is one of those in it.
    pub(super) fn has(&self, event: &RowEvent) -> bool {
        event.acted_at <= self.sum.until
    }

    /// Whether the events in it stay as they are, and where they are, with this one after them.
    pub(super) fn goes_on_with(&self, view: &dyn View, event: &RowEvent) -> bool {
        let opens = view.opening(&event.ty) != Opening::None;
        stays(view, event) && (!opens || self.sum.opening.is_some_and(|first| first < event.place))
    }
}

/// Whether an event changes nothing of those that were done before it: it neither takes a place among them, as an opening
/// that is told again does, nor says by which names rows are called.
fn stays(view: &dyn View, event: &RowEvent) -> bool {
    !matches!(view.opening(&event.ty), Opening::Once | Opening::Rounds)
        && !matches!(view.row_of(&event.ty, &event.data), Some(RowName::Alias(_)))
        && view.aliases(&event.ty, &event.data).is_empty()
}

/// Where footholds are to be, among events that are folded in this order after those of a foothold, or from the first one
/// on.
pub(super) struct Plan {
    /// Before which event, the first number after it, and what is known by then; the last one first.
    places: Vec<(usize, u64, Sum)>,
    made: Vec<Foothold>,
    /// The row's events in all.
    total: u64,
}

impl Plan {
    /// `corrected` are the numbers of the events that corrections speak of.
    pub(super) fn of(
        view: &dyn View,
        events: &[RowEvent],
        after: Option<&Foothold>,
        corrected: &HashSet<u64>,
    ) -> Plan {
        let mut sum = after.map_or_else(Sum::none, |foothold| foothold.sum);
        let total = sum.events + events.len() as u64;
        let mut plan = Plan { places: Vec::new(), made: Vec::new(), total };
        if total < FEW {
            return plan;
        }
        let mut before = Vec::with_capacity(events.len());
        for event in events {
            before.push(sum);
            sum.add(view, event);
        }
        let (mut next, mut earliest, mut opening) = (u64::MAX, Timestamp::LAST, u64::MAX);
        for (place, (event, sum)) in events.iter().zip(before).enumerate().rev() {
            if !stays(view, event) || corrected.contains(&event.seq) {
                break;
            }
            next = next.min(event.seq);
            earliest = earliest.min(event.acted_at);
            if view.opening(&event.ty) != Opening::None {
                opening = opening.min(event.place);
            }
            let is_opened = opening == u64::MAX || sum.opening.is_some_and(|first| first < opening);
            let far_enough = total - sum.events >= APART;
            let is_another = plan.places.last().is_none_or(|(.., last)| plan.part(&sum) != plan.part(last));
            if sum.events > 0 && sum.until < earliest && is_opened && far_enough && is_another {
                plan.places.push((place, next, sum));
            }
        }
        plan
    }

    /// Which of the stretches that double in length something lies in, from the row's end on.
    fn part(&self, sum: &Sum) -> u32 {
        (self.total.saturating_sub(sum.events) / APART).max(1).ilog2()
    }

    /// Notes what the row is before an event, if there is to be a foothold.
    pub(super) fn note(&mut self, place: usize, row: &Row) {
        if self.places.last().is_some_and(|(at, ..)| *at == place)
            && let Some((_, next, sum)) = self.places.pop()
        {
            // A struct of texts, numbers and JSON always serialises.
            let row = serde_json::to_vec(row).unwrap_or_default();
            self.made.push(Foothold { sum, next, row });
        }
    }
}

/// The footholds of a row, the earliest first.
#[derive(Default)]
struct Held {
    footholds: Vec<Foothold>,
    used: u64,
}

impl Held {
    fn bytes(&self) -> usize {
        self.footholds.iter().map(|foothold| foothold.row.len() + size_of::<Foothold>()).sum()
    }
}

/// The footholds of all rows.
#[derive(Default)]
pub(super) struct Footholds {
    rows: HashMap<Which, Held>,
    bytes: usize,
    uses: u64,
}

impl Footholds {
    /// The last foothold of a row that lies before an act time, and what the row was at it. Those that do not lie before it
    /// are gone.
    pub(super) fn before(&mut self, row: Which, at: Timestamp) -> Option<(Foothold, Row)> {
        let held = self.rows.get_mut(&row)?;
        let before = held.bytes();
        held.footholds.retain(|foothold| foothold.sum.until < at);
        self.bytes = self.bytes.saturating_sub(before - held.bytes());
        self.uses += 1;
        held.used = self.uses;
        let last = held.footholds.last()?.clone();
        let is = serde_json::from_slice(&last.row).ok()?;
        Some((last, is))
    }

    /// Whatever was held of a row is gone.
    pub(super) fn forget(&mut self, row: Which) {
        if let Some(held) = self.rows.remove(&row) {
            self.bytes = self.bytes.saturating_sub(held.bytes());
        }
    }

    /// Nothing is held any more.
    pub(super) fn clear(&mut self) {
        self.rows.clear();
        self.bytes = 0;
    }

    /// Holds what was made while a row was folded, beside what is held of it.
    pub(super) fn hold(&mut self, row: Which, mut plan: Plan) {
        if plan.made.is_empty() {
            return;
        }
        let mut held = self.rows.remove(&row).unwrap_or_default();
        self.bytes = self.bytes.saturating_sub(held.bytes());
        held.footholds.append(&mut plan.made);
        // One in each stretch: the last one.
        held.footholds.reverse();
        held.footholds.dedup_by_key(|foothold| plan.part(&foothold.sum));
        held.footholds.reverse();
        self.uses += 1;
        held.used = self.uses;
        self.bytes += held.bytes();
        self.rows.insert(row, held);
        while self.bytes > MAX_BYTES || self.rows.len() > MAX_ROWS {
            let Some(oldest) = self.rows.iter().min_by_key(|(_, held)| held.used).map(|(row, _)| *row) else {
                return;
            };
            self.forget(oldest);
        }
    }
}
