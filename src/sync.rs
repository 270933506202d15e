//! The seam to threads: what the append path takes of `std::sync` and `std::thread`, and nothing more, so that a test
//! can own the order in which threads run. `tests/protocol` builds the same files over a scheduler of its own.

pub use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
pub use std::sync::{atomic, mpsc};
pub use std::thread;

use tokio::sync::oneshot;

/// Waits in a thread for an answer.
///
/// # Errors
/// Whoever was to answer is gone.
pub fn wait_for<T>(answer: oneshot::Receiver<T>) -> Result<T, oneshot::error::RecvError> {
    answer.blocking_recv()
}
