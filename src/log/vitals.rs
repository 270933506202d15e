//! What an operator wants to know of the committer.

use crate::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::io;
use std::time::Duration;

/// How it goes.
#[derive(Default)]
pub struct Vitals {
    commits: AtomicU64,
    micros: AtomicU64,
    bounded: AtomicBool,
}

impl Vitals {
    /// A batch is durable.
    pub(super) fn committed(&self, took: Duration) {
        self.commits.fetch_add(1, Ordering::Relaxed);
        self.micros.fetch_add(u64::try_from(took.as_micros()).unwrap_or(u64::MAX), Ordering::Relaxed);
        self.bounded.store(false, Ordering::Relaxed);
    }

    /// A batch found no room.
    pub(super) fn refused(&self, error: &io::Error) {
        self.bounded.store(error.kind() != io::ErrorKind::StorageFull, Ordering::Relaxed);
    }

    /// Batches that are durable, and how long they took together.
    pub fn commits(&self) -> (u64, Duration) {
        let micros = self.micros.load(Ordering::Relaxed);
        (self.commits.load(Ordering::Relaxed), Duration::from_micros(micros))
    }

    /// Whether the last batch was refused by a quota or a limit of sizes.
    pub fn is_bounded(&self) -> bool {
        self.bounded.load(Ordering::Relaxed)
    }
}
