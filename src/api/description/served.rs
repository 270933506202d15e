//! The description as it is served: written when it is first asked for, and once for each catalogue, for it has all types in
//! it. A start waits for none of it.

use super::methods::{Methods, methods};
use super::whole::describe;
use crate::catalog::Catalog;
use std::sync::{Mutex, OnceLock, PoisonError};
use utoipa::openapi::OpenApi;

/// The description of a running server.
pub struct Description {
    declared: OpenApi,
    /// Which paths and methods there are: the same with every catalogue.
    methods: OnceLock<Methods>,
    /// Of how many publications, and its text.
    written: Mutex<Option<(u64, String)>>,
}

impl Description {
    /// The description of what these routes declare.
    #[must_use]
    pub fn of(declared: OpenApi) -> Description {
        Description { declared, methods: OnceLock::new(), written: Mutex::new(None) }
    }

    /// Which methods a path knows.
    #[must_use]
    pub fn methods(&self, path: &str) -> Vec<String> {
        self.methods.get_or_init(|| methods(&self.declared)).of(path)
    }

    /// Its text, with the catalogue in force.
    #[must_use]
    pub fn text(&self, catalog: &Catalog) -> String {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        match &*written {
            Some((publications, text)) if *publications == catalog.publications() => text.clone(),
            _ => {
                let text = serde_json::to_string(&describe(&self.declared, catalog)).unwrap_or_default();
                *written = Some((catalog.publications(), text.clone()));
                text
            }
        }
    }
}
