//! An entry as everything that follows the log sees it: read once, shared by all.

use crate::spec::canonical;
use crate::spec::entry::Entry;
use crate::spec::json::Json;
use crate::spec::time::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// An entry of the log, read.
#[derive(Clone, Debug, PartialEq)]
pub struct Event {
    /// The entry's number: 0, 1, 2 … without gaps.
    pub seq: u64,
    /// When the ledger recorded it.
    pub recorded_at: Timestamp,
    /// When it happened: CloudEvents `time`, or when it was recorded where there is none.
    pub happened_at: Timestamp,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// CloudEvents `type`.
    pub ty: String,
    /// CloudEvents `subject`, where there is one.
    pub subject: Option<String>,
    /// The extension attribute `sequence`, where there is one: as text, also where it was sent as a number.
    pub sequence: Option<String>,
    /// Who submitted it, as authenticated.
    pub actor: String,
    /// SHA-256 of the entry's text: `prev` of the next entry (FORMATS.md, section 2).
    pub text_hash: [u8; 32],
    /// CloudEvents `data`; null where there is none, or none in JSON, or where the reader asked for none.
    pub data: Arc<Value>,
}

impl Event {
    /// Reads an entry.
    #[must_use]
    pub fn of(entry: &Entry<'_>) -> Event {
        let data = entry.event.get("data").map_or(Value::Null, crate::catalog::to_value);
        Event { data: Arc::new(data), ..Event::without_data(entry) }
    }

    /// Reads an entry but for its `data`, which is most of the work.
    #[must_use]
    pub fn without_data(entry: &Entry<'_>) -> Event {
        let text = |name| entry.attribute(name).map(str::to_owned);
        let recorded_at = entry.time;
        Event {
            seq: entry.seq,
            recorded_at,
            happened_at: entry.attribute("time").and_then(Timestamp::recorded).unwrap_or(recorded_at),
            source: text("source").unwrap_or_default(),
            id: text("id").unwrap_or_default(),
            ty: text("type").unwrap_or_default(),
            subject: text("subject"),
            sequence: entry.event.get("sequence").map(as_text),
            actor: entry.actor.clone(),
            text_hash: entry.text_hash(),
            data: Arc::new(Value::Null),
        }
    }

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        let optional = |text: &Option<String>| text.as_ref().map_or(0, String::len);
        let texts = self.source.len() + self.id.len() + self.ty.len() + self.actor.len();
        let texts = texts + optional(&self.subject) + optional(&self.sequence);
        size_of::<Event>() + texts + weight_of(&self.data)
    }
}

/// An attribute by its string form (CloudEvents 1.0 §2).
fn as_text(attribute: &Json<'_>) -> String {
    attribute.as_str().map_or_else(|| canonical::to_string(attribute), str::to_owned)
}

/// Bytes of a node of a map, which has room for eleven members. Nodes that have been split are half full.
const NODE_BYTES: usize = 11 * (size_of::<String>() + size_of::<Value>()) + 16;
const NODE_MEMBERS: usize = 6;

/// About how many bytes of memory a value takes. It nests no deeper than an event may, so this does not either.
fn weight_of(value: &Value) -> usize {
    let within = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 0,
        Value::String(text) => text.len(),
        Value::Array(items) => items.iter().map(weight_of).sum(),
        Value::Object(members) => {
            let nodes = if members.is_empty() { 0 } else { members.len() / NODE_MEMBERS + 1 };
            let inside =
                members.iter().map(|(name, value)| name.len() + weight_of(value) - size_of::<Value>());
            nodes * NODE_BYTES + inside.sum::<usize>()
        }
    };
    size_of::<Value>() + within
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::entry::{Draft, FIRST_PREV};
    use crate::spec::note::{SoftwareSigner, sign};
    use serde_json::json;

    fn happened_at(time: &str) -> Timestamp {
        read_with("time", json!(time)).happened_at
    }

    /// An event with one more attribute, as it is read from the log.
    fn read_with(attribute: &str, value: Value) -> Event {
        let mut event = json!({"id": "1", "source": "/s", "specversion": "1.0", "type": "x.y"});
        event[attribute] = value;
        let text =
            Draft::new("app:x", &event.to_string(), "log.example").text(&FIRST_PREV, 7, Timestamp::EPOCH);
        let entry = sign(&text, &[&SoftwareSigner::from_seed("log.example", &[1; 32]).unwrap()]);
        Event::of(&Entry::parse(entry.as_bytes()).unwrap())
    }

    #[test]
    fn a_number_in_a_series_is_read_as_a_number_or_as_text_alike() {
        let sequence = |value: Value| read_with("sequence", value).sequence;
        assert_eq!(sequence(json!(5)).as_deref(), Some("5"));
        assert_eq!(sequence(json!("5")).as_deref(), Some("5"));
        assert_eq!(sequence(json!(-1)).as_deref(), Some("-1"));
        assert_eq!(sequence(json!(true)).as_deref(), Some("true"));
        assert_eq!(read_with("other", json!(1)).sequence, None);
    }

    /// Intake refuses the last two; version 0.1 recorded them.
    #[test]
    fn a_time_once_recorded_is_read_in_its_spelling_and_brought_into_range() {
        let second = |second: i64| Timestamp::EPOCH.saturating_add(second * 1_000_000);
        assert_eq!(happened_at("1970-01-01T00:00:07.0000009Z"), second(7));
        assert_eq!(happened_at("1970-01-01 01:00:60+01:00"), second(60));
        assert_eq!(happened_at("0000-01-01T00:00:00+23:59"), Timestamp::FIRST);
        assert_eq!(happened_at("9999-12-31T23:59:59-23:59"), Timestamp::LAST);
    }

    #[test]
    fn a_value_weighs_at_least_what_its_parts_do() {
        assert_eq!(weight_of(&json!(1)), size_of::<Value>());
        assert_eq!(weight_of(&json!([1, 2, 3])), 4 * size_of::<Value>());
        assert_eq!(weight_of(&json!("abc")), size_of::<Value>() + 3);
        // A map takes a whole node for a single member.
        assert!(weight_of(&json!({"a": 1})) > NODE_BYTES);
        assert!(weight_of(&json!({"a": {"b": {"c": {}}}})) > 3 * NODE_BYTES);
    }
}
