//! `daybook export` and `daybook import`.

use crate::cli::progress::Progress;
use crate::cli::scratch::Scratch;
use crate::log::bulk::{Builder, BulkError, latest_checkpoint, read_entries};
use crate::log::disk::RealDisk;
use crate::spec::entry::Entry;
use crate::spec::export::{Line, MAX_LINE_BYTES};
use crate::spec::layout::LOG_DIR;
use crate::spec::note::VerifierKey;
use crate::verify::{Options, Outcome, Quiet, Source, verify};
use anyhow::{Context as _, bail};
use clap::Args;
use std::fs;
use std::io::{self, BufWriter, Read, Write};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

/// Write a ledger as NDJSON; works while it is served.
#[derive(Debug, Args)]
pub struct Export {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The file to write; - for standard output.
    #[arg(default_value = "-")]
    out: PathBuf,
}

impl Export {
    pub fn run(self) -> anyhow::Result<()> {
        if self.out.as_os_str() == "-" {
            return self.write(&mut BufWriter::new(io::stdout().lock()));
        }
        let file = fs::File::create_new(&self.out).with_context(|| self.out.display().to_string())?;
        let mut out = BufWriter::new(file);
        self.write(&mut out)?;
        out.into_inner().map_err(io::IntoInnerError::into_error)?.sync_all()?;
        eprintln!("Written: {}", self.out.display());
        Ok(())
    }

    fn write(&self, out: &mut dyn Write) -> anyhow::Result<()> {
        let log_dir = self.data.join(LOG_DIR);
        let (note, checkpoint) = latest_checkpoint(&RealDisk, &log_dir)?;
        let bar = Progress::start("exported", checkpoint.size);
        read_entries(&RealDisk, &log_dir, checkpoint.size, |seq, bytes| {
            let broken = |why: &str| BulkError::Entry { seq, why: why.to_owned() };
            if seq == 0 {
                let entry = Entry::parse(bytes).map_err(|error| broken(&error.to_string()))?;
                let change = entry
                    .key_change()
                    .ok()
                    .flatten()
                    .ok_or_else(|| broken("it does not name the first key"))?;
                let header = Line::Header { key: change.key, origin: entry.ledger };
                out.write_all(header.to_line().as_bytes())?;
            }
            let text = std::str::from_utf8(bytes).map_err(|_| broken("not UTF-8"))?;
            out.write_all(Line::Entry(text.to_owned()).to_line().as_bytes())?;
            bar.set(seq + 1);
            Ok(())
        })?;
        out.write_all(Line::Checkpoint(note).to_line().as_bytes())?;
        out.flush()?;
        bar.finish();
        Ok(())
    }
}

/// Make a data folder from an export. It is verified while it is read, and opens read-only until it is adopted.
#[derive(Debug, Args)]
pub struct Import {
    /// The export; - for standard input.
    source: PathBuf,
    /// The data folder to make.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The ledger's first key, from somewhere you trust.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
}

impl Import {
    pub fn run(self) -> anyhow::Result<()> {
        let key = self.key.as_deref().map(VerifierKey::parse).transpose().context("--key")?;
        if crate::log::is_made(&self.data) {
            bail!("{} holds a ledger already", self.data.display());
        }
        let source: Box<dyn Read + Send> = if self.source.as_os_str() == "-" {
            Box::new(io::stdin())
        } else {
            Box::new(fs::File::open(&self.source).with_context(|| self.source.display().to_string())?)
        };
        let scratch = Scratch::begin(&self.data)?;
        // What the verifier reads is written down as it passes. The head, without which there is no log, comes only
        // when the verifier has said yes.
        let writing = Arc::new(Mutex::new(Writing {
            builder: Some(Builder::new(&RealDisk, &scratch.path().join(LOG_DIR))?),
            line: Vec::new(),
            checkpoint: None,
        }));
        let tee = Tee { source, writing: writing.clone() };
        let options = Options { key: key.clone(), ..Options::default() };
        let report = match verify(Source::Export(Box::new(tee)), &options, &Quiet) {
            Outcome::Verified(report) => report,
            Outcome::Failed(failure) => bail!("nothing is imported: {failure}"),
            Outcome::CouldNotCheck(why) => bail!("nothing is imported: {why}"),
        };
        let mut writing = writing.lock().unwrap_or_else(PoisonError::into_inner);
        let (builder, checkpoint) = (writing.builder.take(), writing.checkpoint.take());
        builder.context("the import was not written")?.finish(&checkpoint.context("no checkpoint")?)?;
        scratch.finish()?;
        println!("Imported {} entries of {}.", report.entries, report.origin);
        if key.is_none() {
            println!("Checked only against itself: give --key to check against a key you trust.");
        }
        println!(
            "It opens read-only until it is adopted: daybook serve --data {} --adopt FILE",
            self.data.display()
        );
        Ok(())
    }
}

struct Writing {
    builder: Option<Builder<'static>>,
    line: Vec<u8>,
    checkpoint: Option<String>,
}

impl Writing {
    fn take(&mut self, bytes: &[u8]) -> io::Result<()> {
        let mut parts = bytes.split(|byte| *byte == b'\n').peekable();
        while let Some(part) = parts.next() {
            self.line.extend_from_slice(part);
            if parts.peek().is_none() {
                // Its newline is still to come.
                break;
            }
            let line = std::mem::take(&mut self.line);
            match (Line::parse(&line), &mut self.builder) {
                (Some(Line::Entry(entry)), Some(builder)) => {
                    builder.push(entry.as_bytes()).map_err(|error| io::Error::other(error.to_string()))?;
                }
                (Some(Line::Checkpoint(note)), _) => self.checkpoint = Some(note),
                // What is no line of an export is the verifier's to refuse.
                _ => {}
            }
        }
        if self.line.len() > MAX_LINE_BYTES {
            return Err(io::Error::new(
                io::ErrorKind::InvalidData,
                "a line is longer than any line of an export",
            ));
        }
        Ok(())
    }
}

struct Tee {
    source: Box<dyn Read + Send>,
    writing: Arc<Mutex<Writing>>,
}

impl Read for Tee {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let read = buffer.get(..count).unwrap_or(buffer);
        self.writing.lock().unwrap_or_else(PoisonError::into_inner).take(read)?;
        Ok(count)
    }
}
