//! Who may record events, before anybody looks at them. Of which sources is seen with the events (`accept.rs`).

use crate::identity::{Principal, Role};
use crate::intake::error::RecordError;

/// Refuses whoever may record nothing at all, before anything of theirs is read.
///
/// # Errors
/// The role that is missing.
pub fn may_record(principal: &Principal) -> Result<(), RecordError> {
    // An administrator may change the catalogue.
    if principal.has(Role::Admin) { Ok(()) } else { must_be(principal, Role::Producer) }
}

/// Refuses whoever has not this role.
///
/// # Errors
/// The role.
pub(super) fn must_be(principal: &Principal, role: Role) -> Result<(), RecordError> {
    if principal.has(role) { Ok(()) } else { Err(RecordError::NeedsRole(role)) }
}
