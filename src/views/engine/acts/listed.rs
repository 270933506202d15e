//! On which lists entries about acts of two and imports stand.

use super::act::CONFIRMATION;
use crate::catalog::Catalog;
use crate::follow::Event;
use crate::views::engine::error::Result;
use crate::views::engine::lists::{Counted, Earlier, EntryLists};
use serde_json::Value;

/// The name of these lists among all projections.
pub const ACTS: &str = "acts";
/// The one list of a field that holds all entries of it.
pub const ANY: &str = "any";

/// Confirmations, by what they confirm: see [`proposal`].
pub(super) const CONFIRMS: &str = "confirms";
/// Entries that say that two identifiers are one, by each of them; and [`ANY`].
pub(super) const SAME: &str = "same";
/// Openings of imports, by the source whose history it is; and [`ANY`].
pub(in crate::views::engine) const IMPORTS_OF: &str = "imports-of";
/// Openings and closings of imports, by the id of the import.
pub(super) const IMPORT: &str = "import";

pub(super) const SAME_AS: &str = "principal.same_as";
pub(super) const OPENED: &str = "import.opened";
pub(super) const CLOSED: &str = "import.closed";

/// The types of the entries on these lists.
pub const TYPES: &[&str] = &[CONFIRMATION, SAME_AS, OPENED, CLOSED];

/// Raise it with every change to what is listed.
const VERSION: u64 = 1;

/// A name for an event that is confirmed: no source has a line break in it.
pub(super) fn proposal(source: &str, id: &str) -> String {
    format!("{source}\n{id}")
}

/// On which lists an event stands: fields and values.
pub(in crate::views::engine) fn lists_of(event_type: &str, data: &Value) -> Vec<(&'static str, String)> {
    let text = |path: &str| {
        let value = path.split('.').try_fold(data, |value, name| value.get(name));
        value.and_then(Value::as_str).map(str::to_owned)
    };
    let any = || Some(ANY.to_owned());
    let lists = match event_type {
        CONFIRMATION => {
            let of = text("of.source").zip(text("of.id"));
            vec![(CONFIRMS, of.map(|(source, id)| proposal(&source, &id)))]
        }
        SAME_AS => vec![(SAME, text("principal")), (SAME, text("other")), (SAME, any())],
        OPENED => vec![(IMPORTS_OF, text("source")), (IMPORTS_OF, any()), (IMPORT, text("import"))],
        CLOSED => vec![(IMPORT, text("import"))],
        _ => return Vec::new(),
    };
    lists.into_iter().filter_map(|(field, value)| Some((field, value?))).collect()
}

/// The lists of acts of two and of imports.
pub struct ActLists;

impl EntryLists for ActLists {
    fn name(&self) -> &str {
        ACTS
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
        let lists = lists_of(&event.ty, &event.data).into_iter();
        Ok(lists.map(|(field, value)| (field, value, Counted::No)).collect())
    }
}
