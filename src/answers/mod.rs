//! Every question that can be put to a ledger, once: who may ask it, as of when, with which parameters, and what is
//! answered.
//!
//! Here live [`Desk`], which is what answers are made from, [`Inquiry`], one question being asked by somebody who may, and a
//! file for each family of questions, whose answers are typed: rows with their state, times as times, links as names of what
//! they lead to. May use everything below: views, index, log, catalogue, identity. It must never know HTTP or write JSON:
//! how an answer looks is the matter of whoever shows it, and there are several.
//!
//! A question goes through the same five steps everywhere: an [`Inquiry`] is had (authority), the parameters are read
//! ([`parameters`]), the moment is found ([`moment`], which waits for what has to be waited for), the views or the log are
//! asked for a bounded part, and the rest is worked out. Loops that can be long look at the [`deadline`].

pub mod access;
pub mod approvals;
pub mod catalogue;
pub mod caveats;
mod connected;
pub mod controls;
pub mod corrections;
pub mod courses;
pub mod cursor;
pub mod deadline;
pub mod decisions;
pub mod entries;
pub mod error;
pub mod fairness;
pub mod late;
pub mod look_alikes;
pub mod moment;
pub mod names;
pub mod parameters;
pub mod proofs;
pub mod reconciliation;
pub mod registers;
pub mod row;
pub mod rows;
pub mod sources;
pub mod standing;
pub mod statistics;
pub mod timeline;
pub mod walk;
pub mod words;

#[cfg(test)]
mod tests;

use crate::catalog::{Catalog, CatalogHistory};
use crate::clock::Clock;
use crate::identity::{Principal, Role};
use crate::index::LogIndex;
use crate::log::store::Store;
use crate::spec::entry::Entry;
use crate::spec::time::Timestamp;
use crate::views::LogViews;
use crate::views::engine::{Engine, Event};
use deadline::Deadline;
use error::AnswerError;
use std::collections::BTreeMap;
use std::sync::Arc;

/// What answers are made from. Lent by whoever keeps a ledger open.
#[derive(Clone, Copy)]
pub struct Desk<'a> {
    /// The entries, which decide whatever else says.
    pub store: &'a Arc<Store>,
    /// None only when measuring the log alone.
    pub index: Option<&'a LogIndex>,
    /// None only when measuring the log alone.
    pub views: Option<&'a LogViews>,
    /// What time it is, where a question depends on it.
    pub clock: &'a dyn Clock,
    /// What is known of the world, now and as it was.
    pub catalog: &'a CatalogHistory,
}

/// Refuses whoever may read only what it posted itself.
///
/// # Errors
/// It may not read everything.
pub fn must_read_all(by: &Principal) -> Result<(), AnswerError> {
    if by.reads_all() {
        return Ok(());
    }
    let detail = "this needs a token with the role compliance, auditor or admin; a producer reads what it posted, \
                  one entry at a time";
    Err(AnswerError::Forbidden(detail.to_owned()))
}

impl<'a> Desk<'a> {
    /// A question over everything, by somebody who may ask it.
    ///
    /// # Errors
    /// It may read only what it posted itself.
    pub fn inquiry(self, by: &Principal, deadline: Deadline) -> Result<Inquiry<'a>, AnswerError> {
        must_read_all(by)?;
        Ok(Inquiry { desk: self, deadline, sees_small_groups: by.has(Role::SpecialCategories) })
    }
}

/// One question being asked: there is none without the authority to ask it.
#[derive(Clone, Copy)]
pub struct Inquiry<'a> {
    desk: Desk<'a>,
    deadline: Deadline,
    sees_small_groups: bool,
}

impl<'a> Inquiry<'a> {
    /// What the answer is made from.
    #[must_use]
    pub fn desk(&self) -> Desk<'a> {
        self.desk
    }

    /// Until when the answer may be worked on.
    #[must_use]
    pub fn deadline(&self) -> Deadline {
        self.deadline
    }

    /// Whether whoever asks may be told numbers of so few that somebody could be meant.
    #[must_use]
    pub fn sees_small_groups(&self) -> bool {
        self.sees_small_groups
    }

    /// The entries.
    #[must_use]
    pub fn store(&self) -> &'a Arc<Store> {
        self.desk.store
    }

    /// The catalogue in force.
    #[must_use]
    pub fn catalog(&self) -> Arc<Catalog> {
        self.desk.catalog.current()
    }

    /// The views of the ledger.
    ///
    /// # Errors
    /// It has none.
    pub fn views(&self) -> Result<&'a LogViews, AnswerError> {
        let detail = "this server was started without an index, and so without views";
        self.desk.views.ok_or_else(|| AnswerError::NoViews(detail.to_owned()))
    }

    /// The engine of the views.
    ///
    /// # Errors
    /// There are no views, or they cannot answer now.
    pub fn engine(&self) -> Result<Arc<Engine>, AnswerError> {
        self.views()?.now().map_err(|why| AnswerError::NoViews(format!("{why}; ask again soon")))
    }

    /// The index of the log.
    ///
    /// # Errors
    /// The ledger has none.
    pub fn index(&self) -> Result<&'a LogIndex, AnswerError> {
        self.desk.index.ok_or(AnswerError::NoIndex)
    }

    /// An entry, read as views see it.
    ///
    /// # Errors
    /// It cannot be read.
    pub fn event(&self, seq: u64) -> Result<Event, AnswerError> {
        let bytes = self.store().entry(seq)?;
        Ok(Event::of(&parsed(&bytes)?))
    }
}

/// An entry taken apart.
///
/// # Errors
/// The bytes are no entry, though their hash is the one that was committed.
pub fn parsed(bytes: &[u8]) -> Result<Entry<'_>, AnswerError> {
    Entry::parse(bytes).map_err(|error| AnswerError::Fault(error.to_string()))
}

/// As of when an answer holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AsOf {
    /// How many entries were known.
    pub entries: u64,
    /// For which time it is answered.
    pub at: Timestamp,
    /// Whether this is the state of now: nothing was asked for as of another day, and nothing that is recorded is missing.
    pub current: bool,
    /// How many recorded entries are missing, where it was asked for now.
    pub behind: u64,
    /// Whether nothing that is recorded later can change what was known by then.
    pub final_: bool,
    /// A name for the versions of the views that answered: answers of equal names were folded alike.
    pub views: u32,
    /// How many publications the catalogue holds by which they were folded.
    pub catalog: u64,
    /// Whether the answer ends before all that was asked for, because as much was looked at as is for one answer.
    pub partial: bool,
}

impl AsOf {
    /// The same of an answer that ends before all that was asked for, if it does.
    #[must_use]
    pub fn cut(self, partial: bool) -> AsOf {
        AsOf { partial: self.partial || partial, ..self }
    }
}

/// An answer, and what it says of itself.
#[derive(Clone, Debug, PartialEq)]
pub struct Answer<T> {
    /// What was asked for.
    pub body: T,
    /// As of when it holds.
    pub as_of: AsOf,
    /// How many entries the views had applied.
    pub applied: u64,
}

/// Of what was asked for, the names that the ledger had never heard of, by parameter.
pub type Unheard = BTreeMap<String, Vec<String>>;

/// A part of a list.
#[derive(Clone, Debug, PartialEq)]
pub struct Page<T> {
    /// In the order asked for.
    pub items: Vec<T>,
    /// The cursor to go on with; none at the end. A page may be short and have a next one.
    pub next: Option<String>,
    /// The names that were asked for and that the ledger had never heard of.
    pub unheard: Unheard,
}
