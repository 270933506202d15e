//! Checkpoints that a ledger has published, kept by somebody else: what it shows now has to be what it signed then.
//!
//! A file of them is what a ledger appends to (one JSON object `{"checkpoint": "<note>"}` a line), or the notes themselves,
//! one after the other. It is read twice, and never held: first for the sizes, whose roots are then kept while the entries
//! are read; then, the ledger's keys being known, for the signatures. One that no key of the ledger signed shows nothing of
//! the ledger, and the file is not what it was taken for.

use crate::failure::{Code, Failure, Fork, Problem};
use crate::keys::KeyRing;
use daybook_spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use daybook_spec::encoding::to_base64;
use daybook_spec::export::Line;
use daybook_spec::merkle::Hash;
use std::fmt;
use std::fs::File;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;

/// Checkpoints that a file may have.
///
/// Reason: their sizes and roots are kept, in about 50 MB; one a second for eleven days. Of a longer file a part shows as
/// much, if the newest is in it.
pub const MAX_PUBLISHED: usize = 1_000_000;

/// Bytes of a line: a checkpoint, all of it escaped.
const MAX_LINE_BYTES: u64 = 6 * MAX_CHECKPOINT_BYTES as u64;

/// How a signature line of a note begins.
const SIGNATURE_START: &str = "\u{2014} ";

/// That all checkpoints of a file are of the history that was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Published {
    /// How many were held against it.
    pub checkpoints: u64,
    /// The size of the largest.
    pub largest: u64,
    /// How many could not be compared: of a receipt's tree, all that are of another size.
    pub not_comparable: u64,
}

impl fmt::Display for Published {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { checkpoints, largest, not_comparable } = self;
        if *not_comparable == 0 {
            return write!(
                f,
                "of the {checkpoints} published checkpoints, of up to {largest} entries, all are of this history"
            );
        }
        let compared = checkpoints - not_comparable;
        write!(
            f,
            "{compared} of {checkpoints} published checkpoints are of this size and have this root; the others cannot be compared"
        )
    }
}

/// The sizes of all checkpoints of a file.
pub(crate) fn sizes(path: &Path) -> Result<Vec<u64>, Problem> {
    let mut sizes = Vec::new();
    each(path, |_, checkpoint, _| {
        sizes.push(checkpoint.size);
        if sizes.len() > MAX_PUBLISHED {
            let text =
                format!("{} has more than {MAX_PUBLISHED} checkpoints: give a part of it", path.display());
            return Err(Problem::could_not(text));
        }
        Ok(())
    })?;
    if sizes.is_empty() {
        return Err(Problem::could_not(format!("{} holds no checkpoint", path.display())));
    }
    Ok(sizes)
}

/// Holds each checkpoint of a file against a history: `root_at` knows its root at the sizes that are in the file, where it
/// reaches so far, and `shown` is the checkpoint that it shows itself.
pub(crate) fn compare(
    path: &Path,
    keys: &KeyRing,
    (entries, shown): (u64, &str),
    root_at: impl Fn(u64) -> Option<Hash>,
) -> Result<Published, Problem> {
    let mut published = Published { checkpoints: 0, largest: 0, not_comparable: 0 };
    each(path, |number, checkpoint, note| {
        if !is_signed(keys, note) {
            return Err(Problem::could_not(format!(
                "{}: checkpoint {number} bears no signature by a key of this ledger",
                path.display()
            )));
        }
        published.checkpoints += 1;
        published.largest = published.largest.max(checkpoint.size);
        let size = checkpoint.size;
        match root_at(size) {
            Some(root) if root == checkpoint.root => Ok(()),
            Some(root) => Err(forked(size, &root, note, shown)),
            None if size > entries => {
                let text = format!(
                    "a checkpoint of {size} entries was published (number {number} in the file), now there are {entries}: \
                     the end was cut off"
                );
                Err(Problem::failed(Code::Shrunk, text))
            }
            None => {
                published.not_comparable += 1;
                Ok(())
            }
        }
    })?;
    Ok(published)
}

fn forked(size: u64, root: &Hash, published: &str, shown: &str) -> Problem {
    let message = format!(
        "the first {size} entries, with the root {}, are not those that the ledger signed in a checkpoint that was published: \
         its history was rewritten, or two histories are shown to different people",
        to_base64(root)
    );
    let fork = Fork { seen: published.to_owned(), shown: shown.to_owned() };
    Problem::Failed(Failure { code: Code::Forked, seq: None, message, fork: Some(Box::new(fork)) })
}

/// Whether a key of the ledger signed it, whichever was in force then: a history that was rewritten may have changed its
/// keys at other places.
fn is_signed(keys: &KeyRing, note: &str) -> bool {
    let Ok((_, note)) = Checkpoint::parse(note.as_bytes()) else { return false };
    let by_known = note.signatures.iter().filter_map(|line| {
        let key = keys.all().find(|key| key.key.made(line))?;
        Some(key.key.verify(note.text.as_bytes(), &line.signature))
    });
    // A note with a signature by a known key that does not verify is none.
    by_known.reduce(|all, one| all && one).unwrap_or(false)
}

/// Reads checkpoint by checkpoint, and gives each with its number in the file, from 1.
fn each(
    path: &Path,
    mut take: impl FnMut(u64, Checkpoint, &str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let trouble = |error: std::io::Error| Problem::could_not(format!("{}: {error}", path.display()));
    let mut file = BufReader::new(File::open(path).map_err(trouble)?);
    let (mut line, mut note, mut number) = (String::new(), String::new(), 0);
    loop {
        line.clear();
        file.by_ref().take(MAX_LINE_BYTES).read_line(&mut line).map_err(trouble)?;
        let is_whole = note.lines().last().is_some_and(|last| last.starts_with(SIGNATURE_START));
        if is_whole && !line.starts_with(SIGNATURE_START) {
            number += 1;
            give(path, number, &note, &mut take)?;
            note.clear();
        }
        match line.as_str() {
            "" if note.is_empty() => return Ok(()),
            "" => return Err(none(path, number + 1)),
            json if note.is_empty() && json.starts_with('{') => {
                number += 1;
                let Some(Line::Checkpoint(published)) = Line::parse(json.trim_end_matches('\n').as_bytes())
                else {
                    return Err(none(path, number));
                };
                give(path, number, &published, &mut take)?;
            }
            // Between two notes there may be empty lines.
            "\n" if note.is_empty() => {}
            more if note.len() + more.len() > MAX_CHECKPOINT_BYTES => return Err(none(path, number + 1)),
            more => note.push_str(more),
        }
    }
}

fn give(
    path: &Path,
    number: u64,
    note: &str,
    take: &mut impl FnMut(u64, Checkpoint, &str) -> Result<(), Problem>,
) -> Result<(), Problem> {
    let (checkpoint, _) = Checkpoint::parse(note.as_bytes()).map_err(|_| none(path, number))?;
    take(number, checkpoint, note)
}

fn none(path: &Path, number: u64) -> Problem {
    Problem::could_not(format!("{}: what stands at place {number} is no checkpoint", path.display()))
}
