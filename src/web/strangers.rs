//! What strangers do wrong fills no log: some of it is told each second, the rest is counted.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Lines a second that whoever shows no valid token can have written.
///
/// Reason: enough to see what goes on; under a flood some kilobytes a second.
const LINES_PER_SECOND: u64 = 10;

/// Requests that were refused without a valid token and not told in the access log.
static UNTOLD: AtomicU64 = AtomicU64::new(0);

/// Connections that sent what is no HTTP request.
static MALFORMED: AtomicU64 = AtomicU64::new(0);

struct Second {
    began: Instant,
    told: u64,
}

static NOW: Mutex<Option<Second>> = Mutex::new(None);

/// Whether another line may be written; if not, it is counted.
pub fn may_be_told() -> bool {
    let mut now = NOW.lock().unwrap_or_else(PoisonError::into_inner);
    let second = now.get_or_insert_with(|| Second { began: Instant::now(), told: 0 });
    if second.began.elapsed() >= Duration::from_secs(1) {
        *second = Second { began: Instant::now(), told: 0 };
        let untold = UNTOLD.swap(0, Ordering::Relaxed);
        if untold > 0 {
            tracing::info!(target: "daybook::access", untold, "requests without a valid token were refused and not told");
        }
    }
    second.told += 1;
    if second.told > LINES_PER_SECOND {
        UNTOLD.fetch_add(1, Ordering::Relaxed);
    }
    second.told <= LINES_PER_SECOND
}

/// Counts a connection that sent what is no HTTP request.
pub fn count_malformed() {
    MALFORMED.fetch_add(1, Ordering::Relaxed);
}

/// Connections that sent what is no HTTP request, since the start.
#[must_use]
pub fn malformed() -> u64 {
    MALFORMED.load(Ordering::Relaxed)
}
