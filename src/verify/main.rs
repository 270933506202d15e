//! `daybook-verify`: the verifier alone, for people who want to run nothing else of Daybook.

use std::process::ExitCode;

fn main() -> ExitCode {
    // Arguments that are not UTF-8 can only be paths; replaced characters make them paths that do not exist.
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    let token = std::env::var("DAYBOOK_TOKEN").ok();
    let (mut out, mut err) = (std::io::stdout(), std::io::stderr());
    let code = daybook_verify::command::main(args, token, &chance, &mut out, &mut err);
    ExitCode::from(code)
}

/// Random bytes for batches.
#[cfg(feature = "batch")]
fn chance() -> std::io::Result<[u8; daybook_verify::SEED_BYTES]> {
    let mut seed = [0; daybook_verify::SEED_BYTES];
    getrandom::fill(&mut seed).map_err(|error| std::io::Error::other(error.to_string()))?;
    Ok(seed)
}

/// Never asked: there are no batches without the feature.
#[cfg(not(feature = "batch"))]
fn chance() -> std::io::Result<[u8; daybook_verify::SEED_BYTES]> {
    Err(std::io::ErrorKind::Unsupported.into())
}
