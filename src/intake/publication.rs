//! A change of the catalogue: brought like any event, alone in its request, by an administrator; in force from its entry on.

use crate::catalog::Catalog;
use crate::identity::{Principal, Role};
use crate::intake::authority::must_be;
use crate::intake::error::RecordError;
use crate::intake::refusal::{Kind, Refusal};

/// Refuses whoever may change nothing, and a change that does not come alone.
///
/// # Errors
/// As it says.
pub fn may_publish(principal: &Principal, in_batch: bool) -> Result<(), RecordError> {
    must_be(principal, Role::Admin)?;
    if in_batch {
        let detail =
            "a change of the catalogue comes alone: later events of a batch could not be held against it";
        return Err(RecordError::refused(Refusal::new(Kind::NotAlone, "/type", detail)));
    }
    Ok(())
}

/// The catalogue with a publication, whose `data` fits its schema. Takes milliseconds: schemas are compiled.
///
/// # Errors
/// The catalogue in force cannot take it.
pub fn published(catalog: &Catalog, data: &serde_json::Value) -> Result<Catalog, RecordError> {
    catalog.published(data).map_err(|refusals| {
        let refusals = refusals.into_iter().map(|refusal| {
            Refusal::new(Kind::Publication, format!("/data{}", refusal.pointer), refusal.message)
        });
        RecordError::Refused(refusals.collect())
    })
}
