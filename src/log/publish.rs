//! Pushing each new checkpoint outside the host, so that even the operator's root cannot rewrite what others hold.
//!
//! One thread a sink, and no queue: a sink that is busy gets the newest checkpoint when it is ready for one, and the
//! newest covers all before it. Appending never waits for a sink.

use crate::log::store::SignedCheckpoint;
use crate::spec::export::Line;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;
use tokio::sync::watch;

/// Where checkpoints go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Appended to a file, one JSON object `{"checkpoint": "<note>"}` a line: a mount of another host, a WORM share.
    File(PathBuf),
    /// POSTed to a URL as `text/plain`, the note itself.
    Url(String),
}

/// How long a URL may take to answer.
const TIMEOUT: Duration = Duration::from_secs(10);

/// How long to wait after a failure before the newest checkpoint is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Publishes until the ledger is closed.
pub struct Publisher {
    threads: Vec<JoinHandle<()>>,
    stop: watch::Sender<bool>,
}

impl Publisher {
    /// Begins to publish to each sink.
    ///
    /// # Errors
    /// No thread can be had.
    pub fn start(
        sinks: Vec<Sink>,
        checkpoints: &watch::Receiver<Option<SignedCheckpoint>>,
    ) -> io::Result<Self> {
        let stop = watch::Sender::new(false);
        let spawn = |sink: Sink| {
            let (checkpoints, stopped) = (checkpoints.clone(), stop.subscribe());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            std::thread::Builder::new()
                .name("publish".into())
                .spawn(move || runtime.block_on(follow(sink, checkpoints, stopped)))
        };
        let threads = sinks.into_iter().map(spawn).collect::<io::Result<_>>()?;
        Ok(Self { threads, stop })
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

async fn follow(
    sink: Sink,
    mut checkpoints: watch::Receiver<Option<SignedCheckpoint>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut published: Option<Arc<str>> = None;
    let mut wait = RETRY.0;
    loop {
        let newest = checkpoints.borrow_and_update().as_ref().map(|signed| signed.note.clone());
        if let Some(note) = newest.filter(|note| published.as_ref() != Some(note)) {
            match publish(&sink, &note) {
                Ok(()) => (published, wait) = (Some(note), RETRY.0),
                Err(error) => {
                    tracing::warn!(?sink, %error, "a checkpoint is not published yet");
                    tokio::select! {
                        () = tokio::time::sleep(wait) => {}
                        _ = stop.changed() => return,
                    }
                    wait = (wait * 2).min(RETRY.1);
                    checkpoints.mark_changed();
                }
            }
        }
        if *stop.borrow() {
            return;
        }
        tokio::select! {
            changed = checkpoints.changed() => if changed.is_err() { return },
            // Once more round the loop, for the last checkpoint before the end.
            _ = stop.changed() => {}
        }
    }
}

fn publish(sink: &Sink, note: &Arc<str>) -> io::Result<()> {
    match sink {
        Sink::File(path) => {
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(Line::Checkpoint(note.to_string()).to_line().as_bytes())?;
            file.sync_data()
        }
        Sink::Url(url) => {
            let agent: ureq::Agent =
                ureq::Agent::config_builder().timeout_global(Some(TIMEOUT)).build().into();
            let sent =
                agent.post(url).header("content-type", "text/plain; charset=utf-8").send(note.as_bytes());
            sent.map(|_| ()).map_err(io::Error::other)
        }
    }
}
