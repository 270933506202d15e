//! What every engine is to the rest: the trait, and what can go wrong.

use super::batch::Batch;
use super::table::Table;
use std::error::Error;
use std::ops::ControlFlow;

/// Why a store could not be opened or used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// Somebody has this store open. It is not damaged; leave it alone.
    #[error("the index store is open elsewhere")]
    Locked,
    /// The engine says that it cannot go on: damage, no room, a failing disk. Drop the store.
    #[error("the index engine failed: {0}")]
    Engine(#[source] Box<dyn Error + Send + Sync>),
    /// The engine panicked, which some do on damaged files. Drop the store.
    #[error("the index engine panicked: {0}")]
    Panicked(String),
    /// The store is being dropped.
    #[error("the index store is closed")]
    Closed,
}

/// What a scan calls for each pair, in order; `Break` ends the scan.
pub type Visit<'a> = dyn FnMut(&[u8], &[u8]) -> ControlFlow<()> + 'a;

/// What an ordered key-value store holds. Keys have at most 64 KiB.
pub trait Reader: Send + Sync {
    /// The value of `key`.
    ///
    /// # Errors
    /// The engine failed.
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError>;

    /// Visits the pairs with `from <= key < to` in ascending order, or descending if `reverse`.
    ///
    /// # Errors
    /// The engine failed; some pairs may have been visited.
    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError>;
}

/// An ordered key-value store.
///
/// Reads see every batch whose [`Store::apply`] has returned. While a batch is being applied, they may see any part of it.
pub trait Store: Reader {
    /// What it holds now, held still: batches that are applied later are not seen. None where the engine cannot.
    fn snapshot(&self) -> Option<Box<dyn Reader + '_>>;

    /// Applies a batch: after a crash, all of it is there or nothing, and nothing of a later batch without it.
    /// It is not synced: the last batches may be gone after a crash.
    ///
    /// # Errors
    /// The engine failed; whether the batch will be there after a reopen is unknown.
    fn apply(&self, batch: Batch) -> Result<(), StoreError>;
}
