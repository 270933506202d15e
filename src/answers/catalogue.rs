//! What the ledger knows of the world, now and as it was. Anyone who may speak to the ledger at all may ask it.

use super::entries::place;
use super::error::AnswerError;
use super::{Desk, parsed};
use crate::catalog::{Catalog, EventType, InForce, to_value};
use crate::spec::time::Timestamp;
use serde_json::Value;
use std::sync::Arc;

/// A change of the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Publication {
    /// Counts them.
    pub version: u64,
    /// The entry from which on it is in force.
    pub seq: u64,
    /// When it was recorded.
    pub recorded_at: Timestamp,
    /// Who published it.
    pub by: String,
    /// Why.
    pub reason: String,
}

/// The catalogue in force, and how it came to be so.
pub struct InForceNow {
    /// The catalogue.
    pub catalog: Arc<Catalog>,
    /// All changes of it, the first one first.
    pub publications: Vec<Publication>,
}

/// The catalogue in force, and all changes of it.
///
/// # Errors
/// The log cannot be read.
pub fn in_force(desk: Desk<'_>) -> Result<InForceNow, AnswerError> {
    let catalog = desk.catalog.current();
    let mut publications = Vec::new();
    for InForce { seq, catalog } in desk.catalog.versions() {
        let Some(seq) = seq else { continue };
        let bytes = desk.store.entry(seq)?;
        let entry = parsed(&bytes)?;
        let data = entry.event.get("data").map(to_value).unwrap_or_default();
        let text = |name: &str| data.get(name).and_then(Value::as_str).unwrap_or_default().to_owned();
        publications.push(Publication {
            version: catalog.publications(),
            seq,
            recorded_at: entry.time,
            by: text("by"),
            reason: text("reason"),
        });
    }
    Ok(InForceNow { catalog, publications })
}

/// The catalogue by which an entry was accepted, or the one in force at a time; the one in force, if neither is given.
///
/// # Errors
/// `as_of` is neither, or the log cannot be read.
pub fn as_of(desk: Desk<'_>, as_of: Option<&str>) -> Result<Arc<Catalog>, AnswerError> {
    Ok(match as_of {
        Some(text) => desk.catalog.at(place(desk.store, "as_of", text)?),
        None => desk.catalog.current(),
    })
}

/// From where on a version of a type is in force.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TypeVersion {
    /// The version.
    pub version: u32,
    /// The entry after which it is; none from the ledger's beginning.
    pub after: Option<u64>,
}

/// A type of event as of then.
///
/// # Errors
/// There is none of this name as of then, or as for [`as_of`].
pub fn event_type<'a>(catalog: &'a Catalog, name: &str) -> Result<&'a EventType, AnswerError> {
    catalog.get(name).ok_or_else(|| {
        let hint = catalog.suggest(name).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default();
        AnswerError::NotThere(format!("no type {name:.64?}{hint}"))
    })
}

/// All versions of a type that were ever in force, the first one first.
#[must_use]
pub fn versions(desk: Desk<'_>, name: &str) -> Vec<TypeVersion> {
    let mut versions: Vec<TypeVersion> = Vec::new();
    for InForce { seq, catalog } in desk.catalog.versions() {
        if let Some(known) = catalog.get(name)
            && versions.last().is_none_or(|last| last.version != known.version)
        {
            versions.push(TypeVersion { version: known.version, after: seq });
        }
    }
    versions
}
