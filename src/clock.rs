//! The seam to time: clocks, passed in so that tests and the demo can own it.

use crate::spec::time::Timestamp;
use rtime_clock::adjtime::{Timex, adjtimex};
use std::sync::Mutex;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

/// Where time comes from.
pub trait Clock: Send + Sync {
    /// The wall clock. May jump.
    fn now(&self) -> Timestamp;
    /// Time since some fixed moment, sleep included. Never jumps.
    fn elapsed(&self) -> Duration;
    /// Whether the kernel vouches for the wall clock: it is disciplined by a time server.
    fn is_synchronised(&self) -> bool;
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

    fn is_synchronised(&self) -> bool {
        // Without any mode it only asks, which everybody may.
        let mut asked = Timex::new();
        let Ok(state) = adjtimex(&mut asked) else { return false };
        let vouched = state != TIME_ERROR && asked.0.status & STA_UNSYNC == 0;
        // It vouches for its own clock: what this process is shown may be another (a container's, a test's).
        let shown = self.now().micros() / 1_000_000;
        vouched && shown.abs_diff(asked.0.time.tv_sec) <= SAME_CLOCK_S
    }
}

/// What `adjtimex(2)` answers while the clock is not synchronised.
const TIME_ERROR: i32 = 5;

/// The bit of its status that says the same (`linux/timex.h`).
const STA_UNSYNC: i32 = 0x40;

/// Seconds by which two readings of one clock may differ.
///
/// Reason: a process that is not let run between the two.
const SAME_CLOCK_S: u64 = 60;

/// A clock that goes where it is told.
pub struct ManualClock(Mutex<(Timestamp, Duration)>, AtomicBool);

impl ManualClock {
    /// A clock that stands at `now`.
    #[must_use]
    pub fn new(now: Timestamp) -> Self {
        Self(Mutex::new((now, Duration::ZERO)), AtomicBool::new(false))
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

    /// Has the kernel vouch for it, or not.
    pub fn synchronise(&self, vouched: bool) {
        self.1.store(vouched, Ordering::Relaxed);
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

    fn is_synchronised(&self) -> bool {
        self.1.load(Ordering::Relaxed)
    }
}
