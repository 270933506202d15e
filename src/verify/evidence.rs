//! Two signed checkpoints of one ledger that cannot both be true, left in one file: the proof of a fork, which needs nobody's
//! word. Each is a C2SP signed note as it was signed, byte for byte, so that any tool that reads notes confirms it by the
//! ledger's key; they stand one after the other, with an empty line between.

use crate::failure::Fork;
use std::fs::OpenOptions;
use std::io::{ErrorKind, Write as _};
use std::path::{Path, PathBuf};

/// What is appended to the name of the file that was compared with.
pub(crate) const EXTENSION: &str = "fork";

/// Files that are left beside each other.
///
/// Reason: a proof that was found is never written over; whoever has found so many needs no other one.
const MOST: u32 = 100;

/// Leaves both checkpoints in a new file of this name, or with a number after it where there is one; one that holds the same
/// is enough. Says where they are, or why not.
pub(crate) fn leave(fork: &Fork, path: &Path) -> Result<PathBuf, String> {
    let text = format!("{}\n{}", fork.seen, fork.shown);
    let trouble = |error: std::io::Error| format!("{}: {error}", path.display());
    for number in 1..=MOST {
        let path = if number == 1 { path.to_owned() } else { path.with_added_extension(number.to_string()) };
        // Never through a link that someone left there.
        match OpenOptions::new().write(true).create_new(true).open(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).map_err(trouble)?;
                return Ok(path);
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                if std::fs::read(&path).is_ok_and(|there| there == text.as_bytes()) {
                    return Ok(path);
                }
            }
            Err(error) => return Err(trouble(error)),
        }
    }
    Err(format!("{} and {MOST} more are there already", path.display()))
}
