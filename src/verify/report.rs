//! What a verification found that holds, for people and for machines.

use crate::failure::number;
use crate::keys::KeyInForce;
use crate::published::Published;
use daybook_spec::canonical;
use daybook_spec::checkpoint::Checkpoint;
use daybook_spec::encoding::to_base64;
use daybook_spec::json::Json;
use daybook_spec::time::Timestamp;
use std::fmt;

/// What was looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A data folder.
    Folder,
    /// An export.
    Export,
    /// A receipt, which shows one entry.
    Receipt,
    /// A running server.
    Server,
}

impl SourceKind {
    /// The text in the JSON report.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            SourceKind::Folder => "folder",
            SourceKind::Export => "export",
            SourceKind::Receipt => "receipt",
            SourceKind::Server => "server",
        }
    }
}

/// How what was found compares to what was remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Remembered {
    /// Nobody asked.
    NotAsked,
    /// Nothing was remembered before; now it is.
    First,
    /// The same entries as at the remembered size, and as many.
    Same,
    /// The remembered entries are all there, unchanged, and more.
    Grew {
        /// How many entries were remembered.
        from: u64,
    },
    /// A receipt's checkpoint is of another size than the remembered one: neither shows anything of the other.
    NotComparable {
        /// How many entries were remembered.
        remembered: u64,
    },
}

/// All that was checked holds; this is what it was.
#[derive(Clone, Debug)]
pub struct Report {
    /// What was looked at.
    pub source: SourceKind,
    /// Whether the entries' signatures were checked in batches, by the rules of ZIP 215, and not one by one strictly.
    pub batched: bool,
    /// The ledger's name, as its entries have it.
    pub origin: String,
    /// Entries checked: all of them, or the one of a receipt.
    pub entries: u64,
    /// The entry of a receipt.
    pub receipt_of: Option<u64>,
    /// When the first entry that was checked was recorded.
    pub first_time: Timestamp,
    /// When the last one was.
    pub last_time: Timestamp,
    /// The newest checkpoint, whose root is that of the entries.
    pub checkpoint: Checkpoint,
    /// The checkpoint as it was signed.
    pub checkpoint_note: String,
    /// The keys, and from which entry on each counts.
    pub keys: Vec<KeyInForce>,
    /// Whether the caller gave the key. If not, the source was only checked against itself.
    pub trusted: bool,
    /// How it compares to what was remembered.
    pub remembered: Remembered,
    /// How it compares to checkpoints that were published; none where nobody asked.
    pub published: Option<Published>,
    /// Entries that are recorded, but not yet covered by a checkpoint.
    pub uncovered: u64,
    /// Signatures of producers that are there. They are not checked: their keys are not in the ledger's formats.
    pub producer_signatures: u64,
    /// Entries with a sealed personal part.
    pub sealed: u64,
    /// What a person should know and what is no fault, in sentences.
    pub warnings: Vec<String>,
}

impl Report {
    /// Canonical JSON, on one line.
    #[must_use]
    pub fn to_json(&self) -> String {
        let key = |key: &KeyInForce| {
            Json::object([("from", number(key.from)), ("vkey", Json::string(key.key.to_string()))])
        };
        let remembered = match self.remembered {
            Remembered::NotAsked => Json::Null,
            Remembered::First => Json::object([("outcome", Json::string("first"))]),
            Remembered::Same => Json::object([("outcome", Json::string("same"))]),
            Remembered::Grew { from } => {
                Json::object([("from", number(from)), ("outcome", Json::string("grew"))])
            }
            Remembered::NotComparable { remembered } => {
                Json::object([("outcome", Json::string("not-comparable")), ("size", number(remembered))])
            }
        };
        let published = self.published.map_or(Json::Null, |published| {
            Json::object([
                ("checkpoints", number(published.checkpoints)),
                ("largest", number(published.largest)),
                ("not_comparable", number(published.not_comparable)),
            ])
        });
        let time = |time: Timestamp| Json::string(time.to_string());
        canonical::to_string(&Json::object([
            (
                "checkpoint",
                Json::object([
                    ("root", Json::string(to_base64(&self.checkpoint.root))),
                    ("size", number(self.checkpoint.size)),
                ]),
            ),
            ("entries", number(self.entries)),
            ("first_time", time(self.first_time)),
            ("keys", Json::Array(self.keys.iter().map(key).collect())),
            ("last_time", time(self.last_time)),
            ("origin", Json::string(&*self.origin)),
            ("outcome", Json::string("verified")),
            ("producer_signatures_not_checked", number(self.producer_signatures)),
            ("published", published),
            ("receipt_of", self.receipt_of.map_or(Json::Null, number)),
            ("remembered", remembered),
            ("sealed", number(self.sealed)),
            ("signatures", Json::string(if self.batched { "batched-zip215" } else { "strict" })),
            ("source", Json::string(self.source.as_str())),
            ("trusted", Json::Bool(self.trusted)),
            ("uncovered", number(self.uncovered)),
            ("warnings", Json::Array(self.warnings.iter().map(|text| Json::string(&**text)).collect())),
        ]))
    }
}

/// What the faster mode gives up.
const BATCHED: &str = "  the signatures were checked in batches, by the rules of ZIP 215. Nobody without the ledger's key can make one that\n\
  \u{20}   passes; but whoever has it could make some that pass here and that stricter programs refuse. Without --batch\n\
  \u{20}   each is checked by the strictest rules, which every program accepts\n";

/// Keys that the text names one by one.
const KEYS_SHOWN: usize = 8;

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let origin = &self.origin;
        match self.receipt_of {
            Some(seq) => {
                writeln!(f, "Verified: entry {seq} of {origin}")?;
                writeln!(f, "  recorded {}; its form and its signature hold", self.first_time)?;
                writeln!(
                    f,
                    "  it stands in the ledger of {} entries that the checkpoint covers",
                    self.checkpoint.size
                )?;
            }
            None => {
                writeln!(f, "Verified: {origin}")?;
                writeln!(
                    f,
                    "  {} entries, recorded {} to {}",
                    self.entries, self.first_time, self.last_time
                )?;
                writeln!(
                    f,
                    "  of each: its form, number, time, hash chain, and its signature by the key in force"
                )?;
                if self.batched {
                    f.write_str(BATCHED)?;
                }
                writeln!(
                    f,
                    "  checkpoint over {} entries: the tree's root and the signature hold",
                    self.checkpoint.size
                )?;
            }
        }
        writeln!(f, "  root {}", to_base64(&self.checkpoint.root))?;
        if self.uncovered > 0 {
            writeln!(f, "  {} entries are recorded but not yet covered by a checkpoint", self.uncovered)?;
        }
        for key in self.keys.iter().take(KEYS_SHOWN) {
            writeln!(f, "  key from entry {}: {}", key.from, key.key)?;
        }
        if self.keys.len() > KEYS_SHOWN {
            writeln!(f, "  and {} more keys (--json names them all)", self.keys.len() - KEYS_SHOWN)?;
        }
        if self.producer_signatures > 0 {
            writeln!(
                f,
                "  {} signatures of producers are there and were not checked",
                self.producer_signatures
            )?;
        }
        match self.remembered {
            Remembered::NotAsked => {}
            Remembered::First => writeln!(f, "  nothing was remembered before; this checkpoint now is")?,
            Remembered::Same => writeln!(f, "  the same as was remembered")?,
            Remembered::Grew { from } => {
                writeln!(f, "  it only grew: the {from} entries remembered are all there, unchanged")?;
            }
            Remembered::NotComparable { remembered } => writeln!(
                f,
                "  cannot be compared with what was remembered, a checkpoint of {remembered} entries"
            )?,
        }
        if let Some(published) = &self.published {
            writeln!(f, "  {published}")?;
        }
        for warning in &self.warnings {
            writeln!(f, "  note: {warning}")?;
        }
        if self.trusted {
            writeln!(f, "  the first key is the one you gave")
        } else {
            writeln!(
                f,
                "  NOTE: no key was given, so this was only checked against itself. Whoever made it may have made up \
                 all of it.\n  Get the ledger's first key from somewhere you trust and give it with --key."
            )
        }
    }
}
