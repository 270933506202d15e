//! Running a ledger as a server, until it is told to end or its disk fails.

use crate::api::routes;
use crate::api::stream::MAX_STREAMS;
use crate::app::ledger::{How, Ledger};
use crate::app::outgrown::warn_when_outgrown;
use crate::identity::Tokens;
use crate::spec::note::VerifierKey;
use crate::web::body::Budget;
use crate::web::in_flight::InFlight;
use crate::web::metrics::Metrics;
use crate::web::rate::Rates;
use crate::web::shares::Shares;
use crate::web::turns::Turns;
use crate::web::{Service, Settings, server};
use actix_web::web;
use anyhow::bail;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use std::net::TcpListener;
use std::path::Path;
use std::pin::pin;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;

/// Runs the ledger in a folder until the process is told to end, and calls `ready(url, first key)` when it serves.
///
/// # Errors
/// It cannot start, or its disk failed.
pub fn run(
    data_dir: &Path,
    how: How,
    listener: TcpListener,
    ready: impl FnOnce(&str, &VerifierKey),
) -> anyhow::Result<()> {
    raise_descriptor_limit();
    serve_on(Ledger::open(data_dir, how)?, listener, told_to_end, ready)
}

/// Serves a ledger until `end` says so, and closes it: requests that were begun are answered, and all threads are gone when
/// it returns. `end` is called when there is a runtime.
///
/// # Errors
/// The address cannot be had, or the ledger's disk failed.
pub fn serve<End: Future<Output = ()>>(
    ledger: Ledger,
    listen: &str,
    end: impl FnOnce() -> End,
    ready: impl FnOnce(&str, &VerifierKey),
) -> anyhow::Result<()> {
    let listener = server::bind(listen)?;
    serve_on(ledger, listener, end, ready)
}

fn serve_on<End: Future<Output = ()>>(
    ledger: Ledger,
    listener: TcpListener,
    end: impl FnOnce() -> End,
    ready: impl FnOnce(&str, &VerifierKey),
) -> anyhow::Result<()> {
    let served = serve_open(&ledger, listener, end, ready);
    ledger.close();
    if let Some(why) = served? {
        bail!(
            "stopped because of the disk: {why}. Nothing acknowledged is lost; look at the disk, then start again"
        );
    }
    Ok(())
}

/// Why it ended, if it was not told to.
fn serve_open<End: Future<Output = ()>>(
    ledger: &Ledger,
    listener: TcpListener,
    end: impl FnOnce() -> End,
    ready: impl FnOnce(&str, &VerifierKey),
) -> anyhow::Result<Option<Arc<str>>> {
    let (service, first_key) = (web::Data::new(service(ledger)?), ledger.first_key()?);
    let (mut failure, ending) = (ledger.log().failure(), service.ending.clone());
    let in_flight = service.in_flight.clone();
    let routes = routes();
    actix_web::rt::System::new().block_on(async {
        let end = end();
        if let Some(kind) = ledger.engine() {
            actix_web::rt::spawn(warn_when_outgrown(kind, ledger.log().store().watch()));
        }
        let running = server::start(service, listener, routes)?;
        let handle = running.handle.clone();
        ready(&format!("http://{}", running.address), &first_key);
        let mut server = pin!(running.wait());
        let failed = tokio::select! {
            result = &mut server => return result.map(|()| None).map_err(anyhow::Error::from),
            () = end => None,
            failure = failure.wait_for(Option::is_some) => failure.ok().and_then(|why| why.clone()),
        };
        if let Some(why) = &failed {
            tracing::error!(%why, "the ledger stops");
        } else {
            tracing::info!("ending: requests that were begun are answered");
        }
        ending.send_replace(true);
        // The server does the stopping, so it must go on being polled.
        let stop = async {
            handle.pause().await;
            wait_until_answered(&in_flight).await;
            handle.stop(true).await;
        };
        let ((), result) = tokio::join!(stop, &mut server);
        result?;
        Ok(failed)
    })
}

/// Waits until what was begun is answered, however long that takes. No other request is begun meanwhile.
async fn wait_until_answered(in_flight: &InFlight) {
    let mut late = Some(Instant::now() + LONG);
    while in_flight.count() > 0 {
        if late.is_some_and(|late| late <= Instant::now()) {
            tracing::warn!(
                requests = in_flight.count(),
                "what was begun is not answered yet; the server ends when it is"
            );
            late = None;
        }
        tokio::time::sleep(LOOK_AGAIN).await;
    }
}

/// How often it is looked whether all that was begun is answered, and after which time it is said that it is not.
const LOOK_AGAIN: Duration = Duration::from_millis(5);
const LONG: Duration = Duration::from_secs(15);

/// What handlers use of a ledger.
fn service(ledger: &Ledger) -> anyhow::Result<Service> {
    let (config, ending) = (ledger.config(), watch::Sender::new(false));
    Ok(Service {
        log: ledger.log().clone(),
        index: ledger.index().cloned(),
        views: ledger.views().cloned(),
        clock: ledger.clock().clone(),
        catalog: ledger.catalog().clone(),
        recorder: ledger.recorder().clone(),
        tokens: Tokens::load(ledger.data_dir())?,
        settings: Settings {
            public_log: config.public_log,
            public_metrics: config.public_metrics,
            access_log: config.access_log.unwrap_or(true),
            open_types: config.open_types,
        },
        keys: ledger.keys().clone(),
        budget: Budget::until(ending.subscribe()),
        streams: Shares::new(MAX_STREAMS, config.limits.streams_of_a_caller()),
        ending,
        metrics: Metrics::default(),
        published: ledger.published(),
        in_flight: InFlight::default(),
        size_at_start: ledger.log().store().size(),
        data_dir: ledger.data_dir().to_owned(),
        rates: config.limits.requests_per_second.map(Rates::per_second),
        turns: Turns::new(config.limits.questions_of_a_caller()),
        read_only: ledger.read_only().map(str::to_owned),
    })
}

/// Allows this process as many open files as it may allow itself. The usual soft limit of 1,024 is for programs that use
/// `select`; connections, segments and stores need more.
fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        tracing::debug!(%error, "the limit of open files stays as it is");
    }
}

/// Waits for SIGINT or SIGTERM, caught from the call on: whoever is told "ready" may send one at once.
fn told_to_end() -> impl Future<Output = ()> {
    use tokio::signal::unix::{SignalKind, signal};
    let (interrupt, terminate) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()));
    async {
        match (interrupt, terminate) {
            (Ok(mut interrupt), Ok(mut terminate)) => {
                tokio::select! {
                    _ = interrupt.recv() => {}
                    _ = terminate.recv() => {}
                }
            }
            // Without signal handlers the default applies: the process ends, and recovery does the rest.
            _ => std::future::pending().await,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_of_open_files_is_raised_as_far_as_it_may_be() {
        let limit = getrlimit(Resource::Nofile);
        let Some(lower) = limit.maximum.map(|maximum| maximum / 2) else { return };
        setrlimit(Resource::Nofile, Rlimit { current: Some(lower), ..limit }).unwrap();
        raise_descriptor_limit();
        assert_eq!(getrlimit(Resource::Nofile).current, limit.maximum);
    }
}
