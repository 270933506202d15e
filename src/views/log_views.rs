//! The views over the real log: the two joined, for the API.

use super::all::projections;
use super::engine::{Engine, EngineError, EventFeed, Projection};
use crate::catalog::Catalog;
use crate::follow::{
    Event, Feed, FeedError, Follower, FollowerState, Portion, Source, Stop, Supervise, Supervised,
};
use crate::log::append::Identities;
use crate::store::EngineKind;
use crate::store::opening::{OpenReport, Opened};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

/// Said while it is not known what there is to keep.
const NO_CATALOG: &str = "the catalogue is being read";

/// How long a correction waits for the index of identities before the views give up and begin again where they were.
const INDEX_PATIENCE: Duration = Duration::from_secs(30);

/// How long whoever brings another catalogue waits for the views to go by it.
///
/// Reason: some batches' time. A publication waits for it, and with it all posting: not for views that stand still.
const CATALOG_PATIENCE: Duration = Duration::from_millis(500);

/// How often it looks.
const INDEX_RETRY: Duration = Duration::from_millis(2);

/// The log as the views look back into it.
struct LogEvents {
    log: Arc<dyn Source>,
    identities: Arc<dyn Identities>,
    /// Said when nobody waits for them any more.
    stop: Stop,
}

impl Source for LogEvents {
    fn ledger(&self) -> Result<[u8; 32], FeedError> {
        self.log.ledger()
    }

    fn committed(&self) -> u64 {
        self.log.committed()
    }

    fn read(&self, from: u64, portion: Portion, out: &mut Vec<Arc<Event>>) -> Result<(), FeedError> {
        self.log.read(from, portion, out)
    }

    fn event(&self, seq: u64) -> Result<Event, FeedError> {
        self.log.event(seq)
    }

    fn digest(&self, seq: u64) -> Result<[u8; 32], FeedError> {
        self.log.digest(seq)
    }
}

impl EventFeed for LogEvents {
    fn find(&self, identity: &[u8; 16], before: u64) -> Result<Option<u64>, FeedError> {
        let began = Instant::now();
        loop {
            let (found, applied) = self.identities.find(identity).map_err(|why| FeedError(why.into()))?;
            match found {
                Some(seq) => return Ok(Some(seq).filter(|seq| *seq < before)),
                None if applied >= before => return Ok(None),
                None if began.elapsed() > INDEX_PATIENCE => {
                    return Err(FeedError(format!("the index has {applied} of {before} entries").into()));
                }
                None if self.stop.sleep(INDEX_RETRY) => return Err(FeedError("the views stop".into())),
                None => {}
            }
        }
    }
}

/// The engine and the thread that feeds it.
struct Running {
    follower: Follower<Engine>,
    /// Entries in the log when they were opened.
    at_opening: u64,
}

impl Running {
    fn engine(&self) -> &Arc<Engine> {
        self.follower.derived()
    }
}

/// Where the views are, and what they follow.
struct Place {
    dir: PathBuf,
    kind: EngineKind,
    feed: Arc<Feed>,
    identities: Arc<dyn Identities>,
    /// None until somebody says which.
    catalog: RwLock<Option<Arc<Catalog>>>,
    /// What there is to keep by a catalogue.
    projections: fn(&Catalog) -> Vec<Projection>,
}

impl Supervise for Place {
    type Running = Running;
    type Report = OpenReport;
    type Error = EngineError;

    const WATCH: &'static str = "views-watch";
    const OPENING: &'static str = "the views are being opened";
    const REPLACING: &'static str = "the views are being opened again";

    fn open(&self, install: &mut dyn FnMut(Running)) -> Result<OpenReport, EngineError> {
        let catalog = self.catalog.read().unwrap_or_else(PoisonError::into_inner).clone();
        let catalog = catalog.ok_or_else(|| EngineError::Failed(NO_CATALOG.into()))?;
        let stop = Stop::default();
        let (log, identities) = (self.feed.source().clone(), self.identities.clone());
        let log: Arc<dyn EventFeed> = Arc::new(LogEvents { log, identities, stop: stop.clone() });
        let (ledger, all) = (log.ledger()?, (self.projections)(&catalog));
        let (engine, report) =
            Engine::open(&self.dir, self.kind, ledger, log.clone(), catalog.clone(), &all)?;
        let engine = Arc::new(engine);
        let at_opening = log.committed();
        let follower = Follower::start(engine.clone(), &self.feed, stop)?;
        // Opening takes a while, and another catalogue may have come meanwhile. The lock is held until they can be found:
        // either it is seen here, or whoever brings it finds them.
        let current = self.catalog.read().unwrap_or_else(PoisonError::into_inner);
        if let Some(current) = current.as_ref().filter(|current| !Arc::ptr_eq(current, &catalog)) {
            engine.wish(current.clone(), (self.projections)(current));
        }
        install(Running { follower, at_opening });
        Ok(report)
    }

    fn tell(&self, report: &OpenReport) {
        if let Opened::Rebuilt(why) = &report.opened {
            tracing::warn!(%why, "the views are made anew from the log");
        }
        if report.behind > 0 {
            tracing::info!(behind = report.behind, "the views catch up with the log");
        }
    }

    fn problem(&self, running: &Running) -> Option<String> {
        match (running.engine().failure(), running.follower.state()) {
            (Some(why), _) | (_, FollowerState::Failed(why)) => Some(format!("the views failed: {why}")),
            _ => None,
        }
    }

    fn end(&self, running: &Running) {
        running.follower.stop();
    }
}

/// The views of a ledger, following its log. If they fail, as on a full disk, they are replaced while the ledger runs;
/// no entry waits for them.
pub struct LogViews(Supervised<Place>);

impl LogViews {
    /// Opens or makes the views in `dir`, and begins to follow the log, in a thread of its own, as soon as
    /// [`LogViews::set_catalog`] has said what there is to keep; whoever asks before they are open is told so.
    ///
    /// # Errors
    /// The operating system gives no thread.
    pub fn start(
        dir: &Path,
        kind: EngineKind,
        feed: &Arc<Feed>,
        identities: Arc<dyn Identities>,
    ) -> std::io::Result<LogViews> {
        LogViews::keeping(projections, dir, kind, feed, identities)
    }

    /// As [`LogViews::start`], for these projections.
    pub(super) fn keeping(
        projections: fn(&Catalog) -> Vec<Projection>,
        dir: &Path,
        kind: EngineKind,
        feed: &Arc<Feed>,
        identities: Arc<dyn Identities>,
    ) -> std::io::Result<LogViews> {
        let catalog = RwLock::new(None);
        let place = Place { dir: dir.to_owned(), kind, feed: feed.clone(), identities, catalog, projections };
        let (supervised, _) = Supervised::start(place)?;
        Ok(LogViews(supervised))
    }

    /// The engine as it is now.
    ///
    /// # Errors
    /// Why there is none at the moment.
    pub fn now(&self) -> Result<Arc<Engine>, String> {
        self.0.now().map(|running| running.engine().clone())
    }

    /// Entries that the views have.
    #[must_use]
    pub fn applied(&self) -> u64 {
        self.0.now().map_or(0, |running| running.engine().applied())
    }

    /// Waits in a thread until the views have this many entries, at most `timeout`; while they are being opened, for that
    /// too.
    #[must_use]
    pub fn wait_applied(&self, size: u64, timeout: Duration) -> bool {
        self.wait(timeout, |_| size)
    }

    /// Waits in a thread, at most `timeout`, until the views have as many entries as the log had when they were opened,
    /// and says whether they have. Before that they are not a little behind, but being made, or made up for.
    #[must_use]
    pub fn wait_present(&self, timeout: Duration) -> bool {
        self.wait(timeout, |running| running.at_opening)
    }

    fn wait(&self, timeout: Duration, size: impl Fn(&Running) -> u64) -> bool {
        let began = Instant::now();
        let running = self.0.current().wait(timeout);
        running.is_ok_and(|running| {
            running.follower.wait_applied(size(&running), timeout.saturating_sub(began.elapsed()))
        })
    }

    /// Entries by which the views that follow the log are behind it, and for which it makes sense to wait: none while they
    /// are being made, build another version, stand still, or have failed. Nobody is kept by views that do not move.
    #[must_use]
    pub fn arrears(&self) -> u64 {
        let follows = |running: &Running| {
            running.engine().applied() >= running.at_opening
                && running.engine().failure().is_none()
                && !running.engine().is_building()
                && running.follower.is_moving()
        };
        match self.0.now() {
            Ok(running) if follows(&running) => running.follower.lag(),
            _ => 0,
        }
    }

    /// Why the views do not answer, or do not follow; none if they do both.
    #[must_use]
    pub fn problem(&self) -> Option<String> {
        self.0.problem()
    }

    /// Whether they are being opened for the first time since the start.
    #[must_use]
    pub fn is_opening(&self) -> bool {
        self.0.now().is_err_and(|why| why == Place::OPENING)
    }

    /// From now on the catalogue is this one: what it declares otherwise is built beside what there is. Says whether the
    /// views go by it already; where the batch in hand takes them long, or they are not open, they will.
    pub fn set_catalog(&self, catalog: Arc<Catalog>) -> bool {
        let place = self.0.what();
        let running = {
            // Held until the engine knows: see `Place::open`.
            let mut current = place.catalog.write().unwrap_or_else(PoisonError::into_inner);
            *current = Some(catalog.clone());
            self.0.begin();
            let running = self.0.now();
            if let Ok(running) = &running {
                running.engine().wish(catalog.clone(), (place.projections)(&catalog));
            }
            running
        };
        running.is_ok_and(|running| running.follower.nudge(CATALOG_PATIENCE, |engine| !engine.has_wish()))
    }
}

#[cfg(test)]
#[path = "log_views_tests.rs"]
mod tests;
