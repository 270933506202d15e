//! Registers of what holds several times or side by side: roles, delegations, an agent's authority.

use super::declared::RegisterView;
use crate::catalog::{Moves, Next, UNOPENED};
use crate::spec::time::Timestamp;
use crate::views::engine::{OUT_OF_ORDER, Row, RowEvent, SCHEDULED};
use crate::views::stretches::{self, Ending, Identity, Standing, Stretch};
use serde_json::{Map, Value, json};

/// The member of a stretch's data with its state; no field of a register has this name.
pub(super) const STATE: &str = "state";
/// What events say that neither begin nor end a stretch.
const OTHER: &str = "other";

impl RegisterView {
    /// What an event says of a stretch, and who says it.
    pub(super) fn told(&self, event: &RowEvent) -> Map<String, Value> {
        let carried = self.register.carried(&event.ty, &event.data).into_iter();
        let mut data: Map<String, Value> =
            carried.filter_map(|(name, value)| Some((name.to_owned(), value?.clone()))).collect();
        data.insert("by".to_owned(), event.by.as_str().into());
        data
    }

    /// A stretch that an event begins.
    pub(super) fn stretch(&self, event: &RowEvent, state: String) -> Stretch {
        use crate::views::engine::View as _;
        let mut data = self.told(event);
        data.insert(STATE.to_owned(), state.into());
        let until = self.register.valid_until.as_deref().and_then(|name| data.get(name));
        Stretch {
            begun: event.done(),
            from: self.effective_at(event),
            until: stretches::ends(until),
            cut: None,
            reduced: Vec::new(),
            data,
        }
    }

    /// Whether a type of event ends stretches: the state to which it leads, an end.
    fn ends(&self, event_type: &str) -> Option<&str> {
        match &self.register.events.get(event_type)?.moves {
            Moves::To(Next::State(state)) if self.register.ends.contains(state) => Some(state),
            _ => None,
        }
    }

    /// One event of a row of stretches.
    pub(super) fn step_beside(&self, row: &mut Row, event: &RowEvent) {
        if self.opens(&event.ty) {
            let state = self.register.next_state(&event.ty, &event.data, None);
            row.stretches.begin(self.stretch(event, state));
        } else if let Some(state) = self.ends(&event.ty) {
            let mut data = self.told(event);
            data.insert(STATE.to_owned(), state.into());
            row.stretches.end(Ending {
                done: event.done(),
                effective_at: event.effective_at,
                of: event.value("of").filter(|of| !of.is_null()).map(Identity::named),
                leaves: None,
                data,
            });
        } else {
            self.note_other(row, event);
        }
    }

    /// What an event says of the row as a whole.
    pub(super) fn note_other(&self, row: &mut Row, event: &RowEvent) {
        let other = row.memo.entry(OTHER).or_insert_with(|| json!({}));
        let Some(other) = other.as_object_mut() else { return };
        for (name, value) in self.register.carried(&event.ty, &event.data) {
            match value {
                Some(value) => other.insert(name.to_owned(), value.clone()),
                None => other.remove(name),
            };
        }
    }

    /// What a row of stretches is at a moment.
    pub(super) fn settle_beside(&self, row: &mut Row, at: Timestamp) {
        for name in &self.register.fields {
            row.fields.remove(name);
        }
        let other = row.memo.get(OTHER).and_then(Value::as_object).cloned().unwrap_or_default();
        row.fields.extend(other);
        mark(row);
        let Some((stretch, standing)) = row.stretches.speaking(at) else {
            row.state = UNOPENED.to_owned();
            self.dates(row);
            return;
        };
        let cut = stretch.cut.as_ref().filter(|_| standing == Standing::Cut).map(|cut| &cut.data);
        let state = match standing {
            Standing::Scheduled => Some(SCHEDULED),
            Standing::InForce | Standing::Over => stretch.data.get(STATE).and_then(Value::as_str),
            Standing::Cut => cut.and_then(|data| data.get(STATE)?.as_str()),
        };
        let state = state.unwrap_or(UNOPENED).to_owned();
        let told = stretch.data.iter().chain(cut.into_iter().flatten());
        let told: Vec<(String, Value)> = told
            .filter(|(name, _)| self.register.fields.contains(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let (from, until) = (stretch.from, stretch.end().map(|end| end.max(stretch.from)));
        let cut_at = stretch.cut.as_ref().map(|cut| cut.at);
        row.ended = standing == Standing::Cut;
        row.ended_at = cut_at.filter(|_| row.ended);
        row.state = state;
        row.fields.extend(told);
        self.dates(row);
        if self.register.valid_from.is_some() || self.register.valid_until.is_some() {
            (row.valid_from, row.valid_until) = (Some(from), until);
        }
    }
}

/// What is shown of how its stretches were told.
pub(in crate::views) fn mark(row: &mut Row) {
    if row.stretches.is_out_of_order() {
        row.set(OUT_OF_ORDER, true);
    }
    let nothing = row.stretches.ended_nothing();
    let left_out = row.stretches.left_out();
    for (name, value, is) in [
        ("ended_nothing", Value::from(nothing.clone()), !nothing.is_empty()),
        ("stretches_left_out", left_out.into(), left_out > 0),
    ] {
        if is {
            row.set(name, value);
        } else {
            row.fields.remove(name);
        }
    }
}

/// Shows each stretch, in the order in which they were given.
pub(in crate::views) fn show(row: &mut Row, at: Timestamp) {
    let shown: Vec<Value> = row.stretches.iter().map(|stretch| shown(stretch, at)).collect();
    if !shown.is_empty() {
        row.set("stretches", shown);
    }
}

fn shown(stretch: &Stretch, at: Timestamp) -> Value {
    let mut shown = stretch.data.clone();
    let standing = match stretch.standing(at) {
        Standing::Scheduled => "scheduled",
        Standing::InForce => "in-force",
        Standing::Over => "over",
        Standing::Cut => "cut",
    };
    shown.insert("standing".to_owned(), standing.into());
    shown.insert("from".to_owned(), stretch.from.to_string().into());
    let until = stretch.end().map(|end| end.max(stretch.from).to_string());
    shown.insert("until".to_owned(), until.into());
    shown.insert("entry".to_owned(), stretch.begun.seq.into());
    shown.insert("source".to_owned(), stretch.begun.event.source.as_str().into());
    shown.insert("id".to_owned(), stretch.begun.event.id.as_str().into());
    if let Some(cut) = &stretch.cut {
        let mut told = cut.data.clone();
        told.insert("at".to_owned(), cut.at.to_string().into());
        told.insert("entry".to_owned(), cut.by.seq.into());
        shown.insert("cut".to_owned(), Value::Object(told));
    }
    if !stretch.reduced.is_empty() {
        let reduced = stretch.reduced.iter().map(|reduction| {
            json!({"at": reduction.at.to_string(), "operations": reduction.operations, "entry": reduction.seq})
        });
        shown.insert("reduced".to_owned(), reduced.collect());
    }
    Value::Object(shown)
}
