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

/// The seeds of a campaign: `count`, or with `DAYBOOK_SOAK` a hundred times as many (with `DAYBOOK_SOAK=n`, n times), or
/// the one of `DAYBOOK_SEED`.
pub(crate) fn seeds(count: u64) -> std::ops::Range<u64> {
    let number = |name: &str| std::env::var(name).ok().map(|value| value.parse::<u64>().ok());
    match (number("DAYBOOK_SEED").flatten(), number("DAYBOOK_SOAK")) {
        (Some(seed), _) => seed..seed + 1,
        (None, None) => 0..count,
        (None, Some(times)) => 0..count * times.filter(|times| *times > 1).unwrap_or(100),
    }
}
