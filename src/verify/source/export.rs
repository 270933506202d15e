//! An export, as a stream (FORMATS.md section 9): a file, or what comes through a pipe.

use crate::entries::{Chunk, Framing};
use crate::failure::{Code, Fault, Problem};
use crate::source::{CHUNK_BYTES, CHUNK_ENTRIES, Claims, EntrySource};
use daybook_spec::export::{Line, MAX_LINE_BYTES};
use daybook_spec::note::VerifierKey;
use std::io::{BufRead, BufReader, ErrorKind, Read};

/// How an entry's line begins; every other line is read as a whole.
const ENTRY_LINE: &[u8] = b"{\"entry\":\"";

pub(crate) struct ExportSource {
    reader: BufReader<Box<dyn Read + Send>>,
    header: Option<(VerifierKey, String)>,
    checkpoint: Option<String>,
    entries: u64,
    /// The checkpoint, or what is wrong, found behind a chunk that was not empty.
    held: Option<Result<String, Problem>>,
}

impl ExportSource {
    pub(crate) fn new(reader: Box<dyn Read + Send>) -> Self {
        let reader = BufReader::with_capacity(256 << 10, reader);
        Self { reader, header: None, checkpoint: None, entries: 0, held: None }
    }

    /// Appends one line with its newline and says how long it is without; none at the end of the file.
    fn line(&mut self, into: &mut Vec<u8>) -> Result<Option<usize>, Problem> {
        let start = into.len();
        let limit = MAX_LINE_BYTES as u64 + 1;
        self.reader.by_ref().take(limit).read_until(b'\n', into).map_err(|error| unreadable(&error))?;
        let length = into.len() - start;
        if length == 0 {
            return Ok(None);
        }
        if into.last() == Some(&b'\n') {
            return Ok(Some(length - 1));
        }
        Err(if length as u64 == limit {
            let text = "the line is longer than that of any entry";
            match self.header {
                Some(_) => Fault::new(Code::LineInvalid, text).at(self.entries),
                // The first line is no entry.
                None => Problem::failed(Code::LineInvalid, text),
            }
        } else {
            Problem::failed(
                Code::Truncated,
                format!("the export ends in the middle of a line, after {} entries", self.entries),
            )
        })
    }

    fn read_header(&mut self) -> Result<(), Problem> {
        let mut bytes = Vec::new();
        let bad = || {
            Problem::failed(
                Code::LineInvalid,
                "the first line of an export names its format, first key and ledger; this one does not",
            )
        };
        let Some(length) = self.line(&mut bytes)? else {
            return Err(Problem::failed(Code::Truncated, "the export is empty"));
        };
        match bytes.get(..length).and_then(Line::parse) {
            Some(Line::Header { key, origin }) => {
                self.header = Some((key, origin));
                Ok(())
            }
            _ => Err(bad()),
        }
    }

    /// Takes a line that is not an entry's: the checkpoint, or nothing that belongs here.
    fn ending(&mut self, line: &[u8]) -> Result<String, Problem> {
        let Some(Line::Checkpoint(note)) = Line::parse(line) else {
            return Err(Fault::new(
                Code::LineInvalid,
                "here stands neither an entry nor the checkpoint that ends an export",
            )
            .at(self.entries));
        };
        // The checkpoint's line is the last.
        let rest = self.reader.fill_buf().map_err(|error| unreadable(&error))?;
        if rest.is_empty() {
            Ok(note)
        } else {
            Err(Problem::failed(
                Code::TrailingData,
                format!("something follows the checkpoint that ends the export ({} entries)", self.entries),
            ))
        }
    }

    fn fill(&mut self, chunk: &mut Chunk) -> Result<Option<String>, Problem> {
        while chunk.bytes.len() < CHUNK_BYTES && chunk.count < CHUNK_ENTRIES {
            let start = chunk.bytes.len();
            let length = self.line(&mut chunk.bytes);
            let length = length.inspect_err(|_| chunk.bytes.truncate(start))?;
            let Some(length) = length else {
                return Err(Problem::failed(
                    Code::Truncated,
                    format!("the export ends after {} entries, without its checkpoint", self.entries),
                ));
            };
            let line = start..start + length;
            if !chunk.bytes.get(line.clone()).is_some_and(|bytes| bytes.starts_with(ENTRY_LINE)) {
                let other = chunk.bytes.split_off(start);
                return self.ending(other.get(..length).unwrap_or_default()).map(Some);
            }
            chunk.note(line);
            self.entries += 1;
        }
        Ok(None)
    }
}

impl EntrySource for ExportSource {
    fn next(&mut self) -> Result<Option<Chunk>, Problem> {
        if self.header.is_none() {
            self.read_header()?;
        }
        if self.held.is_none() {
            let mut chunk = Chunk::new(self.entries, Framing::Lines);
            // What goes wrong behind good lines is told after those were handed out: they come first in the log.
            self.held = self.fill(&mut chunk).transpose();
            if chunk.count > 0 {
                return Ok(Some(chunk));
            }
        }
        match self.held.take() {
            Some(Ok(note)) => {
                self.checkpoint = Some(note);
                Ok(None)
            }
            Some(Err(problem)) => Err(problem),
            None => Ok(None),
        }
    }

    fn total(&self) -> Option<u64> {
        None
    }

    fn checkpoint_size(&self) -> Option<u64> {
        None
    }

    fn claims(&mut self) -> Result<Claims, Problem> {
        let missing = || Problem::failed(Code::Truncated, "the export ends without its checkpoint");
        Ok(Claims {
            checkpoint: self.checkpoint.take().ok_or_else(missing)?.into_bytes(),
            may_trail: false,
            head: None,
            header: self.header.take(),
            warnings: Vec::new(),
        })
    }
}

fn unreadable(error: &std::io::Error) -> Problem {
    let kind = if error.kind() == ErrorKind::IsADirectory { "is a folder" } else { "cannot be read" };
    Problem::could_not(format!("the export {kind}: {error}"))
}
