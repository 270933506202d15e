//! The log with a disk and a clock that the test owns.

mod bitflips;
mod bounds;
pub(crate) mod campaign;
mod chance;
mod crashes;
mod faults;
mod golden;
mod identity;
pub(crate) mod kit;
mod no_room;
mod order;
pub(crate) mod protocol;
pub(crate) mod simulated;

use std::time::{Duration, Instant, UNIX_EPOCH};

/// The seeds of a campaign: `count`, or with `DAYBOOK_SOAK` a hundred times as many (with `DAYBOOK_SOAK=n`, n times), or
/// the one of `DAYBOOK_SEED`. With `DAYBOOK_SOAK_MINUTES` they end when those are over, and begin at another one each time,
/// so that what there was no time for comes another time.
pub(crate) fn seeds(count: u64) -> impl Iterator<Item = u64> {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().ok());
    let (all, minutes) = match (number("DAYBOOK_SEED").flatten(), number("DAYBOOK_SOAK")) {
        (Some(seed), _) => (seed..seed + 1, None),
        (None, None) => (0..count, None),
        (None, Some(times)) => {
            let times = times.filter(|times| *times > 1).unwrap_or(100);
            (0..count * times, number("DAYBOOK_SOAK_MINUTES").flatten())
        }
    };
    let end = minutes.map(|minutes| Instant::now() + Duration::from_secs(60 * minutes));
    let now = UNIX_EPOCH.elapsed().map_or(0, |since| since.as_secs());
    let first = if end.is_some() { now % all.end } else { all.start };
    (first..all.end).chain(all.start..first).take_while(move |_| end.is_none_or(|end| Instant::now() < end))
}
