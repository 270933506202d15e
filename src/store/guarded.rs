//! Opening an engine, and the wall around it: its panics become errors, also the one while it is dropped.

use super::batch::Batch;
use super::fjall::FjallStore;
use super::kind::EngineKind;
use super::kv::{Reader, Store, StoreError, Visit};
#[cfg(feature = "sled")]
use super::sled::SledStore;
use super::table::Table;
use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How long [`open`] keeps trying while the engine's own lock is held. A store that this process has just dropped may
/// still be closing its background threads; two seconds are far beyond what that takes, and short for a person.
const LOCK_PATIENCE: Duration = Duration::from_secs(2);

/// How often it tries in that time.
const LOCK_RETRY: Duration = Duration::from_millis(20);

/// Opens the store in `dir` with these tables, creating it where there is none. A store is always opened with the same
/// ones, and no others are asked for.
///
/// # Errors
/// [`StoreError::Locked`] if it stays locked for two seconds; otherwise what the engine says.
pub fn open(kind: EngineKind, dir: &Path, tables: &'static [Table]) -> Result<Arc<dyn Store>, StoreError> {
    let started = Instant::now();
    loop {
        let opened = caught(|| -> Result<Box<dyn Store>, StoreError> {
            match kind {
                EngineKind::Fjall => Ok(Box::new(FjallStore::open(dir, tables)?)),
                #[cfg(feature = "sled")]
                EngineKind::Sled => Ok(Box::new(SledStore::open(dir)?)),
            }
        });
        match opened {
            Err(StoreError::Locked) if started.elapsed() < LOCK_PATIENCE => thread::sleep(LOCK_RETRY),
            Err(error) => return Err(error),
            Ok(inner) => {
                return Ok(Arc::new(Guarded {
                    inner: Some(inner),
                    #[cfg(test)]
                    dir: dir.to_owned(),
                }));
            }
        }
    }
}

/// An engine behind a wall: its panics become errors, also the one while it is dropped.
pub(super) struct Guarded {
    /// Taken out in `drop` alone.
    pub(super) inner: Option<Box<dyn Store>>,
    #[cfg(test)]
    pub(super) dir: std::path::PathBuf,
}

impl Guarded {
    fn with<T>(&self, call: impl FnOnce(&dyn Store) -> Result<T, StoreError>) -> Result<T, StoreError> {
        let inner = self.inner.as_deref().ok_or(StoreError::Closed)?;
        caught(|| call(inner))
    }
}

impl Reader for Guarded {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        self.with(|inner| inner.get(table, key))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if from >= to {
            // The engines differ: one gives nothing, one panics.
            return Ok(());
        }
        self.with(|inner| inner.scan(table, from, to, reverse, visit))
    }
}

/// What an engine holds still, behind the same wall.
struct Still<'a>(Box<dyn Reader + 'a>);

impl Reader for Still<'_> {
    fn get(&self, table: Table, key: &[u8]) -> Result<Option<Vec<u8>>, StoreError> {
        caught(|| self.0.get(table, key))
    }

    fn scan(
        &self,
        table: Table,
        from: &[u8],
        to: &[u8],
        reverse: bool,
        visit: &mut Visit<'_>,
    ) -> Result<(), StoreError> {
        if from >= to {
            return Ok(());
        }
        caught(|| self.0.scan(table, from, to, reverse, visit))
    }
}

impl Store for Guarded {
    fn snapshot(&self) -> Option<Box<dyn Reader + '_>> {
        let inner = self.inner.as_deref()?;
        let still = caught(|| Ok(inner.snapshot())).ok().flatten()?;
        Some(Box::new(Still(still)))
    }

    fn apply(&self, mut batch: Batch) -> Result<(), StoreError> {
        #[cfg(test)]
        super::full::check(&self.dir)?;
        batch.settle();
        self.with(|inner| inner.apply(batch))
    }
}

impl Drop for Guarded {
    fn drop(&mut self) {
        let inner = self.inner.take();
        if let Err(StoreError::Panicked(reason)) = caught(|| {
            drop(inner);
            Ok(())
        }) {
            tracing::warn!(reason, "the index engine panicked while closing");
        }
    }
}

/// Runs an engine's code and makes its panic an error. After a panic the store is only dropped, so that it does not
/// matter in what state the panic left it.
fn caught<T>(call: impl FnOnce() -> Result<T, StoreError>) -> Result<T, StoreError> {
    catch_unwind(AssertUnwindSafe(call))
        .unwrap_or_else(|payload| Err(StoreError::Panicked(panic_text(&*payload))))
}

pub(super) fn panic_text(payload: &(dyn Any + Send)) -> String {
    let text = payload.downcast_ref::<&str>().copied();
    text.or_else(|| payload.downcast_ref::<String>().map(String::as_str)).unwrap_or("no message").to_owned()
}
