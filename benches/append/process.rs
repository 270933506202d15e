//! A server under measurement: a process of its own with a folder of its own, stopped and removed when dropped.

use crate::common::http::Client;
use crate::common::machine;
use crate::options::{Server, ServerKind};
use crate::stop;
use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs::File;
use std::io::{BufRead, BufReader, Read};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::time::{Duration, Instant};
use tempfile::TempDir;

/// A new ledger must load its catalogue and open its files in this time.
const READY_LIMIT: Duration = Duration::from_secs(60);
/// The server counts as idle when it used less than 5 % of a core over this time …
const IDLE_WINDOW: Duration = Duration::from_millis(200);
const IDLE_CPU_S: f64 = 0.011;
/// … and is not waited for longer than this.
pub const CATCH_UP_LIMIT: Duration = Duration::from_secs(20);

/// How many entries behind the log.
#[derive(Clone, Copy)]
pub struct Lag {
    pub index: u64,
    pub views: u64,
}

pub struct Process {
    child: Child,
    pub address: SocketAddr,
    pub token: String,
    folder: TempDir,
}

impl Process {
    /// Starts the server and waits until it says where it listens.
    pub fn start(server: &Server, dir: &Path) -> Result<Self> {
        let folder =
            tempfile::Builder::new().prefix("append-").tempdir_in(dir).context("a folder for the data")?;
        let data = folder.path().join("data");
        let log_path = folder.path().join("stderr");
        let mut child = command(server, &data)?
            // A pipe that nobody writes to: the floor ends when it closes, even if this process was killed.
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(File::create(&log_path).context("a file for the server's messages")?)
            // An interrupt from the terminal is for this process alone, which then stops the server itself.
            .process_group(0)
            .spawn()
            .with_context(|| format!("start {}", server.label))?;
        let lines = read_lines(&mut child)?;
        let mut process =
            Self { child, address: SocketAddr::from(([127, 0, 0, 1], 0)), token: String::new(), folder };
        let ready = process.first_line(&lines).with_context(|| {
            let messages = std::fs::read_to_string(&log_path).unwrap_or_default();
            format!("{} did not become ready; its last messages:\n{}", server.label, last_lines(&messages))
        })?;
        (process.address, process.token) =
            parse_ready(&ready).with_context(|| format!("its line was {ready:?}"))?;
        Ok(process)
    }

    fn first_line(&mut self, lines: &mpsc::Receiver<String>) -> Result<String> {
        let give_up = Instant::now() + READY_LIMIT;
        loop {
            stop::check()?;
            match lines.recv_timeout(Duration::from_millis(50)) {
                Ok(line) if line.starts_with('{') => return Ok(line),
                Ok(_) => {}
                Err(mpsc::RecvTimeoutError::Timeout) if Instant::now() < give_up => {}
                Err(mpsc::RecvTimeoutError::Timeout) => bail!("no answer in {READY_LIMIT:?}"),
                Err(mpsc::RecvTimeoutError::Disconnected) => bail!("it ended: {}", self.child.wait()?),
            }
        }
    }

    pub fn cpu_s(&self) -> Result<f64> {
        machine::cpu_s(&self.child.id().to_string())
    }

    pub fn peak_memory_bytes(&self) -> Result<u64> {
        machine::peak_memory_bytes(self.child.id())
    }

    /// Entries that the log has, and the index and the views do not have yet, by the ledger's own word.
    pub fn lag(&self) -> Result<Lag> {
        let (_, body) = Client::connect(self.address, "")?.get("/readyz")?;
        let ready: Value = serde_json::from_slice(&body).context("not JSON")?;
        let count = |name: &str| ready[name].as_u64().with_context(|| format!("no {name}: {ready}"));
        let size = count("size")?;
        Ok(Lag {
            index: size.saturating_sub(count("indexed")?),
            views: size.saturating_sub(count("viewed")?),
        })
    }

    /// What its folder takes on disk (allocated blocks, so that space reserved ahead is seen too).
    pub fn disk_bytes(&self) -> u64 {
        machine::disk_bytes(&self.folder.path().join("data"))
    }

    /// The last messages that it wrote, for when something went wrong.
    pub fn messages(&self) -> String {
        let messages = std::fs::read_to_string(self.folder.path().join("stderr")).unwrap_or_default();
        last_lines(&messages).to_owned()
    }

    /// Waits until the server has nothing left to do and says for how long it went on after its last answer.
    /// Work put off (indexes, views, compaction) is work: this is how it is seen without asking the server itself.
    pub fn catch_up(&self) -> Result<Duration> {
        let start = Instant::now();
        loop {
            let (before_s, asked) = (self.cpu_s()?, start.elapsed());
            std::thread::sleep(IDLE_WINDOW);
            stop::check()?;
            if self.cpu_s()? - before_s < IDLE_CPU_S || asked > CATCH_UP_LIMIT {
                return Ok(asked);
            }
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Whether it had already ended is all the same here, and its folder follows.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn command(server: &Server, data: &Path) -> Result<Command> {
    Ok(match &server.kind {
        ServerKind::Floor { signer, workers } => {
            let own: PathBuf = std::env::current_exe().context("this program's own path")?;
            let mut command = Command::new(own);
            command.arg("floor").arg("--data").arg(data);
            command.args(["--signer", signer.name(), "--workers", &workers.to_string()]);
            command
        }
        ServerKind::Daybook { binary, arguments } => {
            let mut command = Command::new(binary);
            command.args(["demo", "--empty", "--listen", "127.0.0.1:0", "--json", "--data"]).arg(data);
            command.args(arguments);
            command
        }
    })
}

/// Reads the server's standard output to its end, whatever it says, so that it never blocks on a full pipe.
fn read_lines(child: &mut Child) -> Result<mpsc::Receiver<String>> {
    let output = child.stdout.take().context("the server's output")?;
    let (sender, receiver) = mpsc::channel();
    std::thread::spawn(move || {
        let mut output = BufReader::new(output);
        let mut line = String::new();
        while matches!(output.read_line(&mut line), Ok(1..)) {
            let ready = line.starts_with('{');
            // The receiver is gone once the server is ready.
            let _ = sender.send(std::mem::take(&mut line));
            if ready {
                break;
            }
        }
        drop(sender);
        let mut rest = [0; 4096];
        while matches!(output.read(&mut rest), Ok(1..)) {}
    });
    Ok(receiver)
}

/// `{"url": "http://127.0.0.1:1234", "tokens": {"producer": "…"}, …}`
fn parse_ready(line: &str) -> Result<(SocketAddr, String)> {
    let ready: Value = serde_json::from_str(line).context("not JSON")?;
    let url = ready["url"].as_str().context("no url")?;
    let address =
        url.trim_start_matches("http://").trim_end_matches('/').parse().context("not a loopback url")?;
    let token = ready["tokens"]["producer"].as_str().context("no tokens.producer")?;
    Ok((address, token.to_owned()))
}

/// The end of a text, at a line's beginning: enough to see why something failed.
fn last_lines(text: &str) -> &str {
    const LINES: usize = 12;
    let start = text.trim_end().rmatch_indices('\n').nth(LINES - 1).map_or(0, |(at, _)| at + 1);
    text[start..].trim_end()
}
