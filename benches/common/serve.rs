//! `daybook serve` on a prepared ledger, as an operator starts it; stopped when dropped.

use crate::common::http::Client;
use crate::common::machine::cpu_s;
use anyhow::{Context, Result, bail};
use rustix::process::{Pid, Signal, kill_process};
use std::fs::File;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

/// A start that takes longer has failed, whatever it goes on to do.
const START_LIMIT: Duration = Duration::from_secs(600);
/// Between two looks at a server that is not ready for writes.
const LOOK_AGAIN: Duration = Duration::from_millis(2);
/// A server is quiet that has used less than a twentieth of a core in each of so many stretches on end.
const QUIET_CORES: f64 = 0.05;
const QUIET_STRETCHES: usize = 5;
const STRETCH: Duration = Duration::from_secs(1);
/// Work in the background that takes longer has gone wrong.
const QUIET_LIMIT: Duration = Duration::from_secs(900);

pub struct Server {
    child: Child,
    pub address: SocketAddr,
    /// From the start of the process until it answered that entries can be read …
    pub reads_after: Duration,
    /// … and that events can be posted.
    pub writes_after: Duration,
}

impl Server {
    pub fn start(daybook: &Path, data: &Path) -> Result<Self> {
        let messages = data.with_extension("messages");
        let started = Instant::now();
        let mut child = Command::new(daybook)
            .args(["serve", "--listen", "127.0.0.1:0", "--json", "--data"])
            .arg(data)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&messages)?)
            .spawn()
            .with_context(|| format!("start {}", daybook.display()))?;
        let output = child.stdout.take().context("the server's output")?;
        let mut server = Self {
            child,
            address: SocketAddr::from(([127, 0, 0, 1], 0)),
            reads_after: Duration::ZERO,
            writes_after: Duration::ZERO,
        };
        let mut line = String::new();
        BufReader::new(output).read_line(&mut line)?;
        let told = || std::fs::read_to_string(&messages).unwrap_or_default();
        let ready: serde_json::Value = serde_json::from_str(&line).with_context(told)?;
        let url = ready["url"].as_str().context("no url")?;
        server.address = url.trim_start_matches("http://").parse().context("not a loopback url")?;
        let mut client = Client::connect(server.address, "")?;
        loop {
            let (status, body) = client.get("/readyz")?;
            let readiness: serde_json::Value = serde_json::from_slice(&body)?;
            if readiness["reads"] == true && server.reads_after.is_zero() {
                server.reads_after = started.elapsed();
            }
            if status == 200 {
                server.writes_after = started.elapsed();
                return Ok(server);
            }
            if readiness["reason"].as_str().is_some_and(|why| why.starts_with("read-only"))
                || started.elapsed() > START_LIMIT
            {
                bail!("not ready for writes: {readiness}\n{}", told());
            }
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Waits until it does nothing in the background.
    pub fn wait_until_quiet(&self) -> Result<()> {
        let (started, pid) = (Instant::now(), self.child.id().to_string());
        let mut quiet = 0;
        while quiet < QUIET_STRETCHES {
            let before_s = cpu_s(&pid)?;
            std::thread::sleep(STRETCH);
            let cores = (cpu_s(&pid)? - before_s) / STRETCH.as_secs_f64();
            quiet = if cores < QUIET_CORES { quiet + 1 } else { 0 };
            if started.elapsed() > QUIET_LIMIT {
                bail!("still using {cores:.2} cores after {} s", QUIET_LIMIT.as_secs());
            }
        }
        Ok(())
    }

    /// Asks it to end, and waits until it has.
    pub fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("a process id")?;
        kill_process(pid, Signal::TERM)?;
        self.child.wait()?;
        Ok(())
    }

    /// Kills it, as a crash would.
    pub fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // Whether it had already ended is all the same here.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
