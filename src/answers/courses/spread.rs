//! What is told of many times: of up to a thousand, exactly; of more, within 1 %.

use crate::views::stats::Durations;

/// Times that are kept as they are.
///
/// Reason: 8 kB; what is told of so few is exact, and whoever looks at a single case finds it.
const EXACT: usize = 1_000;

/// Times in whole seconds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Spread {
    /// All of them, as long as they are few; in the order of coming.
    few: Vec<u64>,
    /// All of them, once they are many.
    many: Durations,
    count: u64,
}

impl Spread {
    /// Adds one.
    pub(super) fn add(&mut self, seconds: u64) {
        self.count += 1;
        if self.is_exact() && self.few.len() < EXACT {
            self.few.push(seconds);
            return;
        }
        for few in std::mem::take(&mut self.few) {
            self.many.add(few);
        }
        self.many.add(seconds);
    }

    /// How many there are.
    pub(super) fn count(&self) -> u64 {
        self.count
    }

    /// Whether what is told is one of the times themselves.
    pub(super) fn is_exact(&self) -> bool {
        self.many.is_empty()
    }

    /// The least of the times that so many tenths of all do not exceed; none if there is nothing.
    pub(super) fn tenths(&self, tenths: u64) -> Option<f64> {
        if !self.is_exact() {
            return self.many.tenths_seconds(tenths);
        }
        let mut sorted = self.few.clone();
        sorted.sort_unstable();
        let place = (sorted.len() as u64 * tenths).div_ceil(10).saturating_sub(1);
        sorted.get(usize::try_from(place).ok()?).map(|seconds| *seconds as f64)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn few_are_told_exactly_and_many_within_a_hundredth(mut seconds in prop_oneof![
            prop::collection::vec(0..1_000_000_u64, 1..40),
            prop::collection::vec(0..1_000_000_u64, 990..1_010),
        ]) {
            let mut spread = Spread::default();
            seconds.iter().for_each(|value| spread.add(*value));
            seconds.sort_unstable();
            prop_assert_eq!((spread.count(), spread.is_exact()), (seconds.len() as u64, seconds.len() <= EXACT));
            for tenths in [5, 9] {
                // The least value that is not exceeded by so many of them, found by trying.
                let enough = |value: &&u64| {
                    seconds.iter().filter(|other| other <= value).count() * 10 >= seconds.len() * tenths as usize
                };
                let expected = *seconds.iter().find(enough).unwrap() as f64;
                let found = spread.tenths(tenths).unwrap();
                let bound = if spread.is_exact() { 0.0 } else { expected * 0.01 };
                prop_assert!((found - expected).abs() <= bound, "{found} for {expected}");
            }
        }
    }

    #[test]
    fn of_nothing_nothing_is_told() {
        assert_eq!((Spread::default().tenths(5), Spread::default().is_exact()), (None, true));
    }
}
