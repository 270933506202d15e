//! `daybook clock confirm`: on a served ledger through its API, on one that is not served in its folder.

use crate::app::config::Config;
use crate::app::ledger::options;
use crate::log::append::Outcome;
use crate::log::own_events::OwnEvent;
use crate::log::{self, NoIndex};
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

/// How long a server may take to record it.
const PATIENCE: Duration = Duration::from_secs(60);

/// The machine's clock, as the ledger sees it.
#[derive(Debug, Subcommand)]
pub enum Clock {
    /// Say that the clock is right now, after the ledger doubted it; the confirmation is itself an entry.
    Confirm(Confirm),
}

#[derive(Debug, Args)]
pub struct Confirm {
    /// The data folder of a ledger that is not served.
    #[arg(long, value_name = "DIR", required_unless_present = "url")]
    data: Option<PathBuf>,
    /// The running server.
    #[arg(long, conflicts_with = "data")]
    url: Option<String>,
    /// A token with the role admin, for the running server.
    #[arg(long, env = "DAYBOOK_TOKEN", hide_env_values = true)]
    token: Option<String>,
}

impl Clock {
    pub fn run(self) -> anyhow::Result<()> {
        let Clock::Confirm(confirm) = self;
        let (seq, time) = match (&confirm.url, &confirm.data) {
            (Some(url), _) => confirm.through_api(url)?,
            (None, Some(data)) => in_folder(data)?,
            (None, None) => bail!("give --data or --url"),
        };
        println!("The clock is confirmed by entry {seq}, recorded at {time}.");
        Ok(())
    }
}

impl Confirm {
    fn through_api(&self, url: &str) -> anyhow::Result<(u64, String)> {
        let token = self.token.as_deref().context("give --token, or DAYBOOK_TOKEN, with the role admin")?;
        let config =
            ureq::Agent::config_builder().http_status_as_error(false).timeout_global(Some(PATIENCE)).build();
        let agent: ureq::Agent = config.into();
        let mut answer = agent
            .post(format!("{}/v1/clock/confirm", url.trim_end_matches('/')))
            .header("authorization", format!("Bearer {token}"))
            .send_empty()
            .with_context(|| format!("cannot reach {url}"))?;
        let text = answer.body_mut().read_to_string()?;
        let answer: Value = serde_json::from_str(&text).context("the server's answer is not JSON")?;
        let said = |name: &str| answer.get(name).and_then(Value::as_str);
        match (answer.get("seq").and_then(Value::as_u64), said("time")) {
            (Some(seq), Some(time)) => Ok((seq, time.to_owned())),
            _ => bail!("the server refused: {}", said("detail").unwrap_or(&text)),
        }
    }
}

fn in_folder(data: &std::path::Path) -> anyhow::Result<(u64, String)> {
    let config = Config::read(data)?;
    let opened = log::open(options(data, &config)).map_err(|error| match error {
        log::OpenError::Locked(_) => anyhow::anyhow!("the ledger is being served; give --url and --token"),
        other => other.into(),
    })?;
    if let Some(why) = &opened.read_only {
        bail!("nothing is confirmed: {why}");
    }
    let log = opened.start(Arc::new(NoIndex))?;
    let confirmed = log.own(OwnEvent::ClockConfirmed { by: "operator".into() })?.blocking_recv();
    log.close();
    match confirmed.context("the ledger stopped")??.first() {
        Some(Outcome::Recorded { seq, time, .. }) => Ok((*seq, time.to_string())),
        _ => bail!("the confirmation is not recorded"),
    }
}
