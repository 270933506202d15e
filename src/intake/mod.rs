//! From a posted event to one that can be recorded: parse, check, canonicalise.
//!
//! Everything here runs in the request handlers, in parallel, before the sequencer sees anything. A refusal names its
//! kind, a JSON Pointer and a next step, and nothing has happened. May use `identity`, `catalog`, `log` and `spec`;
//! must never know HTTP beyond the names of the CloudEvents headers.

mod accept;
mod cloudevents;
mod refusal;

pub use accept::{Accepted, Rules, accept};
pub use cloudevents::{BinaryHeader, Mode, from_batch, from_binary, from_structured};
pub use refusal::{Kind, Refusal};

/// Events in one batch.
///
/// Reason: what one commit takes in a blink; a producer with more sends another batch.
pub const MAX_BATCH_EVENTS: usize = 1_000;

/// Bytes of a batch's body.
pub const MAX_BATCH_BYTES: usize = 8 << 20;

/// Bytes of a single event's body.
///
/// Reason: an entry holds at most 65,535; white space and escapes may take some more on the way in.
pub const MAX_EVENT_BYTES: usize = 256 << 10;
