//! What handlers use.

use crate::answers::Desk;
use crate::catalog::CatalogHistory;
use crate::clock::Clock;
use crate::identity::Tokens;
use crate::index::LogIndex;
use crate::intake::Recorder;
use crate::log::Log;
use crate::log::keys::KeyFolder;
use crate::views::LogViews;
use std::sync::Arc;

/// What an organisation sets.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Anyone may read the log without a token: checkpoint, tiles, proofs, keys, receipts, and in the
    /// bundles every entry. Pages of other sites may then read it too.
    pub public_log: bool,
    /// Anyone may read `/metrics` without a token.
    pub public_metrics: bool,
    /// Each request is told in the log.
    pub access_log: bool,
    /// Types may be posted that no catalogue knows.
    pub open_types: bool,
}

/// Everything that handlers use.
pub struct Service {
    pub log: Arc<Log>,
    /// None only when measuring the log alone.
    pub index: Option<Arc<LogIndex>>,
    /// None only when measuring the log alone.
    pub views: Option<Arc<LogViews>>,
    /// What time it is, where a question depends on it.
    pub clock: Arc<dyn Clock>,
    /// What events are held against, now and at each entry.
    pub catalog: Arc<CatalogHistory>,
    /// The door that events come in by.
    pub recorder: Recorder,
    pub tokens: Tokens,
    pub settings: Settings,
    /// Makes and finds signing keys for rotations.
    pub keys: KeyFolder,
    pub budget: crate::web::body::Budget,
    /// Room for subscribers.
    pub streams: crate::web::shares::Shares,
    /// Set when the ledger is told to end: what would go on for ever ends.
    pub ending: tokio::sync::watch::Sender<bool>,
    /// What is counted of requests.
    pub metrics: crate::web::metrics::Metrics,
    /// What went out of the host, by sink.
    pub published: Vec<Arc<crate::log::publish::Published>>,
    /// Requests that were begun.
    pub in_flight: crate::web::in_flight::InFlight,
    /// How long appending waits and works: entries when the ledger was opened.
    pub size_at_start: u64,
    /// The data folder, whose disk is watched.
    pub data_dir: std::path::PathBuf,
    pub rates: Option<crate::web::rate::Rates>,
    /// How many questions of one caller are worked on at once.
    pub turns: crate::web::turns::Turns,
    /// Why the ledger is read-only, if it is.
    pub read_only: Option<String>,
}

impl Service {
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
}
