//! A whole log, entry by entry: one reader, many workers, one merge.
//!
//! ```text
//! reader (the source) ──chunks──▶ workers: form, hashes, signatures ──▶ merge, in order: place, chain, time, keys, tree
//! ```
//!
//! What is decided, and which entry is the first bad one, is decided in the merge alone and does not depend on how
//! many workers there are. Nothing is queued without bound: neither chunks nor their bytes, whatever the source says
//! of itself. A chunk's answer has a channel of its own, and the merge reads those in the order in which the reader
//! made them, so nothing is ever reordered in memory either.

use crate::entries::{Checked, Chunk, check_chunk, key_after};
use crate::failure::{Code, Failure, Fault, Problem};
use crate::keys::KeyRing;
use crate::outcome::Progress;
use crate::signatures::Signatures;
use crate::source::EntrySource;
use daybook_spec::merkle::{Frontier, Hash};
use daybook_spec::note::VerifierKey;
use daybook_spec::time::Timestamp;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;

/// Bytes of chunks that may wait or be worked on at once.
///
/// Reason: two hundred chunks of an ordinary log, or four of the largest bundles that a server could send.
const MAX_BYTES_IN_FLIGHT: usize = 64 << 20;

/// Most worker threads.
///
/// Reason: more than any machine gains by; each has a queue place.
pub const MAX_THREADS: usize = 256;

/// What the entries amount to, all of them having been found good.
#[derive(Debug)]
pub(crate) struct Walk {
    pub origin: String,
    pub size: u64,
    pub root: Hash,
    /// SHA-256 of the last entry's text.
    pub chain: Hash,
    pub first_time: Timestamp,
    pub last_time: Timestamp,
    pub keys: KeyRing,
    /// Roots of the sizes that were asked for.
    pub roots: Vec<(u64, Hash)>,
    pub produced: u64,
    pub sealed: u64,
}

impl Walk {
    /// The root over the first `size` entries, if it was asked for.
    pub(crate) fn root_at(&self, size: u64) -> Option<Hash> {
        if size == self.size {
            return Some(self.root);
        }
        // They were kept in the order of their sizes.
        let place = self.roots.binary_search_by_key(&size, |(at, _)| *at).ok()?;
        self.roots.get(place).map(|(_, root)| *root)
    }
}

/// Reads a source to its end and checks every entry. `trusted` must be the first key, if given; of the sizes in
/// `watch` the roots are kept.
pub(crate) fn walk(
    source: &mut dyn EntrySource,
    threads: usize,
    signatures: &Signatures,
    trusted: Option<&VerifierKey>,
    watch: &[u64],
    progress: &dyn Progress,
) -> Result<Walk, Problem> {
    let threads = threads.clamp(1, MAX_THREADS);
    let total = source.total();
    let stop = AtomicBool::new(false);
    let budget = Arc::new(Budget::default());
    let (jobs, waiting) = sync_channel::<Job>(threads);
    let (steps, in_order) = sync_channel::<Step>(2 * threads + 2);
    let waiting = Arc::new(Mutex::new(waiting));
    thread::scope(|scope| {
        let mut handles = Vec::with_capacity(threads + 1);
        for _ in 0..threads {
            let waiting = Arc::clone(&waiting);
            let stop = &stop;
            handles.push(scope.spawn(move || work(&waiting, signatures, stop)));
        }
        drop(waiting);
        let stop_reading = &stop;
        handles.push(scope.spawn(move || read(source, &budget, &jobs, &steps, stop_reading)));
        let mut merge = Merge::new(trusted, watch);
        let outcome = merge.run(&in_order, total, progress);
        // Whatever was decided, let go of the others, and wait until they have let go of the source.
        stop.store(true, Ordering::Relaxed);
        drop(in_order);
        let lost = handles.into_iter().filter_map(|handle| handle.join().err()).count();
        outcome?;
        if lost > 0 {
            return Err(internal());
        }
        merge.finish()
    })
}

/// A thread ended without an answer. That is a bug, and never a yes.
fn internal() -> Problem {
    Problem::could_not("an internal error: a part of the verifier stopped without an answer")
}

struct Job {
    chunk: Chunk,
    key: Option<VerifierKey>,
    reply: SyncSender<Answer>,
    _permit: Permit,
}

struct Answer {
    first: u64,
    count: u64,
    /// The key that the workers took to be in force at the chunk's start.
    key: Option<VerifierKey>,
    checks: Vec<Result<Checked, Fault>>,
}

enum Step {
    Chunk(Receiver<Answer>),
    /// Nothing follows: the source has ended, well or not.
    End(Result<(), Problem>),
}

fn read(
    source: &mut dyn EntrySource,
    budget: &Arc<Budget>,
    jobs: &SyncSender<Job>,
    steps: &SyncSender<Step>,
    stop: &AtomicBool,
) {
    let mut key = None;
    while !stop.load(Ordering::Relaxed) {
        let chunk = match source.next() {
            Ok(Some(chunk)) => chunk,
            // A receiver that is gone has decided already, here and below.
            Ok(None) => return drop(steps.send(Step::End(Ok(())))),
            Err(problem) => return drop(steps.send(Step::End(Err(problem)))),
        };
        let after = key_after(&chunk, key.clone());
        let permit = Budget::take(budget, chunk.bytes.len());
        let (reply, answer) = sync_channel(1);
        let job = Job { chunk, key: std::mem::replace(&mut key, after), reply, _permit: permit };
        if steps.send(Step::Chunk(answer)).is_err() || jobs.send(job).is_err() {
            return;
        }
    }
}

fn work(waiting: &Mutex<Receiver<Job>>, signatures: &Signatures, stop: &AtomicBool) {
    loop {
        let job = lock(waiting).recv();
        let Ok(job) = job else { return };
        if stop.load(Ordering::Relaxed) {
            continue;
        }
        let checks = check_chunk(&job.chunk, job.key.as_ref(), signatures);
        let answer = Answer { first: job.chunk.first, count: job.chunk.count, key: job.key, checks };
        // Nobody waits for it any more once an earlier entry was found bad.
        let _ = job.reply.send(answer);
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// How many bytes are in flight.
#[derive(Default)]
struct Budget {
    bytes: Mutex<usize>,
    freed: Condvar,
}

/// Bytes that are in flight until this is dropped.
struct Permit {
    budget: Arc<Budget>,
    bytes: usize,
}

impl Budget {
    /// Waits until there is room. A chunk larger than all the room there is goes alone.
    fn take(this: &Arc<Self>, bytes: usize) -> Permit {
        let mut taken = lock(&this.bytes);
        while *taken > 0 && taken.saturating_add(bytes) > MAX_BYTES_IN_FLIGHT {
            taken = this.freed.wait(taken).unwrap_or_else(PoisonError::into_inner);
        }
        *taken += bytes;
        Permit { budget: Arc::clone(this), bytes }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        *lock(&self.budget.bytes) -= self.bytes;
        self.budget.freed.notify_one();
    }
}

/// The state in log order.
struct Merge<'a> {
    trusted: Option<&'a VerifierKey>,
    /// Sizes whose roots are wanted, largest first.
    watch: Vec<u64>,
    roots: Vec<(u64, Hash)>,
    tree: Frontier,
    chain: Hash,
    times: Option<(Timestamp, Timestamp)>,
    keys: Option<KeyRing>,
    produced: u64,
    sealed: u64,
}

impl<'a> Merge<'a> {
    fn new(trusted: Option<&'a VerifierKey>, watch: &[u64]) -> Self {
        let mut watch = watch.to_vec();
        watch.sort_unstable_by(|a, b| b.cmp(a));
        watch.dedup();
        Self {
            trusted,
            watch,
            roots: Vec::new(),
            tree: Frontier::new(),
            chain: daybook_spec::entry::FIRST_PREV,
            times: None,
            keys: None,
            produced: 0,
            sealed: 0,
        }
    }

    fn run(
        &mut self,
        in_order: &Receiver<Step>,
        total: Option<u64>,
        progress: &dyn Progress,
    ) -> Result<(), Problem> {
        loop {
            match in_order.recv() {
                Ok(Step::Chunk(answer)) => {
                    let answer = answer.recv().map_err(|_| internal())?;
                    self.chunk(answer)?;
                    progress.entries(self.tree.size(), total);
                }
                Ok(Step::End(end)) => return end,
                Err(_) => return Err(internal()),
            }
        }
    }

    fn chunk(&mut self, answer: Answer) -> Result<(), Problem> {
        if answer.first != self.tree.size() {
            return Err(internal());
        }
        // The workers were told the key by the reader, which looked ahead; what it saw was confirmed here since, or
        // this place would not have been reached.
        if answer.key.as_ref() != self.keys.as_ref().map(KeyRing::current) {
            return Err(internal());
        }
        for check in answer.checks {
            let index = self.tree.size();
            let checked = check.map_err(|fault| fault.at(index))?;
            self.entry(index, checked)?;
        }
        // Fewer checks than entries without a fault among them would be entries that nobody looked at.
        if self.tree.size() == answer.first + answer.count { Ok(()) } else { Err(internal()) }
    }

    fn entry(&mut self, index: u64, checked: Checked) -> Result<(), Problem> {
        let fail = |code, message: String| Err(Fault::new(code, message).at(index));
        if let Some(fault) = checked.wrong_ledger {
            return Err(fault.at(index));
        }
        if checked.seq != index {
            return fail(
                Code::SeqGap,
                format!("it bears the number {}: entries are missing, repeated or out of order", checked.seq),
            );
        }
        if checked.prev != self.chain {
            return fail(
                Code::ChainBroken,
                "its `prev` is not the hash of the entry before: one of the two was changed or replaced"
                    .into(),
            );
        }
        if let Some((_, last)) = self.times
            && checked.time < last
        {
            return fail(
                Code::TimeBackwards,
                format!("it was recorded at {}, earlier than the entry before ({last})", checked.time),
            );
        }
        let rotation = checked.change.as_deref().filter(|_| index > 0);
        if let (Some(keys), Some((change, _))) = (&self.keys, rotation) {
            keys.check_new(&change.key).map_err(|fault| fault.at(index))?;
        }
        if let Some(fault) = checked.fault {
            return Err(fault.at(index));
        }
        match (&mut self.keys, checked.change.as_deref()) {
            (Some(keys), Some((change, signed))) => {
                keys.rotate(index, change, *signed).map_err(|fault| fault.at(index))?;
            }
            (Some(_), None) => {}
            (None, Some((change, _))) => {
                check_trust(self.trusted, &change.key)?;
                self.keys = Some(KeyRing::new(change.key.clone(), change.next));
            }
            // Entry 0 without a key is a fault of its own; see `check_type`.
            (None, None) => return Err(internal()),
        }
        self.tree.push(checked.leaf);
        self.chain = checked.text;
        self.times = Some((self.times.map_or(checked.time, |(first, _)| first), checked.time));
        self.produced += u64::from(checked.produced);
        self.sealed += u64::from(checked.sealed);
        while self.watch.last().is_some_and(|size| *size <= self.tree.size()) {
            if let Some(size) = self.watch.pop().filter(|size| *size == self.tree.size()) {
                self.roots.push((size, self.tree.root()));
            }
        }
        Ok(())
    }

    fn finish(self) -> Result<Walk, Problem> {
        let (Some(keys), Some((first_time, last_time))) = (self.keys, self.times) else {
            return Err(Problem::failed(
                Code::Empty,
                "there is no entry: a ledger begins with ledger.created, so its first entry was removed",
            ));
        };
        Ok(Walk {
            origin: keys.first().name().to_owned(),
            size: self.tree.size(),
            root: self.tree.root(),
            chain: self.chain,
            first_time,
            last_time,
            keys,
            roots: self.roots,
            produced: self.produced,
            sealed: self.sealed,
        })
    }
}

/// The first key must be the one that the caller trusts, if it trusts one.
pub(crate) fn check_trust(trusted: Option<&VerifierKey>, first: &VerifierKey) -> Result<(), Problem> {
    match trusted {
        Some(trusted) if trusted != first => Err(Problem::Failed(Failure {
            code: Code::KeyNotTrusted,
            seq: None,
            message: format!("the ledger begins with the key {first}, not with the one you trust, {trusted}"),
            fork: None,
        })),
        _ => Ok(()),
    }
}
