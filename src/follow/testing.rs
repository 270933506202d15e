//! For tests: a log in memory, and histories that have something on every list.

use super::feed::{Feed, FeedEntry, FeedError};
use crate::store::EngineKind;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::sync::{Condvar, Mutex};
use std::time::Duration;

/// The engines of this build.
pub(crate) const ENGINES: &[EngineKind] = EngineKind::ALL;

/// A log in memory. It may be broken, and grows when told.
#[derive(Default)]
pub(crate) struct MemoryLog {
    entries: Mutex<Vec<FeedEntry>>,
    grown: Condvar,
    /// Reading from this seq on fails.
    broken_from: Option<u64>,
}

impl MemoryLog {
    pub(crate) fn of(entries: impl IntoIterator<Item = FeedEntry>) -> MemoryLog {
        MemoryLog { entries: Mutex::new(entries.into_iter().collect()), ..MemoryLog::default() }
    }

    pub(crate) fn broken_from(self, seq: u64) -> MemoryLog {
        MemoryLog { broken_from: Some(seq), ..self }
    }

    pub(crate) fn append(&self, entries: impl IntoIterator<Item = FeedEntry>) {
        self.entries.lock().unwrap().extend(entries);
        self.grown.notify_all();
    }

    pub(crate) fn entries(&self) -> Vec<FeedEntry> {
        self.entries.lock().unwrap().clone()
    }
}

impl Feed for MemoryLog {
    fn committed(&self) -> u64 {
        self.entries.lock().unwrap().len() as u64
    }

    fn wait_committed(&self, beyond: u64, timeout: Duration) -> u64 {
        let entries = self.entries.lock().unwrap();
        let short = |entries: &mut Vec<FeedEntry>| entries.len() as u64 <= beyond;
        self.grown.wait_timeout_while(entries, timeout, short).unwrap().0.len() as u64
    }

    fn read(&self, from: u64, max: usize, out: &mut Vec<FeedEntry>) -> Result<(), FeedError> {
        if self.broken_from.is_some_and(|broken| from >= broken) {
            return Err(FeedError("broken on purpose".into()));
        }
        out.extend(self.entries.lock().unwrap().iter().skip(from as usize).take(max).cloned());
        Ok(())
    }

    fn text_hash(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        let entries = self.entries.lock().unwrap();
        entries
            .get(seq as usize)
            .map(|entry| entry.text_hash)
            .ok_or_else(|| FeedError("no such entry".into()))
    }
}

/// An entry made up from its seq: few types, sources and actors, more subjects, some entries without one.
/// Other `salt`, other history.
pub(crate) fn entry(seq: u64, salt: u64) -> FeedEntry {
    let digest = Sha256::digest([seq.to_be_bytes(), salt.to_be_bytes()].concat());
    let pick = |at: usize, of: u8| digest[at] % of;
    FeedEntry {
        seq,
        source: format!("/source/{}", pick(0, 2)),
        id: format!("{salt}-{seq}"),
        ty: format!("type.{}", pick(1, 4).min(pick(2, 4))),
        subject: (pick(3, 8) != 0).then(|| format!("case/{}", pick(4, 60).min(pick(5, 60)))),
        actor: format!("app:{}", pick(6, 5)),
        text_hash: digest.into(),
    }
}

pub(crate) fn history(salt: u64, seqs: std::ops::Range<u64>) -> Vec<FeedEntry> {
    seqs.map(|seq| entry(seq, salt)).collect()
}

/// Copies a folder and all below it.
pub(crate) fn copy_folder(from: &Path, to: &Path) {
    fs::create_dir_all(to).unwrap();
    for item in fs::read_dir(from).unwrap() {
        let item = item.unwrap();
        let target = to.join(item.file_name());
        if item.file_type().unwrap().is_dir() {
            copy_folder(&item.path(), &target);
        } else {
            fs::copy(item.path(), target).unwrap();
        }
    }
}
