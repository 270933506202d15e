//! What each source has posted: how much, how far, and what of its numbering is missing.
//!
//! A source that gives its events the CloudEvents extension attribute `sequence`, a whole number without gaps, lets the
//! ledger see that something was never posted: nothing else can. Beside it, events are counted by the minute in which they
//! happened, so that what a source says it posted in a stretch of time (`source.reconciled`) can be compared.

use super::engine::micros;
use super::engine::{Event, Tallier};
use crate::catalog::Catalog;
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::BTreeSet;

/// The name of these tallies among all projections.
pub const SOURCES: &str = "sources";

/// Stretches of numbers that are kept of a source. Beyond, the oldest gap is only counted any more.
///
/// Reason: a source with so many gaps has one problem and not so many.
const MAX_STRETCHES: usize = 256;

/// Types of event that are kept of a source. One that has posted more is taken for one that posts everything.
///
/// Reason: twice the catalogue's types; the record is written with each batch of the source's events.
const MAX_TYPES: usize = 512;

/// What is known of one source.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Posted {
    /// Events.
    pub events: u64,
    /// Seq of the first entry and of the last one.
    pub entries: (u64, u64),
    /// When the first and the last one were recorded; none before there is any.
    #[serde(with = "micros")]
    pub recorded: Option<(Timestamp, Timestamp)>,
    /// Events with a number.
    pub numbered: u64,
    /// Events whose number another one had already.
    pub repeated: u64,
    /// Events whose `sequence` is no whole number.
    pub unreadable: u64,
    /// Stretches of numbers that have been posted: from, to.
    pub stretches: Vec<(u64, u64)>,
    /// Numbers missing before the first stretch that is kept.
    pub missing_before: u64,
    /// The types of its events.
    pub types: BTreeSet<String>,
    /// It has events of more types than are kept.
    pub more_types: bool,
}

impl Posted {
    /// The gaps that are known one by one: from, to.
    #[must_use]
    pub fn gaps(&self) -> Vec<(u64, u64)> {
        let pairs = self.stretches.iter().zip(self.stretches.iter().skip(1));
        pairs.map(|((_, end), (begin, _))| (end + 1, begin - 1)).collect()
    }

    /// How many numbers are missing.
    #[must_use]
    pub fn missing(&self) -> u64 {
        self.gaps().iter().map(|(from, to)| to - from + 1).sum::<u64>() + self.missing_before
    }

    /// Whether it may have posted an event of one of these types: it has, or not all of its types are kept. Where none are,
    /// these are sums of an earlier version, while the next one is being made.
    #[must_use]
    pub fn has_posted(&self, types: &[String]) -> bool {
        self.more_types || self.types.is_empty() || types.iter().any(|ty| self.types.contains(ty))
    }

    fn add(&mut self, event: &Event) {
        if self.events == 0 {
            self.entries.0 = event.seq;
        }
        if !self.types.contains(&event.ty) {
            if self.types.len() < MAX_TYPES {
                self.types.insert(event.ty.clone());
            } else {
                self.more_types = true;
            }
        }
        self.events += 1;
        self.entries.1 = event.seq;
        let first = self.recorded.map_or(event.recorded_at, |(first, _)| first);
        self.recorded = Some((first, event.recorded_at));
        match event.sequence.as_deref().map(str::parse::<u64>) {
            Some(Ok(number)) if number < u64::MAX => self.add_number(number),
            Some(_) => self.unreadable += 1,
            None => {}
        }
    }

    #[expect(
        clippy::indexing_slicing,
        reason = "what joins was found at its place, and some are left of very many"
    )]
    fn add_number(&mut self, number: u64) {
        self.numbered += 1;
        let place = self.stretches.partition_point(|(_, end)| *end < number);
        let beside = |of: Option<&(u64, u64)>| of.copied();
        let next = beside(self.stretches.get(place));
        if next.is_some_and(|(begin, _)| begin <= number) {
            self.repeated += 1;
            return;
        }
        let before = place.checked_sub(1).and_then(|place| beside(self.stretches.get(place)));
        let joins_before = before.is_some_and(|(_, end)| end + 1 == number);
        let joins_next = next.is_some_and(|(begin, _)| number.checked_add(1) == Some(begin));
        match (joins_before, joins_next) {
            (true, true) => {
                let (_, end) = self.stretches.remove(place);
                self.stretches[place - 1].1 = end;
            }
            (true, false) => self.stretches[place - 1].1 = number,
            (false, true) => self.stretches[place].0 = number,
            (false, false) => self.stretches.insert(place, (number, number)),
        }
        if self.stretches.len() > MAX_STRETCHES {
            let (begin, end) = self.stretches.remove(0);
            let next = &mut self.stretches[0];
            self.missing_before += next.0 - end - 1;
            next.0 = begin;
        }
    }
}

/// A stretch of time as the tallies can count it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stretch {
    /// The whole minutes in it: from, before. Empty where the two are equal.
    pub whole: (Timestamp, Timestamp),
    /// What of it lies in a minute that begins before it or ends after it: from, before.
    pub parts: [Option<(Timestamp, Timestamp)>; 2],
}

impl Stretch {
    /// The stretch from a time to before another one.
    #[must_use]
    pub fn between(from: Timestamp, to: Timestamp) -> Stretch {
        let part = |from, to| Some((from, to)).filter(|(from, to)| from < to);
        let (first, last) = (minute_of(from), minute_of(to));
        if first >= last {
            // Both within one minute.
            return Stretch { whole: (first, first), parts: [part(from, to), None] };
        }
        // A minute that is there, for the end lies in a later one than the beginning.
        let first = if first == from { first } else { first.saturating_add(MICROS_PER_MINUTE) };
        Stretch { whole: (first, last), parts: [part(from, first), part(last, to)] }
    }
}

/// The tallies of all sources.
pub struct Sources;

/// Under which name a source is tallied.
#[must_use]
pub fn source_name(source: &str) -> String {
    format!("s{source}")
}

/// The beginning of the minute that a time lies in.
#[must_use]
pub fn minute_of(time: Timestamp) -> Timestamp {
    time.saturating_add(-time.micros().rem_euclid(MICROS_PER_MINUTE))
}

/// Under which name the events of a source in the minute of a time are counted.
#[must_use]
pub fn minute_name(source: &str, time: Timestamp) -> String {
    // Digits that sort as the minutes do, also those before 1970.
    format!("m{source}\n{:020}", time.micros().div_euclid(MICROS_PER_MINUTE) + (1 << 40))
}

impl Tallier for Sources {
    fn name(&self) -> &str {
        SOURCES
    }

    fn version(&self) -> u64 {
        // 2: a `sequence` that is a number counts. 3: the types of a source's events are kept.
        3
    }

    fn names_of(&self, event: &Event, _: &Catalog) -> Vec<String> {
        vec![source_name(&event.source), minute_name(&event.source, event.happened_at)]
    }

    fn add(&self, name: &str, sum: &mut Value, events: &[&Event], _: &Catalog) -> Vec<(String, Value)> {
        if name.starts_with('m') {
            *sum = Value::from(sum.as_u64().unwrap_or(0) + events.len() as u64);
            return Vec::new();
        }
        let mut posted: Posted = serde_json::from_value(sum.take()).unwrap_or_default();
        events.iter().for_each(|event| posted.add(event));
        *sum = serde_json::to_value(posted).unwrap_or_default();
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::histories::told;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_missing_is_what_lies_between(numbers in prop::collection::vec(0..60_u64, 0..80)) {
            let mut posted = Posted::default();
            numbers.iter().for_each(|number| posted.add_number(*number));
            let set: BTreeSet<u64> = numbers.iter().copied().collect();
            let span = set.first().zip(set.last()).map_or(0..0, |(first, last)| *first..*last);
            let missing: Vec<u64> = span.filter(|number| !set.contains(number)).collect();
            let gaps: Vec<u64> = posted.gaps().into_iter().flat_map(|(from, to)| from..=to).collect();
            prop_assert_eq!(&gaps, &missing);
            prop_assert_eq!(posted.missing(), missing.len() as u64);
            prop_assert_eq!(posted.repeated, (numbers.len() - set.len()) as u64);
        }
    }

    proptest! {
        #[test]
        fn a_stretch_is_its_whole_minutes_and_two_parts(from in near_a_minute(), long in 0..5 * MICROS_PER_MINUTE) {
            let to = from.saturating_add(long);
            let Stretch { whole, parts: [before, after] } = Stretch::between(from, to);
            prop_assert_eq!((minute_of(whole.0), minute_of(whole.1)), whole);
            let pieces = [before, Some(whole).filter(|(from, to)| from < to), after];
            let mut end = from;
            for (from, to) in pieces.into_iter().flatten() {
                prop_assert_eq!(from, end);
                prop_assert!(from < to);
                end = to;
            }
            prop_assert_eq!(end, to);
            for (from, to) in [before, after].into_iter().flatten() {
                prop_assert_eq!(minute_of(from), minute_of(to.saturating_add(-1)));
                prop_assert!(to.since(from) < MICROS_PER_MINUTE);
            }
        }
    }

    /// Times within three minutes of the epoch and of the first and last there are, some of them whole minutes.
    fn near_a_minute() -> impl Strategy<Value = Timestamp> {
        let base = prop::sample::select(vec![Timestamp::FIRST, Timestamp::EPOCH, Timestamp::LAST]);
        let away = prop_oneof![
            -3 * MICROS_PER_MINUTE..3 * MICROS_PER_MINUTE,
            (-3..3_i64).prop_map(|n| n * MICROS_PER_MINUTE)
        ];
        (base, away).prop_map(|(base, away)| base.saturating_add(away))
    }

    #[test]
    fn a_source_of_more_types_than_are_kept_is_taken_for_one_that_posts_everything() {
        let mut posted = Posted::default();
        let of_type =
            |ty: usize| Event { ty: format!("made.up_{ty}"), ..told("/s", "made.up", 0, Value::Null) };
        let others = ["never.posted".to_owned()];
        for ty in 0..MAX_TYPES {
            posted.add(&of_type(ty));
            posted.add(&of_type(ty));
        }
        assert_eq!((posted.types.len(), posted.has_posted(&others)), (MAX_TYPES, false));
        assert!(posted.has_posted(&["never.posted".to_owned(), "made.up_7".to_owned()]));
        posted.add(&of_type(MAX_TYPES));
        assert_eq!((posted.types.len(), posted.has_posted(&others)), (MAX_TYPES, true));
    }

    #[test]
    fn a_thousand_gaps_are_counted_and_do_not_fill_the_memory() {
        let mut posted = Posted::default();
        (0..2_000).for_each(|number| posted.add_number(number * 3));
        assert_eq!((posted.stretches.len(), posted.missing()), (MAX_STRETCHES, 2 * 1_999));
    }
}
