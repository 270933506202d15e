//! A register of the catalogue as a view: one fold for all of them, driven by what the catalogue says of each.

use super::engine::{Row, RowEvent, RowName, View};
use crate::catalog::{KEY_JOINER, Register};
use crate::spec::time::Timestamp;
use serde_json::Value;
use sha2::{Digest as _, Sha256};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Raise it with every change to how registers are folded.
const FOLD_VERSION: u64 = 1;

/// One register.
pub struct RegisterView {
    register: Register,
    version: u64,
    /// The names of the key's parts, by which rows are listed.
    key: Vec<&'static str>,
}

impl RegisterView {
    /// The view of a register as the catalogue declares it.
    #[must_use]
    pub fn new(register: &Register) -> RegisterView {
        let key = register.key.iter().map(|name| interned(name)).collect();
        RegisterView { version: fingerprint(FOLD_VERSION, register), key, register: register.clone() }
    }

    /// What the catalogue says of it.
    #[must_use]
    pub fn register(&self) -> &Register {
        &self.register
    }
}

/// A version for what is declared: another declaration has another one.
pub(super) fn fingerprint(fold_version: u64, declared: &impl std::fmt::Debug) -> u64 {
    let hash: [u8; 32] = Sha256::digest(format!("{fold_version} {declared:?}")).into();
    // 32 bytes have a first 8. Half of them are enough for a number that JSON readers keep.
    hash.first_chunk::<8>().map_or(0, |bytes| u64::from_be_bytes(*bytes) >> 16)
}

/// The same text for as long as the process lives. There are as many as the catalogue has names of key fields.
fn interned(name: &str) -> &'static str {
    static NAMES: Mutex<BTreeSet<&'static str>> = Mutex::new(BTreeSet::new());
    let mut names = NAMES.lock().unwrap_or_else(PoisonError::into_inner);
    match names.get(name) {
        Some(known) => known,
        None => {
            let leaked: &'static str = Box::leak(name.to_owned().into_boxed_str());
            names.insert(leaked);
            leaked
        }
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

    fn types(&self) -> Vec<String> {
        self.register.events.keys().cloned().collect()
    }

    fn row_of(&self, ty: &str, data: &Value) -> Option<RowName> {
        self.register.row_of(ty, data).map(RowName::Id)
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        let register = &self.register;
        let before = (!row.state.is_empty()).then_some(row.state.as_str());
        row.state = register.next_state(&event.ty, &event.data, before);
        row.ended = register.ends.contains(&row.state);
        if let Some(id) = register.row_of(&event.ty, &event.data) {
            for (name, part) in self.key.iter().zip(id.split(KEY_JOINER)) {
                row.set(name, part);
            }
        }
        for (name, value) in register.carried(&event.ty, &event.data) {
            match value {
                Some(value) => row.set(name, value.clone()),
                None => {
                    row.fields.remove(name);
                }
            }
        }
        let text = |row: &Row, name: &Option<String>| {
            name.as_deref().and_then(|name| row.fields.get(name)?.as_str().map(str::to_owned))
        };
        let time = |row: &Row, name: &Option<String>| {
            Timestamp::recorded(row.fields.get(name.as_deref()?)?.as_str()?)
        };
        row.owner = text(row, &register.owner);
        row.due_at = time(row, &register.due_at);
        row.valid_from = time(row, &register.valid_from);
        row.valid_until = time(row, &register.valid_until);
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
        fields.chain(keys).collect()
    }

    fn counted_fields(&self) -> Vec<&str> {
        if self.register.owner.is_some() { vec!["owner"] } else { Vec::new() }
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        row.owner.iter().map(|owner| ("owner", owner.clone())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalog::Catalog;
    use crate::spec::time::MICROS_PER_MINUTE;
    use crate::views::engine::{fold, testing};
    use proptest::prelude::*;
    use serde_json::json;

    fn hour(hour: i64) -> Timestamp {
        Timestamp::EPOCH.saturating_add(hour * 60 * MICROS_PER_MINUTE)
    }

    fn register(name: &str) -> RegisterView {
        static CATALOG: std::sync::LazyLock<Catalog> =
            std::sync::LazyLock::new(|| Catalog::embedded().unwrap());
        RegisterView::new(CATALOG.register(name).unwrap())
    }

    fn event(seq: u64, ty: &str, data: Value) -> RowEvent {
        testing::event(seq, hour(seq as i64), ty, "user:u-1", data)
    }

    #[test]
    fn a_row_is_found_by_each_part_of_its_key() {
        let roles = register("role-assignments");
        let data = json!({"principal": "user:u-2", "role": "clerk", "valid_from": "2026-03-01T00:00:00Z"});
        let row = fold(&roles, &[event(0, "role.assigned", data)]);
        let lists = [("principal", "user:u-2".to_owned()), ("role", "clerk".to_owned())];
        assert_eq!((roles.lists(&row), row.owner.as_deref()), (lists.to_vec(), Some("user:u-2")));
        assert_eq!(row.valid_from, Timestamp::recorded("2026-03-01T00:00:00Z"));
    }

    #[test]
    fn another_declaration_is_another_version() {
        let mut declared = register("incidents").register().clone();
        let before = RegisterView::new(&declared).version();
        assert_eq!(RegisterView::new(&declared).version(), before);
        declared.fields.push("lesson".to_owned());
        assert_ne!(RegisterView::new(&declared).version(), before);
    }

    /// The model: incidents, written down by hand.
    fn model(events: &[RowEvent]) -> (String, Option<String>, Option<Timestamp>) {
        let mut state = String::new();
        let (mut owner, mut due) = (None, None);
        for event in events {
            let kind = event.ty.trim_start_matches("incident.");
            let first = state.is_empty();
            state = match (state.as_str(), kind) {
                ("", "opened") => "open",
                ("", _) => "unopened",
                ("open", "classified") => "classified",
                ("open" | "classified", "reported") => "reported",
                ("open" | "classified" | "reported", "analysed") => "analysed",
                ("closed", _) => "closed",
                (_, "closed") => "closed",
                (other, _) => other,
            }
            .to_owned();
            // What comes to nothing by itself has to be opened first.
            if first && kind == "closed" {
                state = "closed".to_owned();
            }
            if kind == "opened" {
                owner = event.text("owner").map(str::to_owned);
            }
            if kind == "classified" || kind == "reported" {
                due = event.time("report_due_at");
            }
        }
        (state, owner, due)
    }

    proptest! {
        #[test]
        fn a_register_is_what_the_plain_model_says(draws in prop::collection::vec((0..5_usize, any::<bool>(), 0..40_i64), 0..12)) {
            let incidents = register("incidents");
            let events: Vec<RowEvent> = (0_u64..).zip(&draws).map(|(seq, (kind, dated, due))| {
                let kind = ["opened", "classified", "reported", "analysed", "closed"][*kind];
                let mut data = json!({"incident": "I", "by": "user:u-1"});
                if kind == "opened" {
                    data["owner"] = json!(format!("user:u-{seq}"));
                }
                if *dated && (kind == "classified" || kind == "reported") {
                    data["report_due_at"] = json!(hour(*due).to_string());
                }
                event(seq, &format!("incident.{kind}"), data)
            }).collect();
            let row = fold(&incidents, &events);
            let (state, owner, due) = model(&events);
            prop_assert_eq!((row.state.clone(), row.owner.clone()), (state.clone(), owner));
            prop_assert_eq!(row.ended, incidents.register().ends.contains(&state));
            if incidents.register().due_at.as_deref() == Some("report_due_at") {
                prop_assert_eq!(row.due_at, due);
            }
            for (kind, count) in &row.counts {
                prop_assert_eq!(*count as usize, events.iter().filter(|event| event.ty == *kind).count());
            }
        }
    }
}
