//! Asking for rows: one, or those that fit, as they are now, as they were known, and as they held at a time.

mod acting;
mod aside;
mod asked;
mod counts;
mod fits;
mod judged;
mod questions;
mod reading;
mod remembered;
mod source;

#[cfg(test)]
pub(in crate::views::engine) use reading::{Bounds, Reading};

pub use asked::{Ask, EXPIRED, Found, Page, Part, Place, SCHEDULED, Scheduled, Sort, When};
