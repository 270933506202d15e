//! `daybook check` and `daybook rebuild`.

use crate::app::config::Config;
use crate::app::ledger::{IndexChoice, catalog, options};
use crate::catalog::CatalogHistory;
use crate::cli::check_views::{self, Ground};
use crate::cli::progress::Progress;
use crate::follow::Feed;
use crate::index::{Filter, LogIndex, read_publications};
use crate::log::check::{Checked, check, without_head};
use crate::log::disk::RealDisk;
use crate::log::home::Lock;
use crate::log::recovery::RecoverError;
use crate::log::store::Store;
use crate::log::{self, identity};
use crate::spec::entry::Entry;
use crate::spec::layout::LOG_DIR;
use crate::store::EngineKind;
use crate::store::opening::{OpenReport, Opened};
use crate::verify::{Options, Outcome, Quiet, Source, verify};
use anyhow::{Context as _, bail};
use clap::Args;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

/// Derive everything again from the entries and say what differs. Exit code 0: nothing; 1: something; 2: could not look.
#[derive(Debug, Args)]
pub struct Check {
    /// The data folder.
    data: PathBuf,
    /// Make again what can be derived. Entries are never touched.
    #[arg(long)]
    repair: bool,
    /// With --repair, when log/head is lost: acknowledge exactly this many entries.
    #[arg(long, value_name = "SIZE", requires = "repair")]
    head: Option<u64>,
    /// Print one JSON line.
    #[arg(long)]
    json: bool,
}

impl Check {
    pub fn run(self) -> ExitCode {
        match self.look() {
            Ok(0) => ExitCode::SUCCESS,
            Ok(_) => ExitCode::from(1),
            Err(error) => {
                eprintln!("daybook: {error:#}");
                ExitCode::from(2)
            }
        }
    }

    fn look(&self) -> anyhow::Result<usize> {
        let log_dir = self.data.join(LOG_DIR);
        let lock = Lock::take(&self.data).with_context(|| self.data.display().to_string())?;
        if lock.is_none() && self.repair {
            bail!("the ledger is being served; stop it before a repair");
        }
        let bar = Progress::start("checked", 0);
        let checked = check(&RealDisk, &log_dir, self.repair, |done, total| {
            bar.set_total(total);
            bar.set(done);
        });
        bar.finish();
        let mut checked = match checked {
            Ok(checked) => checked,
            Err(RecoverError::HeadLost) => return self.head_lost(),
            Err(error @ RecoverError::Damaged(_)) => {
                let mut checked = Checked::default();
                self.add_verdict(&mut checked);
                if checked.differences.is_empty() {
                    return Err(error.into());
                }
                return Ok(self.print(&checked));
            }
            Err(error) => return Err(error.into()),
        };
        self.add_verdict(&mut checked);
        // The index is looked at by opening it, which needs the folder to ourselves.
        if lock.is_some() && self.data.join("index").exists() {
            drop(lock);
            self.check_index(&mut checked)?;
        } else if lock.is_none() && !self.json {
            println!("The ledger is being served: its index is not looked at.");
        }
        Ok(self.print(&checked))
    }

    /// The verifier's word on signatures, chain, root and checkpoint.
    fn add_verdict(&self, checked: &mut Checked) {
        let difference = match verify(Source::Folder(self.data.clone()), &Options::default(), &Quiet) {
            Outcome::Verified(_) => return,
            Outcome::Failed(failure) => failure.to_string(),
            Outcome::CouldNotCheck(why) => why,
        };
        checked.differences.push(crate::log::check::Difference {
            place: "log".into(),
            what: format!("it does not verify: {difference}"),
            repaired: false,
        });
    }

    fn check_index(&self, checked: &mut Checked) -> anyhow::Result<()> {
        let config = Config::read(&self.data)?;
        let mut log_options = options(&self.data, &config);
        log_options.read_only = true;
        let opened = log::open(log_options)?;
        let differs =
            |what: String, repaired| crate::log::check::Difference { place: "index".into(), what, repaired };
        let dir = self.data.join("index");
        let (index, report) =
            LogIndex::start(&dir, engine(&config)?, &Feed::of(&opened.store), Duration::MAX)?;
        if let Some(OpenReport { opened: Opened::Rebuilt(why), .. }) = report {
            checked.differences.push(differs(format!("{why}; it is made anew"), true));
        }
        let size = opened.store.size();
        wait_for(&index, size)?;
        let wrong = compare(&index, &opened.store)?;
        if let Some(what) = wrong {
            drop(index);
            if self.repair {
                std::fs::remove_dir_all(self.data.join("index"))?;
            }
            checked.differences.push(differs(what, self.repair));
            return Ok(());
        }
        let views = self.data.join("views");
        if views.exists() {
            let ground = ground(&self.data, &config, &opened.store, &index)?;
            let scratch = self.data.join("views.check");
            let mut wrong = check_views::compare(&views, &scratch, &ground)?;
            if self.repair && !wrong.is_empty() {
                std::fs::remove_dir_all(&views)?;
                wrong.iter_mut().for_each(|difference| difference.repaired = true);
            }
            checked.differences.append(&mut wrong);
        }
        Ok(())
    }

    fn print(&self, checked: &Checked) -> usize {
        let open =
            checked.differences.iter().filter(|difference| !(difference.repaired && self.repair)).count();
        if self.json {
            let differences: Vec<_> = checked
                .differences
                .iter()
                .map(|d| serde_json::json!({"place": d.place, "what": d.what, "repaired": d.repaired}))
                .collect();
            println!("{}", serde_json::json!({"entries": checked.entries, "differences": differences}));
            return open;
        }
        for difference in &checked.differences {
            let repaired = if difference.repaired { " (made again)" } else { "" };
            println!("{}: {}{repaired}", difference.place, difference.what);
        }
        match checked.differences.len() {
            0 => println!("{} entries: everything is as they say.", checked.entries),
            count => println!("{} entries: {count} differences, {open} of them open.", checked.entries),
        }
        open
    }

    fn head_lost(&self) -> anyhow::Result<usize> {
        let found = without_head(&RealDisk, &self.data.join(LOG_DIR), self.head)?;
        if let Some(size) = self.head {
            println!("log/head acknowledges {size} entries now. What is above is cut at the next start.");
            return Ok(0);
        }
        let covered = match found.covered {
            Some(covered) => {
                format!("the stored checkpoint covers {covered}, so these were acknowledged for certain")
            }
            None => "there is no stored checkpoint".to_owned(),
        };
        println!(
            "log/head is lost: nothing here says any more how many entries were acknowledged.\n\
             The log holds {entries} whole entries, chained from entry 0; {covered}.\n\
             Compare with what others hold: published checkpoints, witnesses, receipts of your applications. If a\n\
             checkpoint of N entries is the newest anywhere, and N is at most {entries}, decide for N or more:\n\n  \
             daybook check {dir} --repair --head N\n\n\
             Or restore the folder from a copy. Entries above the head you choose are cut at the next start.",
            entries = found.entries,
            dir = self.data.display(),
        );
        Ok(1)
    }
}

fn engine(config: &Config) -> anyhow::Result<EngineKind> {
    match config.index.as_deref().unwrap_or("fjall").parse::<IndexChoice>().map_err(anyhow::Error::msg)? {
        IndexChoice::Engine(kind) => Ok(kind),
        IndexChoice::None => bail!("daybook.toml names no index"),
    }
}

fn wait_for(index: &LogIndex, size: u64) -> anyhow::Result<()> {
    let bar = Progress::start("indexed", size);
    while !index.wait_applied(size, Duration::from_millis(500)) {
        if let Some(problem) = index.problem() {
            bail!(problem);
        }
        bar.set(index.applied());
    }
    bar.finish();
    Ok(())
}

/// The first entry that the index does not know by its identity, or does not list under what it is.
fn compare(index: &LogIndex, store: &Arc<Store>) -> anyhow::Result<Option<String>> {
    let size = store.size();
    let bar = Progress::start("compared", size);
    for seq in 0..size {
        let bytes = store.entry(seq)?;
        let entry = Entry::parse(&bytes)?;
        let text = |name| entry.attribute(name);
        let known = index.find(&identity(text("source").unwrap_or_default(), text("id").unwrap_or_default()));
        if known.map_err(anyhow::Error::msg)? != Some(seq) {
            return Ok(Some(format!("entry {seq} is not found by its identity")));
        }
        let filter = Filter {
            ty: text("type"),
            source: text("source"),
            subject: text("subject"),
            actor: Some(&entry.actor),
        };
        if index.list(filter, seq, seq + 1, false, 1)? != [seq] {
            return Ok(Some(format!("entry {seq} is not listed under its type, source, subject and actor")));
        }
        bar.set(seq);
    }
    bar.finish();
    Ok(None)
}

fn ground(
    data_dir: &std::path::Path,
    config: &Config,
    store: &Arc<Store>,
    index: &LogIndex,
) -> anyhow::Result<Ground> {
    let history = CatalogHistory::begin(catalog(data_dir, config)?, "");
    read_publications(&history, store, index, store.size()).map_err(anyhow::Error::msg)?;
    Ok(Ground {
        kind: engine(config)?,
        store: store.clone(),
        identities: index.identities(),
        catalog: history.current(),
    })
}

/// Make the index and the views anew from the log.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The data folder.
    data: PathBuf,
}

impl Rebuild {
    pub fn run(self) -> anyhow::Result<()> {
        let config = Config::read(&self.data)?;
        let mut log_options = options(&self.data, &config);
        log_options.read_only = true;
        let opened = log::open(log_options)?;
        let dir = self.data.join("index");
        if dir.exists() {
            std::fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
        }
        let (index, _) = LogIndex::start(&dir, engine(&config)?, &Feed::of(&opened.store), Duration::MAX)?;
        wait_for(&index, opened.store.size())?;
        let views = self.data.join("views");
        if views.exists() {
            std::fs::remove_dir_all(&views).with_context(|| views.display().to_string())?;
        }
        let ground = ground(&self.data, &config, &opened.store, &index)?;
        check_views::build(&views, &ground, "views made")?;
        println!("{} entries indexed, and all views made.", opened.store.size());
        Ok(())
    }
}
