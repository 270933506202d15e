//! What is asked, and what is found.

use crate::spec::time::Timestamp;
use crate::views::engine::opening::CONFLICTS;
use crate::views::engine::row::{Row, RowEvent};
use crate::views::engine::view::View;
use std::time::Instant;

/// The state that a row is shown in once its time is over, where its view says so.
pub const EXPIRED: &str = "expired";

/// The state of a row of which everything holds only later.
pub const SCHEDULED: &str = "scheduled";

/// An event that is recorded and holds only later.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Scheduled {
    /// Its entry's number.
    pub seq: u64,
    /// CloudEvents `type`.
    pub ty: String,
    /// From when it holds.
    pub effective_at: Timestamp,
}

impl Scheduled {
    pub(super) fn of(event: &RowEvent) -> Scheduled {
        Scheduled { seq: event.seq, ty: event.ty.clone(), effective_at: event.effective_at }
    }
}

/// As of when.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct When {
    /// Entries below this number are known.
    pub known: u64,
    /// What took effect by this time counts; and "overdue", "expired" mean: at this time.
    pub at: Timestamp,
}

/// The order of a list. Ties are broken by number.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Sort {
    /// The order in which rows came to the ledger.
    #[default]
    Recorded,
    /// By when they were opened, as it holds (valid time) …
    Opened,
    /// … by when they were changed last …
    Changed,
    /// … or by when they ended; rows that have not are left out.
    Ended,
    /// By `due_at`; rows without one, and rows that are done, are left out.
    Due,
    /// By `valid_until`; rows without one, and rows that are done, are left out.
    Until,
}

/// Where a page ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Place {
    /// The date by which the list is sorted; 1970-01-01 if by number.
    pub date: Timestamp,
    /// The row's number.
    pub number: u64,
    /// Of a list that is sorted part by part: in which part.
    pub part: Part,
}

impl Place {
    /// The place of a row in the order of the ledger.
    #[must_use]
    pub fn numbered(number: u64) -> Place {
        Place { date: Timestamp::EPOCH, number, part: Part::WHOLE }
    }
}

/// The rows that are sorted together where there are too many to sort them all: by their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// From this one on …
    pub from: u64,
    /// … to the one before this.
    pub to: u64,
}

impl Part {
    /// All of them.
    pub const WHOLE: Part = Part { from: 0, to: u64::MAX };
}

/// Which rows.
#[derive(Clone, Debug)]
pub struct Ask {
    /// Field and the values of which one has to fit: a field of the row, or one that the view lists or counts rows by;
    /// besides `state`, `owner` and `id`.
    pub filters: Vec<(String, Vec<String>)>,
    /// Only rows that are overdue, or only others.
    pub overdue: Option<bool>,
    /// Only rows whose `valid_from` and `valid_until` say so: `not-yet`, `in-force`, `expired`.
    pub validity: Option<String>,
    /// Only rows with `due_at` in this stretch.
    pub due: (Option<Timestamp>, Option<Timestamp>),
    /// Only rows with `valid_until` in this stretch.
    pub until: (Option<Timestamp>, Option<Timestamp>),
    /// Only rows opened in this stretch, by valid time …
    pub opened: (Option<Timestamp>, Option<Timestamp>),
    /// … last changed …
    pub changed: (Option<Timestamp>, Option<Timestamp>),
    /// … or ended in it.
    pub ended: (Option<Timestamp>, Option<Timestamp>),
    /// Only rows of which the time in this field lies before that.
    pub before: Option<(String, Timestamp)>,
    /// As of when.
    pub when: When,
    /// In which order …
    pub sort: Sort,
    /// … and whether from its end.
    pub descending: bool,
    /// From where on.
    pub after: Option<Place>,
    /// Rows at most.
    pub limit: usize,
    /// From when on nobody waits for the answer any more; none: it is worked on to its end.
    pub ends: Option<Instant>,
}

impl Ask {
    /// All rows as of a moment, the first ones first.
    #[must_use]
    pub fn all(when: When, limit: usize) -> Ask {
        Ask {
            filters: Vec::new(),
            overdue: None,
            validity: None,
            due: (None, None),
            until: (None, None),
            opened: (None, None),
            changed: (None, None),
            ended: (None, None),
            before: None,
            when,
            sort: Sort::Recorded,
            descending: false,
            after: None,
            limit,
            ends: None,
        }
    }

    /// The same with one more filter.
    #[must_use]
    pub fn with(mut self, field: &str, value: &str) -> Ask {
        self.filters.push((field.to_owned(), vec![value.to_owned()]));
        self
    }
}

/// A row as of a moment.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// The seq of the first entry about it.
    pub number: u64,
    /// The seq of the last entry that changed it, as known.
    pub last_seq: u64,
    /// The latest time from which an event of it holds.
    pub changed_at: Timestamp,
    /// From when the event holds that opened it.
    pub opened_at: Timestamp,
    /// Which of its events were taken away or given back by corrections, as known: target and correction.
    pub corrected: Vec<(u64, u64)>,
    /// How many rows other sources have under its id, as known.
    pub others: u64,
    /// What is recorded of it and holds only later, as known.
    pub scheduled: Vec<Scheduled>,
    /// Its state.
    pub row: Row,
}

impl Found {
    /// Whether somebody said something else of the same id: in the row, or in a row of another source.
    #[must_use]
    pub fn conflict(&self) -> bool {
        self.others > 0 || self.row.fields.contains_key(CONFLICTS)
    }

    /// When it ended: when it was done, or when its time was over by `at`.
    #[must_use]
    pub fn ended_at(&self, at: Timestamp) -> Option<Timestamp> {
        self.row.ended_at.or(self.row.valid_until.filter(|until| *until <= at))
    }

    /// By which date it has its place in a list of this order; none where it has no place in it.
    pub(in crate::views::engine) fn date(&self, sort: Sort, at: Timestamp) -> Option<Timestamp> {
        match sort {
            Sort::Recorded => Some(Timestamp::EPOCH),
            Sort::Opened => Some(self.opened_at),
            Sort::Changed => Some(self.changed_at),
            Sort::Ended => self.ended_at(at),
            Sort::Due => self.row.due_at.filter(|_| !self.row.ended),
            Sort::Until => self.row.valid_until.filter(|_| !self.row.ended),
        }
    }

    /// Whether its due date has passed and it is not done.
    #[must_use]
    pub fn overdue(&self, at: Timestamp) -> bool {
        !self.row.ended && self.row.due_at.is_some_and(|due| due <= at)
    }

    /// Whether it counts yet, or still: `not-yet`, `in-force`, `expired`; none for rows that know no such dates or are
    /// done.
    #[must_use]
    pub fn validity(&self, at: Timestamp) -> Option<&'static str> {
        let Row { valid_from, valid_until, ended, .. } = &self.row;
        if *ended || (valid_from.is_none() && valid_until.is_none()) {
            return None;
        }
        Some(if valid_until.is_some_and(|until| until <= at) {
            EXPIRED
        } else if valid_from.is_some_and(|from| at < from) {
            "not-yet"
        } else {
            "in-force"
        })
    }

    /// The state that it is shown in.
    #[must_use]
    pub fn state(&self, view: &dyn View, at: Timestamp) -> &str {
        let row = &self.row;
        let over = !row.ended && row.valid_until.is_some_and(|until| until <= at);
        if over && view.expires(&row.state) { EXPIRED } else { &row.state }
    }
}

/// A page of rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Page {
    /// In the order asked for.
    pub rows: Vec<Found>,
    /// Where to go on; none at the end. A page may be short and have a next one.
    pub next: Option<Place>,
    /// Whether it is short because as many rows were looked at as are for one page.
    pub partial: bool,
    /// Rows that were looked at.
    pub looked_at: usize,
    /// How many entries the views had applied.
    pub applied: u64,
}
