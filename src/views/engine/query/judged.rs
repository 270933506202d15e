//! Rows as their view's judge has them, and the entries beside them that it looks at.

use super::asked::{Found, Scheduled, When};
use super::reading::Reading;
use super::remembered::{Listed, SpokenOf};
use crate::spec::time::Timestamp;
use crate::views::engine::corrections::Counts;
use crate::views::engine::error::{EngineError, Result};
use crate::views::engine::fold::advance;
use crate::views::engine::judging::{Before, Beside, Judge};
use crate::views::engine::keys::Slot;
use crate::views::engine::lists;
use crate::views::engine::row::{Row, RowEvent};
use crate::views::engine::stored::Stored;
use std::collections::BTreeMap;
use std::sync::Arc;

/// Entries of one list that are read for a judgement, the newest of them.
///
/// Reason: each is read from the log once a question, some tens of microseconds. They are the roles of one person, or the
/// rights lent to one.
const MAX_BESIDE: usize = 2_048;

/// Lists that a question remembers.
///
/// Reason: some hundred bytes an event, so some megabytes. Beyond, it begins anew.
const MAX_REMEMBERED: usize = 4_096;

/// Entries of a list that are asked for at once.
const CHUNK: usize = 256;

struct Aside<'a> {
    reading: &'a Reading<'a>,
    slot: Slot,
    known: u64,
}

impl Aside<'_> {
    fn entries(
        &self,
        list: (&str, &str),
        range: (u64, u64),
        newest_first: bool,
        limit: usize,
    ) -> Result<Vec<u64>> {
        lists::entries(self.reading.store(), self.slot, &[list], range, newest_first, limit)
    }

    fn read(&self, field: &'static str, value: &str) -> Result<Listed> {
        let seqs = self.entries((field, value), (0, self.known), true, MAX_BESIDE)?;
        let corrections = self.reading.corrections();
        let (feed, catalog) = (&*self.reading.engine.feed, &self.reading.catalog);
        let mut standing = Vec::with_capacity(seqs.len());
        let mut spoken_of = BTreeMap::new();
        for seq in seqs {
            let said = corrections.said_of(seq)?;
            let event = feed.event(seq)?.for_row(catalog);
            if said.is_nothing() {
                standing.push(event);
                continue;
            }
            let placed = match said.target() {
                Some(target) => {
                    let target = feed.event(target)?;
                    Some([false, true].map(|retimed| {
                        let mut placed = event.clone();
                        placed.put_in_place(&target, retimed);
                        placed
                    }))
                }
                None => None,
            };
            let one = SpokenOf { event, placed, said };
            standing.extend(one.counted(self.known).cloned());
            spoken_of.insert(seq, one);
        }
        standing.sort_by_key(|event| (event.place, event.seq));
        Ok(Listed { standing: standing.into(), spoken_of })
    }

    /// The entries of a list, remembered.
    fn list(&self, field: &'static str, value: &str) -> Result<Arc<Listed>> {
        let key = (self.known, field, value.to_owned());
        if let Some(known) = self.reading.remembered.listed.borrow().get(&key) {
            return Ok(known.clone());
        }
        let listed = Arc::new(self.read(field, value)?);
        let mut remembered = self.reading.remembered.listed.borrow_mut();
        if remembered.len() >= MAX_REMEMBERED {
            remembered.clear();
        }
        remembered.insert(key, listed.clone());
        Ok(listed)
    }

    fn find_first(&self, field: &'static str, value: &str) -> Result<Option<u64>> {
        let corrections = self.reading.corrections();
        let mut from = 0;
        let mut first: Option<u64> = None;
        loop {
            let seqs = self.entries((field, value), (from, self.known), false, CHUNK)?;
            for seq in &seqs {
                match corrections.counts(*seq, self.known)? {
                    // What comes later stands later, but for what takes the place of something that was passed by.
                    Counts::AsItIs => return Ok(Some(first.map_or(*seq, |first| first.min(*seq)))),
                    Counts::InPlaceOf { target, .. } => {
                        first = Some(first.map_or(target, |first| first.min(target)));
                    }
                    Counts::Not { by } => {
                        if corrections.replaces(by)? {
                            first = Some(first.map_or(*seq, |first| first.min(*seq)));
                        }
                    }
                }
            }
            match seqs.last() {
                Some(last) if seqs.len() == CHUNK => from = last.saturating_add(1),
                _ => return Ok(first),
            }
        }
    }
}

impl Beside for Aside<'_> {
    fn listed(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>> {
        Ok(self.list(field, value)?.standing.clone())
    }

    fn before(&self, field: &'static str, value: &str, known: u64) -> Result<Before> {
        let listed = self.list(field, value)?;
        let differs = |one: &&SpokenOf| one.said.counts(self.known) != one.said.counts(known);
        if !listed.spoken_of.values().any(|one| differs(&one)) {
            return Ok(Before { standing: listed.standing.clone(), corrected: Vec::new() });
        }
        let untouched = listed.standing.iter().filter(|event| !listed.spoken_of.contains_key(&event.seq));
        let stood = listed.spoken_of.values().filter_map(|one| one.counted(known));
        let mut standing: Vec<RowEvent> = untouched.chain(stood).cloned().collect();
        let corrected = listed.spoken_of.values().filter(differs);
        let corrected = corrected.filter_map(|one| {
            let event = one.counted(known).or_else(|| one.counted(self.known))?;
            Some((event.clone(), one.said.last(self.known)?))
        });
        let corrected = corrected.collect();
        standing.sort_by_key(|event| (event.place, event.seq));
        Ok(Before { standing: standing.into(), corrected })
    }

    fn first(&self, field: &'static str, value: &str) -> Result<Option<u64>> {
        let key = (self.known, field, value.to_owned());
        if let Some(known) = self.reading.remembered.first.borrow().get(&key) {
            return Ok(*known);
        }
        let first = self.find_first(field, value)?;
        self.reading.remembered.first.borrow_mut().insert(key, first);
        Ok(first)
    }
}

impl Reading<'_> {
    /// What a kept row comes to, at a time, by what is known.
    pub(in crate::views::engine) fn judge(
        &self,
        judge: &dyn Judge,
        row: &Row,
        When { known, at }: When,
    ) -> Result<Option<Row>> {
        let slot = self.lists.ok_or_else(|| EngineError::NoSuchView(judge.lists().to_owned()))?;
        judge.judge(row, at, &Aside { reading: self, slot, known: known.min(self.applied) })
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
