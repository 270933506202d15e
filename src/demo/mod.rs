//! A year in the life of a bank that does not exist: several hundred believable events of the four core families, told
//! in `seeds/demo/*.yaml` and placed in the year that ends when it is asked for. `daybook demo` starts from it, and tests
//! of views lean on its story.
//!
//! May use the YAML reader and `sha2`; and `intake`, by whose door it is recorded (`tell.rs`). Must never read a clock or draw at random: the same `now` gives the same events,
//! and what looks like chance comes from a hash of the series and the number. Must never hold personal data.

mod choice;
mod source;
mod tell;
mod template;

use std::collections::BTreeMap;

use chrono::{DateTime, Datelike, Duration, SecondsFormat, Utc};
use serde_json::{Value, json};

use choice::hash;

pub use tell::{TellError, stamp, tell};

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
struct Pending {
    happened_at: DateTime<Utc>,
    recorded_after: Duration,
    source: String,
    prefix: String,
    id: Option<String>,
    actor: String,
    event_type: String,
    subject: String,
    data: Value,
}

/// The scenario as of `now`: in the order of `recorded_at`, nothing later than `now`.
///
/// # Errors
/// Only if the program was built with a broken scenario, which the tests of this module rule out.
pub fn scenario(now: DateTime<Utc>) -> Result<Vec<DemoEvent>, DemoError> {
    let (mut pending, numbered) = source::pending(now)?;
    // Ids are given in the order in which things happened, as the applications would give them. The sort is stable:
    // what happens in the same second stays in the order of the telling.
    pending.sort_by_key(|event| event.happened_at);
    let mut counters: BTreeMap<String, u32> = BTreeMap::new();
    let mut events: Vec<DemoEvent> = Vec::with_capacity(pending.len());
    for one in pending {
        let id = match one.id {
            Some(id) => id,
            None => {
                let counter = counters.entry(one.prefix.clone()).or_default();
                *counter += 1;
                format!("{}-{}-{counter:06}", one.prefix, one.happened_at.year())
            }
        };
        // From 20 ms to 820 ms on the wire, in microseconds, as the ledger's clock counts.
        let latency =
            Duration::microseconds(20_000 + (hash(&[&one.source, &id, "latency"]) % 800_000) as i64);
        let event = json!({
            "specversion": "1.0",
            "id": id,
            "source": one.source,
            "type": one.event_type,
            "subject": one.subject,
            "time": instant(one.happened_at),
            "datacontenttype": "application/json",
            "data": one.data,
        });
        events.push(DemoEvent {
            recorded_at: one.happened_at + one.recorded_after + latency,
            actor: one.actor,
            event,
        });
    }
    events.sort_by_key(|event| event.recorded_at);
    let mut next: BTreeMap<String, u64> = BTreeMap::new();
    for one in &mut events {
        let source = one.event.get("source").and_then(Value::as_str).unwrap_or_default().to_owned();
        let Some(skip) = numbered.get(&source) else { continue };
        let number = next.entry(source).or_insert(1);
        if Some(*number) == *skip {
            *number += 1;
        }
        if let Some(event) = one.event.as_object_mut() {
            event.insert("sequence".to_owned(), json!(number.to_string()));
        }
        *number += 1;
    }
    Ok(events)
}

/// RFC 3339 in UTC, to the second, as the bank's applications write it.
fn instant(time: DateTime<Utc>) -> String {
    time.to_rfc3339_opts(SecondsFormat::Secs, true)
}

#[cfg(test)]
mod tests;
