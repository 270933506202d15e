//! Small ledgers for the tests of all packages, honest ones and others: keys, entries, trees and whole folders that are
//! made by the formats alone, and so know nothing of the ledger that writes them or of the verifier that reads them.
#![allow(
    clippy::indexing_slicing,
    clippy::unwrap_used,
    missing_docs,
    reason = "for tests alone: what cannot be made must fail the test, and most names say all"
)]

use daybook_spec::checkpoint::Checkpoint;
use daybook_spec::entry::{Draft, FIRST_PREV, key_commitment, text_hash};
use daybook_spec::export::Line;
use daybook_spec::layout::{CHECKPOINT_FILE, ENTRIES_FILE, HEAD_FILE, Head, LOG_DIR, segment_dir};
use daybook_spec::merkle::{Frontier, Hash, inclusion_proof, leaf_hash, root};
use daybook_spec::note::{Signer, SoftwareSigner, VerifierKey, sign};
use daybook_spec::receipt::Receipt;
use daybook_spec::tile::push_framed;
use daybook_spec::time::Timestamp;
use std::convert::Infallible;
use std::fs;
use std::path::Path;
use std::sync::Arc;

pub const ORIGIN: &str = "log.example/test";

/// A ledger in memory.
#[derive(Clone)]
pub struct Ledger {
    pub origin: String,
    /// The keys so far; the last is in force.
    pub keys: Vec<(Arc<SoftwareSigner>, u64)>,
    /// The seqs of rotations, in order, and whether by commitment alone.
    pub rotations: Vec<u64>,
    pub entries: Vec<Vec<u8>>,
    /// The hash of the last text, and the micros of the last time.
    pub chain: Hash,
    pub micros: i64,
}

pub fn signer(origin: &str, seed: u8) -> Arc<SoftwareSigner> {
    Arc::new(SoftwareSigner::from_seed(origin, &[seed; 32]).unwrap())
}

impl Ledger {
    /// A ledger of one entry, under the key of seed 1.
    pub fn new() -> Self {
        Self::create(ORIGIN, 1, None)
    }

    /// A ledger of `entries` entries.
    pub fn of(entries: usize) -> Self {
        let mut ledger = Self::new();
        ledger.grow(entries.saturating_sub(1));
        ledger
    }

    pub fn create(origin: &str, seed: u8, next: Option<u8>) -> Self {
        let key = signer(origin, seed);
        let mut ledger = Self {
            origin: origin.to_owned(),
            keys: vec![(Arc::clone(&key), 0)],
            rotations: Vec::new(),
            entries: Vec::new(),
            chain: FIRST_PREV,
            micros: 1_790_000_000_000_000,
        };
        let next = next.map_or(String::new(), |seed| commitment(origin, seed));
        let data = format!("{{\"format\":1,\"key\":\"{}\"{next},\"origin\":\"{origin}\"}}", key.verifier());
        ledger.record("ledger", &event("ledger.created", &data));
        ledger
    }

    pub fn key(&self) -> Arc<SoftwareSigner> {
        Arc::clone(&self.keys.last().unwrap().0)
    }

    pub fn first_key(&self) -> VerifierKey {
        self.keys[0].0.verifier().clone()
    }

    pub fn size(&self) -> u64 {
        self.entries.len() as u64
    }

    /// The text that the next entry would have.
    pub fn text(&self, actor: &str, event: &str) -> String {
        let time = Timestamp::from_micros(self.micros + 1_000).unwrap();
        Draft::new(actor, event, &self.origin).text(&self.chain, self.size(), time)
    }

    /// Appends a text, whatever it is, signed by whoever.
    pub fn push(&mut self, text: &str, signers: &[&dyn Signer]) {
        self.push_raw(sign(text, signers).into_bytes(), text);
    }

    /// Appends bytes; `text` is what the chain goes on from.
    pub fn push_raw(&mut self, entry: Vec<u8>, text: &str) {
        self.chain = text_hash(text.as_bytes());
        self.micros += 1_000;
        self.entries.push(entry);
    }

    pub fn record(&mut self, actor: &str, event: &str) {
        let text = self.text(actor, event);
        self.push(&text, &[&*self.key()]);
    }

    /// Appends an entry whose text was changed before it was signed.
    pub fn record_changed(&mut self, change: impl FnOnce(String) -> String) {
        let text = change(self.text("app:x", &ordinary(self.size())));
        self.push(&text, &[&*self.key()]);
    }

    pub fn grow(&mut self, entries: usize) {
        for _ in 0..entries {
            self.record("app:x", &ordinary(self.size()));
        }
    }

    /// The event of a rotation to the key of `seed`.
    pub fn rotation_event(&self, seed: u8, next: Option<u8>) -> String {
        let key = signer(&self.origin, seed);
        let next = next.map_or(String::new(), |seed| commitment(&self.origin, seed));
        event("ledger.key_rotated", &format!("{{\"key\":\"{}\"{next}}}", key.verifier()))
    }

    /// Rotates, signed by whoever.
    pub fn rotate_signed(&mut self, seed: u8, next: Option<u8>, signers: &[&dyn Signer]) {
        let text = self.text("ledger", &self.rotation_event(seed, next));
        self.push(&text, signers);
        self.rotations.push(self.size() - 1);
        self.keys.push((signer(&self.origin, seed), self.size()));
    }

    /// Rotates to the key of `seed`, as the format wants it.
    pub fn rotate(&mut self, seed: u8, next: Option<u8>) {
        let (old, new) = (self.key(), signer(&self.origin, seed));
        self.rotate_signed(seed, next, &[&*old, &*new]);
    }

    /// Rotates to the key of `seed` by its signature alone.
    pub fn rotate_alone(&mut self, seed: u8, next: Option<u8>) {
        let new = signer(&self.origin, seed);
        self.rotate_signed(seed, next, &[&*new]);
    }

    pub fn leaves(&self) -> Vec<Hash> {
        self.entries.iter().map(|entry| leaf_hash(entry)).collect()
    }

    pub fn root_at(&self, size: u64) -> Hash {
        let mut tree = Frontier::new();
        self.leaves().into_iter().take(size as usize).for_each(|leaf| tree.push(leaf));
        tree.root()
    }

    pub fn checkpoint(&self) -> String {
        self.checkpoint_at(self.size())
    }

    pub fn checkpoint_at(&self, size: u64) -> String {
        let key = &self.keys.iter().rev().find(|(_, from)| *from <= size).unwrap().0;
        self.checkpoint_by(size, &[&**key])
    }

    pub fn checkpoint_by(&self, size: u64, signers: &[&dyn Signer]) -> String {
        checkpoint(&self.origin, size, self.root_at(size), signers)
    }

    pub fn export(&self) -> Vec<u8> {
        self.export_with(&self.checkpoint())
    }

    pub fn export_with(&self, checkpoint: &str) -> Vec<u8> {
        let header = Line::Header { key: self.first_key(), origin: self.origin.clone() }.to_line();
        let mut lines = vec![header];
        for entry in &self.entries {
            lines.push(Line::Entry(String::from_utf8_lossy(entry).into_owned()).to_line());
        }
        lines.push(Line::Checkpoint(checkpoint.to_owned()).to_line());
        lines.concat().into_bytes()
    }

    pub fn receipt(&self, seq: u64) -> Receipt {
        self.receipt_at(seq, self.size())
    }

    pub fn receipt_at(&self, seq: u64, size: u64) -> Receipt {
        let leaves = self.leaves();
        let node = |level: u32, index: u64| -> Result<Hash, Infallible> {
            let part = &leaves[(index << level) as usize..((index + 1) << level) as usize];
            root(part.len() as u64, |l, i| {
                // Only leaves and halves are asked for below a complete node.
                let mut tree = Frontier::new();
                part[(i << l) as usize..((i + 1) << l) as usize].iter().for_each(|leaf| tree.push(*leaf));
                Ok(tree.root())
            })
        };
        let Ok(proof) = inclusion_proof(seq, size, node);
        let (entry, checkpoint) = (self.entries[seq as usize].clone(), self.checkpoint_at(size));
        Receipt { seq, entry, proof, checkpoint }
    }

    /// The JSON of `GET /v1/keys`.
    pub fn key_list(&self) -> String {
        let receipt = |seq: u64| {
            let mut text = String::new();
            daybook_spec::strings::write_string(&self.receipt(seq).to_text(), &mut text);
            format!("{{\"seq\":{seq},\"receipt\":{text}}}")
        };
        let mut items = vec![format!("{{\"vkey\":\"{}\",\"from\":0,\"rotation\":null}}", self.first_key())];
        for ((key, from), seq) in self.keys.iter().skip(1).zip(&self.rotations) {
            let rotation = receipt(*seq);
            items
                .push(format!("{{\"vkey\":\"{}\",\"from\":{from},\"rotation\":{rotation}}}", key.verifier()));
        }
        format!("{{\"created\":{},\"keys\":[{}]}}", receipt(0), items.join(","))
    }

    pub fn head(&self, segment_entries: u64) -> Head {
        let segment = (self.size() - 1) / segment_entries;
        let last = &self.entries[(segment * segment_entries) as usize..];
        let end = last.iter().map(|entry| entry.len() as u64 + 2).sum();
        Head { size: self.size(), segment, end, chain: self.chain, root: self.root_at(self.size()) }
    }

    /// Writes the data folder.
    pub fn write_folder(&self, folder: &Path, segment_entries: u64) {
        let log = folder.join(LOG_DIR);
        for (number, entries) in (0..).zip(self.entries.chunks(segment_entries as usize)) {
            let segment = log.join(segment_dir(number));
            fs::create_dir_all(&segment).unwrap();
            fs::write(segment.join(ENTRIES_FILE), framed(entries)).unwrap();
        }
        write_head(folder, &self.head(segment_entries));
        fs::write(log.join(CHECKPOINT_FILE), self.checkpoint()).unwrap();
    }
}

impl Default for Ledger {
    fn default() -> Self {
        Self::new()
    }
}

/// Writes a head into all four copies.
pub fn write_head(folder: &Path, head: &Head) {
    fs::write(folder.join(LOG_DIR).join(HEAD_FILE), head.to_slot().repeat(4)).unwrap();
}

pub fn framed(entries: &[Vec<u8>]) -> Vec<u8> {
    let mut bytes = Vec::new();
    entries.iter().for_each(|entry| push_framed(&mut bytes, entry));
    bytes
}

pub fn checkpoint(origin: &str, size: u64, root: Hash, signers: &[&dyn Signer]) -> String {
    sign(&Checkpoint { origin: origin.to_owned(), size, root }.text(), signers)
}

fn commitment(origin: &str, seed: u8) -> String {
    let hash = key_commitment(signer(origin, seed).verifier());
    format!(",\"next\":\"{}\"", daybook_spec::encoding::to_base64(&hash))
}

/// A CloudEvent in canonical JSON.
pub fn event(kind: &str, data: &str) -> String {
    format!("{{\"data\":{data},\"id\":\"1\",\"source\":\"/s\",\"specversion\":\"1.0\",\"type\":\"{kind}\"}}")
}

/// An ordinary event, a little different for each number.
pub fn ordinary(number: u64) -> String {
    event(
        "approval.granted",
        &format!("{{\"amount\":{number}.5,\"by\":\"user:é\",\"note\":\"line\\nbreak\"}}"),
    )
}
