//! Until when an answer may be worked on.

use super::error::AnswerError;
use std::time::{Duration, Instant};

/// How long an answer may take, waiting included.
///
/// Reason: every loop is bounded by what it looks at, which takes some hundred milliseconds at most on a quiet machine; the
/// longest wait for the views is five seconds. What takes longer than both stands in a crowd, and whoever asked has most
/// likely gone: ending it gives the thread to others.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// The moment from which on an answer is not worked on any more. It is looked at wherever a loop can be long.
#[derive(Clone, Copy, Debug)]
pub struct Deadline(Instant);

impl Deadline {
    /// From now on, for so long.
    #[must_use]
    pub fn after(patience: Duration) -> Deadline {
        Deadline(Instant::now() + patience)
    }

    /// The moment, for what looks at it by itself.
    #[must_use]
    pub fn moment(self) -> Instant {
        self.0
    }

    /// How long is left.
    #[must_use]
    pub fn left(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Ends what has taken too long.
    ///
    /// # Errors
    /// It has passed.
    pub fn check(self) -> Result<(), AnswerError> {
        if Instant::now() < self.0 { Ok(()) } else { Err(AnswerError::TookTooLong) }
    }
}

impl Default for Deadline {
    fn default() -> Self {
        Deadline::after(PATIENCE)
    }
}
