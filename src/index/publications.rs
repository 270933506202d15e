//! The publications of the catalogue that a log holds.

use super::lookup::{Filter, Index};
use crate::catalog::{CatalogHistory, PUBLISHED, to_value};
use crate::log::store::Store;
use crate::spec::entry::Entry;

/// Publications read at once.
const PAGE: usize = 256;

/// Reads all publications among the entries below `size`, which the index must have, into the history.
///
/// # Errors
/// The log or the index cannot be read; or a publication does not fit this program's own catalogue, which its events were
/// once held against in another version of the program. In words, for the operator.
pub fn read_publications(
    history: &CatalogHistory,
    store: &Store,
    index: &Index,
    size: u64,
) -> Result<(), String> {
    let filter = Filter { ty: Some(PUBLISHED), ..Filter::default() };
    let mut from = 0;
    loop {
        let found = index.list(&filter, from, size, false, PAGE).map_err(|error| error.to_string())?;
        for seq in &found {
            let bytes = store.entry(*seq).map_err(|error| error.to_string())?;
            let entry = Entry::parse(&bytes).map_err(|error| error.to_string())?;
            // The index answers by hashes; the entry itself decides.
            if entry.event_type() != PUBLISHED {
                continue;
            }
            let data = entry.event.get("data").map(to_value).unwrap_or_default();
            let published = history.current().republished(&data).map_err(|refusals| {
                let why = refusals.first().map(|refusal| refusal.message.clone()).unwrap_or_default();
                format!("the publication in entry {seq} does not fit this program's catalogue: {why}")
            })?;
            history.publish(*seq, published);
        }
        match found.last() {
            Some(last) if found.len() == PAGE => from = last + 1,
            _ => return Ok(()),
        }
    }
}
