//! What is written to a store at once.

use super::table::Table;

/// Puts and deletes over tables, applied as one. Where a key occurs twice, the later call counts.
#[derive(Debug, Default)]
pub struct Batch {
    /// Keys and values end to end: one allocation for thousands of small pieces.
    bytes: Vec<u8>,
    writes: Vec<Write>,
}

/// Where in `Batch::bytes` a key lies, and its value right behind it; no value deletes.
#[derive(Debug)]
struct Write {
    table: Table,
    start: usize,
    key_len: usize,
    value_len: Option<usize>,
}

#[expect(
    clippy::indexing_slicing,
    reason = "both lie inside `bytes`: `Batch::push` alone makes a `Write`, and nothing removes bytes"
)]
impl Write {
    fn key<'a>(&self, bytes: &'a [u8]) -> &'a [u8] {
        &bytes[self.start..self.start + self.key_len]
    }

    fn value<'a>(&self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let start = self.start + self.key_len;
        self.value_len.map(|len| &bytes[start..start + len])
    }
}

impl Batch {
    /// Sets `key` to `value`.
    pub fn put(&mut self, table: Table, key: &[u8], value: &[u8]) {
        self.push(table, key, Some(value));
    }

    /// Removes `key`, if it is there.
    pub fn delete(&mut self, table: Table, key: &[u8]) {
        self.push(table, key, None);
    }

    /// Adds what another batch writes, after what this one does.
    pub fn append(&mut self, other: Batch) {
        let offset = self.bytes.len();
        self.bytes.extend_from_slice(&other.bytes);
        self.writes
            .extend(other.writes.into_iter().map(|write| Write { start: write.start + offset, ..write }));
    }

    fn push(&mut self, table: Table, key: &[u8], value: Option<&[u8]>) {
        let start = self.bytes.len();
        self.bytes.extend_from_slice(key);
        self.bytes.extend_from_slice(value.unwrap_or_default());
        self.writes.push(Write { table, start, key_len: key.len(), value_len: value.map(<[u8]>::len) });
    }

    /// Sorts by table and key, and keeps the last write of each key. Engines differ in what two writes of a key in one
    /// batch come to, and all of them insert sorted keys faster.
    pub(super) fn settle(&mut self) {
        let bytes = &self.bytes;
        // The sort is stable: turned round first, the later write of a key comes first and is the one kept.
        self.writes.reverse();
        self.writes.sort_by(|a, b| (a.table, a.key(bytes)).cmp(&(b.table, b.key(bytes))));
        self.writes.dedup_by(|a, b| a.table == b.table && a.key(bytes) == b.key(bytes));
    }

    /// How many writes there are.
    pub(super) fn len(&self) -> usize {
        self.writes.len()
    }

    /// The settled writes: table, key, and the value to put or nothing to delete.
    pub(super) fn writes(&self) -> impl Iterator<Item = (Table, &[u8], Option<&[u8]>)> {
        self.writes.iter().map(|write| (write.table, write.key(&self.bytes), write.value(&self.bytes)))
    }
}
