//! What the engine holds, and how it stands.

use super::acts::counted::Counter;
use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::footholds::Footholds;
use super::keys::Slot;
use super::lists::Tail;
use super::slots::{Member, Projection};
use crate::catalog::Catalog;
use crate::spec::time::Timestamp;
use crate::store::folder::Folder;
use crate::store::reach::ReachFile;
use crate::store::{Reader, Store};
use std::collections::HashMap;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

/// How a view stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// Entries that it has applied.
    pub applied: u64,
    /// Its digest, 64 hexadecimal digits: equal for equal contents.
    pub digest: String,
    /// Rows that it has.
    pub rows: u64,
    /// Whether this version is being built; until it is complete, the version before it answers, if there is one.
    pub building: bool,
}

/// All views of one ledger's log. One thread applies, any number ask.
pub struct Engine {
    // Declared before `folder`: the store is closed before the folder's lock is given back.
    pub(super) store: Arc<dyn Store>,
    pub(super) feed: Arc<dyn EventFeed>,
    /// The writer holds it while a batch is written, and readers while they take hold of what is written: nobody sees half a
    /// batch. See [`Still`].
    pub(super) state: RwLock<State>,
    pub(super) applying: Mutex<Applying>,
    /// What the views are to be from the next batch on.
    pub(super) wish: Mutex<Option<Arc<Wish>>>,
    pub(super) applied: AtomicU64,
    /// When the last entry applied was recorded, in microseconds.
    pub(super) recorded_at: AtomicI64,
    /// See [`Engine::read_again`].
    pub(super) read_again: AtomicU64,
    pub(super) failed: OnceLock<String>,
    /// How far imports have been counted.
    pub(super) counter: Counter,
    pub(super) folder: Folder,
    /// Where it is noted how far they have come.
    pub(super) reach: ReachFile,
}

pub(super) struct State {
    pub(super) catalog: Arc<Catalog>,
    /// Those that go together, at the common cursor.
    pub(super) members: Vec<Member>,
    /// Newer versions on their way there.
    pub(super) building: Vec<Member>,
    /// Slots that nobody needs any more.
    pub(super) unused: Vec<Slot>,
}

/// What only the one who applies needs.
#[derive(Default)]
pub(super) struct Applying {
    pub(super) tails: HashMap<Slot, Tail>,
    pub(super) footholds: Footholds,
}

/// What the views are to be.
pub(super) struct Wish {
    pub(super) catalog: Arc<Catalog>,
    pub(super) projections: Vec<Projection>,
}

/// What the views hold at a moment, held still. With an engine that has no snapshots nothing is applied meanwhile; with one
/// that has, the writer waits for nobody, however long a question takes.
pub(super) struct Still<'a> {
    snapshot: Option<Box<dyn Reader + 'a>>,
    store: &'a dyn Store,
    _held: Option<RwLockReadGuard<'a, State>>,
}

impl Still<'_> {
    /// To be read.
    pub(super) fn store(&self) -> &dyn Reader {
        match &self.snapshot {
            Some(snapshot) => &**snapshot,
            None => self.store,
        }
    }
}

impl Engine {
    /// Holds still what is applied, with what is to be known of it at that moment.
    pub(super) fn still<T>(&self, look: impl FnOnce(&State) -> T) -> (Still<'_>, T) {
        let state = self.state();
        let snapshot = self.store.snapshot();
        let seen = look(&state);
        let held = snapshot.is_none().then_some(state);
        (Still { snapshot, store: &*self.store, _held: held }, seen)
    }

    /// How many entries are applied: the seq of the next one. From memory.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// How many events have been read again since the views were opened, because one of their row came late or was
    /// corrected. Each event is read once beside that.
    #[must_use]
    pub fn read_again(&self) -> u64 {
        self.read_again.load(Ordering::Relaxed)
    }

    /// Why the views answer no more, if they do not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failed.get().cloned()
    }

    /// Whether something has been recorded after this time: then what is kept may not be what held at it.
    pub(super) fn is_past(&self, at: Timestamp) -> bool {
        at.micros() < self.recorded_at.load(Ordering::Acquire)
    }

    /// A name for the versions of the views that answer: equal for equal ones.
    #[must_use]
    pub fn versions(&self) -> u32 {
        let of =
            |member: &Member| member.projection.version().wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(17);
        let sum = self.state().members.iter().fold(0_u64, |sum, member| sum.wrapping_add(of(member)));
        (sum >> 32) as u32
    }

    /// How every view stands, those being built included.
    #[must_use]
    pub fn standing(&self) -> Vec<Standing> {
        let state = self.state();
        let common = self.applied();
        let standing = |member: &Member| Standing {
            name: member.projection.name().to_owned(),
            version: member.projection.version(),
            applied: member.building.unwrap_or(common),
            digest: member.digest.hex(),
            rows: member.rows,
            building: member.building.is_some(),
        };
        state.members.iter().chain(&state.building).map(standing).collect()
    }

    pub(super) fn state(&self) -> RwLockReadGuard<'_, State> {
        // Changed in one piece, after everything that can fail.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn check(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |reason| Err(EngineError::Failed(reason.clone())))
    }

    /// From here on the views answer nothing, and are built anew.
    pub(super) fn fail(&self, reason: String) -> EngineError {
        let reason = self.failed.get_or_init(|| {
            tracing::error!(reason, "the views have failed; they will be built anew");
            if let Err(error) = self.folder.mark(&reason) {
                tracing::error!(%error, "the views' failure could not be noted in their folder");
            }
            reason
        });
        EngineError::Failed(reason.clone())
    }
}
