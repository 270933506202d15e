//! Files that are kept open for reading, so that an entry is not three `open` calls away.

use crate::log::disk::{Disk, File, Mode};
use quick_cache::sync::Cache;
use rustix::process::{Resource, getrlimit};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The most files, whatever the system allows.
///
/// Reason: three files a segment, so those of 89 million entries; about a MiB of memory.
const MAX_OPEN_FILES: usize = 4_096;

/// What part of the descriptors that the process may have is for these files; the rest is for connections and stores.
const SHARE: u64 = 4;

/// Open files by their path.
pub struct OpenFiles(Cache<PathBuf, Arc<dyn File>>);

impl OpenFiles {
    /// None open yet; as many as the process's limit of descriptors leaves room for.
    #[must_use]
    pub fn new() -> Self {
        let limit = getrlimit(Resource::Nofile).current.unwrap_or(u64::MAX);
        let share = usize::try_from(limit / SHARE).unwrap_or(usize::MAX);
        Self::at_most(share.clamp(1, MAX_OPEN_FILES))
    }

    fn at_most(files: usize) -> Self {
        Self(Cache::new(files))
    }

    /// The file at `path`, opened for reading if it is not open.
    ///
    /// # Errors
    /// It cannot be opened.
    pub fn open(&self, disk: &dyn Disk, path: &Path) -> io::Result<Arc<dyn File>> {
        if let Some(file) = self.0.get(path) {
            return Ok(file);
        }
        // Two may open it at once; one of them is closed again.
        let file = disk.open(path, Mode::Read)?;
        self.0.insert(path.to_owned(), file.clone());
        Ok(file)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log::disk::RealDisk;

    #[test]
    fn no_more_files_are_open_than_there_is_room_for() {
        let folder = tempfile::tempdir().unwrap();
        let paths: Vec<PathBuf> = (0..40_u8).map(|n| folder.path().join(n.to_string())).collect();
        for (n, path) in paths.iter().enumerate() {
            std::fs::write(path, [n as u8]).unwrap();
        }
        let files = OpenFiles::at_most(8);
        for _ in 0..2 {
            for (n, path) in paths.iter().enumerate() {
                let mut byte = [0];
                files.open(&RealDisk, path).unwrap().read_exact_at(&mut byte, 0).unwrap();
                assert_eq!(byte, [n as u8]);
                assert!(files.0.len() <= 8);
            }
        }
    }

    #[test]
    fn what_is_open_is_not_opened_again() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("entries");
        std::fs::write(&path, [7]).unwrap();
        let files = OpenFiles::new();
        assert!(files.open(&RealDisk, &path).is_ok());
        std::fs::remove_file(&path).unwrap();
        assert!(files.open(&RealDisk, &path).is_ok());
    }
}
