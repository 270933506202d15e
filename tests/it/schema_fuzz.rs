//! The served description of the API, tried out by schemathesis: no fault of the server, and no answer that the
//! description does not know. Each role has a run of its own; what is left out is in
//! `tests/schemathesis/schemathesis.toml`, with the reason.
//!
//! `DAYBOOK_SOAK=1` tries out more, with another seed each time; the seed is printed with what fails.

use crate::kit::{Ledger, minutes, soak, text};
use std::path::Path;
use std::process::{Command, Output};

/// The seed of the short form.
const SEED: u64 = 20_261_124;

/// How a role tries the API out.
struct Trial {
    role: &'static str,
    /// Which operations.
    filter: &'static [&'static str],
    /// What is sent: the description's examples, its borders, and what chance makes of it. Borders of the events'
    /// schemas alone take minutes, because each of the types is one alternative among many.
    phases: &'static str,
    examples: u32,
}

const TRIALS: [Trial; 4] = [
    Trial {
        role: "producer",
        filter: &["--include-name", "POST /v1/events"],
        phases: "examples,fuzzing",
        examples: 20,
    },
    Trial {
        role: "auditor",
        filter: &["--include-method", "GET"],
        phases: "examples,coverage,fuzzing",
        examples: 20,
    },
    // Whoever may not read everything is told so, in an answer that is described.
    Trial {
        role: "producer",
        filter: &["--include-method", "GET"],
        phases: "examples,coverage,fuzzing",
        examples: 5,
    },
    // Each change of keys makes a key file: a few do.
    Trial {
        role: "admin",
        filter: &["--include-path-regex", "^/v1/(keys/rotate|clock/confirm)$"],
        phases: "examples,coverage,fuzzing",
        examples: 10,
    },
];

fn try_out(ledger: &Ledger, trial: &Trial, seed: u64) -> Output {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR"));
    let schemathesis = repository.join("target/schemathesis/bin/schemathesis");
    assert!(schemathesis.exists(), "schemathesis is not installed: run `make deps`");
    let soak = soak();
    let phases = if soak { "examples,coverage,fuzzing" } else { trial.phases };
    // What it tries takes as long as it takes: within given minutes, the fewer are tried.
    let times = minutes().map_or(50, |minutes| minutes.clamp(1, 50) as u32);
    let examples = if soak { trial.examples * times } else { trial.examples };
    // Bounded whatever happens; far more than it takes on a slow machine.
    let mut command = Command::new("timeout");
    command.arg(if soak { "7200" } else { "600" }).arg(schemathesis);
    command.arg("--config-file").arg(repository.join("tests/schemathesis/schemathesis.toml"));
    command.args(["run", "--no-color", "--continue-on-failure", "--phases", phases]);
    command.args(["--max-examples", &examples.to_string(), "--seed", &seed.to_string()]);
    command.args(["--request-timeout", "30", "--suppress-health-check", "all", "--warnings", "off"]);
    command.args(["-H", &format!("Authorization: Bearer {}", ledger.token(trial.role))]);
    command.args(trial.filter).arg(format!("{}/openapi.json", ledger.url));
    // It keeps what it found before in its working folder: not here.
    command.current_dir(ledger.dir.path()).output().unwrap()
}

#[test]
fn every_answer_is_one_that_the_description_knows() {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let soak = soak();
    let seed = if soak { u64::from(std::process::id()) } else { SEED };
    for trial in &TRIALS {
        let output = try_out(&ledger, trial, seed);
        let said = text(&output.stdout) + &text(&output.stderr);
        assert!(output.status.success(), "as {} with seed {seed}:\n{said}", trial.role);
        assert!(said.contains(" passed"), "nothing was tried as {}:\n{said}", trial.role);
    }
    let (said, code) = ledger.verify();
    assert_eq!(code, 0, "{said}");
}
