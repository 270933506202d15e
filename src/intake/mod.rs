//! The one door ([`Recorder`]): from events as they come to events in the log. Authority, parsing, schema, identity,
//! corrections, publications of the catalogue, pace, and the answer.
//!
//! Everything up to the log's own queue runs with whoever brings the events, in parallel, before the sequencer sees anything.
//! A refusal names its kind, a JSON Pointer and a next step, and nothing has happened. No value of a request goes further
//! than this but within the drafted entry. May use `identity`, `catalog`, `index`, `log` and `spec`; must never know HTTP
//! beyond the names of the CloudEvents headers, nor an engine of views: who follows the log comes in as [`Followers`].

mod accept;
mod authority;
mod cloudevents;
mod corrections;
mod error;
mod incoming;
mod limits;
mod pace;
mod prepare;
mod publication;
mod recorder;
mod refusal;
mod reserved;
mod sense;
mod taken;

pub use accept::{Accepted, Rules, accept};
pub use authority::may_record;
pub use cloudevents::{BinaryHeader, Mode, from_batch, from_binary, from_structured};
pub use error::{Blocked, Fault, Later, RecordError, Taken};
pub use incoming::{Body, Form, Incoming};
pub use limits::{MAX_BATCH_BYTES, MAX_BATCH_EVENTS, MAX_EVENT_BYTES};
pub use prepare::Ground;
pub use recorder::{Followers, Recorded, Recorder};
pub use refusal::{Kind, Refusal};
pub use reserved::RESERVED_IDS;
