//! Proofs of inclusion and of consistency, against the recursive definitions of RFC 6962 §2.1 written out again.

use daybook::spec::merkle::{
    Frontier, Hash, ProofError, consistency_proof, inclusion_proof, leaf_hash, node_hash, verify_consistency,
    verify_inclusion,
};
use std::convert::Infallible;

/// Small trees are built, so that honest proofs can be asked for.
const SMALL: u64 = 300;

/// A proof is accepted exactly if the definition leads to the root, whatever the sizes; and what the prover makes
/// for a real tree is accepted.
pub fn check(data: &[u8]) {
    let Some((&[mode], rest)) = data.split_first_chunk::<1>() else { return };
    let Some((a, rest)) = rest.split_first_chunk::<8>() else { return };
    let Some((b, rest)) = rest.split_first_chunk::<8>() else { return };
    let (a, b) = (u64::from_be_bytes(*a), u64::from_be_bytes(*b));
    // Bit 0: small numbers, which most trees have.
    let (a, b) = if mode & 1 == 1 { (a % SMALL, b % SMALL) } else { (a, b) };
    let (hashes, _) = rest.as_chunks::<32>();
    if mode & 2 == 0 {
        inclusion(a, b, hashes)
    } else {
        consistency(a, b, hashes)
    }
    if b < SMALL {
        honest(a.min(b), b, hashes.first());
    }
}

fn inclusion(index: u64, size: u64, hashes: &[Hash]) {
    let Some((leaf, proof)) = hashes.split_first() else { return };
    let expected = if index < size { audit_root(leaf, index, size, proof) } else { None };
    match expected {
        Some(root) => {
            assert_eq!(verify_inclusion(leaf, index, size, proof, &root), Ok(()));
            let another = node_hash(&root, &root);
            assert_eq!(verify_inclusion(leaf, index, size, proof, &another), Err(ProofError::WrongRoot));
        }
        None => assert!(verify_inclusion(leaf, index, size, proof, leaf).is_err()),
    }
}

fn consistency(old: u64, new: u64, hashes: &[Hash]) {
    let [old_root, new_root, proof @ ..] = hashes else { return };
    if old > new || old == 0 || old == new {
        let same = old == new && old_root == new_root && proof.is_empty();
        let empty = old == 0 && old < new && *old_root == Frontier::new().root() && proof.is_empty();
        assert_eq!(verify_consistency(old, old_root, new, new_root, proof).is_ok(), same || empty);
        return;
    }
    let Some((from_old, from_new)) = grown_roots(old, new, true, old_root, proof) else {
        assert!(verify_consistency(old, old_root, new, new_root, proof).is_err());
        return;
    };
    let holds = from_old == *old_root && from_new == *new_root;
    assert_eq!(verify_consistency(old, old_root, new, new_root, proof).is_ok(), holds);
    assert_eq!(verify_consistency(old, &from_old, new, &from_new, proof), Ok(()));
}

/// The prover's proofs for a tree of `size` leaves hold; one changed hash, and they do not.
fn honest(smaller: u64, size: u64, change: Option<&Hash>) {
    let leaf = |seq: u64| leaf_hash(&seq.to_be_bytes());
    let tree = |from: u64, to: u64| {
        let mut tree = Frontier::new();
        (from..to).for_each(|seq| tree.push(leaf(seq)));
        tree.root()
    };
    let node = |level: u32, at: u64| Ok::<_, Infallible>(tree(at << level, (at + 1) << level));
    let (old_root, root) = (tree(0, smaller), tree(0, size));
    let Ok(mut proof) = consistency_proof(smaller, size, node);
    assert_eq!(verify_consistency(smaller, &old_root, size, &root, &proof), Ok(()));
    if let (Some(change), Some(hash)) = (change, proof.last_mut())
        && change != hash
    {
        *hash = *change;
        assert!(verify_consistency(smaller, &old_root, size, &root, &proof).is_err());
    }
    if smaller < size {
        let Ok(mut proof) = inclusion_proof(smaller, size, node);
        assert_eq!(verify_inclusion(&leaf(smaller), smaller, size, &proof, &root), Ok(()));
        if let (Some(change), Some(hash)) = (change, proof.last_mut())
            && change != hash
        {
            *hash = *change;
            assert!(verify_inclusion(&leaf(smaller), smaller, size, &proof, &root).is_err());
        }
    }
}

/// The k of RFC 6962: the largest power of two smaller than `n`, for `n` > 1.
fn split(n: u64) -> u64 {
    let mut k = 1;
    while k < n - k {
        k *= 2;
    }
    k
}

/// The root that an audit path leads to; none if it has the wrong length.
fn audit_root(leaf: &Hash, index: u64, size: u64, path: &[Hash]) -> Option<Hash> {
    if size == 1 {
        return path.is_empty().then_some(*leaf);
    }
    let (top, rest) = path.split_last()?;
    let k = split(size);
    Some(if index < k {
        node_hash(&audit_root(leaf, index, k, rest)?, top)
    } else {
        node_hash(top, &audit_root(leaf, index - k, size - k, rest)?)
    })
}

/// The old and the new root that a consistency proof leads to; none if it has the wrong length.
fn grown_roots(old: u64, new: u64, whole: bool, old_root: &Hash, proof: &[Hash]) -> Option<(Hash, Hash)> {
    if old == new {
        return match (whole, proof) {
            (true, []) => Some((*old_root, *old_root)),
            (false, [hash]) => Some((*hash, *hash)),
            _ => None,
        };
    }
    let (top, rest) = proof.split_last()?;
    let k = split(new);
    if old <= k {
        let (from_old, from_new) = grown_roots(old, k, whole, old_root, rest)?;
        Some((from_old, node_hash(&from_new, top)))
    } else {
        let (from_old, from_new) = grown_roots(old - k, new - k, false, old_root, rest)?;
        Some((node_hash(top, &from_old), node_hash(top, &from_new)))
    }
}
