//! Ends a run early in good order: a signal only raises a flag, every loop that waits looks at it, and the way out is
//! an ordinary error, so that servers are stopped and folders removed by their owners' `Drop`.

use anyhow::{Context, Result, bail};
use std::sync::atomic::{AtomicBool, Ordering};
use tokio::signal::unix::{SignalKind, signal};

static STOPPED: AtomicBool = AtomicBool::new(false);

/// From now on SIGINT and SIGTERM raise the flag instead of ending the process.
pub fn watch_signals() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().context("signals")?;
    std::thread::spawn(move || {
        runtime.block_on(async {
            if let (Ok(mut interrupt), Ok(mut terminate)) =
                (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
            {
                let (first, second) = (std::pin::pin!(interrupt.recv()), std::pin::pin!(terminate.recv()));
                futures_util::future::select(first, second).await;
                STOPPED.store(true, Ordering::Relaxed);
            }
        });
    });
    Ok(())
}

/// An error once somebody asked to stop.
pub fn check() -> Result<()> {
    if STOPPED.load(Ordering::Relaxed) {
        bail!("stopped by a signal");
    }
    Ok(())
}
