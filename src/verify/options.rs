//! What to look at, and how.

use crate::signatures::Signatures;
use daybook_spec::note::VerifierKey;
use std::fmt;
use std::io::Read;
use std::path::PathBuf;
use std::time::Duration;

/// Seconds that one request to a server may take, from the first byte to the last.
///
/// Reason: the largest bundle over a slow line; a server that drips is given up on.
pub const REQUEST_TIMEOUT: Duration = Duration::from_secs(30);

/// What to look at.
pub enum Source {
    /// A data folder: the one that holds `log`.
    Folder(PathBuf),
    /// An export, as a stream.
    Export(Box<dyn Read + Send>),
    /// A receipt, as text or JSON.
    Receipt(Box<dyn Read + Send>),
    /// A server's base address, `http(s)://host[:port]`. Needs the feature `url`.
    Url(String),
}

/// How to look.
#[derive(Clone)]
pub struct Options {
    /// The ledger's first key, from somewhere the caller trusts. For a receipt without `keys`: the key it is
    /// checked with.
    pub key: Option<VerifierKey>,
    /// For a receipt: the ledger's list of keys, the JSON of `GET /v1/keys`.
    pub keys: Option<Vec<u8>>,
    /// For a server: a bearer token.
    pub token: Option<String>,
    /// Where to keep what was verified, to compare next time.
    pub remember: Option<PathBuf>,
    /// A file of checkpoints that the ledger has published, which it is held against.
    pub checkpoints: Option<PathBuf>,
    /// Where both checkpoints are left if the ledger is found to be forked. Not given: beside `remember`, or else beside
    /// `checkpoints`, with `.fork` after its name.
    pub fork: Option<PathBuf>,
    /// Worker threads; none means as many as there are cores.
    pub threads: Option<usize>,
    /// Which signatures of entries count. Those of a receipt, of checkpoints and of key rotations are few, and are
    /// always checked strictly.
    pub signatures: Signatures,
    /// How long one request to a server may take.
    pub request_timeout: Duration,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            key: None,
            keys: None,
            token: None,
            remember: None,
            checkpoints: None,
            fork: None,
            threads: None,
            signatures: Signatures::default(),
            request_timeout: REQUEST_TIMEOUT,
        }
    }
}

/// A token is a secret: it is never shown.
impl fmt::Debug for Options {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Options")
            .field("key", &self.key)
            .field("keys", &self.keys.as_ref().map(Vec::len))
            .field("token", &self.token.as_ref().map(|_| "…"))
            .field("remember", &self.remember)
            .field("checkpoints", &self.checkpoints)
            .field("fork", &self.fork)
            .field("threads", &self.threads)
            .field("signatures", &self.signatures)
            .field("request_timeout", &self.request_timeout)
            .finish()
    }
}
