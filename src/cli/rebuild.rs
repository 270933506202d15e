//! `daybook rebuild`.

use crate::app::catalogue::catalog;
use crate::app::config::Config;
use crate::app::ledger::{IndexChoice, options};
use crate::catalog::CatalogHistory;
use crate::cli::derive::{self, Ground};
use crate::log;
use anyhow::{Context as _, bail};
use clap::Args;
use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

/// Make the index and the views anew from the log.
#[derive(Debug, Args)]
pub struct Rebuild {
    /// The data folder.
    data: PathBuf,
}

impl Rebuild {
    pub fn run(self) -> anyhow::Result<()> {
        let config = Config::read(&self.data)?;
        let IndexChoice::Engine(kind) = IndexChoice::of(None, &config)? else {
            bail!("daybook.toml names no index");
        };
        let mut log_options = options(&self.data, &config);
        log_options.read_only = true;
        let opened = log::open(log_options)?;
        if let Some(known) = opened.put_back.first() {
            bail!("nothing is made anew: the log was put back ({known}), and what is derived is the proof");
        }
        let made = |part| {
            let dir = self.data.join(part);
            if dir.exists() {
                fs::remove_dir_all(&dir).with_context(|| dir.display().to_string())?;
            }
            anyhow::Ok(dir)
        };
        let (index, _) = derive::index(&made("index")?, kind, &opened.store, "indexed")?;
        let history = CatalogHistory::begin(catalog(&self.data, &config)?, "");
        let ground = Ground::of(&opened.store, index, &history).map_err(anyhow::Error::msg)?;
        derive::views(&made("views")?, kind, &Arc::new(ground), "views made")?;
        println!("{} entries indexed, and all views made.", opened.store.size());
        Ok(())
    }
}
