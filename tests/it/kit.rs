//! Starting the real binary on a free port with a folder of its own, talking to it, and always stopping it.

use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant, UNIX_EPOCH};
use tempfile::TempDir;

pub const ORIGIN: &str = "northgate.example/ai-governance";

/// How long anything here may take before the test fails instead of hanging: longer for the large ledgers of the long
/// forms.
fn patience() -> Duration {
    Duration::from_secs(if soak() { 600 } else { 60 })
}

/// An HTTP client that hands every answer out as it is, and gives up in time.
pub fn agent() -> ureq::Agent {
    ureq::Agent::config_builder()
        .http_status_as_error(false)
        .timeout_global(Some(patience()))
        .max_redirects(0)
        .build()
        .into()
}

/// Whether the long forms of the campaigns run: `make soak`.
pub fn soak() -> bool {
    std::env::var_os("DAYBOOK_SOAK").is_some()
}

/// How long a campaign of `make soak` goes on: until all of it is done, or with `DAYBOOK_SOAK_MINUTES` until they are over.
/// The short forms always do all.
pub struct Time(Option<Instant>);

impl Time {
    pub fn begins() -> Self {
        Self(minutes().map(|minutes| Instant::now() + Duration::from_secs(60 * minutes)))
    }

    pub fn is_over(&self) -> bool {
        self.0.is_some_and(|end| end <= Instant::now())
    }
}

/// For how many minutes each campaign of `make soak` is to go on, if that is said.
pub fn minutes() -> Option<u64> {
    let said = std::env::var("DAYBOOK_SOAK_MINUTES").ok().filter(|said| soak() && !said.is_empty());
    said.map(|minutes| minutes.parse().unwrap())
}

/// Says how much of a campaign was done, where it may be less than all.
pub fn done(done: usize, all: usize, what: &str) {
    assert!(done > 0, "nothing was tried");
    if soak() {
        loudly(&format!("{done} of {all} {what}"));
    }
}

/// Says something that must be seen also when the test passes, and so goes past what the harness captures.
pub fn loudly(said: &str) {
    let _ = writeln!(std::io::stderr().lock(), "\n*** {said}\n");
}

/// Chance that can be had again (splitmix64). The seed is printed, and with it shown when the test fails.
pub struct Chance(u64);

impl Chance {
    /// From `DAYBOOK_SEED`, or from the clock.
    pub fn seeded() -> Self {
        let given = std::env::var("DAYBOOK_SEED").ok().map(|seed| seed.parse().unwrap());
        let seed = given.unwrap_or_else(|| UNIX_EPOCH.elapsed().unwrap().as_nanos() as u64);
        println!("DAYBOOK_SEED={seed}");
        Self(seed)
    }

    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// 0 to `bound`, itself not included.
    pub fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound
    }

    /// Another stream of chance, for another thread.
    pub fn split(&mut self) -> Self {
        Self(self.next())
    }
}

/// The program under test.
pub fn daybook() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook"));
    command.env_remove("DAYBOOK_TOKEN").env_remove("DAYBOOK_KEY_PASSPHRASE");
    command
}

/// Runs a command to its end, within bounds.
pub fn run(command: &mut Command) -> Output {
    let mut child =
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap();
    let (mut out, mut err) = (child.stdout.take().unwrap(), child.stderr.take().unwrap());
    let reading = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        out.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let reading_err = std::thread::spawn(move || {
        let mut bytes = Vec::new();
        err.read_to_end(&mut bytes).unwrap();
        bytes
    });
    let begun = Instant::now();
    let status = loop {
        if let Some(status) = child.try_wait().unwrap() {
            break status;
        }
        if begun.elapsed() > patience() {
            let _ = child.kill();
            panic!("{command:?} did not end");
        }
        std::thread::sleep(Duration::from_millis(5));
    };
    Output { status, stdout: reading.join().unwrap(), stderr: reading_err.join().unwrap() }
}

/// Runs a command that must succeed; answers what it printed.
pub fn succeeds(command: &mut Command) -> String {
    let output = run(command);
    let (out, err) = (text(&output.stdout), text(&output.stderr));
    assert!(output.status.success(), "{command:?}: {:?}\n{out}\n{err}", output.status);
    out
}

/// Runs a command that must fail with this exit code; answers all that it printed.
pub fn fails(command: &mut Command, code: i32) -> String {
    let output = run(command);
    let all = text(&output.stdout) + &text(&output.stderr);
    assert_eq!(output.status.code(), Some(code), "{command:?}\n{all}");
    all
}

pub fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// An answer over HTTP.
#[derive(Debug)]
pub struct Answer {
    pub status: u16,
    pub headers: ureq::http::HeaderMap,
    pub body: Vec<u8>,
}

impl Answer {
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|_| panic!("not JSON: {}", text(&self.body)))
    }

    pub fn text(&self) -> String {
        text(&self.body)
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }

    /// The slug of a problem, after its form is checked.
    pub fn problem(&self) -> String {
        assert_eq!(self.header("content-type"), Some("application/problem+json"), "{}", self.text());
        let problem = self.json();
        assert_eq!(problem["status"], self.status);
        assert!(problem["title"].is_string() && problem["detail"].is_string(), "{problem}");
        problem["type"].as_str().unwrap().strip_prefix("urn:daybook:problem:").unwrap().to_owned()
    }
}

/// A running ledger. Stopped, hard if need be, when it is dropped.
pub struct Ledger {
    pub dir: TempDir,
    pub url: String,
    pub key: String,
    pub tokens: Value,
    child: Option<Child>,
    agent: ureq::Agent,
}

static NEXT_ID: AtomicU64 = AtomicU64::new(0);

impl Ledger {
    /// A new ledger with entry 0 alone.
    pub fn empty() -> Self {
        Self::start(tempfile::tempdir().unwrap(), &["--empty"])
    }

    /// The same, made with this configuration from the beginning.
    pub fn empty_with(config: &str) -> Self {
        let dir = tempfile::tempdir().unwrap();
        std::fs::create_dir(dir.path().join("ledger")).unwrap();
        std::fs::write(dir.path().join("ledger/daybook.toml"), config).unwrap();
        Self::start(dir, &["--empty"])
    }

    /// A new ledger with the demo's year in it.
    pub fn demo() -> Self {
        Self::start(tempfile::tempdir().unwrap(), &[])
    }

    /// A new ledger with this configuration.
    pub fn with_config(config: &str) -> Self {
        let mut ledger = Self::empty();
        ledger.stop();
        std::fs::write(ledger.data().join("daybook.toml"), config).unwrap();
        ledger.restart();
        ledger
    }

    pub fn start(dir: TempDir, more: &[&str]) -> Self {
        let mut ledger = Self::not_started(dir);
        ledger.launch(more);
        ledger
    }

    /// A place for a ledger; [`Ledger::launch_with`] starts it.
    pub fn not_started(dir: TempDir) -> Self {
        Self { dir, url: String::new(), key: String::new(), tokens: Value::Null, child: None, agent: agent() }
    }

    fn launch(&mut self, more: &[&str]) {
        assert!(self.launch_with(daybook(), more), "it did not start\n{}", self.stderr());
    }

    /// Starts the server with a command that ends in running [`daybook`]. False if it ended before it was ready.
    pub fn launch_with(&mut self, mut command: Command, more: &[&str]) -> bool {
        command.args(["demo", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(self.data()).args(more);
        let Some(ready) = self.spawn(&mut command) else { return false };
        self.url = ready["url"].as_str().unwrap().to_owned();
        self.key = ready["key"].as_str().unwrap().to_owned();
        self.tokens = ready["tokens"].clone();
        true
    }

    /// Starts a server and kills it so long after, whether it is ready or not.
    pub fn launch_and_kill(&mut self, after: Duration) {
        let mut command = daybook();
        command.args(["demo", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(self.data());
        let mut child =
            command.stdout(Stdio::null()).stderr(Stdio::null()).stdin(Stdio::null()).spawn().unwrap();
        std::thread::sleep(after);
        let _ = child.kill();
        child.wait().unwrap();
    }

    /// Starts a server and waits for its line of JSON; none if it ended without one.
    fn spawn(&mut self, command: &mut Command) -> Option<Value> {
        let err = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(self.dir.path().join("stderr"))
            .unwrap();
        let mut child = command.stdout(Stdio::piped()).stderr(err).stdin(Stdio::null()).spawn().unwrap();
        let ready = ready(&mut child);
        self.child = Some(child);
        ready
    }

    pub fn data(&self) -> PathBuf {
        self.dir.path().join("ledger")
    }

    pub fn stderr(&self) -> String {
        std::fs::read_to_string(self.dir.path().join("stderr")).unwrap_or_default()
    }

    pub fn pid(&self) -> u32 {
        self.child.as_ref().unwrap().id()
    }

    /// Memory that the server has at the moment.
    pub fn resident_bytes(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
        line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() * 1024
    }

    /// Ends the server as an operator does.
    pub fn stop(&mut self) {
        if let Some(child) = &self.child {
            signal(child.id(), "TERM");
            self.ended();
        }
    }

    /// Waits for a server that ends by itself, or was told to.
    pub fn ended(&mut self) -> ExitStatus {
        let mut child = self.child.take().unwrap();
        let begun = Instant::now();
        loop {
            if let Some(status) = child.try_wait().unwrap() {
                return status;
            }
            if begun.elapsed() > patience() {
                let _ = child.kill();
                panic!("the server did not end\n{}", self.stderr());
            }
            std::thread::sleep(Duration::from_millis(5));
        }
    }

    /// Ends the server as a power cut does, less the disk.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    pub fn restart(&mut self) {
        self.stop();
        self.launch(&[]);
        self.wait_until_ready();
    }

    pub fn wait_until_ready(&self) {
        let begun = Instant::now();
        loop {
            let ready = self.get("/readyz", "auditor").json();
            if ready["size"] == ready["indexed"] {
                return;
            }
            assert!(begun.elapsed() < patience(), "{ready}");
            std::thread::sleep(Duration::from_millis(10));
        }
    }

    pub fn token(&self, role: &str) -> &str {
        self.tokens[role].as_str().unwrap()
    }

    pub fn request(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_request(method, path, headers, body).unwrap()
    }

    /// The same, where the server may be gone.
    pub fn try_request(
        &self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let mut request = ureq::http::Request::builder().method(method).uri(format!("{}{path}", self.url));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.answer(request.body(body).unwrap())
    }

    /// Posts a batch that is made while it is sent.
    pub fn try_stream_batch(&self, mut body: impl std::io::Read) -> Result<Answer, ureq::Error> {
        let request = ureq::http::Request::post(format!("{}/v1/events", self.url))
            .header("authorization", format!("Bearer {}", self.token("producer")))
            .header("content-type", "application/cloudevents-batch+json");
        self.answer(request.body(ureq::SendBody::from_reader(&mut body)).unwrap())
    }

    fn answer(&self, request: ureq::http::Request<impl ureq::AsSendBody>) -> Result<Answer, ureq::Error> {
        let mut response = self.agent.run(request)?;
        let body = response.body_mut().with_config().limit(64 << 20).read_to_vec()?;
        Ok(Answer { status: response.status().as_u16(), headers: response.headers().clone(), body })
    }

    pub fn get(&self, path: &str, role: &str) -> Answer {
        self.request("GET", path, &[("authorization", &format!("Bearer {}", self.token(role)))], b"")
    }

    /// Posts a body as this content type with the producer's token and more headers.
    pub fn post_with(&self, content_type: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
        self.try_post_with(content_type, headers, body).unwrap()
    }

    /// The same, where the server may be gone.
    pub fn try_post_with(
        &self,
        content_type: &str,
        headers: &[(&str, &str)],
        body: &[u8],
    ) -> Result<Answer, ureq::Error> {
        let token = format!("Bearer {}", self.token("producer"));
        let mut all = vec![("authorization", token.as_str()), ("content-type", content_type)];
        all.extend_from_slice(headers);
        self.try_request("POST", "/v1/events", &all, body)
    }

    pub fn post(&self, event: &Value) -> Answer {
        self.post_with("application/cloudevents+json", &[], event.to_string().as_bytes())
    }

    pub fn post_batch(&self, events: &[Value]) -> Answer {
        let body = Value::Array(events.to_vec()).to_string();
        self.post_with("application/cloudevents-batch+json", &[], body.as_bytes())
    }

    /// Posts an event that must be recorded; answers its number.
    pub fn record(&self, event: &Value) -> u64 {
        let answer = self.post(event);
        assert_eq!(answer.status, 201, "{}", answer.text());
        answer.json()["seq"].as_u64().unwrap()
    }

    pub fn size(&self) -> u64 {
        self.get("/readyz", "auditor").json()["size"].as_u64().unwrap()
    }

    /// `daybook verify` on this ledger's folder with its first key: what it printed, and its exit code.
    pub fn verify(&self) -> (String, i32) {
        verify(&self.data(), &self.key)
    }

    pub fn checkpoint(&self) -> (u64, String) {
        let note = self.get("/log/checkpoint", "auditor").text();
        (note.lines().nth(1).unwrap().parse().unwrap(), note)
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.kill();
    }
}

pub fn verify(source: &Path, key: &str) -> (String, i32) {
    let output = run(daybook().arg("verify").arg(source).args(["--key", key]));
    (text(&output.stdout) + &text(&output.stderr), output.status.code().unwrap())
}

/// Sends a signal by its name.
pub fn signal(pid: u32, name: &str) {
    let _ = Command::new("kill").args(["-s", name]).arg(pid.to_string()).status();
}

/// A `daybook serve` on a folder that may not be the demo's.
pub fn serve(data: &Path, more: &[&str]) -> std::process::Child {
    let mut command = daybook();
    command.args(["serve", "--json", "--listen", "127.0.0.1:0", "--data"]).arg(data).args(more);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).stdin(Stdio::null()).spawn().unwrap()
}

/// Waits for a server's line of JSON, which it writes to its piped stdout once it is ready; none if it ended without one.
pub fn ready(child: &mut std::process::Child) -> Option<Value> {
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    (!line.is_empty())
        .then(|| serde_json::from_str(&line).unwrap_or_else(|_| panic!("no JSON line, but {line:?}")))
}

/// A small valid event with an id of its own.
pub fn event() -> Value {
    let number = NEXT_ID.fetch_add(1, Ordering::Relaxed);
    event_with_id(&format!("it-{number}"))
}

pub fn event_with_id(id: &str) -> Value {
    json!({
        "specversion": "1.0",
        "id": id,
        "source": "/it",
        "type": "approval.withdrawn",
        "subject": "APR-1",
        "time": "2026-03-02T09:30:00Z",
        "data": {"approval": "APR-1", "by": "user:u-1", "reason": "asked twice"},
    })
}

/// Flips one bit of a file.
pub fn flip(path: &Path, at: usize) {
    let mut bytes = std::fs::read(path).unwrap();
    bytes[at] ^= 1;
    std::fs::write(path, bytes).unwrap();
}

pub fn copy_dir(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy_dir(&entry.path(), &target);
        } else {
            std::fs::copy(entry.path(), target).unwrap();
        }
    }
}
