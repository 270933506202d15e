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
    /// Never empty.
    versions: Vec<InForce>,
    /// Why it is not known whether these are all, if it is not.
    unknown: Option<String>,
}

impl CatalogHistory {
    /// A history that begins with what the program and the organisation's folder hold. Whether there are publications is
    /// not known before [`CatalogHistory::complete`].
    #[must_use]
    pub fn begin(catalog: Catalog, unknown: &str) -> CatalogHistory {
        let first = InForce { seq: None, catalog: Arc::new(catalog) };
        CatalogHistory(RwLock::new(State { versions: vec![first], unknown: Some(unknown.to_owned()) }))
    }

    /// The catalogue in force.
    #[must_use]
    pub fn current(&self) -> Arc<Catalog> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        // There is a first one from the beginning, and none is ever taken away.
        state.versions[state.versions.len() - 1].catalog.clone()
    }

    /// All catalogues, in the order in which they came into force.
    #[must_use]
    pub fn versions(&self) -> Vec<InForce> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).versions.clone()
    }

    /// The catalogue by which entry `seq` was accepted.
    #[must_use]
    pub fn at(&self, seq: u64) -> Arc<Catalog> {
        let state = self.0.read().unwrap_or_else(PoisonError::into_inner);
        let after =
            state.versions.partition_point(|version| version.seq.is_none_or(|published| published < seq));
        // The first one is in force from the beginning.
        state.versions[after.max(1) - 1].catalog.clone()
    }

    /// Why events cannot be held against the catalogue yet, if they cannot.
    #[must_use]
    pub fn unknown(&self) -> Option<String> {
        self.0.read().unwrap_or_else(PoisonError::into_inner).unknown.clone()
    }

    /// A publication has come into force with an entry later than all before.
    pub fn publish(&self, seq: u64, catalog: Catalog) {
        let mut state = self.0.write().unwrap_or_else(PoisonError::into_inner);
        state.versions.push(InForce { seq: Some(seq), catalog: Arc::new(catalog) });
    }

    /// All publications of the log are known from here on; or why they are not.
    pub fn complete(&self, unknown: Option<String>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).unknown = unknown;
    }
}
