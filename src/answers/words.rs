//! The words that a filter may have, and what is said of another one: it is a slip of the pen, and an empty list would hide
//! it.
//!
//! A field has words where its view lists them, or where the schemas of all events from which it comes do, in every
//! catalogue that was ever in force: what was accepted once can be asked for. All else is a name, or a text of people's own:
//! see [`super::names`].

use super::error::AnswerError;
use super::{Desk, Inquiry};
use crate::catalog::{Choice, nearest};
use crate::index::Filter;
use crate::log::OWN_TYPES;
use crate::views::engine::{CONFLICT, OF_ALL, SCHEDULED, View};
use std::collections::BTreeSet;
use std::time::Duration;

/// How long it is waited for the index, so that what was just recorded is known.
const MAX_WAIT: Duration = Duration::from_secs(1);

/// Of escalations: how high they have gone.
pub const LEVEL: &str = "level";

/// The words that a field of a view may hold; none if it may hold anything.
#[must_use]
pub fn of_field(inquiry: &Inquiry<'_>, view: &dyn View, field: &str) -> Option<BTreeSet<String>> {
    if let Some(mut words) = view.words(field) {
        if field == "state" {
            words.push(SCHEDULED.to_owned());
        }
        return Some(words.into_iter().collect());
    }
    if OF_ALL.contains(&field) {
        return None;
    }
    let places = view.places_of(field);
    let mut choice = Choice::Undeclared;
    for version in inquiry.desk().catalog.versions() {
        let of_version = places.iter().map(|(event_type, path)| version.catalog.choice(event_type, path));
        choice = of_version.fold(choice, Choice::or);
    }
    match choice {
        Choice::Words(words) => Some(words),
        Choice::Anything | Choice::Undeclared => None,
    }
}

/// Whether what stands in a field of every row is one of a few words, which are looked at where they are read.
#[must_use]
pub fn is_closed(field: &str) -> bool {
    matches!(field, "state" | CONFLICT | LEVEL)
}

/// Refuses values of which one is no word of a field.
///
/// # Errors
/// One is none; the error lists those that there are.
pub fn check(name: &str, values: &[String], words: &BTreeSet<String>) -> Result<(), AnswerError> {
    match values.iter().find(|value| !words.contains(*value)) {
        None => Ok(()),
        Some(value) => {
            let words: Vec<&str> = words.iter().map(String::as_str).collect();
            Err(no_word(name, value, &words))
        }
    }
}

/// What is said of a value that is none of the words that there are.
#[must_use]
pub fn no_word(name: &str, said: &str, words: &[&str]) -> AnswerError {
    let expected = if words.len() > 2 { format!("one of {}", words.join(", ")) } else { words.join(" or ") };
    AnswerError::parameter(name, &format!("{expected}{}", meant(said, words.iter().copied())))
}

/// What may have been meant.
fn meant<'w>(said: &str, words: impl Iterator<Item = &'w str>) -> String {
    nearest(said, words).map(|near| format!("; did you mean {near:?}?")).unwrap_or_default()
}

/// Refuses types of event that no catalogue of the ledger knows or knew, and that nothing was ever recorded of.
///
/// # Errors
/// One is none.
pub fn check_types(desk: Desk<'_>, name: &str, types: &[&str]) -> Result<(), AnswerError> {
    for ty in types {
        let known = OWN_TYPES.contains(ty)
            || desk.catalog.versions().iter().any(|version| version.catalog.get(ty).is_some());
        if known || is_recorded(desk, ty)? {
            continue;
        }
        let catalog = desk.catalog.current();
        let known = catalog.types().map(|known| known.name.as_str()).chain(OWN_TYPES);
        let meant = meant(ty, known);
        return Err(AnswerError::parameter(
            name,
            &format!("a type of event of the catalogue, which /v1/catalog/types lists{meant}"),
        ));
    }
    Ok(())
}

fn is_recorded(desk: Desk<'_>, ty: &str) -> Result<bool, AnswerError> {
    let Some(index) = desk.index else { return Ok(true) };
    // What the index has yet to read may be of this type.
    if !index.wait_applied(desk.store.size(), MAX_WAIT) {
        return Ok(true);
    }
    Ok(!index.list(Filter { ty: Some(ty), ..Filter::default() }, 0, u64::MAX, false, 1)?.is_empty())
}
