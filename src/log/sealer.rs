//! The thread that writes what is derived from full segments. Nothing waits for it: until it is done, the segment is
//! answered for from memory, and after a crash it is derived again.

use crate::log::segment;
use crate::log::store::Store;
use crate::sync::mpsc::Receiver;
use std::io;
use std::sync::Arc;

/// Seals full segments, oldest first, each time it is woken. Ends when the committer is gone.
pub fn run(store: &Store, wake: &Receiver<()>) {
    while wake.recv().is_ok() {
        loop {
            // In a statement of its own: the lock must not be held while the segment is sealed.
            let oldest = store.state().unsealed.first().cloned();
            let Some(tail) = oldest else { break };
            if let Err(error) = seal(store, &tail) {
                // Tried again when the next batch is committed; memory holds the segment until then.
                tracing::warn!(%error, segment = tail.segment, "a full segment is not sealed yet");
                break;
            }
            store.update(|state| state.unsealed.retain(|unsealed| !Arc::ptr_eq(unsealed, &tail)));
        }
    }
}

fn seal(store: &Store, tail: &segment::Tail) -> io::Result<()> {
    let (first, end) = (tail.segment << 16, (tail.segment + 1) << 16);
    let (upper, keys) = {
        let state = store.state();
        (state.upper.clone(), state.keys.clone())
    };
    let change = |rotation: Option<u64>| rotation.unwrap_or(0);
    let changes =
        keys.iter().map(|key| change(key.rotation)).filter(|seq| (first..end).contains(seq)).collect();
    segment::seal(&*store.disk, &store.log_dir, tail, changes)?;
    for (level, hashes) in (2..).zip(&upper) {
        // Rewritten whole: a level above the first holds one hash per 65,536 entries or fewer.
        segment::write_level(&*store.disk, &store.log_dir, level, 0, hashes)?;
    }
    Ok(())
}
