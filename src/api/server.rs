//! The HTTP server: routes, limits of connections, and an end that answers what it has begun.

use crate::api::docs::{ServedOpenApi, openapi, openapi_json};
use crate::api::{
    access, approvals, catalog as catalogue, clock, controls, decisions, docs, events, fairness, health,
    keys, log, post, proofs, registers, rows, sources, standing, statistics, stream, timeline,
};
use crate::web::{Problem, ProblemType, Service};
use actix_web::dev::{ServerHandle, Service as _};
use actix_web::http::header::{ALLOW, HeaderValue};
use actix_web::{App, HttpRequest, HttpResponse, HttpServer, ResponseError as _, web};
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::time::Duration;
use utoipa_swagger_ui::{Config, SwaggerUi};

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

/// Starts serving. Must be called within an actix system.
///
/// # Errors
/// The address cannot be had.
pub fn start(service: web::Data<Service>, address: &str) -> Result<Running, ServeError> {
    let listen_error = |error| ServeError::Listen { address: address.to_owned(), error };
    let listener = TcpListener::bind(address).map_err(listen_error)?;
    let bound = listener.local_addr().map_err(listen_error)?;
    let catalog = service.catalog.current();
    let description = openapi(&catalog);
    let served = web::Data::new(ServedOpenApi::of(&catalog, &description));
    let description = web::Data::new(description);
    let server = HttpServer::new(move || {
        App::new()
            .app_data(service.clone())
            .app_data(served.clone())
            .app_data(description.clone())
            .app_data(web::QueryConfig::default().error_handler(|error, _| {
                Problem::new(ProblemType::BadParameter, format!("the query: {error}")).into()
            }))
            .app_data(web::PathConfig::default().error_handler(|_, _| {
                Problem::new(ProblemType::NotFound, "entries are numbered 0, 1, 2 …").into()
            }))
            .wrap_fn(|request, next| {
                let answer = next.call(request);
                async move {
                    let mut response = answer.await?;
                    // Nothing here is ever meant to be guessed at by a browser.
                    let headers = response.headers_mut();
                    headers.insert(
                        actix_web::http::header::X_CONTENT_TYPE_OPTIONS,
                        HeaderValue::from_static("nosniff"),
                    );
                    Ok(response)
                }
            })
            .service(health::healthz)
            .service(health::readyz)
            .service(openapi_json)
            .service(log::checkpoint)
            .service(log::tile)
            .service(
                web::scope("/v1")
                    .service(post::post_events)
                    .service(stream::stream_events)
                    .service(events::list_events)
                    .service(events::get_event)
                    .service(events::get_receipt)
                    .service(proofs::inclusion)
                    .service(proofs::consistency)
                    .service(keys::list_keys)
                    .service(keys::rotate_key)
                    .service(clock::confirm_clock)
                    .service(catalogue::get_catalog)
                    .service(catalogue::list_types)
                    .service(catalogue::get_type)
                    .service(standing::list_views)
                    .service(access::readers)
                    .service(access::reach)
                    .service(access::uncovered)
                    .service(access::role_ended)
                    .service(statistics::stats)
                    .service(fairness::fairness)
                    .service(approvals::after)
                    .service(rows::access_requests::counts)
                    .service(rows::access_requests::list)
                    .service(rows::access_uses::counts)
                    .service(rows::access_uses::list)
                    .service(rows::approvals::counts)
                    .service(rows::approvals::list)
                    .service(rows::access::counts)
                    .service(rows::access::list)
                    .service(rows::decisions::counts)
                    .service(rows::decisions::list)
                    .service(rows::escalations::counts)
                    .service(rows::escalations::list)
                    .service(rows::access_requests::history)
                    .service(rows::access_requests::one)
                    .service(rows::access_uses::history)
                    .service(rows::access_uses::one)
                    .service(rows::approvals::history)
                    .service(approvals::one)
                    .service(rows::access::history)
                    .service(rows::access::one)
                    .service(rows::decisions::history)
                    .service(decisions::one)
                    .service(rows::escalations::history)
                    .service(rows::escalations::one)
                    .service(registers::list_registers)
                    .service(registers::count_register)
                    .service(registers::list_register)
                    .service(registers::history_of_register_row)
                    .service(registers::get_register_row)
                    .service(controls::list_controls)
                    .service(controls::get_control)
                    .service(controls::list_control_evidence)
                    .service(controls::list_control_members)
                    .service(timeline::subject_timeline)
                    .service(sources::list_sources)
                    .service(sources::get_source)
                    .default_service(web::to(nothing_here)),
            )
            .service(web::redirect("/docs", "/docs/"))
            .service(SwaggerUi::new("/docs/{_:.*}").config(Config::from("/openapi.json")))
            .default_service(web::to(nothing_here))
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

async fn nothing_here(request: HttpRequest, description: web::Data<serde_json::Value>) -> HttpResponse {
    let allowed = docs::methods(&description, request.path());
    let mut response = docs::not_there(&allowed, request.path()).error_response();
    if let Ok(value) = HeaderValue::from_str(&allowed.join(", "))
        && !allowed.is_empty()
    {
        response.headers_mut().insert(ALLOW, value);
    }
    response
}
