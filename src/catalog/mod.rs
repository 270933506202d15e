//! What the ledger knows of the world: the event types it accepts, loaded from `seeds/catalog/*.yaml` and from a
//! folder of the organisation's own. A type here is data, not code: its schema, its example, whose history it belongs
//! to, and which of its fields hold dates and links.
//!
//! May use `spec` and the YAML and JSON Schema crates. Must never know of the log or of HTTP, never fetch anything (a
//! schema refers to nothing outside its own file and `common.yaml`), never read a clock, and never put a value that a
//! client sent into a message: what is refused may be personal.

mod error;
mod event_type;
mod lint;
mod nearest;
mod source;

use std::collections::BTreeMap;
use std::path::Path;

pub use error::CatalogError;
pub use event_type::{Entity, EventType, Link, LinkTarget, Violation};
use source::Everywhere;

/// The event types that a ledger accepts, by name. Immutable once loaded, so that it can be shared between threads
/// without a lock; a change of the catalogue is a new `Catalog`.
pub struct Catalog {
    types: BTreeMap<String, EventType>,
    everywhere: Everywhere,
}

impl Catalog {
    /// The types that come with the program.
    ///
    /// # Errors
    /// Only if the program was built with a broken catalogue, which the tests of this module rule out.
    pub fn embedded() -> Result<Catalog, CatalogError> {
        let files = source::embedded_files()?;
        let everywhere = source::everywhere(&files)?;
        let mut catalog = Catalog { types: BTreeMap::new(), everywhere };
        for file in files {
            catalog.add(file)?;
        }
        Ok(catalog)
    }

    /// Adds the types of every `*.yaml` file in `dir`, in the order of the file names. A file may replace a type that
    /// is already known only by a higher `version` of it.
    ///
    /// # Errors
    /// If the folder cannot be read, or a file in it is not a valid catalogue file: then nothing of `dir` counts.
    pub fn with_dir(mut self, dir: &Path) -> Result<Catalog, CatalogError> {
        for file in source::files_in(dir)? {
            if let Some(line) = file.everywhere_line() {
                let cause = "`everywhere` belongs to the built-in common.yaml; use `shared` here";
                return Err(CatalogError::invalid(&file.name, Some(line), cause));
            }
            self.add(file)?;
        }
        Ok(self)
    }

    /// The type of this exact name.
    pub fn get(&self, type_name: &str) -> Option<&EventType> {
        self.types.get(type_name)
    }

    /// All types, in the order of their names.
    pub fn types(&self) -> impl Iterator<Item = &EventType> {
        self.types.values()
    }

    /// The known type whose name is nearest to `type_name`, for a "did you mean". `None` if nothing is near.
    pub fn suggest(&self, type_name: &str) -> Option<&str> {
        nearest::nearest(type_name, self.types.keys().map(String::as_str))
    }

    fn add(&mut self, file: source::CatalogFile) -> Result<(), CatalogError> {
        let name = file.name.clone();
        for (line, event_type) in file.into_types(&self.everywhere)? {
            if let Some(known) = self.types.get(&event_type.name)
                && known.version >= event_type.version
            {
                let cause = format!(
                    "`{}` is already known in version {}: a replacement needs a higher version",
                    event_type.name, known.version
                );
                return Err(CatalogError::invalid(&name, Some(line), cause));
            }
            self.types.insert(event_type.name.clone(), event_type);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests;
