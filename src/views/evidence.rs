//! Which entries are evidence of which control.

use super::engine::{Counted, Earlier, EntryLists, Event, Result};
use super::registers::fingerprint;
use crate::catalog::{Catalog, Evidence};
use std::collections::HashMap;

/// The list's field.
pub const CONTROL: &str = "control";
/// The name of these lists among all projections.
pub const EVIDENCE: &str = "evidence";

/// Raise it with every change to what is listed.
const VERSION: u64 = 1;

/// The lists of all controls.
pub struct EvidenceLists {
    version: u64,
    /// By type of event: controls, and which events of the type are evidence of each.
    by_type: HashMap<String, Vec<(String, Evidence)>>,
}

impl EvidenceLists {
    /// The lists as the catalogue's controls have it.
    #[must_use]
    pub fn new(catalog: &Catalog) -> EvidenceLists {
        let declared: Vec<_> = catalog.controls().map(|control| (&control.id, &control.evidence)).collect();
        let version = fingerprint(VERSION, &declared);
        let mut by_type: HashMap<String, Vec<(String, Evidence)>> = HashMap::new();
        for control in catalog.controls() {
            for evidence in &control.evidence {
                let of_type = by_type.entry(evidence.event_type.clone()).or_default();
                of_type.push((control.id.clone(), evidence.clone()));
            }
        }
        EvidenceLists { version, by_type }
    }
}

impl EntryLists for EvidenceLists {
    fn name(&self) -> &str {
        EVIDENCE
    }

    fn version(&self) -> u64 {
        self.version
    }

    fn lists_of(
        &self,
        event: &Event,
        _: &Catalog,
        _: &dyn Earlier,
    ) -> Result<Vec<(&'static str, String, Counted)>> {
        let controls = self.by_type.get(&event.ty).into_iter().flatten();
        let fitting = controls.filter(|(_, evidence)| evidence.fits(&event.ty, &event.data));
        Ok(fitting.map(|(control, _)| (CONTROL, control.clone(), Counted::Yes)).collect())
    }
}
