//! Putting a ledger together and running it: what `serve` and `demo` have in common.

use crate::api::post::large_at_once;
use crate::api::routes;
use crate::api::stream::MAX_STREAMS;
use crate::app::config::{Config, passphrase};
use crate::app::outgrown::warn_when_outgrown;
use crate::catalog::{Catalog, CatalogHistory};
use crate::clock::SystemClock;
use crate::follow::Feed;
use crate::identity::Tokens;
use crate::index::{LogIndex, read_publications};
use crate::log::disk::RealDisk;
use crate::log::keys::KeyFolder;
use crate::log::publish::{Publisher, Sink};
use crate::log::recovery::Recovered;
use crate::log::{self, NoIndex, Options};
use crate::spec::note::VerifierKey;
use crate::store::EngineKind;
use crate::views::LogViews;
use crate::web::body::Budget;
use crate::web::rate::Rates;
use crate::web::{Service, Settings, server};
use actix_web::web;
use anyhow::{Context as _, bail};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::path::Path;
use std::sync::Arc;

/// Which index a ledger runs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum IndexChoice {
    Engine(EngineKind),
    /// None: for measuring the log alone. Repeated events are noticed only for a while.
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

/// How to run.
pub struct Run {
    pub config: Config,
    pub listen: String,
    pub index: IndexChoice,
    pub read_only: bool,
    pub adopt: Option<Vec<u8>>,
}

/// How long the start waits for the index to open, and then to catch up, before it serves reads without writes.
///
/// Reason: together within a second, which is a hundred thousand entries' worth of catching up; what takes longer goes
/// on beside the reads.
const INDEX_PATIENCE: std::time::Duration = std::time::Duration::from_millis(400);

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
    }
}

/// The catalogue of a ledger: what comes with the program, and what the organisation added.
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

/// Allows this process as many open files as it may allow itself. The usual soft limit of 1,024 is for programs that use
/// `select`; connections, segments and stores need more.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Runs a ledger until it is told to end, and calls `ready(url, first key)` when it serves.
///
/// # Errors
/// It cannot start, or its disk failed.
pub fn run(data_dir: &Path, run: Run, ready: impl FnOnce(&str, &VerifierKey)) -> anyhow::Result<()> {
    tracing_subscriber::fmt()
        .with_env_filter(
            tracing_subscriber::EnvFilter::try_from_env("DAYBOOK_LOG")
                .unwrap_or_else(|_| "info,actix=warn".into()),
        )
        .with_writer(std::io::stderr)
        // Standard error may be on the very disk that is full: a line that cannot be written must cost nothing else.
        .log_internal_errors(false)
        .init();
    raise_descriptor_limit();
    let mut log_options = options(data_dir, &run.config);
    log_options.read_only = run.read_only;
    log_options.adopt = run.adopt;
    let keys = KeyFolder {
        folder: log_options.keys_dir.clone(),
        origin: String::new(),
        passphrase: log_options.passphrase.clone(),
    };
    let clock = log_options.clock.clone();
    let mut opened = log::open(log_options)?;
    report(&opened.recovered, opened.read_only.as_deref());
    let read_only = opened.read_only.clone();
    let store = opened.store.clone();
    let feed = Feed::of(&store);
    let index = match run.index {
        IndexChoice::Engine(kind) => {
            opened.tell(feed.listen()?);
            let dir = data_dir.join("index");
            let (index, _) = LogIndex::start(&dir, kind, &feed, INDEX_PATIENCE).context("the index")?;
            Some(Arc::new(index))
        }
        IndexChoice::None => None,
    };
    // Usually it catches up at once; then whoever waits for "ready" can post at once.
    if let Some(index) = &index {
        let _ = index.wait_applied(store.size(), INDEX_PATIENCE);
    }
    let identities = index.as_ref().map_or_else(|| Arc::new(NoIndex) as _, |index| index.identities());
    let catalog = Arc::new(CatalogHistory::begin(catalog(data_dir, &run.config)?, CATALOG_UNREAD));
    let views = match (&run.index, &index) {
        (IndexChoice::Engine(kind), Some(index)) => {
            let dir = data_dir.join("views");
            let views = LogViews::start(&dir, *kind, &feed, index.identities()).context("the views")?;
            Some(Arc::new(views))
        }
        _ => None,
    };
    let log = Arc::new(opened.start(identities)?);
    let first_key = store.keys().first().map(|key| key.key.clone()).context("the log has no key")?;
    let sinks = run.config.publish.file.iter().map(|path| Sink::File(data_dir.join(path)));
    let sinks = sinks.chain(run.config.publish.url.iter().cloned().map(Sink::Url));
    // A copy that nobody adopted has nothing new to tell, and must not make its old checkpoint look like the newest.
    let sinks = if read_only.is_none() { sinks.collect() } else { Vec::new() };
    let publisher = Publisher::start(sinks, &log.checkpoints())?;
    let mut failure = log.failure();
    let service = web::Data::new(Service {
        index,
        views,
        clock,
        catalog: catalog.clone(),
        gate: Arc::default(),
        tokens: Tokens::load(data_dir)?,
        settings: Settings { open_types: run.config.open_types, public_log: run.config.public_log },
        keys: KeyFolder { origin: store.origin().to_owned(), ..keys },
        budget: Budget::default(),
        large: Arc::new(tokio::sync::Semaphore::new(large_at_once())),
        streams: Arc::new(tokio::sync::Semaphore::new(MAX_STREAMS)),
        rates: run.config.limits.requests_per_second.map(Rates::per_second),
        read_only,
        log,
    });
    let reader = read_catalog(&service)?;
    let failed = actix_web::rt::System::new().block_on(async {
        let told_to_end = told_to_end();
        if let IndexChoice::Engine(kind) = run.index {
            actix_web::rt::spawn(warn_when_outgrown(kind, store.watch()));
        }
        let running = server::start(service.clone(), &run.listen, routes(&service.catalog.current()))?;
        let handle = running.handle.clone();
        ready(&format!("http://{}", running.address), &first_key);
        let mut server = std::pin::pin!(running.wait());
        let failed = tokio::select! {
            result = &mut server => return result.map(|()| None).map_err(anyhow::Error::from),
            () = told_to_end => None,
            failure = failure.wait_for(Option::is_some) => failure.ok().and_then(|why| why.clone()),
        };
        if let Some(why) = &failed {
            tracing::error!(%why, "the ledger stops");
        } else {
            tracing::info!("ending: requests that were begun are answered");
        }
        // The server does the stopping, so it must go on being polled.
        let (_, result) = tokio::join!(handle.stop(true), &mut server);
        result?;
        anyhow::Ok(failed)
    })?;
    drop(publisher);
    drop(service);
    // It ends by itself once the service is gone.
    let _ = reader.join();
    if let Some(why) = failed {
        bail!(
            "stopped because of the disk: {why}. Nothing acknowledged is lost; look at the disk, then start again"
        );
    }
    Ok(())
}

/// Said until the publications of the log are read.
const CATALOG_UNREAD: &str = "the publications of the catalogue are being read";

/// How often it is looked whether the index has all that was there at the start.
const CATALOG_PATIENCE: std::time::Duration = std::time::Duration::from_millis(100);

/// Reads the publications of the catalogue beside the start, which would otherwise wait for an index that is being made
/// anew; posting waits for it, for events are held against the catalogue, and so do the views.
fn read_catalog(service: &web::Data<Service>) -> anyhow::Result<std::thread::JoinHandle<()>> {
    let weak = Arc::downgrade(&service.clone().into_inner());
    let read = move || {
        let Some(size) = weak.upgrade().map(|service| service.log.store().size()) else { return };
        loop {
            let Some(service) = weak.upgrade() else { return };
            let Some(index) = &service.index else {
                tracing::warn!(
                    "without an index the publications of the catalogue are not read, and not in force"
                );
                service.catalog.complete(None);
                return;
            };
            if !index.wait_applied(size, CATALOG_PATIENCE) {
                continue;
            }
            let read = |index: Arc<crate::index::Index>| {
                read_publications(&service.catalog, service.log.store(), &index, size)
            };
            match index.now().and_then(read) {
                Ok(()) => {
                    service.catalog.complete(None);
                    if let Some(views) = &service.views {
                        // They are not open before they have one.
                        views.set_catalog(service.catalog.current());
                    }
                }
                Err(why) => {
                    tracing::error!(%why, "events cannot be held against the catalogue, and are refused");
                    service.catalog.complete(Some(why));
                }
            }
            return;
        }
    };
    Ok(std::thread::Builder::new().name("catalogue".into()).spawn(read)?)
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

/// Waits for SIGINT or SIGTERM, caught from the call on: whoever is told "ready" may send one at once.
fn told_to_end() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        match (interrupt, terminate) {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            // Without signal handlers the default applies: the process ends, and recovery does the rest.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
        let limit = getrlimit(Resource::Nofile);
        let Some(lower) = limit.maximum.map(|maximum| maximum / 2) else { return };
        setrlimit(Resource::Nofile, Rlimit { current: Some(lower), ..limit }).unwrap();
        raise_descriptor_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
