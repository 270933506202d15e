//! Sums over entries, by name: for what is no row of anything.

use crate::catalog::Catalog;
use crate::follow::Event;
use serde_json::Value;

/// Adds entries up under names.
pub trait Tallier: Send + Sync {
    /// Its name among all projections.
    fn name(&self) -> &str;

    /// Another one means other sums from the same entries.
    fn version(&self) -> u64;

    /// The names under which an entry is added up.
    fn names_of(&self, event: &Event, catalog: &Catalog) -> Vec<String>;

    /// Adds entries, at least one, which come in the order of their numbers; `sum` is null at first. What it comes to beside
    /// is kept under names of its own, each of which comes once.
    fn add(&self, name: &str, sum: &mut Value, events: &[&Event], catalog: &Catalog) -> Vec<(String, Value)>;
}
