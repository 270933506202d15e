//! `daybook.toml` in the data folder: what an organisation sets once. Command-line arguments win over it.

use anyhow::Context as _;
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

/// Bounds for callers.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Limits {
    /// Requests a second for each caller; none: as many as the machine takes.
    pub requests_per_second: Option<NonZeroU32>,
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

    /// Where the signing keys are.
    #[must_use]
    pub fn keys_dir(&self, data_dir: &Path) -> PathBuf {
        data_dir.join(self.keys_dir.as_deref().unwrap_or(Path::new("keys")))
    }
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
