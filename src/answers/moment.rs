//! As of when a question is asked: `min_seq`, `as_of`, `at`. Two times that are asked apart: `as_of` is what had been
//! recorded by then (transaction time), `at` what had taken effect by then (valid time).

use super::deadline::Deadline;
use super::error::AnswerError;
use super::{AsOf, Inquiry};
use crate::spec::encoding::from_decimal;
use crate::spec::time::{Day, MICROS_PER_MINUTE, Rfc3339, Timestamp};
use crate::views::engine::{Ask, Engine, View, When};
use std::sync::Arc;
use std::time::Duration;

/// How long a question waits for the views, or the index, to have what it asks to see.
pub const MAX_WAIT: Duration = Duration::from_secs(5);

/// How far ahead of the time `as_of` may lie, in microseconds: the clocks of two systems differ by a little.
const MAX_AHEAD: i64 = 5 * MICROS_PER_MINUTE;

/// The moment of a list that is read in several parts: all of them answer as of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Held {
    /// How many entries are known.
    pub entries: u64,
    /// For which time it is answered.
    pub at: Timestamp,
}

/// As of when, as it was asked.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AskedMoment {
    /// Answer from what had been recorded by then: an entry's number, or an RFC 3339 time. Now, if not given.
    pub as_of: Option<String>,
    /// Answer for this time: what took effect by then counts, and due dates are held against it. `as_of`'s time, if not
    /// given, and otherwise now.
    pub at: Option<String>,
    /// Wait until the views have this entry: read your own write.
    pub min_seq: Option<u64>,
    /// At which moment it is held, whatever was asked: of the later parts of a list that is read in several.
    pub held: Option<Held>,
}

/// The engine, and as of when it is asked.
pub struct Moment {
    /// To be asked.
    pub engine: Arc<Engine>,
    /// As of when.
    pub when: When,
    /// Whether neither `as_of` nor `at` was given.
    pub current: bool,
    /// Until when it may be asked.
    pub deadline: Deadline,
    /// How many recorded entries the answer does not know, where it is asked for now.
    behind: u64,
    /// Whether nothing that is recorded later can change what was known by then.
    final_: bool,
    /// How many publications the catalogue holds.
    catalog: u64,
}

impl Moment {
    /// The question for all rows as of this moment, so many at once.
    #[must_use]
    pub fn all(&self, limit: usize) -> Ask {
        Ask { ends: Some(self.deadline.moment()), ..Ask::all(self.when, limit) }
    }

    /// As it is said in an answer.
    #[must_use]
    pub fn as_of(&self) -> AsOf {
        AsOf {
            entries: self.when.known,
            at: self.when.at,
            current: self.current && self.behind == 0,
            behind: self.behind,
            final_: self.final_,
            views: self.engine.versions(),
            catalog: self.catalog,
            partial: false,
        }
    }

    /// The view of this name.
    ///
    /// # Errors
    /// There is none, or it does not answer now.
    pub fn view(&self, name: &str) -> Result<Arc<dyn View>, AnswerError> {
        Ok(self.engine.view(name)?)
    }
}

/// Reads what was asked, waits for what has to be waited for, and finds the moment. Blocks.
///
/// # Errors
/// A parameter is not of its form; there is nothing to wait for; the views do not answer.
pub fn moment(inquiry: &Inquiry<'_>, asked: &AskedMoment) -> Result<Moment, AnswerError> {
    if let Some(held) = asked.held {
        return held_moment(inquiry, held);
    }
    let store = inquiry.store();
    if let Some(seq) = asked.min_seq {
        wait_for(inquiry, seq)?;
    }
    let now = inquiry.desk().clock.now();
    let at = asked.at.as_deref().map(|at| time("at", at)).transpose()?;
    let mut final_ = true;
    let (known, as_of_time) = match asked.as_of.as_deref() {
        None => (None, None),
        Some(text) => match from_decimal(text) {
            Some(seq) => {
                wait_for(inquiry, seq)?;
                (Some(seq + 1), Some(store.time(seq)?))
            }
            None => {
                let time = time("as_of", text)?;
                if time > now.saturating_add(MAX_AHEAD) {
                    return Err(AnswerError::parameter(
                        "as_of",
                        &format!("not ahead of the time, which is {now}"),
                    ));
                }
                let after = time.checked_add(1);
                let after =
                    after.ok_or_else(|| AnswerError::parameter("as_of", "a time before the year 10000"))?;
                let known = store.first_at_or_after(after)?;
                final_ = known < store.size();
                if let Some(last) = known.checked_sub(1) {
                    wait_for(inquiry, last)?;
                }
                (Some(known), Some(time))
            }
        },
    };
    if known.is_none() {
        wait_for_the_present(inquiry)?;
    }
    let engine = inquiry.engine()?;
    let (known, behind) = known.map_or_else(
        || {
            let applied = engine.applied();
            (applied, store.size().saturating_sub(applied))
        },
        |known| (known, 0),
    );
    final_ &= asked.as_of.is_some();
    let when = When { known, at: at.or(as_of_time).unwrap_or(now) };
    let current = asked.as_of.is_none() && asked.at.is_none();
    let (deadline, catalog) = (inquiry.deadline(), inquiry.catalog().publications());
    Ok(Moment { engine, when, current, deadline, behind, final_, catalog })
}

/// The moment at which a list is held. What it says of itself was said with its first part.
fn held_moment(inquiry: &Inquiry<'_>, held: Held) -> Result<Moment, AnswerError> {
    if let Some(last) = held.entries.checked_sub(1) {
        wait_for(inquiry, last)?;
    }
    let (engine, deadline) = (inquiry.engine()?, inquiry.deadline());
    let catalog = inquiry.catalog().publications();
    let when = When { known: held.entries, at: held.at };
    Ok(Moment { engine, when, current: false, deadline, behind: 0, final_: true, catalog })
}

/// The moment of now, for questions that are not asked as of another day.
///
/// # Errors
/// The views do not answer.
pub fn present(inquiry: &Inquiry<'_>) -> Result<Moment, AnswerError> {
    moment(inquiry, &AskedMoment::default())
}

/// Waits until the views have what the log had when they were opened: before that, their present is a past that
/// nobody asked for.
fn wait_for_the_present(inquiry: &Inquiry<'_>) -> Result<(), AnswerError> {
    let views = inquiry.views()?;
    if views.wait_present(patience(inquiry)) {
        return Ok(());
    }
    if let Some(why) = views.problem() {
        return Err(AnswerError::NoViews(format!("{why}; ask again soon")));
    }
    let (applied, size) = (views.applied(), inquiry.store().size());
    let detail =
        format!("the views are being made: {applied} of {size} entries; `/v1/views` tells how far they are");
    Err(AnswerError::Building(detail))
}

/// Waits until the views have an entry.
fn wait_for(inquiry: &Inquiry<'_>, seq: u64) -> Result<(), AnswerError> {
    let size = inquiry.store().size();
    if seq >= size {
        return Err(nothing_to_wait_for(size, seq));
    }
    let views = inquiry.views()?;
    if views.wait_applied(seq.saturating_add(1), patience(inquiry)) {
        return Ok(());
    }
    let detail = format!("the views have {} entries and did not reach {seq} in time", views.applied());
    Err(AnswerError::Building(detail))
}

/// How long a question may wait for something.
pub(super) fn patience(inquiry: &Inquiry<'_>) -> Duration {
    MAX_WAIT.min(inquiry.deadline().left())
}

/// What is said where an entry is waited for that nobody has recorded.
pub(super) fn nothing_to_wait_for(size: u64, seq: u64) -> AnswerError {
    AnswerError::NotThere(format!("the log has {size} entries: there is no {seq} to wait for"))
}

/// A time in a parameter.
///
/// # Errors
/// It is none.
pub fn time(name: &str, text: &str) -> Result<Timestamp, AnswerError> {
    read_time(text).ok_or_else(|| {
        AnswerError::parameter(name, "an RFC 3339 time such as 2026-03-01T00:00:00Z, or a date")
    })
}

/// A time, or a date, which is its first moment in UTC; none if the text is neither, or lies outside the years 0000 to
/// 9999.
#[must_use]
pub(super) fn read_time(text: &str) -> Option<Timestamp> {
    if let Some(day) = Day::parse(text) {
        return Some(day.start());
    }
    // In a query `+` stands for a space; an offset that was not escaped is still one.
    let read = Rfc3339::read(text).or_else(|| Rfc3339::read(&text.replace(' ', "+")));
    read.filter(|read| read.is_plain()).and_then(Rfc3339::exact)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_offset_may_come_with_a_bare_plus() {
        let time = Timestamp::parse("2026-03-01T08:30:00.000000Z");
        for text in ["2026-03-01T09:30:00+01:00", "2026-03-01T09:30:00 01:00"] {
            assert_eq!(read_time(text), time, "{text}");
        }
    }

    #[test]
    fn a_date_is_the_first_moment_of_its_day() {
        assert_eq!(read_time("2026-03-01"), Timestamp::parse("2026-03-01T00:00:00.000000Z"));
    }

    #[test]
    fn what_the_ledger_cannot_hold_is_no_time() {
        for text in ["0000-01-01T00:00:00 23:59", "9999-12-31T23:59:59-23:59", "yesterday", "2026-02-29", ""]
        {
            assert_eq!(read_time(text), None, "{text}");
        }
        // Nor what is refused in events.
        for text in ["2026-03-01 09:30:00+01:00", "2026-03-01T09:30:60Z", "2026-03-01t09:30:00z"] {
            assert_eq!(read_time(text), None, "{text}");
        }
    }
}
