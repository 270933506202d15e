//! `daybook backup` and `daybook restore`.
//!
//! A backup is a data folder: entries up to the latest checkpoint, that checkpoint, configuration and hashed tokens.
//! Never keys; they are backed up apart from data. It opens read-only until it is adopted.

use crate::cli::progress::Progress;
use crate::cli::scratch::Scratch;
use crate::log::bulk::{copy, latest_checkpoint};
use crate::log::disk::RealDisk;
use crate::spec::layout::LOG_DIR;
use crate::spec::note::VerifierKey;
use crate::verify::{Options, Outcome, Quiet, Source, verify};
use anyhow::{Context as _, bail};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};

/// Files beside the log that belong to a ledger.
const BESIDE: [&str; 2] = ["daybook.toml", "tokens.json"];

/// Copy a ledger, also while it is served. Keys are not copied.
#[derive(Debug, Args)]
pub struct Backup {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The folder to make.
    out: PathBuf,
}

/// Make a data folder from a backup. It opens read-only until it is adopted.
#[derive(Debug, Args)]
pub struct Restore {
    /// The backup.
    backup: PathBuf,
    /// The data folder to make.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The ledger's first key, from somewhere you trust.
    #[arg(long, value_name = "VKEY")]
    key: Option<String>,
}

impl Backup {
    pub fn run(self) -> anyhow::Result<()> {
        let entries = copy_verified(&self.data, &self.out, None)?;
        println!("{entries} entries in {}, verified.", self.out.display());
        println!("Signing keys are not in it; keep them elsewhere.");
        Ok(())
    }
}

impl Restore {
    pub fn run(self) -> anyhow::Result<()> {
        let key = self.key.as_deref().map(VerifierKey::parse).transpose().context("--key")?;
        let entries = copy_verified(&self.backup, &self.data, key.clone())?;
        println!("{entries} entries in {}, verified.", self.data.display());
        if key.is_none() {
            println!("Checked only against itself: give --key to check against a key you trust.");
        }
        println!(
            "It opens read-only until it is adopted: put the keys back, then daybook serve --data {} --adopt FILE, \
             where FILE is the newest checkpoint that anyone holds.",
            self.data.display()
        );
        Ok(())
    }
}

/// Copies into a scratch folder, verifies the copy, and only then puts it in place.
fn copy_verified(from: &Path, to: &Path, key: Option<VerifierKey>) -> anyhow::Result<u64> {
    let scratch = Scratch::begin(to)?;
    let (_, checkpoint) = latest_checkpoint(&RealDisk, &from.join(LOG_DIR))?;
    let bar = Progress::start("copied", checkpoint.size);
    let copied =
        copy(&RealDisk, &from.join(LOG_DIR), &scratch.path().join(LOG_DIR), |seq, _| bar.set(seq + 1));
    bar.finish();
    let head = copied?;
    let options = Options { key, ..Options::default() };
    match verify(Source::Folder(scratch.path().to_owned()), &options, &Quiet) {
        Outcome::Verified(_) => {}
        Outcome::Failed(failure) => bail!("the copy does not verify: {failure}"),
        Outcome::CouldNotCheck(why) => bail!("the copy cannot be verified: {why}"),
    }
    for name in BESIDE {
        // Settings that are there beforehand stay.
        if from.join(name).exists() && !to.join(name).exists() {
            fs::copy(from.join(name), scratch.path().join(name))?;
        }
    }
    scratch.finish()?;
    Ok(head.size)
}
