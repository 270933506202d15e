//! The command line: one file per command. `main.rs` only dispatches.
//!
//! Commands read arguments and the configuration, put the parts together, and say what happened. What they do is
//! done elsewhere.

mod config;
mod demo;
mod key;
mod keygen;
mod ledger;
mod progress;
mod serve;
mod token;

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
    /// Make a signing key.
    Keygen(keygen::Keygen),
    /// Make, list and revoke tokens.
    #[command(subcommand)]
    Token(token::Token),
    /// Rotate the ledger's signing key.
    #[command(subcommand)]
    Key(key::Key),
}

/// Runs a command.
#[must_use]
pub fn run(arguments: Arguments) -> ExitCode {
    let result = match arguments.command {
        Command::Demo(command) => command.run(),
        Command::Serve(command) => command.run(),
        Command::Keygen(command) => command.run(),
        Command::Token(command) => command.run(),
        Command::Key(command) => command.run(),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("daybook: {error:#}");
            ExitCode::FAILURE
        }
    }
}
