//! What the ledger knows of the world, loaded from `seeds/catalog/*.yaml` and from a folder of the organisation's own:
//! the event types it accepts, the registers that are folded from them, and the controls that they are evidence of. All
//! of it is data, not code. A type has its schema, its example, whose history it belongs to, and which of its fields hold
//! dates and links; a register says what each type does to a row; a control says to what it applies and what shows it.
//!
//! May use `spec` and the YAML and JSON Schema crates. Must never know of the log or of HTTP, never fetch anything (a
//! schema refers to nothing outside its own file and `common.yaml`), never read a clock, and never put a value that a
//! client sent into a message: what is refused may be personal.

mod cadence;
mod choice;
mod compatible;
mod compiled;
mod complete;
mod control;
mod countable;
mod error;
mod event_type;
mod field;
mod filter;
mod history;
mod instant;
mod lateness;
mod lint;
mod nearest;
mod publish;
mod register;
mod register_source;
mod source;
mod value;
mod words;

pub use cadence::{Cadence, Span};
pub use choice::Choice;
pub use compiled::Catalog;
pub use control::{CORE_VIEWS, Control, CoreView, Evidence, Member, Population};
pub use error::CatalogError;
pub use event_type::{Entity, EventType, Link, LinkTarget, Violation};
pub use filter::Filter;
pub use history::{CatalogHistory, InForce};
pub use nearest::nearest;
pub use publish::{PUBLISHED, PublishRefusal};
pub use register::{KEY_JOINER, Moves, Next, Reaction, Register, UNOPENED};
pub use value::to_value;
pub use words::{Acts, PostedBy, Repeat, Words};

#[cfg(test)]
mod content_tests;
#[cfg(test)]
mod control_tests;
#[cfg(test)]
mod publish_tests;
#[cfg(test)]
mod register_tests;
#[cfg(test)]
mod tests;
