//! How many requests a second one caller may make, where an operator sets a bound.

use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter};
use std::num::NonZeroU32;

/// One bucket a caller. Only authenticated callers have one, so there are no more than there are tokens.
pub struct Rates(DefaultKeyedRateLimiter<String>);

impl Rates {
    /// This many requests a second, and as many at once.
    #[must_use]
    pub fn per_second(requests: NonZeroU32) -> Self {
        Self(RateLimiter::keyed(Quota::per_second(requests)))
    }

    /// Whether this caller may make another request now.
    #[must_use]
    pub fn allow(&self, actor: &str) -> bool {
        self.0.check_key(&actor.to_owned()).is_ok()
    }
}
