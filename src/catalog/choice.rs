//! The words that a field of an event may hold, where its schema lists them all.

use super::compiled::Catalog;
use super::field::field;
use super::register::Register;
use serde_json::Value;
use std::collections::BTreeSet;

/// What fields may hold, by what their schemas say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Choice {
    /// None of the fields is declared.
    Undeclared,
    /// At least one of them may hold what nobody lists.
    Anything,
    /// One of these.
    Words(BTreeSet<String>),
}

impl Choice {
    /// What a field may hold that holds the one or the other.
    #[must_use]
    pub fn or(self, other: Choice) -> Choice {
        match (self, other) {
            (Choice::Undeclared, other) | (other, Choice::Undeclared) => other,
            (Choice::Words(mut words), Choice::Words(more)) => {
                words.extend(more);
                Choice::Words(words)
            }
            _ => Choice::Anything,
        }
    }
}

impl Catalog {
    /// What the field at a path in `data` of events of a type may hold.
    #[must_use]
    pub fn choice(&self, event_type: &str, path: &str) -> Choice {
        let Some(declared) = self.get(event_type) else { return Choice::Undeclared };
        let Some(found) = field(&declared.schema, path) else { return Choice::Undeclared };
        let items = found.schema.get("items").unwrap_or(found.schema);
        let Some(values) = items.get("enum").and_then(Value::as_array) else { return Choice::Anything };
        let words: Option<BTreeSet<String>> =
            values.iter().map(|value| value.as_str().map(str::to_owned)).collect();
        words.map_or(Choice::Anything, Choice::Words)
    }
}

impl Register {
    /// From where the field of a row comes: types, and paths in their data.
    pub fn sources_of<'a>(&'a self, name: &'a str) -> impl Iterator<Item = (&'a str, &'a str)> {
        self.events.iter().map(move |(event_type, reaction)| (event_type.as_str(), reaction.source_of(name)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_those_of_all_places_and_none_where_one_of_them_is_free() {
        let catalog = Catalog::embedded().unwrap();
        let words = |list: &[&str]| Choice::Words(list.iter().map(|word| (*word).to_owned()).collect());
        let mode = catalog.choice("decision.made", "mode");
        assert_eq!(mode, words(&["automated", "assisted"]));
        // By way of a definition that many types share.
        let severity = catalog.choice("escalation.opened", "severity");
        assert_eq!(severity, words(&["critical", "high", "medium", "low"]));
        assert_eq!(catalog.choice("decision.made", "outcome"), Choice::Anything);
        assert_eq!(catalog.choice("decision.made", "nothing"), Choice::Undeclared);
        assert_eq!(catalog.choice("nothing.done", "mode"), Choice::Undeclared);
        assert_eq!(mode.clone().or(Choice::Undeclared), mode);
        assert_eq!(mode.clone().or(Choice::Anything), Choice::Anything);
        let Choice::Words(both) = mode.or(severity) else { panic!("words") };
        assert_eq!(both.len(), 6);
    }
}
