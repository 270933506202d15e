//! Ledger time: the wall clock, held to never going back and never jumping far (FORMATS.md section 8).

use crate::clock::Clock;
use crate::spec::time::Timestamp;
use std::time::Duration;

/// How far the wall clock may run ahead of the steady clock between two batches.
///
/// Reason: time servers step by seconds; a wrong year is what this is for. Ten minutes lets a badly kept clock be
/// put right without an operator.
pub const MAX_CLOCK_JUMP: Duration = Duration::from_secs(600);

/// How far the wall clock may lie behind the last entry; its time is repeated until the clock has caught up.
///
/// Reason: as for a jump; beyond, hours of entries would bear one and the same time.
pub const MAX_STEP_BACK: Duration = Duration::from_secs(600);

/// How far the wall clock may lie, at a start, ahead of the latest time that is known, where nobody vouches for it.
///
/// Reason: a week's holiday; a ledger that ran notes the time each minute, so more than that is a long rest or a wrong
/// clock.
pub const MAX_REST: Duration = Duration::from_secs(7 * 86_400);

/// Turns the wall clock into ledger time: never back, and never far forward without a human's word.
#[derive(Clone, Copy, Debug)]
pub struct LedgerTime {
    last: Timestamp,
    wall: Timestamp,
    steady: Duration,
    /// The clock was not believed at the start: the latest time that was known then.
    doubted: Option<Timestamp>,
    /// An operator has said that the clock is right though it lies behind the last entry.
    may_lag: bool,
}

/// Why the clock is not believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClockTrouble {
    /// It ran ahead of the steady clock by more than [`MAX_CLOCK_JUMP`], or at the start of what is known by more than
    /// [`MAX_REST`].
    Ahead {
        /// Where the steady clock says we are, or the latest time that was known.
        expected: Timestamp,
        /// Where the wall clock says we are.
        wall: Timestamp,
    },
    /// It lies behind the last entry by more than [`MAX_STEP_BACK`].
    Behind {
        /// The last entry's time.
        last: Timestamp,
        /// Where the wall clock says we are.
        wall: Timestamp,
    },
}

fn is_further(wall: Timestamp, from: Timestamp, by: Duration) -> bool {
    i128::from(wall.since(from)) > by.as_micros() as i128
}

impl LedgerTime {
    /// Starts after an entry recorded at `last`. There is no steady clock across a restart: the wall clock is believed if
    /// it lies near the latest time that is known, `noted` among it, or if the kernel vouches for it. Where no time was ever
    /// noted it is believed once. If it is behind the last entry, that is the reference, so that its correction is no jump.
    #[must_use]
    pub fn start(last: Timestamp, noted: Option<Timestamp>, clock: &dyn Clock) -> Self {
        let wall = clock.now();
        let known = noted.map(|noted| noted.max(last));
        let doubted = known.filter(|known| is_further(wall, *known, MAX_REST) && !clock.is_synchronised());
        Self { last, wall: wall.max(last), steady: clock.elapsed(), doubted, may_lag: false }
    }

    /// The time for what is recorded now.
    ///
    /// # Errors
    /// [`ClockTrouble`], until the clock is put right, or [`LedgerTime::confirm`].
    pub fn now(&mut self, clock: &dyn Clock) -> Result<Timestamp, ClockTrouble> {
        let (wall, steady) = (clock.now(), clock.elapsed());
        let passed = i64::try_from(steady.saturating_sub(self.steady).as_micros()).unwrap_or(i64::MAX);
        if let Some(known) = self.doubted {
            if is_further(wall, known.saturating_add(passed), MAX_REST) {
                return Err(ClockTrouble::Ahead { expected: known, wall });
            }
            // It was put right.
            (self.doubted, self.wall, self.steady) = (None, wall.max(self.last), steady);
        }
        let passed = i64::try_from(steady.saturating_sub(self.steady).as_micros()).unwrap_or(i64::MAX);
        let expected = self.wall.saturating_add(passed);
        // Up to the last entry's time it moves nothing: a confirmed clock that lags may be put right.
        if is_further(wall, expected.max(self.last), MAX_CLOCK_JUMP) {
            return Err(ClockTrouble::Ahead { expected, wall });
        }
        if is_further(self.last, wall, MAX_STEP_BACK) && !self.may_lag {
            return Err(ClockTrouble::Behind { last: self.last, wall });
        }
        self.may_lag &= wall < self.last;
        // After a step back the later of the two stays the reference, so that its correction is no jump.
        (self.wall, self.steady) = (wall.max(expected), steady);
        self.last = self.last.max(wall);
        Ok(self.last)
    }

    /// Believes the wall clock as it is now.
    pub fn confirm(&mut self, clock: &dyn Clock) {
        (self.wall, self.steady) = (clock.now(), clock.elapsed());
        (self.doubted, self.may_lag) = (None, self.wall < self.last);
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
        let mut time = LedgerTime::start(at(900), None, &clock);
        assert_eq!(time.now(&clock), Ok(at(1000)));
        clock.set_wall(at(1000 - 600));
        assert_eq!(time.now(&clock), Ok(at(1000)));
        clock.advance_to(at(1000 - 600 + 60));
        assert_eq!(time.now(&clock), Ok(at(1000)));
    }

    #[test]
    fn a_long_step_back_is_refused_until_time_has_caught_up_or_somebody_decides() {
        let clock = ManualClock::new(at(10_000));
        let mut time = LedgerTime::start(at(900), None, &clock);
        assert_eq!(time.now(&clock), Ok(at(10_000)));
        clock.set_wall(at(10_000 - 3600));
        let behind = Err(ClockTrouble::Behind { last: at(10_000), wall: at(10_000 - 3600) });
        assert_eq!(time.now(&clock), behind);
        let mut confirmed = time;
        confirmed.confirm(&clock);
        assert_eq!(confirmed.now(&clock), Ok(at(10_000)), "confirmed, the last time is repeated");
        clock.advance_to(at(10_000 - 600));
        assert_eq!(time.now(&clock), Ok(at(10_000)));
        clock.advance_to(at(10_001));
        assert_eq!((time.now(&clock), confirmed.now(&clock)), (Ok(at(10_001)), Ok(at(10_001))));
        clock.set_wall(at(10_001 - 3600));
        assert!(confirmed.now(&clock).is_err(), "what was confirmed was that step, and no other");
    }

    #[test]
    fn at_a_start_the_clock_is_believed_near_what_is_known_or_where_the_kernel_vouches_for_it() {
        let (known, week) = (at(1_000_000), 7 * 86_400);
        let clock = ManualClock::new(at(1_000_000 + week));
        assert!(LedgerTime::start(at(900), Some(known), &clock).now(&clock).is_ok());
        clock.set_wall(at(1_000_000 + week + 1));
        let mut time = LedgerTime::start(at(900), Some(known), &clock);
        let ahead = Err(ClockTrouble::Ahead { expected: known, wall: at(1_000_000 + week + 1) });
        assert_eq!(time.now(&clock), ahead);
        // Put right, it is believed, and held from then on.
        let mut right = time;
        clock.set_wall(at(1_000_000 + 86_400));
        assert_eq!(right.now(&clock), Ok(at(1_000_000 + 86_400)));
        clock.set_wall(at(1_000_000 + 2 * 86_400));
        assert!(right.now(&clock).is_err());
        time.confirm(&clock);
        assert_eq!(time.now(&clock), Ok(at(1_000_000 + 2 * 86_400)));
        // The last entry counts as what is noted does; without a note the clock is believed once.
        clock.set_wall(at(1_000_000 + week + 1));
        assert!(LedgerTime::start(at(1_000_100), Some(known), &clock).now(&clock).is_ok());
        assert!(LedgerTime::start(at(900), None, &clock).now(&clock).is_ok());
        clock.synchronise(true);
        assert!(LedgerTime::start(at(900), Some(known), &clock).now(&clock).is_ok());
    }

    #[test]
    fn a_jump_forward_is_refused_until_confirmed() {
        let clock = ManualClock::new(at(1000));
        let mut time = LedgerTime::start(at(900), None, &clock);
        clock.set_wall(at(1000 + 365 * 86_400));
        assert!(time.now(&clock).is_err());
        assert!(time.now(&clock).is_err(), "still refused");
        time.confirm(&clock);
        assert_eq!(time.now(&clock), Ok(at(1000 + 365 * 86_400)));
    }

    #[test]
    fn putting_right_a_step_back_is_no_jump() {
        let clock = ManualClock::new(at(10_000));
        let mut time = LedgerTime::start(at(900), None, &clock);
        clock.set_wall(at(10_000 - 3600));
        assert_eq!(time.now(&clock), Ok(at(10_000 - 3600)));
        clock.set_wall(at(10_001));
        assert_eq!(time.now(&clock), Ok(at(10_001)));
    }

    #[test]
    fn putting_right_a_step_back_after_a_restart_is_no_jump() {
        let clock = ManualClock::new(at(10_000 - 600));
        let mut time = LedgerTime::start(at(10_000), None, &clock);
        assert_eq!(time.now(&clock), Ok(at(10_000)));
        clock.set_wall(at(10_001));
        assert_eq!(time.now(&clock), Ok(at(10_001)));
        clock.set_wall(at(10_001 + 3600));
        assert!(time.now(&clock).is_err());
    }

    #[test]
    fn a_long_quiet_time_is_no_jump() {
        let clock = ManualClock::new(at(1000));
        let mut time = LedgerTime::start(at(900), None, &clock);
        clock.advance_to(at(1000 + 30 * 86_400));
        assert_eq!(time.now(&clock), Ok(at(1000 + 30 * 86_400)));
    }
}
