//! The folder of a derived store: its lock, and the two markers that outlive a process.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{self, Write};
use std::path::{Path, PathBuf};

/// Why a folder cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// Another process has it.
    #[error("the folder is in use by another process")]
    InUse,
    /// It cannot be read or written.
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The folder of a derived store, locked for this process.
pub(crate) struct Folder {
    dir: PathBuf,
    lock: File,
}

impl Drop for Folder {
    /// Closing the file is not enough: a child process that is just being started may still share it.
    fn drop(&mut self) {
        if let Err(error) = self.lock.unlock() {
            tracing::debug!(%error, "a folder's lock is left to the operating system");
        }
    }
}

impl Folder {
    pub(crate) fn take(dir: &Path) -> Result<Folder, FolderError> {
        fs::create_dir_all(dir)?;
        // Not the engine's own lock: this one is there also while the engine's files are wiped.
        let lock = OpenOptions::new().create(true).write(true).truncate(false).open(dir.join("lock"))?;
        match lock.try_lock() {
            Ok(()) => Ok(Folder { dir: dir.to_owned(), lock }),
            Err(TryLockError::WouldBlock) => Err(FolderError::InUse),
            Err(TryLockError::Error(error)) => Err(error.into()),
        }
    }

    fn rebuild_marker(&self) -> PathBuf {
        self.dir.join("rebuild")
    }

    fn opening_marker(&self) -> PathBuf {
        self.dir.join("opening")
    }

    /// Notes that the index must not be used again. The first reason stays.
    pub(crate) fn mark(&self, reason: &str) -> io::Result<()> {
        match OpenOptions::new().create_new(true).write(true).open(self.rebuild_marker()) {
            Ok(mut file) => file.write_all(reason.as_bytes()),
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn marked(&self) -> io::Result<Option<String>> {
        match fs::read(self.rebuild_marker()) {
            Ok(reason) => Ok(Some(String::from_utf8_lossy(&reason).into_owned())),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn unfinished_opens(&self) -> io::Result<u64> {
        match fs::metadata(self.opening_marker()) {
            Ok(metadata) => Ok(metadata.len()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(0),
            Err(error) => Err(error),
        }
    }

    pub(crate) fn begin_open(&self) -> io::Result<()> {
        OpenOptions::new().create(true).append(true).open(self.opening_marker())?.write_all(b".")
    }

    pub(crate) fn end_open(&self) -> io::Result<()> {
        remove_file(&self.opening_marker())
    }

    /// A new index is there: no marker counts any more.
    pub(crate) fn clear(&self) -> io::Result<()> {
        self.end_open()?;
        remove_file(&self.rebuild_marker())
    }
}

fn remove_file(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

pub(crate) fn remove_folder(path: &Path) -> io::Result<()> {
    match fs::remove_dir_all(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}
