//! The formats, byte for byte (FORMATS.md), and nothing else.
//!
//! Everything here is a pure function of its arguments: no disk, no network, no clock, no randomness, no async,
//! no logging. Both sides use it: the ledger to write, the verifier to read. It may use SHA-256, Ed25519,
//! base64 and the shortest-number printer, and no other package.
//!
//! | module | specification |
//! | --- | --- |
//! | [`json`], [`number`], [`canonical`], [`strings`] | RFC 8259 read strictly, RFC 8785 (JCS) written |
//! | [`note`] | C2SP signed-note |
//! | [`merkle`] | RFC 6962 §2.1 |
//! | [`tile`] | C2SP tlog-tiles |
//! | [`checkpoint`] | C2SP tlog-checkpoint |
//! | [`entry`] | FORMATS.md section 2 |
//! | [`receipt`] | C2SP tlog-proof, FORMATS.md section 6 |
//! | [`export`] | FORMATS.md section 9 |
//! | [`layout`] | FORMATS.md section 8: folder names and the head |
//! | [`time`] | RFC 3339, the one form the ledger writes |

pub mod canonical;
pub mod checkpoint;
pub mod encoding;
pub mod entry;
pub mod export;
pub mod json;
pub mod layout;
pub mod merkle;
pub mod note;
pub mod number;
pub mod receipt;
pub mod strings;
pub mod tile;
pub mod time;
