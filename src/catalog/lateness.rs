//! By when events had to be recorded, as the catalogue said it at the time.
//!
//! A catalogue that was published says it for the entries after its own; those before are judged by what was said then.

use super::cadence::Span;
use super::compiled::Catalog;
use std::collections::BTreeMap;

impl Catalog {
    /// How long after it was done an event of a type may be recorded without being late, as the catalogue had it when entry
    /// `seq` was recorded. None for a type that it did not know then.
    pub fn late_after(&self, event_type: &str, seq: u64) -> Option<Span> {
        match self.late_after.get(event_type) {
            Some(said) => said.iter().rfind(|(from, _)| *from <= seq).map(|(_, span)| *span),
            None => self.get(event_type).map(|known| known.words.late_after),
        }
    }

    /// All that it ever said of that: by type, from which entry on.
    pub fn all_late_after(&self) -> &BTreeMap<String, Vec<(u64, Span)>> {
        &self.late_after
    }

    /// Notes that what it says holds from entry `from` on.
    pub(super) fn holding_from(mut self, from: u64) -> Catalog {
        for (name, known) in &self.types {
            let said = self.late_after.entry(name.clone()).or_default();
            let span = known.words.late_after;
            if said.last().is_none_or(|(_, last)| *last != span) {
                said.push((from, span));
            }
        }
        self
    }
}
