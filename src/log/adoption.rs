//! Whether a copy, or a log that was put back, may go on as the ledger.

use crate::log::disk::{Disk, read_all};
use crate::log::home::Noted;
use crate::log::memory::{self, Memory, PutBack, Remembered};
use crate::log::recovery::RecoverError;
use crate::log::store::Store;
use crate::spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use crate::spec::layout::{CHECKPOINT_FILE, LOG_DIR};
use std::path::Path;

/// What proves, beside what is given, that the log in a data folder was put back. Changes nothing.
///
/// # Errors
/// The log or `home` cannot be read.
pub fn put_back(
    disk: &dyn Disk,
    data_dir: &Path,
    store: &Store,
    known: &[Memory],
) -> Result<Vec<PutBack>, RecoverError> {
    let noted = Noted::read(disk, data_dir)?;
    Ok(memory::against(store, &memories(disk, data_dir, known, noted.as_ref()))?)
}

/// All that remembers the log: what was given, `home`, and the checkpoint that lies beside the entries.
pub(super) fn memories(
    disk: &dyn Disk,
    data_dir: &Path,
    known: &[Memory],
    noted: Option<&Noted>,
) -> Vec<Memory> {
    let home = noted.map(|noted| Memory { place: "home".into(), of: Remembered::Size(noted.size) });
    let mut memories: Vec<_> = home.into_iter().chain(known.iter().cloned()).collect();
    let path = data_dir.join(LOG_DIR).join(CHECKPOINT_FILE);
    if let Ok(note) = read_all(disk, &path, MAX_CHECKPOINT_BYTES as u64) {
        let of = Remembered::Checkpoint { note };
        memories.push(Memory { place: "log/checkpoint".into(), of });
    }
    memories
}

/// Bytes of a checkpoint that is recorded with an adoption.
///
/// Reason: it must fit an entry with every byte escaped.
const MAX_ADOPTED_BYTES: usize = 8 << 10;

/// A copy may go on as the ledger only if it holds everything that was ever handed out.
pub(super) fn check(store: &Store, note: &[u8], put_back: &[PutBack]) -> Result<String, String> {
    let refuse = |why: String| why;
    // It becomes part of an entry, escaped; the ledger's own signature is all that is needed.
    if note.len() > MAX_ADOPTED_BYTES {
        return Err(refuse(format!("it has more than {MAX_ADOPTED_BYTES} bytes; leave cosignatures out")));
    }
    let (claimed, _) = Checkpoint::parse(note).map_err(|error| refuse(error.to_string()))?;
    let keys: Vec<_> =
        store.keys().into_iter().filter(|key| key.from <= claimed.size).map(|key| key.key).collect();
    Checkpoint::open(note, &keys).map_err(|error| refuse(error.to_string()))?;
    if claimed.origin != store.origin() {
        return Err(refuse(format!("it is of another ledger, {}", claimed.origin)));
    }
    if claimed.size > store.size() {
        return Err(refuse(format!(
            "it covers {} entries, this folder holds {}: something newer was handed out. Restore a newer copy",
            claimed.size,
            store.size()
        )));
    }
    let root = store.root_at(claimed.size).map_err(|error| refuse(error.to_string()))?;
    if root != claimed.root {
        return Err(refuse("this folder holds another history than it covers".into()));
    }
    if let Some(signed) = put_back.iter().find(|known| known.is_signed) {
        return Err(refuse(format!("{signed}: something newer was handed out. Restore a newer copy")));
    }
    Ok(String::from_utf8_lossy(note).into_owned())
}
