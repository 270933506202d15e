//! `daybook demo`: a ledger to try, filled with a bank's year.

use crate::app::config::{Config, LogFormat};
use crate::app::ledger::{How, IndexChoice, Ledger, options};
use crate::app::logging;
use crate::app::serve;
use crate::catalog::Catalog;
use crate::cli::progress::Progress;
use crate::cli::scratch::{self, Scratch};
use crate::clock::ManualClock;
use crate::demo::{DemoEvent, applications, scenario, stamp, tell};
use crate::identity::{NewToken, Principal, Role, Tokens};
use crate::log;
use crate::web::server;
use anyhow::Context as _;
use clap::Args;
use std::collections::BTreeMap;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// Who the demo's ledger is.
const ORIGIN: &str = "northgate.example/ai-governance";

/// Where the demo keeps its tokens in clear, so that it can print them again. Only the demo does that.
const TOKENS_FILE: &str = "demo-tokens.json";

/// A ledger on this machine with a bank's year in it.
#[derive(Debug, Args)]
pub struct Demo {
    /// Address and port; port 0 takes a free one.
    #[arg(long, value_name = "ADDR", default_value = "127.0.0.1:8080")]
    listen: String,
    /// Where the ledger is; made the first time, used again after.
    #[arg(long, value_name = "DIR", default_value = "demo-ledger")]
    data: PathBuf,
    /// How the program's own log is written; what of it, DAYBOOK_LOG says [default: text].
    #[arg(long, value_name = "FORMAT")]
    log_format: Option<LogFormat>,
    /// Print one JSON line {"url", "key", "tokens"} when ready.
    #[arg(long)]
    json: bool,
    /// Without the bank's year: entry 0 alone.
    #[arg(long)]
    empty: bool,
    /// fjall, or sled where it is built in; none: for measuring the log alone.
    #[arg(long, value_name = "ENGINE")]
    index: Option<IndexChoice>,
}

/// The demo's tokens by name: that of a role, or the application of the story that holds it.
type DemoTokens = BTreeMap<String, String>;

/// A token for each of these roles. The producer's is open: it may post every type and speak for anyone, so that there is
/// something to try; what an application should have is beside it.
const ROLES: [(&str, Role); 8] = [
    ("app:demo", Role::Producer),
    ("user:demo-compliance", Role::Compliance),
    ("user:demo-auditor", Role::Auditor),
    ("user:demo-admin", Role::Admin),
    ("user:demo-corrector", Role::Corrector),
    ("user:demo-reconciler", Role::Reconciler),
    ("user:demo-importer", Role::Importer),
    ("user:demo-special", Role::SpecialCategories),
];

impl Demo {
    pub fn run(self) -> anyhow::Result<()> {
        let mut config = Config::read(&self.data)?;
        config.log_format = self.log_format.unwrap_or(config.log_format);
        logging::begin(config.log_format)?;
        config.check(&self.data)?;
        let index = IndexChoice::of(self.index, &config)?;
        let listener = server::bind(&self.listen)?;
        scratch::resume(&self.data)?;
        let tokens = if log::is_made(&self.data) {
            let path = self.data.join(TOKENS_FILE);
            let text = fs::read(&path).with_context(|| {
                format!("{} is missing: this ledger is not the demo's; use `daybook serve`", path.display())
            })?;
            serde_json::from_slice(&text).with_context(|| path.display().to_string())?
        } else {
            // Whole or not at all: an interrupted start leaves no half-told year.
            let scratch = Scratch::begin(&self.data)?;
            let story = make(scratch.path(), !self.empty)?;
            let tokens = make_tokens(scratch.path(), &story)?;
            scratch.finish()?;
            tokens
        };
        let how = How { index, ..How::with(config) };
        serve::run(&self.data, how, listener, |url, key| {
            if self.json {
                println!("{}", serde_json::json!({"url": url, "key": key.to_string(), "tokens": tokens}));
            } else {
                println!("{}", introduction(url, &key.to_string(), &tokens, &self.data));
            }
        })
    }
}

/// A new ledger whose clock is simulated while the year is told, so that "as of last March" has an answer. Gives back the
/// story that it was told.
fn make(data_dir: &Path, filled: bool) -> anyhow::Result<Vec<DemoEvent>> {
    let now = chrono::Utc::now();
    let events = if filled { scenario(now)? } else { Vec::new() };
    let begin = events.first().map_or(now, |event| event.recorded_at - chrono::Duration::hours(1));
    let clock = Arc::new(ManualClock::new(stamp(begin)?));
    let mut options = options(data_dir, &Config::default());
    options.clock = clock.clone();
    log::create(&options, ORIGIN, None)?;
    if !events.is_empty() {
        tell_year(data_dir, &events, &clock)?;
    }
    Ok(events)
}

/// Tells the year to a ledger of which nothing but the clock is simulated.
fn tell_year(data_dir: &Path, events: &[DemoEvent], clock: &Arc<ManualClock>) -> anyhow::Result<()> {
    // Views take a year at once in a fraction of the time that they take for it event by event.
    let how = How { clock: clock.clone(), views: false, ..How::with(Config::default()) };
    let mut ledger = Ledger::open(data_dir, how)?;
    ledger.wait()?;
    let bar = Progress::start("a bank's year", events.len() as u64);
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
    runtime.block_on(tell(events, ledger.recorder(), clock, |told| bar.set(told)))?;
    bar.finish();
    // With the runtime goes what was begun on its threads.
    drop(runtime);
    ledger.close();
    Ok(())
}

fn make_tokens(data_dir: &Path, story: &[DemoEvent]) -> anyhow::Result<DemoTokens> {
    let mut tokens = DemoTokens::new();
    for (actor, role) in ROLES {
        // Readers post nothing; who brings in history names what it may be.
        let is_open = role == Role::Producer;
        let new = NewToken {
            actor: actor.into(),
            // Who may see figures of small groups has to be able to read them.
            roles: if role == Role::SpecialCategories { vec![Role::Auditor, role] } else { vec![role] },
            sources: vec![],
            types: (!is_open).then(Vec::new),
            speaks_for: (!is_open).then(|| Principal::usual_speech(actor)),
            expires: None,
        };
        tokens.insert(role.to_string(), Tokens::create(data_dir, new)?.0);
    }
    for application in applications(story, &Catalog::embedded()?) {
        tokens.insert(application.actor.clone(), Tokens::create(data_dir, application)?.0);
    }
    let mut file = fs::OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(0o600)
        .open(data_dir.join(TOKENS_FILE))?;
    file.write_all(&serde_json::to_vec_pretty(&tokens)?)?;
    file.sync_all()?;
    Ok(tokens)
}

fn introduction(url: &str, key: &str, tokens: &DemoTokens, data: &Path) -> String {
    let token = |role: Role| tokens.get(&role.to_string()).map(String::as_str).unwrap_or_default();
    let [producer, compliance, auditor, admin] =
        [Role::Producer, Role::Compliance, Role::Auditor, Role::Admin].map(token);
    let data = data.display();
    // As it was started: `daybook` is not on the path of someone who typed `make run`.
    let program =
        std::env::current_exe().map_or_else(|_| "daybook".into(), |path| path.display().to_string());
    format!(
        r#"
Daybook's demo: Northgate Bank's year, in {data}

  API         {url}
  Docs        {url}/docs
  First key   {key}

  Tokens      producer    {producer}  (open: every type, for anyone)
              compliance  {compliance}
              auditor     {auditor}
              admin       {admin}
              … those of the story's applications, which may say no more than they do, are in {data}/demo-tokens.json

Three things to try, in another terminal:

1. Post a decision. The answer says where it is. Send it again: it is not recorded twice.

curl -sS {url}/v1/events -H 'Authorization: Bearer {producer}' \
  -H 'Content-Type: application/cloudevents+json' -d '{{
  "specversion": "1.0", "id": "try-1", "source": "/try", "type": "decision.made",
  "subject": "LN-1", "time": "2026-01-15T09:30:00Z", "data": {{
    "decision": "D-1", "case": "LN-1", "by": "app:demo", "outcome": "declined", "adverse": true,
    "system": "credit-line", "model": "credit-line", "version": "1.1", "environment": "production",
    "artifact_digest": "sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea",
    "mode": "assisted", "significant_effect": true, "review_required": true,
    "purpose": "consumer-lending", "jurisdiction": "GB", "legal_basis": "gdpr-6-1-b",
    "inputs": {{"commitment": "WVBr94lqMtTtHMyfDTfUuwqnuNcQiKQdrmrDsi4tH2o=", "ref": "vault:try/1"}}}}}}'

2. Ask: what was decided, newest first; and who can read the loan book now, through roles too.

curl -sS '{url}/v1/events?type=decision.made&order=desc&limit=2' -H 'Authorization: Bearer {compliance}'
curl -sS '{url}/v1/access/readers?resource=dataset/loans-core' -H 'Authorization: Bearer {compliance}'

3. Trust nobody: take a receipt away and check it offline; check the whole ledger from outside; then forge a copy.

curl -sS {url}/v1/events/107/receipt -H 'Authorization: Bearer {auditor}' -o entry-107.tlog-proof
{program} verify entry-107.tlog-proof --key '{key}'
{program} verify {url} --token {auditor} --key '{key}'

cp -r {data} forged && sed -i 's/"outcome":"declined"/"outcome":"approved"/' forged/log/00000000/entries
{program} verify forged --key '{key}'
"#
    )
}
