//! Putting a ledger together and running it.

pub mod config;
pub mod ledger;
mod outgrown;
