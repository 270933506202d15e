//! A running ledger, over its tiles (C2SP tlog-tiles, FORMATS.md section 5).
//!
//! The server is not trusted: every answer is bounded in bytes and in time, nothing is allocated by the size that the
//! checkpoint claims, and no redirect is followed, so that neither the token nor the verifier ever goes elsewhere.

use crate::entries::{Chunk, Framing};
use crate::failure::{Code, Fault, Problem};
use crate::source::answers::{altered, no_checkpoint, retry_after};
use crate::source::{Claims, EntrySource};
use daybook_spec::checkpoint::{Checkpoint, MAX_CHECKPOINT_BYTES};
use daybook_spec::entry::MAX_ENTRY_BYTES;
use daybook_spec::tile::{LENGTH_BYTES, TILE_WIDTH, Tile, split_framed};
use std::collections::VecDeque;
use std::io::Read as _;
use std::sync::mpsc::{Receiver, Sender, SyncSender, channel, sync_channel};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

/// Requests under way at once, and bundles read ahead.
///
/// Reason: enough to hide the way to the server and back, few enough not to be a burden to it.
const READ_AHEAD: usize = 4;

/// Bytes of the longest bundle.
const MAX_BUNDLE_BYTES: usize = TILE_WIDTH as usize * (LENGTH_BYTES + MAX_ENTRY_BYTES);

/// How often a request is made before it counts as failed, and the pause before the second time; doubled each time.
const ATTEMPTS: u32 = 3;
const PAUSE: Duration = Duration::from_millis(250);

/// How long one request may be put off by a server that says when to come back (`Retry-After`). Each time that it does is no
/// failure.
///
/// Reason: longer than a ledger asks for; a server that puts everybody off for longer is not there.
const MAX_PUT_OFF: Duration = Duration::from_secs(120);

pub(crate) struct UrlSource {
    checkpoint: Vec<u8>,
    size: u64,
    /// The next bundle to ask for.
    next_bundle: u64,
    entries: u64,
    /// None when it is being dropped.
    jobs: Option<Sender<Job>>,
    threads: Vec<JoinHandle<()>>,
    /// By which requests that are under way are cut off, and those that wait woken.
    client: Arc<Client>,
    /// Answers to come, in order.
    pending: VecDeque<Receiver<Result<Bundle, Problem>>>,
    held: Option<Problem>,
    warnings: Vec<String>,
}

struct Job {
    number: u64,
    width: u64,
    reply: SyncSender<Result<Bundle, Problem>>,
}

struct Bundle {
    width: u64,
    entries: Vec<u8>,
    hashes: Vec<u8>,
}

/// What asks the server.
struct Client {
    agent: ureq::Agent,
    base: String,
    token: Option<String>,
    /// Whether nobody waits for answers any more.
    stopped: Mutex<bool>,
    stopping: Condvar,
}

/// An answer that is not the one hoped for.
enum Miss {
    /// 404.
    NotFound,
    TooLong,
    /// May be better next time: after so long, where the server says so.
    Passing(String, Option<Duration>),
    Final(String),
}

impl UrlSource {
    pub(crate) fn open(base: &str, token: Option<&str>, timeout: Duration) -> Result<Self, Problem> {
        let client = Arc::new(Client::new(base, token, timeout)?);
        let checkpoint = client.get("checkpoint", MAX_CHECKPOINT_BYTES).map_err(|miss| match miss {
            Miss::NotFound => {
                Problem::could_not(format!("{base} has no ledger's checkpoint at /log/checkpoint"))
            }
            Miss::TooLong => Problem::failed(Code::CheckpointInvalid, "the checkpoint is longer than any"),
            Miss::Passing(text, _) | Miss::Final(text) => Problem::could_not(text),
        })?;
        if let Some(what) = no_checkpoint(&checkpoint) {
            return Err(Problem::could_not(format!("{base} answers with {what}, and not with a checkpoint")));
        }
        let size = match Checkpoint::parse(&checkpoint) {
            Ok((checkpoint, _)) => checkpoint.size,
            Err(error) => {
                let text = format!("the checkpoint is malformed: {error}");
                return Err(Problem::failed(Code::CheckpointInvalid, text));
            }
        };
        let mut warnings = Vec::new();
        if token.is_some() && base.starts_with("http://") {
            warnings.push("the token was sent without encryption (http, not https)".to_owned());
        }
        let (jobs, waiting) = channel::<Job>();
        let waiting = Arc::new(Mutex::new(waiting));
        let mut source = Self {
            checkpoint,
            size,
            next_bundle: 0,
            entries: 0,
            jobs: Some(jobs),
            threads: Vec::with_capacity(READ_AHEAD),
            client: Arc::clone(&client),
            pending: VecDeque::with_capacity(READ_AHEAD),
            held: None,
            warnings,
        };
        for number in 0..READ_AHEAD {
            let (client, waiting) = (Arc::clone(&client), Arc::clone(&waiting));
            let ask = move || {
                loop {
                    let job = waiting.lock().unwrap_or_else(PoisonError::into_inner).recv();
                    let Ok(job) = job else { return };
                    let _ = job.reply.send(client.bundle(job.number, job.width));
                }
            };
            let thread = std::thread::Builder::new().name(format!("ask-{number}")).spawn(ask);
            source.threads.push(thread.map_err(|error| Problem::could_not(error.to_string()))?);
        }
        Ok(source)
    }

    fn ask_ahead(&mut self) {
        while self.pending.len() < READ_AHEAD && self.next_bundle < self.size.div_ceil(TILE_WIDTH) {
            let number = self.next_bundle;
            let width = (self.size - number * TILE_WIDTH).min(TILE_WIDTH);
            let (reply, answer) = sync_channel(1);
            // If nobody takes the job, the answer's channel is closed, which the reader sees.
            let _ = self.jobs.as_ref().map(|jobs| jobs.send(Job { number, width, reply }));
            self.pending.push_back(answer);
            self.next_bundle += 1;
        }
    }
}

impl Drop for UrlSource {
    /// Whoever has seen enough waits for no answer that is still to come.
    fn drop(&mut self) {
        self.jobs = None;
        self.pending.clear();
        self.client.stop();
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

impl EntrySource for UrlSource {
    fn next(&mut self) -> Result<Option<Chunk>, Problem> {
        if let Some(problem) = self.held.take() {
            return Err(problem);
        }
        self.ask_ahead();
        let Some(answer) = self.pending.pop_front() else { return Ok(None) };
        let bundle =
            answer.recv().map_err(|_| Problem::could_not("an internal error: a request got lost"))??;
        let mut chunk = Chunk::new(self.entries, Framing::Lengths);
        chunk.bytes = bundle.entries;
        let mut at = 0;
        while chunk.count < bundle.width {
            let Some((entry, _)) = chunk.bytes.get(at..).and_then(split_framed) else { break };
            let start = at + LENGTH_BYTES;
            at = start + entry.len();
            chunk.note(start..at);
        }
        let whole = chunk.count == bundle.width && at == chunk.bytes.len();
        chunk.bytes.truncate(at);
        self.entries += chunk.count;
        if !whole {
            let text = format!(
                "the server's bundle should hold {} entries and nothing else; it does not",
                bundle.width
            );
            self.held = Some(Fault::new(Code::BundleInvalid, text).at(self.entries));
        } else if bundle.hashes.len() as u64 != bundle.width * 32 {
            let text = format!(
                "the server's tile should hold {} hashes and nothing else; it does not",
                bundle.width
            );
            self.held = Some(Fault::new(Code::BundleInvalid, text).at(chunk.first));
        } else {
            chunk.leaves = Some(bundle.hashes);
        }
        if chunk.count == 0 { self.held.take().map_or(Ok(None), Err) } else { Ok(Some(chunk)) }
    }

    fn total(&self) -> Option<u64> {
        Some(self.size)
    }

    fn checkpoint_size(&self) -> Option<u64> {
        Some(self.size)
    }

    fn claims(&mut self) -> Result<Claims, Problem> {
        Ok(Claims {
            checkpoint: std::mem::take(&mut self.checkpoint),
            may_trail: false,
            head: None,
            header: None,
            warnings: std::mem::take(&mut self.warnings),
        })
    }
}

impl Client {
    fn new(base: &str, token: Option<&str>, timeout: Duration) -> Result<Self, Problem> {
        let base = base.trim_end_matches('/');
        let host = base.strip_prefix("http://").or_else(|| base.strip_prefix("https://"));
        if host.is_none_or(|host| host.is_empty() || host.contains(['?', '#', '@', ' '])) {
            return Err(Problem::could_not(format!(
                "{base:?} is not a server's address: http(s)://host[:port]"
            )));
        }
        if token.is_some_and(|token| token.is_empty() || token.bytes().any(|b| !b.is_ascii_graphic())) {
            return Err(Problem::could_not("the token holds characters that no token has"));
        }
        let agent = ureq::Agent::config_builder()
            .timeout_global(Some(timeout))
            .max_redirects(0)
            .max_redirects_will_error(false)
            .http_status_as_error(false)
            .user_agent(concat!("daybook-verify/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        let token = token.map(str::to_owned);
        let (stopped, stopping) = (Mutex::new(false), Condvar::new());
        Ok(Self { agent, base: base.to_owned(), token, stopped, stopping })
    }

    /// Ends all requests: nobody waits for their answers.
    fn stop(&self) {
        *self.stopped.lock().unwrap_or_else(PoisonError::into_inner) = true;
        self.stopping.notify_all();
        self.agent.clone().shutdown();
    }

    /// Waits so long, or until nobody waits for the answer; then it is false.
    fn wait(&self, pause: Duration) -> bool {
        let stopped = self.stopped.lock().unwrap_or_else(PoisonError::into_inner);
        let waited = self.stopping.wait_timeout_while(stopped, pause, |stopped| !*stopped);
        waited.unwrap_or_else(PoisonError::into_inner).1.timed_out()
    }

    fn bundle(&self, number: u64, width: u64) -> Result<Bundle, Problem> {
        // A width is at most 256.
        let w = u16::try_from(width).unwrap_or(u16::MAX);
        let get = |tile: Tile, limit| {
            self.get(&format!("tile/{tile}"), limit).map_err(|miss| {
                let first = number * TILE_WIDTH;
                match miss {
                    Miss::NotFound => Fault::new(
                        Code::Truncated,
                        format!("the server has no {tile}, although its checkpoint covers it"),
                    )
                    .at(first),
                    Miss::TooLong => {
                        let text = format!("the server's answer for {tile} is longer than it can be");
                        Fault::new(Code::BundleInvalid, text).at(first)
                    }
                    Miss::Passing(text, _) | Miss::Final(text) => Problem::could_not(text),
                }
            })
        };
        let hashes = get(Tile::Hashes { level: 0, number, width: w }, TILE_WIDTH as usize * 32)?;
        let entries = get(Tile::Entries { number, width: w }, MAX_BUNDLE_BYTES)?;
        Ok(Bundle { width, entries, hashes })
    }

    fn get(&self, path: &str, limit: usize) -> Result<Vec<u8>, Miss> {
        let (mut pause, mut failed, mut put_off) = (PAUSE, 0, Duration::ZERO);
        loop {
            let missed = match self.get_once(path, limit) {
                Err(Miss::Passing(text, after)) => (text, after),
                other => return other,
            };
            let wait = match missed {
                (text, Some(after)) => {
                    // A moment at least: it was asked just now.
                    let after = after.max(PAUSE);
                    put_off = put_off.saturating_add(after);
                    if put_off > MAX_PUT_OFF {
                        let seconds = after.as_secs();
                        return Err(Miss::Final(format!("{text}, and asks to come back in {seconds} s")));
                    }
                    after
                }
                (text, None) => {
                    failed += 1;
                    if failed == ATTEMPTS {
                        return Err(Miss::Final(text));
                    }
                    pause *= 2;
                    pause / 2
                }
            };
            if !self.wait(wait) {
                return Err(Miss::Final("nobody waits for it any more".to_owned()));
            }
        }
    }

    fn get_once(&self, path: &str, limit: usize) -> Result<Vec<u8>, Miss> {
        let url = format!("{}/log/{path}", self.base);
        let mut request = self.agent.get(&url);
        if let Some(token) = &self.token {
            request = request.header("Authorization", format!("Bearer {token}"));
        }
        let mut response = request.call().map_err(|error| Miss::Passing(format!("{url}: {error}"), None))?;
        let status = response.status().as_u16();
        if let Some(what) = altered(response.headers()).filter(|_| matches!(status, 200 | 404)) {
            return Err(Miss::Final(format!("{url}: {what}")));
        }
        match status {
            200 => {}
            404 => return Err(Miss::NotFound),
            401 | 403 => {
                let text = "the server does not let this token read the log (or none was given: --token)";
                return Err(Miss::Final(format!("{url}: {text}")));
            }
            status @ 300..=399 => {
                let text = "it answers with a redirect, which is not followed; give the address it leads to";
                return Err(Miss::Final(format!("{url}: {text} ({status})")));
            }
            status @ (429 | 500..) => {
                let after = retry_after(response.headers());
                return Err(Miss::Passing(format!("{url}: the server answers {status}"), after));
            }
            status => return Err(Miss::Final(format!("{url}: the server answers {status}"))),
        }
        let mut body = Vec::new();
        let read = response.body_mut().as_reader().take(limit as u64 + 1).read_to_end(&mut body);
        read.map_err(|error| Miss::Passing(format!("{url}: {error}"), None))?;
        if body.len() > limit { Err(Miss::TooLong) } else { Ok(body) }
    }
}
