use std::path::PathBuf;

/// Why a catalogue could not be loaded. Always for the operator, at start or at a publication: it names the place to
/// mend, and nothing is loaded in part.
#[derive(Debug, thiserror::Error)]
pub enum CatalogError {
    /// The folder or a file in it could not be read.
    #[error("cannot read the catalogue at {}: {source}", path.display())]
    Read {
        /// What could not be read.
        path: PathBuf,
        /// What the operating system said.
        source: std::io::Error,
    },
    /// A file was read and is not a valid catalogue file.
    #[error("{file}{}: {cause}", line.map(|line| format!(":{line}")).unwrap_or_default())]
    Invalid {
        /// The file, as the operator named its folder.
        file: String,
        /// The line, from 1, of the offending member or of the type it belongs to.
        line: Option<u64>,
        /// What is wrong, in words.
        cause: String,
    },
}

impl CatalogError {
    pub(super) fn invalid(file: &str, line: Option<u64>, cause: impl Into<String>) -> CatalogError {
        CatalogError::Invalid { file: file.to_owned(), line, cause: cause.into() }
    }
}
