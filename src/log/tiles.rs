//! Tiles with all the nodes that they span, so that a proof needs no hashing beyond what checked the tile.

use crate::spec::merkle::{Hash, node_hash};
use crate::spec::tile::TILE_WIDTH;
use std::ops::Range;

const WIDTH: usize = TILE_WIDTH as usize;

/// A full tile as a binary heap: the root at 1, the children of `n` at `2n` and `2n + 1`, the tile's hashes from 256 on.
/// Place 0 is empty. 16 KiB.
pub struct TileTree(Box<[Hash; 2 * WIDTH]>);

impl TileTree {
    /// The tree over a full tile's 256 hashes; none if there are more or fewer.
    #[must_use]
    #[expect(clippy::indexing_slicing, reason = "twice a place below the middle, and the next, are places")]
    pub fn over(hashes: &[Hash]) -> Option<Self> {
        if hashes.len() != WIDTH {
            return None;
        }
        let mut nodes = Box::new([[0; 32]; 2 * WIDTH]);
        nodes[WIDTH..].copy_from_slice(hashes);
        for at in (1..WIDTH).rev() {
            nodes[at] = node_hash(&nodes[2 * at], &nodes[2 * at + 1]);
        }
        Some(Self(nodes))
    }

    /// The hash over the whole tile.
    #[must_use]
    pub fn root(&self) -> Hash {
        let [_, root, ..] = &*self.0;
        *root
    }

    /// The tile's hashes.
    #[must_use]
    pub fn hashes(&self) -> &[Hash] {
        self.0.split_at(WIDTH).1
    }

    /// The hash over those of the tile's hashes, a power of two of them from a multiple of that on; none for other ranges.
    #[must_use]
    pub fn node(&self, over: &Range<usize>) -> Option<Hash> {
        let width = over.len();
        if !width.is_power_of_two() || !over.start.is_multiple_of(width) || over.end > WIDTH {
            return None;
        }
        self.0.get((WIDTH + over.start) / width).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::tile::fold;

    #[test]
    fn each_node_is_what_folding_comes_to() {
        let hashes: Vec<Hash> = (0..=255).map(|byte| [byte; 32]).collect();
        let tree = TileTree::over(&hashes).unwrap();
        assert_eq!(tree.hashes(), hashes);
        assert_eq!(Some(tree.root()), fold(&hashes));
        for width in (0..=8).map(|height| 1 << height) {
            for start in (0..256).step_by(width) {
                let over = start..start + width;
                assert_eq!(tree.node(&over), fold(&hashes[over.clone()]), "{over:?}");
            }
        }
        for none in [0..0, 0..3, 1..3, 256..257, 0..512] {
            assert_eq!(tree.node(&none), None, "{none:?}");
        }
    }

    #[test]
    fn a_tree_is_over_full_tiles() {
        for width in [0, 1, 255, 257] {
            assert!(TileTree::over(&vec![[0; 32]; width]).is_none());
        }
    }
}
