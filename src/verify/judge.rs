//! The judgement: what a source holds, held against what it says of the whole, and against what was remembered.

use crate::evidence;
use crate::failure::{Code, Failure, Fork, Problem};
use crate::options::{Options, Source};
use crate::outcome::{Outcome, Progress};
use crate::pipeline::{self, Walk};
use crate::published;
use crate::receipt;
use crate::remember::Memory;
use crate::report::{Remembered, Report, SourceKind};
#[cfg(feature = "url")]
use crate::source::url::UrlSource;
use crate::source::{Claims, EntrySource, export::ExportSource, folder::FolderSource};
use daybook_spec::encoding::to_base64;
use std::path::PathBuf;

/// Looks at a source and answers.
#[must_use]
pub fn verify(source: Source, options: &Options, progress: &dyn Progress) -> Outcome {
    let result = try_verify(source, options, progress);
    progress.finish();
    match result.map_err(|problem| keep_proof(problem, options)) {
        Ok(report) => Outcome::Verified(Box::new(report)),
        Err(Problem::Failed(failure)) => Outcome::Failed(failure),
        Err(Problem::CouldNotCheck(why)) => Outcome::CouldNotCheck(why),
    }
}

/// Leaves the proof of a fork in a file, and says where. What was found stays found, also if it cannot be left.
fn keep_proof(mut problem: Problem, options: &Options) -> Problem {
    if let Problem::Failed(failure) = &mut problem
        && let Some(fork) = &failure.fork
    {
        let beside = |path: &PathBuf| path.with_added_extension(evidence::EXTENSION);
        let path = options.fork.clone();
        let path = path.or_else(|| options.remember.as_ref().or(options.checkpoints.as_ref()).map(beside));
        let kept = match path.map(|path| evidence::leave(fork, &path)) {
            Some(Ok(path)) => {
                format!("; both signed checkpoints, which are the proof, are in {}", path.display())
            }
            Some(Err(why)) => {
                format!("; both signed checkpoints are the proof, and could not be kept: {why}")
            }
            None => {
                "; both signed checkpoints are the proof: name a file to leave them in (--fork)".to_owned()
            }
        };
        failure.message.push_str(&kept);
    }
    problem
}

fn try_verify(source: Source, options: &Options, progress: &dyn Progress) -> Result<Report, Problem> {
    let memory = options.remember.as_deref().map(Memory::read).transpose()?.flatten();
    match source {
        Source::Receipt(reader) => {
            let (mut report, ring) =
                receipt::check(&receipt::read(reader)?, options.key.as_ref(), options.keys.as_deref())?;
            if let Some(path) = &options.checkpoints {
                let checkpoint = &report.checkpoint;
                let root_at = |size| (size == checkpoint.size).then_some(checkpoint.root);
                // A receipt shows nothing of what is larger than its own tree either.
                let shown = (u64::MAX, report.checkpoint_note.as_str());
                report.published = Some(published::compare(path, &ring, shown, root_at)?);
            }
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
            let mut source = UrlSource::open(&base, token, options.request_timeout)?;
            whole_ledger(&mut source, SourceKind::Server, options, memory.as_ref(), progress)
        }
        #[cfg(not(feature = "url"))]
        Source::Url(_) => Err(Problem::could_not(
            "this verifier was built without the feature `url`: it reads folders, exports and receipts",
        )),
    }
}

/// Checks every entry of a source, then what the source says of the whole.
pub(crate) fn whole_ledger(
    source: &mut dyn EntrySource,
    kind: SourceKind,
    options: &Options,
    memory: Option<&Memory>,
    progress: &dyn Progress,
) -> Result<Report, Problem> {
    let cores = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let threads = options.threads.unwrap_or_else(cores);
    let published = options.checkpoints.as_deref().map(published::sizes).transpose()?.unwrap_or_default();
    let remembered = memory.map(|memory| memory.checkpoint.size);
    let watch: Vec<u64> = source.checkpoint_size().into_iter().chain(remembered).chain(published).collect();
    let walk = pipeline::walk(source, threads, &options.signatures, options.key.as_ref(), &watch, progress)?;
    let claims = source.claims()?;
    let mut report = judge(&walk, claims, kind, options.key.is_some())?;
    report.batched = options.signatures.are_batched();
    if let Some(path) = &options.checkpoints {
        let shown = (walk.size, report.checkpoint_note.as_str());
        report.published = Some(published::compare(path, &walk.keys, shown, |size| walk.root_at(size))?);
    }
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
fn judge(walk: &Walk, claims: Claims, kind: SourceKind, trusted: bool) -> Result<Report, Problem> {
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
        published: None,
        uncovered: size - covered,
        producer_signatures: walk.produced,
        sealed: walk.sealed,
        warnings: claims.warnings,
    })
}

fn forked(memory: &Memory, report: &Report) -> Problem {
    let message = format!(
        "the first {} entries are not those that were remembered: the ledger's history was rewritten, or two \
         histories are shown to different people",
        memory.checkpoint.size
    );
    let fork = Fork { seen: memory.note.clone(), shown: report.checkpoint_note.clone() };
    Problem::Failed(Failure { code: Code::Forked, seq: None, message, fork: Some(Box::new(fork)) })
}

/// That a whole ledger only grew. What was remembered may be ahead of the checkpoint, as long as the entries are
/// there: a ledger that stopped between the two has lost nothing.
fn compare(walk: &Walk, report: &Report, memory: &Memory) -> Result<Remembered, Problem> {
    memory.check_ledger(walk.keys.first()).map_err(|problem| match problem {
        Problem::Failed(failure) if failure.code == Code::Forked => {
            let fork = Fork { seen: memory.note.clone(), shown: report.checkpoint_note.clone() };
            Problem::Failed(Failure { fork: Some(Box::new(fork)), ..failure })
        }
        other => other,
    })?;
    let old = memory.checkpoint.size;
    if old > walk.size {
        let text =
            format!("{old} entries were seen before, now there are {}: the end was cut off", walk.size);
        return Err(Problem::failed(Code::Shrunk, text));
    }
    if walk.root_at(old) != Some(memory.checkpoint.root) {
        return Err(forked(memory, report));
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
    if report.checkpoint.root == memory.checkpoint.root {
        Ok(Remembered::Same)
    } else {
        Err(forked(memory, report))
    }
}
