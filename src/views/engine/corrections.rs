//! Which events count, and in whose place: what `event.corrected` does to the events that it names.
//!
//! A correction annuls an event, puts another event in its place, or takes an earlier correction of an event back. What
//! goes deeper has no effect. Of the corrections of one event that stand, the last recorded decides alone. All of it is
//! kept by the number of the event that is spoken of, with at most [`MAX_EFFECTIVE`] corrections each, so that "does it
//! count, as of then" is one look-up however many corrections there are.

use super::error::{EngineError, Result};
use super::event::EventFeed;
use super::keys;
use crate::follow::Event;
use crate::store::{Batch, Reader, Table};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::collections::HashMap;
use std::ops::ControlFlow;

/// The type of a correction.
pub const CORRECTION: &str = "event.corrected";

/// Corrections of one event that can have an effect; more are recorded without.
///
/// Reason: whoever changes their mind so often is not mistaken any more, and one record with all of them stays small.
pub const MAX_EFFECTIVE: usize = 16;

/// One correction of an event.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Change {
    #[serde(rename = "s")]
    seq: u64,
    /// The correction that took this one back.
    #[serde(rename = "a", default, skip_serializing_if = "Option::is_none")]
    annulled: Option<u64>,
    /// The event that it puts in its target's place.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    replacement: Option<u64>,
    /// The replacement keeps its own act time.
    #[serde(rename = "t", default, skip_serializing_if = "std::ops::Not::not")]
    retimed: bool,
}

impl Change {
    /// The entries by which it came, and by which it was taken back.
    fn entries(&self) -> impl Iterator<Item = u64> {
        std::iter::once(self.seq).chain(self.annulled)
    }
}

/// What a correction does, if anything.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Deed {
    /// The event that is annulled, replaced or given back.
    #[serde(rename = "e", default, skip_serializing_if = "Option::is_none")]
    of: Option<u64>,
    /// It takes this correction back.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    annuls: Option<u64>,
    /// The event that takes or loses a place by it.
    #[serde(rename = "r", default, skip_serializing_if = "Option::is_none")]
    replacement: Option<u64>,
    /// Why it has no effect, if it has none.
    #[serde(rename = "w", default, skip_serializing_if = "Option::is_none")]
    without: Option<Without>,
}

/// Why a correction has no effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Without {
    /// Nothing that was recorded before it has the source and id that it names.
    NotThere,
    /// Its target takes a correction back, or has no effect itself.
    TooDeep,
    /// A correction is taken back, not replaced; and once.
    NotACorrectionOfAnEvent,
    /// Its target stands in another event's place: the correction that put it there is to be taken back.
    Replacement,
    /// There were as many with an effect as can have one.
    TooMany,
    /// What is named as replacement is of another type or row, stands in another place, or does not count.
    NoReplacement,
}

impl Without {
    /// Its name, as the API shows it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Without::NotThere => "not-there",
            Without::TooDeep => "too-deep",
            Without::NotACorrectionOfAnEvent => "correction-replaced-or-taken-back-before",
            Without::Replacement => "replacement-in-force",
            Without::TooMany => "too-many",
            Without::NoReplacement => "no-replacement",
        }
    }
}

/// How a correction stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It decides, or gives back what another one took.
    InForce,
    /// A later one of the same event decides.
    Overtaken {
        /// That correction.
        by: u64,
    },
    /// It was taken back.
    TakenBack {
        /// The correction that did.
        by: u64,
    },
    /// It never did anything.
    Without(Without),
}

/// What a correction does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Effect {
    /// The event that it annuls, replaces, or gives back.
    pub of: Option<u64>,
    /// The correction that it takes back.
    pub annuls: Option<u64>,
    /// The event that takes its target's place, or loses it.
    pub replacement: Option<u64>,
    /// How it stands.
    pub standing: Standing,
}

/// Whether an event counts, and where.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Counts {
    /// As it was recorded.
    AsItIs,
    /// In the place of another entry.
    InPlaceOf {
        /// That entry.
        target: u64,
        /// It keeps its own act time.
        retimed: bool,
    },
    /// Not at all.
    Not {
        /// The correction that decides so.
        by: u64,
    },
}

/// All that corrections ever said of an event: whether it counted as of any number of entries needs no more.
#[derive(Default)]
pub(super) struct Said {
    /// Corrections of the event itself.
    own: Vec<Change>,
    /// Where it is named as a replacement: by which correction, of which event, and the corrections of that one.
    replaces: Option<(u64, u64, Vec<Change>)>,
}

impl Said {
    /// Whether no correction speaks of it.
    pub(super) fn is_nothing(&self) -> bool {
        self.own.is_empty() && self.replaces.is_none()
    }

    /// The event in whose place it stands or stood.
    pub(super) fn target(&self) -> Option<u64> {
        self.replaces.as_ref().map(|(_, target, _)| *target)
    }

    /// Whether it counts among the entries below `known`, and where.
    pub(super) fn counts(&self, known: u64) -> Counts {
        if let Some((correction, target, changes)) = &self.replaces
            && *correction < known
        {
            return match deciding(changes, known) {
                Some(change) if change.seq == *correction => {
                    Counts::InPlaceOf { target: *target, retimed: change.retimed }
                }
                _ => Counts::Not { by: *correction },
            };
        }
        deciding(&self.own, known).map_or(Counts::AsItIs, |change| Counts::Not { by: change.seq })
    }

    /// The last correction of it, or of what it stands for, among the entries below `known`.
    pub(super) fn last(&self, known: u64) -> Option<u64> {
        let of_target = self.replaces.iter().flat_map(|(correction, _, changes)| {
            std::iter::once(*correction).chain(changes.iter().flat_map(Change::entries))
        });
        let all = self.own.iter().flat_map(Change::entries).chain(of_target);
        all.filter(|seq| *seq < known).max()
    }
}

/// Which of the corrections of one event decides among the entries below `known`.
fn deciding(changes: &[Change], known: u64) -> Option<&Change> {
    let stands = |change: &&Change| change.seq < known && change.annulled.is_none_or(|by| by >= known);
    changes.iter().rfind(stands)
}

/// Corrections as the store has them, and those of the batch in hand.
pub(super) struct Corrections<'a> {
    store: &'a dyn Reader,
    fresh: HashMap<Vec<u8>, Vec<u8>>,
}

impl<'a> Corrections<'a> {
    pub(super) fn new(store: &'a dyn Reader) -> Corrections<'a> {
        Corrections { store, fresh: HashMap::new() }
    }

    fn get<T: DeserializeOwned>(&self, key: &[u8]) -> Result<Option<T>> {
        let stored = match self.fresh.get(key) {
            Some(fresh) => Some(fresh.clone()),
            None => self.store.get(Table::Meta, key)?,
        };
        let read = |record: Vec<u8>| serde_json::from_slice(&record);
        stored.map(read).transpose().map_err(|_| EngineError::Unreadable("a correction"))
    }

    fn put(&mut self, key: Vec<u8>, value: &impl Serialize, batch: &mut Batch) {
        // Structs of numbers and names always serialise.
        let record = serde_json::to_vec(value).unwrap_or_default();
        batch.put(Table::Meta, &key, &record);
        self.fresh.insert(key, record);
    }

    fn of(&self, event: u64) -> Result<Vec<Change>> {
        Ok(self.get(&keys::corrections(event))?.unwrap_or_default())
    }

    fn deciding(&self, event: u64, known: u64) -> Result<Option<Change>> {
        Ok(deciding(&self.of(event)?, known).cloned())
    }

    /// All that corrections say of an event.
    pub(super) fn said_of(&self, event: u64) -> Result<Said> {
        let replaces: Option<(u64, u64)> = self.get(&keys::replacement(event))?;
        let of_target = |(correction, target)| Ok::<_, EngineError>((correction, target, self.of(target)?));
        Ok(Said { own: self.of(event)?, replaces: replaces.map(of_target).transpose()? })
    }

    /// Whether an event counts among the entries below `known`.
    pub(super) fn counts(&self, event: u64, known: u64) -> Result<Counts> {
        Ok(self.said_of(event)?.counts(known))
    }

    /// Whether a correction puts another event in the place of its target.
    pub(super) fn replaces(&self, correction: u64) -> Result<bool> {
        Ok(self.get::<Deed>(&keys::correction(correction))?.is_some_and(|deed| deed.replacement.is_some()))
    }

    /// The correction by which an entry does not count among the entries below `known`, if there is one.
    pub(super) fn against(&self, seq: u64, known: u64) -> Result<Option<u64>> {
        if let Some(deed) = self.get::<Deed>(&keys::correction(seq))? {
            // A correction: it counts until it is taken back.
            let Some(of) = deed.of.filter(|_| deed.annuls.is_none()) else { return Ok(None) };
            let own = self.of(of)?.into_iter().find(|change| change.seq == seq);
            return Ok(own.and_then(|change| change.annulled).filter(|by| *by < known));
        }
        Ok(match self.counts(seq, known)? {
            Counts::Not { by } => Some(by),
            Counts::AsItIs | Counts::InPlaceOf { .. } => None,
        })
    }

    /// What a correction does among the entries below `known`; none where it is not known as one.
    pub(super) fn effect(&self, seq: u64, known: u64) -> Result<Option<Effect>> {
        let Some(deed) = self.get::<Deed>(&keys::correction(seq))? else { return Ok(None) };
        let standing = match (deed.without, deed.of, deed.annuls) {
            (Some(why), ..) => Standing::Without(why),
            (None, Some(of), None) => {
                let own = self.of(of)?.into_iter().find(|change| change.seq == seq);
                let annulled = own.and_then(|change| change.annulled).filter(|by| *by < known);
                match (annulled, self.deciding(of, known)?) {
                    (Some(by), _) => Standing::TakenBack { by },
                    (None, Some(other)) if other.seq != seq => Standing::Overtaken { by: other.seq },
                    _ => Standing::InForce,
                }
            }
            _ => Standing::InForce,
        };
        Ok(Some(Effect { of: deed.of, annuls: deed.annuls, replacement: deed.replacement, standing }))
    }

    /// Notes a correction, unless it is known from another version that was built; the entries of which it may change
    /// whether and where they count.
    pub(super) fn note(
        &mut self,
        correction: &Event,
        feed: &dyn EventFeed,
        same_row: &dyn Fn(&Event, &Event) -> bool,
        batch: &mut Batch,
    ) -> Result<Vec<u64>> {
        let key = keys::correction(correction.seq);
        let deed = match self.get::<Deed>(&key)? {
            Some(known) => known,
            None => {
                let deed = self.do_it(correction, feed, same_row, batch)?;
                self.put(key, &deed, batch);
                deed
            }
        };
        let mut touched: Vec<u64> = deed.of.into_iter().chain(deed.replacement).collect();
        if let Some(of) = deed.of {
            // What stood in its place before, and what does so now: another correction of it may have put it there.
            for known in [correction.seq, correction.seq + 1] {
                let other = self.deciding(of, known)?.and_then(|change| change.replacement);
                touched.extend(other.filter(|other| !touched.contains(other)));
            }
        }
        Ok(touched)
    }

    fn do_it(
        &mut self,
        correction: &Event,
        feed: &dyn EventFeed,
        same_row: &dyn Fn(&Event, &Event) -> bool,
        batch: &mut Batch,
    ) -> Result<Deed> {
        let nothing = |why| Ok(Deed { of: None, annuls: None, replacement: None, without: Some(why) });
        let Some(target) = named(correction, "target", feed)? else { return nothing(Without::NotThere) };
        let replaces = correction.data.get("replacement").is_some();
        if let Some(deed) = self.get::<Deed>(&keys::correction(target))? {
            let Some(of) = deed.of.filter(|_| deed.annuls.is_none()) else {
                return nothing(Without::TooDeep);
            };
            let mut changes = self.of(of)?;
            let Some(change) = changes.iter_mut().find(|change| change.seq == target) else {
                return nothing(Without::TooDeep);
            };
            if replaces || change.annulled.is_some() {
                return nothing(Without::NotACorrectionOfAnEvent);
            }
            change.annulled = Some(correction.seq);
            let replacement = change.replacement;
            self.put(keys::corrections(of), &changes, batch);
            return Ok(Deed { of: Some(of), annuls: Some(target), replacement, without: None });
        }
        if self.get::<(u64, u64)>(&keys::replacement(target))?.is_some() {
            return nothing(Without::Replacement);
        }
        let mut changes = self.of(target)?;
        if changes.len() >= MAX_EFFECTIVE {
            return nothing(Without::TooMany);
        }
        let mut replacement = None;
        if replaces {
            let Some(found) = named(correction, "replacement", feed)?.filter(|found| *found != target) else {
                return nothing(Without::NoReplacement);
            };
            let free = self.get::<(u64, u64)>(&keys::replacement(found))?.is_none()
                && self.get::<Deed>(&keys::correction(found))?.is_none()
                && self.counts(found, correction.seq)? == Counts::AsItIs;
            if !free {
                return nothing(Without::NoReplacement);
            }
            let (one, other) = (feed.event(target)?, feed.event(found)?);
            let rekeyed = correction.data.get("rekeyed").is_some_and(|is| *is == true);
            if one.ty != other.ty || !(rekeyed || same_row(&one, &other)) {
                return nothing(Without::NoReplacement);
            }
            self.put(keys::replacement(found), &(correction.seq, target), batch);
            replacement = Some(found);
        }
        let retimed = correction.data.get("retimed").is_some_and(|is| *is == true);
        changes.push(Change { seq: correction.seq, annulled: None, replacement, retimed });
        self.put(keys::corrections(target), &changes, batch);
        Ok(Deed { of: Some(target), annuls: None, replacement, without: None })
    }
}

/// The entry that a member of a correction speaks of: one that was recorded before it.
fn named(correction: &Event, member: &str, feed: &dyn EventFeed) -> Result<Option<u64>> {
    let part = |name: &str| correction.data.get(member)?.get(name)?.as_str();
    let Some((source, id)) = part("source").zip(part("id")) else { return Ok(None) };
    Ok(feed.find(&crate::log::identity(source, id), correction.seq)?)
}

/// All entries that a correction with an effect speaks of, ascending: targets, and what stands or stood in their place.
pub(super) fn spoken_of(store: &dyn Reader) -> Result<Vec<u64>> {
    let mut found = Vec::new();
    for (from, to) in [keys::all_corrections(), keys::all_replacements()] {
        store.scan(Table::Meta, &from, &to, false, &mut |key, _| {
            found.extend(keys::number_of(key));
            ControlFlow::Continue(())
        })?;
    }
    found.sort_unstable();
    found.dedup();
    Ok(found)
}
