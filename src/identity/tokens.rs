//! The token file: `tokens.json` in the data folder, mode 0600. It holds SHA-256 hashes of tokens, never tokens; a
//! token has 256 random bits, so a plain hash cannot be guessed back. A running server notices when it changes.

use super::principal::Principal;
use super::role::Role;
use crate::clock::{Clock as _, SystemClock};
use crate::spec::encoding::to_hex;
use crate::spec::entry::is_actor;
use crate::spec::time::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::{MetadataExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};
use std::time::{Duration, Instant};

const TOKENS_FILE: &str = "tokens.json";

/// What tokens begin with, so that secret scanners can find them.
const TOKEN_PREFIX: &str = "daybook_";

/// How often a running server looks whether the file changed.
const RELOAD_EVERY: Duration = Duration::from_secs(1);

/// Why tokens cannot be read or made.
#[derive(Debug, thiserror::Error)]
pub enum TokenError {
    #[error("{path}: {error}")]
    Io { path: PathBuf, error: io::Error },
    #[error("{path} is not a token file: {error}")]
    Malformed { path: PathBuf, error: serde_json::Error },
    #[error("{0:?} is no actor: app:<id> or user:<id>, without spaces, at most 255 bytes")]
    Actor(String),
    #[error("there is no token {0:?}")]
    Unknown(String),
    #[error("no randomness from the operating system: {0}")]
    Randomness(String),
}

/// What is kept of a token.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TokenInfo {
    /// The first 8 hex digits of its hash: a name to revoke it by.
    pub id: String,
    /// SHA-256 of the token, hex.
    pub hash: String,
    pub actor: String,
    pub roles: Vec<Role>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sources: Vec<String>,
    /// Types of event it may post; see [`Principal::types`]. Missing in older files: any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub types: Option<Vec<String>>,
    /// Whom it speaks for beside itself; see [`Principal::speaks_for`]. Missing in older files: anyone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaks_for: Option<Vec<String>>,
    /// RFC 3339.
    pub created: String,
    /// RFC 3339; none: until revoked.
    #[serde(default, with = "as_text", skip_serializing_if = "Option::is_none")]
    pub expires: Option<Timestamp>,
}

/// A time as the token file has it: RFC 3339, read in any spelling.
mod as_text {
    use crate::spec::time::{Rfc3339, Timestamp};
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

    pub fn serialize<S: Serializer>(time: &Option<Timestamp>, serializer: S) -> Result<S::Ok, S::Error> {
        time.map(|time| time.to_string()).serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Timestamp>, D::Error> {
        let text = Option::<String>::deserialize(deserializer)?;
        let read = |text: String| Rfc3339::read(&text).and_then(Rfc3339::exact);
        let no_time = || de::Error::custom("not an RFC 3339 time");
        text.map(|text| read(text).ok_or_else(no_time)).transpose()
    }
}

#[derive(Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenFile {
    tokens: Vec<TokenInfo>,
}

/// What a new token shall be.
#[derive(Clone, Debug)]
pub struct NewToken {
    pub actor: String,
    pub roles: Vec<Role>,
    pub sources: Vec<String>,
    /// None: any.
    pub types: Option<Vec<String>>,
    /// None: anyone.
    pub speaks_for: Option<Vec<String>>,
    pub expires: Option<Timestamp>,
}

impl TokenInfo {
    /// Whoever holds it.
    #[must_use]
    pub fn principal(&self) -> Principal {
        let Self { actor, roles, sources, types, speaks_for, .. } = self.clone();
        Principal { actor, roles, sources, types, speaks_for }
    }
}

type ByHash = HashMap<String, (Arc<Principal>, Option<Timestamp>)>;

/// By what a changed file is told: its time of change, and its inode.
type Stamp = (i64, i64, u64);

/// The tokens of a ledger.
pub struct Tokens {
    path: PathBuf,
    by_hash: RwLock<ByHash>,
    /// When the file was last looked at, and what it looked like.
    seen: Mutex<(Instant, Option<Stamp>)>,
}

impl Tokens {
    /// The tokens of the ledger in `data_dir`.
    ///
    /// # Errors
    /// The file cannot be read or is malformed. A missing file has no tokens.
    pub fn load(data_dir: &Path) -> Result<Self, TokenError> {
        let path = data_dir.join(TOKENS_FILE);
        let stamp = stamp(&path);
        let by_hash = index(read(&path)?);
        Ok(Self { path, by_hash: RwLock::new(by_hash), seen: Mutex::new((Instant::now(), stamp)) })
    }

    /// Whose token this is.
    #[must_use]
    pub fn authenticate(&self, token: &str) -> Option<Arc<Principal>> {
        self.reload_if_changed();
        let hash = to_hex(&Sha256::digest(token));
        let by_hash = self.by_hash.read().unwrap_or_else(PoisonError::into_inner);
        let (principal, expires) = by_hash.get(&hash)?;
        let expired = expires.is_some_and(|expires| expires <= SystemClock.now());
        (!expired).then(|| principal.clone())
    }

    fn reload_if_changed(&self) {
        // Whoever does not get the lock goes on with what is there.
        let Ok(mut seen) = self.seen.try_lock() else { return };
        if seen.0.elapsed() < RELOAD_EVERY {
            return;
        }
        let now = stamp(&self.path);
        seen.0 = Instant::now();
        if now == seen.1 {
            return;
        }
        match read(&self.path) {
            Ok(file) => {
                *self.by_hash.write().unwrap_or_else(PoisonError::into_inner) = index(file);
                seen.1 = now;
            }
            Err(error) => {
                tracing::error!(%error, "the changed token file cannot be read; the old tokens stay")
            }
        }
    }

    /// Makes a token and keeps its hash. The token itself is returned and nowhere kept.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn create(data_dir: &Path, new: NewToken) -> Result<(String, TokenInfo), TokenError> {
        if !is_actor(&new.actor) || new.actor == crate::spec::entry::LEDGER_ACTOR {
            return Err(TokenError::Actor(new.actor));
        }
        let mut random = [0; 32];
        getrandom::fill(&mut random).map_err(|error| TokenError::Randomness(error.to_string()))?;
        let token = format!("{TOKEN_PREFIX}{}", to_hex(&random));
        let hash = to_hex(&Sha256::digest(&token));
        let info = TokenInfo {
            id: hash[..8].to_owned(),
            hash,
            actor: new.actor,
            roles: new.roles,
            sources: new.sources,
            types: new.types,
            speaks_for: new.speaks_for,
            created: SystemClock.now().to_string(),
            expires: new.expires,
        };
        let path = data_dir.join(TOKENS_FILE);
        let _lock = lock(data_dir)?;
        let mut file = read(&path)?;
        file.tokens.push(info.clone());
        write(&path, &file)?;
        Ok((token, info))
    }

    /// All tokens of a ledger.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn list(data_dir: &Path) -> Result<Vec<TokenInfo>, TokenError> {
        Ok(read(&data_dir.join(TOKENS_FILE))?.tokens)
    }

    /// Forgets a token, so that it opens nothing any more.
    ///
    /// # Errors
    /// See [`TokenError`].
    pub fn revoke(data_dir: &Path, id: &str) -> Result<(), TokenError> {
        let path = data_dir.join(TOKENS_FILE);
        let _lock = lock(data_dir)?;
        let mut file = read(&path)?;
        let before = file.tokens.len();
        file.tokens.retain(|token| token.id != id);
        if file.tokens.len() == before {
            return Err(TokenError::Unknown(id.to_owned()));
        }
        write(&path, &file)
    }
}

fn stamp(path: &Path) -> Option<Stamp> {
    let metadata = fs::metadata(path).ok()?;
    Some((metadata.mtime(), metadata.mtime_nsec(), metadata.ino()))
}

fn index(file: TokenFile) -> ByHash {
    let entry = |token: TokenInfo| {
        let principal = Arc::new(token.principal());
        (token.hash, (principal, token.expires))
    };
    file.tokens.into_iter().map(entry).collect()
}

fn read(path: &Path) -> Result<TokenFile, TokenError> {
    match fs::read(path) {
        Ok(bytes) => serde_json::from_slice(&bytes)
            .map_err(|error| TokenError::Malformed { path: path.to_owned(), error }),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(TokenFile::default()),
        Err(error) => Err(TokenError::Io { path: path.to_owned(), error }),
    }
}

/// Held while the file is read, changed and written: two who change it at once must not undo each other.
fn lock(data_dir: &Path) -> Result<fs::File, TokenError> {
    let path = data_dir.join("tokens.lock");
    let locked = (|| {
        let file = fs::OpenOptions::new().create(true).truncate(false).write(true).mode(0o600).open(&path)?;
        rustix::fs::flock(&file, rustix::fs::FlockOperation::LockExclusive)?;
        Ok(file)
    })();
    locked.map_err(|error| TokenError::Io { path, error })
}

/// Beside, synced, renamed: a running server sees the old file or the new one.
fn write(path: &Path, file: &TokenFile) -> Result<(), TokenError> {
    let beside = path.with_extension("new");
    let written = (|| {
        let text = serde_json::to_vec_pretty(file)?;
        let mut out =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&beside)?;
        out.write_all(&text)?;
        out.write_all(b"\n")?;
        out.sync_all()?;
        fs::rename(&beside, path)?;
        // A revocation must not come undone with the power.
        fs::File::open(path.parent().unwrap_or(Path::new(".")))?.sync_all()
    })();
    written.map_err(|error| TokenError::Io { path: path.to_owned(), error })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::time::MICROS_PER_SECOND;
    use std::os::unix::fs::PermissionsExt as _;

    fn new(actor: &str) -> NewToken {
        NewToken {
            actor: actor.into(),
            roles: vec![Role::Producer],
            sources: vec![],
            types: None,
            speaks_for: None,
            expires: None,
        }
    }

    #[test]
    fn a_token_opens_until_it_is_revoked_and_stands_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let (token, info) = Tokens::create(dir.path(), new("app:loans")).unwrap();
        let tokens = Tokens::load(dir.path()).unwrap();
        assert_eq!(tokens.authenticate(&token).unwrap().actor, "app:loans");
        assert_eq!(tokens.authenticate("daybook_00"), None);
        let path = dir.path().join(TOKENS_FILE);
        assert!(!fs::read_to_string(&path).unwrap().contains(&token));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        Tokens::revoke(dir.path(), &info.id).unwrap();
        assert_eq!(Tokens::load(dir.path()).unwrap().authenticate(&token), None);
    }

    #[test]
    fn an_expired_token_opens_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let mut past = new("app:loans");
        past.expires = Some(SystemClock.now().saturating_add(-MICROS_PER_SECOND));
        let (token, _) = Tokens::create(dir.path(), past).unwrap();
        assert_eq!(Tokens::load(dir.path()).unwrap().authenticate(&token), None);
    }

    #[test]
    fn a_token_file_of_version_0_1_is_read_to_the_microsecond_and_written_alike() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(TOKENS_FILE);
        let token = |expires: &str| {
            format!(
                r#"{{"tokens":[{{"id":"0","hash":"0","actor":"app:a","roles":["producer"],"created":"2026-01-01T00:00:00Z"{expires}}}]}}"#
            )
        };
        let expires = |text: &str| {
            fs::write(&path, token(text)).unwrap();
            read(&path).map(|file| file.tokens[0].expires.map(|time| time.to_string()))
        };
        assert_eq!(expires("").unwrap(), None);
        for text in ["2026-12-30T10:00:00.123456789Z", "2026-12-30T10:00:00.123456Z"] {
            let read_as = expires(&format!(r#","expires":"{text}""#)).unwrap();
            assert_eq!(read_as.as_deref(), Some("2026-12-30T10:00:00.123456Z"));
        }
        assert!(matches!(expires(r#","expires":"soon""#), Err(TokenError::Malformed { .. })));
        expires(r#","expires":"2026-12-30T10:00:00Z""#).unwrap();
        let file = read(&path).unwrap();
        assert!(file.tokens[0].principal().is_open());
        write(&path, &file).unwrap();
        assert_eq!(read(&path).unwrap().tokens, file.tokens);
        let text = fs::read_to_string(&path).unwrap();
        assert!(
            !text.contains("types") && !text.contains("speaks_for"),
            "written only where they are set: {text}"
        );
    }

    #[test]
    fn what_a_token_may_say_is_kept() {
        let dir = tempfile::tempdir().unwrap();
        let narrow =
            NewToken { types: Some(vec!["facts".into()]), speaks_for: Some(vec![]), ..new("app:loans") };
        let (token, _) = Tokens::create(dir.path(), narrow).unwrap();
        let principal = Tokens::load(dir.path()).unwrap().authenticate(&token).unwrap();
        assert!(!principal.is_open() && principal.may_post_type("decision.made", true));
        assert!(!principal.may_post_type("role.assigned", false) && !principal.speaks_for("user:a", true));
    }

    #[test]
    fn the_ledger_itself_has_no_token() {
        let dir = tempfile::tempdir().unwrap();
        for actor in ["ledger", "root", "app:", "app:a b"] {
            assert!(matches!(Tokens::create(dir.path(), new(actor)), Err(TokenError::Actor(_))), "{actor}");
        }
    }
}
