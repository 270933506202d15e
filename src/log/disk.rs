//! The seam to the disk, so that a test can own failure: what the append path asks of a file system, no more.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::Arc;
use std::time::UNIX_EPOCH;

/// How to open a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// Must exist; reads only.
    Read,
    /// Made if missing; reads and writes.
    Write,
}

/// A file system.
pub trait Disk: Send + Sync {
    /// Opens a file.
    ///
    /// # Errors
    /// As the file system says.
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>>;
    /// Makes a folder; no error if it is there.
    ///
    /// # Errors
    /// As the file system says.
    fn create_dir(&self, path: &Path) -> io::Result<()>;
    /// Makes the entries of a folder durable (a new file is lost in a crash without it).
    ///
    /// # Errors
    /// As the file system says.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;
    /// Renames over what is there.
    ///
    /// # Errors
    /// As the file system says.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    /// What tells a file or folder from a copy of it, also where the copy stands in its place.
    ///
    /// # Errors
    /// As the file system says.
    fn identity(&self, path: &Path) -> io::Result<String>;
}

/// An open file. All access is by position: nothing here has a cursor to share.
pub trait File: Send + Sync {
    /// Bytes.
    ///
    /// # Errors
    /// As the file system says.
    fn size(&self) -> io::Result<u64>;
    /// Fills the buffer from this position.
    ///
    /// # Errors
    /// As the file system says; `UnexpectedEof` if the file ends before.
    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()>;
    /// Writes all bytes at this position.
    ///
    /// # Errors
    /// As the file system says; some of the bytes may be written.
    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()>;
    /// Cuts or extends the file.
    ///
    /// # Errors
    /// As the file system says.
    fn set_len(&self, len: u64) -> io::Result<()>;
    /// Makes the contents durable (`fdatasync`). After an error nothing is known about what is durable.
    ///
    /// # Errors
    /// As the file system says.
    fn sync_data(&self) -> io::Result<()>;
}

/// The operating system's file system.
pub struct RealDisk;

impl Disk for RealDisk {
    fn open(&self, path: &Path, mode: Mode) -> io::Result<Arc<dyn File>> {
        let mut options = fs::OpenOptions::new();
        options.read(true);
        if mode == Mode::Write {
            options.write(true).create(true).truncate(false).mode(0o640);
        }
        Ok(Arc::new(options.open(path)?))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        fs::create_dir_all(path)
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        fs::File::open(path)?.sync_all()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(from, to)
    }

    /// Inode and time of birth: a copy gets another time, also where it gets the same inode again.
    fn identity(&self, path: &Path) -> io::Result<String> {
        let metadata = fs::metadata(path)?;
        // Not every file system keeps a time of birth.
        let born = metadata.created().ok().and_then(|born| born.duration_since(UNIX_EPOCH).ok());
        Ok(format!("{}@{}", metadata.ino(), born.unwrap_or_default().as_nanos()))
    }
}

impl File for fs::File {
    fn size(&self) -> io::Result<u64> {
        Ok(self.metadata()?.len())
    }

    fn read_exact_at(&self, buffer: &mut [u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(self, buffer, at)
    }

    fn write_all_at(&self, bytes: &[u8], at: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::write_all_at(self, bytes, at)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        fs::File::set_len(self, len)
    }

    fn sync_data(&self) -> io::Result<()> {
        fs::File::sync_data(self)
    }
}

/// Makes a folder, and those above it where they are missing, so that no crash takes them away again.
///
/// # Errors
/// As the file system says.
pub fn create_dir_durably(disk: &dyn Disk, path: &Path) -> io::Result<()> {
    let path = std::path::absolute(path)?;
    let missing = path.ancestors().take_while(|folder| disk.identity(folder).is_err()).count();
    disk.create_dir(&path)?;
    // The one above the folder also if the folder was there: whoever made it may have died before this.
    for above in path.ancestors().skip(1).take(missing.max(1)) {
        match disk.sync_dir(above) {
            // A folder that is closed to us was made by another, who gave us what is in it.
            Err(error) if error.kind() == io::ErrorKind::PermissionDenied => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// Writes a small file so that a crash leaves the old one or the new one: beside it, synced, renamed over it.
///
/// # Errors
/// As the file system says; the old file is then still there.
pub fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> io::Result<()> {
    let beside = path.with_extension("new");
    let file = disk.open(&beside, Mode::Write)?;
    file.set_len(0)?;
    file.write_all_at(bytes, 0)?;
    file.sync_data()?;
    disk.rename(&beside, path)?;
    disk.sync_dir(path.parent().unwrap_or(Path::new(".")))
}

/// A whole file of bounded size.
///
/// # Errors
/// As the file system says; `InvalidData` if the file is larger than `limit` bytes.
pub fn read_all(disk: &dyn Disk, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
    let file = disk.open(path, Mode::Read)?;
    let len = file.size()?;
    if len > limit {
        return Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("{len} bytes, at most {limit} expected"),
        ));
    }
    // Bounded just above; on every platform we support usize holds what memory does.
    let mut bytes = vec![0; len as usize];
    file.read_exact_at(&mut bytes, 0)?;
    Ok(bytes)
}
