//! The whole year: each event with its id, its number and its time.

use super::choice::hash;
use super::event::{DemoError, DemoEvent, instant};
use super::source;
use chrono::{DateTime, Datelike as _, Duration, Utc};
use serde_json::{Value, json};
use std::collections::BTreeMap;

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
