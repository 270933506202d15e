//! Whose folder this is: one process at a time, and no copy goes on writing by itself.
//!
//! A copy of a ledger that went on by itself would sign another history with the same key. So a ledger remembers the
//! inode numbers of its head file and log folder; a restored, imported or copied folder has others (or no `home` at
//! all) and opens read-only until it is adopted. A snapshot of a whole disk is beyond what a process can see.

use crate::log::disk::replace;
use crate::log::disk::{Disk, RealDisk};
use crate::spec::canonical;
use crate::spec::json::Json;
use crate::spec::layout::{HEAD_FILE, LOG_DIR};
use rustix::fs::{FlockOperation, flock};
use std::fs;
use std::io;
use std::os::unix::fs::MetadataExt as _;
use std::path::Path;

const HOME_FILE: &str = "home";
const LOCK_FILE: &str = "lock";

/// Holds the data folder until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(#[expect(dead_code, reason = "the lock is held by the open file")] fs::File);

impl Lock {
    /// Takes the folder, or answers none if another process has it.
    ///
    /// # Errors
    /// As the file system says.
    pub fn take(data_dir: &Path) -> io::Result<Option<Self>> {
        let path = data_dir.join(LOCK_FILE);
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        match flock(&file, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Some(Self(file))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

fn describe(data_dir: &Path) -> io::Result<String> {
    let log_dir = data_dir.join(LOG_DIR);
    let inode = |path: &Path| fs::metadata(path).map(|metadata| metadata.ino());
    // As strings: inode numbers use all 64 bits on some file systems.
    let (head, log) = (inode(&log_dir.join(HEAD_FILE))?, inode(&log_dir)?);
    Ok(canonical::to_string(&Json::object([
        ("head_inode", Json::string(head.to_string())),
        ("log_inode", Json::string(log.to_string())),
    ])))
}

/// Whether the ledger was written here, and nowhere else, last.
///
/// # Errors
/// As the file system says.
pub fn is_home(data_dir: &Path) -> io::Result<bool> {
    match fs::read_to_string(data_dir.join(HOME_FILE)) {
        Ok(text) => Ok(text.trim_end() == describe(data_dir)?),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Makes this folder the ledger's home.
///
/// # Errors
/// As the file system says.
pub fn settle(data_dir: &Path) -> io::Result<()> {
    let disk: &dyn Disk = &RealDisk;
    replace(disk, &data_dir.join(HOME_FILE), format!("{}\n", describe(data_dir)?).as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_is_not_at_home() {
        let dir = tempfile::tempdir().unwrap();
        let original = dir.path().join("a");
        fs::create_dir_all(original.join(LOG_DIR)).unwrap();
        fs::write(original.join(LOG_DIR).join(HEAD_FILE), b"head").unwrap();
        assert!(!is_home(&original).unwrap());
        settle(&original).unwrap();
        assert!(is_home(&original).unwrap());
        let copy = dir.path().join("b");
        fs::create_dir_all(copy.join(LOG_DIR)).unwrap();
        fs::copy(original.join(LOG_DIR).join(HEAD_FILE), copy.join(LOG_DIR).join(HEAD_FILE)).unwrap();
        fs::copy(original.join(HOME_FILE), copy.join(HOME_FILE)).unwrap();
        assert!(!is_home(&copy).unwrap());
        let moved = dir.path().join("c");
        fs::rename(&original, &moved).unwrap();
        assert!(is_home(&moved).unwrap());
    }

    #[test]
    fn the_second_process_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(dir.path()).unwrap().is_none());
        drop(first);
        assert!(Lock::take(dir.path()).unwrap().is_some());
    }
}
