//! The `daybook` command.
#![forbid(unsafe_code)]

use clap::Parser as _;
use std::process::ExitCode;

fn main() -> ExitCode {
    daybook::cli::run(daybook::cli::Arguments::parse())
}
