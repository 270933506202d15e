//! A book of what is told, as in life: by several systems whose clocks differ, some of it twice, some of it long after it
//! was done, and some of it corrected.

use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::views::engine::{CORRECTION, Event};
use crate::views::histories::{NOON, told};
use rand_chacha::ChaCha20Rng;
use rand_chacha::rand_core::{RngCore as _, SeedableRng as _};
use serde_json::{Value, json};
use std::collections::BTreeMap;

/// Acts are counted in seconds from noon of 1 March 2026.
pub(super) const MINUTE: i64 = 60;
pub(super) const HOUR: i64 = 60 * MINUTE;
pub(super) const DAY: i64 = 24 * HOUR;

/// The days over which stories begin.
pub(super) const DAYS: i64 = 20;

/// Who tells.
pub(super) const SOURCES: [&str; 3] = ["/a", "/b", "/c"];

/// By what events name their rows: a replacement keeps it, unless its correction says that it was the wrong one.
const KEYS: [&str; 11] = [
    "decision",
    "contest",
    "escalation",
    "approval",
    "grant",
    "request",
    "principal",
    "role",
    "delegation",
    "incident",
    "risk",
];

/// Chance, always the same one of a seed and a number.
pub(super) struct Dice(ChaCha20Rng);

impl Dice {
    pub(super) fn new(seed: u64, number: u64) -> Dice {
        let mut bytes = [0; 32];
        bytes[..8].copy_from_slice(&seed.to_le_bytes());
        bytes[8..16].copy_from_slice(&number.to_le_bytes());
        Dice(ChaCha20Rng::from_seed(bytes))
    }

    pub(super) fn number(&mut self) -> u64 {
        self.0.next_u64()
    }

    pub(super) fn below(&mut self, bound: usize) -> usize {
        (self.number() % bound as u64) as usize
    }

    pub(super) fn between(&mut self, from: i64, to: i64) -> i64 {
        from + self.below((to - from + 1) as usize) as i64
    }

    pub(super) fn chance(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    pub(super) fn pick<T: Copy>(&mut self, of: &[T]) -> T {
        of[self.below(of.len())]
    }
}

/// So many seconds after noon.
pub(super) fn at(seconds: i64) -> Timestamp {
    NOON.saturating_add(seconds * MICROS_PER_SECOND)
}

/// The same as a text.
pub(super) fn text(seconds: i64) -> String {
    at(seconds).to_string()
}

/// What is told, each with the second in which it is recorded the first time.
pub(super) struct Book {
    pub(super) dice: Dice,
    written: Vec<(i64, Event)>,
    corrections: BTreeMap<usize, (usize, Option<usize>)>,
    /// When the last thing was done.
    last: i64,
}

impl Book {
    pub(super) fn new(seed: u64) -> Book {
        Book { dice: Dice::new(seed, 0), written: Vec::new(), corrections: BTreeMap::new(), last: 0 }
    }

    pub(super) fn len(&self) -> usize {
        self.written.len()
    }

    /// A story begins: whose it is, and when.
    pub(super) fn begin(&mut self) -> (&'static str, i64) {
        self.last = self.dice.between(0, DAYS * 24 * 60) * MINUTE;
        (self.dice.pick(&SOURCES), self.last)
    }

    /// Who else tells of it.
    pub(super) fn someone(&mut self, own: &'static str) -> &'static str {
        if self.dice.chance(60) { own } else { self.dice.pick(&SOURCES) }
    }

    /// When something is done about what was opened: some time after it, at the instant of what was done last, or before
    /// it by another clock or another order of telling.
    pub(super) fn when(&mut self, opened: i64, within: i64) -> i64 {
        let at = match self.dice.below(20) {
            0 => opened - self.dice.between(1, 59),
            1 => opened - self.dice.between(1, 9) * HOUR,
            2 | 3 => self.last,
            _ => opened + self.dice.between(0, within),
        };
        if self.dice.chance(60) { at.div_euclid(MINUTE) * MINUTE } else { at }
    }

    /// Tells something; now and then once more. The event's identity, as others name it.
    pub(super) fn tell(&mut self, source: &str, ty: &str, done: i64, data: Value) -> Value {
        let late = match self.dice.below(10) {
            0..=5 => self.dice.between(0, MINUTE),
            6 | 7 => self.dice.between(0, 5 * HOUR),
            8 => self.dice.between(0, 5 * DAY),
            _ => self.dice.between(0, 30 * DAY),
        };
        self.last = done;
        let told = self.write(done + late, source, ty, at(done), data.clone());
        if self.dice.chance(6) {
            let again_by = if self.dice.chance(70) { source } else { self.dice.pick(&SOURCES) };
            let again_at = done + self.dice.pick(&[0, 0, 30, HOUR]);
            let recorded = done + late + self.dice.between(-HOUR, DAY);
            self.write(recorded, again_by, ty, at(again_at), data);
        }
        json!({"source": source, "id": self.written[told].1.id})
    }

    /// Writes one event that is recorded in this second; which one it is.
    pub(super) fn write(
        &mut self,
        recorded: i64,
        source: &str,
        ty: &str,
        done: Timestamp,
        data: Value,
    ) -> usize {
        let id = format!("x-{}", self.written.len());
        let event = Event { happened_at: done, id, ..told(source, ty, 0, data) };
        self.written.push((recorded, event));
        self.written.len() - 1
    }

    /// The id of an event that was written.
    pub(super) fn id(&self, written: usize) -> String {
        self.written[written].1.id.clone()
    }

    /// Corrects some of it: takes events away, puts others in their place, and takes corrections back.
    pub(super) fn correct(&mut self) {
        let told = self.written.len();
        for _ in 0..told / 16 {
            let target = self.dice.below(told);
            let correction = if self.dice.chance(50) {
                self.write_correction(target, None, json!({}))
            } else {
                let (replacement, more) = self.replacement(target);
                self.write_correction(target, Some(replacement), more)
            };
            if self.dice.chance(25) {
                let back = self.write_correction(correction, None, json!({}));
                if self.dice.chance(30) {
                    self.write_correction(back, None, json!({}));
                }
            }
        }
    }

    /// What is to stand in an event's place: as another event of its type has it.
    fn replacement(&mut self, target: usize) -> (usize, Value) {
        let (recorded, event) = self.written[target].clone();
        let other = (0..64).map(|_| self.dice.below(self.written.len()));
        let other = other.map(|other| &self.written[other].1).find(|other| other.ty == event.ty);
        let mut data = Value::clone(&other.unwrap_or(&event).data);
        let rekeyed = event.ty == "access.used" || self.dice.chance(15);
        for key in KEYS.iter().filter(|_| !rekeyed) {
            match event.data.get(*key) {
                Some(value) => data[*key] = value.clone(),
                None => {
                    data.as_object_mut().unwrap().remove(*key);
                }
            }
        }
        // Nothing else is done at such an instant.
        let done = event.happened_at.saturating_add(self.dice.between(-5, 60) * 60 * MICROS_PER_SECOND);
        let done = done.saturating_add(1 + self.written.len() as i64);
        let recorded = recorded + self.dice.between(-HOUR, DAY);
        let replacement = self.write(recorded, &event.source, &event.ty, done, data);
        (replacement, json!({"rekeyed": rekeyed, "retimed": self.dice.chance(30)}))
    }

    fn write_correction(&mut self, target: usize, replacement: Option<usize>, more: Value) -> usize {
        let identity = |(_, event): &(i64, Event)| json!({"source": event.source, "id": event.id});
        let mut data = more;
        data["target"] = identity(&self.written[target]);
        data["reason"] = "r".into();
        let mut recorded = self.written[target].0;
        if let Some(replacement) = replacement {
            data["replacement"] = identity(&self.written[replacement]);
            recorded = recorded.max(self.written[replacement].0);
        }
        let recorded = recorded + self.dice.between(1, 2 * DAY);
        let correction = self.write(recorded, "/office", CORRECTION, at(recorded), data);
        self.corrections.insert(correction, (target, replacement));
        correction
    }

    /// All of it, in the order in which it is recorded the first time.
    pub(super) fn finish(self) -> History {
        let mut order: Vec<usize> = (0..self.written.len()).collect();
        order.sort_by_key(|written| (self.written[*written].0, *written));
        let events = self.written.into_iter().map(|(_, event)| event).collect();
        History { events, corrections: self.corrections }.only(&order)
    }
}

/// What is told.
pub(super) struct History {
    /// In the order of the first recording.
    pub(super) events: Vec<Event>,
    /// By the place of a correction: the place of what it names, and of what it puts there.
    pub(super) corrections: BTreeMap<usize, (usize, Option<usize>)>,
}

impl History {
    /// These events alone, in this order.
    pub(super) fn only(&self, kept: &[usize]) -> History {
        let places: BTreeMap<usize, usize> = kept.iter().enumerate().map(|(new, old)| (*old, new)).collect();
        let place = |old: usize| places.get(&old).copied();
        let correction = |(correction, (target, replacement)): (&usize, &(usize, Option<usize>))| {
            Some((place(*correction)?, (place(*target)?, replacement.and_then(place))))
        };
        History {
            events: kept.iter().map(|old| self.events[*old].clone()).collect(),
            corrections: self.corrections.iter().filter_map(correction).collect(),
        }
    }
}
