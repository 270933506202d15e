//! The command line of the verifier, without any parser library, so that `daybook-verify` stays small. The main
//! binary's `daybook verify` fills the same [`Command`] and calls the same [`run`].

#[cfg(feature = "batch")]
use crate::Seed;
use crate::{MAX_KEY_LIST_BYTES, Options, Outcome, Progress, Quiet, SEED_BYTES, Signatures, Source, verify};
use daybook_spec::note::VerifierKey;
use std::cell::Cell;
use std::fs::{self, File};
use std::io::{self, IsTerminal as _, Read, Write};
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

/// What `--help` prints.
pub const HELP: &str = "\
Checks a Daybook ledger, trusting nobody: every signature, hash, number and time.

Usage: daybook-verify SOURCE [options]

SOURCE is one of
  DIR            a data folder (also while the ledger runs)
  FILE           an export, or a receipt (text or JSON)
  -              an export or a receipt from standard input
  http(s)://…    a running server (if built with the feature `url`)

Options
  --key VKEY       the ledger's first key, from somewhere you trust. Without it a source is only checked against
                   itself, and a receipt cannot be checked
  --keys FILE      for a receipt: the list of keys (GET /v1/keys), where the ledger has changed its key since
  --token T        for a server: a bearer token (or the environment variable DAYBOOK_TOKEN, which other users of
                   the machine cannot see)
  --remember FILE  keep what was verified, and next time show that the ledger only grew
  --checkpoints FILE
                   hold the ledger against checkpoints that it has published: a file that it appends them to, or the
                   notes themselves, one after the other
  --fork FILE      where to leave both signed checkpoints if two histories are found, for any tool that reads C2SP
                   notes (beside the file of --remember, or else of --checkpoints, with .fork after its name)
  --threads N      worker threads (as many as cores)
  --batch          faster: check the entries' signatures in batches, by the rules of ZIP 215 (if built with the
                   feature `batch`). No one without the key can forge one that passes; whoever has the key can make
                   some that pass here and not without --batch
  --json           one line of JSON instead of text
  --quiet          no progress, and no text if everything holds
  --help, --version

Exit code: 0 everything holds; 1 it does not, with the first bad entry and why; 2 could not check.
";

/// What was asked for.
#[derive(Clone, Debug, Default)]
pub struct Command {
    /// A path, `-`, or an address.
    pub source: String,
    /// The first key, as a verifier key's text.
    pub key: Option<String>,
    /// The file with the list of keys.
    pub keys: Option<PathBuf>,
    /// For a server.
    pub token: Option<Token>,
    /// The file in which to keep what was verified, to compare next time.
    pub remember: Option<PathBuf>,
    /// The file of checkpoints that the ledger has published.
    pub checkpoints: Option<PathBuf>,
    /// Where to leave both checkpoints of a fork.
    pub fork: Option<PathBuf>,
    /// Worker threads; none means as many as there are cores.
    pub threads: Option<usize>,
    /// Whether to check the entries' signatures in batches.
    pub batch: bool,
    /// Whether to answer in JSON.
    pub json: bool,
    /// Whether to say nothing; the exit code says it all.
    pub quiet: bool,
}

/// A bearer token; never shown.
#[derive(Clone)]
pub struct Token(pub String);

impl std::fmt::Debug for Token {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Token(…)")
    }
}

/// What the arguments come to.
#[derive(Clone, Debug)]
pub enum Parsed {
    /// To look at something.
    Run(Box<Command>),
    /// To say how it is used.
    Help,
    /// To say which version it is.
    Version,
    /// Not understood; says why.
    Usage(String),
}

impl Command {
    /// Reads the arguments after the program's name. `env_token` is `DAYBOOK_TOKEN`.
    #[must_use]
    pub fn parse(args: impl IntoIterator<Item = String>, env_token: Option<String>) -> Parsed {
        match Self::try_parse(args.into_iter(), env_token) {
            Ok(parsed) => parsed,
            Err(why) => Parsed::Usage(why),
        }
    }

    fn try_parse(
        mut args: impl Iterator<Item = String>,
        env_token: Option<String>,
    ) -> Result<Parsed, String> {
        let mut command = Self { token: env_token.filter(|t| !t.is_empty()).map(Token), ..Self::default() };
        let (mut source, mut only_source) = (None, false);
        while let Some(arg) = args.next() {
            let (name, attached) = match arg.split_once('=') {
                Some((name, value)) if arg.starts_with("--") && !only_source => {
                    (name, Some(value.to_owned()))
                }
                _ => (arg.as_str(), None),
            };
            let has_value = attached.is_some();
            let mut value =
                || attached.clone().or_else(|| args.next()).ok_or(format!("{name} needs a value"));
            match name {
                _ if only_source || !name.starts_with('-') || name == "-" => {
                    if source.replace(arg.clone()).is_some() {
                        return Err("more than one SOURCE".to_owned());
                    }
                }
                "--key" => command.key = Some(value()?),
                "--keys" => command.keys = Some(value()?.into()),
                "--token" => command.token = Some(Token(value()?)),
                "--remember" => command.remember = Some(value()?.into()),
                "--checkpoints" => command.checkpoints = Some(value()?.into()),
                "--fork" => command.fork = Some(value()?.into()),
                "--threads" => {
                    let threads = value()?.parse().ok().filter(|threads| *threads > 0);
                    command.threads = Some(threads.ok_or("--threads needs a number above 0")?);
                }
                _ if has_value => return Err(format!("{name} is not an option with a value")),
                "--batch" => command.batch = true,
                "--json" => command.json = true,
                "--quiet" | "-q" => command.quiet = true,
                "--help" | "-h" => return Ok(Parsed::Help),
                "--version" | "-V" => return Ok(Parsed::Version),
                "--" => only_source = true,
                _ => return Err(format!("unknown option {name:?}")),
            }
        }
        command.source = source.filter(|source| !source.is_empty()).ok_or("no SOURCE is given")?;
        Ok(Parsed::Run(Box::new(command)))
    }
}

/// Where a [`Seed`] comes from: the operating system, outside of tests.
pub type Chance<'a> = &'a dyn Fn() -> io::Result<[u8; SEED_BYTES]>;

/// The whole program: arguments in, text out, exit code back.
pub fn main(
    args: impl IntoIterator<Item = String>,
    env_token: Option<String>,
    chance: Chance<'_>,
    out: &mut dyn Write,
    err: &mut dyn Write,
) -> u8 {
    // Nothing can be told to an output that does not listen, and the exit code must not change for it.
    match Command::parse(args, env_token) {
        Parsed::Run(command) => {
            let progress = StderrProgress::new();
            run(&command, chance, out, if command.quiet { &Quiet } else { &progress })
        }
        Parsed::Help => {
            let _ = out.write_all(HELP.as_bytes());
            0
        }
        Parsed::Version => {
            let _ = writeln!(out, "daybook-verify {}", env!("CARGO_PKG_VERSION"));
            0
        }
        Parsed::Usage(why) => {
            let _ = writeln!(err, "{why}\nTry --help.");
            2
        }
    }
}

/// Does what a command asks for, writes the answer to `out`, and returns the exit code: 0 everything holds, 1 it does
/// not, 2 could not check.
pub fn run(command: &Command, chance: Chance<'_>, out: &mut dyn Write, progress: &dyn Progress) -> u8 {
    let outcome = match prepare(command, chance) {
        Ok((source, options)) => verify(source, &options, progress),
        Err(why) => Outcome::CouldNotCheck(why),
    };
    let written = match &outcome {
        _ if command.json => writeln!(out, "{}", outcome.to_json()),
        Outcome::Verified(_) if command.quiet => Ok(()),
        Outcome::Verified(report) => out.write_all(printable(&report.to_string()).as_bytes()),
        Outcome::Failed(failure) => writeln!(out, "DOES NOT HOLD: {}", printable(&failure.to_string())),
        Outcome::CouldNotCheck(why) => writeln!(out, "Could not check: {}", printable(why)),
    };
    match written.and_then(|()| out.flush()) {
        Ok(()) => outcome.exit_code(),
        // An answer that did not arrive is none; a finding stays a finding.
        Err(_) if matches!(outcome, Outcome::Failed(_)) => 1,
        Err(_) => 2,
    }
}

/// A text that a terminal shows as it is: no control characters, and none that hide text or turn it around. Names in
/// it come from the source.
fn printable(text: &str) -> String {
    let hides = |c: char| {
        c.is_control() && c != '\n'
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
    };
    text.chars().fold(String::with_capacity(text.len()), |mut out, c| {
        if hides(c) {
            out.extend(c.escape_unicode())
        } else {
            out.push(c)
        }
        out
    })
}

fn prepare(command: &Command, chance: Chance<'_>) -> Result<(Source, Options), String> {
    let key = command.key.as_deref().map(VerifierKey::parse).transpose();
    let key = key.map_err(|error| format!("--key: {error}"))?;
    let keys = command.keys.as_deref().map(read_keys).transpose()?;
    let source = open(&command.source)?;
    if keys.is_some() && !matches!(source, Source::Receipt(_)) {
        return Err("--keys is for receipts: a whole ledger holds its own changes of keys".to_owned());
    }
    let options = Options {
        key,
        keys,
        token: command.token.as_ref().map(|token| token.0.clone()),
        remember: command.remember.clone(),
        checkpoints: command.checkpoints.clone(),
        fork: command.fork.clone(),
        threads: command.threads,
        signatures: if command.batch { batched(chance)? } else { Signatures::Strict },
        ..Options::default()
    };
    Ok((source, options))
}

#[cfg(feature = "batch")]
fn batched(chance: Chance<'_>) -> Result<Signatures, String> {
    let seed = chance().map_err(|error| format!("--batch needs random numbers: {error}"))?;
    Ok(Signatures::Batched(Seed(seed)))
}

#[cfg(not(feature = "batch"))]
fn batched(_: Chance<'_>) -> Result<Signatures, String> {
    Err("this verifier was built without the feature `batch`: it checks signatures one by one".to_owned())
}

fn read_keys(path: &Path) -> Result<Vec<u8>, String> {
    let trouble = |error: io::Error| format!("{}: {error}", path.display());
    let mut bytes = Vec::new();
    let file = File::open(path).map_err(trouble)?;
    file.take(MAX_KEY_LIST_BYTES as u64 + 1).read_to_end(&mut bytes).map_err(trouble)?;
    Ok(bytes)
}

/// Finds out what a source is: an address by its scheme, a folder by being one, a file by how it begins.
fn open(source: &str) -> Result<Source, String> {
    if source.starts_with("http://") || source.starts_with("https://") {
        return Ok(Source::Url(source.to_owned()));
    }
    if source == "-" {
        return sniff(Box::new(io::stdin()), "standard input");
    }
    let trouble = |error: io::Error| format!("{source}: {error}");
    let metadata = fs::metadata(source).map_err(trouble)?;
    if metadata.is_dir() {
        return Ok(Source::Folder(source.into()));
    }
    sniff(Box::new(File::open(source).map_err(trouble)?), source)
}

/// How an export begins. Canonical JSON has one spelling.
const EXPORT_START: &[u8] = b"{\"daybook\":\"export/";
const RECEIPT_START: &[u8] = b"c2sp.org/tlog-proof@";

/// Looks at the first bytes, and puts them back.
fn sniff(mut reader: Box<dyn Read + Send>, name: &str) -> Result<Source, String> {
    let mut start = Vec::new();
    let wanted = EXPORT_START.len().max(RECEIPT_START.len()) as u64;
    reader.by_ref().take(wanted).read_to_end(&mut start).map_err(|error| format!("{name}: {error}"))?;
    let is_json = start.trim_ascii_start().first() == Some(&b'{');
    let (is_export, is_receipt) =
        (start.starts_with(EXPORT_START), start.starts_with(RECEIPT_START) || is_json);
    let empty = start.is_empty();
    let whole: Box<dyn Read + Send> = Box::new(io::Cursor::new(start).chain(reader));
    if is_export {
        Ok(Source::Export(whole))
    } else if is_receipt {
        Ok(Source::Receipt(whole))
    } else if empty {
        Err(format!("{name} is empty"))
    } else {
        Err(format!("{name} is neither an export nor a receipt"))
    }
}

/// Progress on standard error: one line that is written over on a terminal, a plain line now and then elsewhere.
pub struct StderrProgress {
    terminal: bool,
    started: Instant,
    shown: Cell<Option<Instant>>,
}

/// Between two looks at the line, and between two lines.
const TERMINAL_PAUSE: Duration = Duration::from_millis(100);
const LINE_PAUSE: Duration = Duration::from_secs(10);

impl StderrProgress {
    /// Starts the clock.
    #[must_use]
    pub fn new() -> Self {
        Self { terminal: io::stderr().is_terminal(), started: Instant::now(), shown: Cell::new(None) }
    }
}

impl Default for StderrProgress {
    fn default() -> Self {
        Self::new()
    }
}

impl Progress for StderrProgress {
    fn entries(&self, done: u64, total: Option<u64>) {
        let now = Instant::now();
        let (last, pause) = match (self.shown.get(), self.terminal) {
            (Some(shown), true) => (shown, TERMINAL_PAUSE),
            (Some(shown), false) => (shown, LINE_PAUSE),
            // What is done within a moment needs no progress.
            (None, true) => (self.started, 3 * TERMINAL_PAUSE),
            (None, false) => (self.started, LINE_PAUSE),
        };
        if now.duration_since(last) < pause {
            return;
        }
        self.shown.set(Some(now));
        let seconds = now.duration_since(self.started).as_secs_f64();
        let rate = done as f64 / seconds.max(0.001);
        let part = total
            .filter(|total| *total > 0)
            .map(|total| format!(" of {total} ({:.0} %)", (done as f64 / total as f64 * 100.0).min(100.0)));
        let (start, end) = if self.terminal { ("\r", "\x1b[K") } else { ("", "\n") };
        let part = part.unwrap_or_default();
        let _ = write!(io::stderr(), "{start}{done}{part} entries hold so far, {rate:.0} a second{end}");
    }

    /// Clears the line for what comes after.
    fn finish(&self) {
        if self.terminal && self.shown.get().is_some() {
            let _ = write!(io::stderr(), "\r\x1b[K");
        }
    }
}
