//! The HTTP server: limits of connections, what holds for all answers, and an end that answers what it has begun. Which
//! resources there are is said by whoever starts it.

use crate::web::edge::edge;
use crate::web::{Problem, ProblemType, Service};
use actix_web::dev::ServerHandle;
use actix_web::middleware::from_fn;
use actix_web::web::ServiceConfig;
use actix_web::{App, HttpServer, web};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;

/// Connections that one worker holds.
///
/// Reason: with two to eight workers some thousands of clients; each may hold one request.
const MAX_CONNECTIONS_PER_WORKER: usize = 4_096;

/// How long a client may take for the head of a request.
const REQUEST_HEAD_TIMEOUT: Duration = Duration::from_secs(10);

/// How long an idle connection stays open.
const KEEP_ALIVE: Duration = Duration::from_secs(75);

/// How long requests that were begun may take when the server is told to end.
const SHUTDOWN_TIMEOUT_S: u64 = 10;

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

/// Starts serving what `routes` declares, on each worker once. Must be called within an actix system.
///
/// # Errors
/// The address cannot be had.
pub fn start(
    service: web::Data<Service>,
    address: &str,
    routes: impl Fn(&mut ServiceConfig) + Clone + Send + 'static,
) -> Result<Running, ServeError> {
    let listen_error = |error| ServeError::Listen { address: address.to_owned(), error };
    let listener = TcpListener::bind(address).map_err(listen_error)?;
    let bound = listener.local_addr().map_err(listen_error)?;
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
            .configure(routes.clone())
    })
    .workers(std::thread::available_parallelism().map_or(2, |cores| cores.get().clamp(2, 8)))
    .max_connections(MAX_CONNECTIONS_PER_WORKER)
    .client_request_timeout(REQUEST_HEAD_TIMEOUT)
    .keep_alive(KEEP_ALIVE)
    .shutdown_timeout(SHUTDOWN_TIMEOUT_S)
    .disable_signals()
    .listen(listener)
    .map_err(listen_error)?
    .run();
    Ok(Running { address: bound, handle: server.handle(), server })
}
