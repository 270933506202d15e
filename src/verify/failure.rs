//! What a verification can end with other than "all holds": a finding, or not having been able to look.

use daybook_spec::canonical;
use daybook_spec::json::Json;
use std::fmt;

/// What is wrong, as a short text that stays the same from release to release, for machines and for search.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Code {
    /// An entry is not a signed note of one JSON line with the members of the format.
    EntryMalformed,
    /// An entry's JSON is not in canonical form (RFC 8785).
    NotCanonical,
    /// A member that the format does not know.
    UnknownMember,
    /// An entry, a checkpoint or a receipt of another ledger.
    WrongLedger,
    /// `seq` is not the entry's place.
    SeqGap,
    /// `prev` is not the hash of the entry before.
    ChainBroken,
    /// Recorded earlier than the entry before.
    TimeBackwards,
    /// A `ledger.` type by someone else, or another type by the ledger.
    LedgerTypeForged,
    /// Entry 0 is not `ledger.created`, or another entry is.
    CreatedMisplaced,
    /// Not exactly the signature lines that the entry must have.
    SignatureCount,
    /// Signatures in the wrong order on a key rotation.
    SignatureOrder,
    /// A signature that does not verify.
    SignatureInvalid,
    /// Signed by another key than the one in force.
    KeyNotInForce,
    /// A rotation to a key that the ledger has used before.
    KeyReused,
    /// A rotation without the old key's signature and without a commitment to the new one.
    RotationInvalid,
    /// More key rotations than any honest ledger has.
    TooManyKeys,
    /// The ledger's first key is not the one that the caller trusts.
    KeyNotTrusted,
    /// The list of keys given does not hold together.
    KeysInvalid,
    /// The tree over the entries has another root.
    RootMismatch,
    /// The folder's head says otherwise than its entries.
    HeadMismatch,
    /// The folder's head is damaged.
    HeadDamaged,
    /// An older segment is not exactly full.
    SegmentInvalid,
    /// A tile does not hold the hashes of the entries.
    TileMismatch,
    /// A bundle or tile is not of its form or length.
    BundleInvalid,
    /// A checkpoint is malformed, or not signed as it must be.
    CheckpointInvalid,
    /// Entries are missing at the end.
    Truncated,
    /// Something stands after the end.
    TrailingData,
    /// A line of an export is not of its form, or too long.
    LineInvalid,
    /// The export's first line names another key or ledger than its entries.
    HeaderMismatch,
    /// There is no entry at all.
    Empty,
    /// The file is not a receipt.
    ReceiptMalformed,
    /// The receipt's index is not its entry's `seq`.
    IndexMismatch,
    /// The inclusion proof does not lead to the checkpoint's root.
    ProofInvalid,
    /// Fewer entries than were seen before.
    Shrunk,
    /// Another history than was seen before.
    Forked,
}

impl Code {
    /// The stable text.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Code::EntryMalformed => "entry-malformed",
            Code::NotCanonical => "not-canonical",
            Code::UnknownMember => "unknown-member",
            Code::WrongLedger => "wrong-ledger",
            Code::SeqGap => "seq-gap",
            Code::ChainBroken => "chain-broken",
            Code::TimeBackwards => "time-backwards",
            Code::LedgerTypeForged => "ledger-type-forged",
            Code::CreatedMisplaced => "created-misplaced",
            Code::SignatureCount => "signature-count",
            Code::SignatureOrder => "signature-order",
            Code::SignatureInvalid => "signature-invalid",
            Code::KeyNotInForce => "key-not-in-force",
            Code::KeyReused => "key-reused",
            Code::RotationInvalid => "rotation-invalid",
            Code::TooManyKeys => "too-many-keys",
            Code::KeyNotTrusted => "key-not-trusted",
            Code::KeysInvalid => "keys-invalid",
            Code::RootMismatch => "root-mismatch",
            Code::HeadMismatch => "head-mismatch",
            Code::HeadDamaged => "head-damaged",
            Code::SegmentInvalid => "segment-invalid",
            Code::TileMismatch => "tile-mismatch",
            Code::BundleInvalid => "bundle-invalid",
            Code::CheckpointInvalid => "checkpoint-invalid",
            Code::Truncated => "truncated",
            Code::TrailingData => "trailing-data",
            Code::LineInvalid => "line-invalid",
            Code::HeaderMismatch => "header-mismatch",
            Code::Empty => "empty",
            Code::ReceiptMalformed => "receipt-malformed",
            Code::IndexMismatch => "index-mismatch",
            Code::ProofInvalid => "proof-invalid",
            Code::Shrunk => "shrunk",
            Code::Forked => "forked",
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What is wrong with one entry, before its place is attached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Fault {
    pub code: Code,
    pub message: String,
}

impl Fault {
    pub(crate) fn new(code: Code, message: impl Into<String>) -> Self {
        Self { code, message: clip(message.into()) }
    }

    pub(crate) fn at(self, seq: u64) -> Problem {
        Problem::Failed(Failure { code: self.code, seq: Some(seq), message: self.message, fork: None })
    }
}

/// Bytes that one message may have.
///
/// Reason: messages quote the source, which may be hostile; a member name can be as long as an entry.
const MAX_MESSAGE_BYTES: usize = 400;

fn clip(mut message: String) -> String {
    if message.len() > MAX_MESSAGE_BYTES {
        let end = (0..=MAX_MESSAGE_BYTES).rev().find(|at| message.is_char_boundary(*at)).unwrap_or(0);
        message.truncate(end);
        message.push('…');
    }
    message
}

/// A finding: what was checked does not hold.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What is wrong, for a program.
    pub code: Code,
    /// The first bad entry in log order, if it is an entry that is bad. It is the entry's *place*, whatever number
    /// it bears.
    pub seq: Option<u64>,
    /// For a person.
    pub message: String,
    /// Of a fork: the two signed checkpoints that contradict each other, where both are at hand.
    pub fork: Option<Box<Fork>>,
}

/// Two checkpoints that one ledger signed and that cannot both be true.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fork {
    /// The one that was seen before, elsewhere or earlier, as it was signed.
    pub seen: String,
    /// The one that is shown now, as it was signed.
    pub shown: String,
}

impl Failure {
    /// Canonical JSON, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        canonical::to_string(&Json::object([
            ("code", Json::string(self.code.as_str())),
            ("entry", self.seq.map_or(Json::Null, number)),
            ("message", Json::string(&*self.message)),
            ("outcome", Json::string("failed")),
        ]))
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let Some(seq) = self.seq {
            write!(f, "entry {seq}: ")?;
        }
        write!(f, "{} [{}]", self.message, self.code)
    }
}

/// Why a verification did not end well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Problem {
    /// Looked, and it does not hold.
    Failed(Failure),
    /// Could not look: a file is missing, a server does not answer, something needed was not given.
    CouldNotCheck(String),
}

impl Problem {
    pub(crate) fn failed(code: Code, message: impl Into<String>) -> Self {
        Problem::Failed(Failure { code, seq: None, message: clip(message.into()), fork: None })
    }

    pub(crate) fn could_not(message: impl Into<String>) -> Self {
        Problem::CouldNotCheck(clip(message.into()))
    }
}

/// A count as JSON. Beyond 2⁵³ a double would round it, so such numbers (which only a hostile source has) are texts.
pub(crate) fn number(n: u64) -> Json<'static> {
    if n < 1 << 53 { Json::Number(n as f64) } else { Json::string(n.to_string()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_message_is_cut_at_a_character() {
        let fault = Fault::new(Code::UnknownMember, "é".repeat(70_000));
        assert!(fault.message.len() <= MAX_MESSAGE_BYTES + '…'.len_utf8());
        assert!(fault.message.ends_with("é…"));
    }

    #[test]
    fn failures_are_one_line_of_json() {
        let failure =
            Failure { code: Code::ChainBroken, seq: Some(7), message: "a \"b\"\n".into(), fork: None };
        let json = r#"{"code":"chain-broken","entry":7,"message":"a \"b\"\n","outcome":"failed"}"#;
        assert_eq!(failure.to_json(), json);
    }
}
