//! Which imports there are of a source's history, and whether an event lies inside one.
//!
//! What is inside is asked, never kept: an import that is annulled, or a confirmation that is taken back, changes no row and
//! no list, and every answer after it goes by it. A ledger without imports pays one look-up a question.

use super::import::Import;
use super::listed::{CLOSED, IMPORT, IMPORTS_OF, OPENED};
use super::two::confirmed;
use crate::spec::time::Timestamp;
use crate::views::engine::error::Result;
use crate::views::engine::judging::Beside;
use crate::views::engine::row::RowEvent;
use crate::views::stretches::{begins, ends};
use std::sync::Arc;

/// The import in effect inside which an event of this source lies, done then and recorded at this place, as known; none if
/// there is none. Of several, the one that was opened last.
///
/// # Errors
/// The store or the log failed.
pub fn import_of(
    beside: &dyn Beside,
    source: &str,
    acted_at: Timestamp,
    place: u64,
) -> Result<Option<Arc<Import>>> {
    if !beside.any_act(IMPORTS_OF)? {
        return Ok(None);
    }
    let imports = beside.imports(source)?;
    Ok(imports.iter().rfind(|import| import.holds(source, acted_at, place)).cloned())
}

/// All imports of the history of a source, in effect or not, as known, in the order in which they were opened.
///
/// An id is opened once: of the openings that a source recorded under it, the first is the import, and what another source
/// says under it is another one, unless it says the same.
///
/// # Errors
/// The store or the log failed.
pub fn imports_of(source: &str, beside: &dyn Beside) -> Result<Vec<Arc<Import>>> {
    let mut imports = Vec::new();
    if !beside.any_act(IMPORTS_OF)? {
        return Ok(imports);
    }
    for opening in beside.acts(IMPORTS_OF, source)?.iter() {
        let Some(import) = opening.text("import").filter(|_| opening.text("source") == Some(source)) else {
            continue;
        };
        let about = beside.acts(IMPORT, import)?;
        let about: Vec<&RowEvent> =
            about.iter().filter(|event| event.text("import") == Some(import)).collect();
        if !opens(opening, &about) {
            continue;
        }
        let until = ends(opening.value("to"));
        let is_past = until.is_some_and(|until| until <= opening.acted_at);
        imports.push(Arc::new(Import {
            import: import.to_owned(),
            source: source.to_owned(),
            opened: opening.seq,
            confirmed: if is_past { confirmed(opening, beside)? } else { None },
            closed: closed(opening, &about),
            from: begins(opening.value("from")),
            until,
            is_past,
        }));
    }
    Ok(imports)
}

/// The openings of an id, in the order of recording.
fn openings<'a>(about: &'a [&'a RowEvent]) -> impl Iterator<Item = &'a RowEvent> {
    about.iter().copied().filter(|event| event.ty == OPENED)
}

/// Whether an opening opens a row: of those of its source it is the first, and it does not say what the first row says.
fn opens(opening: &RowEvent, about: &[&RowEvent]) -> bool {
    let Some(first) = openings(about).next() else { return true };
    if first.source == opening.source {
        return first.seq == opening.seq;
    }
    let own = openings(about).find(|other| other.source == opening.source && !confirms(other, first, about));
    own.is_some_and(|own| own.seq == opening.seq)
}

/// Whether another source's opening says what one of the first row's had said before.
fn confirms(opening: &RowEvent, first: &RowEvent, about: &[&RowEvent]) -> bool {
    let says_the_same = |other: &RowEvent| {
        other.source == first.source && other.place < opening.place && other.data == opening.data
    };
    openings(about).any(says_the_same)
}

/// The place of the first closing after an opening: one of its own source, or where it is the first row of its id, of a
/// source that has no row of its own.
fn closed(opening: &RowEvent, about: &[&RowEvent]) -> Option<u64> {
    let is_first = openings(about).next().is_none_or(|first| first.source == opening.source);
    let has_own = |source: &str| openings(about).any(|other| other.source == source && opens(other, about));
    let closes = |closing: &&&RowEvent| {
        closing.ty == CLOSED
            && closing.place > opening.place
            && (closing.source == opening.source || (is_first && !has_own(&closing.source)))
    };
    about.iter().filter(closes).map(|closing| closing.place).min()
}
