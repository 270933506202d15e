//! A ledger put together: its log, what is derived from it, and the door. Opened here, it can be recorded in and asked
//! without any HTTP.

use crate::answers::Desk;
use crate::app::catalogue::{self, Publications, Reader};
use crate::app::config::{Config, passphrase};
use crate::app::derived::Derived;
use crate::app::remembered::remembered;
use crate::app::secrets;
use crate::app::sinks::{ask, sinks};
use crate::catalog::CatalogHistory;
use crate::clock::{Clock, SystemClock};
use crate::follow::Feed;
use crate::index::LogIndex;
use crate::intake::{Followers, Ground, Recorder};
use crate::log::disk::RealDisk;
use crate::log::keys::KeyFolder;
use crate::log::publish::{self, Publisher};
use crate::log::recovery::Recovered;
use crate::log::{self, Keeper, Log, NoIndex, Options};
use crate::spec::note::VerifierKey;
use crate::store::EngineKind;
use crate::views::LogViews;
use anyhow::Context as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::app::catalogue::catalog;

/// Which index a ledger runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexChoice {
    Engine(EngineKind),
    /// None, and no views: for measuring the log alone. Repeated events are noticed only for a while.
    None,
}

impl IndexChoice {
    /// The one given on the command line, else that of `daybook.toml`, else fjall.
    ///
    /// # Errors
    /// The file names one that there is not.
    pub fn of(given: Option<Self>, config: &Config) -> anyhow::Result<Self> {
        match (given, &config.index) {
            (Some(choice), _) => Ok(choice),
            (None, Some(name)) => name.parse().map_err(anyhow::Error::msg),
            (None, None) => Ok(IndexChoice::Engine(EngineKind::default())),
        }
    }
}

impl std::str::FromStr for IndexChoice {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        if name == "none" {
            return Ok(IndexChoice::None);
        }
        name.parse().map(IndexChoice::Engine).map_err(|error: crate::store::UnknownEngine| error.to_string())
    }
}

/// How to open a ledger.
pub struct How {
    pub config: Config,
    pub index: IndexChoice,
    /// Whether the views follow; if not, whoever opens the ledger next makes up for it.
    pub views: bool,
    /// Open for reading though nothing forbids writing.
    pub read_only: bool,
    /// The newest checkpoint that anyone holds: a copy goes on as the ledger.
    pub adopt: Option<Vec<u8>>,
    /// An adopted copy publishes where its settings say, as the original did.
    pub publish: bool,
    /// An operator says that the clock is right.
    pub confirm_clock: bool,
    pub clock: Arc<dyn Clock>,
}

impl How {
    /// As `serve` does it, if nothing else is asked for.
    #[must_use]
    pub fn with(config: Config) -> Self {
        Self {
            config,
            index: IndexChoice::Engine(EngineKind::default()),
            views: true,
            read_only: false,
            adopt: None,
            publish: false,
            confirm_clock: false,
            clock: Arc::new(SystemClock),
        }
    }
}

/// How long the start waits for the index to open, and then to catch up, before the ledger is there for reads without
/// writes.
///
/// Reason: together within a second, which is a hundred thousand entries' worth of catching up; what takes longer goes
/// on beside the reads.
const INDEX_PATIENCE: Duration = Duration::from_millis(400);

/// How often it is looked whether what was begun is ended, and after which time of that it is said that it is not.
const LOOK_AGAIN: Duration = Duration::from_millis(1);
const LONG: Duration = Duration::from_secs(15);

/// The options of the log in a data folder, on the system's disk and clock.
#[must_use]
pub fn options(data_dir: &Path, config: &Config) -> Options {
    Options {
        data_dir: data_dir.to_owned(),
        keys_dir: config.keys_dir(data_dir),
        passphrase: passphrase(),
        disk: Arc::new(RealDisk),
        clock: Arc::new(SystemClock),
        read_only: false,
        key_lost: false,
        adopt: None,
        publish: false,
        confirm_clock: false,
        known: remembered(data_dir, config),
    }
}

/// An open ledger. [`Ledger::close`] ends it in order; dropped, it ends the same way if nobody else holds a part of it.
pub struct Ledger {
    // In the order in which they end: the log answers what it has taken, and its last checkpoint is published.
    reader: Reader,
    recorder: Recorder,
    keeper: Option<Keeper>,
    log: Arc<Log>,
    publisher: Publisher,
    views: Option<Arc<LogViews>>,
    index: Option<Arc<LogIndex>>,
    derived: Derived,
    engine: Option<EngineKind>,
    catalog: Arc<CatalogHistory>,
    clock: Arc<dyn Clock>,
    keys: KeyFolder,
    read_only: Option<String>,
    config: Config,
    data_dir: PathBuf,
}

impl Ledger {
    /// Opens the ledger in a folder. It can be read at once. What is derived follows in threads of its own: see
    /// [`Ledger::wait`].
    ///
    /// # Errors
    /// The log cannot be opened, or a part of it not be started; says which.
    pub fn open(data_dir: &Path, how: How) -> anyhow::Result<Self> {
        let How { config, index: index_choice, views: with_views, clock, .. } = how;
        let mut log_options = options(data_dir, &config);
        (log_options.read_only, log_options.adopt, log_options.clock) =
            (how.read_only, how.adopt, clock.clone());
        (log_options.publish, log_options.confirm_clock) = (how.publish, how.confirm_clock);
        let (folder, passphrase) = (log_options.keys_dir.clone(), log_options.passphrase.clone());
        secrets::warn(data_dir, &folder);
        let mut opened = log::open(log_options)?;
        report(&opened.recovered, opened.read_only.as_deref());
        let sinks = sinks(data_dir, &config, &opened);
        ask(&mut opened, &sinks);
        let derived = Derived::of(data_dir, &opened)?;
        let (read_only, store) = (opened.read_only.clone(), opened.store.clone());
        let keys = KeyFolder { folder, origin: store.origin().to_owned(), passphrase };
        let catalog = catalogue::begin(catalog(data_dir, &config)?);
        let feed = Feed::of(&store);
        let (index, views) = match index_choice {
            IndexChoice::Engine(kind) => {
                opened.tell(feed.listen()?);
                let (index, _) = LogIndex::start(&derived.place("index"), kind, &feed, INDEX_PATIENCE)
                    .context("the index")?;
                // Usually it catches up at once; then whoever waits for the ledger can record at once.
                let _ = index.wait_applied(store.size(), INDEX_PATIENCE);
                let start = || LogViews::start(&derived.place("views"), kind, &feed, index.identities());
                let views = with_views.then(start).transpose().context("the views")?;
                (Some(Arc::new(index)), views.map(Arc::new))
            }
            IndexChoice::None => (None, None),
        };
        let identities = index.as_ref().map_or_else(|| Arc::new(NoIndex) as _, |index| index.identities());
        let log = Arc::new(opened.start(identities)?);
        let keeper = log.keep_home()?;
        let sinks = if read_only.is_some() { Vec::new() } else { sinks };
        let publisher = Publisher::start(sinks, &log.checkpoints())?;
        let followers = views.clone().map(|views| views as Arc<dyn Followers>);
        let ground = Ground {
            log: log.clone(),
            index: index.clone(),
            catalog: catalog.clone(),
            open_types: config.open_types,
        };
        let recorder = Recorder::new(ground, followers.clone());
        let reader =
            Reader::start(Publications { history: catalog.clone(), store, index: index.clone(), followers })?;
        let engine = match index_choice {
            IndexChoice::Engine(kind) => Some(kind),
            IndexChoice::None => None,
        };
        let data_dir = data_dir.to_owned();
        Ok(Self {
            reader,
            recorder,
            keeper,
            log,
            publisher,
            views,
            index,
            derived,
            engine,
            catalog,
            clock,
            keys,
            read_only,
            config,
            data_dir,
        })
    }

    /// The door that events come in by.
    #[must_use]
    pub fn recorder(&self) -> &Recorder {
        &self.recorder
    }

    /// What questions are answered from.
    #[must_use]
    pub fn desk(&self) -> Desk<'_> {
        Desk {
            store: self.log.store(),
            index: self.index.as_deref(),
            views: self.views.as_deref(),
            clock: &*self.clock,
            catalog: &self.catalog,
        }
    }

    /// The log: its entries, proofs and keys, and what it records of itself.
    #[must_use]
    pub fn log(&self) -> &Arc<Log> {
        &self.log
    }

    /// Identities and lists of entries; none if it was opened without.
    #[must_use]
    pub fn index(&self) -> Option<&Arc<LogIndex>> {
        self.index.as_ref()
    }

    /// What is derived for questions; none if it was opened without.
    #[must_use]
    pub fn views(&self) -> Option<&Arc<LogViews>> {
        self.views.as_ref()
    }

    /// The engine of both; none if it was opened without.
    #[must_use]
    pub fn engine(&self) -> Option<EngineKind> {
        self.engine
    }

    /// What events are held against, now and at each entry.
    #[must_use]
    pub fn catalog(&self) -> &Arc<CatalogHistory> {
        &self.catalog
    }

    /// What went out of the host, by sink.
    #[must_use]
    pub fn published(&self) -> Vec<Arc<publish::Published>> {
        self.publisher.published()
    }

    /// What time it is for whoever records and asks.
    #[must_use]
    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// Makes and finds signing keys.
    #[must_use]
    pub fn keys(&self) -> &KeyFolder {
        &self.keys
    }

    /// Why nothing can be recorded, if nothing can.
    #[must_use]
    pub fn read_only(&self) -> Option<&str> {
        self.read_only.as_deref()
    }

    /// What the organisation has set.
    #[must_use]
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Its folder.
    #[must_use]
    pub fn data_dir(&self) -> &Path {
        &self.data_dir
    }

    /// The first key, by which everything else is verified.
    ///
    /// # Errors
    /// The log has none.
    pub fn first_key(&self) -> anyhow::Result<VerifierKey> {
        self.log.store().keys().first().map(|key| key.key.clone()).context("the log has no key")
    }

    /// Waits until the index has what was there when the ledger was opened, and the catalogue is known: from then on events
    /// are taken.
    ///
    /// # Errors
    /// The catalogue cannot be read.
    pub fn wait(&mut self) -> anyhow::Result<()> {
        self.reader.wait();
        self.catalog.unknown().map_or(Ok(()), |why| Err(anyhow::Error::msg(why)))
    }

    /// Ends the ledger: takes as long as what was begun with it, and all its threads are gone afterwards. Whoever holds a part
    /// of it is waited for.
    pub fn close(self) {
        let Self { reader, recorder, keeper, log, publisher, views, index, derived, .. } = self;
        drop((reader, recorder, keeper));
        alone(log).close();
        drop(publisher);
        drop(views.map(alone));
        drop(index.map(alone));
        drop(derived);
    }
}

/// Waits until nobody else holds something.
fn alone<T>(mut shared: Arc<T>) -> T {
    let mut late = Some(Instant::now() + LONG);
    loop {
        match Arc::try_unwrap(shared) {
            Ok(alone) => return alone,
            Err(held) => shared = held,
        }
        if late.is_some_and(|late| late <= Instant::now()) {
            tracing::warn!("what was begun is not ended yet; the ledger closes when it is");
            late = None;
        }
        std::thread::sleep(LOOK_AGAIN);
    }
}

fn report(recovered: &Recovered, read_only: Option<&str>) {
    if recovered.cut_bytes > 0 {
        tracing::warn!(bytes = recovered.cut_bytes, "cut off what was written and never acknowledged");
    }
    if recovered.mended_head_copies > 0 {
        tracing::warn!(
            copies = recovered.mended_head_copies,
            "copies of the head were damaged; the others were not"
        );
    }
    if !recovered.resealed.is_empty() {
        tracing::warn!(segments = ?recovered.resealed, "derived files of segments were made again");
    }
    if let Some(why) = read_only {
        tracing::warn!("open for reading only: {why}");
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
