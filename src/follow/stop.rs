//! A word that ends work: threads look at it between two steps, and sleep so that it wakes them.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::Duration;

/// Whether work is to end. Clones are the same word.
#[derive(Clone, Default)]
pub struct Stop(Arc<Word>);

#[derive(Default)]
struct Word {
    said: AtomicBool,
    asleep: Mutex<()>,
    woken: Condvar,
}

impl Stop {
    /// Says it, and wakes those who sleep.
    pub fn say(&self) {
        self.0.said.store(true, Ordering::Release);
        // Under the lock, so that nobody misses it between looking and sleeping.
        let _asleep = self.0.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        self.0.woken.notify_all();
    }

    /// Whether it was said.
    #[must_use]
    pub fn is_said(&self) -> bool {
        self.0.said.load(Ordering::Acquire)
    }

    /// Sleeps until it is said, at most this long, and says whether it was.
    pub fn sleep(&self, at_most: Duration) -> bool {
        let asleep = self.0.asleep.lock().unwrap_or_else(PoisonError::into_inner);
        let slept = self.0.woken.wait_timeout_while(asleep, at_most, |()| !self.is_said());
        drop(slept.unwrap_or_else(PoisonError::into_inner));
        self.is_said()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Instant;

    #[test]
    fn whoever_sleeps_is_woken_by_the_word() {
        let stop = Stop::default();
        assert!(!stop.sleep(Duration::from_millis(1)));
        let (sleeper, began) = (stop.clone(), Instant::now());
        let asleep = std::thread::spawn(move || sleeper.sleep(Duration::from_secs(60)));
        stop.say();
        assert!(asleep.join().unwrap() && stop.is_said());
        assert!(began.elapsed() < Duration::from_secs(30));
    }
}
