//! Tiles and entry bundles (C2SP tlog-tiles): their paths, their bytes, and proofs from them.

use crate::merkle::{Hash, node_hash};
use std::fmt;

/// Hashes in a full tile, entries in a full bundle.
pub const TILE_WIDTH: u64 = 256;

/// Levels of the tree that one tile spans: 2^8 = 256.
pub const TILE_HEIGHT: u32 = 8;

/// Tile levels that the format can name (0..=63).
pub const MAX_LEVEL: u8 = 63;

/// What a path below `/log/tile/` names.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tile {
    /// Hashes of the tree's nodes.
    Hashes {
        /// How many tiles lie below: 0 for the leaves' hashes.
        level: u8,
        /// The tile's place in its level, from 0.
        number: u64,
        /// How many hashes it holds: 1 to 256.
        width: u16,
    },
    /// Entries, a bundle of them.
    Entries {
        /// The bundle's place, from 0.
        number: u64,
        /// How many entries it holds: 1 to 256.
        width: u16,
    },
}

impl Tile {
    /// Reads `<L>/<N>[.p/<W>]` or `entries/<N>[.p/<W>]`. Only the one spelling of each is known.
    #[must_use]
    pub fn parse(path: &str) -> Option<Self> {
        let (level, rest) = path.split_once('/')?;
        let (number, width) = match rest.split_once(".p/") {
            Some((number, width)) => (number, crate::encoding::from_decimal(width)?),
            None => (rest, TILE_WIDTH),
        };
        // A full tile is never spelt `.p/256`.
        if width == 0 || width > TILE_WIDTH || (width == TILE_WIDTH && rest.contains(".p/")) {
            return None;
        }
        let (number, width) = (parse_number(number)?, width as u16);
        if level == "entries" {
            return Some(Tile::Entries { number, width });
        }
        let level = u8::try_from(crate::encoding::from_decimal(level)?).ok()?;
        (level <= MAX_LEVEL).then_some(Tile::Hashes { level, number, width })
    }

    /// The log size from which on this tile exists in this width; none where no log of 64-bit size has it.
    #[must_use]
    pub fn needs_size(self) -> Option<u64> {
        let (level, number, width) = match self {
            Tile::Hashes { level, number, width } => (level, number, width),
            Tile::Entries { number, width } => (0, number, width),
        };
        let hashes = number.checked_mul(TILE_WIDTH)?.checked_add(u64::from(width))?;
        let shift = u32::from(level) * TILE_HEIGHT;
        if shift >= 64 || hashes.leading_zeros() < shift { None } else { Some(hashes << shift) }
    }
}

impl fmt::Display for Tile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (number, width) = match *self {
            Tile::Hashes { level, number, width } => {
                write!(f, "{level}/")?;
                (number, width)
            }
            Tile::Entries { number, width } => {
                f.write_str("entries/")?;
                (number, width)
            }
        };
        write_number(f, number)?;
        if u64::from(width) < TILE_WIDTH { write!(f, ".p/{width}") } else { Ok(()) }
    }
}

/// `1234067` → `x001/x234/067`.
fn write_number(f: &mut fmt::Formatter<'_>, number: u64) -> fmt::Result {
    let (mut groups, mut rest) = (Vec::new(), number / 1000);
    while rest > 0 {
        groups.push(rest % 1000);
        rest /= 1000;
    }
    for group in groups.iter().rev() {
        write!(f, "x{group:03}/")?;
    }
    write!(f, "{:03}", number % 1000)
}

fn parse_number(text: &str) -> Option<u64> {
    let mut number = 0_u64;
    let mut groups = text.split('/').peekable();
    let mut first = true;
    while let Some(group) = groups.next() {
        let digits = if groups.peek().is_some() { group.strip_prefix('x')? } else { group };
        if digits.len() != 3 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        // A leading group of zeros would be a second spelling.
        if first && digits == "000" && groups.peek().is_some() {
            return None;
        }
        first = false;
        number = number.checked_mul(1000)?.checked_add(digits.parse().ok()?)?;
    }
    Some(number)
}

/// Where a node of the tree is found: tile level, tile number, and the range of hashes in the tile that it covers.
#[must_use]
pub fn locate(level: u32, index: u64) -> (u8, u64, std::ops::Range<usize>) {
    let inner = level % TILE_HEIGHT;
    let first = index << inner;
    let within = (first % TILE_WIDTH) as usize;
    ((level / TILE_HEIGHT) as u8, first / TILE_WIDTH, within..within + (1 << inner))
}

/// The hash over a power of two of neighbouring hashes.
#[must_use]
pub fn fold(hashes: &[Hash]) -> Option<Hash> {
    match hashes {
        [] => None,
        [hash] => Some(*hash),
        _ if hashes.len().is_power_of_two() => {
            let (left, right) = hashes.split_at(hashes.len() / 2);
            Some(node_hash(&fold(left)?, &fold(right)?))
        }
        _ => None,
    }
}

/// Bytes of the length prefix before each entry of a bundle.
pub const LENGTH_BYTES: usize = 2;

/// Appends one entry to a bundle: big-endian `u16` length, then the entry. The caller keeps entries below 64 KiB.
pub fn push_framed(bundle: &mut Vec<u8>, entry: &[u8]) {
    let length =
        u16::try_from(entry.len()).unwrap_or_else(|_| unreachable!("entries are limited to 65,535 bytes"));
    bundle.extend_from_slice(&length.to_be_bytes());
    bundle.extend_from_slice(entry);
}

/// Takes the first entry off framed bytes: the entry and the rest; none if the bytes end before the entry does.
#[must_use]
pub fn split_framed(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(usize::from(u16::from_be_bytes(*length)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_example_of_the_specification() {
        let tile = Tile::Hashes { level: 0, number: 1_234_067, width: 256 };
        assert_eq!(tile.to_string(), "0/x001/x234/067");
        assert_eq!(Tile::parse("0/x001/x234/067"), Some(tile));
        assert_eq!(Tile::parse("entries/000.p/1"), Some(Tile::Entries { number: 0, width: 1 }));
    }

    /// C2SP tlog-tiles: which tiles a tree of 70,000 entries has.
    #[test]
    fn a_tree_of_70_000_has_these_tiles() {
        let has = |path: &str| Tile::parse(path).unwrap().needs_size().is_some_and(|size| size <= 70_000);
        for path in ["0/x000/001", "0/001", "0/272", "0/273.p/112", "1/000", "1/001.p/17", "2/000.p/1"] {
            if path == "0/x000/001" {
                assert_eq!(Tile::parse(path), None, "two spellings of one tile");
            } else {
                assert!(has(path), "{path}");
            }
        }
        for path in ["0/273.p/113", "0/273", "1/001.p/18", "2/000.p/2", "3/000.p/1"] {
            assert!(!has(path), "{path}");
        }
    }

    #[test]
    fn other_paths_name_nothing() {
        for path in [
            "",
            "0",
            "0/",
            "0/1",
            "0/0001",
            "0/x001",
            "0/x01/001",
            "0/001/001",
            "0/000.p/0",
            "0/000.p/256",
            "0/000.p/01",
            "0/000.p/",
            "0/000.p",
            "64/000",
            "00/000",
            "-1/000",
            "data/000",
            "entries/",
            "0/000/",
            "0/00a",
            "0/x000/000",
            "0/x999/x999/x999/x999/x999/x999/x999/999",
            "entries/000.p/1.p/1",
            "0/../000",
        ] {
            assert_eq!(Tile::parse(path), None, "{path}");
        }
        let huge = Tile::parse("63/000").unwrap();
        assert_eq!(huge.needs_size(), None);
        assert_eq!(Tile::parse("8/000.p/1").unwrap().needs_size(), None, "256^8 is beyond 64 bits");
        assert_eq!(Tile::parse("7/000.p/1").unwrap().needs_size(), Some(1 << 56));
    }

    #[test]
    fn frames_end_where_they_say() {
        let mut bundle = Vec::new();
        push_framed(&mut bundle, b"one");
        push_framed(&mut bundle, b"");
        let (first, rest) = split_framed(&bundle).unwrap();
        assert_eq!(first, b"one");
        assert_eq!(split_framed(rest), Some((&b""[..], &b""[..])));
        for cut in 1..5 {
            assert_eq!(split_framed(&bundle[..cut]), None);
        }
    }

    proptest! {
        #[test]
        fn paths_read_back(level in 0..=MAX_LEVEL, number in any::<u64>(), width in 1_u16..=256, entries in any::<bool>()) {
            let tile = if entries { Tile::Entries { number, width } } else { Tile::Hashes { level, number, width } };
            prop_assert_eq!(Tile::parse(&tile.to_string()), Some(tile));
        }

        #[test]
        fn any_text_is_read_without_panic(text in "[0-9x/.pentris]{0,40}") {
            if let Some(tile) = Tile::parse(&text) {
                prop_assert_eq!(tile.to_string(), text);
            }
        }
    }
}
