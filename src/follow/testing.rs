//! For tests: a log in memory, and histories that have something on every list.

use super::{Event, FeedError, Portion, Source};
use crate::spec::time::Timestamp;
use crate::store::EngineKind;
use sha2::{Digest, Sha256};
use std::fs;
use std::path::Path;
use std::sync::{Arc, Mutex};

/// The engines of this build.
pub(crate) const ENGINES: &[EngineKind] = EngineKind::ALL;

/// A log in memory. It may be broken, and grows when told.
#[derive(Default)]
pub(crate) struct MemoryLog {
    entries: Mutex<Vec<Arc<Event>>>,
    /// Reading from this seq on fails.
    broken_from: Option<u64>,
}

impl MemoryLog {
    pub(crate) fn of(entries: impl IntoIterator<Item = Arc<Event>>) -> MemoryLog {
        MemoryLog { entries: Mutex::new(entries.into_iter().collect()), ..MemoryLog::default() }
    }

    pub(crate) fn broken_from(self, seq: u64) -> MemoryLog {
        MemoryLog { broken_from: Some(seq), ..self }
    }

    pub(crate) fn append(&self, entries: impl IntoIterator<Item = Arc<Event>>) {
        self.entries.lock().unwrap().extend(entries);
    }

    pub(crate) fn entries(&self) -> Vec<Arc<Event>> {
        self.entries.lock().unwrap().clone()
    }
}

impl Source for MemoryLog {
    fn ledger(&self) -> Result<[u8; 32], FeedError> {
        Ok([1; 32])
    }

    fn committed(&self) -> u64 {
        self.entries.lock().unwrap().len() as u64
    }

    fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError> {
        if self.broken_from.is_some_and(|broken| from >= broken) {
            return Err(FeedError("broken on purpose".into()));
        }
        out.extend(self.entries.lock().unwrap().iter().skip(from as usize).take(portion.entries).cloned());
        Ok(())
    }

    fn event(&self, seq: u64) -> Result<Event, FeedError> {
        let mut found = Vec::new();
        self.read(seq, Portion { entries: 1, bytes: 1, data: true }, &mut found)?;
        found.first().map(|event| Event::clone(event)).ok_or_else(|| FeedError("no such entry".into()))
    }

    fn digest(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        Ok(Sha256::digest(self.event(seq)?.data.to_string()).into())
    }
}

/// An entry made up from its seq: few types, sources and actors, more subjects, some entries without one.
/// Other `salt`, other history.
pub(crate) fn entry(seq: u64, salt: u64) -> Event {
    let digest = Sha256::digest([seq.to_be_bytes(), salt.to_be_bytes()].concat());
    let pick = |at: usize, of: u8| digest[at] % of;
    Event {
        seq,
        recorded_at: Timestamp::clamped(seq as i64),
        happened_at: Timestamp::clamped(seq as i64),
        source: format!("/source/{}", pick(0, 2)),
        id: format!("{salt}-{seq}"),
        ty: format!("type.{}", pick(1, 4).min(pick(2, 4))),
        subject: (pick(3, 8) != 0).then(|| format!("case/{}", pick(4, 60).min(pick(5, 60)))),
        sequence: None,
        actor: format!("app:{}", pick(6, 5)),
        text_hash: digest.into(),
        data: Arc::default(),
    }
}

pub(crate) fn history(salt: u64, seqs: std::ops::Range<u64>) -> Vec<Arc<Event>> {
    seqs.map(|seq| Arc::new(entry(seq, salt))).collect()
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
