//! One receipt: that its entry stands in the ledger, and that the ledger signed it (FORMATS.md section 6).

use crate::entries::malformed;
use crate::failure::{Code, Failure, Fault, Fork, Problem};
use crate::keylist::{KeyList, check_inclusion, entry_of};
use crate::keys::{KeyRing, Signed, check_signatures, check_type};
use crate::pipeline::check_trust;
use crate::report::{Remembered, Report, SourceKind};
use daybook_spec::checkpoint::Checkpoint;
use daybook_spec::entry::Entry;
use daybook_spec::note::{Note, SignatureLine, VerifierKey};
use daybook_spec::receipt::{MAX_RECEIPT_BYTES, Receipt};
use std::io::Read;

/// Reads a receipt whole; one that is longer than any is read no further.
pub(crate) fn read(reader: Box<dyn Read + Send>) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_RECEIPT_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Problem::could_not(format!("the receipt cannot be read: {error}")))?;
    Ok(bytes)
}

/// Checks a receipt under the key that the caller trusts, the list of keys, or both. Also answers with the keys that it was
/// checked with.
pub(crate) fn check(
    bytes: &[u8],
    trusted: Option<&VerifierKey>,
    keys: Option<&[u8]>,
) -> Result<(Report, KeyRing), Problem> {
    let receipt =
        Receipt::parse(bytes).map_err(|error| Problem::failed(Code::ReceiptMalformed, error.to_string()))?;
    let list = keys.map(KeyList::walk).transpose()?;
    let mut ring = match (&list, trusted) {
        (Some(list), _) => {
            check_trust(trusted, list.ring.first())?;
            list.ring.clone()
        }
        (None, Some(trusted)) => KeyRing::new(trusted.clone(), None),
        (None, None) => {
            return Err(Problem::could_not(
                "a receipt does not hold the key that it is to be checked with: give the ledger's first key with \
                 --key, from somewhere you trust",
            ));
        }
    };
    let origin = ring.first().name().to_owned();
    let seq = receipt.seq;
    // The ledger of the entry and of the checkpoint must be the one that the key belongs to; hence also each other's.
    let entry = entry_of(&receipt, &origin)?;
    check_type(&entry, seq).map_err(|fault| fault.at(seq))?;
    let change = entry.key_change().map_err(|error| malformed(&error).at(seq))?;
    if seq == 0 {
        check_trust(Some(ring.first()), change.as_ref().map_or(ring.first(), |change| &change.key))?;
    }
    let in_force = ring.at(seq).clone();
    let signed = check_signatures(&entry, &in_force, change.as_ref())
        .map_err(|fault| unknown_signer(fault, &entry, &ring, list.is_some()))?;
    if let Some(change) = change.filter(|_| seq > 0) {
        let listed =
            ring.all().find(|key| Some(key.from) == seq.checked_add(1)).map(|key| key.key == change.key);
        match listed {
            Some(true) => {}
            Some(false) => {
                return Err(Problem::failed(
                    Code::KeysInvalid,
                    "the list of keys names another key than this rotation",
                ));
            }
            // The newest rotation: the receipt carries its own step from the key before.
            None if seq >= ring.current_from() => {
                if list.is_none() && signed == Signed::ByNewAlone {
                    return Err(Problem::could_not(
                        "this rotation rests on a commitment made earlier: give the list of keys with --keys",
                    ));
                }
                ring.rotate(seq, &change, signed).map_err(|fault| fault.at(seq))?;
            }
            None => {
                return Err(Problem::failed(Code::KeysInvalid, "the list of keys leaves out this rotation"));
            }
        }
    }
    let checkpoint = check_inclusion(&receipt, &ring)
        .map_err(|problem| unknown_head_signer(problem, &receipt, &ring, list.is_some()))?;
    if list.as_ref().is_some_and(|list| list.contradicts(checkpoint.size, &checkpoint.root)) {
        let message = "the receipt and the list of keys hold two histories of one ledger".to_owned();
        let seen = list.as_ref().and_then(|list| list.note_at(checkpoint.size)).map(str::to_owned);
        let fork = seen.map(|seen| Box::new(Fork { seen, shown: receipt.checkpoint.clone() }));
        return Err(Problem::Failed(Failure { code: Code::Forked, seq: None, message, fork }));
    }
    let mut warnings = Vec::new();
    if list.is_none() {
        warnings.push(
            "only one key was given: that no other key was in force at this entry was not checked (--keys)"
                .to_owned(),
        );
    }
    let report = Report {
        source: SourceKind::Receipt,
        batched: false,
        origin,
        entries: 1,
        receipt_of: Some(seq),
        first_time: entry.time,
        last_time: entry.time,
        checkpoint,
        checkpoint_note: receipt.checkpoint.clone(),
        keys: ring.all().cloned().collect(),
        trusted: trusted.is_some(),
        remembered: Remembered::NotAsked,
        published: None,
        uncovered: 0,
        producer_signatures: u64::from(entry.producer.is_some()),
        sealed: u64::from(entry.sealed),
        warnings,
    };
    Ok((report, ring))
}

/// What is asked for where a signature may be by a key that is not known here.
fn wanting(listed: bool) -> &'static str {
    if listed {
        "the list of keys may be too old: give the newest list of keys (GET /v1/keys) with --keys"
    } else {
        "if the ledger has changed its key, that is as it should be: give the list of keys (GET /v1/keys) with --keys"
    }
}

/// An entry that the key in force did not sign. Where a later key may be in force, of which nothing is known here, that says
/// nothing against it.
fn unknown_signer(fault: Fault, entry: &Entry<'_>, ring: &KeyRing, listed: bool) -> Problem {
    if fault.code != Code::KeyNotInForce {
        return fault.at(entry.seq);
    }
    if entry.seq > 0 && entry.seq >= ring.current_from() && bears_an_unknown_key(&entry.note, ring) {
        return Problem::could_not(format!("entry {}: {}; {}", entry.seq, fault.message, wanting(listed)));
    }
    Fault::new(Code::KeyNotTrusted, fault.message).at(entry.seq)
}

/// The same of the checkpoint.
fn unknown_head_signer(problem: Problem, receipt: &Receipt, ring: &KeyRing, listed: bool) -> Problem {
    let Problem::Failed(Failure { code: Code::CheckpointInvalid, message, .. }) = &problem else {
        return problem;
    };
    let Ok((checkpoint, note)) = Checkpoint::parse(receipt.checkpoint.as_bytes()) else { return problem };
    let signed = note.signatures.iter().any(|line| ring.current().made(line));
    if !signed && checkpoint.size > ring.current_from() && bears_an_unknown_key(&note, ring) {
        return Problem::could_not(format!("{message}; {}", wanting(listed)));
    }
    problem
}

/// Whether there is a signature in the ledger's name by a key that is not known here.
fn bears_an_unknown_key(note: &Note<'_>, ring: &KeyRing) -> bool {
    let in_its_name = note.signatures.iter().filter(|line| line.name == ring.first().name());
    in_its_name.into_iter().any(|line| !ring.all().any(|key| is_or_was(line, note, &key.key)))
}

/// Whether a signature is by a key, or was until its key ID was altered: then it still verifies, or, where the character
/// that holds the end of the ID and the beginning of the signature is another one, all but the last byte of the ID is left.
/// Of ten million other keys not one has those.
fn is_or_was(line: &SignatureLine<'_>, note: &Note<'_>, key: &VerifierKey) -> bool {
    key.made(line) || line.id[..3] == key.id()[..3] || key.verify(note.text.as_bytes(), &line.signature)
}
