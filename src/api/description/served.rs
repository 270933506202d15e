//! The description as it is served: written once for each catalogue, for it has all types in it.

use super::describe;
use crate::catalog::Catalog;
use serde_json::Value;
use std::sync::{Mutex, PoisonError};
use utoipa::openapi::OpenApi;

/// The description of a running server.
pub struct Description {
    declared: OpenApi,
    /// Which paths and methods there are: the same with every catalogue.
    paths: Value,
    /// Of how many publications, and its text.
    written: Mutex<(u64, String)>,
}

impl Description {
    /// The description of what these routes declare, with this catalogue.
    #[must_use]
    pub fn of(declared: OpenApi, catalog: &Catalog) -> Description {
        let paths = describe(&declared, catalog);
        let written = Mutex::new((catalog.publications(), text(&paths)));
        Description { declared, paths, written }
    }

    /// Which methods a path knows.
    #[must_use]
    pub fn methods(&self, path: &str) -> Vec<String> {
        super::methods(&self.paths, path)
    }

    /// Its text, with the catalogue in force.
    #[must_use]
    pub fn text(&self, catalog: &Catalog) -> String {
        let mut written = self.written.lock().unwrap_or_else(PoisonError::into_inner);
        if written.0 != catalog.publications() {
            *written = (catalog.publications(), text(&describe(&self.declared, catalog)));
        }
        written.1.clone()
    }
}

fn text(description: &Value) -> String {
    serde_json::to_string(description).unwrap_or_default()
}
