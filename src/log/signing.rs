//! Signing a batch on a small pool. The chain does not wait for signatures, so the entries of a batch are signed
//! independently of each other.

use crate::log::append::SignedEntry;
use crate::spec::merkle::leaf_hash;
use crate::spec::note::{Signer, sign};
use crate::sync::mpsc::{Sender, channel};
use crate::sync::thread::{self, JoinHandle};
use crate::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::collections::VecDeque;
use std::sync::Arc;

/// The keys that sign: one, or during a rotation the old one first.
pub type Signers = Vec<Arc<dyn Signer>>;

fn sign_all(texts: Vec<String>, signers: &Signers) -> Vec<SignedEntry> {
    let signers: Vec<&dyn Signer> = signers.iter().map(AsRef::as_ref).collect();
    let signed = texts.into_iter().map(|text| {
        let bytes = sign(&text, &signers).into_bytes();
        SignedEntry { leaf: leaf_hash(&bytes), bytes }
    });
    signed.collect()
}

/// Entries that a thread signs at a time.
///
/// Reason: about a third of a millisecond of work, so that handing it over costs little and no thread waits long
/// for the last one.
const CHUNK: usize = 16;

struct Job {
    place: usize,
    texts: Vec<String>,
    signers: Signers,
    done: Sender<(usize, Vec<SignedEntry>)>,
}

/// Jobs that wait for a thread.
#[derive(Default)]
struct Queue {
    waiting: Mutex<(VecDeque<Job>, Closed)>,
    added: Condvar,
}

type Closed = bool;

impl Queue {
    fn lock(&self) -> MutexGuard<'_, (VecDeque<Job>, Closed)> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The next job; none when the queue is closed.
    fn wait(&self) -> Option<Job> {
        let is_idle = |state: &mut (VecDeque<Job>, Closed)| state.0.is_empty() && !state.1;
        let mut state = self.added.wait_while(self.lock(), is_idle).unwrap_or_else(PoisonError::into_inner);
        state.0.pop_front()
    }
}

/// Threads that sign.
pub struct SigningPool {
    queue: Arc<Queue>,
    workers: Vec<JoinHandle<()>>,
}

impl SigningPool {
    /// A pool of `workers` threads; the caller's own thread signs too.
    #[must_use]
    pub fn new(workers: usize) -> Self {
        let queue = Arc::new(Queue::default());
        let spawn = |number: usize| {
            let queue = queue.clone();
            thread::Builder::new().name(format!("sign-{number}")).spawn(move || {
                while let Some(job) = queue.wait() {
                    run(job);
                }
            })
        };
        // A thread that cannot be had leaves more work to the others.
        let workers = (0..workers).filter_map(|number| spawn(number).ok()).collect();
        Self { queue, workers }
    }

    /// Signs each text; the results are in the order of the texts.
    #[must_use]
    pub fn sign(&self, mut texts: Vec<String>, signers: &Signers) -> Vec<SignedEntry> {
        if texts.len() <= CHUNK || self.workers.is_empty() {
            return sign_all(texts, signers);
        }
        let (done, results) = channel();
        let mut chunks = 0;
        let mut queue = self.queue.lock();
        while !texts.is_empty() {
            let rest = texts.split_off(CHUNK.min(texts.len()));
            queue.0.push_back(Job { place: chunks, texts, signers: signers.clone(), done: done.clone() });
            (texts, chunks) = (rest, chunks + 1);
        }
        drop((queue, done));
        self.queue.added.notify_all();
        // Help until the queue is empty, then wait for what others still have in hand.
        loop {
            let job = self.queue.lock().0.pop_front();
            match job {
                Some(job) => run(job),
                None => break,
            }
        }
        let mut signed: Vec<_> = results.iter().take(chunks).collect();
        signed.sort_by_key(|(place, _)| *place);
        signed.into_iter().flat_map(|(_, entries)| entries).collect()
    }
}

fn run(job: Job) {
    let signed = sign_all(job.texts, &job.signers);
    // The one who waits is in `sign`, and stays there until all chunks are done.
    let _ = job.done.send((job.place, signed));
}

impl Drop for SigningPool {
    fn drop(&mut self) {
        self.queue.lock().1 = true;
        self.queue.added.notify_all();
        for worker in self.workers.drain(..) {
            let _ = worker.join();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::note::SoftwareSigner;

    #[test]
    fn the_order_of_a_batch_is_kept() {
        let signer: Arc<dyn Signer> = Arc::new(SoftwareSigner::from_seed("log.example", &[1; 32]).unwrap());
        let pool = SigningPool::new(2);
        let texts: Vec<_> = (0..1000).map(|i| format!("text {i}\n")).collect();
        let expected = sign_all(texts.clone(), &vec![signer.clone()]);
        let signed = pool.sign(texts, &vec![signer]);
        assert_eq!(signed.len(), 1000);
        assert!(signed.iter().zip(&expected).all(|(a, b)| a.bytes == b.bytes && a.leaf == b.leaf));
    }
}
