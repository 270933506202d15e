//! What the story consists of.

use chrono::{DateTime, Duration, SecondsFormat, Utc};
use serde_json::Value;

/// One event of the scenario, ready to be posted.
#[derive(Debug, Clone, PartialEq)]
pub struct DemoEvent {
    /// When the ledger got to know of it: a moment after it happened, or days, where the story says so.
    pub recorded_at: DateTime<Utc>,
    /// Who submitted it.
    pub actor: String,
    /// The whole CloudEvent 1.0.
    pub event: Value,
}

/// A mistake in the scenario, with its place. The scenario comes with the program, so only its authors see one.
#[derive(Debug, thiserror::Error)]
#[error("{file}{}: {cause}", line.map(|line| format!(":{line}")).unwrap_or_default())]
pub struct DemoError {
    /// The file of the scenario.
    pub file: String,
    /// The line of the event or series, from 1.
    pub line: Option<u64>,
    /// What is wrong.
    pub cause: String,
}

/// An event that has its place in time and not yet its id.
pub(super) struct Pending {
    pub(super) happened_at: DateTime<Utc>,
    pub(super) recorded_after: Duration,
    pub(super) source: String,
    pub(super) prefix: String,
    pub(super) id: Option<String>,
    pub(super) actor: String,
    pub(super) event_type: String,
    pub(super) subject: String,
    pub(super) data: Value,
}

/// RFC 3339 in UTC, to the second, as the bank's applications write it.
pub(super) fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}
