//! Putting a ledger together: opening it as a library ([`ledger::Ledger`]), and running it as a server ([`serve`]).
//!
//! The one place that knows all parts. May use everything but the command line; knows HTTP only where it runs the server.

pub mod catalogue;
pub mod config;
mod derived;
mod followers;
pub mod ledger;
pub mod logging;
mod outgrown;
pub mod remembered;
mod secrets;
pub mod serve;
mod sinks;
