//! `daybook.toml` in the data folder: what an organisation sets once. Command-line arguments win over it.

use anyhow::{Context as _, bail};
use serde::Deserialize;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

const CONFIG_FILE: &str = "daybook.toml";

/// The file's contents. All of it is optional.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// Who the ledger is: a schema-less URL. Needed once, when it is made.
    pub origin: Option<String>,
    /// Address and port.
    pub listen: Option<String>,
    /// Anyone may read the log without a token: checkpoint, tiles, proofs, keys, and in the bundles every entry.
    pub public_log: bool,
    /// Anyone may read `/metrics` without a token; otherwise it takes one of somebody who may read everything.
    pub public_metrics: bool,
    /// Whether each request is told in the log [default: yes].
    pub access_log: Option<bool>,
    /// How the program's own log is written: `text` or `json` [default: text].
    pub log_format: LogFormat,
    /// Types outside the catalogue are accepted without a schema.
    pub open_types: bool,
    /// The engine of index and views: `fjall` (the default: steady rate, little memory) or `sled` (up to 12.6 kB of memory an
    /// entry, without bound).
    pub index: Option<String>,
    /// Where signing keys are; relative to the data folder. Default: `keys`.
    pub keys_dir: Option<PathBuf>,
    /// More event types, as YAML files; relative to the data folder.
    pub catalog_dir: Option<PathBuf>,
    /// Files on this host that hold a checkpoint of this ledger, such as those of `daybook verify --remember`; relative to the
    /// data folder. A log that has fewer entries than one of them covers was put back, and opens for reading only.
    pub remembered: Vec<PathBuf>,
    pub limits: Limits,
    pub publish: Publish,
}

/// How the program's own log is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, clap::ValueEnum)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// A JSON object a line, for machines.
    Json,
}

/// Bounds for callers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a second for each caller; none: as many as the machine takes.
    pub requests_per_second: Option<NonZeroU32>,
    /// Streams that each caller may hold open at once [default: 32].
    pub streams_per_caller: Option<NonZeroU32>,
    /// Questions of each caller that are worked on at once; its others wait for them [default: 8].
    pub questions_per_caller: Option<NonZeroU32>,
}

/// Streams of one caller at once, if nothing else is set.
///
/// Reason: an eighth of all; one token that follows in every place it runs leaves room for seven like it.
const STREAMS_OF_A_CALLER: usize = 32;

/// Questions of one caller that are worked on at once, if nothing else is set.
///
/// Reason: more do not end sooner, and some of them only wait for the views. Beside eight that take all they can, somebody
/// else's short question still takes some milliseconds on two cores.
const QUESTIONS_OF_A_CALLER: usize = 8;

impl Limits {
    /// Questions of each caller that are worked on at once.
    #[must_use]
    pub fn questions_of_a_caller(&self) -> usize {
        self.questions_per_caller.map_or(QUESTIONS_OF_A_CALLER, |most| most.get() as usize)
    }

    /// Streams that each caller may hold open at once.
    #[must_use]
    pub fn streams_of_a_caller(&self) -> usize {
        self.streams_per_caller.map_or(STREAMS_OF_A_CALLER, |most| most.get() as usize)
    }
}

/// Where each new checkpoint goes.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Publish {
    /// Appended to this file, one JSON object a line.
    pub file: Option<PathBuf>,
    /// POSTed to this URL.
    pub url: Option<String>,
}

impl Config {
    /// The configuration of a data folder; all defaults if there is no file.
    ///
    /// # Errors
    /// The file cannot be read or holds something unknown.
    pub fn read(data_dir: &Path) -> anyhow::Result<Self> {
        let path = data_dir.join(CONFIG_FILE);
        let text = match std::fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Self::default()),
            Err(error) => return Err(error).with_context(|| path.display().to_string()),
        };
        toml::from_str(&text).with_context(|| path.display().to_string())
    }

    /// Whether what is set can be used: said before anything is made.
    ///
    /// # Errors
    /// The setting that cannot.
    pub fn check(&self, data_dir: &Path) -> anyhow::Result<()> {
        if data_dir.exists() && !data_dir.is_dir() {
            bail!("{} is a file, and the data folder must be a folder", data_dir.display());
        }
        if let Some(url) = &self.publish.url {
            let uri: ureq::http::Uri =
                url.parse().with_context(|| format!("publish.url: {url:?} is no URL"))?;
            if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
                bail!("publish.url: {url:?} must begin with http:// or https:// and name a host");
            }
        }
        if let Some(file) = &self.publish.file {
            let file = data_dir.join(file);
            if file.is_dir() {
                bail!("publish.file: {} is a folder", file.display());
            }
            let folder = file.parent().unwrap_or(data_dir);
            // The data folder itself may still be to be made; `..` is looked up as the system will.
            if !folder.is_dir() && folder != data_dir && !made_with(data_dir, folder) {
                bail!("publish.file: there is no folder {}", folder.display());
            }
        }
        if let Some(catalog) =
            self.catalog_dir.as_ref().map(|dir| data_dir.join(dir)).filter(|dir| !dir.is_dir())
        {
            bail!("catalog_dir: there is no folder {}", catalog.display());
        }
        if let Some(keys) = self.keys_dir.as_ref().map(|dir| data_dir.join(dir)).filter(|dir| dir.is_file()) {
            bail!("keys_dir: {} is a file", keys.display());
        }
        Ok(())
    }

    /// Where the signing keys are.
    #[must_use]
    pub fn keys_dir(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.keys_dir.as_deref().unwrap_or(Path::new("keys")))
    }
}

/// Whether a folder that is named from a data folder will be there as soon as that one is: one above it.
fn made_with(data_dir: &Path, folder: &Path) -> bool {
    let (Ok(data_dir), Ok(folder)) = (std::path::absolute(data_dir), std::path::absolute(folder)) else {
        return false;
    };
    let mut plain = PathBuf::new();
    for part in folder.components() {
        match part {
            std::path::Component::ParentDir => drop(plain.pop()),
            other => plain.push(other),
        }
    }
    data_dir.starts_with(&plain) || plain.is_dir()
}

/// The passphrase for key files.
#[must_use]
pub fn passphrase() -> Option<String> {
    std::env::var("DAYBOOK_KEY_PASSPHRASE").ok().filter(|passphrase| !passphrase.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_setting_is_refused_with_its_line() {
        let error =
            toml::from_str::<Config>("open_types = true\npublic_lgo = true\n").unwrap_err().to_string();
        assert!(error.contains("line 2") && error.contains("public_lgo"), "{error}");
    }
}
