//! Who is asking, and what they may do: bearer tokens with roles, kept as hashes in one file.
//!
//! Knows tokens, roles, the names of sources and types, and whom a token speaks for; must never know what an event means
//! (whether a type is a fact is told to it) or how HTTP carries a token.

mod principal;
mod role;
mod tokens;

pub use principal::{FACTS, Principal};
pub use role::Role;
pub use tokens::{NewToken, TokenError, TokenInfo, Tokens};
