//! Recording gives way to whoever follows the log and falls behind: what would be a lag without end becomes a somewhat lower
//! rate.

use std::time::Duration;

/// Entries that followers may be behind without anybody waiting: about half a second of the views' work.
const AT_EASE: u64 = 20_000;

/// How long a request is kept waiting, at most; reached at twice the lag.
///
/// Reason: long enough that a few dozen busy connections come down to the pace of the views, short enough for no client's
/// patience to end. No event is refused for it.
const LONGEST: Duration = Duration::from_millis(500);

/// The pause of a request when followers are `arrears` entries behind.
pub(super) fn pause(arrears: u64) -> Option<Duration> {
    let over = arrears.checked_sub(AT_EASE).filter(|over| *over > 0)?;
    Some(LONGEST.mul_f64(over.min(AT_EASE) as f64 / AT_EASE as f64))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pause_grows_with_the_lag_and_has_an_end() {
        assert_eq!(pause(0), None);
        assert_eq!(pause(AT_EASE), None);
        assert_eq!(pause(AT_EASE * 3 / 2), Some(LONGEST / 2));
        assert_eq!(pause(AT_EASE * 2), Some(LONGEST));
        assert_eq!(pause(u64::MAX), Some(LONGEST));
    }
}
