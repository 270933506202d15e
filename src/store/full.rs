//! For tests: folders in which there is no room.

use super::StoreError;
use std::collections::BTreeSet;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Mutex;

static FULL: Mutex<BTreeSet<PathBuf>> = Mutex::new(BTreeSet::new());

pub(crate) fn set(dir: &Path, full: bool) {
    let mut folders = FULL.lock().unwrap();
    if full {
        folders.insert(dir.to_owned());
    } else {
        folders.remove(dir);
    }
}

pub(super) fn check(dir: &Path) -> Result<(), StoreError> {
    if FULL.lock().unwrap().contains(dir) {
        return Err(StoreError::Engine(Box::new(io::Error::from(io::ErrorKind::StorageFull))));
    }
    Ok(())
}
