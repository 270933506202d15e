//! The one door: everything between who is known and what is in the log.
//!
//! Whatever is said *of the world* comes in here, in whatever form and from wherever: over HTTP, from the demo, from the
//! program itself. Nobody else appends. What came is not kept: beyond this door there is the drafted entry alone.

use crate::catalog::Catalog;
use crate::identity::Principal;
use crate::intake::accept::Accepted;
use crate::intake::authority::may_record;
use crate::intake::corrections::{Looked, check};
use crate::intake::error::{Later, RecordError};
use crate::intake::incoming::{Brought, Incoming};
use crate::intake::pace::pause;
use crate::intake::prepare::{Ground, Prepared, events, prepare};
use crate::intake::publication::{may_publish, published};
use crate::intake::sense::Stated;
use crate::intake::taken::why_taken;
use crate::log::append::{AppendError, Outcome, Submission};
use crate::log::store::Store;
use crate::spec::entry::Entry;
use crate::spec::merkle::{Hash, leaf_hash};
use crate::spec::time::Timestamp;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedRwLockReadGuard, RwLock, Semaphore};
use tokio::task::spawn_blocking;

/// Bytes of a body that is parsed and checked where it was read.
///
/// Reason: about two milliseconds' work; handing it to another thread costs some hundredths of that.
const INLINE_BYTES: usize = 128 << 10;

/// Recorded events that are read back from the log where they were asked for.
///
/// Reason: as above.
const INLINE_REPLAYS: usize = 16;

/// How long a publication waits for the index of identities to have what was recorded before.
const MAX_WAIT: Duration = Duration::from_secs(5);

/// How long the index is waited for, which may not know yet the entry that an event is in conflict with.
const MAX_WAIT_FOR_NAMES: Duration = Duration::from_secs(1);

/// Large requests that are prepared at once; the others wait, and their bodies are held.
///
/// Reason: one takes several times its body in memory, and more of them than processors are not done sooner.
fn large_at_once() -> usize {
    std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8))
}

/// Whoever follows the log, as far as recording has to do with them.
pub trait Followers: Send + Sync {
    /// Entries by which they are behind the log; nothing while they are being made, or have failed.
    fn arrears(&self) -> u64;
    /// Another catalogue is in force from now on. Says whether they go by it already; if not, they will. May block.
    fn catalog_changed(&self, catalog: Arc<Catalog>) -> bool;
}

/// Where an event is now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recorded {
    /// Its entry's number.
    pub seq: u64,
    /// When it was recorded.
    pub time: Timestamp,
    /// Leaf hash of its entry.
    pub leaf: Hash,
    /// The same event, by the same actor, was there already: this is where.
    pub replayed: bool,
}

/// The door to a ledger. Clones are the same door.
#[derive(Clone)]
pub struct Recorder(Arc<Shared>);

struct Shared {
    ground: Ground,
    /// None where nothing but the log is measured.
    followers: Option<Arc<dyn Followers>>,
    /// Held by whoever records, from the check of the events to their place in the log; and alone by whoever changes the
    /// catalogue: so each entry is accepted by the catalogue that is in force at its place.
    gate: Arc<RwLock<()>>,
    /// Room for large requests being prepared.
    large: Arc<Semaphore>,
}

impl Recorder {
    /// A door to the log of `ground`.
    #[must_use]
    pub fn new(ground: Ground, followers: Option<Arc<dyn Followers>>) -> Self {
        let large = Arc::new(Semaphore::new(large_at_once()));
        Self(Arc::new(Shared { ground, followers, gate: Arc::default(), large }))
    }

    /// Records events, all of a request or none, and answers when they are durable, signed and in the log: for each, in
    /// their order, where it is. Within a runtime of tokio that has time; large requests are prepared on its threads for
    /// blocking work. Whoever no longer waits for the answer does not take back what has its place in the log.
    ///
    /// # Errors
    /// By what whoever brought them does next.
    pub async fn record(
        &self,
        principal: &Arc<Principal>,
        incoming: Incoming,
    ) -> Result<Vec<Recorded>, RecordError> {
        may_record(principal)?;
        let brought = Arc::new(Brought { principal: principal.clone(), incoming });
        if brought.is_batch() && brought.incoming.expected_version.is_some() {
            return Err(RecordError::VersionOfBatch);
        }
        self.give_way().await;
        let gate = self.0.gate.clone().read_owned().await;
        let prepared = self.prepared(&brought).await?;
        let outcomes = if prepared.publication.is_some() {
            drop(gate);
            vec![self.publish(brought).await?]
        } else {
            self.append(prepared, &brought, gate).await?
        };
        self.told(outcomes).await
    }

    /// Waits as long as a request has to wait at the present lag.
    async fn give_way(&self) {
        if let Some(pause) = self.0.followers.as_ref().and_then(|followers| pause(followers.arrears())) {
            tokio::time::sleep(pause).await;
        }
    }

    /// Does at once what takes little time, and beside the async workers what does not: other requests wait there.
    async fn prepared(&self, brought: &Arc<Brought>) -> Result<Prepared, RecordError> {
        let small = brought.bytes().len() <= INLINE_BYTES && brought.incoming.expected_version.is_none();
        let prepared = if small {
            prepare(&self.0.ground, brought)?
        } else {
            // Held until the work is done, also if nobody waits for it by then.
            let place = self.0.large.clone().acquire_owned().await;
            let place = place.map_err(|error| RecordError::internal(&error))?;
            let (shared, brought) = (self.0.clone(), brought.clone());
            beside(move || {
                let _place = place;
                prepare(&shared.ground, &brought)
            })
            .await?
        };
        if prepared.corrections.is_empty() {
            Ok(prepared)
        } else {
            self.checked(prepared, brought.clone()).await
        }
    }

    /// Looks up what is corrected.
    async fn checked(&self, prepared: Prepared, brought: Arc<Brought>) -> Result<Prepared, RecordError> {
        let shared = self.0.clone();
        beside(move || {
            let Ground { log, index, catalog, .. } = &shared.ground;
            let (index, catalog) = (index.as_deref(), catalog.current());
            let looked =
                Looked { store: log.store(), index, catalog: &catalog, principal: &brought.principal };
            check(&looked, &prepared.corrections).map(|()| prepared)
        })
        .await
    }

    /// Hands to the log what is not in it yet.
    async fn append(
        &self,
        prepared: Prepared,
        brought: &Arc<Brought>,
        gate: OwnedRwLockReadGuard<()>,
    ) -> Result<Vec<Outcome>, RecordError> {
        let Prepared { accepted, known, expected_version, looked_up_at, .. } = prepared;
        let (mut items, mut places, mut stated) =
            (Vec::with_capacity(accepted.len()), Vec::new(), Vec::new());
        for (place, (event, known)) in accepted.into_iter().zip(&known).enumerate() {
            if known.is_none() {
                items.push(event.item);
                places.push(place);
                stated.push(event.stated);
            }
        }
        let mut recorded = Vec::new().into_iter();
        if !items.is_empty() {
            let answer = self.0.ground.log.append(Submission { items, expected_version, looked_up_at })?;
            // From here on its place comes before that of any later change of the catalogue.
            drop(gate);
            // The sequencer answers all it takes; it goes without an answer only when the ledger stops.
            recorded = match answer.await.unwrap_or(Err(AppendError::Stopped)) {
                Ok(recorded) => recorded.into_iter(),
                Err(AppendError::Conflict { items }) => return self.taken(brought, &places, &items).await,
                Err(error) => return Err(of_request(error, &places, &stated, brought.is_batch())),
            };
        }
        let outcome =
            |known: Option<u64>| known.map(|seq| Outcome::Replayed { seq }).or_else(|| recorded.next());
        Ok(known.into_iter().filter_map(outcome).collect())
    }

    /// In what the events differ that the log found to be taken, which names them by their places in a submission.
    async fn taken(
        &self,
        brought: &Arc<Brought>,
        places: &[usize],
        items: &[usize],
    ) -> Result<Vec<Outcome>, RecordError> {
        let places: Vec<usize> = items.iter().filter_map(|item| places.get(*item).copied()).collect();
        let (shared, brought) = (self.0.clone(), brought.clone());
        beside(move || {
            let Ground { log, index, .. } = &shared.ground;
            // Nothing depends on it but the names of what differs.
            let _known =
                index.as_ref().is_none_or(|index| index.wait_applied(log.store().size(), MAX_WAIT_FOR_NAMES));
            let events = events(&brought).map_err(RecordError::refused)?;
            Err(why_taken((log.store(), index.as_deref()), &brought, &events, &places))
        })
        .await
    }

    /// Records a publication and puts it in force.
    async fn publish(&self, brought: Arc<Brought>) -> Result<Outcome, RecordError> {
        may_publish(&brought.principal, brought.is_batch())?;
        let door = self.clone();
        // What is begun is ended, also if nobody waits for it by then: an entry that is recorded has to be in force.
        let task = tokio::spawn(async move {
            let _alone = door.0.gate.clone().write_owned().await;
            door.publish_alone(&brought).await
        });
        task.await.map_err(|error| RecordError::internal(&error))?
    }

    async fn publish_alone(&self, brought: &Arc<Brought>) -> Result<Outcome, RecordError> {
        self.wait_for_the_index().await?;
        let prepared = self.prepared(brought).await?;
        if let Some(seq) = prepared.known.first().copied().flatten() {
            return Ok(Outcome::Replayed { seq });
        }
        let Ground { log, catalog: history, .. } = &self.0.ground;
        let (catalog, data) = (history.current(), prepared.publication.unwrap_or_default());
        let catalog = beside(move || published(&catalog, &data)).await?;
        let (items, stated): (Vec<_>, Vec<_>) =
            prepared.accepted.into_iter().map(|Accepted { item, stated, .. }| (item, stated)).unzip();
        let Prepared { expected_version, looked_up_at, .. } = prepared;
        let submission = Submission { items, expected_version, looked_up_at };
        let answer = log.append(submission)?.await.unwrap_or(Err(AppendError::Stopped));
        let answer = answer.map_err(|error| of_request(error, &[0], &stated, false))?;
        let outcome = answer.into_iter().next();
        let outcome = outcome.ok_or_else(|| RecordError::internal(&"no outcome of an event"))?;
        if let Outcome::Recorded { seq, .. } = outcome {
            tracing::info!(seq, version = catalog.publications(), "the catalogue has changed");
            history.publish(seq, catalog);
            self.tell_followers().await?;
        }
        Ok(outcome)
    }

    async fn tell_followers(&self) -> Result<(), RecordError> {
        let Some(followers) = self.0.followers.clone() else { return Ok(()) };
        let catalog = self.0.ground.catalog.current();
        beside(move || {
            if !followers.catalog_changed(catalog) {
                tracing::warn!("the views do not go by the new catalogue yet");
            }
            Ok(())
        })
        .await
    }

    /// A publication that is brought again is known by the index alone; judged anew it would be refused, because its version
    /// is taken. Nothing is appended meanwhile, so the index gets there.
    async fn wait_for_the_index(&self) -> Result<(), RecordError> {
        let shared = self.0.clone();
        beside(move || {
            let Ground { log, index, .. } = &shared.ground;
            let size = log.store().size();
            let there = index.as_ref().is_none_or(|index| index.wait_applied(size, MAX_WAIT));
            if there { Ok(()) } else { Err(Later::PublicationUntold.into()) }
        })
        .await
    }

    /// Each event with its place in the log; what was there before is read there.
    async fn told(&self, outcomes: Vec<Outcome>) -> Result<Vec<Recorded>, RecordError> {
        let replays = outcomes.iter().filter(|outcome| matches!(outcome, Outcome::Replayed { .. })).count();
        let shared = self.0.clone();
        let tell = move || {
            let store = shared.ground.log.store();
            outcomes.iter().map(|outcome| recorded(store, *outcome)).collect()
        };
        if replays <= INLINE_REPLAYS { tell() } else { beside(tell).await }
    }
}

/// Runs what takes long on a thread for blocking work.
async fn beside<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, RecordError> + Send + 'static,
) -> Result<T, RecordError> {
    spawn_blocking(work).await.map_err(|error| RecordError::internal(&error))?
}

/// An answer of the log to a submission whose events have these places in the request, and state these times.
fn of_request(error: AppendError, places: &[usize], stated: &[Vec<Stated>], in_batch: bool) -> RecordError {
    let AppendError::Ahead { items, now } = error else { return error.into() };
    let of_item = |item: usize| {
        let place = places.get(item).copied().filter(|_| in_batch);
        let ahead = stated.get(item).into_iter().flatten().filter(|time| time.is_ahead(now));
        ahead.map(|time| time.refusal(now).at(place)).collect::<Vec<_>>()
    };
    RecordError::Ahead { refusals: items.into_iter().flat_map(of_item).collect(), ledger_time: now }
}

fn recorded(store: &Store, outcome: Outcome) -> Result<Recorded, RecordError> {
    match outcome {
        Outcome::Recorded { seq, time, leaf } => Ok(Recorded { seq, time, leaf, replayed: false }),
        Outcome::Replayed { seq } => {
            let bytes = store.entry(seq)?;
            let entry = Entry::parse(&bytes).map_err(|error| RecordError::internal(&error))?;
            Ok(Recorded { seq, time: entry.time, leaf: leaf_hash(&bytes), replayed: true })
        }
    }
}

#[cfg(test)]
#[path = "recorder_tests.rs"]
mod tests;
