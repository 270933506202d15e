//! Rows as their view's judge has them.

use super::asked::{Found, Scheduled, When};
use super::reading::Reading;
use crate::spec::time::Timestamp;
use crate::views::engine::error::{EngineError, Result};
use crate::views::engine::fold::advance;
use crate::views::engine::judging::Judge;
use crate::views::engine::row::{Row, RowEvent};
use crate::views::engine::stored::Stored;

impl Reading<'_> {
    /// What a kept row comes to, at a time, by what is known.
    pub(in crate::views::engine) fn judge(
        &self,
        judge: &dyn Judge,
        row: &Row,
        When { known, at }: When,
    ) -> Result<Option<Row>> {
        if self.lists.is_none() {
            return Err(EngineError::NoSuchView(judge.lists().to_owned()));
        }
        judge.judge(row, at, &self.aside(known))
    }

    /// A row as of a moment, judged. All of its events that are known have a say in it, also those that were done later:
    /// whether a vote was recorded before the end of its round depends on them.
    pub(super) fn judged(
        &self,
        judge: &dyn Judge,
        number: u64,
        stored: Stored,
        (siblings, others): (&[(u64, u64)], u64),
        when: When,
    ) -> Result<Option<Found>> {
        if stored.last_seq < when.known && stored.latest <= when.at {
            if stored.row.counts.is_empty() {
                return Ok(None);
            }
            let row = self.judge(judge, &stored.row, when)?;
            return Ok(row.map(|row| Found {
                id: stored.id,
                number,
                last_seq: stored.last_seq,
                changed_at: stored.latest,
                opened_at: stored.opened_at,
                corrected: stored.corrected,
                others,
                scheduled: Vec::new(),
                row,
            }));
        }
        let gathered = self.gathered(number, &stored, siblings, When { at: Timestamp::LAST, ..when })?;
        let (mut all, mut held) = (Row::default(), Row::default());
        for event in &gathered.events {
            advance(&*self.view, &mut all, event);
            if event.effective_at <= when.at {
                advance(&*self.view, &mut held, event);
            }
        }
        let Some(mut row) = self.judge(judge, &all, when)? else { return Ok(None) };
        (row.counts, row.assurance, row.actors) = (held.counts, held.assurance, held.actors);
        let begun = |event: &&RowEvent| event.effective_at <= when.at || event.acted_at <= when.at;
        let Some(opened_at) = gathered.events.iter().find(begun).map(|event| event.effective_at) else {
            return Ok(None);
        };
        let effective = gathered.events.iter().map(|event| event.effective_at);
        let changed_at = effective.filter(|effective| *effective <= when.at).max().unwrap_or(opened_at);
        let later = gathered.events.iter();
        let later = later.filter(|event| event.effective_at > when.at && event.acted_at <= when.at);
        let corrected = stored.corrected.into_iter().filter(|(_, correction)| *correction < when.known);
        let corrected: Vec<(u64, u64)> = corrected.collect();
        let last_seq = corrected.iter().map(|(_, by)| *by).fold(gathered.last_seq, u64::max);
        Ok(Some(Found {
            id: stored.id,
            number,
            last_seq,
            changed_at,
            opened_at,
            corrected,
            others,
            scheduled: later.map(Scheduled::of).collect(),
            row,
        }))
    }
}
