//! What every model reads: entries, the facts that stand, and the moment that is asked about.

use serde_json::Value;

/// Microseconds since 1970-01-01T00:00:00Z.
pub type Micros = i64;

/// One entry of the log.
#[derive(Clone, Debug)]
pub struct Entry {
    /// 0, 1, 2 … without gaps.
    pub seq: u64,
    /// When the ledger recorded it: never earlier than the entry before.
    pub recorded: Micros,
    /// Who posted it.
    pub actor: String,
    /// The CloudEvent, as recorded: `source`, `id`, `type`, `time`, `subject`, `data` …
    pub event: Value,
}

/// What is asked about: how things stood at `at` (valid time), by what was recorded below `known` (transaction time).
#[derive(Clone, Copy, Debug)]
pub struct Moment {
    /// Valid time.
    pub at: Micros,
    /// The number of entries that are known.
    pub known: u64,
    /// When the last of them was recorded, or the moment of the question where that is now.
    pub now: Micros,
}

/// An event that stands after all corrections that are known: an entry's own, or a replacement in its target's place.
#[derive(Clone, Debug, PartialEq)]
pub struct Fact {
    /// The entry that holds it.
    pub seq: u64,
    /// Where it stands in the order of recording: its target's place for a replacement, else its own.
    pub place: u64,
    /// When the entry at `place` was recorded.
    pub recorded: Micros,
    /// When it was done: CloudEvents `time`, or the target's for a replacement that is not `retimed`; without one, or
    /// where it lies after the recording, the recording.
    pub act: Micros,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub ty: String,
    /// Who posted it.
    pub actor: String,
    /// Who acted: `data.by`, else the actor.
    pub by: String,
    /// CloudEvents `subject`.
    pub subject: Option<String>,
    /// CloudEvents `data`.
    pub data: Value,
    /// Whether it lies inside an import: see the rules on imports.
    pub imported: bool,
}
