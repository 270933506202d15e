//! Registers: named folds over event types, each a table of rows. Here is what one event means for one row; keeping the
//! rows is a view's business.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::field::value_at;

/// The state of a row that events speak of and that nothing has opened.
pub const UNOPENED: &str = "unopened";
/// Joins the parts of a key. No identifier, word, version or principal of the catalogue can hold it.
pub const KEY_JOINER: &str = "@";

/// A named fold over event types.
#[derive(Debug, Clone, PartialEq)]
pub struct Register {
    /// The last part of its address.
    pub name: String,
    /// One sentence: what its rows are.
    pub summary: String,
    /// The domain of the file that declares it.
    pub domain: String,
    /// What its rows are, as links name it.
    pub family: String,
    /// The fields that say which row an event is about.
    pub key: Vec<String>,
    /// What each type does to a row.
    pub events: BTreeMap<String, Reaction>,
    /// Every state that a row can be in, [`UNOPENED`] aside, in the order of the alphabet.
    pub states: BTreeSet<String>,
    /// The states in which a row is done.
    pub ends: BTreeSet<String>,
    /// The field that says who answers for a row.
    pub owner: Option<String>,
    /// The field with a row's due date.
    pub due_at: Option<String>,
    /// The field that says from when a row counts.
    pub valid_from: Option<String>,
    /// The field that says until when a row counts.
    pub valid_until: Option<String>,
    /// What a row carries.
    pub fields: Vec<String>,
}

/// What one type of event does to a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Reaction {
    /// The state in which it begins a row that was not there.
    pub opens: Option<Next>,
    /// How it moves a row.
    pub moves: Moves,
    /// Fields of the row that come from a field of another name: row's field → event's field.
    pub renamed: BTreeMap<String, String>,
    /// The due date and the dates of validity that the type knows: it sets them, or clears them by leaving them out.
    pub clears: BTreeSet<String>,
}

/// A state to come.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This one.
    State(String),
    /// The one that this field of the event names.
    Field(String),
}

/// How a type of event moves a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Moves {
    /// Not at all.
    Stays,
    /// From any state that is no end.
    To(Next),
    /// From some states, each to another.
    Table(BTreeMap<String, String>),
}

impl Register {
    /// The row that an event is about, or `None` if it is about none: another type, or a part of the key is missing.
    pub fn row_of(&self, event_type: &str, data: &Value) -> Option<String> {
        let reaction = self.events.get(event_type)?;
        let part = |name: &String| value_at(data, reaction.source_of(name))?.as_str();
        let parts: Option<Vec<&str>> = self.key.iter().map(part).collect();
        Some(parts?.join(KEY_JOINER))
    }

    /// The types of event that make a row where it is not there.
    pub fn openers(&self) -> impl Iterator<Item = &str> {
        let opens = self.events.iter().filter(|(_, reaction)| reaction.opens.is_some());
        opens.map(|(ty, _)| ty.as_str())
    }

    /// The row that an event makes where it is not there, and the member of `data` that begins its id; none if it makes none.
    pub fn opened_by(&self, event_type: &str, data: &Value) -> Option<(String, String)> {
        let reaction = self.events.get(event_type).filter(|reaction| reaction.opens.is_some())?;
        let member = reaction.source_of(self.key.first()?).to_owned();
        Some((member, self.row_of(event_type, data)?))
    }

    /// The state after an event of a row that was in `state`, or was not there.
    pub fn next_state(&self, event_type: &str, data: &Value, state: Option<&str>) -> String {
        let before = state.unwrap_or(UNOPENED).to_owned();
        let Some(reaction) = self.events.get(event_type) else { return before };
        if state.is_none()
            && let Some(opened) = reaction.opens.as_ref().and_then(|next| next.named(data))
        {
            return opened;
        }
        let after = match &reaction.moves {
            Moves::Stays => None,
            Moves::To(_) if self.ends.contains(&before) => None,
            Moves::To(next) => next.named(data),
            Moves::Table(table) => table.get(&before).cloned(),
        };
        after.unwrap_or(before)
    }

    /// Where a type stands in the life of a row: what opens it comes first, what ends it last.
    #[must_use]
    pub fn place_in_life(&self, event_type: &str) -> u8 {
        let Some(reaction) = self.events.get(event_type) else { return 1 };
        let ends = |next: &Next| matches!(next, Next::State(state) if self.ends.contains(state));
        match &reaction.moves {
            _ if reaction.opens.is_some() => 0,
            Moves::To(next) if ends(next) => 2,
            _ => 1,
        }
    }

    /// What an event sets in its row: a value; or `None` where it clears a date by leaving it out.
    pub fn carried<'a>(&'a self, event_type: &str, data: &'a Value) -> Vec<(&'a str, Option<&'a Value>)> {
        let Some(reaction) = self.events.get(event_type) else { return Vec::new() };
        let mut carried = Vec::new();
        for name in &self.fields {
            let source = reaction.source_of(name);
            let taken = source == name && reaction.renamed.values().any(|field| field == name);
            match value_at(data, source).filter(|_| !taken) {
                Some(value) => carried.push((name.as_str(), Some(value))),
                None if reaction.clears.contains(name) => carried.push((name.as_str(), None)),
                None => {}
            }
        }
        carried
    }
}

impl Reaction {
    /// The event's field from which the row's field `name` comes.
    pub(super) fn source_of<'a>(&'a self, name: &'a str) -> &'a str {
        self.renamed.get(name).map_or(name, String::as_str)
    }
}

impl Next {
    fn named(&self, data: &Value) -> Option<String> {
        match self {
            Next::State(state) => Some(state.clone()),
            Next::Field(path) => value_at(data, path)?.as_str().map(str::to_owned),
        }
    }
}
