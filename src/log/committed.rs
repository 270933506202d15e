//! Where the log ends, as the committer and the sequencer share it.

use crate::log::clock::LedgerTime;
use crate::log::own_events::Rotation;
use crate::spec::merkle::Hash;
use crate::spec::note::Signer;
use crate::spec::time::Timestamp;
use crate::sync::{Mutex, PoisonError};
use std::sync::Arc;

/// The keys in force.
#[derive(Clone)]
pub struct Keys {
    pub current: Arc<dyn Signer>,
    /// The commitment to the key after it.
    pub next: Option<Hash>,
    /// False while the current key is lost: then nothing can be signed but the rotation to the next one.
    pub usable: bool,
    /// The old key, which signs checkpoints too until this time.
    pub overlap: Option<(Arc<dyn Signer>, Timestamp)>,
}

impl Keys {
    /// Brings a new key into force.
    pub fn rotate(&mut self, rotation: Rotation) {
        let old = std::mem::replace(&mut self.current, rotation.signer);
        self.overlap = rotation.overlap_until.map(|until| (old, until));
        self.next = rotation.next;
        self.usable = true;
    }
}

/// Where the log ends: what the next entry needs to know.
#[derive(Clone)]
pub struct Cursor {
    pub size: u64,
    pub chain: Hash,
    pub time: Timestamp,
    /// The clock's state when the last entry was numbered; until one is, that of the start.
    pub clock: LedgerTime,
    pub keys: Keys,
}

/// What is committed, shared with the sequencer. The epoch counts how often the log had to go back.
pub struct Committed(Mutex<(u64, Cursor)>);

impl Committed {
    /// Starts at what recovery found.
    #[must_use]
    pub fn new(cursor: Cursor) -> Self {
        Self(Mutex::new((0, cursor)))
    }

    /// The epoch, and where the log ends.
    #[must_use]
    pub fn read(&self) -> (u64, Cursor) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(super) fn advance(&self, cursor: Cursor) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).1 = cursor;
    }

    pub(super) fn go_back(&self) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).0 += 1;
    }
}
