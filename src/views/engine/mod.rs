//! The view engine: rows folded from events, kept beside the log, and asked as they are now, as they were known on another
//! day, and as they held at another time.
//!
//! Here live what a view is ([`View`]), what it keeps ([`Row`], [`RowEvent`]), how it sees an entry ([`Event`]), and
//! [`Engine`], which applies entries to all views in one order and one atomic batch together with its cursor. May use
//! the store, `catalog` and `spec`, and sees the log through [`EventFeed`] alone. It must never keep what the log does not
//! give again, and never answer from entries beyond those it has applied.
//!
//! A row is kept as it is after all its events by effective time. It is changed by one step where an event is the last one,
//! and folded again from all its events where one comes late or is corrected. The same fold, over fewer events, answers
//! as of another day and at another time: there is one truth about a row, and no second copy of it.

mod audit;
mod corrections;
mod digest;
mod event;
mod following;
mod history;
mod keys;
mod lists;
pub(in crate::views) mod micros;
mod open;
mod others;
mod query;
mod row;
mod session;
mod slots;
mod stored;
mod tally;
mod view;

#[cfg(test)]
mod tests;

pub use crate::follow::Event;
pub use corrections::CORRECTION;
pub use event::EventFeed;
pub use history::{Change, History};
pub use keys::DateKind;
pub use lists::{Counted, EntryLists};
pub use query::{Ask, EXPIRED, Found, Page, Place, Sort, When};
pub use row::{Assurance, Row, RowEvent};
pub use slots::Projection;
pub use tally::Tallier;
pub use view::{RowName, View, fold};

use crate::catalog::Catalog;
use crate::follow::{FeedError, Portion};
use crate::spec::time::Timestamp;
use crate::store::folder::Folder;
use crate::store::postings::ListError;
use crate::store::seal::{SEAL_KEY, Seal};
use crate::store::{Batch, Store, StoreError, Table};
use digest::Digest;
use following::Wish;
use keys::Slot;
use lists::Tail;
use session::Session;
use slots::Member;
use std::collections::HashMap;
use std::io;
use std::ops::ControlFlow;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, RwLock, RwLockReadGuard};

/// Why the views could not be opened or did not answer.
#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    /// They have failed and answer no more. They are built anew.
    #[error("the views have failed: {0}")]
    Failed(String),
    /// Another process has them open.
    #[error("the views' folder is in use by another process")]
    InUse,
    /// There is no view of this name.
    #[error("there is no view {0:?}")]
    NoSuchView(String),
    /// A view of which there is no older version to answer is being built.
    #[error("the view {name:?} is being built: {applied} of {of} entries")]
    Building {
        /// Which.
        name: String,
        /// Entries applied.
        applied: u64,
        /// Entries that the others have.
        of: u64,
    },
    /// The log could not be read; the views may be as they should.
    #[error(transparent)]
    Feed(#[from] FeedError),
    /// The engine failed.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The question took longer than it may; see [`Ask::ends`].
    #[error("the question took longer than it may")]
    TookTooLong,
    /// A record that was never written so.
    #[error("the views hold an unreadable record: {0}")]
    Unreadable(&'static str),
    /// The folder cannot be read or written.
    #[error("the views' folder: {0}")]
    Io(#[from] io::Error),
}

impl From<ListError> for EngineError {
    fn from(error: ListError) -> Self {
        match error {
            ListError::Store(error) => error.into(),
            ListError::Unreadable => EngineError::Unreadable("a list's record"),
        }
    }
}

/// What the engine's calls give.
pub type Result<T> = std::result::Result<T, EngineError>;

/// Deleted at once of a version that nobody needs any more.
///
/// Reason: a batch of this many keys takes some milliseconds, in which nothing else is applied.
const MAX_DELETED: usize = 4_096;

/// Bytes of entries after which no more are read into a batch.
///
/// Reason: a thousand large events would take a quarter of a gigabyte; this many ordinary ones are a full batch.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

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
    store: Arc<dyn Store>,
    feed: Arc<dyn EventFeed>,
    /// Readers hold it while they ask, the writer while a batch is written: nobody sees half a batch.
    state: RwLock<State>,
    applying: Mutex<Applying>,
    /// What the views are to be from the next batch on.
    wish: Mutex<Option<Arc<Wish>>>,
    applied: AtomicU64,
    /// When the last entry applied was recorded, in microseconds.
    recorded_at: AtomicI64,
    failed: OnceLock<String>,
    folder: Folder,
}

struct State {
    catalog: Arc<Catalog>,
    /// Those that go together, at the common cursor.
    members: Vec<Member>,
    /// Newer versions on their way there.
    building: Vec<Member>,
    /// Slots that nobody needs any more.
    unused: Vec<Slot>,
}

/// What only the one who applies needs.
#[derive(Default)]
struct Applying {
    tails: HashMap<Slot, Tail>,
}

/// Which members want an event.
struct Wanted {
    /// Views of rows, by type of event.
    rows: HashMap<String, Vec<usize>>,
    /// Lists and tallies want every event.
    others: Vec<usize>,
}

impl Wanted {
    fn of(members: &[Member]) -> Wanted {
        let mut wanted = Wanted { rows: HashMap::new(), others: Vec::new() };
        for (place, member) in members.iter().enumerate() {
            match &member.projection {
                Projection::Rows(view) => {
                    for ty in view.types() {
                        wanted.rows.entry(ty).or_default().push(place);
                    }
                }
                Projection::Lists(_) | Projection::Tallies(_) => wanted.others.push(place),
            }
        }
        wanted
    }

    fn rows(&self, event: &Event) -> &[usize] {
        self.rows.get(&event.ty).map_or(&[], Vec::as_slice)
    }
}

impl Engine {
    /// How many entries are applied: the seq of the next one. From memory.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.applied.load(Ordering::Acquire)
    }

    /// Why the views answer no more, if they do not.
    #[must_use]
    pub fn failure(&self) -> Option<String> {
        self.failed.get().cloned()
    }

    /// Whether something has been recorded after this time: then what is kept may not be what held at it.
    fn is_past(&self, at: Timestamp) -> bool {
        at.micros() < self.recorded_at.load(Ordering::Acquire)
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

    /// Applies entries, which must be consecutive from [`Engine::applied`], to all views that go together.
    ///
    /// # Errors
    /// The log cannot be read, and nothing was applied; or the store failed, and the views answer no more.
    pub fn apply(&self, events: &[Arc<Event>]) -> Result<()> {
        self.check()?;
        let Some(last) = events.last() else { return Ok(()) };
        let mut applying =
            self.applying.lock().map_err(|_| self.fail("a panic while applying".to_owned()))?;
        let seal = Seal { applied: last.seq + 1, anchor: last.text_hash };
        let (catalog, mut members) = {
            let state = self.state();
            (state.catalog.clone(), state.members.clone())
        };
        let mut batch = self.work(events, &catalog, &mut members, &mut applying)?;
        for table in Table::ALL {
            batch.put(table, SEAL_KEY, &seal.record());
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        state.members = members;
        self.recorded_at.store(last.recorded_at.micros(), Ordering::Release);
        self.applied.store(seal.applied, Ordering::Release);
        Ok(())
    }

    /// Whether there is something to build beside the views that answer, or to clear away, or another catalogue.
    #[must_use]
    pub fn has_more_to_do(&self) -> bool {
        if self.has_wish() {
            return true;
        }
        let state = self.state();
        !state.building.is_empty() || !state.unused.is_empty()
    }

    /// Whether versions are being built beside those that answer.
    #[must_use]
    pub fn is_building(&self) -> bool {
        !self.state().building.is_empty()
    }

    /// Builds newer versions on, by at most `max` entries, or clears away some of what nobody needs any more.
    ///
    /// # Errors
    /// As [`Engine::apply`].
    pub fn build(&self, max: usize) -> Result<()> {
        self.check()?;
        let mut applying =
            self.applying.lock().map_err(|_| self.fail("a panic while building".to_owned()))?;
        let (catalog, building, common) = {
            let state = self.state();
            (state.catalog.clone(), state.building.clone(), self.applied())
        };
        // Those that are furthest behind go first, together, until they meet others.
        let Some(from) = building.iter().filter_map(|member| member.building).min() else {
            return self.clear_away();
        };
        let is_next = |member: &Member| member.building == Some(from);
        let ahead = building.iter().filter_map(|member| member.building).filter(|at| *at > from).min();
        let until = ahead.unwrap_or(common).min(common);
        let mut events = Vec::new();
        let room = usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX).min(max);
        if room > 0 {
            let portion = Portion { entries: room, bytes: MAX_BATCH_BYTES, data: true };
            self.feed.read(from, portion, &mut events)?;
        }
        let mut members: Vec<Member> = building.iter().filter(|member| is_next(member)).cloned().collect();
        let reached = events.last().map_or(from, |event| event.seq + 1);
        let mut batch = self.work(&events, &catalog, &mut members, &mut applying)?;
        let done = reached >= common;
        for member in &mut members {
            member.building = (!done).then_some(reached);
            member.put(&mut batch);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        state.building.retain(|member| !is_next(member));
        for member in members {
            if member.building.is_some() {
                state.building.push(member);
                continue;
            }
            let replaced =
                state.members.iter().position(|old| old.projection.name() == member.projection.name());
            tracing::info!(view = member.projection.name(), rows = member.rows, "a view has been built");
            match replaced.and_then(|place| state.members.get_mut(place)) {
                Some(old) => {
                    let old = std::mem::replace(old, member);
                    state.unused.push(old.slot);
                }
                None => state.members.push(member),
            }
        }
        Ok(())
    }

    /// The views are to be these from now on, by this catalogue. What is there in the same version stays; another
    /// version is built beside the one there is, which answers meanwhile.
    ///
    /// # Errors
    /// The store failed.
    pub fn set(&self, catalog: Arc<Catalog>, projections: &[Projection]) -> Result<()> {
        self.check()?;
        let _applying = self.applying.lock().map_err(|_| self.fail("a panic while applying".to_owned()))?;
        let records = slots::read_all(&*self.store)?;
        let (mut wanted, unused) = slots::assign(projections, &records, self.applied())?;
        let mut batch = Batch::default();
        for member in wanted.iter().filter(|member| !records.iter().any(|(slot, _)| *slot == member.slot)) {
            member.put(&mut batch);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        let (building, mut members): (Vec<_>, Vec<_>) =
            wanted.drain(..).partition(|member| member.building.is_some());
        // The version that answers now goes on doing so until the new one is there.
        let replaced = |old: &Member| {
            building.iter().any(|new| new.projection.name() == old.projection.name())
                && !members.iter().any(|kept| kept.slot == old.slot)
        };
        let answering: Vec<Member> = state.members.iter().filter(|old| replaced(old)).cloned().collect();
        members.extend(answering);
        state.unused = unused;
        let still_used: Vec<Slot> = members.iter().map(|member| member.slot).collect();
        state.unused.retain(|slot| !still_used.contains(slot));
        state.members = members;
        state.building = building;
        state.catalog = catalog;
        Ok(())
    }

    /// What the entries come to, in one batch; the members' digests and numbers of rows go along.
    fn work(
        &self,
        events: &[Arc<Event>],
        catalog: &Catalog,
        members: &mut [Member],
        applying: &mut Applying,
    ) -> Result<Batch> {
        let wanted = Wanted::of(members);
        let before: Vec<(Digest, u64)> = members.iter().map(|member| (member.digest, member.rows)).collect();
        let begin = || Session::new(&*self.store, &*self.feed, catalog, events);
        let tails = &mut applying.tails;
        let mut beside = members.to_vec();
        // Rows on one side, lists and tallies on the other: neither reads what the other writes.
        let (batch, others) = std::thread::scope(|scope| {
            let others = scope.spawn(|| {
                let mut session = begin();
                for event in events {
                    session.list(event, &beside, &wanted.others, tails)?;
                }
                session.finish(&mut beside, tails)
            });
            let mut session = begin();
            for event in events {
                session.rows(event, members, wanted.rows(event))?;
            }
            let batch = session.finish(members, &mut HashMap::new())?;
            let others = others.join().map_err(|_| self.fail("a panic while listing".to_owned()))??;
            Ok::<_, EngineError>((batch, others))
        })?;
        let mut batch = batch;
        batch.append(others);
        for place in wanted.others {
            if let (Some(member), Some(listed)) = (members.get_mut(place), beside.get(place)) {
                member.digest = listed.digest;
            }
        }
        for (member, before) in members.iter().zip(before) {
            if (member.digest, member.rows) != before {
                member.put(&mut batch);
            }
        }
        Ok(batch)
    }

    /// Deletes a part of what a version has left that nobody needs any more.
    fn clear_away(&self) -> Result<()> {
        let Some(slot) = self.state().unused.first().copied() else { return Ok(()) };
        let mut batch = Batch::default();
        let mut room = MAX_DELETED;
        let (from, to) = keys::whole(slot);
        for table in Table::ALL {
            self.store.scan(table, &from, &to, false, &mut |key, _| {
                batch.delete(table, key);
                room -= 1;
                if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if room == 0 {
                break;
            }
        }
        if room > 0 {
            batch.delete(Table::Meta, &keys::slot_record(slot));
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        if room > 0 {
            state.unused.retain(|unused| *unused != slot);
        }
        Ok(())
    }

    fn state(&self) -> RwLockReadGuard<'_, State> {
        // Changed in one piece, after everything that can fail.
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn check(&self) -> Result<()> {
        self.failed.get().map_or(Ok(()), |reason| Err(EngineError::Failed(reason.clone())))
    }

    /// From here on the views answer nothing, and are built anew.
    fn fail(&self, reason: String) -> EngineError {
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
