//! Debian's strace: seeing which calls the server makes of the file system, and making one of them fail, or be the
//! last.

use crate::kit::{daybook, loudly};
use std::collections::HashMap;
use std::io::{BufRead as _, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::OnceLock;

/// The calls that change or open files. Reads are left out: what they hit is tested by damaging the bytes.
pub const CALLS: [&str; 11] = [
    "openat",
    "mkdir",
    "write",
    "pwrite64",
    "ftruncate",
    "fsync",
    "fdatasync",
    "rename",
    "renameat2",
    "unlink",
    "unlinkat",
];

/// Whether this process may trace another. If not, says so where it is seen.
pub fn permitted() -> bool {
    static PERMITTED: OnceLock<bool> = OnceLock::new();
    *PERMITTED.get_or_init(|| {
        let tried = Command::new("strace").args(["-f", "-qq", "-o", "/dev/null", "true"]).output();
        let may = tried.as_ref().is_ok_and(|output| output.status.success());
        if !may {
            loudly(&format!(
                "NOT RUN: tests that inject faults need strace and the right to trace: {tried:?}"
            ));
        }
        may
    })
}

/// One call of the server's, as strace printed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Call {
    pub name: String,
    /// The first path that it names, by name or by its open file.
    pub path: PathBuf,
    /// How many calls of this name on this path its thread had made, this one included.
    pub nth_on_path: usize,
    /// How many calls of this name on whatever path its thread had made, this one included.
    pub nth: usize,
    /// An `openat` that cannot write.
    pub only_reads: bool,
}

/// Reads what strace wrote.
pub fn calls(trace: &Path) -> Vec<Call> {
    let (mut on_path, mut all) = (HashMap::new(), HashMap::new());
    let mut calls = Vec::new();
    for line in std::fs::read_to_string(trace).unwrap().lines() {
        let Some((thread, rest)) = line.split_once(' ') else { continue };
        // What is resumed was begun on an earlier line.
        let Some((name, arguments)) = rest.trim_start().split_once('(') else { continue };
        if name.contains(['<', '+', '-', ' ']) {
            continue;
        }
        // `openat(AT_FDCWD</cwd>, "path", …)`, `rename("path", …)`, `fsync(4</path>)`.
        let by_name = arguments.starts_with(['"', 'A']);
        let path = if by_name { between(arguments, '"', '"') } else { between(arguments, '<', '>') };
        let Some(path) = path else { continue };
        let (name, path) = (name.to_owned(), PathBuf::from(path));
        let count = |counts: &mut HashMap<_, usize>, key| {
            *counts.entry(key).and_modify(|count| *count += 1).or_insert(1)
        };
        let nth_on_path = count(&mut on_path, (thread.to_owned(), name.clone(), path.clone()));
        let nth = count(&mut all, (thread.to_owned(), name.clone(), PathBuf::new()));
        let only_reads = name == "openat" && arguments.contains("O_RDONLY");
        calls.push(Call { name, path, nth_on_path, nth, only_reads });
    }
    calls
}

fn between(text: &str, open: char, close: char) -> Option<&str> {
    text.split_once(open)?.1.split_once(close).map(|(inner, _)| inner)
}

/// Whether strace made a call of this name fail.
pub fn injected(trace: &Path, name: &str) -> bool {
    let call = format!(" {name}(");
    let trace = std::fs::read_to_string(trace).unwrap_or_default();
    trace.lines().any(|line| line.contains(&call) && line.contains("(INJECTED)"))
}

/// What becomes of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Kind {
    /// The disk is broken: nothing is done, and the call says EIO.
    Broken,
    /// The disk is full: nothing is done, and the call says ENOSPC.
    Full,
    /// The process dies as it makes the call, which is not done. Its thread's calls before it are: so death just
    /// before one call is also death just after the one before.
    Death,
}

impl Kind {
    pub const ALL: [Kind; 3] = [Kind::Broken, Kind::Full, Kind::Death];

    fn injection(self) -> &'static str {
        match self {
            Kind::Broken => "error=EIO",
            Kind::Full => "error=ENOSPC",
            Kind::Death => "signal=KILL",
        }
    }
}

/// Which call becomes what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Injection {
    pub name: String,
    /// Counted in each thread; on the tracer's path if it has one.
    pub nth: usize,
    pub kind: Kind,
}

/// How to trace: nothing but these calls, on this path if one is given.
pub struct Tracing<'a> {
    pub calls: &'a [&'a str],
    pub path: Option<&'a Path>,
    pub injections: &'a [Injection],
    pub output: &'a Path,
}

impl Tracing<'_> {
    fn command(&self) -> Command {
        let mut command = Command::new("strace");
        command.args(["-f", "-y", "-o"]).arg(self.output);
        command.args(["-e", &format!("trace={}", self.calls.join(","))]);
        for Injection { name, nth, kind } in self.injections {
            command.args(["-e", &format!("inject={name}:{}:when={nth}", kind.injection())]);
        }
        if let Some(path) = self.path {
            command.arg("-P").arg(path);
        }
        command
    }

    /// A command that runs the program traced. The tracer stands aside (`-D`), so that the process started is the
    /// program itself. Without `--seccomp-bpf`, under which signals are not injected.
    pub fn around_daybook(&self) -> Command {
        let mut command = self.command();
        command.env_remove("DAYBOOK_TOKEN").env_remove("DAYBOOK_KEY_PASSPHRASE");
        command.args(["-D", "-qq"]).arg(daybook().get_program());
        command
    }

    /// Begins to trace a running process; it runs on when the tracer is dropped.
    pub fn attach(&self, pid: u32) -> Attached {
        attach(self.command(), pid)
    }
}

fn attach(mut command: Command, pid: u32) -> Attached {
    command.args(["-p", &pid.to_string()]);
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut said = BufReader::new(child.stderr.take().unwrap());
    let mut line = String::new();
    while !line.contains("attached") {
        line.clear();
        assert!(said.read_line(&mut line).unwrap() > 0, "strace ended before it was attached");
    }
    // Its later lines are read, or it would wait for a reader.
    std::thread::spawn(move || std::io::copy(&mut said, &mut std::io::sink()));
    Attached(child)
}

/// A tracer of a running process.
pub struct Attached(Child);

impl Drop for Attached {
    fn drop(&mut self) {
        // Told to end while its tracee dies, strace waits for ever; killed, it is detached by the system.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Makes each sync of a running process's files take longer: a slow disk, until what it answers is dropped.
pub fn slow_syncs(pid: u32, delay: std::time::Duration) -> Attached {
    let mut command = Command::new("strace");
    command.args(["-f", "-o", "/dev/null", "-e", "trace=fdatasync"]);
    command.args(["-e", &format!("inject=fdatasync:delay_exit={}us", delay.as_micros())]);
    attach(command, pid)
}
