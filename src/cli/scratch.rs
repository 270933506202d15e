//! Making a data folder so that it is there whole or not at all: everything is made in a scratch folder inside it, on
//! the same file system, and moved into place at the end, the log last.
//!
//! Renaming the scratch folder to [`READY`] decides that it is whole. What is moved after that can be cut off at any
//! point, and is moved on by the next command that looks for a ledger there.
//!
//! Nothing but the scratch folder of this name is ever removed.

use crate::spec::layout::LOG_DIR;
use anyhow::{Context as _, bail};
use std::fs;
use std::path::{Path, PathBuf};

/// The scratch folder's name in the folder being made.
const SCRATCH: &str = ".daybook-unfinished";

/// Its name when everything in it is made, and only moving it into place is left.
const READY: &str = ".daybook-finished";

/// What may be in the folder already: settings put there beforehand, and what a fresh file system has.
const ALLOWED: [&str; 3] = ["daybook.toml", "lost+found", SCRATCH];

/// A folder being made. What is unfinished when it is dropped is removed.
pub struct Scratch {
    target: PathBuf,
    path: PathBuf,
    /// The target was not there before.
    made_target: bool,
}

impl Scratch {
    /// Begins in `target`, which is made if need be and must hold nothing else.
    pub fn begin(target: &Path) -> anyhow::Result<Self> {
        if resume(target)? {
            bail!(
                "an earlier command had made everything in {} and was cut off while moving it into place; that is \
                 done now, and the ledger is there",
                target.display()
            );
        }
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
        Ok(Self { target: target.to_owned(), path, made_target })
    }

    /// Where to make things.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Moves everything into place, the log last: without it there is no ledger.
    pub fn finish(self) -> anyhow::Result<()> {
        let ready = self.target.join(READY);
        fs::rename(&self.path, &ready).with_context(|| ready.display().to_string())?;
        move_into_place(&self.target)
    }
}

/// Moves into place what an earlier command had made and was cut off with. Whether there was anything.
pub fn resume(target: &Path) -> anyhow::Result<bool> {
    let found = target.join(READY).exists();
    if found {
        move_into_place(target)?;
    }
    Ok(found)
}

fn move_into_place(target: &Path) -> anyhow::Result<()> {
    let ready = target.join(READY);
    let moved = || {
        // From here on it is whole, also after a power cut.
        fs::File::open(target)?.sync_all()?;
        let mut names = Vec::new();
        for entry in fs::read_dir(&ready)? {
            names.push(entry?.file_name());
        }
        names.sort_by_key(|name| name == LOG_DIR);
        for name in names {
            fs::rename(ready.join(&name), target.join(&name))?;
        }
        fs::File::open(target)?.sync_all()?;
        fs::remove_dir(&ready)
    };
    moved().with_context(|| format!("moving {} into place; try again to go on", ready.display()))
}

impl Drop for Scratch {
    fn drop(&mut self) {
        // Left behind, it is removed by the next try.
        let _ = fs::remove_dir_all(&self.path);
        if self.made_target {
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
        assert!(!target.join(SCRATCH).exists() && !target.join(READY).exists());
        drop(Scratch::begin(&dir.path().join("dropped")).unwrap());
        assert!(!dir.path().join("dropped").exists());
    }
    #[test]
    fn moving_that_was_cut_off_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let scratch = Scratch::begin(dir.path()).unwrap();
        fs::create_dir(scratch.path().join(LOG_DIR)).unwrap();
        fs::write(scratch.path().join("home"), b"x").unwrap();
        fs::write(scratch.path().join("tokens.json"), b"x").unwrap();
        fs::rename(scratch.path(), dir.path().join(READY)).unwrap();
        fs::rename(dir.path().join(READY).join("home"), dir.path().join("home")).unwrap();
        drop(scratch);
        assert!(!dir.path().join(LOG_DIR).exists());
        assert!(Scratch::begin(dir.path()).is_err(), "there is a ledger");
        for name in [LOG_DIR, "home", "tokens.json"] {
            assert!(dir.path().join(name).exists(), "{name}");
        }
        assert!(!resume(dir.path()).unwrap(), "nothing is left to move");
    }
}
