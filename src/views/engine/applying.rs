//! One batch applied to all views, in memory, and written as one with their cursor; newer versions built beside.

use super::digest::Digest;
use super::error::{EngineError, Result};
use super::footholds::Footholds;
use super::keys::{self, Slot};
use super::session::Session;
use super::slots::{self, Member, Projection};
use super::state::{Applying, Engine};
use crate::catalog::Catalog;
use crate::follow::{Event, Portion};
use crate::store::seal::{SEAL_KEY, Seal};
use crate::store::{Batch, Table};
use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};

/// Deleted at once of a version that nobody needs any more.
///
/// Reason: a batch of this many keys takes some milliseconds, in which nothing else is applied.
const MAX_DELETED: usize = 4_096;

/// Bytes of entries after which no more are read into a batch.
///
/// Reason: a thousand large events would take a quarter of a gigabyte; this many ordinary ones are a full batch.
pub const MAX_BATCH_BYTES: usize = 4 << 20;

/// Which members want an event.
struct Wanted {
    /// Views of rows, by type of event.
    rows: HashMap<String, Vec<usize>>,
    /// Lists and tallies want every event.
    others: Vec<usize>,
}

impl Wanted {
    fn of(members: &[Member]) -> Wanted {
        let mut wanted = Wanted { rows: HashMap::new(), others: Vec::new() };
        for (place, member) in members.iter().enumerate() {
            match &member.projection {
                Projection::Rows(view) => {
                    for ty in view.types() {
                        wanted.rows.entry(ty).or_default().push(place);
                    }
                }
                Projection::Lists(_) | Projection::Tallies(_) => wanted.others.push(place),
            }
        }
        wanted
    }

    fn rows(&self, event: &Event) -> &[usize] {
        self.rows.get(&event.ty).map_or(&[], Vec::as_slice)
    }
}

impl Engine {
    /// Applies entries, which must be consecutive from [`Engine::applied`], to all views that go together.
    ///
    /// # Errors
    /// The log cannot be read, and nothing was applied; or the store failed, and the views answer no more.
    pub fn apply(&self, events: &[Arc<Event>]) -> Result<()> {
        self.check()?;
        let Some(last) = events.last() else { return Ok(()) };
        let mut applying =
            self.applying.lock().map_err(|_| self.fail("a panic while applying".to_owned()))?;
        let seal = Seal { applied: last.seq + 1, anchor: last.text_hash };
        let (catalog, mut members) = {
            let state = self.state();
            (state.catalog.clone(), state.members.clone())
        };
        let mut batch = self.work(events, &catalog, &mut members, &mut applying)?;
        self.reach.note(&seal);
        for table in Table::ALL {
            batch.put(table, SEAL_KEY, &seal.record());
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        state.members = members;
        self.recorded_at.store(last.recorded_at.micros(), Ordering::Release);
        self.applied.store(seal.applied, Ordering::Release);
        Ok(())
    }

    /// Whether there is something to build beside the views that answer, or to clear away, or another catalogue.
    #[must_use]
    pub fn has_more_to_do(&self) -> bool {
        if self.wish.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return true;
        }
        let state = self.state();
        !state.building.is_empty() || !state.unused.is_empty()
    }

    /// Whether versions are being built beside those that answer.
    #[must_use]
    pub fn is_building(&self) -> bool {
        !self.state().building.is_empty()
    }

    /// Builds newer versions on, by at most `max` entries, or clears away some of what nobody needs any more.
    ///
    /// # Errors
    /// As [`Engine::apply`].
    pub fn build(&self, max: usize) -> Result<()> {
        self.check()?;
        let mut applying =
            self.applying.lock().map_err(|_| self.fail("a panic while building".to_owned()))?;
        let (catalog, building, common) = {
            let state = self.state();
            (state.catalog.clone(), state.building.clone(), self.applied())
        };
        // Those that are furthest behind go first, together, until they meet others.
        let Some(from) = building.iter().filter_map(|member| member.building).min() else {
            return self.clear_away();
        };
        let is_next = |member: &Member| member.building == Some(from);
        let ahead = building.iter().filter_map(|member| member.building).filter(|at| *at > from).min();
        let until = ahead.unwrap_or(common).min(common);
        let mut events = Vec::new();
        let room = usize::try_from(until.saturating_sub(from)).unwrap_or(usize::MAX).min(max);
        if room > 0 {
            let portion = Portion { entries: room, bytes: MAX_BATCH_BYTES, data: true };
            self.feed.read(from, portion, &mut events)?;
        }
        let mut members: Vec<Member> = building.iter().filter(|member| is_next(member)).cloned().collect();
        let reached = events.last().map_or(from, |event| event.seq + 1);
        let mut batch = self.work(&events, &catalog, &mut members, &mut applying)?;
        let done = reached >= common;
        for member in &mut members {
            member.building = (!done).then_some(reached);
            member.put(&mut batch);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        state.building.retain(|member| !is_next(member));
        for member in members {
            if member.building.is_some() {
                state.building.push(member);
                continue;
            }
            let replaced =
                state.members.iter().position(|old| old.projection.name() == member.projection.name());
            tracing::info!(view = member.projection.name(), rows = member.rows, "a view has been built");
            match replaced.and_then(|place| state.members.get_mut(place)) {
                Some(old) => {
                    let old = std::mem::replace(old, member);
                    state.unused.push(old.slot);
                }
                None => state.members.push(member),
            }
        }
        Ok(())
    }

    /// The views are to be these from now on, by this catalogue. What is there in the same version stays; another
    /// version is built beside the one there is, which answers meanwhile.
    ///
    /// # Errors
    /// The store failed.
    pub fn set(&self, catalog: Arc<Catalog>, projections: &[Projection]) -> Result<()> {
        self.check()?;
        let mut applying =
            self.applying.lock().map_err(|_| self.fail("a panic while applying".to_owned()))?;
        // Another catalogue may say something else of the events that they stand on.
        applying.footholds.clear();
        let records = slots::read_all(&*self.store)?;
        let (mut wanted, unused) = slots::assign(projections, &records, self.applied())?;
        let mut batch = Batch::default();
        for member in wanted.iter().filter(|member| !records.iter().any(|(slot, _)| *slot == member.slot)) {
            member.put(&mut batch);
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        let (building, mut members): (Vec<_>, Vec<_>) =
            wanted.drain(..).partition(|member| member.building.is_some());
        // The version that answers now goes on doing so until the new one is there.
        let replaced = |old: &Member| {
            building.iter().any(|new| new.projection.name() == old.projection.name())
                && !members.iter().any(|kept| kept.slot == old.slot)
        };
        let answering: Vec<Member> = state.members.iter().filter(|old| replaced(old)).cloned().collect();
        members.extend(answering);
        state.unused = unused;
        let still_used: Vec<Slot> = members.iter().map(|member| member.slot).collect();
        state.unused.retain(|slot| !still_used.contains(slot));
        state.members = members;
        state.building = building;
        state.catalog = catalog;
        Ok(())
    }

    /// What the entries come to, in one batch; the members' digests and numbers of rows go along.
    fn work(
        &self,
        events: &[Arc<Event>],
        catalog: &Catalog,
        members: &mut [Member],
        applying: &mut Applying,
    ) -> Result<Batch> {
        let wanted = Wanted::of(members);
        let before: Vec<(Digest, u64)> = members.iter().map(|member| (member.digest, member.rows)).collect();
        let begin = || Session::new(&*self.store, &*self.feed, catalog, events);
        let Applying { tails, footholds } = applying;
        let mut beside = members.to_vec();
        // Rows on one side, lists and tallies on the other: neither reads what the other writes.
        let worked = std::thread::scope(|scope| {
            let others = scope.spawn(|| {
                let mut session = begin();
                for event in events {
                    session.list(event, &beside, &wanted.others, tails)?;
                }
                session.finish(&mut beside, tails, &mut Footholds::default()).map(|(batch, _)| batch)
            });
            let mut session = begin();
            for event in events {
                session.rows(event, members, wanted.rows(event))?;
            }
            let (batch, read_again) = session.finish(members, &mut HashMap::new(), footholds)?;
            let others = others.join().map_err(|_| self.fail("a panic while listing".to_owned()))??;
            Ok::<_, EngineError>((batch, others, read_again))
        });
        if worked.is_err() {
            // They may stand on events that are not applied.
            footholds.clear();
        }
        let (mut batch, others, read_again) = worked?;
        self.read_again.fetch_add(read_again, Ordering::Relaxed);
        batch.append(others);
        for place in wanted.others {
            if let (Some(member), Some(listed)) = (members.get_mut(place), beside.get(place)) {
                member.digest = listed.digest;
            }
        }
        for (member, before) in members.iter().zip(before) {
            if (member.digest, member.rows) != before {
                member.put(&mut batch);
            }
        }
        Ok(batch)
    }

    /// Deletes a part of what a version has left that nobody needs any more.
    fn clear_away(&self) -> Result<()> {
        let Some(slot) = self.state().unused.first().copied() else { return Ok(()) };
        let mut batch = Batch::default();
        let mut room = MAX_DELETED;
        let (from, to) = keys::whole(slot);
        for table in Table::ALL {
            self.store.scan(table, &from, &to, false, &mut |key, _| {
                batch.delete(table, key);
                room -= 1;
                if room == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            })?;
            if room == 0 {
                break;
            }
        }
        if room > 0 {
            batch.delete(Table::Meta, &keys::slot_record(slot));
        }
        let mut state = self.state.write().unwrap_or_else(PoisonError::into_inner);
        self.store.apply(batch).map_err(|error| self.fail(error.to_string()))?;
        if room > 0 {
            state.unused.retain(|unused| *unused != slot);
        }
        Ok(())
    }
}
