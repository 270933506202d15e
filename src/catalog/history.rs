//! The catalogue as it was in force over time: each publication with the entry that made it.

use super::compiled::Catalog;
use std::sync::{Arc, PoisonError, RwLock};

/// A catalogue, and from where on it is in force.
#[derive(Clone)]
pub struct InForce {
    /// The entry that published it; none for the one that the ledger began with.
    pub seq: Option<u64>,
    /// What is in force for the entries after that one.
    pub catalog: Arc<Catalog>,
}

/// All catalogues that were ever in force, the newest last. Shared between threads.
pub struct CatalogHistory(RwLock<State>);

struct State {
    /// What the ledger began with.
    first: InForce,
    /// Publications, the newest last.
    published: Vec<InForce>,
    /// Why it is not known whether these are all, if it is not.
    unknown: Option<String>,
}

impl CatalogHistory {
    /// A history that begins with what the program and the organisation's folder hold. Whether there are publications is
    /// not known before [`CatalogHistory::complete`].
    #[must_use]
    pub fn begin(catalog: Catalog, unknown: &str) -> CatalogHistory {
        let first = InForce { seq: None, catalog: Arc::new(catalog.holding_from(0)) };
        CatalogHistory(RwLock::new(State { first, published: Vec::new(), unknown: Some(unknown.to_owned()) }))
    }

    /// The catalogue in force.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        state.published.last().unwrap_or(&state.first).catalog.clone()
    }

    /// All catalogues, in the order in which they came into force.
    #[must_use]
    pub fn versions(&self) -> Vec<InForce> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        std::iter::once(&state.first).chain(&state.published).cloned().collect()
    }

    /// The catalogue by which entry `seq` was accepted.
    #[must_use]
    pub fn at(&self, seq: u64) -> Arc<Catalog> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let before = state.published.partition_point(|version| version.seq < Some(seq));
        let last = before.checked_sub(1).and_then(|last| state.published.get(last));
        last.unwrap_or(&state.first).catalog.clone()
    }

    /// Why events cannot be held against the catalogue yet, if they cannot.
    #[must_use]
    pub fn unknown(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).unknown.clone()
    }

    /// A publication has come into force with an entry later than all before.
    pub fn publish(&self, seq: u64, catalog: Catalog) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        let catalog = Arc::new(catalog.holding_from(seq.saturating_add(1)));
        state.published.push(InForce { seq: Some(seq), catalog });
    }

    /// All publications of the log are known from here on; or why they are not.
    pub fn complete(&self, unknown: Option<String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).unknown = unknown;
    }
}
