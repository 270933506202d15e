//! One entry, and a chunk of neighbouring ones: everything that can be checked without knowing what came before,
//! so that it can be done on many threads. The order of things is for [`crate::pipeline`].

use crate::failure::{Code, Fault};
use crate::keys::{Signed, check_signatures_with, check_type};
use crate::signatures::{Hold, Signatures, hold_strictly};
use daybook_spec::entry::{Entry, EntryError, KeyChange, TYPE_CREATED, TYPE_KEY_ROTATED};
use daybook_spec::export::Line;
use daybook_spec::merkle::{Hash, leaf_hash};
use daybook_spec::note::{NoteError, VerifierKey};
use daybook_spec::tile::{LENGTH_BYTES, split_framed};
use daybook_spec::time::Timestamp;
use std::borrow::Cow;
use std::io::BufRead as _;
use std::ops::Range;

/// How the entries of a chunk are told apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Framing {
    /// As in a bundle: `u16` length, entry.
    Lengths,
    /// As in an export: one line of JSON each.
    Lines,
}

/// Neighbouring entries on their way from a source to a worker, in the bytes in which the source has them.
#[derive(Debug)]
pub(crate) struct Chunk {
    /// Place of its first entry in the log.
    pub first: u64,
    pub count: u64,
    pub framing: Framing,
    /// Whole frames only.
    pub bytes: Vec<u8>,
    /// Where in `bytes` an entry stands that may change the key.
    pub changes: Vec<Range<usize>>,
    /// The leaf hashes that the source itself claims, one after the other, where it claims any.
    pub leaves: Option<Vec<u8>>,
}

impl Chunk {
    pub(crate) fn new(first: u64, framing: Framing) -> Self {
        Self { first, count: 0, framing, bytes: Vec::new(), changes: Vec::new(), leaves: None }
    }

    /// Takes note of one more entry, which stands at `range` of the bytes (its frame not included).
    pub(crate) fn note(&mut self, range: Range<usize>) {
        let raw = self.bytes.get(range.clone()).unwrap_or_default();
        if (self.first == 0 && self.count == 0) || may_change_key(raw, self.framing) {
            self.changes.push(range);
        }
        self.count += 1;
    }

    fn frames(&self) -> Frames<'_> {
        Frames { rest: &self.bytes, framing: self.framing }
    }
}

struct Frames<'a> {
    rest: &'a [u8],
    framing: Framing,
}

impl<'a> Iterator for Frames<'a> {
    type Item = &'a [u8];

    fn next(&mut self) -> Option<&'a [u8]> {
        if self.rest.is_empty() {
            return None;
        }
        let (frame, rest) = match self.framing {
            Framing::Lengths => split_framed(self.rest)?,
            Framing::Lines => {
                // The standard library's search for a byte, which looks at many at a time; a slice never fails to be read.
                let mut rest = self.rest;
                let end = rest.skip_until(b'\n').ok()?;
                (self.rest.get(..end)?.strip_suffix(b"\n")?, rest)
            }
        };
        self.rest = rest;
        Some(frame)
    }
}

/// Whether an entry could be a key rotation, by its bytes. Canonical text has one spelling, and `actor` is its first
/// member, so this misses none; what it finds may still be anything.
fn may_change_key(raw: &[u8], framing: Framing) -> bool {
    let (start, kind): (&[u8], &[u8]) = match framing {
        Framing::Lengths => (b"{\"actor\":\"ledger\",", b"\"type\":\"ledger.key_rotated\""),
        Framing::Lines => {
            (b"{\"entry\":\"{\\\"actor\\\":\\\"ledger\\\",", b"\\\"type\\\":\\\"ledger.key_rotated\\\"")
        }
    };
    raw.starts_with(start) && raw.windows(kind.len()).any(|window| window == kind)
}

/// The entry in a frame.
fn unframe(raw: &[u8], framing: Framing) -> Result<Cow<'_, [u8]>, Fault> {
    match framing {
        Framing::Lengths => Ok(Cow::Borrowed(raw)),
        Framing::Lines => match Line::parse(raw) {
            Some(Line::Entry(entry)) => Ok(Cow::Owned(entry.into_bytes())),
            _ => Err(Fault::new(
                Code::LineInvalid,
                "the line is not {\"entry\":\"…\"} in canonical JSON, with an entry of at most 65,535 bytes",
            )),
        },
    }
}

/// The key that an entry brings into force, if it is one that may: `ledger.created` as entry 0, `ledger.key_rotated`
/// elsewhere. Whether it may *really* is decided in log order; reader and workers only have to agree on what it
/// would be.
fn key_brought_by(entry: &Entry<'_>, index: u64) -> Result<Option<KeyChange>, EntryError> {
    let kind = if index == 0 { TYPE_CREATED } else { TYPE_KEY_ROTATED };
    if entry.event_type() == kind { entry.key_change() } else { Ok(None) }
}

/// The key in force after a chunk, if all is well in it; what the reader tells the workers of the chunks behind.
pub(crate) fn key_after(chunk: &Chunk, before: Option<VerifierKey>) -> Option<VerifierKey> {
    chunk.changes.iter().fold(before, |key, range| {
        let raw = chunk.bytes.get(range.clone()).unwrap_or_default();
        // Only entry 0 lies at the start of chunk 0; its own number does not matter here.
        let start = match chunk.framing {
            Framing::Lengths => LENGTH_BYTES,
            Framing::Lines => 0,
        };
        let index = if chunk.first == 0 && range.start == start { 0 } else { 1 };
        let brought = unframe(raw, chunk.framing).ok().and_then(|bytes| {
            key_brought_by(&Entry::parse(&bytes).ok()?, index).ok()?.map(|change| change.key)
        });
        brought.or(key)
    })
}

/// What was found of one well-formed entry, for the merge to put in its place.
#[derive(Debug)]
pub(crate) struct Checked {
    pub leaf: Hash,
    /// SHA-256 of the text: what the next entry's `prev` must be.
    pub text: Hash,
    pub prev: Hash,
    pub seq: u64,
    pub time: Timestamp,
    /// It bears a producer's signature.
    pub produced: bool,
    /// It has a sealed personal part.
    pub sealed: bool,
    /// It is of another ledger: told before anything about its place.
    pub wrong_ledger: Option<Fault>,
    /// Anything else that is wrong with it: told after its place.
    pub fault: Option<Fault>,
    /// The key that it brings into force, and how it is signed.
    pub change: Option<Box<(KeyChange, Signed)>>,
}

/// Checks a chunk's entries up to the first that is bad by itself. `key` is the key in force at its start.
pub(crate) fn check_chunk(
    chunk: &Chunk,
    key: Option<&VerifierKey>,
    signatures: &Signatures,
) -> Vec<Result<Checked, Fault>> {
    match signatures {
        Signatures::Strict => {
            check_each(chunk, key, &mut |_, key, text, signature| hold_strictly(key, text, signature))
        }
        #[cfg(feature = "batch")]
        Signatures::Batched(seed) => {
            let mut batch = crate::batch::Batch::default();
            let mut checks = check_each(chunk, key, &mut |index, key, text, signature| {
                batch.put(index, key, text, signature)
            });
            // What strict checking would have found first, before anything else that is wrong with the same entry.
            if let Err((index, fault)) = batch.verify(seed, chunk.first) {
                let at = usize::try_from(index - chunk.first).unwrap_or(usize::MAX);
                checks.truncate(at.saturating_add(1));
                if let Some(Ok(checked)) = checks.get_mut(at) {
                    checked.fault = Some(fault);
                }
            }
            checks
        }
    }
}

/// Checks a chunk's entries; whether their ordinary signatures hold, `hold` says, now or later.
fn check_each(chunk: &Chunk, key: Option<&VerifierKey>, hold: Hold<'_>) -> Vec<Result<Checked, Fault>> {
    let mut key = key.cloned();
    let mut checks = Vec::with_capacity(usize::try_from(chunk.count).unwrap_or(0).min(1024));
    for (index, raw) in (chunk.first..).zip(chunk.frames()) {
        let check = unframe(raw, chunk.framing).and_then(|bytes| check_entry(&bytes, index, &mut key, hold));
        let check = check.map(|mut checked| {
            let claimed = chunk.leaves.as_ref().map(|leaves| {
                let at = usize::try_from(index - chunk.first).unwrap_or(usize::MAX).saturating_mul(32);
                leaves.get(at..at.saturating_add(32)).unwrap_or_default()
            });
            if claimed.is_some_and(|claimed| claimed != checked.leaf) && checked.fault.is_none() {
                checked.fault =
                    Some(Fault::new(Code::TileMismatch, "the tile of hashes does not hold its hash"));
            }
            checked
        });
        let bad = !matches!(&check, Ok(Checked { wrong_ledger: None, fault: None, .. }));
        checks.push(check);
        if bad {
            break;
        }
    }
    checks
}

fn check_entry(
    bytes: &[u8],
    index: u64,
    key: &mut Option<VerifierKey>,
    hold: Hold<'_>,
) -> Result<Checked, Fault> {
    let entry = Entry::parse(bytes).map_err(|error| malformed(&error))?;
    let change = key_brought_by(&entry, index).map_err(|error| malformed(&error))?;
    if index == 0 {
        // Entry 0 is signed by the key that it names itself; who trusts that key is another question.
        *key = change.as_ref().map(|change| change.key.clone());
    }
    let signed = check_type(&entry, index).and_then(|()| match key.as_ref() {
        Some(key) => check_signatures_with(&entry, key, change.as_ref(), &mut |key, text, signature| {
            hold(index, key, text, signature)
        }),
        None => Err(Fault::new(Code::KeyNotInForce, "no key is in force")),
    });
    let wrong_ledger = key.as_ref().filter(|key| key.name() != entry.ledger).map(|key| {
        Fault::new(
            Code::WrongLedger,
            format!("it is of another ledger, {:?} and not {:?}", entry.ledger, key.name()),
        )
    });
    if let Some(change) = &change {
        *key = Some(change.key.clone());
    }
    let (signed, fault) = match signed {
        Ok(signed) => (signed, None),
        Err(fault) => (Signed::AsUsual, Some(fault)),
    };
    Ok(Checked {
        leaf: leaf_hash(bytes),
        text: entry.text_hash(),
        prev: entry.prev,
        seq: entry.seq,
        time: entry.time,
        produced: entry.producer.is_some(),
        sealed: entry.sealed,
        wrong_ledger,
        fault,
        change: change.map(|change| Box::new((change, signed))),
    })
}

/// An entry's bad form, in words and as a code.
pub(crate) fn malformed(error: &EntryError) -> Fault {
    let code = match error {
        EntryError::NotCanonical | EntryError::Json(_) => Code::NotCanonical,
        EntryError::UnknownMember(_) => Code::UnknownMember,
        EntryError::Note(NoteError::NoSignatures) => Code::SignatureCount,
        _ => Code::EntryMalformed,
    };
    Fault::new(code, format!("it is not an entry of a ledger: {error}"))
}
