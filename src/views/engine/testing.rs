//! Events for the tests of folds, and entries beside rows.

use super::acts::import::{Brought, Import};
use super::acts::imports::imports_of;
use super::acts::listed::lists_of;
use super::error::Result;
use super::judging::{Before, Beside};
use super::row::{Assurance, RowEvent};
use crate::spec::encoding::to_hex;
use crate::spec::time::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::sync::Arc;

/// An event that was done, holds and is recorded at one time, posted by whoever acted, of the source `/t`.
pub(in crate::views) fn event(seq: u64, at: Timestamp, ty: &str, by: &str, data: Value) -> RowEvent {
    RowEvent {
        seq,
        place: seq,
        recorded_at: at,
        acted_at: at,
        effective_at: at,
        happened_at: at,
        early_by: 0,
        after_turn: false,
        act: None,
        ty: ty.to_owned(),
        source: "/t".to_owned(),
        id: format!("e-{seq}"),
        actor: by.to_owned(),
        by: by.to_owned(),
        assurance: Assurance::Asserted,
        data: Arc::new(data),
    }
}

/// What a confirmation of an event has to say, where no log holds it.
pub(in crate::views) fn digest(source: &str, id: &str, ty: &str, data: &Value) -> String {
    format!("sha256:{}", to_hex(&Sha256::digest(format!("{source} {id} {ty} {data}"))))
}

/// Entries about acts of two and imports, held in memory; there are no others beside rows.
pub(in crate::views) struct HeldActs(pub Vec<RowEvent>);

impl Beside for HeldActs {
    fn listed(&self, _: &'static str, _: &str) -> Result<Arc<[RowEvent]>> {
        Ok(Arc::default())
    }

    fn before(&self, _: &'static str, _: &str, _: u64) -> Result<Before> {
        Ok(Before { standing: Arc::default(), corrected: Vec::new() })
    }

    fn first(&self, _: &'static str, _: &str) -> Result<Option<u64>> {
        Ok(None)
    }

    fn acts(&self, field: &'static str, value: &str) -> Result<Arc<[RowEvent]>> {
        let is_on = |event: &&RowEvent| {
            let lists = lists_of(&event.ty, &event.data);
            lists.iter().any(|(on, listed)| *on == field && listed == value)
        };
        let mut events: Vec<RowEvent> = self.0.iter().filter(is_on).cloned().collect();
        events.sort_by_key(|event| (event.place, event.seq));
        Ok(events.into())
    }

    fn any_act(&self, field: &'static str) -> Result<bool> {
        let is_on = |event: &RowEvent| lists_of(&event.ty, &event.data).iter().any(|(on, _)| *on == field);
        Ok(self.0.iter().any(is_on))
    }

    fn imports(&self, source: &str) -> Result<Arc<[Arc<Import>]>> {
        Ok(imports_of(source, self)?.into())
    }

    fn brought(&self, _: &Import) -> Result<Brought> {
        Ok(Brought { is_whole: true, ..Brought::default() })
    }

    fn digest(&self, seq: u64) -> Result<String> {
        let event = self.0.iter().find(|event| event.seq == seq);
        Ok(event.map_or_else(String::new, |event| digest(&event.source, &event.id, &event.ty, &event.data)))
    }
}
