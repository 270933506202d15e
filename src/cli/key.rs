//! `daybook key rotate`: on a served ledger through its API, on one that is not served in its folder.

use crate::app::config::Config;
use crate::app::ledger::options;
use crate::log::append::Outcome;
use crate::log::keys::{KeyFolder, read};
use crate::log::own_events::Rotation;
use crate::log::{self, NoIndex};
use crate::spec::encoding::hash_from_base64;
use crate::spec::note::Signer as _;
use crate::spec::time::Rfc3339;
use anyhow::{Context as _, bail};
use clap::{Args, Subcommand};
use serde_json::Value;
use std::fs;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The ledger's signing keys.
#[derive(Debug, Subcommand)]
pub enum Key {
    /// Bring a new key into force; the rotation is itself an entry.
    Rotate(Rotate),
}

#[derive(Debug, Args)]
pub struct Rotate {
    /// The data folder.
    #[arg(long, value_name = "DIR")]
    data: PathBuf,
    /// The running server. Without it, the ledger must not be served.
    #[arg(long)]
    url: Option<String>,
    /// A token with the role admin, for the running server.
    #[arg(long, env = "DAYBOOK_TOKEN", hide_env_values = true)]
    token: Option<String>,
    /// A key file that `daybook keygen` made; copied into the ledger's key folder. Without it a new key is made.
    #[arg(long, value_name = "FILE")]
    key_file: Option<PathBuf>,
    /// Commitment to the key after this one.
    #[arg(long, value_name = "BASE64")]
    next: Option<String>,
    /// Until when (RFC 3339) checkpoints are signed by the old key too.
    #[arg(long, value_name = "TIME")]
    overlap_until: Option<String>,
    /// The old key is lost: the key that was committed to signs alone. The ledger must not be served.
    #[arg(long, requires = "key_file")]
    old_key_lost: bool,
}

impl Key {
    pub fn run(self) -> anyhow::Result<()> {
        let Key::Rotate(rotate) = self;
        let config = Config::read(&rotate.data)?;
        let keys_dir = config.keys_dir(&rotate.data);
        let (vkey, seq) = match &rotate.url {
            Some(url) => rotate.through_api(url, &keys_dir)?,
            None => rotate.in_folder(&config)?,
        };
        println!("Key in force from entry {} on:\n{vkey}", seq + 1);
        Ok(())
    }
}

impl Rotate {
    fn through_api(&self, url: &str, keys_dir: &Path) -> anyhow::Result<(String, u64)> {
        let token = self.token.as_deref().context("give --token, or DAYBOOK_TOKEN, with the role admin")?;
        let key_id = match &self.key_file {
            Some(file) => Some(copy_key(file, keys_dir)?),
            None => None,
        };
        let body = serde_json::json!({
            "key_id": key_id,
            "next": self.next,
            "overlap_until": self.overlap_until,
            "old_key_lost": self.old_key_lost,
        });
        let agent: ureq::Agent = ureq::Agent::config_builder()
            .http_status_as_error(false)
            .timeout_global(Some(std::time::Duration::from_secs(60)))
            .build()
            .into();
        let mut answer = agent
            .post(format!("{}/v1/keys/rotate", url.trim_end_matches('/')))
            .header("authorization", format!("Bearer {token}"))
            .header("content-type", "application/json")
            .send(body.to_string().as_bytes())
            .with_context(|| format!("cannot reach {url}"))?;
        let text = answer.body_mut().read_to_string()?;
        let answer: Value = serde_json::from_str(&text).context("the server's answer is not JSON")?;
        let said = |name: &str| answer.get(name).and_then(Value::as_str);
        match (said("vkey"), answer.get("seq").and_then(Value::as_u64)) {
            (Some(vkey), Some(seq)) => Ok((vkey.to_owned(), seq)),
            _ => bail!("the server refused: {}", said("detail").unwrap_or(&text)),
        }
    }

    fn in_folder(&self, config: &Config) -> anyhow::Result<(String, u64)> {
        let mut options = options(&self.data, config);
        options.key_lost = self.old_key_lost;
        let (folder, passphrase) = (options.keys_dir.clone(), options.passphrase.clone());
        let opened = log::open(options).map_err(|error| match error {
            log::OpenError::Locked(_) => {
                anyhow::anyhow!("the ledger is being served; give --url and --token")
            }
            other => other.into(),
        })?;
        if let Some(why) = &opened.read_only {
            bail!("no rotation: {why}");
        }
        let keys = KeyFolder { origin: opened.store.origin().to_owned(), folder, passphrase };
        let signer = match &self.key_file {
            Some(file) => keys.by_id(&copy_key(file, &keys.folder)?)?,
            None => keys.generate()?,
        };
        let next =
            self.next.as_deref().map(|next| hash_from_base64(next).context("--next is base64 of 32 bytes"));
        let overlap_until = self.overlap_until.as_deref().map(|until| {
            let time = Rfc3339::read(until).context("--overlap-until is an RFC 3339 time")?;
            time.exact().context("--overlap-until lies outside the years 0000 to 9999")
        });
        let vkey = signer.verifier().to_string();
        let rotation = Rotation {
            by: "operator".into(),
            signer: Arc::new(signer),
            next: next.transpose()?,
            overlap_until: overlap_until.transpose()?,
            old_key_lost: self.old_key_lost,
        };
        let log = opened.start(Arc::new(NoIndex))?;
        let outcomes = log.rotate(rotation)?.blocking_recv().context("the ledger stopped")??;
        log.close();
        match outcomes.first() {
            Some(Outcome::Recorded { seq, .. }) => Ok((vkey, *seq)),
            _ => bail!("the rotation is not recorded"),
        }
    }
}

/// Puts a key file into the ledger's key folder under its ID, with mode 0600; answers the ID.
fn copy_key(file: &Path, keys_dir: &Path) -> anyhow::Result<String> {
    let passphrase = crate::app::config::passphrase();
    // The ID depends on the origin, which the file's own name already carries: keygen names files by their ID.
    let id = file.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default().to_owned();
    if crate::spec::encoding::from_hex::<4>(&id).is_none() {
        bail!(
            "{}: a key file is named by its key ID (8 hex digits and .pem), as `daybook keygen` names it",
            file.display()
        );
    }
    // Read once to refuse what is no key before anything is copied; the name is checked by whoever uses it.
    read(file, "any.example", passphrase.as_deref())?;
    let to = keys_dir.join(format!("{id}.pem"));
    if to.exists() && fs::read(&to)? == fs::read(file)? {
        return Ok(id);
    }
    fs::create_dir_all(keys_dir).with_context(|| keys_dir.display().to_string())?;
    let mut out = fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&to);
    let out = out.as_mut().map_err(|error| anyhow::anyhow!("{}: {error}", to.display()))?;
    out.write_all(&fs::read(file)?)?;
    out.sync_all()?;
    Ok(id)
}
