//! Deriving the index and the views from the log, without a server: for `daybook rebuild`, and for `daybook check`, which
//! holds what is kept against it.

use crate::catalog::{Catalog, CatalogHistory};
use crate::cli::progress::Progress;
use crate::follow::{Event, FeedError, LogSource, Portion, Source, catch_up};
use crate::index::{Index, IndexError, read_publications};
use crate::log::store::Store;
use crate::store::EngineKind;
use crate::store::opening::OpenReport;
use crate::views::engine::{Engine, EngineError, EventFeed};
use crate::views::projections;
use std::path::Path;
use std::sync::Arc;

/// The log, with an index of the same entries.
pub struct Ground {
    log: LogSource,
    index: Arc<Index>,
    catalog: Arc<Catalog>,
}

impl Ground {
    /// What views are made from: `history` is the catalogue that the ledger began with, and gets the publications of the
    /// log.
    ///
    /// # Errors
    /// The publications do not fit the program's catalogue, or cannot be read.
    pub fn of(store: &Arc<Store>, index: Arc<Index>, history: &CatalogHistory) -> Result<Self, String> {
        read_publications(history, store, &index, store.size())?;
        Ok(Self { log: LogSource(store.clone()), index, catalog: history.current() })
    }
}

impl Source for Ground {
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

impl EventFeed for Ground {
    fn find(&self, identity: &[u8; 16], before: u64) -> Result<Option<u64>, FeedError> {
        // It has all of the log.
        let found = self.index.find(identity).map_err(|error| FeedError(Box::new(error)))?;
        Ok(found.filter(|seq| *seq < before))
    }
}

/// Opens the index in `dir`, or makes it, and has it apply all of the log.
///
/// # Errors
/// It cannot be opened or made, it fails, or the log cannot be read.
pub fn index(
    dir: &Path,
    kind: EngineKind,
    store: &Arc<Store>,
    what: &'static str,
) -> Result<(Arc<Index>, OpenReport), IndexError> {
    let log = LogSource(store.clone());
    let (index, report) = Index::open(dir, kind, log.ledger()?, &log)?;
    let bar = Progress::start(what, log.committed());
    let caught_up = catch_up(&index, &log, log.committed(), &mut |done, _| bar.set(done));
    bar.finish();
    caught_up?;
    Ok((Arc::new(index), report))
}

/// The same of the views, until none of them is being built any more.
///
/// # Errors
/// As for [`index`].
pub fn views(
    dir: &Path,
    kind: EngineKind,
    ground: &Arc<Ground>,
    what: &'static str,
) -> Result<(Engine, OpenReport), EngineError> {
    use crate::follow::Derived as _;
    let catalog = ground.catalog.clone();
    let all = projections(&catalog);
    let (engine, report) = Engine::open(dir, kind, ground.ledger()?, ground.clone(), catalog, &all)?;
    let bar = Progress::start(what, ground.committed());
    let made = (|| {
        catch_up(&engine, &**ground, ground.committed(), &mut |done, _| bar.set(done))?;
        while engine.has_more_to_do() {
            engine.do_more()?;
        }
        Ok(())
    })();
    bar.finish();
    made.map(|()| (engine, report))
}
