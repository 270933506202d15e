//! How openings of a type repeat, as a fold sees it.

use crate::catalog::{Catalog, Repeat};
use crate::views::engine::Opening;

/// What is opened once, and again when it has ended.
const UNTIL_IT_ENDS: &str = "incident.opened";

/// How openings of a type repeat, by the word of the catalogue; what has no type there renews its row.
#[must_use]
pub fn opening_of(catalog: &Catalog, event_type: &str) -> Opening {
    let known = catalog.get(event_type);
    match known.map_or(Repeat::Renews, |known| known.words.repeat) {
        Repeat::Once if event_type == UNTIL_IT_ENDS => Opening::OnceUntilEnd,
        Repeat::Once => Opening::Once,
        // A register may open rows with what opens nothing elsewhere.
        Repeat::Renews | Repeat::None => Opening::Renews,
        Repeat::Beside => Opening::Beside,
        Repeat::Rounds => Opening::Rounds,
    }
}
