//! Checkpoints (C2SP tlog-checkpoint): the size and root of the log, signed.

use crate::encoding::{from_decimal, hash_from_base64, to_base64};
use crate::merkle::Hash;
use crate::note::{Note, NoteError, VerifierKey};
use std::fmt;

/// Bytes that a checkpoint may have: an origin, two short lines, and room for many cosignatures.
pub const MAX_CHECKPOINT_BYTES: usize = 64 * 1024;

/// What a checkpoint says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// Which log.
    pub origin: String,
    /// How many entries.
    pub size: u64,
    /// RFC 6962 root over them.
    pub root: Hash,
}

/// Why a checkpoint is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CheckpointError {
    /// It is no signed note, or a signature does not hold.
    Note(NoteError),
    /// Not three lines: origin, size, root. Extension lines are not part of the ledger's format.
    Malformed,
    /// More bytes than [`MAX_CHECKPOINT_BYTES`].
    TooLong,
}

impl fmt::Display for CheckpointError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CheckpointError::Note(error) => error.fmt(f),
            CheckpointError::Malformed => f.write_str("the text is not origin, size and root on three lines"),
            CheckpointError::TooLong => f.write_str("longer than any checkpoint"),
        }
    }
}

impl std::error::Error for CheckpointError {}

impl From<NoteError> for CheckpointError {
    fn from(error: NoteError) -> Self {
        CheckpointError::Note(error)
    }
}

impl Checkpoint {
    /// The text to sign.
    #[must_use]
    pub fn text(&self) -> String {
        format!("{}\n{}\n{}\n", self.origin, self.size, to_base64(&self.root))
    }

    /// Reads a checkpoint without believing it.
    ///
    /// # Errors
    /// Everything that the format forbids.
    pub fn parse(bytes: &[u8]) -> Result<(Self, Note<'_>), CheckpointError> {
        if bytes.len() > MAX_CHECKPOINT_BYTES {
            return Err(CheckpointError::TooLong);
        }
        let note = Note::parse(bytes)?;
        let mut lines = note.text.strip_suffix('\n').unwrap_or(note.text).split('\n');
        let checkpoint = (|| {
            let (origin, size, root) = (lines.next()?, lines.next()?, lines.next()?);
            if lines.next().is_some() || !is_origin(origin) {
                return None;
            }
            Some(Checkpoint {
                origin: origin.to_owned(),
                size: from_decimal(size)?,
                root: hash_from_base64(root)?,
            })
        })();
        Ok((checkpoint.ok_or(CheckpointError::Malformed)?, note))
    }

    /// Reads a checkpoint that must be signed by one of `keys`, and says by which.
    ///
    /// # Errors
    /// Bad format, no signature by a known key, or a failing one.
    pub fn open(bytes: &[u8], keys: &[VerifierKey]) -> Result<(Self, Vec<usize>), CheckpointError> {
        let (checkpoint, note) = Self::parse(bytes)?;
        let signed_by = note.verify(keys)?;
        Ok((checkpoint, signed_by))
    }
}

/// Bytes that an origin may have.
pub const MAX_ORIGIN_BYTES: usize = 255;

/// Whether a text may name a ledger: a schema-less URL without spaces, `+` and control characters, that does not
/// begin with `{` (so that no checkpoint text is ever an entry text), at most 255 bytes.
#[must_use]
pub fn is_origin(text: &str) -> bool {
    (1..=MAX_ORIGIN_BYTES).contains(&text.len())
        && !text.starts_with('{')
        && !text.chars().any(|c| c.is_whitespace() || c.is_control() || c == '+')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::note::{Signer as _, SoftwareSigner, sign};

    /// The example of C2SP tlog-checkpoint. Its key is not published, so only its form can be checked.
    #[test]
    fn the_published_example_reads_and_writes_back() {
        let text = "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n";
        let note = format!(
            "{text}\n— example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
        );
        let (checkpoint, parsed) = Checkpoint::parse(note.as_bytes()).unwrap();
        assert_eq!(checkpoint.size, 20_852_163);
        assert_eq!(checkpoint.text(), text);
        assert_eq!(parsed.signatures[0].signature.len(), 64);
    }

    #[test]
    fn only_the_three_lines_are_a_checkpoint() {
        let signer = SoftwareSigner::from_seed("log.example", &[1; 32]).unwrap();
        let root = to_base64(&[0; 32]);
        let keys = [signer.verifier().clone()];
        let open =
            |text: &str| Checkpoint::open(sign(text, &[&signer]).as_bytes(), &keys).map(|(c, _)| c.size);
        assert_eq!(open(&format!("log.example\n7\n{root}\n")), Ok(7));
        for text in [
            format!("log.example\n07\n{root}\n"),
            format!("log.example\n-7\n{root}\n"),
            format!("log.example\n18446744073709551616\n{root}\n"),
            format!("log.example\n7\n{root}\nextension\n"),
            format!("log.example\n7\n{}\n", &root[..40]),
            format!("log example\n7\n{root}\n"),
            format!("\n7\n{root}\n"),
            "log.example\n7\n".to_owned(),
            "{\"actor\":\"ledger\"}\n".to_owned(),
        ] {
            assert_eq!(open(&text), Err(CheckpointError::Malformed), "{text}");
        }
    }
}
