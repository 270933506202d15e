//! The `daybook` command.

use clap::Parser as _;
use std::process::ExitCode;

/// Reason: a request makes some hundred small allocations, and its memory is freed by another thread than the one that
/// asked for it; with the C library's allocator that was a seventh of the processor time of appending.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    daybook::cli::run(daybook::cli::Arguments::parse())
}
