//! The engine as something that follows the log, and does between two batches what else there is to do.

use super::applying::MAX_BATCH_BYTES;
use super::error::EngineError;
use super::slots::Projection;
use super::state::{Engine, Wish};
use crate::catalog::Catalog;
use crate::follow::{Derived, Event, Portion};
use std::sync::{Arc, MutexGuard, PoisonError};

/// Entries applied at once, at most.
///
/// Reason: rows that change several times in a batch are written once, and readers wait for the writing of one batch:
/// some tens of milliseconds at this size.
const MAX_BATCH: usize = 1_024;

impl Derived for Engine {
    type Error = EngineError;

    const NAME: &'static str = "views";

    const PORTION: Portion = Portion { entries: MAX_BATCH, bytes: MAX_BATCH_BYTES, data: true };

    const FULL_ENOUGH: u64 = 256;

    fn applied(&self) -> u64 {
        Engine::applied(self)
    }

    fn apply(&self, events: &[Arc<Event>]) -> Result<(), EngineError> {
        Engine::apply(self, events)
    }

    fn has_more_to_do(&self) -> bool {
        Engine::has_more_to_do(self)
    }

    fn do_more(&self) -> Result<(), EngineError> {
        if self.fulfil()? { Ok(()) } else { self.build(MAX_BATCH) }
    }
}

impl Engine {
    /// The views are to be these, by this catalogue, as soon as the batch in hand is applied: see [`Engine::set`]. Waits
    /// for nobody. A later wish takes the place of an earlier one.
    pub fn wish(&self, catalog: Arc<Catalog>, projections: Vec<Projection>) {
        *self.wished() = Some(Arc::new(Wish { catalog, projections }));
    }

    /// Whether a wish has not been fulfilled yet.
    #[must_use]
    pub fn has_wish(&self) -> bool {
        self.wished().is_some()
    }

    /// Fulfils the wish, if there is one.
    fn fulfil(&self) -> Result<bool, EngineError> {
        let Some(wish) = self.wished().clone() else { return Ok(false) };
        self.set(wish.catalog.clone(), &wish.projections)?;
        let mut wished = self.wished();
        // Another one may have come meanwhile.
        if wished.as_ref().is_some_and(|wished| Arc::ptr_eq(wished, &wish)) {
            *wished = None;
        }
        Ok(true)
    }

    fn wished(&self) -> MutexGuard<'_, Option<Arc<Wish>>> {
        self.wish.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
