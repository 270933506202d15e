//! `daybook serve`.

use crate::app::catalogue::catalog;
use crate::app::config::{Config, LogFormat};
use crate::app::ledger::{How, IndexChoice, options};
use crate::app::logging;
use crate::app::remembered::{is_remembered_outside, newest_checkpoint};
use crate::app::serve;
use crate::cli::scratch;
use crate::log;
use crate::spec::encoding::hash_from_base64;
use crate::web::server;
use anyhow::Context as _;
use clap::Args;
use std::path::PathBuf;

/// Serve the ledger in a folder; the first time, make it.
#[derive(Debug, Args)]
pub struct Serve {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// Who the ledger is, such as bank.example/ai-governance. Needed once, when it is made.
    #[arg(long)]
    origin: Option<String>,
    /// Address and port [default: 127.0.0.1:8080].
    #[arg(long, value_name = "ADDR")]
    listen: Option<String>,
    /// fjall: steady rate and little memory, however large the ledger. sled: all in memory, up to 12.6 kB an
    /// entry. Changed, index and views are made anew from the log [default: fjall].
    #[arg(long, value_name = "ENGINE")]
    index: Option<IndexChoice>,
    /// When the ledger is made: commitment to the next key, as `daybook keygen` prints it.
    #[arg(long, value_name = "BASE64")]
    next: Option<String>,
    /// Open for reading though nothing forbids writing.
    #[arg(long, conflicts_with = "adopt")]
    read_only: bool,
    /// Let a copy go on as the ledger: a file with the newest checkpoint that anyone holds.
    #[arg(long, value_name = "FILE")]
    adopt: Option<PathBuf>,
    /// An adopted copy publishes where daybook.toml says, from now on: it takes the original's place there.
    #[arg(long, conflicts_with = "read_only")]
    publish: bool,
    /// The machine's clock is right, though the ledger doubts it; recorded.
    #[arg(long, conflicts_with = "read_only")]
    confirm_clock: bool,
    /// How the program's own log is written; what of it, DAYBOOK_LOG says [default: text].
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Print one JSON line {"url", "key"} when ready.
    #[arg(long)]
    json: bool,
}

impl Serve {
    pub fn run(self) -> anyhow::Result<()> {
        let mut config = Config::read(&self.data)?;
        config.log_format = self.log_format.unwrap_or(config.log_format);
        logging::begin(config.log_format)?;
        config.check(&self.data)?;
        let index = IndexChoice::of(self.index, &config)?;
        let listen = self.listen.or_else(|| config.listen.clone()).unwrap_or_else(|| "127.0.0.1:8080".into());
        // What cannot be served is not made.
        let listener = server::bind(&listen)?;
        catalog(&self.data, &config)?;
        scratch::resume(&self.data)?;
        if !log::is_made(&self.data) {
            let origin = self.origin.or_else(|| config.origin.clone()).context(
                "there is no ledger in this folder yet; give --origin (for example bank.example/ai-governance) to make it",
            )?;
            let next = self.next.as_deref().map(|next| {
                hash_from_base64(next).context("--next is base64 of 32 bytes, as `daybook keygen` prints it")
            });
            let key = log::create(&options(&self.data, &config), &origin, next.transpose()?)?;
            eprintln!("A new ledger. Its first key, for everyone who will verify it:\n{key}");
        }
        let adopt = self.adopt.map(|path| {
            let newest = newest_checkpoint(&path).with_context(|| path.display().to_string())?;
            newest.with_context(|| format!("{}: there is no checkpoint", path.display()))
        });
        if !is_remembered_outside(&self.data, &config) {
            eprintln!(
                "Nothing outside {} remembers how long this ledger is: were the whole folder put back as it was earlier, nobody \
                 here would notice. Settings publish.file and publish.url hand checkpoints out.",
                self.data.display()
            );
        }
        let how = How {
            index,
            read_only: self.read_only,
            adopt: adopt.transpose()?,
            publish: self.publish,
            confirm_clock: self.confirm_clock,
            ..How::with(config)
        };
        serve::run(&self.data, how, listener, |url, key| {
            if self.json {
                println!("{}", serde_json::json!({"url": url, "key": key.to_string()}));
            } else {
                println!("Serving on {url}\nFirst key: {key}\nAPI: {url}/docs");
            }
        })
    }
}
