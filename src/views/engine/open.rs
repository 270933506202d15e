//! How the views are opened, and when all of them are thrown away: as the index is (see `index/open.rs`).

use super::acts::counted::Counter;
use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::keys;
use super::slots::{self, Member, Projection, SlotRecord};
use super::state::{Applying, Engine, State};
use super::view::RowName;
use crate::catalog::Catalog;
use crate::follow::Event;
use crate::store::folder::{Folder, FolderError, remove_folder};
use crate::store::opening::{OpenReport, Opened, RebuildReason, UNFINISHED_OPENS};
use crate::store::reach::ReachFile;
use crate::store::seal::{HEADER_KEY, SEAL_KEY, Seal, header_record, read_header};
use crate::store::{self, Batch, EngineKind, Store, StoreError, Table};
use std::path::Path;
use std::sync::atomic::{AtomicI64, AtomicU64};
use std::sync::{Arc, Mutex, OnceLock, RwLock};

/// Raise it with every change to the engine's own records, to what all views share, or to a store's options: all views
/// are then built anew.
const FORMAT_VERSION: u32 = 5;

/// Entries whose rows are looked up at each opening.
///
/// Reason: as for the index, an engine that silently lost a table's file is found out.
const SAMPLES: u64 = 48;

impl Engine {
    /// Opens the views of the ledger `ledger_id` in `dir`, or makes them. They may then be behind the log; they are never
    /// wrong about it.
    ///
    /// # Errors
    /// Another process has them open, `dir` cannot be written, the engine cannot even make a new store, or the log cannot
    /// be read. Damage is no error: they are wiped, and the report says why.
    pub fn open(
        dir: &Path,
        kind: EngineKind,
        ledger_id: [u8; 32],
        feed: Arc<dyn EventFeed>,
        catalog: Arc<Catalog>,
        projections: &[Projection],
    ) -> Result<(Engine, OpenReport)> {
        let folder = Folder::take(dir).map_err(|error| match error {
            FolderError::InUse => EngineError::InUse,
            FolderError::Io(error) => EngineError::Io(error),
        })?;
        let engine_dir = dir.join(kind.name());
        let found = if engine_dir.try_exists()? {
            examine(&folder, kind, &engine_dir, &ledger_id, &*feed, projections)?
        } else {
            for other in EngineKind::FOLDERS {
                remove_folder(&dir.join(other))?;
            }
            Err(None)
        };
        let (store, seal, records, opened) = match found {
            Ok((store, seal, records)) => (store, seal, records, Opened::Kept),
            Err(reason) => {
                if let Some(reason) = &reason {
                    tracing::warn!(%reason, "the views are wiped and built anew");
                    // Marked first: a wipe that a crash cuts short must not leave something that looks whole.
                    folder.mark(&reason.to_string())?;
                    remove_folder(&engine_dir)?;
                }
                let store = create(kind, &engine_dir, &ledger_id)?;
                folder.clear()?;
                (store, Seal::EMPTY, Vec::new(), reason.map_or(Opened::Created, Opened::Rebuilt))
            }
        };
        let (members, unused) = slots::assign(projections, &records, seal.applied)?;
        let mut batch = Batch::default();
        for member in members.iter().filter(|member| !records.iter().any(|(slot, _)| *slot == member.slot)) {
            member.put(&mut batch);
        }
        store.apply(batch)?;
        let (building, members) = members.into_iter().partition(|member: &Member| member.building.is_some());
        let last = seal.applied.checked_sub(1).map(|last| feed.event(last)).transpose()?;
        let behind = feed.committed().saturating_sub(seal.applied);
        let engine = Engine {
            store,
            feed,
            state: RwLock::new(State { catalog, members, building, unused }),
            applying: Mutex::new(Applying::default()),
            wish: Mutex::new(None),
            applied: AtomicU64::new(seal.applied),
            recorded_at: AtomicI64::new(last.map_or(i64::MIN, |last| last.recorded_at.micros())),
            read_again: AtomicU64::new(0),
            failed: OnceLock::new(),
            counter: Counter::default(),
            reach: ReachFile::open(dir, ledger_id, &seal)?,
            folder,
        };
        Ok((engine, OpenReport { opened, applied: seal.applied, behind }))
    }
}

fn create(kind: EngineKind, engine_dir: &Path, ledger: &[u8; 32]) -> Result<Arc<dyn Store>> {
    let store = store::open(kind, engine_dir, &Table::ALL)?;
    let mut batch = Batch::default();
    batch.put(Table::Meta, HEADER_KEY, &header_record(FORMAT_VERSION, ledger));
    for table in Table::ALL {
        batch.put(table, SEAL_KEY, &Seal::EMPTY.record());
    }
    store.apply(batch)?;
    Ok(store)
}

/// A store that can be used, how far it has come, and its slots; or why it is to be wiped.
type Examined =
    std::result::Result<(Arc<dyn Store>, Seal, Vec<(keys::Slot, SlotRecord)>), Option<RebuildReason>>;

fn examine(
    folder: &Folder,
    kind: EngineKind,
    engine_dir: &Path,
    ledger: &[u8; 32],
    feed: &dyn EventFeed,
    projections: &[Projection],
) -> Result<Examined> {
    if let Some(reason) = folder.marked()? {
        return Ok(Err(Some(RebuildReason::FailedBefore(reason))));
    }
    if folder.unfinished_opens()? >= UNFINISHED_OPENS {
        return Ok(Err(Some(RebuildReason::UnfinishedOpens)));
    }
    folder.begin_open()?;
    let checked = store::open(kind, engine_dir, &Table::ALL)
        .map_err(EngineError::from)
        .and_then(|store| check(store, ledger, feed, projections));
    folder.end_open()?;
    match checked {
        Err(EngineError::Store(StoreError::Locked)) => Err(EngineError::InUse),
        Err(EngineError::Store(error)) => Ok(Err(Some(RebuildReason::Damaged(error.to_string())))),
        Err(EngineError::Unreadable(what)) => Ok(Err(Some(RebuildReason::Damaged(what.to_owned())))),
        other => other,
    }
}

fn check(
    store: Arc<dyn Store>,
    ledger: &[u8; 32],
    feed: &dyn EventFeed,
    projections: &[Projection],
) -> Result<Examined> {
    let damaged = |what: &str| Ok(Err(Some(RebuildReason::Damaged(what.to_owned()))));
    let header = store.get(Table::Meta, HEADER_KEY)?.and_then(|header| read_header(&header));
    match header {
        Some((version, _)) if version != FORMAT_VERSION => {
            return Ok(Err(Some(RebuildReason::OtherVersion { found: version, expected: FORMAT_VERSION })));
        }
        Some((_, Some(id))) if id == *ledger => {}
        Some((_, Some(_))) => return Ok(Err(Some(RebuildReason::OtherLedger))),
        Some((_, None)) | None => return damaged("an unreadable header"),
    }
    let mut seals = Vec::new();
    for table in Table::ALL {
        seals.push(store.get(table, SEAL_KEY)?.and_then(|record| Seal::read(&record)));
    }
    let Some(seal) = seals.first().copied().flatten() else { return damaged("no seal") };
    if seals.iter().any(|other| *other != Some(seal)) {
        return damaged("its tables have come to different entries");
    }
    let committed = feed.committed();
    if seal.applied > committed {
        let how = format!("they have {} entries, and the log {committed}", seal.applied);
        return Err(EngineError::KnowsMore(how));
    }
    if let Some(last) = seal.applied.checked_sub(1)
        && feed.event(last)?.text_hash != seal.anchor
    {
        return Err(EngineError::KnowsMore(format!("entry {last} is another one in the log")));
    }
    let records = slots::read_all(&*store)?;
    let (members, _) = slots::assign(projections, &records, seal.applied)?;
    let step = (seal.applied / SAMPLES).max(1);
    for seq in (0..seal.applied).step_by(usize::try_from(step).unwrap_or(usize::MAX)) {
        let event = feed.event(seq)?;
        if let Some(what) = missing(&*store, &members, &event)? {
            return damaged(&format!("{what} of entry {seq} is not there"));
        }
    }
    Ok(Ok((store, seal, records)))
}

/// What should be there of an entry, and is not.
fn missing(store: &dyn Store, members: &[Member], event: &Event) -> Result<Option<&'static str>> {
    for member in members.iter().filter(|member| member.building.is_none()) {
        let Projection::Rows(view) = &member.projection else { continue };
        if !view.types().contains(&event.ty) {
            continue;
        }
        let Some(name) = view.row_of_source(&event.ty, &event.source, &event.data) else { continue };
        let record = store.get(Table::Ids, &keys::name(member.slot, &name))?;
        let Some(number) = record.and_then(|record| keys::number_of(&record)) else {
            return Ok(Some("a row's name"));
        };
        if store.get(Table::Rows, &keys::row(member.slot, number))?.is_none() {
            return Ok(Some("a row"));
        }
        // With another source's row of the id, if not with the first one.
        let own = match &name {
            RowName::Id(id) => {
                store.get(Table::Ids, &keys::name_of_source(member.slot, id, &event.source))?
            }
            RowName::Alias(_) => None,
        };
        let rows = [Some(number), own.and_then(|record| keys::number_of(&record))];
        let is_kept = |number: &u64| {
            let key = keys::event(member.slot, *number, event.seq);
            Ok::<_, StoreError>(
                (*number == event.seq && !view.keeps_data()) || store.get(Table::Events, &key)?.is_some(),
            )
        };
        let mut kept = false;
        for number in rows.iter().flatten() {
            kept = kept || is_kept(number)?;
        }
        if !kept {
            return Ok(Some("an event of a row"));
        }
    }
    Ok(None)
}
