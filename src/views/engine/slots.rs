//! Which versions of which views the store holds, and how far each has come.

use super::digest::Digest;
use super::error::{EngineError, Result};
use super::keys::{self, Slot};
use super::lists::EntryLists;
use super::tally::Tallier;
use super::view::View;
use crate::store::{Batch, Reader, Table};
use serde::{Deserialize, Serialize};
use std::ops::ControlFlow;
use std::sync::Arc;

/// Something that the engine keeps: rows, lists of entries, or tallies.
#[derive(Clone)]
pub enum Projection {
    /// Rows folded from events.
    Rows(Arc<dyn View>),
    /// Lists of entries.
    Lists(Arc<dyn EntryLists>),
    /// Sums over entries.
    Tallies(Arc<dyn Tallier>),
}

impl Projection {
    /// Its name: no two have the same.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Projection::Rows(view) => view.name(),
            Projection::Lists(lists) => lists.name(),
            Projection::Tallies(tallier) => tallier.name(),
        }
    }

    /// Another version is built anew, beside the old one.
    #[must_use]
    pub fn version(&self) -> u64 {
        match self {
            Projection::Rows(view) => view.version(),
            Projection::Lists(lists) => lists.version(),
            Projection::Tallies(tallier) => tallier.version(),
        }
    }
}

/// What the store says of a slot.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(super) struct SlotRecord {
    pub(super) name: String,
    pub(super) version: u64,
    /// While it is being built beside the others: entries applied. None: it goes with the others.
    pub(super) building: Option<u64>,
    pub(super) digest: String,
    /// Rows that it has.
    pub(super) rows: u64,
}

/// A projection in its slot.
#[derive(Clone)]
pub(super) struct Member {
    pub(super) slot: Slot,
    pub(super) projection: Projection,
    pub(super) digest: Digest,
    pub(super) rows: u64,
    /// See [`SlotRecord::building`].
    pub(super) building: Option<u64>,
}

impl Member {
    pub(super) fn new(slot: Slot, projection: Projection, building: Option<u64>) -> Member {
        Member { slot, projection, digest: Digest::default(), rows: 0, building }
    }

    pub(super) fn put(&self, batch: &mut Batch) {
        let record = SlotRecord {
            name: self.projection.name().to_owned(),
            version: self.projection.version(),
            building: self.building,
            digest: self.digest.hex(),
            rows: self.rows,
        };
        // A struct of texts and numbers always serialises.
        let record = serde_json::to_vec(&record).unwrap_or_default();
        batch.put(Table::Meta, &keys::slot_record(self.slot), &record);
    }
}

/// The records of all slots.
pub(super) fn read_all(store: &dyn Reader) -> Result<Vec<(Slot, SlotRecord)>> {
    let (from, to) = keys::all_slot_records();
    let mut found = Vec::new();
    let mut unreadable = false;
    store.scan(Table::Meta, &from, &to, false, &mut |key, value| {
        let slot = key.last_chunk::<4>().map(|bytes| Slot::from_be_bytes(*bytes));
        match slot.zip(serde_json::from_slice::<SlotRecord>(value).ok()) {
            Some(record) => found.push(record),
            None => unreadable = true,
        }
        ControlFlow::Continue(())
    })?;
    if unreadable { Err(EngineError::Unreadable("a slot's record")) } else { Ok(found) }
}

/// The members that a list of projections comes to, given what the store holds, and the slots that nobody needs any
/// more. `applied` is how far the store's common cursor is: at 0 all begin together.
pub(super) fn assign(
    projections: &[Projection],
    records: &[(Slot, SlotRecord)],
    applied: u64,
) -> Result<(Vec<Member>, Vec<Slot>)> {
    let mut next = records.iter().map(|(slot, _)| *slot).max().unwrap_or(0);
    let mut members = Vec::new();
    for projection in projections {
        let known = records
            .iter()
            .find(|(_, record)| record.name == projection.name() && record.version == projection.version());
        members.push(match known {
            Some((slot, record)) => {
                let digest =
                    Digest::from_hex(&record.digest).ok_or(EngineError::Unreadable("a slot's digest"))?;
                Member {
                    slot: *slot,
                    projection: projection.clone(),
                    digest,
                    rows: record.rows,
                    building: record.building,
                }
            }
            None => {
                next += 1;
                Member::new(next, projection.clone(), (applied > 0).then_some(0))
            }
        });
    }
    let used = |slot: Slot| members.iter().any(|member| member.slot == slot);
    let unused = records.iter().map(|(slot, _)| *slot).filter(|slot| !used(*slot)).collect();
    Ok((members, unused))
}
