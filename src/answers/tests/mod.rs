//! Questions put to a small ledger as to a library: no server, no HTTP.

mod asking;
mod bounded;
mod judging;
pub(super) mod kit;
mod parts;
