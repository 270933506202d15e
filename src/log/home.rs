//! Whose folder this is: one process at a time, and no copy goes on writing by itself.
//!
//! A copy of a ledger that went on by itself would sign another history with the same key. So a ledger remembers the
//! inode numbers of its head file and log folder; a restored, imported or copied folder has others (or no `home` at
//! all) and opens read-only until it is adopted. It also remembers how long the log was and what time it was, so that an
//! older log put back in place is noticed, and a clock that is years ahead. A snapshot of a whole disk is beyond what a
//! process can see.

use crate::log::disk::{Disk, File, Mode, read_all, replace};
use crate::spec::encoding::{from_decimal, to_hex};
use crate::spec::layout::{HEAD_FILE, LOG_DIR};
use crate::spec::time::Timestamp;
use crate::sync::{Mutex, MutexGuard, PoisonError};
use rustix::fs::{FlockOperation, flock};
use sha2::{Digest as _, Sha256};
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const HOME_FILE: &str = "home";
const LOCK_FILE: &str = "lock";

/// Bytes of `home`: two identities, a size, a time, a sum.
///
/// Reason: one sector, so that it can be written in place.
const HOME_BYTES: usize = 512;

/// Bytes of the longest `home` that is read: older builds wrote it as long as it was.
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

/// What `home` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Noted {
    /// Where the ledger was written last.
    place: String,
    /// How many entries it had there.
    pub size: u64,
    /// What time it was, as the ledger believed it; none in a `home` of an older build.
    pub clock: Option<Timestamp>,
    /// Nothing is published from here until somebody says so: it is an adopted copy, and the sinks are the original's.
    pub keeps_quiet: bool,
}

impl Noted {
    /// What is noted in a data folder; none if there is nothing, or nothing that adds up.
    ///
    /// # Errors
    /// As the file system says.
    pub fn read(disk: &dyn Disk, data_dir: &Path) -> io::Result<Option<Self>> {
        match read_all(disk, &data_dir.join(HOME_FILE), MAX_HOME_BYTES) {
            Ok(bytes) => Ok(std::str::from_utf8(&bytes).ok().and_then(Self::parse)),
            Err(error) if matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::InvalidData) => {
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Whether the ledger was written last here and nowhere else.
    ///
    /// # Errors
    /// As the file system says.
    pub fn is_here(&self, disk: &dyn Disk, data_dir: &Path) -> io::Result<bool> {
        Ok(self.place == describe(disk, data_dir)?)
    }

    fn parse(text: &str) -> Option<Self> {
        let text = text.trim_end();
        let (said, sum) = match text.rsplit_once("sum ") {
            Some((said, sum)) => (said, Some(sum)),
            // As older builds wrote it: place and size alone.
            None => (text, None),
        };
        if sum.is_some_and(|sum| sum != checksum(said)) {
            return None;
        }
        let mut lines = said.lines();
        let (head, log) = (lines.next()?, lines.next()?);
        if !head.starts_with("head ") || !log.starts_with("log ") {
            return None;
        }
        let size = from_decimal(lines.next()?.strip_prefix("size ")?)?;
        let mut noted = Self { place: format!("{head}\n{log}\n"), size, clock: None, keeps_quiet: false };
        for line in lines {
            match line.split_once(' ')? {
                _ if sum.is_none() => return None,
                ("clock", time) => noted.clock = Some(Timestamp::parse(time)?),
                ("publishes", "no") => noted.keeps_quiet = true,
                _ => return None,
            }
        }
        Some(noted)
    }

    /// As it is written: always as long, in one sector, which a disk writes whole or not at all.
    fn bytes(&self) -> Vec<u8> {
        let mut text = format!("{}size {}\n", self.place, self.size);
        if let Some(clock) = self.clock {
            text.push_str(&format!("clock {clock}\n"));
        }
        if self.keeps_quiet {
            text.push_str("publishes no\n");
        }
        text.push_str(&format!("sum {}", checksum(&text)));
        let mut bytes = text.into_bytes();
        bytes.resize(HOME_BYTES, b'\n');
        bytes
    }
}

fn checksum(said: &str) -> String {
    to_hex(&Sha256::digest(said))
}

/// The home of a running ledger: what is noted is written over what was noted, and synced from time to time. A process
/// that is killed leaves the last word; a power cut an earlier one, which still is one of this ledger.
pub struct Home {
    disk: Arc<dyn Disk>,
    data_dir: PathBuf,
    state: Mutex<State>,
}

struct State {
    noted: Noted,
    /// None until the ledger has settled here.
    file: Option<Arc<dyn File>>,
    /// Written since it was last synced.
    unsynced: bool,
    /// It could not be written; said once.
    failed: bool,
}

impl Home {
    /// What is to be noted in a data folder once the ledger has settled there.
    #[must_use]
    pub fn new(
        disk: Arc<dyn Disk>,
        data_dir: &Path,
        size: u64,
        clock: Option<Timestamp>,
        keeps_quiet: bool,
    ) -> Self {
        let noted = Noted { place: String::new(), size, clock, keeps_quiet };
        let state = State { noted, file: None, unsynced: false, failed: false };
        Self { disk, data_dir: data_dir.to_owned(), state: Mutex::new(state) }
    }

    /// Makes this folder the ledger's home.
    ///
    /// # Errors
    /// As the file system says.
    pub fn settle(&self) -> io::Result<()> {
        let path = self.data_dir.join(HOME_FILE);
        let mut state = self.lock();
        state.noted.place = describe(&*self.disk, &self.data_dir)?;
        replace(&*self.disk, &path, &state.noted.bytes())?;
        state.file = Some(self.disk.open(&path, Mode::Write)?);
        Ok(())
    }

    /// Whether nothing is to be published from here.
    #[must_use]
    pub fn keeps_quiet(&self) -> bool {
        self.lock().noted.keeps_quiet
    }

    /// Notes how many entries are durable.
    pub fn note_size(&self, size: u64) {
        self.note(|noted| noted.size = size);
    }

    /// Notes what time the ledger believes it to be. It never goes back.
    pub fn note_clock(&self, now: Timestamp) {
        self.note(|noted| noted.clock = Some(noted.clock.map_or(now, |before| before.max(now))));
    }

    fn note(&self, change: impl FnOnce(&mut Noted)) {
        let mut state = self.lock();
        change(&mut state.noted);
        let Some(file) = state.file.clone() else { return };
        state.unsynced = true;
        match file.write_all_at(&state.noted.bytes(), 0) {
            Ok(()) => state.failed = false,
            // It is a memory beside the log: nothing that is recorded depends on it.
            Err(error) if !state.failed => {
                tracing::warn!(%error, "`home` is not written: how long the log is, is noted in the log alone");
                state.failed = true;
            }
            Err(_) => {}
        }
    }

    /// Makes durable what was noted.
    ///
    /// # Errors
    /// As the file system says.
    pub fn sync(&self) -> io::Result<()> {
        let file = {
            let mut state = self.lock();
            let unsynced = std::mem::take(&mut state.unsynced);
            state.file.clone().filter(|_| unsynced)
        };
        // Without the lock: a commit must not wait for it.
        file.map_or(Ok(()), |file| file.sync_data())
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
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
        let is_home = |dir: &Path| {
            Noted::read(&RealDisk, dir).unwrap().is_some_and(|noted| noted.is_here(&RealDisk, dir).unwrap())
        };
        assert!(!is_home(&original));
        Home::new(Arc::new(RealDisk), &original, 7, None, false).settle().unwrap();
        assert!(is_home(&original));
        let copy = dir.path().join("b");
        fs::create_dir_all(copy.join(LOG_DIR)).unwrap();
        fs::copy(original.join(LOG_DIR).join(HEAD_FILE), copy.join(LOG_DIR).join(HEAD_FILE)).unwrap();
        fs::copy(original.join(HOME_FILE), copy.join(HOME_FILE)).unwrap();
        assert!(!is_home(&copy));
        let moved = dir.path().join("c");
        fs::rename(&original, &moved).unwrap();
        assert!(is_home(&moved));
    }

    #[test]
    fn what_is_noted_is_read_again_and_what_does_not_add_up_is_not() {
        let dir = tempfile::tempdir().unwrap();
        fs::create_dir_all(dir.path().join(LOG_DIR)).unwrap();
        fs::write(dir.path().join(LOG_DIR).join(HEAD_FILE), b"head").unwrap();
        let read = || Noted::read(&RealDisk, dir.path()).unwrap();
        let time = |micros| Timestamp::from_micros(micros).unwrap();
        let home = Home::new(Arc::new(RealDisk), dir.path(), 7, Some(time(5)), true);
        home.settle().unwrap();
        home.note_size(8);
        home.note_clock(time(9));
        home.note_clock(time(3));
        let noted = read().unwrap();
        assert_eq!((noted.size, noted.clock, noted.keeps_quiet), (8, Some(time(9)), true));
        let path = dir.path().join(HOME_FILE);
        let good = fs::read(&path).unwrap();
        assert_eq!(good.len(), HOME_BYTES);
        let said = good.iter().rposition(|byte| *byte != b'\n').unwrap();
        for at in 0..=said {
            let mut bad = good.clone();
            bad[at] ^= 1;
            fs::write(&path, &bad).unwrap();
            // Where the flipped bit makes another spelling of nothing, it says the same.
            assert!(read().is_none_or(|read| read == noted), "byte {at}");
        }
        // As older builds wrote it.
        let place = describe(&RealDisk, dir.path()).unwrap();
        fs::write(&path, format!("{place}size 12\n")).unwrap();
        let noted = read().unwrap();
        assert_eq!((noted.size, noted.clock, noted.keeps_quiet), (12, None, false));
        assert!(noted.is_here(&RealDisk, dir.path()).unwrap());
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
