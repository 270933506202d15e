//! Paths of tiles.

use daybook::spec::tile::{TILE_WIDTH, Tile};

/// An accepted path is the one spelling of its tile, and a tile that exists is there from one size on.
pub fn check(data: &[u8]) {
    let Ok(path) = std::str::from_utf8(data) else { return };
    let Some(tile) = Tile::parse(path) else { return };
    assert_eq!(tile.to_string(), path);
    let (level, number, width) = match tile {
        Tile::Hashes { level, number, width } => (u32::from(level), number, width),
        Tile::Entries { number, width } => (0, number, width),
    };
    assert!((1..=TILE_WIDTH).contains(&u64::from(width)));
    // In 128 bits, where nothing overflows below level 7: 2^64 tiles of 256 at level 6 are 2^120 entries.
    let wide = (u128::from(number) * 256 + u128::from(width)).checked_mul(256_u128.pow(level.min(6)));
    let expected = wide.filter(|_| level <= 6).and_then(|size| u64::try_from(size).ok());
    if level <= 6 {
        assert_eq!(tile.needs_size(), expected);
    } else if let Some(size) = tile.needs_size() {
        assert!(level == 7 && number == 0 && size == u64::from(width) << 56);
    }
}
