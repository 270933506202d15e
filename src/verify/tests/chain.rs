//! Lies about entries and their order.

use super::*;
use daybook_spec::encoding::to_base64;
use daybook_spec::note::{Note, Signer as _, push_signature_line, sign};
use daybook_testkit::{event, ordinary, signer};

/// Appends an entry whose text was changed before signing, and honest ones after it.
fn with_changed(change: impl FnOnce(String) -> String) -> Ledger {
    let mut ledger = Ledger::of(5);
    ledger.record_changed(change);
    ledger.grow(2);
    ledger
}

#[test]
fn swapped_entries_are_refused() {
    let mut ledger = Ledger::of(8);
    ledger.entries.swap(3, 4);
    refused(&ledger, Code::SeqGap, 3);
}

#[test]
fn a_removed_entry_is_refused() {
    let mut ledger = Ledger::of(8);
    ledger.entries.remove(3);
    refused(&ledger, Code::SeqGap, 3);
}

#[test]
fn a_repeated_entry_is_refused() {
    let mut ledger = Ledger::of(8);
    let entry = ledger.entries[3].clone();
    ledger.entries.insert(4, entry);
    refused(&ledger, Code::SeqGap, 4);
}

#[test]
fn a_gap_in_the_numbers_is_refused_even_if_the_ledger_signed_it() {
    refused(&with_changed(|text| text.replace("\"seq\":5", "\"seq\":6")), Code::SeqGap, 5);
}

#[test]
fn a_replaced_entry_breaks_the_chain_behind_it() {
    let mut ledger = Ledger::of(5);
    let honest = ledger.clone();
    ledger.record("app:x", &ordinary(1));
    let mut other = honest;
    other.record("app:x", &ordinary(2));
    other.grow(2);
    other.entries[5] = ledger.entries[5].clone();
    refused(&other, Code::ChainBroken, 6);
}

#[test]
fn a_wrong_prev_is_refused_even_if_the_ledger_signed_it() {
    let zeros = to_base64(&[0; 32]);
    let ledger = with_changed(|text| {
        let at = text.find("\"prev\":\"").unwrap() + 8;
        format!("{}{zeros}{}", &text[..at], &text[at + 44..])
    });
    refused(&ledger, Code::ChainBroken, 5);
}

#[test]
fn time_that_goes_back_is_refused_and_time_that_stands_is_not() {
    let mut ledger = Ledger::of(5);
    ledger.micros -= 1_000;
    ledger.grow(1);
    verified(look_at_export(ledger.export(), &trusting(&ledger)));
    ledger.micros -= 1_001;
    ledger.grow(1);
    refused(&ledger, Code::TimeBackwards, 6);
}

#[test]
fn an_entry_of_another_ledger_is_refused() {
    refused(&with_changed(|text| text.replace("log.example/test", "log.example/next")), Code::WrongLedger, 5);
    let mut mixed = Ledger::of(5);
    mixed.entries[3] = Ledger::create("other.example", 1, None).entries[0].clone();
    assert!(matches!(finding(&mixed).0, Code::WrongLedger));
}

#[test]
fn a_changed_text_is_refused() {
    let mut ledger = Ledger::of(5);
    let entry = String::from_utf8(ledger.entries[3].clone()).unwrap();
    ledger.entries[3] = entry.replace("user:é", "user:è").into_bytes();
    refused(&ledger, Code::SignatureInvalid, 3);
}

#[test]
fn a_bad_signature_of_the_right_key_is_refused() {
    let mut ledger = Ledger::of(5);
    let key = ledger.key();
    let text = ledger.text("app:x", &ordinary(5));
    let mut note = format!("{text}\n");
    push_signature_line(&mut note, &ledger.origin, key.verifier().id(), &key.sign(b"another text\n"));
    ledger.push_raw(note.into_bytes(), &text);
    refused(&ledger, Code::SignatureInvalid, 5);
}

#[test]
fn a_signature_of_another_length_is_refused() {
    for length in [1, 63, 65, 128] {
        let mut ledger = Ledger::of(2);
        let text = ledger.text("app:x", &ordinary(2));
        let mut note = format!("{text}\n");
        push_signature_line(&mut note, &ledger.origin, ledger.key().verifier().id(), &vec![1; length]);
        ledger.push_raw(note.into_bytes(), &text);
        refused(&ledger, Code::SignatureInvalid, 2);
    }
}

/// The order of the base point, little-endian (RFC 8032 §5.1): S and S + L verify alike where S is not checked.
const L: [u8; 32] = [
    0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7, 0xa2, 0xde, 0xf9, 0xde, 0x14, 0, 0, 0,
    0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0x10,
];

#[test]
fn a_second_spelling_of_a_signature_is_refused() {
    let mut ledger = Ledger::of(2);
    let text = ledger.text("app:x", &ordinary(2));
    let mut signature = ledger.key().sign(text.as_bytes());
    let mut carry = 0_u16;
    for (byte, addend) in signature[32..].iter_mut().zip(L) {
        carry += u16::from(*byte) + u16::from(addend);
        *byte = carry as u8;
        carry >>= 8;
    }
    let mut note = format!("{text}\n");
    push_signature_line(&mut note, &ledger.origin, ledger.key().verifier().id(), &signature);
    ledger.push_raw(note.into_bytes(), &text);
    refused(&ledger, Code::SignatureInvalid, 2);
}

#[test]
fn a_signature_with_a_point_of_small_order_is_refused() {
    for first in [0_u8, 1] {
        let mut ledger = Ledger::of(2);
        let text = ledger.text("app:x", &ordinary(2));
        let mut signature = [0; 64];
        signature[0] = first;
        let mut note = format!("{text}\n");
        push_signature_line(&mut note, &ledger.origin, ledger.key().verifier().id(), &signature);
        ledger.push_raw(note.into_bytes(), &text);
        refused(&ledger, Code::SignatureInvalid, 2);
    }
}

#[test]
fn extra_signature_lines_are_refused_whoever_made_them() {
    for stranger in [signer("stranger.example", 7), Ledger::new().key()] {
        let mut ledger = Ledger::of(3);
        let text = ledger.text("app:x", &ordinary(3));
        ledger.push(&text, &[&*ledger.key(), &*stranger]);
        refused(&ledger, Code::SignatureCount, 3);
    }
}

#[test]
fn an_entry_without_a_signature_is_refused() {
    let mut ledger = Ledger::of(3);
    let text = ledger.text("app:x", &ordinary(3));
    ledger.push_raw(text.clone().into_bytes(), &text);
    refused(&ledger, Code::SignatureCount, 3);
}

#[test]
fn a_stranger_s_signature_is_refused_under_any_name() {
    for stranger in [signer("stranger.example", 7), signer("log.example/test", 7)] {
        let mut ledger = Ledger::of(3);
        let text = ledger.text("app:x", &ordinary(3));
        ledger.push(&text, &[&*stranger]);
        refused(&ledger, Code::KeyNotInForce, 3);
    }
}

#[test]
fn a_changed_key_name_is_refused() {
    let mut ledger = Ledger::of(3);
    let entry = String::from_utf8(ledger.entries[2].clone()).unwrap();
    ledger.entries[2] = entry.replace("— log.example/test ", "— log.example/tess ").into_bytes();
    refused(&ledger, Code::KeyNotInForce, 2);
}

#[test]
fn base64_in_another_spelling_is_refused() {
    let mut ledger = Ledger::of(3);
    let entry = String::from_utf8(ledger.entries[2].clone()).unwrap();
    let bytes = Note::parse(entry.as_bytes()).unwrap().signatures[0].signature.clone();
    assert_eq!(bytes.len(), 64);
    for (from, to) in [("=\n", "\n"), ("=\n", "==\n"), ("=\n", "= \n")] {
        let mut other = ledger.clone();
        other.entries[2] = entry.replacen(from, to, 1).into_bytes();
        refused(&other, Code::EntryMalformed, 2);
    }
    // The last character before the padding holds two bits that must be zero.
    let at = entry.rfind('=').unwrap() - 1;
    let last = entry.as_bytes()[at];
    for next in [last + 1, last + 2] {
        let mut changed = entry.clone().into_bytes();
        changed[at] = next;
        ledger.entries[2] = changed;
        let (code, seq) = finding(&ledger);
        assert!(matches!(code, Code::EntryMalformed | Code::SignatureInvalid) && seq == Some(2));
    }
}

#[test]
fn texts_that_are_not_canonical_are_refused_even_if_the_ledger_signed_them() {
    let changes: [(&str, &str); 7] = [
        ("\"seq\":5", "\"seq\":5.0"),
        ("\"seq\":5", "\"seq\": 5"),
        ("\"amount\":5.5", "\"amount\":5.50"),
        ("\"amount\":5.5", "\"amount\":55e-1"),
        ("\"amount\":5.5", "\"amount\":9007199254740993"),
        ("user:é", "user:\\u00e9"),
        ("\"id\":\"1\",", "\"id\":\"1\",\"id\":\"1\","),
    ];
    for (from, to) in changes {
        refused(&with_changed(|text| text.replace(from, to)), Code::NotCanonical, 5);
    }
}

#[test]
fn unknown_members_are_refused_however_long() {
    refused(&with_changed(|text| text.replace("\"v\":1", "\"v\":1,\"w\":1")), Code::UnknownMember, 5);
    let long = format!("\"v\":1,\"w{}\":1", "é".repeat(30_000));
    refused(&with_changed(|text| text.replace("\"v\":1", &long)), Code::UnknownMember, 5);
}

#[test]
fn other_versions_and_missing_members_are_refused() {
    refused(&with_changed(|text| text.replace("\"v\":1", "\"v\":2")), Code::EntryMalformed, 5);
    refused(&with_changed(|text| text.replace(",\"v\":1", "")), Code::EntryMalformed, 5);
}

#[test]
fn nul_bytes_and_other_control_characters_are_refused() {
    for control in ["\0", "\r", "\t", "\u{1}"] {
        refused(&with_changed(|text| text.replace("user:é", control)), Code::EntryMalformed, 5);
    }
    refused(&with_changed(|text| text.replace("app:x", "app:\\u0000")), Code::EntryMalformed, 5);
}

#[test]
fn the_ledger_s_own_types_are_refused_from_others() {
    for kind in ["ledger.created", "ledger.key_rotated", "ledger.restored", "ledger."] {
        let mut ledger = Ledger::of(3);
        ledger.record("app:x", &event(kind, "{}"));
        let (code, seq) = finding(&ledger);
        assert!(
            matches!(code, Code::LedgerTypeForged | Code::EntryMalformed) && seq == Some(3),
            "{kind}: {code}"
        );
    }
    // With all that a rotation needs, but not by the ledger.
    let mut ledger = Ledger::of(3);
    let (old, new) = (ledger.key(), signer(&ledger.origin, 2));
    let text = ledger.text("user:admin", &ledger.rotation_event(2, None));
    ledger.push(&text, &[&*old, &*new]);
    refused(&ledger, Code::LedgerTypeForged, 3);
}

#[test]
fn the_ledger_as_the_actor_of_ordinary_events_is_refused() {
    let mut ledger = Ledger::of(3);
    ledger.record("ledger", &ordinary(3));
    refused(&ledger, Code::LedgerTypeForged, 3);
}

#[test]
fn a_second_beginning_is_refused() {
    let mut ledger = Ledger::of(3);
    let data =
        format!("{{\"format\":1,\"key\":\"{}\",\"origin\":\"{}\"}}", ledger.first_key(), ledger.origin);
    ledger.record("ledger", &event("ledger.created", &data));
    refused(&ledger, Code::CreatedMisplaced, 3);
}

#[test]
fn a_ledger_that_does_not_begin_is_refused() {
    let mut ledger = Ledger::of(4);
    ledger.entries.remove(0);
    let (code, seq) = finding(&ledger);
    assert_eq!((code, seq), (Code::SeqGap, Some(0)));
    // An ordinary entry made to be the first.
    let mut ledger = Ledger::new();
    ledger.entries.clear();
    ledger.chain = [0; 32];
    ledger.record("app:x", &ordinary(0));
    refused(&ledger, Code::CreatedMisplaced, 0);
}

#[test]
fn a_beginning_that_does_not_say_what_it_must_is_refused() {
    for (from, to) in [
        ("\"format\":1", "\"format\":2"),
        ("\"origin\":\"log.example/test\"", "\"origin\":\"log.example/next\""),
        ("\"key\":\"log", "\"key\":\"lag"),
    ] {
        let mut ledger = Ledger::new();
        let (text, key) = (String::from_utf8(ledger.entries[0].clone()).unwrap(), ledger.key());
        let text = text.split_once("\n\n").unwrap().0.replace(from, to) + "\n";
        ledger.entries[0] = sign(&text, &[&*key]).into_bytes();
        refused(&ledger, Code::EntryMalformed, 0);
    }
}

#[test]
fn the_first_bad_entry_is_the_one_that_is_told() {
    let mut ledger = Ledger::of(1_200);
    for at in [1_190, 700, 1_100, 701] {
        let entry = String::from_utf8(ledger.entries[at].clone()).unwrap();
        ledger.entries[at] = entry.replace("user:é", "user:è").into_bytes();
    }
    refused(&ledger, Code::SignatureInvalid, 700);
}
