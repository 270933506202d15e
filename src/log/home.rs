//! Whose folder this is: one process at a time, and no copy goes on writing by itself.
//!
//! A copy of a ledger that went on by itself would sign another history with the same key. So a ledger remembers the
//! inode numbers of its head file and log folder; a restored, imported or copied folder has others (or no `home` at
//! all) and opens read-only until it is adopted. A snapshot of a whole disk is beyond what a process can see.

use crate::log::disk::{Disk, read_all, replace};
use crate::spec::layout::{HEAD_FILE, LOG_DIR};
use rustix::fs::{FlockOperation, flock};
use std::fs;
use std::io;
use std::path::Path;

const HOME_FILE: &str = "home";
const LOCK_FILE: &str = "lock";

/// Bytes of the longest `home`: two identities and a size.
const MAX_HOME_BYTES: u64 = 1024;

/// Holds the data folder until it is dropped or the process ends, however it ends.
#[derive(Debug)]
pub struct Lock(Option<fs::File>);

impl Drop for Lock {
    /// Closing the file is not enough: a child process that is just being started may still share it.
    fn drop(&mut self) {
        if let Some(file) = &self.0
            && let Err(error) = flock(file, FlockOperation::Unlock)
        {
            tracing::debug!(%error, "the folder's lock is left to the operating system");
        }
    }
}

impl Lock {
    /// Takes the folder, or answers none if another process has it.
    ///
    /// # Errors
    /// As the file system says.
    pub fn take(data_dir: &Path) -> io::Result<Option<Self>> {
        let path = data_dir.join(LOCK_FILE);
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(path)?;
        Self::locked(file, FlockOperation::NonBlockingLockExclusive)
    }

    /// Takes the folder for looking at it, which others may do at the same time, and changes nothing in it. Answers none
    /// if another process has it for itself.
    ///
    /// # Errors
    /// As the file system says.
    pub fn look(data_dir: &Path) -> io::Result<Option<Self>> {
        match fs::File::open(data_dir.join(LOCK_FILE)) {
            Ok(file) => Self::locked(file, FlockOperation::NonBlockingLockShared),
            // Nobody has ever had it, or it is a copy without its lock.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(Some(Self(None))),
            Err(error) => Err(error),
        }
    }

    fn locked(file: fs::File, how: FlockOperation) -> io::Result<Option<Self>> {
        match flock(&file, how) {
            Ok(()) => Ok(Some(Self(Some(file)))),
            Err(rustix::io::Errno::WOULDBLOCK) => Ok(None),
            Err(error) => Err(error.into()),
        }
    }
}

/// The place, as the file system knows it: the head and the log's folder. A copy has others.
fn describe(disk: &dyn Disk, data_dir: &Path) -> io::Result<String> {
    let log_dir = data_dir.join(LOG_DIR);
    Ok(format!("head {}\nlog {}\n", disk.identity(&log_dir.join(HEAD_FILE))?, disk.identity(&log_dir)?))
}

/// Whether the ledger was written here, and nowhere else, last: the place is the same, and the log has at least as many
/// entries as when it was last started or closed here. An older log put over this one in place has fewer.
///
/// # Errors
/// As the file system says.
pub fn is_home(disk: &dyn Disk, data_dir: &Path, size: u64) -> io::Result<bool> {
    let text = match read_all(disk, &data_dir.join(HOME_FILE), MAX_HOME_BYTES) {
        Ok(bytes) => String::from_utf8(bytes).unwrap_or_default(),
        Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
            return Ok(false);
        }
        Err(error) => return Err(error),
    };
    let known = text.strip_prefix(&describe(disk, data_dir)?).and_then(|rest| rest.strip_prefix("size "));
    let known = known.and_then(|size| crate::spec::encoding::from_decimal(size.trim_end()));
    Ok(known.is_some_and(|known| size >= known))
}

/// Makes this folder, with a log of this size, the ledger's home.
///
/// # Errors
/// As the file system says.
pub fn settle(disk: &dyn Disk, data_dir: &Path, size: u64) -> io::Result<()> {
    let text = format!("{}size {size}\n", describe(disk, data_dir)?);
    replace(disk, &data_dir.join(HOME_FILE), text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::disk::RealDisk;

    #[test]
    fn a_copy_is_not_at_home() {
        let dir = tempfile::tempdir().unwrap();
        let original = dir.path().join("a");
        fs::create_dir_all(original.join(LOG_DIR)).unwrap();
        fs::write(original.join(LOG_DIR).join(HEAD_FILE), b"head").unwrap();
        assert!(!is_home(&RealDisk, &original, 7).unwrap());
        settle(&RealDisk, &original, 7).unwrap();
        assert!(is_home(&RealDisk, &original, 7).unwrap());
        assert!(!is_home(&RealDisk, &original, 6).unwrap(), "an older log in the same place");
        let copy = dir.path().join("b");
        fs::create_dir_all(copy.join(LOG_DIR)).unwrap();
        fs::copy(original.join(LOG_DIR).join(HEAD_FILE), copy.join(LOG_DIR).join(HEAD_FILE)).unwrap();
        fs::copy(original.join(HOME_FILE), copy.join(HOME_FILE)).unwrap();
        assert!(!is_home(&RealDisk, &copy, 7).unwrap());
        let moved = dir.path().join("c");
        fs::rename(&original, &moved).unwrap();
        assert!(is_home(&RealDisk, &moved, 8).unwrap());
    }

    #[test]
    fn the_second_process_is_told() {
        let dir = tempfile::tempdir().unwrap();
        let first = Lock::take(dir.path()).unwrap();
        assert!(first.is_some());
        assert!(Lock::take(dir.path()).unwrap().is_none());
        assert!(Lock::look(dir.path()).unwrap().is_none());
        drop(first);
        assert!(Lock::take(dir.path()).unwrap().is_some());
        let looking = (Lock::look(dir.path()).unwrap(), Lock::look(dir.path()).unwrap());
        assert!(looking.0.is_some() && looking.1.is_some() && Lock::take(dir.path()).unwrap().is_none());
        let empty = tempfile::tempdir().unwrap();
        assert!(Lock::look(empty.path()).unwrap().is_some() && !empty.path().join(LOCK_FILE).exists());
    }
}
