//! Time: one instant, one day, and the one reader of what others write.
//!
//! Ledger time is RFC 3339 in UTC with exactly six fraction digits, `2026-11-24T09:30:00.000000Z`. The text has a fixed
//! width, so two times that the ledger wrote compare like their texts. What others write has many spellings of the same
//! instant: it is read ([`Rfc3339`]) before it is compared, and never compared as text.

mod calendar;
mod day;
mod rfc3339;
mod timestamp;

pub use day::Day;
pub use rfc3339::Rfc3339;
pub use timestamp::{MICROS_PER_DAY, MICROS_PER_MINUTE, MICROS_PER_SECOND, Timestamp};
