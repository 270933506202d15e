//! The ledger's signing keys: files in PKCS#8 (RFC 8410, `openssl pkey` reads them), mode 0600, encrypted with a
//! passphrase where one is given (PBES2 with scrypt and AES-256-CBC).

use crate::log::disk::{RealDisk, create_dir_durably};
use crate::spec::encoding::to_hex;
use crate::spec::note::{KeyError, Signer, VerifierKey};
use aws_lc_rs::signature::{Ed25519KeyPair, KeyPair as _};
use ed25519_dalek::SigningKey;
use pkcs8::{DecodePrivateKey as _, EncodePrivateKey as _, LineEnding};
use std::fs;
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};

/// Why a key is not to be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyFileError {
    #[error("cannot {action} the key file {path}: {error}")]
    Io { action: &'static str, path: PathBuf, error: io::Error },
    #[error("the key file {0} is encrypted: give the passphrase in DAYBOOK_KEY_PASSPHRASE")]
    PassphraseNeeded(PathBuf),
    #[error("the key file {0} cannot be opened: the passphrase is wrong, or it is no PKCS#8 Ed25519 key")]
    Unreadable(PathBuf),
    #[error("the key file {0} holds another key than its name says")]
    WrongKey(PathBuf),
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error("no randomness from the operating system: {0}")]
    Randomness(String),
}

/// A key that signs for the ledger.
///
/// Signing is the largest single cost of an append. AWS-LC takes about half the time that the verifier's curve library
/// does for the same bytes (12.7 µs against 23.8 µs for an entry of 900 bytes, measured side by side); Ed25519 is
/// deterministic, so nobody can tell which one signed.
pub struct LedgerKey {
    pair: Ed25519KeyPair,
    verifier: VerifierKey,
}

impl LedgerKey {
    fn from_signing_key(origin: &str, key: &SigningKey) -> Result<Self, KeyFileError> {
        let verifier = VerifierKey::new(origin, key.verifying_key().as_bytes())?;
        let pair = Ed25519KeyPair::from_seed_and_public_key(key.as_bytes(), verifier.public_key())
            .map_err(|_| KeyFileError::Key(KeyError::WeakKey))?;
        debug_assert_eq!(pair.public_key().as_ref(), verifier.public_key());
        Ok(Self { pair, verifier })
    }

    /// A key from its 32-byte seed: for tests, which own randomness.
    ///
    /// # Errors
    /// A bad origin.
    pub fn from_seed(origin: &str, seed: &[u8; 32]) -> Result<Self, KeyFileError> {
        Self::from_signing_key(origin, &SigningKey::from_bytes(seed))
    }
}

impl Signer for LedgerKey {
    fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        let mut signature = [0; 64];
        signature.copy_from_slice(self.pair.sign(text).as_ref());
        signature
    }
}

/// The file of a key in its folder.
#[must_use]
pub fn key_path(folder: &Path, key: &VerifierKey) -> PathBuf {
    folder.join(format!("{}.pem", to_hex(&key.id())))
}

/// Makes a new key file in `folder` from the operating system's randomness.
///
/// # Errors
/// See [`KeyFileError`]; an existing file is never overwritten.
pub fn generate(
    folder: &Path,
    origin: &str,
    passphrase: Option<&str>,
) -> Result<(LedgerKey, PathBuf), KeyFileError> {
    let mut seed = [0; 32];
    getrandom::fill(&mut seed).map_err(|error| KeyFileError::Randomness(error.to_string()))?;
    let signing = SigningKey::from_bytes(&seed);
    let key = LedgerKey::from_signing_key(origin, &signing)?;
    let path = key_path(folder, key.verifier());
    let io_error =
        |action| move |path: &Path, error| KeyFileError::Io { action, path: path.to_owned(), error };
    create_dir_durably(&RealDisk, folder).map_err(|error| io_error("create the folder of")(folder, error))?;
    let unwritable = |_| KeyFileError::Unreadable(path.clone());
    let pem = match passphrase {
        Some(passphrase) => signing.to_pkcs8_encrypted_pem(passphrase, LineEnding::LF).map_err(unwritable)?,
        None => signing.to_pkcs8_pem(LineEnding::LF).map_err(unwritable)?,
    };
    let written =
        fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).and_then(|mut file| {
            file.write_all(pem.as_bytes())?;
            file.sync_all()?;
            fs::File::open(folder)?.sync_all()
        });
    written.map_err(|error| io_error("write")(&path, error))?;
    Ok((key, path))
}

/// Reads a key file.
///
/// # Errors
/// See [`KeyFileError`].
pub fn read(path: &Path, origin: &str, passphrase: Option<&str>) -> Result<LedgerKey, KeyFileError> {
    let pem = fs::read_to_string(path).map_err(|error| KeyFileError::Io {
        action: "read",
        path: path.to_owned(),
        error,
    })?;
    let unreadable = |_| KeyFileError::Unreadable(path.to_owned());
    let signing = if pem.contains("ENCRYPTED PRIVATE KEY") {
        let passphrase = passphrase.ok_or_else(|| KeyFileError::PassphraseNeeded(path.to_owned()))?;
        SigningKey::from_pkcs8_encrypted_pem(&pem, passphrase).map_err(unreadable)?
    } else {
        SigningKey::from_pkcs8_pem(&pem).map_err(unreadable)?
    };
    LedgerKey::from_signing_key(origin, &signing)
}

/// The key file of a given verifier key.
///
/// # Errors
/// See [`KeyFileError`].
pub fn find(folder: &Path, key: &VerifierKey, passphrase: Option<&str>) -> Result<LedgerKey, KeyFileError> {
    let path = key_path(folder, key);
    let found = read(&path, key.name(), passphrase)?;
    if found.verifier() == key { Ok(found) } else { Err(KeyFileError::WrongKey(path)) }
}

/// Stands in for a key whose file is lost, until the key that was committed to takes its place. It signs nothing.
pub struct LostKey(pub VerifierKey);

impl Signer for LostKey {
    fn verifier(&self) -> &VerifierKey {
        &self.0
    }

    /// Sixty-four zeros, which no verifier takes for a signature.
    fn sign(&self, _: &[u8]) -> [u8; 64] {
        [0; 64]
    }
}

/// The folder of a running ledger's keys, for rotations while it serves.
#[derive(Clone)]
pub struct KeyFolder {
    pub folder: PathBuf,
    pub origin: String,
    pub passphrase: Option<String>,
}

impl KeyFolder {
    /// Makes a new key in the folder.
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn generate(&self) -> Result<LedgerKey, KeyFileError> {
        generate(&self.folder, &self.origin, self.passphrase.as_deref()).map(|(key, _)| key)
    }

    /// The key in the folder whose file is named by this key ID (8 hex digits).
    ///
    /// # Errors
    /// See [`KeyFileError`].
    pub fn by_id(&self, id: &str) -> Result<LedgerKey, KeyFileError> {
        let path = self.folder.join(format!("{id}.pem"));
        // Only a plain ID names a file here; a path would reach outside the folder.
        if crate::spec::encoding::from_hex::<4>(id).is_none() {
            return Err(KeyFileError::WrongKey(path));
        }
        let key = read(&path, &self.origin, self.passphrase.as_deref())?;
        if to_hex(&key.verifier().id()) == id { Ok(key) } else { Err(KeyFileError::WrongKey(path)) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::note::SoftwareSigner;
    use std::os::unix::fs::PermissionsExt as _;

    #[test]
    fn both_libraries_make_the_same_signature() {
        let ours = LedgerKey::from_seed("log.example", &[9; 32]).unwrap();
        let theirs = SoftwareSigner::from_seed("log.example", &[9; 32]).unwrap();
        assert_eq!(ours.verifier(), theirs.verifier());
        assert_eq!(ours.sign(b"text\n"), theirs.sign(b"text\n"));
    }

    #[test]
    fn a_key_file_is_private_and_reads_back() {
        let dir = tempfile::tempdir().unwrap();
        for passphrase in [None, Some("correct horse")] {
            let (key, path) = generate(dir.path(), "log.example", passphrase).unwrap();
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
            let again = find(dir.path(), key.verifier(), passphrase).unwrap();
            assert_eq!(again.sign(b"x"), key.sign(b"x"));
            if passphrase.is_some() {
                assert!(matches!(read(&path, "log.example", None), Err(KeyFileError::PassphraseNeeded(_))));
                assert!(matches!(
                    read(&path, "log.example", Some("wrong")),
                    Err(KeyFileError::Unreadable(_))
                ));
            }
        }
    }
}
