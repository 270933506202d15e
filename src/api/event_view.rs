//! How an entry reads over the API: `{"seq", "time", "actor", "hash", "event", …}`.

use crate::log::store::ReadError;
use crate::spec::canonical;
use crate::spec::encoding::to_base64;
use crate::spec::entry::Entry;
use crate::spec::json::Json;
use crate::spec::merkle::leaf_hash;

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
        ("receipt", Json::string(receipt_path(entry.seq))),
        ("seq", Json::Number(entry.seq as f64)),
        ("time", Json::string(entry.time.to_string())),
    ]))
}

/// Where an entry's receipt is.
#[must_use]
pub fn receipt_path(seq: u64) -> String {
    format!("/v1/events/{seq}/receipt")
}
