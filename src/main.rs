//! The `daybook` command.

use clap::Parser as _;
use std::process::ExitCode;

/// Reason: a request makes some hundred small allocations, and its memory is freed by another thread than the one that
/// asked for it; with the C library's allocator that was a seventh of the processor time of appending.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    // Whatever is made may hold what is recorded: nothing of it is for others, as nothing of the log is.
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o027));
    daybook::cli::run(daybook::cli::Arguments::parse())
}
