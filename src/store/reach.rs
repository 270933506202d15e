//! How far a derived store has come, in a small file beside the engine's. It can be read without opening the engine, and
//! stays when the engine's files are made anew: what was derived once proves how long the log was.

use super::folder::Folder;
use super::seal::{HEADER_KEY, SEAL_KEY, Seal, read_header};
use super::{EngineKind, Table};
use crate::spec::encoding::{from_decimal, from_hex, to_hex};
use sha2::{Digest as _, Sha256};
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::sync::{Mutex, PoisonError};

const REACH_FILE: &str = "reach";

/// Bytes of the file.
///
/// Reason: one sector, which a disk writes whole or not at all.
const REACH_BYTES: usize = 512;

/// How far a store of a ledger has ever come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// SHA-256 of the ledger's first entry.
    pub ledger: [u8; 32],
    /// Entries applied.
    pub applied: u64,
    /// SHA-256 of the last one's text.
    pub anchor: [u8; 32],
}

impl Reach {
    /// What is noted in the folder of a store of these tables; where nothing is, as an older build left it, the engine there
    /// is asked, once.
    #[must_use]
    pub fn of(dir: &Path, tables: &'static [Table]) -> Option<Self> {
        Self::read(dir).or_else(|| Self::ask(dir, tables))
    }

    /// What is noted in a store's folder; nothing in it is changed.
    #[must_use]
    pub fn read(dir: &Path) -> Option<Self> {
        Self::parse(std::str::from_utf8(&fs::read(dir.join(REACH_FILE)).ok()?).ok()?)
    }

    fn parse(text: &str) -> Option<Self> {
        let (said, sum) = text.trim_end().rsplit_once("sum ")?;
        if sum != to_hex(&Sha256::digest(said)) {
            return None;
        }
        let mut lines = said.lines();
        let mut next = |name: &str| lines.next()?.strip_prefix(name);
        Some(Self {
            ledger: from_hex(next("ledger ")?)?,
            applied: from_decimal(next("applied ")?)?,
            anchor: from_hex(next("anchor ")?)?,
        })
    }

    fn bytes(&self) -> Vec<u8> {
        let Self { ledger, applied, anchor } = self;
        let said = format!("ledger {}\napplied {applied}\nanchor {}\n", to_hex(ledger), to_hex(anchor));
        let mut bytes = format!("{said}sum {}", to_hex(&Sha256::digest(&said))).into_bytes();
        bytes.resize(REACH_BYTES, b'\n');
        bytes
    }

    /// What the engine's own files say. They are opened as at any other time, and counted if that never ends.
    fn ask(dir: &Path, tables: &'static [Table]) -> Option<Self> {
        let kind = *EngineKind::ALL.iter().find(|kind| dir.join(kind.name()).is_dir())?;
        let folder = Folder::take(dir).ok()?;
        if folder.marked().ok()?.is_some()
            || folder.unfinished_opens().ok()? >= super::opening::UNFINISHED_OPENS
        {
            return None;
        }
        folder.begin_open().ok()?;
        let asked = super::open(kind, &dir.join(kind.name()), tables).ok().and_then(|store| {
            let header = store.get(Table::Meta, HEADER_KEY).ok()??;
            let (_, ledger) = read_header(&header)?;
            let seal = Seal::read(&store.get(Table::Meta, SEAL_KEY).ok()??)?;
            Some(Self { ledger: ledger?, applied: seal.applied, anchor: seal.anchor })
        });
        let _ = folder.end_open();
        asked
    }
}

/// Where it is noted while the store is used.
pub(crate) struct ReachFile {
    file: File,
    known: Mutex<Reach>,
}

impl ReachFile {
    /// Goes on with what is noted of this ledger in a folder.
    ///
    /// # Errors
    /// As the file system says.
    pub(crate) fn open(dir: &Path, ledger: [u8; 32], seal: &Seal) -> io::Result<Self> {
        let path = dir.join(REACH_FILE);
        let before = Reach::read(dir);
        let file = OpenOptions::new().create(true).truncate(false).write(true).mode(0o640).open(path)?;
        let known = before.filter(|before| before.ledger == ledger && before.applied >= seal.applied);
        let known = known.unwrap_or(Reach { ledger, applied: seal.applied, anchor: seal.anchor });
        file.write_all_at(&known.bytes(), 0)?;
        Ok(Self { file, known: Mutex::new(known) })
    }

    /// Notes how far the store comes. What is made anew has been further once, and that stays.
    pub(crate) fn note(&self, seal: &Seal) {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if seal.applied <= known.applied {
            return;
        }
        (known.applied, known.anchor) = (seal.applied, seal.anchor);
        if let Err(error) = self.file.write_all_at(&known.bytes(), 0) {
            tracing::debug!(%error, "how far a derived store has come is not noted");
        }
    }
}

/// Forgets what a derived store knows, because an operator has adopted a log that does not: it is made anew from that.
///
/// # Errors
/// As the file system says.
pub fn forget(dir: &Path) -> io::Result<()> {
    if !dir.try_exists()? {
        return Ok(());
    }
    let folder = Folder::take(dir).map_err(io::Error::other)?;
    folder.mark("an older log was adopted")?;
    match fs::remove_file(dir.join(REACH_FILE)) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_noted_is_read_again_and_goes_up_alone() {
        let dir = tempfile::tempdir().unwrap();
        assert_eq!(Reach::read(dir.path()), None);
        let seal = |applied| Seal { applied, anchor: [applied as u8; 32] };
        let file = ReachFile::open(dir.path(), [1; 32], &seal(3)).unwrap();
        file.note(&seal(9));
        file.note(&seal(5));
        let said = Reach::read(dir.path()).unwrap();
        assert_eq!(said, Reach { ledger: [1; 32], applied: 9, anchor: [9; 32] });
        // Made anew, it was further once; of another ledger, it says nothing.
        drop(ReachFile::open(dir.path(), [1; 32], &Seal::EMPTY).unwrap());
        assert_eq!(Reach::read(dir.path()), Some(said));
        drop(ReachFile::open(dir.path(), [2; 32], &Seal::EMPTY).unwrap());
        assert_eq!(Reach::read(dir.path()).unwrap().applied, 0);
        // What does not add up says nothing.
        let path = dir.path().join(REACH_FILE);
        let mut bytes = fs::read(&path).unwrap();
        bytes[70] ^= 1;
        fs::write(&path, bytes).unwrap();
        assert_eq!(Reach::read(dir.path()), None);
        forget(dir.path()).unwrap();
        assert!(!path.exists() && dir.path().join("rebuild").exists());
    }
}
