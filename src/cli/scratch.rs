//! Making a data folder so that it is there whole or not at all: everything is made in a scratch folder inside it, on
//! the same file system, and moved into place at the end, the log last.
//!
//! Nothing but the scratch folder of this name is ever removed.

use crate::spec::layout::LOG_DIR;
use anyhow::{Context as _, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The scratch folder's name in the folder being made.
const SCRATCH: &str = ".daybook-unfinished";

/// What may be in the folder already: settings put there beforehand, and what a fresh file system has.
const ALLOWED: [&str; 3] = ["daybook.toml", "lost+found", SCRATCH];

/// A folder being made. What is unfinished when it is dropped is removed.
pub struct Scratch {
    target: PathBuf,
    path: PathBuf,
    /// The target was not there before.
    made_target: bool,
    finished: bool,
}

impl Scratch {
    /// Begins in `target`, which is made if need be and must hold nothing else.
    pub fn begin(target: &Path) -> anyhow::Result<Self> {
        let made_target = !target.exists();
        fs::create_dir_all(target).with_context(|| target.display().to_string())?;
        for entry in fs::read_dir(target).with_context(|| target.display().to_string())? {
            let name = entry?.file_name();
            if !ALLOWED.iter().any(|allowed| name == *allowed) {
                bail!("{} is not empty ({}); give another folder", target.display(), name.display());
            }
        }
        let path = target.join(SCRATCH);
        if path.exists() {
            // Of an earlier try that was cut off.
            fs::remove_dir_all(&path).with_context(|| path.display().to_string())?;
        }
        fs::create_dir(&path).with_context(|| path.display().to_string())?;
        Ok(Self { target: target.to_owned(), path, made_target, finished: false })
    }

    /// Where to make things.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves everything into place, the log last: without it there is no ledger.
    pub fn finish(mut self) -> anyhow::Result<()> {
        let mut names = Vec::new();
        for entry in fs::read_dir(&self.path)? {
            names.push(entry?.file_name());
        }
        names.sort_by_key(|name| name == LOG_DIR);
        for name in names {
            let to = self.target.join(&name);
            fs::rename(self.path.join(&name), &to).with_context(|| to.display().to_string())?;
        }
        fs::File::open(&self.target)?.sync_all()?;
        self.finished = true;
        Ok(())
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it is removed by the next try.
        let _ = fs::remove_dir_all(&self.path);
        if self.made_target && !self.finished {
            // Goes only if it is empty.
            let _ = fs::remove_dir(&self.target);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_that_was_there_is_touched() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("ledger");
        fs::create_dir(&target).unwrap();
        fs::write(target.join("precious"), b"x").unwrap();
        assert!(Scratch::begin(&target).is_err());
        assert!(target.join("precious").exists());
        fs::remove_file(target.join("precious")).unwrap();
        fs::write(target.join("daybook.toml"), b"").unwrap();
        let scratch = Scratch::begin(&target).unwrap();
        fs::create_dir(scratch.path().join(LOG_DIR)).unwrap();
        scratch.finish().unwrap();
        assert!(target.join(LOG_DIR).exists() && target.join("daybook.toml").exists());
        assert!(!target.join(SCRATCH).exists());
        drop(Scratch::begin(&dir.path().join("dropped")).unwrap());
        assert!(!dir.path().join("dropped").exists());
    }
}
