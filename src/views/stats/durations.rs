//! How long things took: a histogram from which a median is read, that can be added to, taken from and merged.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Bits of a duration that are kept.
///
/// Reason: buckets are then at most 1/64 wide, and the middle of one is within 1 % of everything in it. Durations under
/// 128 seconds are kept exactly.
const BITS: u32 = 7;

/// Durations in whole seconds, in buckets that grow with them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Durations(BTreeMap<u32, u64>);

/// The bucket of a duration: its first bits, and how many there are after them.
fn bucket(seconds: u64) -> u32 {
    let shift = (u64::BITS - seconds.leading_zeros()).saturating_sub(BITS);
    // Seven bits, and a shift of at most 57.
    (shift << BITS) | u32::try_from(seconds >> shift).unwrap_or(0)
}

/// The middle of a bucket.
fn middle(bucket: u32) -> f64 {
    let (shift, first) = (bucket >> BITS, f64::from(bucket & ((1 << BITS) - 1)));
    let width = 2_f64.powi(i32::try_from(shift).unwrap_or(0));
    if shift == 0 { first } else { first * width + (width - 1.0) / 2.0 }
}

impl Durations {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Adds one.
    pub fn add(&mut self, seconds: u64) {
        *self.0.entry(bucket(seconds)).or_default() += 1;
    }

    /// Takes away one that was added.
    pub fn remove(&mut self, seconds: u64) {
        take_one(&mut self.0, &bucket(seconds));
    }

    /// Adds all of another.
    pub fn merge(&mut self, other: &Durations) {
        for (bucket, count) in &other.0 {
            *self.0.entry(*bucket).or_default() += count;
        }
    }

    /// The lower median, within 1 %; none if there is nothing.
    #[must_use]
    pub fn median_seconds(&self) -> Option<f64> {
        self.tenths_seconds(5)
    }

    /// The least of them that so many tenths of all do not exceed, within 1 %; none if there is nothing.
    #[must_use]
    pub fn tenths_seconds(&self, tenths: u64) -> Option<f64> {
        let total: u64 = self.0.values().sum();
        let mut before = 0;
        for (bucket, count) in &self.0 {
            before += count;
            if before * 10 >= total * tenths {
                return Some(middle(*bucket));
            }
        }
        None
    }
}

pub(super) fn take_one<K: Ord>(counts: &mut BTreeMap<K, u64>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn the_median_is_within_a_hundredth(mut seconds in prop::collection::vec(prop_oneof![0..200_u64, 0..10_000_000_u64, Just(u64::MAX)], 1..60)) {
            let mut durations = Durations::default();
            seconds.iter().for_each(|value| durations.add(*value));
            seconds.sort_unstable();
            let exact = seconds[(seconds.len() - 1) / 2] as f64;
            let found = durations.median_seconds().unwrap();
            prop_assert!((found - exact).abs() <= exact * 0.01, "{found} for {exact}");
        }
    }

    #[test]
    fn buckets_are_in_the_order_of_what_is_in_them() {
        let seconds = [0, 1, 127, 128, 129, 255, 256, 1_000, 1 << 20, 1 << 40, u64::MAX];
        assert!(seconds.map(bucket).is_sorted());
        assert_eq!((middle(bucket(127)), middle(bucket(0))), (127.0, 0.0));
    }
}
