//! What can be asked for on the command line, and the run matrix that follows from it.

use clap::{Args, Parser, Subcommand, ValueEnum};
use std::path::PathBuf;
use std::time::Duration;

/// Measures appends over HTTP against a bare server that only parses, hashes, signs and syncs.
#[derive(Parser)]
#[command(name = "append")]
pub struct Options {
    /// Seconds of load at each measurement (maximum rate, then half of it)
    #[arg(long, default_value_t = 5)]
    seconds: u64,
    /// How often the whole matrix is run
    #[arg(long, default_value_t = 3)]
    rounds: u32,
    /// One round of two seconds: a first look, not a result
    #[arg(long)]
    pub quick: bool,
    /// Five rounds of ten seconds
    #[arg(long)]
    full: bool,
    /// Only this mode
    #[arg(long)]
    only: Option<Mode>,
    /// The ledger's binary
    #[arg(long, default_value = env!("CARGO_BIN_EXE_daybook"))]
    daybook: PathBuf,
    /// Extra arguments to `daybook demo`, split at spaces; repeat it to compare variants.
    /// By default two are compared: `--index none` (the log alone) and none (with index and views)
    #[arg(long, allow_hyphen_values = true)]
    serve_args: Vec<String>,
    /// A file of CloudEvents, one a line, posted to the ledger before the load: what it should know for the load's
    /// decisions to be ordinary ones (a registered model, its approval and deployment), which raise no finding each
    #[arg(long)]
    pub scene: Option<PathBuf>,
    /// Which crate signs in the floor; the product's is the fair one
    #[arg(long, default_value = "aws")]
    floor_signer: Signer,
    /// HTTP workers of the floor; as many as the product has by default
    #[arg(long, default_value_t = 2)]
    floor_workers: usize,
    /// Only the floor: how fast is this machine?
    #[arg(long)]
    floor_only: bool,
    /// Where the servers keep their data. In memory (tmpfs) a sync costs nothing and no figure means anything
    #[arg(long, default_value = env!("CARGO_TARGET_TMPDIR"))]
    pub dir: PathBuf,
    /// Write every run's figures to this file
    #[arg(long)]
    pub json: Option<PathBuf>,
    /// Put the table into this file, in the place of the last one
    #[arg(long)]
    pub results: Option<PathBuf>,
    /// Given by `cargo bench`; means nothing here
    #[arg(long, hide = true)]
    bench: bool,
    #[command(subcommand)]
    pub command: Option<Command>,
}

#[derive(Subcommand)]
pub enum Command {
    /// Be the floor's server (the benchmark starts itself so)
    #[command(hide = true)]
    Floor(FloorOptions),
}

#[derive(Args)]
pub struct FloorOptions {
    #[arg(long)]
    pub data: PathBuf,
    #[arg(long)]
    pub signer: Signer,
    #[arg(long)]
    pub workers: usize,
}

#[derive(Clone, Copy, ValueEnum)]
pub enum Signer {
    /// aws-lc-rs, with which the ledger signs
    Aws,
    /// ed25519-dalek
    Dalek,
}

#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Mode {
    /// One event a request over 256 connections: many small applications
    Single,
    /// A hundred events a request over 32 connections: a few busy ones
    Batch,
}

/// A server to measure: how it is called in the table and how it is started.
pub struct Server {
    pub label: String,
    pub kind: ServerKind,
}

pub enum ServerKind {
    Floor { signer: Signer, workers: usize },
    Daybook { binary: PathBuf, arguments: Vec<String> },
}

impl Mode {
    pub fn name(self) -> &'static str {
        match self {
            Mode::Single => "single",
            Mode::Batch => "batch",
        }
    }

    pub fn connections(self) -> usize {
        match self {
            Mode::Single => 256,
            Mode::Batch => 32,
        }
    }

    pub fn events_per_request(self) -> usize {
        match self {
            Mode::Single => 1,
            Mode::Batch => 100,
        }
    }

    pub fn content_type(self) -> &'static str {
        match self {
            Mode::Single => "application/cloudevents+json",
            Mode::Batch => "application/cloudevents-batch+json",
        }
    }
}

impl Signer {
    pub fn name(self) -> &'static str {
        match self {
            Signer::Aws => "aws",
            Signer::Dalek => "dalek",
        }
    }
}

impl Options {
    pub fn rounds(&self) -> u32 {
        match self {
            Self { quick: true, .. } => 1,
            Self { full: true, .. } => 5,
            _ => self.rounds,
        }
    }

    pub fn measured(&self) -> Duration {
        Duration::from_secs(match self {
            Self { quick: true, .. } => 2,
            Self { full: true, .. } => 10,
            _ => self.seconds.max(1),
        })
    }

    pub fn modes(&self) -> Vec<Mode> {
        self.only.map_or_else(|| vec![Mode::Single, Mode::Batch], |mode| vec![mode])
    }

    /// The servers of one round, in the order in which they take turns. The floor is always first and always there,
    /// because the ratios of a round are to the floor of that round.
    pub fn servers(&self) -> Vec<Server> {
        let floor = Server {
            label: format!("floor ({})", self.floor_signer.name()),
            kind: ServerKind::Floor { signer: self.floor_signer, workers: self.floor_workers },
        };
        if self.floor_only {
            return vec![floor];
        }
        let defaults = ["--index none".to_owned(), String::new()];
        let variants = if self.serve_args.is_empty() { &defaults[..] } else { &self.serve_args };
        let daybook = |arguments: &String| Server {
            label: format!("daybook {arguments}").trim_end().to_owned(),
            kind: ServerKind::Daybook {
                binary: self.daybook.clone(),
                arguments: arguments.split_whitespace().map(str::to_owned).collect(),
            },
        };
        std::iter::once(floor).chain(variants.iter().map(daybook)).collect()
    }
}
