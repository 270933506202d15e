//! The Merkle tree of RFC 6962 §2.1: hashes, roots, inclusion and consistency proofs.
//!
//! A node is named (level, index): the hash over the leaves `[index·2^level, (index+1)·2^level)`. Only complete
//! nodes have names; everything else is computed from them.

use sha2::{Digest, Sha256};
use std::fmt;

/// A SHA-256 hash.
pub type Hash = [u8; 32];

/// Hashes that a proof can hold: one a level, and a size has at most 64 bits.
pub const MAX_PROOF_HASHES: usize = 64;

/// The hash of one leaf, `SHA-256(0x00 || data)`.
#[must_use]
pub fn leaf_hash(data: &[u8]) -> Hash {
    Sha256::new().chain_update([0]).chain_update(data).finalize().into()
}

/// The hash of an inner node, `SHA-256(0x01 || left || right)`.
#[must_use]
pub fn node_hash(left: &Hash, right: &Hash) -> Hash {
    Sha256::new().chain_update([1]).chain_update(left).chain_update(right).finalize().into()
}

/// The root of the tree without leaves, `SHA-256("")`.
#[must_use]
pub fn empty_root() -> Hash {
    Sha256::digest([]).into()
}

/// The right edge of a growing tree: the roots of its complete subtrees, largest first. It holds what is needed to
/// append and to know the root, in at most 64 hashes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Frontier {
    size: u64,
    /// One root for each set bit of `size`, highest bit first.
    roots: Vec<Hash>,
}

impl Frontier {
    /// The frontier of an empty tree.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// The frontier of a tree of `size` leaves whose complete subtrees are fetched by `node(level, index)`.
    ///
    /// # Errors
    /// Whatever `node` fails with.
    pub fn load<E>(size: u64, mut node: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Self, E> {
        let mut roots = Vec::new();
        for level in (0..64).rev().filter(|level| size >> level & 1 == 1) {
            // The subtree of this bit starts after those of the higher bits.
            let index = (size >> level) - 1;
            roots.push(node(level, index)?);
        }
        Ok(Self { size, roots })
    }

    /// Leaves so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Appends a leaf's hash.
    pub fn push(&mut self, leaf: Hash) {
        self.push_with(leaf, |_, _, _| {});
    }

    /// Appends a leaf's hash and tells `completed(level, index, hash)` of each inner node that it completes.
    pub fn push_with(&mut self, leaf: Hash, mut completed: impl FnMut(u32, u64, &Hash)) {
        let mut hash = leaf;
        // Each trailing one bit of the size is a complete subtree that merges with the new leaf, as in a carry.
        let carries = self.size.trailing_ones();
        let left = self.roots.split_off(self.roots.len() - carries as usize);
        for (level, sibling) in (1..=carries).zip(left.iter().rev()) {
            hash = node_hash(sibling, &hash);
            completed(level, self.size >> level, &hash);
        }
        self.roots.push(hash);
        self.size += 1;
    }

    /// The root over all leaves so far.
    #[must_use]
    pub fn root(&self) -> Hash {
        let mut roots = self.roots.iter().rev();
        match roots.next() {
            None => empty_root(),
            Some(last) => roots.fold(*last, |right, left| node_hash(left, &right)),
        }
    }
}

/// The hash over the leaves `[from, to)` of a tree, from its complete nodes.
fn range_hash<E>(from: u64, to: u64, node: &mut impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    let width = to - from;
    if width.is_power_of_two() && from.is_multiple_of(width) {
        return node(width.trailing_zeros(), from >> width.trailing_zeros());
    }
    let split = from + largest_power_below(width);
    let left = range_hash(from, split, node)?;
    Ok(node_hash(&left, &range_hash(split, to, node)?))
}

/// The largest power of two smaller than `n`, for `n > 1` (RFC 6962: k < n ≤ 2k).
fn largest_power_below(n: u64) -> u64 {
    1 << (63 - (n - 1).leading_zeros())
}

/// The root of the first `size` leaves, from complete nodes.
///
/// # Errors
/// Whatever `node` fails with.
pub fn root<E>(size: u64, mut node: impl FnMut(u32, u64) -> Result<Hash, E>) -> Result<Hash, E> {
    if size == 0 { Ok(empty_root()) } else { range_hash(0, size, &mut node) }
}

/// The inclusion proof (audit path, RFC 6962 §2.1.1) of leaf `index` in the tree of `size` leaves, the leaf's
/// sibling first. The caller makes sure that `index < size`.
///
/// # Errors
/// Whatever `node` fails with.
pub fn inclusion_proof<E>(
    index: u64,
    size: u64,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    assert!(index < size, "a leaf outside the tree has no inclusion proof");
    let mut proof = Vec::new();
    let (mut from, mut to) = (0, size);
    while to - from > 1 {
        let split = from + largest_power_below(to - from);
        if index < split {
            proof.push(range_hash(split, to, &mut node)?);
            to = split;
        } else {
            proof.push(range_hash(from, split, &mut node)?);
            from = split;
        }
    }
    proof.reverse();
    Ok(proof)
}

/// The consistency proof (RFC 6962 §2.1.2) between the trees of `old` and `new` leaves. The caller makes sure
/// that `old <= new`. Empty for equal sizes and for an empty old tree, where there is nothing to show.
///
/// # Errors
/// Whatever `node` fails with.
pub fn consistency_proof<E>(
    old: u64,
    new: u64,
    mut node: impl FnMut(u32, u64) -> Result<Hash, E>,
) -> Result<Vec<Hash>, E> {
    assert!(old <= new, "a log only grows");
    let mut proof = Vec::new();
    if old == 0 || old == new {
        return Ok(proof);
    }
    let (mut from, mut to) = (0, new);
    // SUBPROOF(m, D[n], b): go down to where the old tree ends, collecting the other side.
    while old != to {
        let split = from + largest_power_below(to - from);
        if old <= split {
            proof.push(range_hash(split, to, &mut node)?);
            to = split;
        } else {
            proof.push(range_hash(from, split, &mut node)?);
            from = split;
        }
    }
    // `from == 0` is the case b = true: the verifier knows the old root itself.
    if from != 0 {
        proof.push(range_hash(from, to, &mut node)?);
    }
    proof.reverse();
    Ok(proof)
}

/// Why a proof shows nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProofError {
    /// The index is not in the tree, or the old tree is larger than the new.
    OutOfRange,
    /// Too few or too many hashes for these sizes.
    WrongLength,
    /// It leads to another root.
    WrongRoot,
}

impl fmt::Display for ProofError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            ProofError::OutOfRange => "the proof is about something outside the tree",
            ProofError::WrongLength => "the proof has the wrong number of hashes",
            ProofError::WrongRoot => "the proof leads to another root",
        })
    }
}

impl std::error::Error for ProofError {}

/// Checks that `leaf` stands at `index` in the tree of `size` leaves with this root (RFC 9162 §2.1.3.2).
///
/// # Errors
/// See [`ProofError`].
pub fn verify_inclusion(
    leaf: &Hash,
    index: u64,
    size: u64,
    proof: &[Hash],
    root: &Hash,
) -> Result<(), ProofError> {
    if index >= size {
        return Err(ProofError::OutOfRange);
    }
    let (mut node, mut last) = (index, size - 1);
    let mut hash = *leaf;
    for sibling in proof {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            hash = node_hash(sibling, &hash);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            hash = node_hash(&hash, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        Err(ProofError::WrongLength)
    } else if hash != *root {
        Err(ProofError::WrongRoot)
    } else {
        Ok(())
    }
}

/// Checks that the tree of `new` leaves starts with the tree of `old` leaves (RFC 9162 §2.1.4.2).
///
/// # Errors
/// See [`ProofError`].
pub fn verify_consistency(
    old: u64,
    old_root: &Hash,
    new: u64,
    new_root: &Hash,
    proof: &[Hash],
) -> Result<(), ProofError> {
    if old > new {
        return Err(ProofError::OutOfRange);
    }
    if old == new || old == 0 {
        let same = if old == new { old_root == new_root } else { *old_root == empty_root() };
        return match (proof.is_empty(), same) {
            (false, _) => Err(ProofError::WrongLength),
            (true, false) => Err(ProofError::WrongRoot),
            (true, true) => Ok(()),
        };
    }
    let (mut node, mut last) = (old - 1, new - 1);
    let trailing = node.trailing_ones();
    node >>= trailing;
    last >>= trailing;
    // A complete old tree is itself the first node of the path; the proof leaves it out.
    let mut hashes = proof.iter();
    let first =
        if old.is_power_of_two() { *old_root } else { *hashes.next().ok_or(ProofError::WrongLength)? };
    let (mut from_old, mut from_new) = (first, first);
    for sibling in hashes {
        if last == 0 {
            return Err(ProofError::WrongLength);
        }
        if node & 1 == 1 || node == last {
            from_old = node_hash(sibling, &from_old);
            from_new = node_hash(sibling, &from_new);
            while node & 1 == 0 && node != 0 {
                node >>= 1;
                last >>= 1;
            }
        } else {
            from_new = node_hash(&from_new, sibling);
        }
        node >>= 1;
        last >>= 1;
    }
    if last != 0 {
        Err(ProofError::WrongLength)
    } else if from_old != *old_root || from_new != *new_root {
        Err(ProofError::WrongRoot)
    } else {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoding::{from_hex, to_hex};
    use proptest::prelude::*;
    use std::convert::Infallible;

    /// The leaves of the reference tree that Certificate Transparency implementations are tested with.
    const LEAVES: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    const ROOTS: [&str; 8] = [
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];

    fn naive(leaves: &[Hash]) -> Hash {
        match leaves {
            [] => empty_root(),
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(largest_power_below(leaves.len() as u64) as usize);
                node_hash(&naive(left), &naive(right))
            }
        }
    }

    fn leaves(n: usize) -> Vec<Hash> {
        (0..n).map(|i| leaf_hash(&i.to_be_bytes())).collect()
    }

    fn node_of(leaves: &[Hash]) -> impl FnMut(u32, u64) -> Result<Hash, Infallible> + '_ {
        |level, index| Ok(naive(&leaves[(index << level) as usize..((index + 1) << level) as usize]))
    }

    #[test]
    fn published_roots() {
        assert_eq!(to_hex(&empty_root()), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
        let mut frontier = Frontier::new();
        assert_eq!(frontier.root(), empty_root());
        for (leaf, root) in LEAVES.iter().zip(ROOTS) {
            frontier.push(leaf_hash(leaf));
            assert_eq!(to_hex(&frontier.root()), root);
        }
    }

    /// Published audit path of leaf 5 in the reference tree of 8.
    #[test]
    fn published_inclusion_proof() {
        let hashes: Vec<_> = LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect();
        let proof = inclusion_proof(5, 8, node_of(&hashes)).unwrap();
        let expected = [
            "bc1a0643b12e4d2d7c77918f44e0f4f79a838b6cf9ec5b5c283e1f4d88599e6b",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];
        assert_eq!(proof.iter().map(|hash| to_hex(hash)).collect::<Vec<_>>(), expected);
        verify_inclusion(&hashes[5], 5, 8, &proof, &from_hex(ROOTS[7]).unwrap()).unwrap();
    }

    /// Published consistency proof from 6 to 8 leaves of the reference tree.
    #[test]
    fn published_consistency_proof() {
        let hashes: Vec<_> = LEAVES.iter().map(|leaf| leaf_hash(leaf)).collect();
        let proof = consistency_proof(6, 8, node_of(&hashes)).unwrap();
        let expected = [
            "0ebc5d3437fbe2db158b9f126a1d118e308181031d0a949f8dededebc558ef6a",
            "ca854ea128ed050b41b35ffc1b87b8eb2bde461e9e3b5596ece6b9d5975a0ae0",
            "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        ];
        assert_eq!(proof.iter().map(|hash| to_hex(hash)).collect::<Vec<_>>(), expected);
        let root = |n: usize| from_hex(ROOTS[n - 1]).unwrap();
        verify_consistency(6, &root(6), 8, &root(8), &proof).unwrap();
    }

    #[test]
    fn all_proofs_of_small_trees_hold_and_any_change_breaks_them() {
        let all = leaves(40);
        for size in 1..=all.len() as u64 {
            let tree = &all[..size as usize];
            let root = naive(tree);
            for index in 0..size {
                let proof = inclusion_proof(index, size, node_of(tree)).unwrap();
                assert_eq!(verify_inclusion(&tree[index as usize], index, size, &proof, &root), Ok(()));
                let other = (index + 1) % size;
                if size > 1 {
                    assert!(verify_inclusion(&tree[index as usize], other, size, &proof, &root).is_err());
                    assert!(
                        verify_inclusion(&tree[index as usize], index, size, &proof[1..], &root).is_err()
                    );
                }
                let longer = [&proof[..], &[root]].concat();
                assert!(verify_inclusion(&tree[index as usize], index, size, &longer, &root).is_err());
            }
            for old in 0..=size {
                let old_root = naive(&tree[..old as usize]);
                let proof = consistency_proof(old, size, node_of(tree)).unwrap();
                assert_eq!(verify_consistency(old, &old_root, size, &root, &proof), Ok(()), "{old} {size}");
                let forged = naive(&leaves(41)[1..=old as usize]);
                if old > 0 {
                    assert!(verify_consistency(old, &forged, size, &root, &proof).is_err());
                }
                for i in 0..proof.len() {
                    let mut changed = proof.clone();
                    changed[i][0] ^= 1;
                    assert!(verify_consistency(old, &old_root, size, &root, &changed).is_err());
                }
                assert!(verify_consistency(size + 1, &root, size, &root, &proof).is_err());
            }
        }
    }

    #[test]
    fn sizes_near_the_end_of_64_bits_neither_overflow_nor_hang() {
        let hash = [1; 32];
        let proof = [hash; MAX_PROOF_HASHES];
        assert!(verify_inclusion(&hash, u64::MAX - 1, u64::MAX, &proof, &hash).is_err());
        assert!(verify_consistency(u64::MAX - 1, &hash, u64::MAX, &hash, &proof).is_err());
        assert!(verify_consistency(1, &hash, u64::MAX, &hash, &proof).is_err());
    }

    proptest! {
        #[test]
        fn the_frontier_is_the_tree(n in 0_usize..600) {
            let all = leaves(n);
            let mut frontier = Frontier::new();
            let mut nodes = std::collections::HashMap::new();
            for leaf in &all {
                frontier.push_with(*leaf, |level, index, hash| { nodes.insert((level, index), *hash); });
            }
            prop_assert_eq!(frontier.root(), naive(&all));
            let loaded = Frontier::load(n as u64, |level, index| if level == 0 {
                all.get(index as usize).copied().ok_or(())
            } else {
                nodes.get(&(level, index)).copied().ok_or(())
            });
            prop_assert_eq!(loaded, Ok(frontier));
        }

        #[test]
        fn agrees_with_another_implementation(n in 1_usize..200, index in 0_usize..200, old in 1_usize..200) {
            use ct_merkle::mem_backed_tree::MemoryBackedTree;
            let (index, old) = (index % n, 1 + old % n);
            let mut oracle = MemoryBackedTree::<Sha256, Vec<u8>>::new();
            for i in 0..n {
                oracle.push(i.to_be_bytes().to_vec());
            }
            let all = leaves(n);
            prop_assert_eq!(oracle.root().as_bytes().to_vec(), naive(&all).to_vec());
            let ours = inclusion_proof(index as u64, n as u64, node_of(&all)).unwrap().concat();
            let proof = oracle.prove_inclusion(index);
            prop_assert_eq!(proof.as_bytes(), &ours[..]);
            if old < n {
                let ours = consistency_proof(old as u64, n as u64, node_of(&all)).unwrap().concat();
                let proof = oracle.prove_consistency(n - old);
                prop_assert_eq!(proof.as_bytes(), &ours[..]);
            }
        }
    }
}
