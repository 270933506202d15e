//! The verifier: does a ledger hold what it promises?
//!
//! It looks at a data folder, an export, a receipt or a running server, and answers with exactly one of three:
//! everything holds, something does not (which, and why), or it could not look. It may use the formats of
//! [`daybook_spec`], files, threads and (feature `url`) an HTTP client, and nothing else, so that it
//! stays small enough for an outsider to read. What it reads may have been made by an enemy: it must never say that
//! something holds which it has not checked, never believe a size before it has counted, never allocate by a number
//! that it was told, never wait without bound, and never write anywhere but to the file that the caller named.
//!
//! | module | what |
//! | --- | --- |
//! | [`command`] | the command line, shared by `daybook-verify` and `daybook verify` |
//! | `source` | where entries come from |
//! | `entries`, `keys` | what is checked of one entry, on many threads |
//! | `signatures`, `batch` | by which rules signatures count: one by one strictly, or (feature `batch`) many at once |
//! | `pipeline` | what is checked of their order, in one |
//! | `receipt`, `keylist` | one entry by itself, across changes of keys |
//! | `remember` | that a ledger only grew since last time |
//!
//! ```
//! use daybook_verify::{Options, Outcome, Quiet, Source, verify};
//!
//! let outcome = verify(Source::Folder("no/such/folder".into()), &Options::default(), &Quiet);
//! assert!(matches!(outcome, Outcome::CouldNotCheck(_)));
//! ```

#[cfg(feature = "batch")]
mod batch;
pub mod command;
mod entries;
mod failure;
mod keylist;
mod keys;
mod pipeline;
mod receipt;
mod remember;
mod report;
mod signatures;
mod source;

pub use failure::{Code, Failure, Problem};
pub use keylist::MAX_KEY_LIST_BYTES;
pub use keys::{KeyInForce, MAX_KEYS};
pub use pipeline::MAX_THREADS;
pub use report::{Remembered, Report, SourceKind};
pub use signatures::{SEED_BYTES, Seed, Signatures};

use daybook_spec::encoding::to_base64;
use daybook_spec::note::VerifierKey;
use remember::Memory;
use source::{Claims, EntrySource, export::ExportSource, folder::FolderSource};
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Seconds that one request to a server may take, from the first byte to the last.
///
/// Reason: the largest bundle over a slow line; a server that drips is given up on.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What to look at.
pub enum Source {
    /// A data folder: the one that holds `log`.
    Folder(PathBuf),
    /// An export, as a stream.
    Export(Box<dyn Read + Send>),
    /// A receipt, as text or JSON.
    Receipt(Box<dyn Read + Send>),
    /// A server's base address, `http(s)://host[:port]`. Needs the feature `url`.
    Url(String),
}

/// How to look.
#[derive(Clone)]
pub struct Options {
    /// The ledger's first key, from somewhere the caller trusts. For a receipt without `keys`: the key it is
    /// checked with.
    pub key: Option<VerifierKey>,
    /// For a receipt: the ledger's list of keys, the JSON of `GET /v1/keys`.
    pub keys: Option<Vec<u8>>,
    /// For a server: a bearer token.
    pub token: Option<String>,
    /// Where to keep what was verified, to compare next time.
    pub remember: Option<PathBuf>,
    /// Worker threads; none means as many as there are cores.
    pub threads: Option<usize>,
    /// Which signatures of entries count. Those of a receipt, of checkpoints and of key rotations are few, and are
    /// always checked strictly.
    pub signatures: Signatures,
    /// How long one request to a server may take.
    pub request_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: None,
            keys: None,
            token: None,
            remember: None,
            threads: None,
            signatures: Signatures::default(),
            request_timeout: REQUEST_TIMEOUT,
        }
    }
}

/// A token is a secret: it is never shown.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("key", &self.key)
            .field("keys", &self.keys.as_ref().map(Vec::len))
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("remember", &self.remember)
            .field("threads", &self.threads)
            .field("signatures", &self.signatures)
            .field("request_timeout", &self.request_timeout)
            .finish()
    }
}

/// Told of progress, on the thread that called [`verify`].
pub trait Progress {
    /// `done` entries hold so far, of `total` if the source says how many there are.
    fn entries(&self, done: u64, total: Option<u64>);

    /// Told once, before the answer, whatever it is.
    fn finish(&self) {}
}

/// Tells nobody.
pub struct Quiet;

impl Progress for Quiet {
    fn entries(&self, _done: u64, _total: Option<u64>) {}
}

/// The answer.
#[derive(Clone, Debug)]
pub enum Outcome {
    /// Everything holds.
    Verified(Box<Report>),
    /// Something does not.
    Failed(Failure),
    /// Could not look; says why.
    CouldNotCheck(String),
}

impl Outcome {
    /// The exit code of the command: 0, 1 or 2.
    #[must_use]
    pub fn exit_code(&self) -> u8 {
        match self {
            Outcome::Verified(_) => 0,
            Outcome::Failed(_) => 1,
            Outcome::CouldNotCheck(_) => 2,
        }
    }

    /// Canonical JSON, on one line; its member `outcome` says which of the three it is.
    #[must_use]
    pub fn to_json(&self) -> String {
        use daybook_spec::{canonical, json::Json};
        match self {
            Outcome::Verified(report) => report.to_json(),
            Outcome::Failed(failure) => failure.to_json(),
            Outcome::CouldNotCheck(why) => canonical::to_string(&Json::object([
                ("message", Json::string(&**why)),
                ("outcome", Json::string("could-not-check")),
            ])),
        }
    }
}

/// Looks at a source and answers.
#[must_use]
pub fn verify(source: Source, options: &Options, progress: &dyn Progress) -> Outcome {
    let result = try_verify(source, options, progress);
    progress.finish();
    match result {
        Ok(report) => Outcome::Verified(Box::new(report)),
        Err(Problem::Failed(failure)) => Outcome::Failed(failure),
        Err(Problem::CouldNotCheck(why)) => Outcome::CouldNotCheck(why),
    }
}

fn try_verify(source: Source, options: &Options, progress: &dyn Progress) -> Result<Report, Problem> {
    let memory = options.remember.as_deref().map(Memory::read).transpose()?.flatten();
    match source {
        Source::Receipt(reader) => {
            let mut report =
                receipt::check(&receipt::read(reader)?, options.key.as_ref(), options.keys.as_deref())?;
            if let Some(memory) = &memory {
                report.remembered = compare_receipt(&report, memory)?;
            }
            Ok(report)
        }
        Source::Folder(path) => {
            let mut source = FolderSource::open(&path)?;
            whole_ledger(&mut source, SourceKind::Folder, options, memory.as_ref(), progress)
        }
        Source::Export(reader) => {
            let mut source = ExportSource::new(reader);
            whole_ledger(&mut source, SourceKind::Export, options, memory.as_ref(), progress)
        }
        #[cfg(feature = "url")]
        Source::Url(base) => {
            let token = options.token.as_deref();
            let mut source = source::url::UrlSource::open(&base, token, options.request_timeout)?;
            whole_ledger(&mut source, SourceKind::Server, options, memory.as_ref(), progress)
        }
        #[cfg(not(feature = "url"))]
        Source::Url(_) => Err(Problem::could_not(
            "this verifier was built without the feature `url`: it reads folders, exports and receipts",
        )),
    }
}

/// Checks every entry of a source, then what the source says of the whole.
fn whole_ledger(
    source: &mut dyn EntrySource,
    kind: SourceKind,
    options: &Options,
    memory: Option<&Memory>,
    progress: &dyn Progress,
) -> Result<Report, Problem> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = options.threads.unwrap_or_else(cores);
    let watch: Vec<u64> =
        source.checkpoint_size().into_iter().chain(memory.map(|memory| memory.checkpoint.size)).collect();
    let walk = pipeline::walk(source, threads, &options.signatures, options.key.as_ref(), &watch, progress)?;
    let claims = source.claims()?;
    let mut report = judge(&walk, claims, kind, options.key.is_some())?;
    report.batched = options.signatures.are_batched();
    if let Some(path) = &options.remember {
        report.remembered = match memory {
            None => Remembered::First,
            Some(memory) => compare(&walk, &report, memory)?,
        };
        // The remembered checkpoint never moves backwards, and is not written again for nothing.
        if memory.is_none_or(|memory| memory.checkpoint.size < report.checkpoint.size) {
            let note = report.checkpoint_note.clone();
            let memory =
                Memory { key: walk.keys.first().clone(), checkpoint: report.checkpoint.clone(), note };
            memory.write(path)?;
        }
    }
    Ok(report)
}

/// Compares what a source says of the whole with what its entries amount to.
fn judge(walk: &pipeline::Walk, claims: Claims, kind: SourceKind, trusted: bool) -> Result<Report, Problem> {
    if let Some((key, origin)) = &claims.header
        && (key != walk.keys.first() || *origin != walk.origin)
    {
        let text = "the first line of the export names another key or ledger than its entries";
        return Err(Problem::failed(Code::HeaderMismatch, text));
    }
    let checkpoint = walk.keys.open_checkpoint(&claims.checkpoint, &walk.origin)?;
    let (size, covered) = (walk.size, checkpoint.size);
    if covered > size {
        let text =
            format!("the checkpoint covers {covered} entries, but only {size} are here: the end was cut off");
        return Err(Problem::failed(Code::Truncated, text));
    }
    if covered < size && !claims.may_trail {
        let text = format!("{size} entries are here, but the checkpoint covers only {covered} of them");
        return Err(Problem::failed(Code::TrailingData, text));
    }
    if walk.root_at(covered) != Some(checkpoint.root) {
        let text = format!(
            "the tree over the first {covered} entries has not the root that the checkpoint signs, {}",
            to_base64(&checkpoint.root)
        );
        return Err(Problem::failed(Code::RootMismatch, text));
    }
    if let Some(head) = &claims.head {
        let what = match head {
            head if head.size != size => Some("number of entries"),
            head if head.root != walk.root => Some("tree root"),
            head if head.chain != walk.chain => Some("chain hash"),
            _ => None,
        };
        if let Some(what) = what {
            let text = format!("the folder's head holds another {what} than the entries amount to");
            return Err(Problem::failed(Code::HeadMismatch, text));
        }
    }
    let note = String::from_utf8(claims.checkpoint)
        .map_err(|_| Problem::failed(Code::CheckpointInvalid, "the checkpoint is not UTF-8"))?;
    Ok(Report {
        source: kind,
        batched: false,
        origin: walk.origin.clone(),
        entries: size,
        receipt_of: None,
        first_time: walk.first_time,
        last_time: walk.last_time,
        checkpoint,
        checkpoint_note: note,
        keys: walk.keys.all().cloned().collect(),
        trusted,
        remembered: Remembered::NotAsked,
        uncovered: size - covered,
        producer_signatures: walk.produced,
        sealed: walk.sealed,
        warnings: claims.warnings,
    })
}

fn forked(size: u64) -> Problem {
    let text = format!(
        "the first {size} entries are not those that were remembered: the ledger's history was rewritten, or two \
         histories are shown to different people. Keep both files; the remembered checkpoint is the proof"
    );
    Problem::failed(Code::Forked, text)
}

/// That a whole ledger only grew. What was remembered may be ahead of the checkpoint, as long as the entries are
/// there: a ledger that stopped between the two has lost nothing.
fn compare(walk: &pipeline::Walk, report: &Report, memory: &Memory) -> Result<Remembered, Problem> {
    memory.check_ledger(walk.keys.first())?;
    let old = memory.checkpoint.size;
    if old > walk.size {
        let text =
            format!("{old} entries were seen before, now there are {}: the end was cut off", walk.size);
        return Err(Problem::failed(Code::Shrunk, text));
    }
    if walk.root_at(old) != Some(memory.checkpoint.root) {
        return Err(forked(old));
    }
    Ok(if old < report.checkpoint.size { Remembered::Grew { from: old } } else { Remembered::Same })
}

/// A receipt shows one tree, without the way to another: only equal sizes compare. It never replaces what is
/// remembered, because it does not show that the remembered entries are in it.
fn compare_receipt(report: &Report, memory: &Memory) -> Result<Remembered, Problem> {
    if memory.checkpoint.origin != report.origin {
        let text = format!("another ledger was remembered, {:?}", memory.checkpoint.origin);
        return Err(Problem::failed(Code::WrongLedger, text));
    }
    let size = memory.checkpoint.size;
    if size != report.checkpoint.size {
        return Ok(Remembered::NotComparable { remembered: size });
    }
    if report.checkpoint.root == memory.checkpoint.root { Ok(Remembered::Same) } else { Err(forked(size)) }
}
