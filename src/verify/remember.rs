//! What was verified last time, so that next time it can be shown that the ledger only grew.
//!
//! One small file: the first key and the last verified checkpoint. It belongs to the caller, and is replaced only
//! after everything holds, in one step (write beside it, sync, rename), and never by anything older.

use crate::failure::{Code, Problem};
use daybook_spec::canonical;
use daybook_spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use daybook_spec::json::Json;
use daybook_spec::note::VerifierKey;
use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Read as _, Write as _};
use std::path::Path;

const FORMAT: &str = "remember/1";

/// Bytes that the file may have: a checkpoint, escaped, and a key.
const MAX_BYTES: usize = 2 * MAX_CHECKPOINT_BYTES + 4096;

/// What the file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Memory {
    /// The ledger's first key.
    pub key: VerifierKey,
    pub checkpoint: Checkpoint,
    /// The checkpoint, as it was signed.
    pub note: String,
}

impl Memory {
    /// Reads the file; none if there is none yet.
    pub(crate) fn read(path: &Path) -> Result<Option<Self>, Problem> {
        let trouble = |error: &std::io::Error| Problem::could_not(format!("{}: {error}", path.display()));
        let file = match File::open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(trouble(&error)),
        };
        let mut bytes = Vec::new();
        file.take(MAX_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(|error| trouble(&error))?;
        Self::parse(&bytes).map(Some).ok_or_else(|| {
            // Going on as if nothing had been remembered would be the way to hide a shrunk ledger.
            Problem::could_not(format!(
                "{} does not hold a remembered checkpoint; if it is not needed, remove it",
                path.display()
            ))
        })
    }

    fn parse(bytes: &[u8]) -> Option<Self> {
        let json = Json::parse(bytes, 1).ok().filter(|_| bytes.len() <= MAX_BYTES)?;
        let text = |name| json.get(name).and_then(Json::as_str);
        if text("daybook")? != FORMAT {
            return None;
        }
        let (key, note) = (VerifierKey::parse(text("key")?).ok()?, text("checkpoint")?);
        let (checkpoint, _) = Checkpoint::parse(note.as_bytes()).ok()?;
        (checkpoint.origin == key.name()).then(|| Self { key, checkpoint, note: note.to_owned() })
    }

    fn to_text(&self) -> String {
        let mut text = canonical::to_string(&Json::object([
            ("checkpoint", Json::string(&*self.note)),
            ("daybook", Json::string(FORMAT)),
            ("key", Json::string(self.key.to_string())),
        ]));
        text.push('\n');
        text
    }

    /// Replaces the file in one step.
    pub(crate) fn write(&self, path: &Path) -> Result<(), Problem> {
        let beside = path.with_added_extension(format!("new-{}", std::process::id()));
        let write = || -> std::io::Result<()> {
            let _ = fs::remove_file(&beside);
            // Never through a link that someone left there.
            let mut file = OpenOptions::new().write(true).create_new(true).open(&beside)?;
            file.write_all(self.to_text().as_bytes())?;
            file.sync_all()?;
            fs::rename(&beside, path)
        };
        write().map_err(|error| {
            let _ = fs::remove_file(&beside);
            Problem::could_not(format!(
                "everything holds, but this could not be remembered in {}: {error}",
                path.display()
            ))
        })
    }

    /// Whether a ledger is the one remembered.
    pub(crate) fn check_ledger(&self, first: &VerifierKey) -> Result<(), Problem> {
        if self.key.name() != first.name() {
            return Err(Problem::failed(
                Code::WrongLedger,
                format!("another ledger was remembered, {:?} and not {:?}", self.key.name(), first.name()),
            ));
        }
        if self.key != *first {
            return Err(Problem::failed(
                Code::Forked,
                format!(
                    "the ledger that was remembered began with the key {}, this one with {first}",
                    self.key
                ),
            ));
        }
        Ok(())
    }
}
