//! What a source says that it posted, held against what the ledger has of it.

use super::Inquiry;
use super::error::AnswerError;
use super::walk::{MAX_WALKED, index_up_to, indexed, walk};
use crate::index::Filter;
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use crate::views::engine::{CORRECTION, Change, Engine, EngineError, Event, HistoryPart, MAX_HISTORY, When};
use crate::views::sources::{SOURCES, Stretch, minute_name, minute_of};
use serde_json::Value;

/// The register of what sources say.
pub const RECONCILIATIONS: &str = "reconciliations";

/// The type of event with which a source says it.
const RECONCILED: &str = "source.reconciled";

/// Counts by the minute that are read at once.
const MINUTES_AT_ONCE: usize = 10_000;

/// Counts by the minute that are added up for one stretch of time.
///
/// Reason: a year of a source that posts every minute.
const MAX_MINUTES: usize = 600_000;

/// How long before it happened an event may have been recorded and is still found.
///
/// Reason: clocks of other machines go ahead by seconds; more than this is not a clock any more.
const AHEAD: i64 = 5 * MICROS_PER_MINUTE;

/// What a source says that it posted in a stretch of time, and what the ledger has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reconciliation {
    /// The entry in which the source says so.
    pub seq: u64,
    /// Who says so.
    pub by: String,
    /// When.
    pub at: Timestamp,
    /// It counts events that happened from here on …
    pub from: Timestamp,
    /// … and before here.
    pub to: Timestamp,
    /// Events that it says it posted.
    pub stated: u64,
    /// Events of the source in this stretch that the ledger has now.
    pub counted: u64,
    /// `counted` less `stated`: below 0, the ledger lacks events.
    pub difference: i64,
    /// Whether `counted` is exact, or at least so much.
    pub exact: bool,
}

/// Holds what sources say against what the ledger has, for one answer.
pub struct Comparing<'a> {
    /// Who asks, and until when.
    pub inquiry: Inquiry<'a>,
    /// The engine that is asked.
    pub engine: &'a Engine,
    /// Counts by the minute that were added up so far.
    pub minutes: usize,
}

impl Comparing<'_> {
    /// Whether so much has been counted that one answer had better end.
    #[must_use]
    pub fn is_enough(&self) -> bool {
        self.minutes >= MAX_MINUTES
    }

    /// What a source said that was recorded last, at most `limit` times, the last first; fewer where counting takes long.
    ///
    /// # Errors
    /// The views or the log do not answer.
    pub fn of(&mut self, source: &str, limit: usize) -> Result<Vec<Reconciliation>, AnswerError> {
        let mut found = Vec::new();
        for event in said(&self.inquiry, self.engine, source, limit)? {
            if !found.is_empty() && self.is_enough() {
                break;
            }
            found.extend(self.compared(source, &event)?);
        }
        Ok(found)
    }

    fn compared(&mut self, source: &str, event: &Event) -> Result<Option<Reconciliation>, AnswerError> {
        let time = |name: &str| event.data.get(name).and_then(Value::as_str).and_then(Timestamp::recorded);
        let stated = event.data.get("count").and_then(Value::as_u64);
        // The schema asks for all three; another version of it may not.
        let (Some(from), Some(to), Some(stated)) = (time("from"), time("to"), stated) else {
            return Ok(None);
        };
        let stretch = Stretch::between(from, to);
        let (mut counted, mut exact) = self.count_minutes(source, stretch.whole)?;
        for part in stretch.parts.into_iter().flatten() {
            let (in_part, all) = count_part(&self.inquiry, self.engine, source, part)?;
            counted += in_part;
            exact &= all;
        }
        Ok(Some(Reconciliation {
            seq: event.seq,
            by: event.by().to_owned(),
            at: event.happened_at,
            from,
            to,
            stated,
            counted,
            difference: difference(counted, stated),
            exact,
        }))
    }

    /// How many events of a source happened in whole minutes, and whether these are all.
    fn count_minutes(
        &mut self,
        source: &str,
        (from, to): (Timestamp, Timestamp),
    ) -> Result<(u64, bool), AnswerError> {
        let (mut from, to) = (minute_name(source, from), minute_name(source, to));
        let (mut count, mut minutes) = (0, 0);
        while from < to {
            self.inquiry.deadline().check()?;
            let page = self.engine.tallies_between(SOURCES, &from, &to, MINUTES_AT_ONCE)?;
            count += page.iter().filter_map(|(_, count)| count.as_u64()).sum::<u64>();
            minutes += page.len();
            self.minutes += page.len();
            match page.last().filter(|_| page.len() == MINUTES_AT_ONCE) {
                Some(_) if minutes >= MAX_MINUTES => return Ok((count, false)),
                // The name that follows this one.
                Some((last, _)) => from = format!("{last}\0"),
                None => break,
            }
        }
        Ok((count, true))
    }
}

fn difference(counted: u64, stated: u64) -> i64 {
    let size = i64::try_from(counted.abs_diff(stated)).unwrap_or(i64::MAX);
    if counted < stated { -size } else { size }
}

/// The events in which a source said what it posted, the last first; without those that corrections took away.
fn said(
    inquiry: &Inquiry<'_>,
    engine: &Engine,
    source: &str,
    limit: usize,
) -> Result<Vec<Event>, AnswerError> {
    // Whatever was recorded is said, also by a source whose clock goes ahead.
    let when = When { known: engine.applied(), at: Timestamp::LAST };
    let row = match engine.row(RECONCILIATIONS, source, when) {
        Ok(Some(row)) => row,
        Ok(None) | Err(EngineError::NoSuchView(_)) => return Ok(Vec::new()),
        Err(error) => return Err(error.into()),
    };
    if limit == 1 {
        let last = inquiry.event(row.last_seq)?;
        if last.ty != CORRECTION && row.corrected.is_empty() {
            return Ok(vec![last]);
        }
    }
    let newest = HistoryPart { after: None, newest_first: true, limit: MAX_HISTORY };
    let history = engine.history_of(RECONCILIATIONS, source, None, when, newest)?;
    let changes = history.map(|history| history.changes).unwrap_or_default();
    let counts = |change: &&Change| change.corrected_by.is_none() && change.ty == RECONCILED;
    let mut seqs: Vec<u64> = changes.iter().filter(counts).map(|change| change.seq).collect();
    seqs.sort_unstable();
    seqs.into_iter().rev().take(limit).map(|seq| inquiry.event(seq)).collect()
}

/// The events of a part of one minute, looked at one by one until all of the minute have been seen.
fn count_part(
    inquiry: &Inquiry<'_>,
    engine: &Engine,
    source: &str,
    (from, to): (Timestamp, Timestamp),
) -> Result<(u64, bool), AnswerError> {
    let minute = minute_of(from);
    let name = minute_name(source, minute);
    let tally = engine.tallies_between(SOURCES, &name, &format!("{name}\0"), 1)?;
    let all = tally.first().and_then(|(_, count)| count.as_u64()).unwrap_or(0);
    if all == 0 {
        return Ok((0, true));
    }
    let first = inquiry.store().first_at_or_after(minute.saturating_add(-AHEAD))?;
    let applied = engine.applied();
    let index = index_up_to(inquiry, applied)?;
    let filter = Filter { source: Some(source), ..Filter::default() };
    let walked = walk(
        inquiry.deadline(),
        (first, applied),
        false,
        usize::try_from(all).unwrap_or(usize::MAX),
        MAX_WALKED,
        |range, limit| indexed(index, filter, range, false, limit),
        |seq| {
            let event = inquiry.event(seq)?;
            let in_minute = event.source == source && minute_of(event.happened_at) == minute;
            Ok(in_minute.then_some(event.happened_at))
        },
    )?;
    let in_part = walked.items.iter().filter(|time| (from..to).contains(*time)).count();
    Ok((in_part as u64, walked.items.len() as u64 == all))
}
