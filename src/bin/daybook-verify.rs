//! `daybook-verify`: the verifier alone, for people who want to run nothing else of Daybook.
#![forbid(unsafe_code)]

use std::process::ExitCode;

fn main() -> ExitCode {
    // Arguments that are not UTF-8 can only be paths; replaced characters make them paths that do not exist.
    let args = std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned());
    let token = std::env::var("DAYBOOK_TOKEN").ok();
    let code = daybook::verify::command::main(args, token, &mut std::io::stdout(), &mut std::io::stderr());
    ExitCode::from(code)
}
