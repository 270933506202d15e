//! The fold of registers: rows with one life in rounds, rows of stretches, deployments.

use super::acts::Heed;
use super::declared::{Kind, RegisterView};
use super::states::OPENED;
use super::{deployments, imports, rounds, stretched};
use crate::catalog::{KEY_JOINER, Moves};
use crate::spec::time::Timestamp;
use crate::views::engine::{
    ACT_TYPES, ACTS, Beside, Judge, OUT_OF_ORDER, Opening, Result, Row, RowEvent, RowName, View,
};
use crate::views::stretches;
use serde_json::{Value, json};

/// From when the value of each field holds.
const VALID_FROM: &str = "valid_from_of";

/// The field from which a clock runs: the earliest that any standing entry tells.
const AWARE_AT: &str = "aware_at";

/// A later due date of what was told again while it was open.
const EXTENDED_DUE_AT: &str = "extended_due_at";

/// Entries that ended nothing.
const ENDED_NOTHING: &str = "ended_nothing";

/// Endings that ended nothing and are shown.
///
/// Reason: one is enough to make somebody look; all are in the history.
const MAX_NOTHING: usize = 32;

impl RegisterView {
    /// One event of a row with one life.
    fn step_of_life(&self, row: &mut Row, event: &RowEvent) {
        let register = &self.register;
        let opens = self.opens(&event.ty);
        let again = opens && row.ended;
        if again || (opens && row.state.is_empty()) {
            let key: Vec<(&str, Option<Value>)> =
                self.key.iter().map(|name| (*name, row.value(name).cloned())).collect();
            let mut of_a_round: Vec<&str> = register.fields.iter().map(String::as_str).collect();
            of_a_round.extend([VALID_FROM, AWARE_AT, EXTENDED_DUE_AT, ENDED_NOTHING]);
            rounds::begin(row, event.acted_at, event.effective_at, &of_a_round);
            for (name, value) in key {
                row.fields.extend(value.map(|value| (name.to_owned(), value)));
            }
        }
        let before = (!row.state.is_empty()).then(|| row.state.clone());
        let next = register.next_state(&event.ty, &event.data, before.as_deref());
        let ends = register.ends.contains(&next);
        let lies_before = rounds::opened_from(row).is_some_and(|from| event.effective_at < from);
        if ends && event.is_too_early() && lies_before {
            // Told so long before the opening, it is an ending of something else, or a mistake.
            end_nothing(row, event);
            return;
        }
        if ends && !row.ended {
            rounds::end(row, row.due_at, event.effective_at);
        }
        let told_again = opens && before.is_some() && self.opening(&event.ty) == Opening::Rounds;
        let due = register.due_at.as_deref().filter(|_| told_again);
        let due = due.and_then(|name| Some((name, row.fields.get(name)?.clone())));
        row.state = next;
        row.ended = ends;
        self.carry(row, event);
        self.carry_earliest(row, event);
        if let Some((name, first)) = due {
            self.keep_first_due(row, name, first);
        }
        self.dates(row);
    }

    /// Fields take their value from the last event by valid time; events come in the order in which they were done.
    pub(super) fn carry(&self, row: &mut Row, event: &RowEvent) {
        let at = event.effective_at.micros();
        for (name, value) in self.register.carried(&event.ty, &event.data) {
            let stamps = row.memo.entry(VALID_FROM).or_insert_with(|| json!({}));
            let Some(stamps) = stamps.as_object_mut() else { return };
            if stamps.get(name).and_then(Value::as_i64).is_some_and(|before| at < before) {
                continue;
            }
            stamps.insert(name.to_owned(), at.into());
            match value {
                Some(value) => row.set(name, value.clone()),
                None => {
                    row.fields.remove(name);
                }
            }
        }
    }

    fn carry_earliest(&self, row: &mut Row, event: &RowEvent) {
        if !self.register.fields.iter().any(|name| name == AWARE_AT) || !self.opens(&event.ty) {
            return;
        }
        let Some(told) = event.time(AWARE_AT) else { return };
        let earliest = row.remembered(AWARE_AT).map_or(told, |before| before.min(told));
        row.remember(AWARE_AT, earliest);
        if earliest < told || row.time(AWARE_AT).is_some_and(|shown| earliest < shown) {
            row.set_time(AWARE_AT, earliest);
        }
    }

    /// What is told again while it is open has the due date that it had; a later one is shown.
    fn keep_first_due(&self, row: &mut Row, name: &str, first: Value) {
        let time = |value: &Value| Timestamp::recorded(value.as_str()?);
        let told = row.fields.get(name).cloned();
        let later = match (told.as_ref().and_then(time), time(&first)) {
            (Some(told), Some(first)) => told > first,
            (told, _) => told.is_none(),
        };
        if later {
            row.fields.extend(told.map(|told| (EXTENDED_DUE_AT.to_owned(), told)));
            row.set(name, first);
        }
    }
}

/// Shows that an event ended nothing.
fn end_nothing(row: &mut Row, event: &RowEvent) {
    let nothing = row.list(ENDED_NOTHING);
    if nothing.len() < MAX_NOTHING {
        nothing.push(event.seq.into());
    }
}

impl Judge for RegisterView {
    fn lists(&self) -> &'static str {
        ACTS
    }

    fn types(&self) -> &'static [&'static str] {
        ACT_TYPES
    }

    fn judge(&self, row: &Row, at: Timestamp, beside: &dyn Beside) -> Result<Option<Row>> {
        let opens_imports = self.two.contains(OPENED);
        Ok(Some(if opens_imports { self.import(row, at, beside)? } else { row.clone() }))
    }

    fn states(&self, _: &Row) -> Vec<&'static str> {
        self.states.clone()
    }
}

impl View for RegisterView {
    fn name(&self) -> &str {
        &self.register.name
    }

    fn family(&self) -> &str {
        &self.register.family
    }

    fn version(&self) -> u64 {
        self.version
    }

    /// In the order of a row's life: what opens it, what happens to it, what ends it.
    fn types(&self) -> Vec<String> {
        let mut types: Vec<&String> = self.register.events.keys().collect();
        types.sort_by_key(|ty| self.register.place_in_life(ty));
        types.into_iter().cloned().collect()
    }

    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName> {
        self.register.row_of(ty, data).map(RowName::Id)
    }

    fn opening(&self, ty: &str) -> Opening {
        let known = self.register.events.get(ty).zip(self.openings.get(ty));
        let Some((reaction, opening)) = known else { return Opening::None };
        // Where several types open rows, one that also moves them is a step as much as an opening, of whichever source.
        let is_a_step = self.several_open() && reaction.moves != Moves::Stays;
        if self.kind != Kind::Lives || is_a_step { Opening::Beside } else { *opening }
    }

    fn is_of_one_source(&self) -> bool {
        self.register.events.keys().any(|ty| self.opening(ty).is_of_one_source())
    }

    fn ends_round(&self, ty: &str) -> bool {
        const END: u8 = 2;
        self.openings.values().any(|opening| *opening == Opening::Rounds)
            && self.register.place_in_life(ty) == END
    }

    fn effective_at(&self, event: &RowEvent) -> Timestamp {
        let from = self.register.valid_from.as_deref().filter(|_| self.opens(&event.ty));
        let told = from.and_then(|name| {
            let mut carried = self.register.carried(&event.ty, &event.data).into_iter();
            stretches::begins(carried.find(|(carried, _)| *carried == name)?.1)
        });
        told.unwrap_or(event.effective_at)
    }

    fn is_act_of_two(&self, ty: &str) -> bool {
        self.two.contains(ty)
    }

    fn has_acts_of_two(&self) -> bool {
        !self.two.is_empty()
    }

    fn judge(&self) -> Option<&dyn Judge> {
        if self.two.is_empty() { None } else { Some(self) }
    }

    fn is_reckoned(&self, ty: &str) -> bool {
        self.kind != Kind::Lives && self.register.events.contains_key(ty)
    }

    fn settle(&self, row: &mut Row, at: Timestamp) {
        match self.kind {
            Kind::Lives => {}
            Kind::Beside => self.settle_beside(row, at),
            Kind::Deployments => self.settle_deployments(row, at),
        }
    }

    fn settled_from(&self, row: &Row) -> Option<Timestamp> {
        row.stretches.settled_from()
    }

    fn show(&self, row: &mut Row, at: Timestamp) {
        stretched::show(row, at);
    }

    /// A clock runs from the earliest time that any standing entry tells.
    fn told_again(&self, row: &mut Row, event: &RowEvent) {
        self.carry_earliest(row, event);
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        if let Some(id) = self.register.row_of(&event.ty, &event.data) {
            for (name, part) in self.key.iter().zip(id.split(KEY_JOINER)) {
                row.set(name, part);
            }
        }
        if self.has_acts_of_two() {
            match self.heed(row, event) {
                Heed::Does => imports::note(row, event),
                Heed::Waits => return imports::note(row, event),
                Heed::EndsNothing => return end_nothing(row, event),
            }
        }
        match self.kind {
            Kind::Lives => self.step_of_life(row, event),
            Kind::Beside => self.step_beside(row, event),
            Kind::Deployments => self.step_deployments(row, event),
        }
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        if self.key.len() < 2 {
            // The id itself finds it.
            return Vec::new();
        }
        self.key.iter().filter_map(|name| Some((*name, row.text(name)?.to_owned()))).collect()
    }

    fn list_fields(&self) -> Vec<&'static str> {
        if self.key.len() < 2 { Vec::new() } else { self.key.clone() }
    }

    fn fields(&self) -> Vec<&str> {
        let fields = self.register.fields.iter().map(String::as_str);
        let keys =
            self.key.iter().copied().filter(|name| !self.register.fields.iter().any(|field| field == name));
        fields.chain(keys).chain(self.flags()).collect()
    }

    fn flags(&self) -> Vec<&'static str> {
        match self.kind {
            Kind::Lives if self.two.contains(OPENED) => {
                vec![imports::DIFFERS, rounds::MISSED_BEFORE, OUT_OF_ORDER]
            }
            Kind::Lives => vec![rounds::MISSED_BEFORE, OUT_OF_ORDER],
            Kind::Beside => vec![OUT_OF_ORDER],
            Kind::Deployments => vec![deployments::OVER_ONE, OUT_OF_ORDER],
        }
    }

    fn words(&self, field: &str) -> Option<Vec<String>> {
        (field == "state").then(|| self.states.iter().copied().map(str::to_owned).collect())
    }

    fn places_of(&self, field: &str) -> Vec<(String, String)> {
        let places = self.register.sources_of(field);
        places.map(|(event_type, path)| (event_type.to_owned(), path.to_owned())).collect()
    }

    fn counted_fields(&self) -> Vec<&str> {
        if self.register.owner.is_some() { vec!["owner"] } else { Vec::new() }
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        row.owner.iter().map(|owner| ("owner", owner.clone())).collect()
    }
}
