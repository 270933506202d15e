//! Progress of long work: a bar on a terminal, plain lines elsewhere.

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::cell::Cell;
use std::io::{IsTerminal as _, Write as _};
use std::time::{Duration, Instant};

/// How often a plain line says how far the work is.
///
/// Reason: short work prints none, an hour's work fills no log.
const PLAIN_EVERY: Duration = Duration::from_secs(5);

/// How far something is.
pub struct Progress {
    what: &'static str,
    /// None where standard error is no terminal.
    bar: Option<ProgressBar>,
    total: Cell<u64>,
    said: Cell<Instant>,
}

impl Progress {
    /// Nothing of `total` is done yet.
    #[must_use]
    pub fn start(what: &'static str, total: u64) -> Self {
        let bar = std::io::stderr().is_terminal().then(|| {
            let bar =
                ProgressBar::with_draw_target(Some(total), ProgressDrawTarget::stderr()).with_message(what);
            match ProgressStyle::with_template("{msg} {bar:30} {human_pos}/{human_len} {per_sec} {eta}") {
                Ok(style) => bar.with_style(style),
                Err(_) => bar,
            }
        });
        Self { what, bar, total: Cell::new(total), said: Cell::new(Instant::now()) }
    }

    /// How much there is to do, once that is known.
    pub fn set_total(&self, total: u64) {
        self.total.set(total);
        if let Some(bar) = &self.bar {
            bar.set_length(total);
        }
    }

    /// How much is done.
    pub fn set(&self, done: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(done);
        } else if self.said.get().elapsed() >= PLAIN_EVERY {
            self.said.set(Instant::now());
            // Whoever closed standard error does not want to know.
            let _ = writeln!(std::io::stderr(), "{}: {done} of {}", self.what, self.total.get());
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}
