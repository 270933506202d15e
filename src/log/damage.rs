//! Where a log is damaged, for the operator who is told that it does not open.

use crate::verify::{Options, Outcome, Quiet, Source, verify};
use std::path::Path;

/// Names the first damaged entry of a data folder.
pub(super) fn locate_damage(data_dir: &Path) -> Option<String> {
    match verify(Source::Folder(data_dir.to_owned()), &Options::default(), &Quiet) {
        Outcome::Failed(failure) => Some(failure.to_string()),
        Outcome::Verified(_) | Outcome::CouldNotCheck(_) => None,
    }
}
