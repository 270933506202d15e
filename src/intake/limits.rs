//! How much is taken at once.

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
