//! What regulators fetch is what the specifications say, byte for byte, and every proof leads to the signed root.

use crate::kit::{Ledger, event, text};
use daybook::spec::checkpoint::Checkpoint;
use daybook::spec::encoding::{hash_from_base64, to_base64};
use daybook::spec::entry::Entry;
use daybook::spec::merkle::{Frontier, Hash, leaf_hash, verify_consistency, verify_inclusion};
use daybook::spec::note::VerifierKey;
use daybook::spec::receipt::Receipt;
use daybook::spec::tile::split_framed;

/// All entries, read from bundles.
fn entries(ledger: &Ledger, size: u64) -> Vec<Vec<u8>> {
    let mut entries = Vec::new();
    while (entries.len() as u64) < size {
        let bundle = entries.len() / 256;
        let width = (size as usize - entries.len()).min(256);
        let part = if width < 256 { format!(".p/{width}") } else { String::new() };
        let answer = ledger.get(&format!("/log/tile/entries/{bundle:03}{part}"), "auditor");
        assert_eq!(answer.status, 200, "{}", answer.text());
        let mut rest = &answer.body[..];
        while let Some((entry, after)) = split_framed(rest) {
            entries.push(entry.to_vec());
            rest = after;
        }
        assert!(rest.is_empty());
    }
    entries
}

fn hashes(answer: &crate::kit::Answer) -> Vec<Hash> {
    assert_eq!(answer.status, 200, "{}", answer.text());
    let proof = answer.json();
    proof["hashes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| hash_from_base64(h.as_str().unwrap()).unwrap())
        .collect()
}

#[test]
fn the_checkpoint_covers_exactly_the_entries_of_the_bundles() {
    let ledger = Ledger::demo();
    let (size, note) = ledger.checkpoint();
    let key = VerifierKey::parse(&ledger.key).unwrap();
    let (checkpoint, _) = Checkpoint::open(note.as_bytes(), &[key]).unwrap();
    let mut frontier = Frontier::new();
    for (seq, bytes) in entries(&ledger, size).iter().enumerate() {
        frontier.push(leaf_hash(bytes));
        assert_eq!(Entry::parse(bytes).unwrap().seq, seq as u64);
    }
    assert_eq!(frontier.root(), checkpoint.root);
}

#[test]
fn every_width_that_some_size_had_is_served_and_never_changes() {
    let ledger = Ledger::empty();
    let mut early = Vec::new();
    for _ in 0..3 {
        ledger.record(&event());
        let (size, _) = ledger.checkpoint();
        early.push((size, ledger.get(&format!("/log/tile/0/000.p/{size}"), "auditor").body));
    }
    let batch: Vec<_> = (0..300).map(|_| event()).collect();
    assert_eq!(ledger.post_batch(&batch).status, 201);
    for (size, bytes) in early {
        assert_eq!(ledger.get(&format!("/log/tile/0/000.p/{size}"), "auditor").body, bytes);
    }
    let full = ledger.get("/log/tile/0/000", "auditor");
    assert_eq!(full.body.len(), 8192);
    assert_eq!(full.header("cache-control"), Some("private, max-age=31536000, immutable"));
    assert_eq!(full.header("content-type"), Some("application/octet-stream"));
    for width in 1..256 {
        let part = ledger.get(&format!("/log/tile/0/000.p/{width}"), "auditor").body;
        assert_eq!(part, full.body[..32 * width]);
    }
    let above = ledger.get("/log/tile/1/000.p/1", "auditor").body;
    let leaves: Vec<Hash> = full.body.chunks(32).map(|hash| hash.try_into().unwrap()).collect();
    let mut frontier = Frontier::new();
    leaves.iter().for_each(|leaf| frontier.push(*leaf));
    assert_eq!(above, frontier.root());
    for path in [
        "0/001",
        "0/001.p/49",
        "1/000",
        "1/000.p/2",
        "2/000.p/1",
        "8/000.p/1",
        "entries/002",
        "0/000.p/256",
        "0/0",
    ] {
        assert_eq!(ledger.get(&format!("/log/tile/{path}"), "auditor").status, 404, "{path}");
    }
}

#[test]
fn every_proof_leads_to_the_root_of_its_size() {
    let ledger = Ledger::empty();
    let batch: Vec<_> = (0..299).map(|_| event()).collect();
    assert_eq!(ledger.post_batch(&batch).status, 201);
    let leaves: Vec<_> = entries(&ledger, 300).iter().map(|entry| leaf_hash(entry)).collect();
    let root = |size: usize| {
        let mut frontier = Frontier::new();
        leaves[..size].iter().for_each(|leaf| frontier.push(*leaf));
        frontier.root()
    };
    for size in [1, 2, 3, 7, 8, 9, 255, 256, 257, 300] {
        for seq in [0, 1, size / 2, size - 1] {
            let path = format!("/v1/proofs/inclusion?seq={seq}&size={size}");
            if seq < size {
                let proof = hashes(&ledger.get(&path, "auditor"));
                verify_inclusion(&leaves[seq], seq as u64, size as u64, &proof, &root(size)).unwrap();
            }
        }
        for from in [0, 1, 2, 5, size / 2, size] {
            if from <= size {
                let proof =
                    hashes(&ledger.get(&format!("/v1/proofs/consistency?from={from}&to={size}"), "auditor"));
                verify_consistency(from as u64, &root(from), size as u64, &root(size), &proof).unwrap();
            }
        }
    }
    assert_eq!(ledger.get("/v1/proofs/inclusion?seq=300&size=300", "auditor").status, 404);
    assert_eq!(ledger.get("/v1/proofs/inclusion?seq=0&size=301", "auditor").status, 404);
    assert_eq!(ledger.get("/v1/proofs/consistency?from=9&to=8", "auditor").status, 400);
    assert_eq!(ledger.get("/v1/proofs/inclusion", "auditor").problem(), "bad-parameter");
}

#[test]
fn both_forms_of_a_receipt_say_the_same_and_hold() {
    let ledger = Ledger::demo();
    let key = VerifierKey::parse(&ledger.key).unwrap();
    for seq in [0, 1, 100, 255, 256, ledger.size() - 1] {
        let path = format!("/v1/events/{seq}/receipt");
        let plain = Receipt::parse(&ledger.get(&path, "auditor").body).unwrap();
        let token = format!("Bearer {}", ledger.token("auditor"));
        let json =
            ledger.request("GET", &path, &[("authorization", &token), ("accept", "application/json")], b"");
        assert_eq!(json.header("content-type"), Some("application/json"));
        assert_eq!(Receipt::parse(&json.body).unwrap(), plain);
        let (checkpoint, _) =
            Checkpoint::open(plain.checkpoint.as_bytes(), std::slice::from_ref(&key)).unwrap();
        let leaf = leaf_hash(&plain.entry);
        verify_inclusion(&leaf, seq, checkpoint.size, &plain.proof, &checkpoint.root).unwrap();
        let view = ledger.get(&format!("/v1/events/{seq}"), "auditor").json();
        assert_eq!(view["hash"], to_base64(&leaf));
    }
}

#[test]
fn a_public_log_is_read_by_anyone_and_events_still_are_not() {
    let ledger = Ledger::with_config("public_log = true\n");
    let open = |path: &str| ledger.request("GET", path, &[], b"");
    for path in ["/log/checkpoint", "/log/tile/entries/000.p/1", "/v1/proofs/inclusion?seq=0", "/v1/keys"] {
        assert_eq!(open(path).status, 200, "{path}");
    }
    assert!(open("/log/tile/0/000.p/1").header("cache-control").unwrap().starts_with("public,"));
    assert_eq!(open("/v1/events/0").status, 401);
    assert!(text(&open("/log/checkpoint").body).starts_with(crate::kit::ORIGIN));
}
