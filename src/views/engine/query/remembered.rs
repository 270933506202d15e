//! What one question has read of entries that are not about its rows.

use crate::views::engine::acts::import::Import;
use crate::views::engine::row::RowEvent;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::Arc;

/// As of which number of entries, and which list.
pub(super) type Key = (u64, &'static str, String);

/// Imports, as they are known.
pub(super) type Imports = Arc<[Arc<Import>]>;

/// What one question has read of the entries beside its rows.
#[derive(Default)]
pub(in crate::views::engine) struct Remembered {
    pub(super) listed: RefCell<HashMap<Key, Arc<[RowEvent]>>>,
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
