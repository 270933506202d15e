//! How an entry reads over the API: `{"seq", "time", "actor", "hash", "event", …}`.

use crate::api::links;
use crate::log::store::ReadError;
use crate::spec::canonical;
use crate::spec::encoding::to_base64;
use crate::spec::entry::Entry;
use crate::spec::json::Json;
use crate::spec::merkle::leaf_hash;
use serde::Serialize;
use serde_json::{Value, json};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// An entry as the API shows it.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes JSON that is written from the entry's own bytes")]
pub struct EventView {
    #[schema(example = 428)]
    pub seq: u64,
    /// When the ledger recorded it.
    #[schema(example = "2026-11-24T09:30:00.000000Z")]
    pub time: String,
    /// Who posted it, as authenticated.
    #[schema(example = "app:credit-line")]
    pub actor: String,
    /// Leaf hash of the entry, base64.
    #[schema(example = "B95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=")]
    pub hash: String,
    /// Where the receipt is.
    #[schema(example = "/v1/events/428/receipt")]
    pub receipt: String,
    /// The CloudEvent exactly as it was recorded.
    #[schema(value_type = Object)]
    pub event: Value,
}

/// A page of entries.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes JSON that is written from the entries' own bytes")]
pub struct EventList {
    pub items: Vec<EventView>,
    /// Give it as `cursor` to go on; null at the end.
    pub next: Option<String>,
    /// Whether the ledger had heard of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
}

/// A receipt as JSON.
#[derive(Serialize, ToSchema)]
#[allow(dead_code, reason = "describes JSON that the formats write")]
pub struct ReceiptView {
    #[schema(example = 428)]
    pub seq: u64,
    /// The whole entry, a signed note.
    pub entry: String,
    /// RFC 6962 audit path, base64, the leaf's sibling first.
    pub proof: Vec<String>,
    /// The whole checkpoint, a signed note.
    pub checkpoint: String,
}

/// The JSON of one entry. The event stands in it exactly as it was recorded.
///
/// # Errors
/// The bytes are no entry: damage that the leaf hash did not show.
pub fn event_json(seq: u64, bytes: &[u8]) -> Result<String, ReadError> {
    let entry = Entry::parse(bytes).map_err(|_| ReadError::Damaged { seq })?;
    Ok(entry_json(&entry, bytes))
}

/// The same for an entry that is parsed already.
#[must_use]
pub fn entry_json(entry: &Entry<'_>, bytes: &[u8]) -> String {
    let hash = to_base64(&leaf_hash(bytes));
    canonical::to_string(&Json::object([
        ("actor", Json::string(&*entry.actor)),
        ("event", entry.event.clone()),
        ("hash", Json::string(hash)),
        ("receipt", Json::string(links::receipt(entry.seq))),
        ("seq", Json::Number(entry.seq as f64)),
        ("time", Json::string(entry.time.to_string())),
    ]))
}

/// What a table of entries has.
pub const COLUMNS: &[&str] = &[
    "seq",
    "time",
    "actor",
    "event.source",
    "event.id",
    "event.type",
    "event.subject",
    "event.time",
    "event.json",
    "hash",
    "receipt",
];

/// An entry for a table of them: some of the event's attributes, and all of it, exactly as it was recorded.
#[must_use]
pub fn entry_cells(entry: &Entry<'_>, bytes: &[u8]) -> Value {
    let of_event = |name: &str| entry.attribute(name);
    json!({
        "seq": entry.seq,
        "time": entry.time.to_string(),
        "actor": &*entry.actor,
        "event": {
            "source": of_event("source"),
            "id": of_event("id"),
            "type": of_event("type"),
            "subject": of_event("subject"),
            "time": of_event("time"),
            "json": canonical::to_string(&entry.event),
        },
        "hash": to_base64(&leaf_hash(bytes)),
        "receipt": links::receipt(entry.seq),
    })
}
