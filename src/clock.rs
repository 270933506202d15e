//! The seam to time: clocks, passed in so that tests and the demo can own it.

use crate::spec::time::Timestamp;
use std::sync::Mutex;
use std::time::Duration;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock. May jump.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment, sleep included. Never jumps.
    fn elapsed(&self) -> Duration;
}

/// The operating system's clocks.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> Timestamp {
        let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
        let micros = i64::try_from(since.as_micros()).unwrap_or(i64::MAX);
        // A wall clock beyond the year 9999 is as good as none: time then repeats the last entry's.
        Timestamp::from_micros(micros).unwrap_or(Timestamp::EPOCH)
    }

    fn elapsed(&self) -> Duration {
        // CLOCK_BOOTTIME counts suspended time, so waking a machine is no jump.
        let time = rustix::time::clock_gettime(rustix::time::ClockId::Boottime);
        Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
    }
}

/// A clock that goes where it is told.
pub struct ManualClock(Mutex<(Timestamp, Duration)>);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new((now, Duration::ZERO)))
    }

    fn lock(&self) -> std::sync::MutexGuard<'_, (Timestamp, Duration)> {
        self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// Lets time pass until `now`: both clocks go forward.
    pub fn advance_to(&self, now: Timestamp) {
        let mut state = self.lock();
        let passed = now.since(state.0);
        state.1 += Duration::from_micros(u64::try_from(passed).unwrap_or(0));
        state.0 = now;
    }

    /// Sets the wall clock alone, as an operator or a broken time server does.
    pub fn set_wall(&self, now: Timestamp) {
        self.lock().0 = now;
    }
}

impl Clock for ManualClock {
    fn now(&self) -> Timestamp {
        self.lock().0
    }

    fn elapsed(&self) -> Duration {
        self.lock().1
    }
}
