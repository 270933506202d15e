//! Signed notes and verifier keys (C2SP signed-note).

use crate::encoding::{from_base64, from_hex, to_base64, to_hex};
use ed25519_dalek::{Signature, VerifyingKey};
use sha2::{Digest, Sha256};
use std::fmt;

/// Signature type identifier of Ed25519 (C2SP signed-note, "Signature types").
pub const ED25519: u8 = 0x01;

/// Signature lines that a note may have.
///
/// Reason: the specification asks for at least 16; more than 64 keys over one text is an attack on our time.
pub const MAX_SIGNATURES: usize = 64;

/// Why a note is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NoteError {
    /// Its bytes are not UTF-8.
    NotUtf8,
    /// A control character other than the newline.
    ControlCharacter,
    /// The last byte is not a newline, or there is no empty line before the signatures.
    NoSignatures,
    /// A signature line is not `— name base64`.
    BadSignatureLine,
    /// More than [`MAX_SIGNATURES`] lines.
    TooManySignatures,
    /// A signature by a known key does not verify.
    BadSignature,
    /// No signature is by a known key.
    NoKnownKey,
}

impl fmt::Display for NoteError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            NoteError::NotUtf8 => "the note is not UTF-8",
            NoteError::ControlCharacter => "the note holds a control character",
            NoteError::NoSignatures => "the note does not end in signature lines after an empty line",
            NoteError::BadSignatureLine => "a signature line is malformed",
            NoteError::TooManySignatures => "the note has too many signature lines",
            NoteError::BadSignature => "a signature by a known key does not verify",
            NoteError::NoKnownKey => "no signature is by a known key",
        })
    }
}

impl std::error::Error for NoteError {}

/// A note taken apart; nothing is verified yet.
#[derive(Clone, Debug)]
pub struct Note<'a> {
    /// What is signed, final newline included.
    pub text: &'a str,
    /// In the order of their lines; at least one.
    pub signatures: Vec<SignatureLine<'a>>,
}

/// One line `— <name> <base64(key ID || signature)>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignatureLine<'a> {
    /// The key's name. Whoever signs chooses it.
    pub name: &'a str,
    /// The key ID that the line gives ([`key_id`]).
    pub id: [u8; 4],
    /// The signature, 64 bytes if it is one of Ed25519; other kinds have other lengths.
    pub signature: Vec<u8>,
}

impl<'a> Note<'a> {
    /// Takes a note apart.
    ///
    /// # Errors
    /// Everything that the format forbids; see [`NoteError`].
    pub fn parse(bytes: &'a [u8]) -> Result<Self, NoteError> {
        let note = std::str::from_utf8(bytes).map_err(|_| NoteError::NotUtf8)?;
        // All bytes are looked at, without stopping early: that is done many at a time, and a good note has none.
        if note.bytes().fold(false, |found, b| found | (b < 0x20 && b != b'\n')) {
            return Err(NoteError::ControlCharacter);
        }
        let body = note.strip_suffix('\n').ok_or(NoteError::NoSignatures)?;
        let split = body.rfind("\n\n").ok_or(NoteError::NoSignatures)?;
        let (text, lines) = (&note[..=split], &body[split + 2..]);
        if lines.bytes().filter(|b| *b == b'\n').count() >= MAX_SIGNATURES {
            return Err(NoteError::TooManySignatures);
        }
        let signatures = lines.split('\n').map(SignatureLine::parse).collect::<Option<Vec<_>>>();
        Ok(Note { text, signatures: signatures.ok_or(NoteError::BadSignatureLine)? })
    }

    /// Verifies the signatures by known keys and returns which of `keys` signed, in the order of `keys`.
    ///
    /// # Errors
    /// A known key's signature that fails, or no known key at all.
    pub fn verify(&self, keys: &[VerifierKey]) -> Result<Vec<usize>, NoteError> {
        let mut signed_by = Vec::new();
        for (i, key) in keys.iter().enumerate() {
            let mut found = false;
            for line in self.signatures.iter().filter(|line| key.made(line)) {
                if !key.verify(self.text.as_bytes(), &line.signature) {
                    return Err(NoteError::BadSignature);
                }
                found = true;
            }
            if found {
                signed_by.push(i);
            }
        }
        if signed_by.is_empty() { Err(NoteError::NoKnownKey) } else { Ok(signed_by) }
    }
}

impl<'a> SignatureLine<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (name, encoded) = line.strip_prefix("— ")?.split_once(' ')?;
        let bytes = from_base64(encoded)?;
        let (id, signature) = bytes.split_first_chunk::<4>()?;
        (is_key_name(name) && !signature.is_empty()).then(|| SignatureLine {
            name,
            id: *id,
            signature: signature.to_vec(),
        })
    }
}

/// Appends one signature line to a note.
pub fn push_signature_line(note: &mut String, name: &str, id: [u8; 4], signature: &[u8]) {
    let mut bytes = Vec::with_capacity(4 + signature.len());
    bytes.extend_from_slice(&id);
    bytes.extend_from_slice(signature);
    note.push_str("— ");
    note.push_str(name);
    note.push(' ');
    note.push_str(&to_base64(&bytes));
    note.push('\n');
}

/// Whether a key may be named so: non-empty, no Unicode space, no `+`, and nothing that a note cannot hold.
#[must_use]
pub fn is_key_name(name: &str) -> bool {
    !name.is_empty() && !name.chars().any(|c| c.is_whitespace() || c == '+' || (c as u32) < 0x20)
}

/// `SHA-256(name || 0x0A || type || public key)[:4]`.
#[must_use]
pub fn key_id(name: &str, kind: u8, public_key: &[u8]) -> [u8; 4] {
    let hash: [u8; 32] = Sha256::new()
        .chain_update(name)
        .chain_update([b'\n', kind])
        .chain_update(public_key)
        .finalize()
        .into();
    let [a, b, c, d, ..] = hash;
    [a, b, c, d]
}

/// An Ed25519 key that signatures are checked with: `name+<8 hex of key ID>+<base64(type || public key)>`.
#[derive(Clone, PartialEq, Eq)]
pub struct VerifierKey {
    name: String,
    id: [u8; 4],
    key: VerifyingKey,
}

/// Why a text is no verifier key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyError {
    /// Not `name+hash+base64`, or the name is not one.
    Malformed,
    /// The key ID is not that of the name and key.
    WrongId,
    /// Another signature type than Ed25519 (0x01).
    UnknownType,
    /// Not a point of the curve, or one of small order, for which anyone can make signatures.
    WeakKey,
}

impl fmt::Display for KeyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            KeyError::Malformed => "not a verifier key: expected name+8 hex digits+base64",
            KeyError::WrongId => "the verifier key's ID does not belong to its name and key",
            KeyError::UnknownType => "the verifier key is not of type Ed25519 (0x01)",
            KeyError::WeakKey => "the verifier key is not a usable Ed25519 public key",
        })
    }
}

impl std::error::Error for KeyError {}

impl VerifierKey {
    /// A key from its name and 32 public bytes.
    ///
    /// # Errors
    /// A bad name; bytes that are no point or one of small order.
    pub fn new(name: &str, public_key: &[u8; 32]) -> Result<Self, KeyError> {
        if !is_key_name(name) {
            return Err(KeyError::Malformed);
        }
        let key = VerifyingKey::from_bytes(public_key).map_err(|_| KeyError::WeakKey)?;
        if key.is_weak() {
            return Err(KeyError::WeakKey);
        }
        Ok(Self { name: name.to_owned(), id: key_id(name, ED25519, public_key), key })
    }

    /// Reads the text form.
    ///
    /// # Errors
    /// See [`KeyError`].
    pub fn parse(vkey: &str) -> Result<Self, KeyError> {
        let (name, rest) = vkey.split_once('+').ok_or(KeyError::Malformed)?;
        let (id, encoded) = rest.split_once('+').ok_or(KeyError::Malformed)?;
        let id = from_hex::<4>(id).ok_or(KeyError::Malformed)?;
        let bytes = from_base64(encoded).ok_or(KeyError::Malformed)?;
        let (kind, public_key) = bytes.split_first().ok_or(KeyError::Malformed)?;
        if *kind != ED25519 {
            return Err(KeyError::UnknownType);
        }
        let key = Self::new(name, public_key.try_into().map_err(|_| KeyError::Malformed)?)?;
        if key.id == id { Ok(key) } else { Err(KeyError::WrongId) }
    }

    /// The key's name; for a ledger's key, its origin.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The short identifier in signature lines; not collision resistant.
    #[must_use]
    pub fn id(&self) -> [u8; 4] {
        self.id
    }

    /// The 32 public bytes (RFC 8032 §5.1.2).
    #[must_use]
    pub fn public_key(&self) -> &[u8; 32] {
        self.key.as_bytes()
    }

    /// Whether a line claims to be by this key.
    #[must_use]
    pub fn made(&self, line: &SignatureLine<'_>) -> bool {
        line.id == self.id && line.name == self.name
    }

    /// Strict single verification (FORMATS.md, "Which Ed25519 signatures count").
    #[must_use]
    pub fn verify(&self, text: &[u8], signature: &[u8]) -> bool {
        Signature::from_slice(signature)
            .is_ok_and(|signature| self.key.verify_strict(text, &signature).is_ok())
    }
}

impl fmt::Display for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut typed = vec![ED25519];
        typed.extend_from_slice(self.key.as_bytes());
        write!(f, "{}+{}+{}", self.name, to_hex(&self.id), to_base64(&typed))
    }
}

impl fmt::Debug for VerifierKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something that signs texts under a name: the ledger's key in production, a throw-away key in tests.
pub trait Signer: Send + Sync {
    /// The key that verifies what this signs.
    fn verifier(&self) -> &VerifierKey;
    /// The 64 bytes of an Ed25519 signature over `text`.
    fn sign(&self, text: &[u8]) -> [u8; 64];
}

/// Signs `text` (which ends in a newline) with each signer in turn and returns the whole note.
#[must_use]
pub fn sign(text: &str, signers: &[&dyn Signer]) -> String {
    debug_assert!(text.ends_with('\n'));
    let mut note = String::with_capacity(text.len() + signers.len() * 160 + 1);
    note.push_str(text);
    note.push('\n');
    for signer in signers {
        let key = signer.verifier();
        push_signature_line(&mut note, key.name(), key.id(), &signer.sign(text.as_bytes()));
    }
    note
}

/// A signer on the verifier's own curve library: for tests, and for tools without the server.
pub struct SoftwareSigner {
    key: ed25519_dalek::SigningKey,
    verifier: VerifierKey,
}

impl SoftwareSigner {
    /// The signer of a 32-byte seed (RFC 8032 §5.1.5).
    ///
    /// # Errors
    /// A bad name.
    pub fn from_seed(name: &str, seed: &[u8; 32]) -> Result<Self, KeyError> {
        let key = ed25519_dalek::SigningKey::from_bytes(seed);
        let verifier = VerifierKey::new(name, key.verifying_key().as_bytes())?;
        Ok(Self { key, verifier })
    }
}

impl Signer for SoftwareSigner {
    fn verifier(&self) -> &VerifierKey {
        &self.verifier
    }

    fn sign(&self, text: &[u8]) -> [u8; 64] {
        use ed25519_dalek::Signer as _;
        self.key.sign(text).to_bytes()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The example of the Go module `sumdb/note`, from which the C2SP text grew.
    const VKEY: &str = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW";
    const NOTE: &str = "If you think cryptography is the answer to your problem,\n\
        then you don't know what your problem is.\n\n\
        — PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";

    #[test]
    fn the_published_note_verifies() {
        let key = VerifierKey::parse(VKEY).unwrap();
        assert_eq!(key.to_string(), VKEY);
        assert_eq!(Note::parse(NOTE.as_bytes()).unwrap().verify(&[key]), Ok(vec![0]));
    }

    /// The example of C2SP signed-note; its text holds an empty line.
    #[test]
    fn the_c2sp_example_splits_at_the_last_empty_line() {
        let note = "Ognuno sta solo sul cuor della terra\ntrafitto da un raggio di sole:\n\ned è subito sera.\n\n\
            — quasimodo.example/salvatore NnugSzTjtVAewIS+Z/iJhUPeFDkO/5QQ2i5ddnGITLlC+EhfLW9oJKONrMouFSQU0xMcXxj99ihAQwaqP3ZekRwNtIc=\n";
        let note = Note::parse(note.as_bytes()).unwrap();
        assert!(note.text.ends_with("\n\ned è subito sera.\n"));
        assert_eq!(note.signatures[0].name, "quasimodo.example/salvatore");
        assert_eq!(note.signatures[0].id, [0x36, 0x7b, 0xa0, 0x4b]);
        assert_eq!(note.signatures[0].signature.len(), 64);
    }

    #[test]
    fn malformed_notes_are_refused() {
        let bad = |note: &str| Note::parse(note.as_bytes()).unwrap_err();
        assert_eq!(bad(&NOTE[..NOTE.len() - 1]), NoteError::NoSignatures);
        assert_eq!(bad(""), NoteError::NoSignatures);
        assert_eq!(bad("text\n"), NoteError::NoSignatures);
        assert_eq!(bad("text\n\n"), NoteError::NoSignatures);
        assert_eq!(bad(&NOTE.replace("problem is", "problem\tis")), NoteError::ControlCharacter);
        assert_eq!(bad(&NOTE.replace("— Peter", "- Peter")), NoteError::BadSignatureLine);
        assert_eq!(bad(&NOTE.replace("Neumann x", "Neu\u{2003}mann x")), NoteError::BadSignatureLine);
        assert_eq!(bad(&NOTE.replace("Neumann x", "Neu+mann x")), NoteError::BadSignatureLine);
        assert_eq!(bad(&NOTE.replace("JnAM=", "JnAN=")), NoteError::BadSignatureLine, "non-canonical base64");
        assert_eq!(bad(&format!("{NOTE}\n")), NoteError::BadSignatureLine);
        let line = NOTE.lines().last().unwrap();
        assert_eq!(bad(&format!("{NOTE}{}", format!("{line}\n").repeat(64))), NoteError::TooManySignatures);
        assert!(Note::parse(format!("{NOTE}{}", format!("{line}\n").repeat(15)).as_bytes()).is_ok());
    }

    #[test]
    fn a_failing_known_key_spoils_the_note_and_an_unknown_one_does_not() {
        let signer = SoftwareSigner::from_seed("a.example", &[7; 32]).unwrap();
        let stranger = SoftwareSigner::from_seed("b.example", &[8; 32]).unwrap();
        let keys = [signer.verifier().clone()];
        let both = sign("text\n", &[&stranger, &signer]);
        assert_eq!(Note::parse(both.as_bytes()).unwrap().verify(&keys), Ok(vec![0]));
        let changed = both.replacen("text", "test", 1);
        assert_eq!(Note::parse(changed.as_bytes()).unwrap().verify(&keys), Err(NoteError::BadSignature));
        let only_stranger = sign("text\n", &[&stranger]);
        assert_eq!(Note::parse(only_stranger.as_bytes()).unwrap().verify(&keys), Err(NoteError::NoKnownKey));
    }

    #[test]
    fn verifier_keys_have_one_spelling_and_no_weak_ones() {
        assert_eq!(VerifierKey::parse(&VKEY.replace("c74f20a3", "c74f20a4")), Err(KeyError::WrongId));
        assert_eq!(VerifierKey::parse(&VKEY.replace("c74f20a3", "C74F20A3")), Err(KeyError::Malformed));
        assert_eq!(VerifierKey::parse("a+b"), Err(KeyError::Malformed));
        let mut identity = [0; 32];
        identity[0] = 1;
        assert_eq!(VerifierKey::new("a", &identity), Err(KeyError::WeakKey));
        assert_eq!(VerifierKey::new("a", &[0; 32]), Err(KeyError::WeakKey));
    }
}
