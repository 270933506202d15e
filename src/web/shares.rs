//! Room that callers share: so much for all, and so much of it for one of them, who can then not take it from the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

/// Some room, and who holds how much of it. Only authenticated callers hold any, so there are no more of them than there
/// are tokens.
#[derive(Clone)]
pub struct Shares(Arc<Inner>);

struct Inner {
    most: usize,
    most_of_one: usize,
    held: AtomicUsize,
    by_caller: Mutex<HashMap<String, Arc<AtomicUsize>>>,
}

/// A caller's part, given back when it is dropped.
pub struct Held {
    shares: Shares,
    caller: Arc<AtomicUsize>,
    amount: usize,
}

impl Shares {
    /// So much for all, and so much of it for one caller.
    #[must_use]
    pub fn new(most: usize, most_of_one: usize) -> Self {
        let inner = Inner { most, most_of_one, held: AtomicUsize::new(0), by_caller: Mutex::default() };
        Self(Arc::new(inner))
    }

    /// A part of this caller's, with nothing in it yet.
    #[must_use]
    pub fn of(&self, caller: &str) -> Held {
        let mut by_caller = self.0.by_caller.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = match by_caller.get(caller) {
            Some(known) => known.clone(),
            None => by_caller.entry(caller.to_owned()).or_default().clone(),
        };
        Held { shares: self.clone(), caller, amount: 0 }
    }

    /// How much all hold.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held.load(Ordering::Relaxed)
    }

    /// How much there is for all.
    #[must_use]
    pub fn most(&self) -> usize {
        self.0.most
    }

    /// How much there is for one caller.
    #[must_use]
    pub fn most_of_one(&self) -> usize {
        self.0.most_of_one
    }
}

impl Held {
    /// Another part of the same caller's, with nothing in it yet.
    #[must_use]
    pub fn another(&self) -> Self {
        Self { shares: self.shares.clone(), caller: self.caller.clone(), amount: 0 }
    }

    /// Takes more, up to this amount. False if there is not so much, for all or for this caller; then nothing is taken.
    #[must_use]
    pub fn grow_to(&mut self, amount: usize) -> bool {
        let more = amount.saturating_sub(self.amount);
        if !take(&self.caller, more, self.shares.0.most_of_one) {
            return false;
        }
        if !take(&self.shares.0.held, more, self.shares.0.most) {
            self.caller.fetch_sub(more, Ordering::Relaxed);
            return false;
        }
        self.amount += more;
        true
    }
}

fn take(held: &AtomicUsize, more: usize, most: usize) -> bool {
    let taken = |now: usize| now.checked_add(more).filter(|sum| *sum <= most);
    held.fetch_update(Ordering::Relaxed, Ordering::Relaxed, taken).is_ok()
}

impl Drop for Held {
    fn drop(&mut self) {
        self.caller.fetch_sub(self.amount, Ordering::Relaxed);
        self.shares.0.held.fetch_sub(self.amount, Ordering::Relaxed);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_caller_leaves_room_for_others_and_all_is_given_back() {
        let shares = Shares::new(10, 6);
        let mut first = shares.of("a");
        assert!(first.grow_to(4) && first.grow_to(6) && first.grow_to(5));
        assert!(!shares.of("a").grow_to(1), "all of its part is taken");
        let mut second = shares.of("b");
        assert!(!second.grow_to(5), "there is not so much");
        assert!(second.grow_to(4) && shares.held() == 10);
        drop(first);
        assert!(shares.of("a").grow_to(6));
        drop(second);
        assert_eq!(shares.held(), 0);
    }
}
