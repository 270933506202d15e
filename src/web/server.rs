//! The HTTP server: limits of connections, what holds for all answers, and an end that answers what it has begun. Which
//! resources there are is said by whoever starts it.

use crate::web::edge::edge;
use crate::web::observe::observe;
use crate::web::{Problem, ProblemType, Service};
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer, web};
use rustix::process::{Resource, getrlimit};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Connections that one worker holds at most.
///
/// Reason: with two to eight workers some thousands of clients; each may hold one request.
const MAX_CONNECTIONS_PER_WORKER: usize = 4_096;

/// The part of the process's open files that connections may be.
///
/// Reason: the log, index and views open theirs whenever they need them, and must find room: a quarter is the log's, a
/// quarter the stores'.
const CONNECTIONS_PART: u64 = 2;

/// Connections that one worker holds at least.
const MIN_CONNECTIONS_PER_WORKER: usize = 8;

/// Connections below which they are scarce: who holds one and does nothing must give it back sooner.
const SCARCE: usize = 512;

/// How long a client may take for the head of a request, and how long an idle connection stays open: as balancers in front
/// expect it, and where connections are scarce.
const REQUEST_HEAD_TIMEOUT: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(5));
const KEEP_ALIVE: (Duration, Duration) = (Duration::from_secs(75), Duration::from_secs(15));

/// How long the last bytes of what is answered may take when the server ends. Whoever does not read them is cut off.
///
/// Reason: all that was begun is answered before; what is left is in the sockets.
const LAST_BYTES_S: u64 = 2;

/// How many connections there is room for, and how long they may do nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Room {
    /// Of one worker.
    connections: usize,
    request_head: Duration,
    keep_alive: Duration,
}

impl Room {
    /// With so many open files, if that is bounded, and so many workers.
    fn of(files: Option<u64>, workers: usize) -> Self {
        let all =
            files.map_or(usize::MAX, |files| usize::try_from(files / CONNECTIONS_PART).unwrap_or(usize::MAX));
        let connections =
            (all / workers.max(1)).clamp(MIN_CONNECTIONS_PER_WORKER, MAX_CONNECTIONS_PER_WORKER);
        let is_scarce = connections.saturating_mul(workers) < SCARCE;
        let of = |(plenty, scarce): (Duration, Duration)| if is_scarce { scarce } else { plenty };
        Self { connections, request_head: of(REQUEST_HEAD_TIMEOUT), keep_alive: of(KEEP_ALIVE) }
    }
}

/// Why the server does not start.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("cannot listen on {address}: {error}")]
    Listen { address: String, error: io::Error },
    #[error("the HTTP server ended: {0}")]
    Server(#[from] io::Error),
}

/// A running server.
pub struct Running {
    pub address: SocketAddr,
    pub handle: ServerHandle,
    server: actix_web::dev::Server,
}

impl Running {
    /// Serves until it is told to end.
    ///
    /// # Errors
    /// As the operating system says.
    pub async fn wait(self) -> Result<(), ServeError> {
        Ok(self.server.await?)
    }
}

/// Takes an address, before anything is made that is to be served there.
///
/// # Errors
/// It cannot be had.
pub fn bind(address: &str) -> Result<TcpListener, ServeError> {
    let listener = TcpListener::bind(address).and_then(|listener| {
        // As the server wants it.
        listener.set_nonblocking(true).map(|()| listener)
    });
    listener.map_err(|error| ServeError::Listen { address: address.to_owned(), error })
}

/// Starts serving what `routes` declares, on each worker once. Must be called within an actix system.
///
/// # Errors
/// As the operating system says.
pub fn start(
    service: web::Data<Service>,
    listener: TcpListener,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<Running, ServeError> {
    let bound = listener.local_addr()?;
    let workers = std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8));
    let room = Room::of(getrlimit(Resource::Nofile).current, workers);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(service.clone())
            .app_data(web::QueryConfig::default().error_handler(|error, _| {
                Problem::new(ProblemType::BadParameter, format!("the query: {error}")).into()
            }))
            .app_data(web::PathConfig::default().error_handler(|_, _| {
                Problem::new(ProblemType::NotFound, "entries are numbered 0, 1, 2 …").into()
            }))
            .wrap(from_fn(edge))
            .wrap(from_fn(observe))
            .configure(routes.clone())
    })
    .workers(workers)
    .max_connections(room.connections)
    .client_request_timeout(room.request_head)
    .keep_alive(room.keep_alive)
    .shutdown_timeout(LAST_BYTES_S)
    .disable_signals()
    .listen(listener)?
    .run();
    Ok(Running { address: bound, handle: server.handle(), server })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_for_the_log() {
        let room = |files, workers| Room::of(files, workers).connections * workers;
        assert_eq!(room(Some(160), 2), 80);
        assert_eq!(room(Some(1_024), 2), 512);
        assert_eq!(room(Some(1 << 20), 8), 8 * MAX_CONNECTIONS_PER_WORKER);
        assert_eq!(room(None, 2), 2 * MAX_CONNECTIONS_PER_WORKER);
        assert_eq!(room(Some(1), 2), 2 * MIN_CONNECTIONS_PER_WORKER);
        assert_eq!(Room::of(Some(1_024), 2).keep_alive, KEEP_ALIVE.0);
        assert_eq!(Room::of(Some(1_000), 2).keep_alive, KEEP_ALIVE.1);
    }
}
