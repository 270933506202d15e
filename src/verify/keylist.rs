//! The list of a ledger's keys, as `GET /v1/keys` answers it: from the first key to the last by rotations, each with
//! the receipt of its entry (FORMATS.md section 2, "Key rotation").
//!
//! A list is walked twice. First from key to key: each rotation entry must be signed by the key before (or announced
//! by its commitment). Then, all keys being known, each receipt must hold: its checkpoint may be signed by a later
//! key than the one it brings.

use crate::entries::malformed;
use crate::failure::{Code, Failure, Fault, Fork, Problem};
use crate::keys::{KeyRing, check_signatures};
use daybook_spec::checkpoint::Checkpoint;
use daybook_spec::entry::{Entry, KeyChange, LEDGER_ACTOR, TYPE_CREATED, TYPE_KEY_ROTATED};
use daybook_spec::json::Json;
use daybook_spec::merkle::{Hash, leaf_hash, verify_inclusion};
use daybook_spec::note::VerifierKey;
use daybook_spec::receipt::{MAX_RECEIPT_BYTES, Receipt};

/// Bytes that a list of keys may have.
///
/// Reason: a thousand rotations with their receipts; more than anyone keeps in one file.
pub const MAX_KEY_LIST_BYTES: usize = 16 << 20;

/// Nesting of the list; members that are not known may nest a little.
const MAX_DEPTH: usize = 8;

/// A ledger's keys, and the receipts that still have to hold.
#[derive(Debug)]
pub(crate) struct KeyList {
    pub ring: KeyRing,
    pub receipts: Vec<Receipt>,
}

impl KeyList {
    /// Walks a list from its first key to its last.
    pub(crate) fn walk(bytes: &[u8]) -> Result<Self, Problem> {
        if bytes.len() > MAX_KEY_LIST_BYTES {
            return Err(invalid("it is too long"));
        }
        let json =
            Json::parse(bytes, MAX_DEPTH).map_err(|error| invalid(&format!("it is not JSON: {error}")))?;
        let Some(Json::Array(items)) = json.get("keys") else {
            return Err(invalid("it has no list `keys`"));
        };
        let Some((first, later)) = items.split_first() else {
            return Err(invalid("it names no key"));
        };
        let first_key = vkey_of(first)?;
        if first.get("from").and_then(Json::as_u64) != Some(0) || is_given(first, "rotation") {
            return Err(invalid("its first key does not count from entry 0"));
        }
        let mut list = Self { ring: KeyRing::new(first_key, None), receipts: Vec::new() };
        if is_given(&json, "created") {
            list.commitment(&json, "created", 0)?;
        }
        for item in later {
            list.rotation(item)?;
        }
        list.check_receipts()?;
        Ok(list)
    }

    fn rotation(&mut self, item: &Json<'_>) -> Result<(), Problem> {
        let key = vkey_of(item)?;
        let before = self.ring.current_from();
        if is_given(item, "commitment") {
            // The entry that made the commitment is the one that brought the key before.
            self.commitment(item, "commitment", before.saturating_sub(1))?;
        }
        let receipt = receipt_of(item, "rotation")?;
        let seq = receipt.seq;
        let entry = entry_of(&receipt, self.ring.first().name())?;
        let from = item.get("from").and_then(Json::as_u64);
        if seq == 0 || seq < before || from != seq.checked_add(1) {
            return Err(invalid("its rotations are not in order"));
        }
        let change = change_of(&entry, TYPE_KEY_ROTATED).filter(|change| change.key == key);
        let change = change
            .ok_or_else(|| invalid("a rotation's entry does not bring the key that it is listed with"))?;
        self.ring
            .check_new(&change.key)
            .and_then(|()| check_signatures(&entry, self.ring.current(), Some(&change)))
            .and_then(|signed| self.ring.rotate(seq, &change, signed))
            .map_err(|fault| fault.at(seq))?;
        self.receipts.push(receipt);
        Ok(())
    }

    /// Takes what the entry `seq`, which brought the newest key, committed to.
    fn commitment(&mut self, holder: &Json<'_>, member: &str, seq: u64) -> Result<(), Problem> {
        let receipt = receipt_of(holder, member)?;
        let entry = entry_of(&receipt, self.ring.first().name())?;
        let kind = if seq == 0 { TYPE_CREATED } else { TYPE_KEY_ROTATED };
        let change =
            change_of(&entry, kind).filter(|change| receipt.seq == seq && change.key == *self.ring.current());
        let change = change
            .ok_or_else(|| invalid("a commitment's entry is not the one that brought the key before"))?;
        if seq == 0 {
            check_signatures(&entry, self.ring.current(), Some(&change)).map_err(|fault| fault.at(seq))?;
            self.ring.set_commitment(change.next);
            self.receipts.push(receipt);
        }
        // A rotation's commitment is known from its own receipt, which stands in the list.
        Ok(())
    }

    fn check_receipts(&self) -> Result<(), Problem> {
        let mut roots = Vec::with_capacity(self.receipts.len());
        for receipt in &self.receipts {
            let checkpoint = check_inclusion(receipt, &self.ring)?;
            roots.push((checkpoint.size, checkpoint.root, receipt.checkpoint.as_str()));
        }
        // Two signed checkpoints of one size with two roots are two histories.
        roots.sort_unstable();
        let forked = roots.windows(2).find_map(|pair| match pair {
            [a, b] if a.0 == b.0 && a.1 != b.1 => Some(Fork { seen: a.2.to_owned(), shown: b.2.to_owned() }),
            _ => None,
        });
        let Some(fork) = forked else { return Ok(()) };
        let message = "the list of keys holds two histories of one ledger".to_owned();
        Err(Problem::Failed(Failure { code: Code::Forked, seq: None, message, fork: Some(Box::new(fork)) }))
    }

    /// Whether a receipt of the list shows another root for this size.
    pub(crate) fn contradicts(&self, size: u64, root: &Hash) -> bool {
        self.checkpoints().any(|(checkpoint, _)| checkpoint.size == size && checkpoint.root != *root)
    }

    /// The checkpoint of this size, as it was signed.
    pub(crate) fn note_at(&self, size: u64) -> Option<&str> {
        self.checkpoints().find(|(checkpoint, _)| checkpoint.size == size).map(|(_, note)| note)
    }

    fn checkpoints(&self) -> impl Iterator<Item = (Checkpoint, &str)> {
        self.receipts.iter().filter_map(|receipt| {
            let (checkpoint, _) = Checkpoint::parse(receipt.checkpoint.as_bytes()).ok()?;
            Some((checkpoint, receipt.checkpoint.as_str()))
        })
    }
}

/// Checks that a receipt's entry is in the tree of its checkpoint, and the checkpoint's signatures.
pub(crate) fn check_inclusion(receipt: &Receipt, ring: &KeyRing) -> Result<Checkpoint, Problem> {
    let checkpoint = ring.open_checkpoint(receipt.checkpoint.as_bytes(), ring.first().name())?;
    verify_inclusion(
        &leaf_hash(&receipt.entry),
        receipt.seq,
        checkpoint.size,
        &receipt.proof,
        &checkpoint.root,
    )
    .map_err(|error| {
        let text = format!("the receipt does not show that its entry is in the ledger: {error}");
        Fault::new(Code::ProofInvalid, text).at(receipt.seq)
    })?;
    Ok(checkpoint)
}

/// A receipt's entry, of this ledger and at the receipt's index.
pub(crate) fn entry_of<'r>(receipt: &'r Receipt, origin: &str) -> Result<Entry<'r>, Problem> {
    let entry = Entry::parse(&receipt.entry).map_err(|error| malformed(&error).at(receipt.seq))?;
    if entry.ledger != origin {
        let text = format!("the entry is of another ledger, {:?} and not {origin:?}", entry.ledger);
        return Err(Fault::new(Code::WrongLedger, text).at(receipt.seq));
    }
    if entry.seq != receipt.seq {
        let text = format!(
            "the receipt is for entry {}, but the entry in it bears the number {}",
            receipt.seq, entry.seq
        );
        return Err(Fault::new(Code::IndexMismatch, text).at(receipt.seq));
    }
    Ok(entry)
}

fn change_of(entry: &Entry<'_>, kind: &str) -> Option<KeyChange> {
    let own = entry.event_type() == kind && entry.actor == LEDGER_ACTOR;
    entry.key_change().ok().flatten().filter(|_| own)
}

fn is_given(json: &Json<'_>, member: &str) -> bool {
    !matches!(json.get(member), None | Some(Json::Null))
}

fn vkey_of(item: &Json<'_>) -> Result<VerifierKey, Problem> {
    let vkey = item.get("vkey").and_then(Json::as_str).ok_or_else(|| invalid("a key has no `vkey`"))?;
    VerifierKey::parse(vkey).map_err(|error| invalid(&error.to_string()))
}

/// The receipt in `{"seq": …, "receipt": "…"}`.
fn receipt_of(item: &Json<'_>, member: &str) -> Result<Receipt, Problem> {
    let given =
        item.get(member).ok_or_else(|| invalid(&format!("a key after the first has no `{member}`")))?;
    let text = given.get("receipt").and_then(Json::as_str).unwrap_or_default();
    if text.len() > MAX_RECEIPT_BYTES {
        return Err(invalid("a receipt in it is too long"));
    }
    let receipt = Receipt::parse(text.as_bytes()).map_err(|error| invalid(&error.to_string()))?;
    if given.get("seq").and_then(Json::as_u64) == Some(receipt.seq) {
        Ok(receipt)
    } else {
        Err(invalid("a receipt in it is for another entry than it says"))
    }
}

fn invalid(why: &str) -> Problem {
    Problem::failed(Code::KeysInvalid, format!("the list of keys does not hold together: {why}"))
}
