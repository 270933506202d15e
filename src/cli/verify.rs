//! `daybook verify`: the verifier's own command with a progress bar.

use crate::cli::progress;
use crate::verify::command::{Command, Token, run};
use crate::verify::{Progress, Quiet, SEED_BYTES};
use clap::Args;
use std::io::stdout;
use std::path::PathBuf;
use std::process::ExitCode;

/// Exit code 0: everything holds. 1: it does not, with the first bad entry and why. 2: could not check.
#[derive(Debug, Args)]
pub struct Verify {
    /// A data folder, an export (- for standard input), a receipt, or the address of a server.
    source: String,
    /// The ledger's first key, from somewhere you trust.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
    /// For a receipt across key rotations: the answer of GET /v1/keys.
    #[arg(long, value_name = "FILE")]
    keys: Option<PathBuf>,
    /// For a server: a token with the role auditor, compliance or admin.
    #[arg(long, env = "DAYBOOK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// Keep what was verified here, and next time prove that the ledger only grew.
    #[arg(long, value_name = "FILE")]
    remember: Option<PathBuf>,
    /// Hold the ledger against checkpoints that it has published: a file that it appends them to, or the notes themselves.
    #[arg(long, value_name = "FILE")]
    checkpoints: Option<PathBuf>,
    /// Where to leave both signed checkpoints if two histories are found [default: beside the file of --remember, or else of
    /// --checkpoints, with .fork after its name].
    #[arg(long, value_name = "FILE")]
    fork: Option<PathBuf>,
    /// Worker threads [default: as many as cores].
    #[arg(long, value_name = "N")]
    threads: Option<std::num::NonZeroUsize>,
    /// Faster: check signatures in batches, by the rules of ZIP 215. Nobody without the key can forge one that passes;
    /// whoever has the key can make some that pass here and that the strict rules refuse.
    #[arg(long)]
    batch: bool,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
    /// No progress, and no text if everything holds.
    #[arg(long, short)]
    quiet: bool,
}

impl Verify {
    pub fn run(self) -> ExitCode {
        let quiet = self.quiet;
        let command = Command {
            source: self.source,
            key: self.key,
            keys: self.keys,
            token: self.token.filter(|token| !token.is_empty()).map(Token),
            remember: self.remember,
            checkpoints: self.checkpoints,
            fork: self.fork,
            threads: self.threads.map(std::num::NonZeroUsize::get),
            batch: self.batch,
            json: self.json,
            quiet,
        };
        let bar = Bar(progress::Progress::start("verified", 0));
        let progress: &dyn Progress = if quiet { &Quiet } else { &bar };
        ExitCode::from(run(&command, &chance, &mut stdout().lock(), progress))
    }
}

fn chance() -> std::io::Result<[u8; SEED_BYTES]> {
    let mut seed = [0; SEED_BYTES];
    getrandom::fill(&mut seed).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(seed)
}

struct Bar(progress::Progress);

impl Progress for Bar {
    fn entries(&self, done: u64, total: Option<u64>) {
        if let Some(total) = total {
            self.0.set_total(total);
        }
        self.0.set(done);
    }

    fn finish(&self) {
        self.0.finish();
    }
}
