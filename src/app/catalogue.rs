//! The catalogue of a ledger: what comes with the program, what the organisation's folder adds, and what was published.

use crate::app::config::Config;
use crate::catalog::{Catalog, CatalogHistory};
use crate::index::{LogIndex, read_publications};
use crate::intake::Followers;
use crate::log::store::Store;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Sender, TryRecvError, channel};
use std::thread::JoinHandle;
use std::time::Duration;

/// Said until the publications of the log are read.
const UNREAD: &str = "the publications of the catalogue are being read";

/// How often it is looked whether the index has all that was there at the start, and whether the ledger is closed.
const LOOK_AGAIN: Duration = Duration::from_millis(100);

/// The catalogue that a ledger begins with: what comes with the program, and what the organisation added.
///
/// # Errors
/// A file of its own is wrong; says file, line and cause.
pub fn catalog(data_dir: &Path, config: &Config) -> anyhow::Result<Catalog> {
    let catalog = Catalog::embedded()?;
    Ok(match &config.catalog_dir {
        Some(dir) => catalog.with_dir(&data_dir.join(dir))?,
        None => catalog,
    })
}

/// What the reader needs.
pub struct Publications {
    pub history: Arc<CatalogHistory>,
    pub store: Arc<Store>,
    pub index: Option<Arc<LogIndex>>,
    pub followers: Option<Arc<dyn Followers>>,
}

/// A history that begins with this catalogue, and of which the rest is not known yet.
pub fn begin(catalog: Catalog) -> Arc<CatalogHistory> {
    Arc::new(CatalogHistory::begin(catalog, UNREAD))
}

/// Reads the publications of the catalogue beside the start, which would otherwise wait for an index that is being made
/// anew; recording waits for it, for events are held against the catalogue, and so do the views. Dropped, it ends.
pub struct Reader {
    stop: Option<Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Reader {
    /// Begins to read.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(publications: Publications) -> io::Result<Self> {
        let (stop, stopped) = channel::<()>();
        let closed = move || stopped.try_recv() == Err(TryRecvError::Disconnected);
        let thread =
            std::thread::Builder::new().name("catalogue".into()).spawn(move || publications.read(&closed))?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }

    /// Waits until all is read, or cannot be.
    pub fn wait(&mut self) {
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!("the thread that reads the catalogue panicked");
        }
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.stop = None;
        self.wait();
    }
}

impl Publications {
    fn read(&self, closed: &dyn Fn() -> bool) {
        let Publications { history, store, index, followers } = self;
        let Some(index) = index else {
            tracing::warn!(
                "without an index the publications of the catalogue are not read, and not in force"
            );
            history.complete(None);
            return;
        };
        let size = store.size();
        while !index.wait_applied(size, LOOK_AGAIN) {
            if closed() {
                return;
            }
        }
        match index.now().and_then(|index| read_publications(history, store, &index, size)) {
            Ok(()) => {
                history.complete(None);
                if let Some(followers) = followers {
                    // They are not open before they have one.
                    followers.catalog_changed(history.current());
                }
            }
            Err(why) => {
                tracing::error!(%why, "events cannot be held against the catalogue, and are refused");
                history.complete(Some(why));
            }
        }
    }
}
