//! Which entries say who could vote: those about the roles of a person, and about rights lent to one.

use crate::catalog::Catalog;
use crate::views::engine::{Counted, Earlier, EntryLists, Event, Result};

/// The name of these lists among all projections.
pub const ENTITLED: &str = "entitled";
/// Entries about the roles of a principal.
pub const HOLDER: &str = "holder";
/// Entries about rights lent to a principal.
pub const LENT_TO: &str = "lent-to";
/// All entries that give a role, on the list [`ANY`].
pub const ASSIGNED: &str = "assigned";
/// The one list of its field.
pub const ANY: &str = "any";

/// The types of all these entries.
pub const TYPES: &[&str] = &["role.assigned", "role.unassigned", "delegation.granted", "delegation.revoked"];

/// Raise it with every change to what is listed.
const VERSION: u64 = 1;

/// The lists of all principals.
pub struct Entitled;

impl EntryLists for Entitled {
    fn name(&self) -> &str {
        ENTITLED
    }

    fn version(&self) -> u64 {
        VERSION
    }

    fn lists_of(
        &self,
        event: &Event,
        _: &Catalog,
        _: &dyn Earlier,
    ) -> Result<Vec<(&'static str, String, Counted)>> {
        let (field, member) = match event.ty.as_str() {
            "role.assigned" | "role.unassigned" => (HOLDER, "principal"),
            "delegation.granted" | "delegation.revoked" => (LENT_TO, "to"),
            _ => return Ok(Vec::new()),
        };
        let who = event.data.get(member).and_then(serde_json::Value::as_str);
        let mut lists: Vec<_> = who.map(|who| (field, who.to_owned(), Counted::No)).into_iter().collect();
        if event.ty == "role.assigned" {
            lists.push((ASSIGNED, ANY.to_owned(), Counted::No));
        }
        Ok(lists)
    }
}
