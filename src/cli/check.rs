//! `daybook check`.

use crate::app::config::Config;
use crate::app::ledger::IndexChoice;
use crate::app::remembered::remembered_untouched;
use crate::cli::check_derived::{Look, Looked};
use crate::cli::progress::Progress;
use crate::log::check::{Checked, Difference, check, without_head};
use crate::log::disk::RealDisk;
use crate::log::home::Lock;
use crate::log::put_back;
use crate::log::recovery::{RecoverError, recover};
use crate::spec::layout::LOG_DIR;
use crate::verify::{Options, Outcome, Quiet, Source, verify};
use anyhow::{Context as _, bail};
use clap::Args;
use serde_json::json;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

/// Derive everything again from the entries and say what differs. Exit code 0: nothing; 1: something; 2: could not look.
///
/// Without --repair nothing in the data folder is changed: the index and the views are looked at in copies, for which the
/// folder for temporary files (TMPDIR) needs twice their size.
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
            Ok(code) => ExitCode::from(code),
            Err(error) => {
                eprintln!("daybook: {error:#}");
                ExitCode::from(2)
            }
        }
    }

    /// Looks, says what was found, and answers with the exit code.
    fn look(&self) -> anyhow::Result<u8> {
        let log_dir = self.data.join(LOG_DIR);
        let lock = if self.repair { Lock::take(&self.data) } else { Lock::look(&self.data) };
        let lock = lock.with_context(|| self.data.display().to_string())?;
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
                return Ok(self.print(&checked, &Looked::default()));
            }
            Err(error) => return Err(error.into()),
        };
        self.add_verdict(&mut checked);
        let looked = if lock.is_some() {
            self.check_derived(&mut checked)?
        } else {
            let why = || "the ledger is being served; they are looked at while it is stopped".to_owned();
            Looked { served: vec![("index", why()), ("views", why())], ..Looked::default() }
        };
        Ok(self.print(&checked, &looked))
    }

    /// The verifier's word on signatures, chain, root and checkpoint.
    fn add_verdict(&self, checked: &mut Checked) {
        let difference = match verify(Source::Folder(self.data.clone()), &Options::default(), &Quiet) {
            Outcome::Verified(_) => return,
            Outcome::Failed(failure) => failure.to_string(),
            Outcome::CouldNotCheck(why) => why,
        };
        checked.differences.push(Difference {
            place: "log".into(),
            what: format!("it does not verify: {difference}"),
            repaired: false,
        });
    }

    /// Looks at the index and the views of a ledger that nobody serves.
    fn check_derived(&self, checked: &mut Checked) -> anyhow::Result<Looked> {
        let config = Config::read(&self.data)?;
        let IndexChoice::Engine(kind) = IndexChoice::of(None, &config)? else {
            return Ok(Looked::default());
        };
        let (store, _) = recover(Arc::new(RealDisk), &self.data.join(LOG_DIR), true)?;
        let (store, mut repair) = (Arc::new(store), self.repair);
        let known = remembered_untouched(&self.data, &config);
        for known in put_back(&RealDisk, &self.data, &store, &known)? {
            let what = format!("it was put back: {known}. Index and views are kept as the proof");
            checked.differences.push(Difference { place: "log".into(), what, repaired: false });
            repair = false;
        }
        let look = Look { data: &self.data, config: &config, kind, store: &store, repair };
        let mut looked = look.look();
        checked.differences.append(&mut looked.differences);
        Ok(looked)
    }

    /// Says what was found, and answers with the exit code.
    fn print(&self, checked: &Checked, looked: &Looked) -> u8 {
        let open =
            checked.differences.iter().filter(|difference| !(difference.repaired && self.repair)).count();
        if self.json {
            self.print_json(checked, looked);
        } else {
            self.print_lines(checked, looked, open);
        }
        match (open, looked.unseen.len()) {
            (0, 0) => 0,
            (0, _) => 2,
            _ => 1,
        }
    }

    fn print_json(&self, checked: &Checked, looked: &Looked) {
        let differences: Vec<_> = checked
            .differences
            .iter()
            .map(|d| json!({"place": d.place, "what": d.what, "repaired": d.repaired}))
            .collect();
        let not_seen = looked.unseen.iter().chain(&looked.served);
        let unseen: Vec<_> = not_seen.map(|(place, why)| json!({"place": place, "why": why})).collect();
        println!("{}", json!({"entries": checked.entries, "differences": differences, "unseen": unseen}));
    }

    fn print_lines(&self, checked: &Checked, looked: &Looked, open: usize) {
        for difference in &checked.differences {
            let repaired = if difference.repaired { " (made again)" } else { "" };
            println!("{}: {}{repaired}", difference.place, difference.what);
        }
        for part in &looked.absent {
            println!("{part}: not there; the next start makes it from the log");
        }
        for (part, why) in looked.unseen.iter().chain(&looked.served) {
            println!("{part}: not looked at: {why}");
        }
        let whole = looked.unseen.is_empty() && looked.served.is_empty();
        match checked.differences.len() {
            0 if whole => println!("{} entries: everything is as they say.", checked.entries),
            0 => println!("{} entries: what was looked at is as they say.", checked.entries),
            count => println!("{} entries: {count} differences, {open} of them open.", checked.entries),
        }
    }

    fn head_lost(&self) -> anyhow::Result<u8> {
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
