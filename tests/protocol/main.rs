//! The append path over a scheduler that the test owns.
//!
//! The files are those of the program, built once more with another `sync`: threads, locks and channels run one at a
//! time, in an order that a seed decides, so that what failed can be had again, and a thread that waits for ever is
//! found at once. `DAYBOOK_SOAK` runs more seeds, `DAYBOOK_SEED=n` one.
//!
//! Not covered: memory orders weaker than sequential consistency; timeouts (a wait never times out); what happens inside
//! the answers' channels and the watches of tokio, which never block; the publisher's threads.
#![allow(
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::panic,
    clippy::unwrap_used,
    reason = "a test fails by a panic"
)]
#![allow(dead_code, unused_imports, reason = "the program's files are here for the log among them")]
#![allow(clippy::wrong_self_convention, reason = "in the library these are names that others use")]

#[path = "../../src/clock.rs"]
mod clock;
#[path = "../../src/log/mod.rs"]
mod log;
mod sync;

use daybook_spec as spec;
use daybook_verify as verify;

use log::tests::campaign::{Base, Campaign};
use log::tests::protocol;
use shuttle::scheduler::{PctScheduler, RandomScheduler};
use shuttle::{Config, Runner};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::ExitCode;
use std::sync::{Arc, Mutex};
use std::time::Instant;

/// Bytes of each thread's stack.
///
/// Reason: what the campaign's own frames take in a build without optimisation, twice over.
const STACK_BYTES: usize = 1 << 20;

/// How often a thread loses its turn in a run of the scheduler that lets the first in line go on.
const TURNS_LOST: usize = 4;

/// Runs something in an order of its threads that the seed decides. Two of three seeds choose at every step; the third
/// keeps to an order of precedence and changes it a few times, which finds what needs one thread to be very late.
fn in_order_of(
    seed: u64,
    run: impl Fn() -> Result<(), String> + Send + Sync + 'static,
) -> Result<(), String> {
    let mut config = Config::default();
    config.stack_size = STACK_BYTES;
    config.silence_warnings = true;
    config.failure_persistence = shuttle::FailurePersistence::None;
    let broken = Arc::new(Mutex::new(None));
    let run = {
        let broken = broken.clone();
        move || {
            if let Err(how) = run() {
                broken.lock().unwrap().get_or_insert(how);
            }
        }
    };
    let ran = catch_unwind(AssertUnwindSafe(|| {
        if seed % 3 == 2 {
            // The first run only counts the steps.
            Runner::new(PctScheduler::new_from_seed(seed, TURNS_LOST, 2), config).run(run);
        } else {
            Runner::new(RandomScheduler::new_from_seed(seed, 1), config).run(run);
        }
    }));
    let broken = broken.lock().unwrap().take();
    match (ran, broken) {
        (_, Some(how)) => Err(how),
        (Err(_), None) => Err("a thread panicked or waits for ever; see above".into()),
        (Ok(()), None) => Ok(()),
    }
}

/// Runs one case for each of its seeds; false at the first that fails.
fn case<R>(name: &str, seeds: u64, run: impl Fn(u64) -> R) -> bool
where
    R: Fn() -> Result<(), String> + Send + Sync + 'static,
{
    let (begun, mut count) = (Instant::now(), 0);
    for seed in log::tests::seeds(seeds) {
        count += 1;
        if let Err(how) = in_order_of(seed, run(seed)) {
            println!("test {name} ... FAILED\nDAYBOOK_SEED={seed}: {how}");
            return false;
        }
    }
    println!("test {name} ... ok, {count} orders in {:.1} s", begun.elapsed().as_secs_f64());
    count > 0
}

fn made() -> Arc<Base> {
    let base = Arc::new(Mutex::new(None));
    let to = base.clone();
    let made = in_order_of(0, move || {
        *to.lock().unwrap() = Some(Arc::new(Base::new(1)));
        Ok(())
    });
    made.expect("a ledger is made");
    base.lock().unwrap().take().expect("a ledger is made")
}

fn main() -> ExitCode {
    // `cargo test` hands the words after `--` to every test program; here they choose cases by a part of their names.
    let chosen: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let is_chosen = |name: &str| chosen.is_empty() || chosen.iter().any(|part| name.contains(part.as_str()));
    let mut good = true;
    let name = "everything_handed_in_is_answered_once_in_any_order_of_threads";
    if is_chosen(name) {
        let base = made();
        good &= case(name, 400, |seed| {
            let base = base.clone();
            move || protocol::run(seed, &base)
        });
    }
    let name = "promises_hold_whatever_the_power_does_in_any_order_of_threads";
    if is_chosen(name) {
        good &= case(name, 100, |seed| move || Campaign::new(seed, None).run().map(|_| ()));
    }
    if good { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
