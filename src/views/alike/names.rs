//! The names that were heard, by skeleton, and the pairs of those that look alike.

use super::skeleton::skeleton;
use crate::catalog::Catalog;
use crate::spec::encoding::to_hex;
use crate::views::engine::{Event, Tallier};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use sha2::{Digest as _, Sha256};

/// The name of these tallies among all projections.
pub const LOOK_ALIKES: &str = "look-alikes";

/// The kind of people and applications.
pub const PRINCIPAL: &str = "principal";
/// The kind of sources. Ids are of the kind of what they name: `decision`, `approval` …
pub const SOURCE: &str = "source";

/// Names of one skeleton that are kept. Of more it is said with the last pair that there are more.
///
/// Reason: whoever has so many spellings of one name has been told; and the record of a skeleton stays small whatever is
/// posted.
const MAX_NAMES: usize = 32;

/// Raise it with every change to what is kept, to skeletons too.
const VERSION: u64 = 1;

/// The names of one skeleton, the first heard first, each with the entry that brought it.
#[derive(Default, Serialize, Deserialize)]
struct Heard {
    #[serde(rename = "n", default)]
    names: Vec<(String, u64)>,
    #[serde(rename = "m", default, skip_serializing_if = "std::ops::Not::not")]
    more: bool,
}

/// Two names that look alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Pair {
    /// Of which kind they are.
    pub kind: String,
    /// The name that was heard later.
    pub name: String,
    /// The entry that brought it.
    pub seq: u64,
    /// The first name of this look.
    pub first: String,
    /// The entry that brought that one.
    pub first_seq: u64,
    /// There are more names of this look than are kept: this is the last pair of them.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// The tallies of all names.
pub struct Names;

/// Where the pairs of a kind begin among all pairs, from those that an entry brought on.
#[must_use]
pub fn pairs_from(kind: &str, seq: u64) -> String {
    format!("p{kind}\n{seq:020}")
}

/// The names from which and before which the pairs of a kind are kept; of all kinds, if none is given.
#[must_use]
pub fn pairs_of(kind: Option<&str>) -> (String, String) {
    match kind {
        Some(kind) => (format!("p{kind}\n"), format!("p{kind}\n\u{10ffff}")),
        None => ("p".to_owned(), "p\u{10ffff}".to_owned()),
    }
}

/// The names that an event speaks of, each with its kind.
fn names<'a>(event: &'a Event, catalog: &'a Catalog) -> Vec<(&'a str, &'a str)> {
    let mut names = vec![(SOURCE, event.source.as_str()), (PRINCIPAL, event.by()), (PRINCIPAL, &event.actor)];
    if let Some(ty) = catalog.get(&event.ty) {
        names.extend(ty.entity_id(&event.data).map(|id| (ty.entity.family.as_str(), id)));
        names.extend(ty.linked(&event.data, PRINCIPAL).into_iter().map(|id| (PRINCIPAL, id)));
    }
    names.sort_unstable();
    names.dedup();
    names
}

/// Under which name the names of a kind and skeleton are kept: skeletons may be long.
fn tally_name(kind: &str, skeleton: &str) -> String {
    let hash: [u8; 32] = Sha256::digest(skeleton).into();
    format!("n{kind}\n{}", to_hex(hash.get(..16).unwrap_or_default()))
}

impl Tallier for Names {
    fn name(&self) -> &str {
        LOOK_ALIKES
    }

    fn version(&self) -> u64 {
        VERSION
    }

    fn names_of(&self, event: &Event, catalog: &Catalog) -> Vec<String> {
        let names = names(event, catalog).into_iter();
        let mut tallies: Vec<String> = names.map(|(kind, name)| tally_name(kind, &skeleton(name))).collect();
        tallies.sort_unstable();
        tallies.dedup();
        tallies
    }

    fn add(
        &self,
        tally: &str,
        sum: &mut Value,
        events: &[&Event],
        catalog: &Catalog,
    ) -> Vec<(String, Value)> {
        let mut heard: Heard = serde_json::from_value(sum.take()).unwrap_or_default();
        let mut pairs = Vec::new();
        for event in events {
            for (kind, name) in names(event, catalog) {
                let is_of_kind = tally
                    .get(1..)
                    .is_some_and(|rest| rest.strip_prefix(kind).is_some_and(|rest| rest.starts_with('\n')));
                let is_known = heard.names.iter().any(|(known, _)| known == name);
                if !is_of_kind || heard.more || is_known || tally_name(kind, &skeleton(name)) != tally {
                    continue;
                }
                if let Some((first, first_seq)) = heard.names.first() {
                    heard.more = heard.names.len() == MAX_NAMES;
                    let pair = Pair {
                        kind: kind.to_owned(),
                        name: name.to_owned(),
                        seq: event.seq,
                        first: first.clone(),
                        first_seq: *first_seq,
                        more: heard.more,
                    };
                    // An entry may bring several: of one skeleton in an order, of others under their hashes.
                    let (hash, number) = (tally.rsplit('\n').next().unwrap_or_default(), heard.names.len());
                    let key = format!("{}{hash}{number:04}", pairs_from(kind, event.seq));
                    pairs.push((key, serde_json::to_value(pair).unwrap_or_default()));
                }
                if !heard.more {
                    heard.names.push((name.to_owned(), event.seq));
                }
            }
        }
        *sum = serde_json::to_value(heard).unwrap_or_default();
        pairs
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::histories::told;
    use serde_json::json;
    use std::collections::BTreeMap;

    /// What is kept after these events, added one at a time or all at once.
    fn kept(events: &[Event], all_at_once: bool) -> BTreeMap<String, Value> {
        let catalog = Catalog::embedded().unwrap();
        let mut sums: BTreeMap<String, Value> = BTreeMap::new();
        let mut apply = |events: &[&Event]| {
            let mut by_tally: BTreeMap<String, Vec<&Event>> = BTreeMap::new();
            for event in events {
                for name in Names.names_of(event, &catalog) {
                    by_tally.entry(name).or_default().push(event);
                }
            }
            for (name, events) in by_tally {
                let pairs = Names.add(&name, sums.entry(name.clone()).or_default(), &events, &catalog);
                sums.extend(pairs);
            }
        };
        let events: Vec<&Event> = events.iter().collect();
        if all_at_once {
            apply(&events)
        } else {
            events.iter().for_each(|event| apply(&[event]))
        }
        sums
    }

    fn pairs(kept: &BTreeMap<String, Value>) -> Vec<(String, String, String)> {
        let (from, to) = pairs_of(None);
        let pairs =
            kept.range(from..to).map(|(_, pair)| serde_json::from_value::<Pair>(pair.clone()).unwrap());
        let mut pairs: Vec<_> = pairs.map(|pair| (pair.kind, pair.name, pair.first)).collect();
        // Those of one entry and kind stand in no order that anybody could know.
        pairs.sort();
        pairs
    }

    fn decided(seq: u64, source: &str, decision: &str, by: &str) -> Event {
        Event { seq, ..told(source, "decision.made", 0, json!({"decision": decision, "by": by})) }
    }

    #[test]
    fn a_name_makes_a_pair_with_the_first_one_of_its_look_and_once() {
        let events = [
            decided(1, "/a", "D-10", "user:u-1"),
            decided(2, "/a", "D-1O", "user:u-1"),
            decided(3, "/A", "D-10", "user:U-01"),
            decided(4, "/a", "d_10", "user:u-1"),
            decided(5, "/b", "user:u-1", "user:u-2"),
        ];
        let all = kept(&events, true);
        assert_eq!(all, kept(&events, false));
        let text = |[kind, name, first]: [&str; 3]| (kind.to_owned(), name.to_owned(), first.to_owned());
        let expected = [
            ["decision", "D-1O", "D-10"],
            ["decision", "d_10", "D-10"],
            ["principal", "app:A", "app:a"],
            ["principal", "user:U-01", "user:u-1"],
            ["source", "/A", "/a"],
        ];
        assert_eq!(pairs(&all), expected.map(text));
    }

    #[test]
    fn a_thousand_names_of_one_look_are_some_pairs_and_a_record_of_bounded_size() {
        // Each in its own mixture of upper and lower case.
        let name = |number: u64| -> String {
            let letter = |place: u64| if number >> place & 1 == 1 { 'A' } else { 'a' };
            (0..10).map(letter).collect()
        };
        let events: Vec<Event> = (0..1_000).map(|seq| decided(seq, "/s", &name(seq), "user:u-1")).collect();
        let kept = kept(&events, true);
        let pairs = pairs(&kept);
        assert_eq!(pairs.len(), MAX_NAMES);
        assert!(kept.values().all(|sum| sum.to_string().len() < 2_000));
        let last = kept.range("p".to_owned().."q".to_owned()).last().unwrap().1;
        assert_eq!((&last["more"], &last["seq"]), (&json!(true), &json!(MAX_NAMES)));
    }
}
