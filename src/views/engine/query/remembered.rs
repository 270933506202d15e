//! What one question has read of entries that are not about its rows.

use crate::views::engine::row::RowEvent;
use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::Arc;

/// As of which number of entries, and which list.
pub(super) type Key = (u64, &'static str, String);

/// What one question has read of the entries beside its rows.
#[derive(Default)]
pub(in crate::views::engine) struct Remembered {
    pub(super) listed: RefCell<HashMap<Key, Arc<[RowEvent]>>>,
    pub(super) first: RefCell<HashMap<Key, Option<u64>>>,
}
