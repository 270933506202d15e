//! What `src/sync.rs` is to the program, over shuttle's scheduler: the same names, every one of them a point where
//! another thread may run.

pub use shuttle::sync::atomic;
pub use shuttle::sync::{Condvar, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use tokio::sync::oneshot;

/// Channels. The standard library's receiver takes with it what was sent and not received, and so whoever waits for an
/// answer in there learns that none will come; shuttle's leaves it to the last sender.
pub mod mpsc {
    pub use shuttle::sync::mpsc::{RecvError, Sender, SyncSender, TryRecvError, TrySendError};

    pub struct Receiver<T> {
        inner: shuttle::sync::mpsc::Receiver<T>,
        /// Without room for anything, nothing can be left in it.
        has_room: bool,
    }

    pub fn channel<T>() -> (Sender<T>, Receiver<T>) {
        let (sender, receiver) = shuttle::sync::mpsc::channel();
        (sender, Receiver { inner: receiver, has_room: true })
    }

    pub fn sync_channel<T>(bound: usize) -> (SyncSender<T>, Receiver<T>) {
        let (sender, receiver) = shuttle::sync::mpsc::sync_channel(bound);
        (sender, Receiver { inner: receiver, has_room: bound > 0 })
    }

    impl<T> Receiver<T> {
        pub fn recv(&self) -> Result<T, RecvError> {
            self.inner.recv()
        }

        pub fn try_recv(&self) -> Result<T, TryRecvError> {
            self.inner.try_recv()
        }

        pub fn iter(&self) -> impl Iterator<Item = T> {
            std::iter::from_fn(|| self.recv().ok())
        }
    }

    impl<T> Drop for Receiver<T> {
        fn drop(&mut self) {
            while self.has_room && !std::thread::panicking() && self.inner.try_recv().is_ok() {}
        }
    }
}

pub mod thread {
    pub use shuttle::thread::*;
    use std::num::NonZero;

    /// So many cores that a batch is signed by several threads, on every machine the same.
    pub fn available_parallelism() -> std::io::Result<NonZero<usize>> {
        Ok(NonZero::new(3).expect("three is not zero"))
    }
}

/// Waits in a thread for an answer.
///
/// # Errors
/// Whoever was to answer is gone.
pub fn wait_for<T>(answer: oneshot::Receiver<T>) -> Result<T, oneshot::error::RecvError> {
    shuttle::future::block_on(answer)
}
