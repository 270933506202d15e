//! The engine's keys, byte for byte. Integers are big-endian, so that they sort.
//!
//! | table | key | value |
//! | --- | --- | --- |
//! | `Meta` | `header`, and in each table `seal` | as in the index: format and ledger; entries applied and the last one's hash |
//! | `Meta` | 0, `z`, slot | [`super::slots::SlotRecord`], JSON |
//! | `Meta` | 0, `x`, seq | the corrections of that entry that have an effect, JSON |
//! | `Meta` | 0, `k`, seq | what that correction does, JSON |
//! | `Meta` | 0, `r`, seq | the correction that names that entry as replacement, and its target, JSON |
//! | `Meta` | slot, `c`, facet, 0, value | how many rows have it (u64) |
//! | `Meta` | slot, `d`, kind, day | how many rows have that date on that day (u64) |
//! | `Meta` | slot, `s`, model, 0, version, 0, day | statistics of that day, JSON |
//! | `Meta` | slot, `t`, name | a tally, JSON |
//! | `Meta` | slot, `u` | the entry of the view's turn: see `View::turn` (u64) |
//! | `Ids` | slot, 16 bytes of hash of a row's name, or of its name and a source | the row's number |
//! | `Rows` | slot, number | [`super::stored::Stored`], JSON |
//! | `Events` | slot, number, seq | 8 bytes of hash of the event's source, or the event as kept, JSON |
//! | `Terms` | slot, `s`, hash of a state, number | nothing |
//! | `Terms` | slot, `d`, kind, date, number | nothing |
//! | `Terms` | slot, `o`, number, number of a row of the same id and another source | 8 bytes of hash of that source |
//! | `Terms` | slot, `l`, hash of a field and its value, number | nothing |
//! | `Postings` | list (16 bytes), bundle | offsets of entries: see `views/postings` |
//!
//! A slot is one version of one view. A row's number is the seq of the first entry about it.

use super::view::RowName;
use crate::spec::time::{Day, Timestamp};
use sha2::{Digest as _, Sha256};

/// One version of one view. 0 is the engine's own.
pub(super) type Slot = u32;

/// The dates by which rows are kept in order.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum DateKind {
    /// `due_at` of rows that are not done.
    Due,
    /// `valid_until` of rows that are not done.
    Until,
    /// The effective time of a row's last event, where it lies beyond the time when it was recorded: until then the
    /// row is not yet what it is kept as.
    Ahead,
}

impl DateKind {
    fn byte(self) -> u8 {
        match self {
            DateKind::Due => b'd',
            DateKind::Until => b'u',
            DateKind::Ahead => b'a',
        }
    }
}

/// A number as bytes that sort as numbers do.
fn sortable(number: i64) -> [u8; 8] {
    ((number as u64) ^ (1 << 63)).to_be_bytes()
}

fn unsortable(bytes: [u8; 8]) -> i64 {
    (u64::from_be_bytes(bytes) ^ (1 << 63)) as i64
}

fn hash(parts: &[&[u8]]) -> [u8; 32] {
    let mut hash = Sha256::new();
    for part in parts {
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().into()
}

fn first<const N: usize>(hash: &[u8; 32]) -> [u8; N] {
    // N is at most 32: the default is never taken.
    hash.first_chunk::<N>().copied().unwrap_or([0; N])
}

struct Key(Vec<u8>);

impl Key {
    fn new(slot: Slot, kind: &[u8]) -> Key {
        let mut key = Vec::with_capacity(32);
        key.extend_from_slice(&slot.to_be_bytes());
        key.extend_from_slice(kind);
        Key(key)
    }

    fn and(mut self, bytes: &[u8]) -> Key {
        self.0.extend_from_slice(bytes);
        self
    }
}

pub(super) fn slot_record(slot: Slot) -> Vec<u8> {
    Key::new(0, b"z").and(&slot.to_be_bytes()).0
}

pub(super) fn all_slot_records() -> (Vec<u8>, Vec<u8>) {
    (slot_record(0), slot_record(Slot::MAX))
}

pub(super) fn corrections(target: u64) -> Vec<u8> {
    Key::new(0, b"x").and(&target.to_be_bytes()).0
}

pub(super) fn all_corrections() -> (Vec<u8>, Vec<u8>) {
    (corrections(0), corrections(u64::MAX))
}

pub(super) fn correction(seq: u64) -> Vec<u8> {
    Key::new(0, b"k").and(&seq.to_be_bytes()).0
}

pub(super) fn replacement(seq: u64) -> Vec<u8> {
    Key::new(0, b"r").and(&seq.to_be_bytes()).0
}

pub(super) fn all_replacements() -> (Vec<u8>, Vec<u8>) {
    (replacement(0), replacement(u64::MAX))
}

pub(super) fn count(slot: Slot, facet: &str, value: &str) -> Vec<u8> {
    Key::new(slot, b"c").and(facet.as_bytes()).and(&[0]).and(value.as_bytes()).0
}

/// All counts of a facet, and where in their keys the value begins.
pub(super) fn counts(slot: Slot, facet: &str) -> (Vec<u8>, Vec<u8>, usize) {
    let from = count(slot, facet, "");
    let start = from.len();
    (from, Key::new(slot, b"c").and(facet.as_bytes()).and(&[1]).0, start)
}

pub(super) fn days(slot: Slot, kind: DateKind, day: Day) -> Vec<u8> {
    Key::new(slot, b"d").and(&[kind.byte()]).and(&sortable(day.number().into())).0
}

pub(super) fn statistics(slot: Slot, model: &str, version: &str, day: Day) -> Vec<u8> {
    Key::new(slot, b"s")
        .and(model.as_bytes())
        .and(&[0])
        .and(version.as_bytes())
        .and(&[0])
        .and(&((day.number() as u32) ^ (1 << 31)).to_be_bytes())
        .0
}

/// All statistics of a model, or of all models.
pub(super) fn all_statistics(slot: Slot, model: Option<&str>) -> (Vec<u8>, Vec<u8>) {
    match model {
        Some(model) => (
            Key::new(slot, b"s").and(model.as_bytes()).and(&[0]).0,
            Key::new(slot, b"s").and(model.as_bytes()).and(&[1]).0,
        ),
        None => (Key::new(slot, b"s").0, Key::new(slot, b"t").0),
    }
}

/// Model, version and day in a key of [`statistics`].
pub(super) fn statistics_of(key: &[u8]) -> Option<(String, String, Day)> {
    let (names, day) = key.get(5..)?.split_last_chunk::<4>()?;
    let mut names = names.split(|byte| *byte == 0);
    let mut text = || String::from_utf8(names.next()?.to_vec()).ok();
    Some((text()?, text()?, Day::from_number((u32::from_be_bytes(*day) ^ (1 << 31)) as i32)?))
}

pub(super) fn tally(slot: Slot, name: &str) -> Vec<u8> {
    Key::new(slot, b"t").and(name.as_bytes()).0
}

/// Where the entry of a view's turn stands.
pub(super) fn turn(slot: Slot) -> Vec<u8> {
    Key::new(slot, b"u").0
}

/// The name in a key of [`tally`].
pub(super) fn tally_name(key: &[u8]) -> Option<&str> {
    std::str::from_utf8(key.get(5..)?).ok()
}

pub(super) fn name(slot: Slot, name: &RowName) -> [u8; 20] {
    let hash = match name {
        RowName::Id(id) => hash(&[b"id", id.as_bytes()]),
        RowName::Alias(alias) => hash(&[b"alias", alias.as_bytes()]),
    };
    let mut key = [0; 20];
    key[..4].copy_from_slice(&slot.to_be_bytes());
    key[4..].copy_from_slice(&first::<16>(&hash));
    key
}

/// The name of a row of its own that a source has under an id.
pub(super) fn name_of_source(slot: Slot, id: &str, source: &str) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&slot.to_be_bytes());
    key[4..].copy_from_slice(&first::<16>(&hash(&[b"of", id.as_bytes(), source.as_bytes()])));
    key
}

/// The row to which an event of this source gave this other name.
pub(super) fn alias_of_source(slot: Slot, alias: &str, source: &str) -> [u8; 20] {
    let mut key = [0; 20];
    key[..4].copy_from_slice(&slot.to_be_bytes());
    key[4..].copy_from_slice(&first::<16>(&hash(&[b"alias of", alias.as_bytes(), source.as_bytes()])));
    key
}

/// A row of another source beside the first row of an id.
pub(super) fn sibling(slot: Slot, first: u64, number: u64) -> Vec<u8> {
    Key::new(slot, b"o").and(&first.to_be_bytes()).and(&number.to_be_bytes()).0
}

pub(super) fn siblings(slot: Slot, first: u64) -> (Vec<u8>, Vec<u8>) {
    (sibling(slot, first, 0), sibling(slot, first, u64::MAX))
}

pub(super) fn row(slot: Slot, number: u64) -> Vec<u8> {
    Key::new(slot, &[]).and(&number.to_be_bytes()).0
}

/// The number at the end of a key.
pub(super) fn number_of(key: &[u8]) -> Option<u64> {
    key.last_chunk::<8>().map(|bytes| u64::from_be_bytes(*bytes))
}

pub(super) fn event(slot: Slot, number: u64, seq: u64) -> Vec<u8> {
    Key::new(slot, &number.to_be_bytes()).and(&seq.to_be_bytes()).0
}

/// All events of a row.
pub(super) fn events(slot: Slot, number: u64) -> (Vec<u8>, Vec<u8>) {
    (event(slot, number, 0), event(slot, number, u64::MAX))
}

pub(super) fn state(slot: Slot, state: &str, number: u64) -> Vec<u8> {
    let hash = first::<8>(&hash(&[b"state", state.as_bytes()]));
    Key::new(slot, b"s").and(&hash).and(&number.to_be_bytes()).0
}

pub(super) fn date(slot: Slot, kind: DateKind, time: Timestamp, number: u64) -> Vec<u8> {
    Key::new(slot, b"d").and(&[kind.byte()]).and(&sortable(time.micros())).and(&number.to_be_bytes()).0
}

/// All dates of a kind up to a time, that time included.
pub(super) fn dates_to(slot: Slot, kind: DateKind, time: Timestamp) -> Vec<u8> {
    // Where a scan ends is not part of it; no row has this number.
    date(slot, kind, time, u64::MAX)
}

/// Time and number in a key of [`date`].
pub(super) fn date_of(key: &[u8]) -> Option<(Timestamp, u64)> {
    let (rest, number) = key.split_last_chunk::<8>()?;
    let time = Timestamp::from_micros(unsortable(*rest.last_chunk::<8>()?))?;
    Some((time, u64::from_be_bytes(*number)))
}

/// A row on the list of a field's value.
pub(super) fn listed(slot: Slot, field: &str, value: &str, number: u64) -> Vec<u8> {
    let hash = first::<8>(&hash(&[b"list", field.as_bytes(), value.as_bytes()]));
    Key::new(slot, b"l").and(&hash).and(&number.to_be_bytes()).0
}

/// The name of a list of entries. It begins with the slot, as all keys do.
pub(super) fn entries(slot: Slot, field: &str, value: &str) -> [u8; 16] {
    let mut key = [0; 16];
    key[..4].copy_from_slice(&slot.to_be_bytes());
    key[4..].copy_from_slice(&first::<12>(&hash(&[b"entries", field.as_bytes(), value.as_bytes()])));
    key
}

/// Everything of a slot in any table: all keys begin with their slot.
pub(super) fn whole(slot: Slot) -> (Vec<u8>, Vec<u8>) {
    (Key::new(slot, &[]).0, Key::new(slot.saturating_add(1), &[]).0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sort_as_bytes_and_are_read_back() {
        let around = [-1, 0, 1].map(|micros| Timestamp::EPOCH.saturating_add(micros));
        let times = [[Timestamp::FIRST].as_slice(), &around, &[Timestamp::LAST]].concat();
        let keys: Vec<Vec<u8>> = times.iter().map(|time| date(1, DateKind::Due, *time, 3)).collect();
        assert!(keys.is_sorted());
        let back: Vec<_> = keys.iter().filter_map(|key| date_of(key)).collect();
        assert_eq!(back, times.iter().map(|time| (*time, 3)).collect::<Vec<_>>());
    }

    #[test]
    fn a_day_of_statistics_is_read_back() {
        let day = Day::from_number(-3).unwrap();
        let key = statistics(7, "credit-line", "1.1", day);
        assert_eq!(statistics_of(&key), Some(("credit-line".into(), "1.1".into(), day)));
        let (from, to) = all_statistics(7, Some("credit-line"));
        assert!(from < key && key < to);
    }
}
