//! A year in the life of a bank that does not exist: several hundred believable events of the four core families, told
//! in `seeds/demo/*.yaml` and placed in the year that ends when it is asked for. `daybook demo` starts from it, and tests
//! of views lean on its story.
//!
//! May use the YAML reader and `sha2`; and `intake`, by whose door it is recorded (`tell.rs`). Must never read a clock or
//! draw at random: the same `now` gives the same events, and what looks like chance comes from a hash of the series and the number. Must never hold personal data.

mod choice;
mod event;
mod rights;
mod scenario;
mod source;
mod tell;
mod template;

pub use event::{DemoError, DemoEvent};
pub use rights::applications;
pub use scenario::scenario;
pub use tell::{TellError, stamp, tell};

#[cfg(test)]
mod tests;
