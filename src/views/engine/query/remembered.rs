//! What one question has read of entries that are not about its rows.

use crate::views::engine::acts::import::Import;
use crate::views::engine::corrections::{Counts, Said};
use crate::views::engine::row::RowEvent;
use std::cell::{Cell, RefCell};
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

/// As of which number of entries, and which list.
pub(super) type Key = (u64, &'static str, String);

/// Imports, as they are known.
pub(super) type Imports = Arc<[Arc<Import>]>;

/// What one question has read of the entries beside its rows.
#[derive(Default)]
pub(in crate::views::engine) struct Remembered {
    pub(super) listed: RefCell<HashMap<Key, Arc<Listed>>>,
    pub(super) first: RefCell<HashMap<Key, Option<u64>>>,
    pub(super) acts: RefCell<HashMap<Key, Arc<[RowEvent]>>>,
    pub(super) any_act: RefCell<HashMap<(u64, &'static str), bool>>,
    /// Of the history of a source.
    pub(super) imports: RefCell<HashMap<(u64, String), Imports>>,
    /// In effect, of all sources.
    pub(super) in_effect: RefCell<HashMap<u64, Imports>>,
    /// Entries that were read to count what imports hold.
    pub(super) counted: Cell<u64>,
}

/// The entries of one list.
pub(super) struct Listed {
    /// Those that stand, in the order of recording.
    pub(super) standing: Arc<[RowEvent]>,
    /// Those of which corrections speak, by their numbers, whether they stand or not.
    pub(super) spoken_of: BTreeMap<u64, SpokenOf>,
}

/// An entry of which corrections speak.
pub(super) struct SpokenOf {
    /// As it was recorded.
    pub(super) event: RowEvent,
    /// In the place of another one, where it is named as a replacement: with that one's act time, and with its own.
    pub(super) placed: Option<[RowEvent; 2]>,
    pub(super) said: Said,
}

impl SpokenOf {
    /// What it was among the entries below `known`, if it counted.
    pub(super) fn counted(&self, known: u64) -> Option<&RowEvent> {
        if self.event.seq >= known {
            return None;
        }
        match (self.said.counts(known), &self.placed) {
            (Counts::AsItIs, _) => Some(&self.event),
            (Counts::InPlaceOf { retimed: false, .. }, Some([placed, _])) => Some(placed),
            (Counts::InPlaceOf { .. }, Some([_, retimed])) => Some(retimed),
            _ => None,
        }
    }
}
