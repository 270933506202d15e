//! Ledger time: the wall clock, held to never going back and never jumping far ahead.

use crate::clock::Clock;
use crate::spec::time::Timestamp;
use std::time::Duration;

/// How far the wall clock may run ahead of the steady clock between two batches.
///
/// Reason: time servers step by seconds; a wrong year is what this is for. Ten minutes lets a badly kept clock be
/// put right without an operator.
pub const MAX_CLOCK_JUMP: Duration = Duration::from_secs(600);

/// Turns the wall clock into ledger time: never back, and never far forward without a human's word.
#[derive(Clone, Copy, Debug)]
pub struct LedgerTime {
    last: Timestamp,
    wall: Timestamp,
    steady: Duration,
}

/// The wall clock ran ahead of the steady clock by more than [`MAX_CLOCK_JUMP`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ClockJumped {
    /// Where the steady clock says we are.
    pub expected: Timestamp,
    /// Where the wall clock says we are.
    pub wall: Timestamp,
}

impl LedgerTime {
    /// Starts after an entry recorded at `last`. There is no steady clock across a restart: the wall clock is
    /// believed once. If it is behind the last entry, that is the reference, so that its correction is no jump.
    #[must_use]
    pub fn start(last: Timestamp, clock: &dyn Clock) -> Self {
        Self { last, wall: clock.now().max(last), steady: clock.elapsed() }
    }

    /// The time for what is recorded now.
    ///
    /// # Errors
    /// [`ClockJumped`], until [`LedgerTime::confirm`].
    pub fn now(&mut self, clock: &dyn Clock) -> Result<Timestamp, ClockJumped> {
        let (wall, steady) = (clock.now(), clock.elapsed());
        let passed = i64::try_from(steady.saturating_sub(self.steady).as_micros()).unwrap_or(i64::MAX);
        let expected = self.wall.saturating_add(passed);
        let ahead = wall.since(expected);
        if ahead > MAX_CLOCK_JUMP.as_micros() as i64 {
            return Err(ClockJumped { expected, wall });
        }
        // After a step back the later of the two stays the reference, so that its correction is no jump.
        (self.wall, self.steady) = (wall.max(expected), steady);
        self.last = self.last.max(wall);
        Ok(self.last)
    }

    /// Believes the wall clock as it is now.
    pub fn confirm(&mut self, clock: &dyn Clock) {
        (self.wall, self.steady) = (clock.now(), clock.elapsed());
    }

    /// Goes back to an earlier last time: what was recorded since is not in the ledger.
    pub fn rewind(&mut self, last: Timestamp) {
        self.last = last;
    }

    /// The time of the latest entry.
    #[must_use]
    pub fn last(&self) -> Timestamp {
        self.last
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::ManualClock;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::from_micros(seconds * 1_000_000).unwrap()
    }

    #[test]
    fn a_step_back_is_absorbed_and_time_repeats() {
        let clock = ManualClock::new(at(1000));
        let mut time = LedgerTime::start(at(900), &clock);
        assert_eq!(time.now(&clock), Ok(at(1000)));
        clock.set_wall(at(1000 - 3600));
        assert_eq!(time.now(&clock), Ok(at(1000)));
        clock.advance_to(at(1000 - 3600 + 60));
        assert_eq!(time.now(&clock), Ok(at(1000)));
    }

    #[test]
    fn a_jump_forward_is_refused_until_confirmed() {
        let clock = ManualClock::new(at(1000));
        let mut time = LedgerTime::start(at(900), &clock);
        clock.set_wall(at(1000 + 365 * 86_400));
        assert!(time.now(&clock).is_err());
        assert!(time.now(&clock).is_err(), "still refused");
        time.confirm(&clock);
        assert_eq!(time.now(&clock), Ok(at(1000 + 365 * 86_400)));
    }

    #[test]
    fn putting_right_a_step_back_is_no_jump() {
        let clock = ManualClock::new(at(10_000));
        let mut time = LedgerTime::start(at(900), &clock);
        clock.set_wall(at(10_000 - 3600));
        assert_eq!(time.now(&clock), Ok(at(10_000 - 3600)));
        clock.set_wall(at(10_001));
        assert_eq!(time.now(&clock), Ok(at(10_001)));
    }

    #[test]
    fn putting_right_a_step_back_after_a_restart_is_no_jump() {
        let clock = ManualClock::new(at(10_000 - 3600));
        let mut time = LedgerTime::start(at(10_000), &clock);
        assert_eq!(time.now(&clock), Ok(at(10_000)));
        clock.set_wall(at(10_001));
        assert_eq!(time.now(&clock), Ok(at(10_001)));
        clock.set_wall(at(10_001 + 3600));
        assert!(time.now(&clock).is_err());
    }

    #[test]
    fn a_long_quiet_time_is_no_jump() {
        let clock = ManualClock::new(at(1000));
        let mut time = LedgerTime::start(at(900), &clock);
        clock.advance_to(at(1000 + 30 * 86_400));
        assert_eq!(time.now(&clock), Ok(at(1000 + 30 * 86_400)));
    }
}
