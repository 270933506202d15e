//! Posting gives way to views that fall behind: what would be a lag without end becomes a somewhat lower rate.

use crate::web::Service;
use std::time::Duration;

/// Entries that the views may be behind without anybody waiting: about half a second of their work.
const AT_EASE: u64 = 20_000;

/// How long a request is kept waiting, at most; reached at twice the lag.
///
/// Reason: long enough that a few dozen busy connections come down to the pace of the views, short enough for no client's
/// patience to end. No event is refused for it.
const LONGEST: Duration = Duration::from_millis(500);

/// Waits as long as a request has to wait at the present lag.
pub async fn give_way(service: &Service) {
    if let Some(pause) = service.views.as_ref().and_then(|views| pause(views.arrears())) {
        actix_web::rt::time::sleep(pause).await;
    }
}

/// The pause of a request when the views are `lag` entries behind.
fn pause(lag: u64) -> Option<Duration> {
    let over = lag.checked_sub(AT_EASE).filter(|over| *over > 0)?;
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
