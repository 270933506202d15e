//! Who is asking, and what they may do: bearer tokens with roles, kept as hashes in one file.
//!
//! Knows tokens, roles and sources; must never know what an event means or how HTTP carries a token.

mod principal;
mod tokens;

pub use principal::{Principal, Role};
pub use tokens::{NewToken, TokenError, TokenInfo, Tokens};
