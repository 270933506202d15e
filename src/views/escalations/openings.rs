//! All openings of an escalation: those that began a round, and those that were told again.

use super::act::Act;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// Openings that are kept: those that began a round, and those that told one again.
///
/// Reason: more tell nothing new; all are in the history.
const MAX_OPENINGS: usize = 64;

/// An opening of the row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct Opened {
    #[serde(rename = "q")]
    seq: u64,
    #[serde(rename = "p")]
    place: u64,
    /// A short name for what it says.
    #[serde(rename = "h")]
    digest: u64,
    /// Whether it is of the row's own source.
    #[serde(rename = "o")]
    own: bool,
    #[serde(rename = "b")]
    begins: bool,
    #[serde(rename = "w", default, skip_serializing_if = "Map::is_empty")]
    shown: Map<String, Value>,
}

impl Opened {
    pub(super) fn shown(&self) -> Value {
        let mut shown = self.shown.clone();
        shown.insert("seq".to_owned(), self.seq.into());
        Value::Object(shown)
    }
}

/// All of them, in the order in which they came.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Openings(Vec<Opened>);

impl Openings {
    /// Adds one. `own` is whether it is of the row's own source, `begins` whether it began a round.
    pub(super) fn add(&mut self, act: &Act, digest: u64, own: bool, begins: bool) {
        let shown = if begins { Map::new() } else { act.told.clone() };
        if self.0.len() < MAX_OPENINGS {
            self.0.push(Opened { seq: act.seq, place: act.place, digest, own, begins, shown });
        }
    }

    /// Openings that began nothing: those that say what an opening recorded before them says, or else, if `same` is false,
    /// the others.
    pub(super) fn told_again(&self, same: bool) -> impl Iterator<Item = &Opened> {
        let said = |opened: &Opened| {
            let mut before = self.0.iter().filter(|other| other.own && other.place < opened.place);
            !opened.own || before.any(|other| other.digest == opened.digest)
        };
        self.0.iter().filter(move |opened| !opened.begins && said(opened) == same)
    }
}
