//! Lies in a receipt, and in a list of keys.

use super::honest::eventful;
use super::*;
use daybook_spec::merkle::{leaf_hash, node_hash};
use daybook_testkit::{checkpoint, signer};

fn with_keys(ledger: &Ledger, list: &str) -> Options {
    Options { keys: Some(list.as_bytes().to_vec()), ..trusting(ledger) }
}

#[track_caller]
fn fails(receipt: &daybook_spec::receipt::Receipt, options: &Options, code: Code) {
    assert_eq!(failed(look_at_receipt(receipt.to_text(), options)).0, code);
    assert_eq!(failed(look_at_receipt(receipt.to_json(), options)).0, code);
}

#[test]
fn a_receipt_under_the_trusted_key_verifies_and_says_what_was_not_checked() {
    let ledger = Ledger::of(9);
    for seq in 0..9 {
        let report = verified(look_at_receipt(ledger.receipt(seq).to_text(), &trusting(&ledger)));
        assert_eq!((report.receipt_of, report.entries, report.trusted), (Some(seq), 1, true));
        assert!(report.warnings[0].contains("only one key"));
    }
}

#[test]
fn without_any_key_a_receipt_cannot_be_checked() {
    let outcome = look_at_receipt(Ledger::of(3).receipt(1).to_text(), &Options::default());
    assert!(matches!(outcome, Outcome::CouldNotCheck(why) if why.contains("--key")));
}

#[test]
fn with_a_list_of_keys_alone_it_is_only_consistent_with_that() {
    let ledger = eventful();
    let options = Options { key: None, ..with_keys(&ledger, &ledger.key_list()) };
    let report = verified(look_at_receipt(ledger.receipt(12).to_text(), &options));
    assert!(!report.trusted);
    assert_eq!(report.keys.len(), 3);
}

#[test]
fn the_proof_of_another_index_is_refused() {
    let ledger = Ledger::of(9);
    let mut receipt = ledger.receipt(3);
    receipt.proof = ledger.receipt(4).proof;
    fails(&receipt, &trusting(&ledger), Code::ProofInvalid);
    let mut receipt = ledger.receipt(3);
    receipt.seq = 4;
    fails(&receipt, &trusting(&ledger), Code::IndexMismatch);
    receipt.seq = u64::MAX;
    assert_eq!(failed(look_at_receipt(receipt.to_text(), &trusting(&ledger))).0, Code::IndexMismatch);
}

#[test]
fn proofs_of_other_lengths_and_orders_are_refused() {
    let ledger = Ledger::of(9);
    let changes: [fn(&mut Vec<[u8; 32]>); 5] = [
        |proof| proof.truncate(proof.len() - 1),
        |proof| proof.push([0; 32]),
        |proof| proof.reverse(),
        |proof| proof.rotate_left(1),
        Vec::clear,
    ];
    for change in changes {
        let mut receipt = ledger.receipt(3);
        change(&mut receipt.proof);
        fails(&receipt, &trusting(&ledger), Code::ProofInvalid);
    }
}

#[test]
fn an_inner_node_is_not_an_entry() {
    // What would be an entry whose "hash" is that of an inner node: the two children, one after the other.
    let ledger = Ledger::of(4);
    let leaves = ledger.leaves();
    let node = node_hash(&leaves[0], &leaves[1]);
    let entry = [leaves[0], leaves[1]].concat();
    assert_ne!(leaf_hash(&entry), node);
    let mut receipt = ledger.receipt(0);
    receipt.entry = entry;
    receipt.proof.remove(0);
    assert_eq!(failed(look_at_receipt(receipt.to_text(), &trusting(&ledger))).0, Code::EntryMalformed);
}

#[test]
fn an_entry_of_another_ledger_or_history_is_refused() {
    let (ledger, other) = (Ledger::of(5), Ledger::create("other.example", 1, None));
    let mut receipt = ledger.receipt(0);
    receipt.entry.clone_from(&other.entries[0]);
    fails(&receipt, &trusting(&ledger), Code::WrongLedger);
    let mut receipt = ledger.receipt(3);
    receipt.checkpoint = checkpoint("other.example", 5, ledger.root_at(5), &[&*other.key()]);
    fails(&receipt, &trusting(&ledger), Code::WrongLedger);
    // The same ledger, but another entry 3 that the key signed.
    let mut fork = Ledger::of(3);
    fork.micros += 5;
    fork.grow(2);
    let mut receipt = ledger.receipt(3);
    receipt.entry.clone_from(&fork.entries[3]);
    fails(&receipt, &trusting(&ledger), Code::ProofInvalid);
}

#[test]
fn bad_signatures_in_a_receipt_are_refused() {
    let ledger = Ledger::of(5);
    let options = trusting(&ledger);
    let stranger = signer(&ledger.origin, 8);
    let mut receipt = ledger.receipt(3);
    // By a key that may have come into force since, for all that this shows: without a newer list nobody can tell.
    receipt.checkpoint = ledger.checkpoint_by(5, &[&*stranger]);
    wants_keys(&receipt, &options);
    // In another's name, or in nobody's.
    let other = signer("other.example", 8);
    receipt.checkpoint = ledger.checkpoint_by(5, &[&*other]);
    fails(&receipt, &options, Code::CheckpointInvalid);
    let mut forged = Ledger::of(3);
    let text = forged.text("app:x", &daybook_testkit::ordinary(3));
    forged.push(&text, &[&*stranger]);
    wants_keys(&forged.receipt(3), &options);
    let mut forged = Ledger::of(3);
    forged.push(&text, &[&*forged.key(), &*stranger]);
    fails(&forged.receipt(3), &options, Code::SignatureCount);
    let other = Ledger::create(&ledger.origin, 8, None);
    fails(&other.receipt(0), &options, Code::KeyNotTrusted);
}

#[test]
fn forged_types_in_a_receipt_are_refused() {
    let mut ledger = Ledger::of(3);
    ledger.record("app:x", &daybook_testkit::event("ledger.restored", "{}"));
    fails(&ledger.receipt(3), &trusting(&ledger), Code::LedgerTypeForged);
}

#[test]
fn a_receipt_across_a_rotation_needs_the_keys_between() {
    let ledger = eventful();
    let receipt = ledger.receipt(3);
    // Genuine, and not to be told from others by who has the first key alone.
    wants_keys(&receipt, &trusting(&ledger));
    wants_keys(&ledger.receipt(20), &trusting(&ledger));
    // With a list from before the last change as well.
    let mut newer = ledger.clone();
    newer.rotate(9, None);
    newer.grow(1);
    wants_keys(&newer.receipt(newer.size() - 1), &with_keys(&ledger, &ledger.key_list()));
    verified(look_at_receipt(receipt.to_text(), &with_keys(&ledger, &ledger.key_list())));
}

/// It could not be checked, and is told with what it can be.
fn wants_keys(receipt: &daybook_spec::receipt::Receipt, options: &Options) {
    let outcome = look_at_receipt(receipt.to_text(), options);
    assert_eq!(outcome.exit_code(), 2);
    assert!(
        matches!(&outcome, Outcome::CouldNotCheck(why) if why.contains("list of keys") && why.contains("--keys")),
        "{outcome:?}"
    );
}

#[test]
fn a_rotation_s_receipt_carries_its_own_step() {
    let mut ledger = Ledger::of(4);
    ledger.rotate(2, None);
    let report = verified(look_at_receipt(ledger.receipt(4).to_text(), &trusting(&ledger)));
    assert_eq!(report.keys.len(), 2);
    let mut alone = Ledger::create(&ledger.origin, 1, Some(2));
    alone.rotate_alone(2, None);
    let outcome = look_at_receipt(alone.receipt(1).to_text(), &trusting(&alone));
    assert!(matches!(outcome, Outcome::CouldNotCheck(why) if why.contains("--keys")));
    verified(look_at_receipt(alone.receipt(1).to_text(), &with_keys(&alone, &alone.key_list())));
}

#[test]
fn another_first_key_in_the_list_is_refused() {
    let (ledger, other) = (eventful(), Ledger::create("log.example/test", 9, None));
    let options = Options { key: Some(other.first_key()), ..with_keys(&ledger, &ledger.key_list()) };
    fails(&ledger.receipt(3), &options, Code::KeyNotTrusted);
}

#[test]
fn lists_that_do_not_hold_together_are_refused() {
    let ledger = eventful();
    let good: serde_json::Value = serde_json::from_str(&ledger.key_list()).unwrap();
    type Change = fn(&mut serde_json::Value);
    let changes: [(&str, Change); 10] = [
        ("a key left out", |list| drop(list["keys"].as_array_mut().unwrap().remove(1))),
        ("keys swapped", |list| list["keys"].as_array_mut().unwrap().swap(1, 2)),
        ("no first", |list| drop(list["keys"].as_array_mut().unwrap().remove(0))),
        ("none at all", |list| list["keys"].as_array_mut().unwrap().clear()),
        ("another place", |list| list["keys"][1]["from"] = 12.into()),
        ("another number", |list| list["keys"][1]["rotation"]["seq"] = 11.into()),
        ("no receipt", |list| list["keys"][1]["rotation"] = serde_json::Value::Null),
        ("another receipt", |list| {
            list["keys"][1]["rotation"] = list["keys"][2]["rotation"].clone();
        }),
        ("another key", |list| list["keys"][1]["vkey"] = list["keys"][2]["vkey"].clone()),
        ("a first key with a past", |list| list["keys"][0]["from"] = 1.into()),
    ];
    for (what, change) in changes {
        let mut list = good.clone();
        change(&mut list);
        let (code, _) =
            failed(look_at_receipt(ledger.receipt(3).to_text(), &with_keys(&ledger, &list.to_string())));
        assert!(
            matches!(
                code,
                Code::KeysInvalid | Code::KeyNotInForce | Code::KeyNotTrusted | Code::RotationInvalid
            ),
            "{what}: {code}"
        );
    }
    for text in ["", "{}", "[]", "{\"keys\":{}}", "{\"keys\":[1]}", &"[".repeat(100_000)] {
        let (code, _) = failed(look_at_receipt(ledger.receipt(3).to_text(), &with_keys(&ledger, text)));
        assert_eq!(code, Code::KeysInvalid);
    }
}

#[test]
fn a_list_without_the_commitment_does_not_carry_a_rotation_that_rests_on_it() {
    let mut ledger = Ledger::create("log.example/test", 1, Some(2));
    ledger.rotate_alone(2, None);
    ledger.grow(2);
    let mut list: serde_json::Value = serde_json::from_str(&ledger.key_list()).unwrap();
    let created = list.as_object_mut().unwrap().remove("created").unwrap();
    let receipt = ledger.receipt(2);
    fails(&receipt, &with_keys(&ledger, &list.to_string()), Code::RotationInvalid);
    list["keys"][1]["commitment"] = created;
    verified(look_at_receipt(receipt.to_text(), &with_keys(&ledger, &list.to_string())));
}

#[test]
fn forged_rotations_in_a_list_are_refused() {
    // Signed by the new key alone, without a commitment.
    let mut ledger = Ledger::of(3);
    ledger.rotate_alone(2, None);
    fails(&ledger.receipt(1), &with_keys(&ledger, &ledger.key_list()), Code::RotationInvalid);
    // To a key that was used before.
    let mut ledger = eventful();
    ledger.rotate(1, None);
    fails(&ledger.receipt(1), &with_keys(&ledger, &ledger.key_list()), Code::KeyReused);
    // In the tree of no checkpoint.
    let mut ledger = Ledger::of(3);
    ledger.rotate(2, None);
    let list = ledger.key_list();
    let good = ledger.receipt(3).to_text().lines().nth(3).unwrap().to_owned();
    let bad = daybook_spec::encoding::to_base64(&[5; 32]);
    fails(&ledger.receipt(1), &with_keys(&ledger, &list.replace(&good, &bad)), Code::ProofInvalid);
}

#[test]
fn two_histories_in_receipt_and_list_are_told() {
    let mut ledger = Ledger::of(3);
    ledger.rotate(2, None);
    let mut fork = ledger.clone();
    fork.micros += 7;
    ledger.grow(1);
    fork.grow(1);
    fails(&fork.receipt(4), &with_keys(&ledger, &ledger.key_list()), Code::Forked);
}

#[test]
fn what_is_no_receipt_is_refused() {
    let options = trusting(&Ledger::new());
    for text in ["", "{", "c2sp.org/tlog-proof@v1\n", "hello", "{\"seq\":1}"] {
        assert_eq!(failed(look_at_receipt(text, &options)).0, Code::ReceiptMalformed, "{text:?}");
    }
    let endless = Source::Receipt(Box::new(std::io::repeat(b'x')));
    assert_eq!(failed(verify(endless, &options, &Quiet)).0, Code::ReceiptMalformed);
}
