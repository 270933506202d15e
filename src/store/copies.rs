//! Copies of what is derived, for looking at it: every engine writes to what it opens, and who only looks must change
//! nothing.

use super::EngineKind;
use rustix::fs::statvfs;
use std::fs;
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};

/// Room that must be left beside what is copied and made.
///
/// Reason: an engine's journal and write buffers, of two stores.
const BESIDE: u64 = 256 << 20;

/// A folder for temporary files that nobody else reads. Removed when dropped.
pub struct Copies(PathBuf);

impl Copies {
    /// A new one where the system keeps temporary files (`TMPDIR`).
    ///
    /// # Errors
    /// It cannot be made there.
    pub fn begin(what: &str) -> io::Result<Self> {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        loop {
            let number = NEXT.fetch_add(1, Ordering::Relaxed);
            let path = std::env::temp_dir().join(format!("daybook-{what}-{}-{number}", std::process::id()));
            // Rows of views are as confidential as the ledger. One that is there already is somebody else's.
            match fs::DirBuilder::new().mode(0o700).create(&path) {
                Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
                made => return made.map(|()| Self(path)),
            }
        }
    }

    /// The place of something in it.
    #[must_use]
    pub fn place(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// That so many bytes fit, and what an engine needs beside them.
    ///
    /// # Errors
    /// They do not; says how many do and where.
    pub fn must_have_room(&self, bytes: u64) -> Result<(), String> {
        let (needed, free) = (bytes + BESIDE, self.free().map_err(|error| error.to_string())?);
        if free >= needed {
            return Ok(());
        }
        let place = self.0.parent().unwrap_or(&self.0).display().to_string();
        Err(format!(
            "a copy and what is made to compare with need {} MB, and {place} has room for {}; TMPDIR says where else",
            needed.div_ceil(1_000_000),
            free / 1_000_000,
        ))
    }

    /// Whether there is so little room left that what failed may have failed for want of it.
    #[must_use]
    pub fn is_full(&self) -> bool {
        self.free().is_ok_and(|free| free < BESIDE / 4)
    }

    fn free(&self) -> io::Result<u64> {
        let told = statvfs(&self.0)?;
        Ok(told.f_bavail.saturating_mul(told.f_frsize))
    }
}

impl Drop for Copies {
    fn drop(&mut self) {
        if let Err(error) = fs::remove_dir_all(&self.0) {
            eprintln!("daybook: {}: {error}; remove it", self.0.display());
        }
    }
}

/// The engine that has files in a derived store's folder: this one if it has, otherwise any.
#[must_use]
pub fn kept_by(dir: &Path, preferred: EngineKind) -> Option<EngineKind> {
    let kinds = [preferred].into_iter().chain(EngineKind::ALL.iter().copied());
    kinds.into_iter().find(|kind| dir.join(kind.name()).is_dir())
}

/// Bytes of all files below a folder; none if it is not there.
///
/// # Errors
/// It cannot be read.
pub fn size_of(dir: &Path) -> io::Result<u64> {
    let mut size = 0;
    walk(dir, &mut |_, path| {
        size += path.metadata()?.len();
        Ok(())
    })?;
    Ok(size)
}

/// Copies the files of a derived store's folder, but for its lock.
///
/// # Errors
/// They cannot be read, or not written there.
pub fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    walk(from, &mut |within, path| {
        if within == Path::new("lock") {
            return Ok(());
        }
        let target = to.join(within);
        if let Some(folder) = target.parent() {
            fs::create_dir_all(folder)?;
        }
        let mut read = fs::File::open(path)?;
        // Not `fs::copy`: a file that may only be read must be one that can be written.
        let mut written = fs::File::create_new(target)?;
        io::copy(&mut read, &mut written).map(|_| ())
    })
}

/// Calls for each file with its place below `dir`, and its path.
fn walk(dir: &Path, each: &mut dyn FnMut(&Path, &Path) -> io::Result<()>) -> io::Result<()> {
    let mut folders = vec![PathBuf::new()];
    while let Some(within) = folders.pop() {
        let entries = match fs::read_dir(dir.join(&within)) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            other => other?,
        };
        for entry in entries {
            let entry = entry?;
            let within = within.join(entry.file_name());
            if entry.file_type()?.is_dir() {
                folders.push(within);
            } else {
                each(&within, &entry.path())?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_copy_has_all_files_but_the_lock_and_goes_with_its_folder() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join("sled/deep")).unwrap();
        for (name, text) in [("lock", ""), ("opening", "."), ("sled/deep/file", "12345")] {
            fs::write(dir.path().join(name), text).unwrap();
        }
        assert_eq!(size_of(dir.path()).unwrap(), 6);
        assert_eq!(size_of(&dir.path().join("none")).unwrap(), 0);
        assert_eq!(kept_by(dir.path(), EngineKind::Fjall), Some(EngineKind::Sled));
        assert_eq!(kept_by(&dir.path().join("sled"), EngineKind::Fjall), None);
        let copies = Copies::begin("check").unwrap();
        let place = copies.place("index");
        copy(dir.path(), &place).unwrap();
        assert!(!place.join("lock").exists() && place.join("opening").exists());
        assert_eq!(fs::read(place.join("sled/deep/file")).unwrap(), b"12345");
        drop(copies);
        assert!(!place.exists());
    }

    #[test]
    fn what_does_not_fit_is_said_with_numbers() {
        let copies = Copies::begin("check").unwrap();
        let said = copies.must_have_room(1 << 60).unwrap_err();
        assert!(said.contains("need 1152921504") && said.contains("TMPDIR"), "{said}");
    }
}
