//! As of when a question is asked and an answer holds, in requests and responses.

use crate::answers::AsOf;
use crate::answers::moment::AskedMoment;
use crate::spec::time::Timestamp;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// As of when.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "declares parameters")]
pub struct MomentQuery {
    /// Answer from what had been recorded by then: an entry's number, an RFC 3339 time, or a date, which
    /// begins at midnight UTC. Now, if not given.
    #[param(example = "2026-03-05T12:00:00Z")]
    pub as_of: Option<String>,
    /// Answer for this time: what took effect by then counts, and due dates are held against it. `as_of`'s time, if not
    /// given, and otherwise now.
    #[param(example = "2026-03-03T12:00:00Z")]
    pub at: Option<String>,
    /// Wait (at most 5 s) until the views have this entry: read your own write.
    pub min_seq: Option<u64>,
}

/// As of when an answer holds.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct MomentView {
    /// How many entries were known.
    #[schema(example = 584)]
    pub entries: u64,
    /// For which time it is answered.
    #[schema(example = "2026-11-27T09:30:00.000000Z")]
    pub at: String,
    /// Whether this is the state of now: nothing was asked for as of another day, and nothing that is recorded is missing.
    #[schema(example = true)]
    pub current: bool,
    /// How many recorded entries are missing, where it was asked for now.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 3)]
    pub behind: Option<u64>,
    /// Whether nothing that is recorded later can change what was known by then: false of now.
    #[serde(rename = "final")]
    pub is_final: bool,
    /// A name for the versions of the views: answers of equal names were folded alike.
    #[schema(example = "5b1c09ee")]
    pub views: String,
    /// How many publications the catalogue holds by which they were folded.
    #[schema(example = 0)]
    pub catalog: u64,
    /// True where the answer ends before all that was asked for, because as much was looked at as is for one answer. Where
    /// it has a `next`, all of it is found by going on there.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = true)]
    pub partial: Option<bool>,
}

impl MomentView {
    /// As of when an answer holds, as shown in it.
    pub fn of(as_of: AsOf) -> MomentView {
        MomentView {
            entries: as_of.entries,
            at: text(as_of.at),
            current: as_of.current,
            behind: Some(as_of.behind).filter(|behind| *behind > 0),
            is_final: as_of.final_,
            views: format!("{:08x}", as_of.views),
            catalog: as_of.catalog,
            partial: as_of.partial.then_some(true),
        }
    }

    /// As it is asked for again.
    pub fn asked(&self) -> AskedMoment {
        if self.current {
            return AskedMoment::default();
        }
        let as_of = self.entries.checked_sub(1).map(|last| last.to_string());
        AskedMoment { as_of, at: Some(self.at.clone()), min_seq: None, held: None }
    }
}

/// A time as the API writes it.
pub fn text(time: Timestamp) -> String {
    time.to_string()
}
