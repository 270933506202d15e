//! Receipts (FORMATS.md section 6): one entry, its inclusion proof and a checkpoint, as a C2SP tlog-proof text or JSON.

use crate::canonical;
use crate::encoding::{from_base64, from_decimal, hash_from_base64, to_base64};
use crate::json::Json;
use crate::merkle::{Hash, MAX_PROOF_HASHES};
use std::fmt;

/// First line of a receipt in text form.
pub const PROOF_HEADER: &str = "c2sp.org/tlog-proof@v1";

/// Bytes that a receipt may have, in either form: an entry in base64 or escaped JSON, a proof, a checkpoint.
pub const MAX_RECEIPT_BYTES: usize = 1024 * 1024;

/// A receipt taken apart; nothing is verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Receipt {
    /// The entry's number, and the leaf's place in the tree.
    pub seq: u64,
    /// The entry, whole, with its signatures.
    pub entry: Vec<u8>,
    /// RFC 6962 inclusion path, the leaf's sibling first.
    pub proof: Vec<Hash>,
    /// The signed checkpoint of the tree that `proof` leads to.
    pub checkpoint: String,
}

/// Bytes that are no receipt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct NotAReceipt(pub &'static str);

impl fmt::Display for NotAReceipt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not a receipt: {}", self.0)
    }
}

impl std::error::Error for NotAReceipt {}

impl Receipt {
    /// The text form, C2SP tlog-proof with the entry in its `extra` line.
    #[must_use]
    pub fn to_text(&self) -> String {
        let mut text = format!("{PROOF_HEADER}\nextra {}\nindex {}\n", to_base64(&self.entry), self.seq);
        for hash in &self.proof {
            text.push_str(&to_base64(hash));
            text.push('\n');
        }
        text.push('\n');
        text.push_str(&self.checkpoint);
        text
    }

    /// The JSON form. The entry is UTF-8, as every note is.
    #[must_use]
    pub fn to_json(&self) -> String {
        canonical::to_string(&Json::object([
            ("checkpoint", Json::string(&*self.checkpoint)),
            ("entry", Json::string(String::from_utf8_lossy(&self.entry))),
            ("proof", Json::Array(self.proof.iter().map(|hash| Json::string(to_base64(hash))).collect())),
            ("seq", Json::Number(self.seq as f64)),
        ]))
    }

    /// Reads either form.
    ///
    /// # Errors
    /// Says what is not of the form.
    pub fn parse(bytes: &[u8]) -> Result<Self, NotAReceipt> {
        if bytes.len() > MAX_RECEIPT_BYTES {
            return Err(NotAReceipt("too long"));
        }
        if bytes.trim_ascii_start().first() == Some(&b'{') {
            Self::parse_json(bytes)
        } else {
            Self::parse_text(bytes)
        }
    }

    fn parse_text(bytes: &[u8]) -> Result<Self, NotAReceipt> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotAReceipt("not UTF-8"))?;
        let (head, checkpoint) =
            text.split_once("\n\n").ok_or(NotAReceipt("no checkpoint after an empty line"))?;
        let mut lines = head.split('\n');
        if lines.next() != Some(PROOF_HEADER) {
            return Err(NotAReceipt("the first line is not c2sp.org/tlog-proof@v1"));
        }
        let entry = lines.next().and_then(|line| line.strip_prefix("extra ")).and_then(from_base64);
        let seq = lines.next().and_then(|line| line.strip_prefix("index ")).and_then(from_decimal);
        let proof = lines.map(hash_from_base64).collect::<Option<Vec<_>>>();
        Self::checked(seq, entry, proof, Some(checkpoint.to_owned()))
    }

    fn parse_json(bytes: &[u8]) -> Result<Self, NotAReceipt> {
        let json = Json::parse(bytes, 2).map_err(|_| NotAReceipt("not JSON"))?;
        if json.as_object().is_none_or(|members| members.len() != 4) {
            return Err(NotAReceipt("not an object of seq, entry, proof and checkpoint"));
        }
        let text = |name| json.get(name).and_then(Json::as_str);
        let proof = match json.get("proof") {
            Some(Json::Array(hashes)) => {
                hashes.iter().map(|hash| hash.as_str().and_then(hash_from_base64)).collect()
            }
            _ => None,
        };
        let seq = json.get("seq").and_then(Json::as_u64);
        Self::checked(
            seq,
            text("entry").map(|e| e.as_bytes().to_vec()),
            proof,
            text("checkpoint").map(str::to_owned),
        )
    }

    fn checked(
        seq: Option<u64>,
        entry: Option<Vec<u8>>,
        proof: Option<Vec<Hash>>,
        checkpoint: Option<String>,
    ) -> Result<Self, NotAReceipt> {
        let receipt = Receipt {
            seq: seq.ok_or(NotAReceipt("the index is not a plain number"))?,
            entry: entry.ok_or(NotAReceipt("the entry is missing or not canonical base64"))?,
            proof: proof.ok_or(NotAReceipt("the proof is not a list of hashes in canonical base64"))?,
            checkpoint: checkpoint.ok_or(NotAReceipt("the checkpoint is missing"))?,
        };
        if receipt.proof.len() > MAX_PROOF_HASHES {
            Err(NotAReceipt("the proof is too long"))
        } else {
            Ok(receipt)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// The example of C2SP tlog-proof, with its elided signatures and its `extra` line made whole base64.
    #[test]
    fn the_published_example_reads() {
        let text = "c2sp.org/tlog-proof@v1\nextra YWdlLXYxLjIuMS1kYXJ3aW4tYXJtNjQudGFyLmd6\nindex 73894\n\
            gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ=\nB95lDa8R83lS8n0eG+o0buTxRKQTYFi//1U8anccXmA=\n\n\
            example.com/fancylog\n109482\nsFodV/vSp5O8n9a8QpW6PRY97tfOSW5bsc2Xl/EQi08=\n\n— example.com/fancylog hI2DJw==\n";
        let receipt = Receipt::parse(text.as_bytes()).unwrap();
        assert_eq!((receipt.seq, receipt.proof.len()), (73_894, 2));
        assert_eq!(receipt.entry, b"age-v1.2.1-darwin-arm64.tar.gz");
        assert_eq!(receipt.to_text(), text);
    }

    #[test]
    fn other_texts_are_refused() {
        for text in [
            "",
            "{}",
            "[]",
            "c2sp.org/tlog-proof@v1\n",
            "c2sp.org/tlog-proof@v1\nindex 0\n\nx",
            "c2sp.org/tlog-proof@v2\nextra \nindex 0\n\nx",
        ] {
            assert!(Receipt::parse(text.as_bytes()).is_err(), "{text:?}");
        }
        let many = format!(
            "{PROOF_HEADER}\nextra \nindex 0\n{}\nx",
            format!("{}\n", to_base64(&[0; 32])).repeat(65)
        );
        assert_eq!(Receipt::parse(many.as_bytes()), Err(NotAReceipt("the proof is too long")));
    }

    proptest! {
        #[test]
        fn both_forms_read_back(seq in 0..1_u64 << 53, entry in "\\PC{0,40}\n", proof in prop::collection::vec(any::<Hash>(), 0..6), checkpoint in "[a-z]{1,9}\n\\PC{0,20}\n\n— x\n") {
            let receipt = Receipt { seq, entry: entry.into_bytes(), proof, checkpoint };
            prop_assert_eq!(Receipt::parse(receipt.to_text().as_bytes()), Ok(receipt.clone()));
            prop_assert_eq!(Receipt::parse(receipt.to_json().as_bytes()), Ok(receipt));
        }

        #[test]
        fn any_bytes_are_read_without_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = Receipt::parse(&bytes);
        }
    }
}
