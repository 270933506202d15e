//! The command line: one file per command. `main.rs` only dispatches.
//!
//! Commands read arguments and the configuration, put the parts together, and say what happened. What they do is
//! done elsewhere.

mod backup;
mod check;
mod check_derived;
mod clock;
mod demo;
mod derive;
mod export;
mod key;
mod keygen;
mod progress;
mod rebuild;
mod scratch;
mod serve;
mod token;
mod verify;

use clap::{Parser, Subcommand};
use std::process::ExitCode;

/// An audit ledger for decisions that people and machines will be asked about later.
#[derive(Debug, Parser)]
#[command(name = "daybook", version, about, max_term_width = 100)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Try it: a ledger with a bank's year in it, on this machine.
    Demo(demo::Demo),
    /// Serve a ledger.
    Serve(serve::Serve),
    /// Verify a data folder, an export, a receipt, or a running server, trusting nobody.
    Verify(verify::Verify),
    /// Derive everything again from the entries and say what differs.
    Check(check::Check),
    /// Make the index and the views anew.
    Rebuild(rebuild::Rebuild),
    /// Make a signing key.
    Keygen(keygen::Keygen),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// Rotate the ledger's signing key.
    #[command(subcommand)]
    Key(key::Key),
    /// Confirm the machine's clock.
    #[command(subcommand)]
    Clock(clock::Clock),
    /// Write a whole ledger as NDJSON that verifies on its own.
    Export(export::Export),
    /// Make a data folder from an export, verified while it is read.
    Import(export::Import),
    /// Copy a ledger, also while it is served.
    Backup(backup::Backup),
    /// Make a data folder from a backup, verified while it is read.
    Restore(backup::Restore),
}

/// Runs a command.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Demo(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Verify(command) => return command.run(),
        Command::Check(command) => return command.run(),
        Command::Rebuild(command) => command.run(),
        Command::Keygen(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Key(command) => command.run(),
        Command::Clock(command) => command.run(),
        Command::Export(command) => command.run(),
        Command::Import(command) => command.run(),
        Command::Backup(command) => command.run(),
        Command::Restore(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daybook: {error:#}");
            ExitCode::FAILURE
        }
    }
}
