//! Which entries speak of what: the ground of a timeline across all families.
//!
//! An entry is listed under the id of the entity that it is about, under every id that it links to, and under who acted.
//! Entries whose CloudEvents `subject` is the id, or that it posted, are on the index's own lists, and not on these again.

use super::engine::{Counted, Earlier, EntryLists, Event, Result};
use super::registers::fingerprint;
use crate::catalog::Catalog;

/// The list's field.
pub const MENTION: &str = "mention";
/// The name of these lists among all projections.
pub const MENTIONS: &str = "mentions";

/// Raise it with every change to what is listed.
const VERSION: u64 = 2;

/// The lists of all ids.
pub struct Mentions {
    version: u64,
}

impl Mentions {
    /// The lists as the links of the catalogue's types have it.
    #[must_use]
    pub fn new(catalog: &Catalog) -> Mentions {
        let declared: Vec<_> = catalog.types().map(|ty| (&ty.name, &ty.entity, &ty.links)).collect();
        Mentions { version: fingerprint(VERSION, &declared) }
    }
}

impl EntryLists for Mentions {
    fn name(&self) -> &str {
        MENTIONS
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn lists_of(
        &self,
        event: &Event,
        catalog: &Catalog,
        _: &dyn Earlier,
    ) -> Result<Vec<(&'static str, String, Counted)>> {
        let mut ids = catalog.get(&event.ty).map_or_else(Vec::new, |ty| ty.mentions(&event.data));
        ids.push(event.by());
        ids.sort_unstable();
        ids.dedup();
        ids.retain(|id| event.subject.as_deref() != Some(*id) && event.actor != *id);
        Ok(ids.into_iter().map(|id| (MENTION, id.to_owned(), Counted::No)).collect())
    }
}
