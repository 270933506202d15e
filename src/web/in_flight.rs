//! How many requests were begun and are not answered.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

/// Requests that were begun and are not answered to the last byte.
#[derive(Clone, Default)]
pub struct InFlight(Arc<AtomicUsize>);

/// One of them.
pub struct Begun(InFlight);

impl InFlight {
    /// How many.
    #[must_use]
    pub fn count(&self) -> usize {
        self.0.load(Ordering::Relaxed)
    }

    /// Counts one, until what this gives is dropped.
    #[must_use]
    pub fn begin(&self) -> Begun {
        self.0.fetch_add(1, Ordering::Relaxed);
        Begun(self.clone())
    }
}

impl Drop for Begun {
    fn drop(&mut self) {
        self.0.0.fetch_sub(1, Ordering::Relaxed);
    }
}
