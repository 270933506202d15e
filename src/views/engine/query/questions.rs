//! The questions that every view answers.

use super::asked::{Ask, Found, Page, Place, When};
use super::reading::Reading;
use super::source::{CHUNK, Source};
use crate::spec::time::Timestamp;
use crate::views::engine::error::{EngineError, Result};
use crate::views::engine::keys::DateKind;
use crate::views::engine::state::Engine;
use crate::views::engine::stored::siblings_of;
use crate::views::engine::view::View;
use std::sync::Arc;
use std::time::Instant;

/// Rows looked at between two looks at the clock.
///
/// Reason: some tens of microseconds each, where a row is folded again; the clock costs less than one.
const BETWEEN_LOOKS: usize = 64;

impl Engine {
    /// The definition of a view, as it answers now.
    ///
    /// # Errors
    /// As for every question: there is none, it is being built, or the views have failed.
    pub fn view(&self, name: &str) -> Result<Arc<dyn View>> {
        Ok(self.reading(name)?.view.clone())
    }

    /// The row of this id; of several sources' rows the first one recorded of those that stand.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn row(&self, view: &str, id: &str, when: When) -> Result<Option<Found>> {
        self.row_of(view, id, None, when)
    }

    /// The row of this id and source; without a source, as [`Engine::row`].
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn row_of(&self, view: &str, id: &str, source: Option<&str>, when: When) -> Result<Option<Found>> {
        let reading = self.reading(view)?;
        match reading.number_of(id, source, when)? {
            // What was asked for by another name than its own is not there: the name led to a row since.
            Some(number) => {
                let mut found = reading.found(number, when)?.filter(|found| found.id == id);
                if let Some(found) = &mut found {
                    reading.mark_imported(found, when)?;
                }
                Ok(found)
            }
            None => Ok(None),
        }
    }

    /// The sources that have a row under this id, as known, the first one recorded first.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn sources_of(&self, view: &str, id: &str, when: When) -> Result<Vec<String>> {
        let reading = self.reading(view)?;
        let mut sources = Vec::new();
        for number in reading.numbers(id, when.known)? {
            let source = reading.found(number, when)?.and_then(|found| found.row.source);
            sources.extend(source);
        }
        Ok(sources)
    }

    /// Where a row is no more: the correction that took the last of its events away.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn taken_away(&self, view: &str, id: &str, source: Option<&str>, when: When) -> Result<Option<u64>> {
        let reading = self.reading(view)?;
        let Some(number) = reading.number_of(id, source, when)? else { return Ok(None) };
        let Some(stored) = reading.stored(number)?.filter(|_| number < when.known) else { return Ok(None) };
        let siblings = siblings_of(reading.store(), reading.slot, number, &stored)?;
        let gathered = reading.gathered(number, &stored, &siblings, when)?;
        if !gathered.events.is_empty() || !gathered.later.is_empty() {
            return Ok(None);
        }
        Ok(gathered.gone.into_iter().map(|(_, by)| by).max())
    }

    /// Rows that fit.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn list(&self, view: &str, ask: &Ask) -> Result<Page> {
        let reading = self.reading(view)?.until(ask.ends);
        let mut page = reading.list(ask)?;
        for found in &mut page.rows {
            reading.mark_imported(found, ask.when)?;
        }
        Ok(page)
    }

    /// How many rows have each value of a facet (`state`, or one that the view counts by), as things are at a time;
    /// of what is recorded, everything counts. In the order of the values. From `ends` on nobody waits for it any more.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn counts(
        &self,
        view: &str,
        facet: &str,
        at: Timestamp,
        ends: Option<Instant>,
    ) -> Result<Vec<(String, u64)>> {
        let reading = self.reading(view)?.until(ends);
        if reading.view.judge().is_some() {
            reading.judged_counts(facet, at, ends)
        } else {
            reading.counts(facet, at)
        }
    }

    /// How many rows are overdue at a time. From `ends` on nobody waits for it any more.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn overdue(&self, view: &str, at: Timestamp, ends: Option<Instant>) -> Result<u64> {
        let reading = self.reading(view)?.until(ends);
        if reading.view.judge().is_some() {
            let mut count = 0;
            reading.each(at, ends, &mut |found| count += u64::from(found.overdue(at)))?;
            return Ok(count);
        }
        let mut count = reading.passed(DateKind::Due, at, &|_| true)?;
        for (stored, found) in reading.ahead(at)? {
            let kept = !stored.row.ended && stored.row.due_at.is_some_and(|due| due <= at);
            let is = found.is_some_and(|found| found.overdue(at));
            count = count.saturating_add_signed(i64::from(is) - i64::from(kept));
        }
        Ok(count)
    }

    /// How many rows a view has.
    ///
    /// # Errors
    /// See [`Engine::view`].
    pub fn rows(&self, view: &str) -> Result<u64> {
        Ok(self.reading(view)?.rows)
    }
}

impl Reading<'_> {
    /// Looks at each row as it is at a time.
    pub(super) fn each(
        &self,
        at: Timestamp,
        ends: Option<Instant>,
        look: &mut dyn FnMut(&Found),
    ) -> Result<()> {
        let mut ask = Ask { ends, ..Ask::all(When { known: self.applied, at }, self.bounds.scanned) };
        loop {
            let page = self.list(&ask)?;
            page.rows.iter().for_each(&mut *look);
            match page.next {
                Some(next) => ask.after = Some(next),
                None => return Ok(()),
            }
        }
    }

    pub(in crate::views::engine) fn list(&self, ask: &Ask) -> Result<Page> {
        let mut rows = Vec::new();
        let walked = self.walk(ask, &mut |found| {
            rows.push(found);
            rows.len() < ask.limit
        })?;
        let partial = walked.next.is_some() && rows.len() < ask.limit;
        let Walked { next, looked_at } = walked;
        Ok(Page { rows, next, partial, looked_at, applied: self.applied })
    }

    /// Hands out the rows that fit, in the order asked for, until it is told that they are enough, or as many rows have been
    /// looked at as are for one page.
    pub(super) fn walk(&self, ask: &Ask, more: &mut dyn FnMut(Found) -> bool) -> Result<Walked> {
        let mut source = Source::of(self, ask)?;
        let mut walked = Walked { next: None, looked_at: 0 };
        let (mut last, mut is_enough) = (ask.after, false);
        // One more than a page, to know whether there is a next one; where not all fit, more at once.
        let mut wanted = ask.limit.saturating_add(1).min(CHUNK);
        loop {
            let chunk = source.next(self, last, wanted)?;
            wanted = CHUNK;
            if chunk.is_empty() {
                walked.next = source.next_part();
                return Ok(walked);
            }
            for place in chunk {
                if is_enough || walked.looked_at >= self.bounds.scanned {
                    walked.next = last;
                    return Ok(walked);
                }
                if walked.looked_at.is_multiple_of(BETWEEN_LOOKS)
                    && ask.ends.is_some_and(|ends| Instant::now() >= ends)
                {
                    return Err(EngineError::TookTooLong);
                }
                walked.looked_at += 1;
                last = Some(place);
                let Some(found) = self.found(place.number, ask.when)? else { continue };
                // The date by which it is kept in order is that of the row with all its events.
                if self.fits(ask, &found) {
                    is_enough = !more(found);
                }
            }
        }
    }
}

/// How far a walk over rows came.
pub(super) struct Walked {
    /// After which row to go on; none at the end.
    pub(super) next: Option<Place>,
    /// Rows that were looked at.
    pub(super) looked_at: usize,
}
