//! One receipt: that its entry stands in the ledger, and that the ledger signed it (FORMATS.md section 6).

use crate::entries::malformed;
use crate::failure::{Code, Failure, Fault, Problem};
use crate::keylist::{KeyList, check_inclusion, entry_of};
use crate::keys::{KeyRing, Signed, check_signatures, check_type};
use crate::pipeline::check_trust;
use crate::report::{Remembered, Report, SourceKind};
use daybook_spec::checkpoint::Checkpoint;
use daybook_spec::note::VerifierKey;
use daybook_spec::receipt::{MAX_RECEIPT_BYTES, Receipt};
use std::io::Read;

/// Reads a receipt whole; one that is longer than any is read no further.
pub(crate) fn read(reader: Box<dyn Read + Send>) -> Result<Vec<u8>, Problem> {
    let mut bytes = Vec::new();
    let read = reader.take(MAX_RECEIPT_BYTES as u64 + 1).read_to_end(&mut bytes);
    read.map_err(|error| Problem::could_not(format!("the receipt cannot be read: {error}")))?;
    Ok(bytes)
}

/// Checks a receipt under the key that the caller trusts, the list of keys, or both.
pub(crate) fn check(
    bytes: &[u8],
    trusted: Option<&VerifierKey>,
    keys: Option<&[u8]>,
) -> Result<Report, Problem> {
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
        .map_err(|fault| hint(fault, list.is_some()).at(seq))?;
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
    let checkpoint =
        check_inclusion(&receipt, &ring).map_err(|problem| hint_checkpoint(problem, &receipt, &ring))?;
    if list.as_ref().is_some_and(|list| list.contradicts(checkpoint.size, &checkpoint.root)) {
        return Err(Problem::failed(
            Code::Forked,
            "the receipt and the list of keys hold two histories of one ledger",
        ));
    }
    let mut warnings = Vec::new();
    if list.is_none() {
        warnings.push(
            "only one key was given: that no other key was in force at this entry was not checked (--keys)"
                .to_owned(),
        );
    }
    Ok(Report {
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
        uncovered: 0,
        producer_signatures: u64::from(entry.producer.is_some()),
        sealed: u64::from(entry.sealed),
        warnings,
    })
}

/// What a person can do about a signature by another key.
fn hint(fault: Fault, listed: bool) -> Fault {
    if fault.code != Code::KeyNotInForce {
        return fault;
    }
    let hint = if listed {
        "the list of keys names no other key for this entry; it may be too old"
    } else {
        "if the ledger has changed its key since, give its list of keys (GET /v1/keys) with --keys"
    };
    Fault::new(Code::KeyNotTrusted, format!("{}; {hint}", fault.message))
}

fn hint_checkpoint(problem: Problem, receipt: &Receipt, ring: &KeyRing) -> Problem {
    let unsigned = Checkpoint::parse(receipt.checkpoint.as_bytes())
        .is_ok_and(|(_, note)| !note.signatures.iter().any(|line| ring.current().made(line)));
    match problem {
        Problem::Failed(Failure { code: Code::CheckpointInvalid, message, .. }) if unsigned => {
            let hint = "if the ledger has changed its key since, give its newest list of keys with --keys";
            Problem::failed(Code::CheckpointInvalid, format!("{message}; {hint}"))
        }
        other => other,
    }
}
