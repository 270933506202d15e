//! Pushing each new checkpoint outside the host, so that even the operator's root cannot rewrite what others hold.
//!
//! One thread a sink, and no queue: a sink that is busy gets the newest checkpoint when it is ready for one, and the
//! newest covers all before it. Appending never waits for a sink.

use crate::log::store::SignedCheckpoint;
use crate::spec::export::Line;
use std::fs;
use std::io::{self, Write as _};
use std::path::PathBuf;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Where checkpoints go.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sink {
    /// Appended to a file, one JSON object `{"checkpoint": "<note>"}` a line: a mount of another host, a WORM share.
    File(PathBuf),
    /// POSTed to a URL as `text/plain`, the note itself.
    Url(String),
}

/// How long a URL may take to answer, and of that, to be reached: a connection that is being made cannot be cut off.
const TIMEOUT: Duration = Duration::from_secs(10);
const CONNECT_TIMEOUT: Duration = Duration::from_secs(3);

/// How long a stop waits for the newest checkpoint to go out before it cuts off what hangs.
///
/// Reason: a sink that works takes a moment; one that does not must not keep the ledger from ending.
const LAST: Duration = Duration::from_secs(2);

/// How often it looks.
const LAST_RETRY: Duration = Duration::from_millis(5);

/// How long to wait after a failure before the newest checkpoint is tried again, at first and at most.
const RETRY: (Duration, Duration) = (Duration::from_millis(500), Duration::from_secs(60));

/// Publishes until the ledger is closed: until this is dropped, which waits for all its threads.
pub struct Publisher {
    published: Vec<Arc<Published>>,
    threads: Vec<JoinHandle<()>>,
    /// One a URL, by which a request that hangs is cut off.
    agents: Vec<ureq::Agent>,
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
        let mut publisher = Self { published: Vec::new(), threads: Vec::new(), agents: Vec::new(), stop };
        for sink in sinks {
            let config = ureq::Agent::config_builder()
                .timeout_global(Some(TIMEOUT))
                .timeout_connect(Some(CONNECT_TIMEOUT))
                .build();
            let agent: ureq::Agent = config.into();
            publisher.agents.push(agent.clone());
            let (checkpoints, stopped) = (checkpoints.clone(), publisher.stop.subscribe());
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
            let published = Arc::new(Published::into(&sink));
            publisher.published.push(published.clone());
            let run = move || runtime.block_on(follow((sink, published), agent, checkpoints, stopped));
            publisher.threads.push(std::thread::Builder::new().name("publish".into()).spawn(run)?);
        }
        Ok(publisher)
    }

    /// What went out, by sink.
    #[must_use]
    pub fn published(&self) -> Vec<Arc<Published>> {
        self.published.clone()
    }
}

/// What went out into a sink.
pub struct Published {
    /// Its path or URL.
    pub name: String,
    newest: Mutex<Option<(u64, Instant)>>,
    failures: AtomicU32,
}

impl Published {
    fn into(sink: &Sink) -> Self {
        let name = match sink {
            Sink::File(path) => path.display().to_string(),
            // Without what may be a secret in it.
            Sink::Url(url) => url.split(['?', '#']).next().unwrap_or_default().to_owned(),
        };
        Self { name, newest: Mutex::default(), failures: AtomicU32::new(0) }
    }

    /// Entries that the newest checkpoint covers that went out, and when; none since the start.
    #[must_use]
    pub fn newest(&self) -> Option<(u64, Instant)> {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Attempts that failed since the last that did not.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures.load(Ordering::Relaxed)
    }

    fn went_out(&self, size: u64) {
        *self.newest.lock().unwrap_or_else(PoisonError::into_inner) = Some((size, Instant::now()));
        self.failures.store(0, Ordering::Relaxed);
    }
}

impl Drop for Publisher {
    fn drop(&mut self) {
        self.stop.send_replace(true);
        let until = Instant::now() + LAST;
        while !self.threads.iter().all(JoinHandle::is_finished) && Instant::now() < until {
            std::thread::sleep(LAST_RETRY);
        }
        self.agents.drain(..).for_each(ureq::Agent::shutdown);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

/// How long a sink may take, at a start, to say whether it knows more than the log.
///
/// Reason: a sink that is there answers at once; one that is not must not keep the ledger from starting.
const ASKED: Duration = Duration::from_secs(2);

/// Whether a sink refuses a checkpoint as older than what it holds: 409, as witnesses answer (C2SP tlog-witness). One that does
/// not answer says nothing.
#[must_use]
pub fn is_ahead(url: &str, note: &str) -> bool {
    let config =
        ureq::Agent::config_builder().timeout_global(Some(ASKED)).http_status_as_error(false).build();
    let agent: ureq::Agent = config.into();
    let sent = agent.post(url).header("content-type", "text/plain; charset=utf-8").send(note.as_bytes());
    match sent {
        Ok(answer) => answer.status().as_u16() == 409,
        Err(error) => {
            tracing::info!(%url, %error, "the sink does not say whether it knows more than the log");
            false
        }
    }
}

async fn follow(
    (sink, published_into): (Sink, Arc<Published>),
    agent: ureq::Agent,
    mut checkpoints: watch::Receiver<Option<SignedCheckpoint>>,
    mut stop: watch::Receiver<bool>,
) {
    let mut published: Option<Arc<str>> = None;
    let mut wait = RETRY.0;
    loop {
        let newest = checkpoints.borrow_and_update().clone();
        if let Some(signed) = newest.filter(|signed| published.as_ref() != Some(&signed.note)) {
            match publish(&sink, &agent, &signed.note) {
                Ok(()) => {
                    published_into.went_out(signed.checkpoint.size);
                    (published, wait) = (Some(signed.note), RETRY.0);
                }
                Err(error) => {
                    published_into.failures.fetch_add(1, Ordering::Relaxed);
                    tracing::warn!(?sink, %error, "a checkpoint is not published yet");
                    if *stop.borrow() {
                        return;
                    }
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

fn publish(sink: &Sink, agent: &ureq::Agent, note: &Arc<str>) -> io::Result<()> {
    match sink {
        Sink::File(path) => {
            let mut file = fs::OpenOptions::new().create(true).append(true).open(path)?;
            file.write_all(Line::Checkpoint(note.to_string()).to_line().as_bytes())?;
            file.sync_data()
        }
        Sink::Url(url) => {
            let sent =
                agent.post(url).header("content-type", "text/plain; charset=utf-8").send(note.as_bytes());
            sent.map(|_| ()).map_err(io::Error::other)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::checkpoint::Checkpoint;
    use crate::spec::merkle::empty_root;

    #[test]
    fn a_sink_that_never_answers_does_not_keep_the_ledger_from_ending() {
        let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/checkpoints", silent.local_addr().unwrap());
        let checkpoint = Checkpoint { origin: "log.example".into(), size: 0, root: empty_root() };
        let newest = watch::Sender::new(Some(SignedCheckpoint { checkpoint, note: "a note".into() }));
        let publisher = Publisher::start(vec![Sink::Url(url)], &newest.subscribe()).unwrap();
        // It is asked, and does not answer.
        let (_connection, _) = silent.accept().unwrap();
        let begun = Instant::now();
        drop(publisher);
        assert!(begun.elapsed() < LAST + Duration::from_secs(2), "{:?}", begun.elapsed());
    }
}
