//! Which key is in force where, and whether an entry or a checkpoint bears the signatures that it must
//! (FORMATS.md section 2, "Key rotation", and section 4).

use crate::failure::{Code, Fault, Problem};
use crate::signatures::{HoldOne, hold_strictly};
use daybook_spec::checkpoint::Checkpoint;
use daybook_spec::entry::{Entry, KeyChange, LEDGER_ACTOR, TYPE_CREATED, TYPE_KEY_ROTATED, key_commitment};
use daybook_spec::merkle::Hash;
use daybook_spec::note::VerifierKey;
use std::collections::HashSet;

/// Keys that a ledger may have had.
///
/// Reason: the keys are all that a verification remembers of each entry, so they must be bounded; one rotation a
/// day for 179 years is within the bound.
pub const MAX_KEYS: usize = 65_536;

/// A key and the first entry that it alone signs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyInForce {
    /// The key.
    pub key: VerifierKey,
    /// Entries from here on, and checkpoints of this size and above, are signed by it.
    pub from: u64,
}

/// How a change of keys was signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Signed {
    /// By the key in force, as every entry but a rotation; or by the old key and the new one.
    AsUsual,
    /// By the new key alone, which a commitment must have announced.
    ByNewAlone,
}

/// The keys of one ledger, in the order in which they came into force. There is always a first.
#[derive(Clone, Debug)]
pub(crate) struct KeyRing {
    first: KeyInForce,
    later: Vec<KeyInForce>,
    used: HashSet<[u8; 32]>,
    /// The commitment made when the key in force came into force. A later change without one makes none: whoever
    /// holds the key now decides who may succeed it.
    next: Option<Hash>,
}

impl KeyRing {
    /// The ring of a first key.
    pub(crate) fn new(key: VerifierKey, next: Option<Hash>) -> Self {
        let used = HashSet::from([*key.public_key()]);
        Self { first: KeyInForce { key, from: 0 }, later: Vec::new(), used, next }
    }

    pub(crate) fn first(&self) -> &VerifierKey {
        &self.first.key
    }

    /// The newest key.
    pub(crate) fn current(&self) -> &VerifierKey {
        &self.later.last().unwrap_or(&self.first).key
    }

    /// From where on the newest key counts.
    pub(crate) fn current_from(&self) -> u64 {
        self.later.last().unwrap_or(&self.first).from
    }

    pub(crate) fn all(&self) -> impl Iterator<Item = &KeyInForce> {
        std::iter::once(&self.first).chain(&self.later)
    }

    /// The key that signs the entry `seq`, and checkpoints of that size.
    pub(crate) fn at(&self, seq: u64) -> &VerifierKey {
        &self.later.iter().rev().find(|key| key.from <= seq).unwrap_or(&self.first).key
    }

    /// What the newest key's entry committed to, where it is known from elsewhere than [`KeyRing::rotate`].
    pub(crate) fn set_commitment(&mut self, next: Option<Hash>) {
        self.next = next;
    }

    /// Whether the key of a rotation may come into force at all.
    pub(crate) fn check_new(&self, key: &VerifierKey) -> Result<(), Fault> {
        if self.used.contains(key.public_key()) {
            return Err(Fault::new(
                Code::KeyReused,
                "the ledger changes to a key that it has used before; a key that was given up must stay given up",
            ));
        }
        if self.used.len() >= MAX_KEYS {
            return Err(Fault::new(
                Code::TooManyKeys,
                format!("the ledger has had more than {MAX_KEYS} keys"),
            ));
        }
        Ok(())
    }

    /// Takes a rotation at entry `seq`, whose signatures were found to be as `signed` says.
    pub(crate) fn rotate(&mut self, seq: u64, change: &KeyChange, signed: Signed) -> Result<(), Fault> {
        self.check_new(&change.key)?;
        if signed == Signed::ByNewAlone && self.next != Some(key_commitment(&change.key)) {
            return Err(Fault::new(
                Code::RotationInvalid,
                "a new key was put in place without the old key's signature, and the ledger had not committed \
                 to that key in advance",
            ));
        }
        self.used.insert(*change.key.public_key());
        self.later.push(KeyInForce { key: change.key.clone(), from: seq.saturating_add(1) });
        self.next = change.next;
        Ok(())
    }

    /// Reads a checkpoint and checks that the key in force at its size signed it. Earlier keys may have signed as
    /// well (an announced overlap); if they did, their signatures must hold too.
    pub(crate) fn open_checkpoint(&self, bytes: &[u8], origin: &str) -> Result<Checkpoint, Problem> {
        let invalid = |message: String| Problem::failed(Code::CheckpointInvalid, message);
        let (checkpoint, note) = Checkpoint::parse(bytes)
            .map_err(|error| invalid(format!("the checkpoint is malformed: {error}")))?;
        if checkpoint.origin != origin {
            return Err(Problem::failed(
                Code::WrongLedger,
                format!("the checkpoint is of another ledger, {:?} and not {origin:?}", checkpoint.origin),
            ));
        }
        if checkpoint.size == 0 {
            return Err(invalid("the checkpoint covers no entry".into()));
        }
        let in_force = self.at(checkpoint.size);
        let mut signed = false;
        for key in self.all().filter(|key| key.from <= checkpoint.size) {
            for line in note.signatures.iter().filter(|line| key.key.made(line)) {
                if !key.key.verify(note.text.as_bytes(), &line.signature) {
                    return Err(invalid(format!(
                        "the checkpoint's signature by {} does not verify",
                        key.key
                    )));
                }
                signed |= key.key == *in_force;
            }
        }
        if signed {
            Ok(checkpoint)
        } else {
            let size = checkpoint.size;
            Err(invalid(format!(
                "the checkpoint of size {size} is not signed by the key then in force, {in_force}"
            )))
        }
    }
}

/// Checks an entry's signature lines: exactly one by the key in force; on a rotation the old key's and then the new
/// one's, or the new one's alone. `change` is the entry's own [`Entry::key_change`].
pub(crate) fn check_signatures(
    entry: &Entry<'_>,
    in_force: &VerifierKey,
    change: Option<&KeyChange>,
) -> Result<Signed, Fault> {
    check_signatures_with(entry, in_force, change, &mut hold_strictly)
}

/// [`check_signatures`] where `hold` says whether an ordinary entry's signature holds. Those of a rotation are checked
/// strictly, whatever the mode.
pub(crate) fn check_signatures_with(
    entry: &Entry<'_>,
    in_force: &VerifierKey,
    change: Option<&KeyChange>,
    hold: HoldOne<'_>,
) -> Result<Signed, Fault> {
    let lines = entry.note.signatures.as_slice();
    let text = entry.note.text.as_bytes();
    let not_in_force =
        || Fault::new(Code::KeyNotInForce, format!("it is not signed by the key in force, {in_force}"));
    let rotation = change.filter(|_| entry.event_type() == TYPE_KEY_ROTATED);
    match (rotation, lines) {
        (None, [line]) if in_force.made(line) => {
            hold(in_force, text, &line.signature).map(|()| Signed::AsUsual)
        }
        (None, [_]) => Err(not_in_force()),
        (Some(change), [old, new]) => {
            if !(in_force.made(old) && change.key.made(new)) {
                return Err(if change.key.made(old) && in_force.made(new) {
                    Fault::new(
                        Code::SignatureOrder,
                        "on a key rotation the old key signs first, then the new key",
                    )
                } else {
                    not_in_force()
                });
            }
            hold_strictly(in_force, text, &old.signature)?;
            hold_strictly(&change.key, text, &new.signature).map(|()| Signed::AsUsual)
        }
        (Some(change), [line]) if change.key.made(line) => {
            hold_strictly(&change.key, text, &line.signature).map(|()| Signed::ByNewAlone)
        }
        (Some(_), [line]) if in_force.made(line) => {
            Err(Fault::new(Code::SignatureCount, "the new key of a rotation must sign it too, and has not"))
        }
        (Some(_), [_]) => Err(not_in_force()),
        (None, _) => Err(Fault::new(
            Code::SignatureCount,
            format!("an entry bears exactly one signature, this one has {}", lines.len()),
        )),
        (Some(_), _) => Err(Fault::new(
            Code::SignatureCount,
            format!("a key rotation bears two signatures, this one has {}", lines.len()),
        )),
    }
}

/// Who may record which type (FORMATS.md section 2): `ledger.` types are the ledger's own and its only ones, and
/// `ledger.created` is entry 0 and no other.
pub(crate) fn check_type(entry: &Entry<'_>, index: u64) -> Result<(), Fault> {
    let kind = entry.event_type();
    let own = kind.starts_with(daybook_spec::entry::LEDGER_TYPE_PREFIX);
    if own != (entry.actor == LEDGER_ACTOR) {
        let message = if own {
            format!("an event of the ledger's own kind, {kind:?}, was recorded for {:?}", entry.actor)
        } else {
            format!("the ledger itself is named as the actor of {kind:?}, which is not its own kind of event")
        };
        return Err(Fault::new(Code::LedgerTypeForged, message));
    }
    match (index, kind == TYPE_CREATED) {
        (0, false) => Err(Fault::new(Code::CreatedMisplaced, "a ledger begins with ledger.created")),
        (1.., true) => {
            Err(Fault::new(Code::CreatedMisplaced, "a second ledger.created: a ledger begins only once"))
        }
        _ => Ok(()),
    }
}
