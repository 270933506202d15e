//! The HTTP server: routes, limits of connections, and an end that answers what it has begun.

use crate::api::docs::{ServedOpenApi, openapi, openapi_json};
use crate::api::{catalog as catalogue, clock, docs, events, health, keys, log, post, proofs, stream, views};
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
                    .service(views::standing::list_views)
                    .service(views::access::readers)
                    .service(views::access::reach)
                    .service(views::access::uncovered)
                    .service(views::access::role_ended)
                    .service(views::decisions::stats)
                    .service(views::decisions::fairness)
                    .service(views::approvals::after)
                    .service(views::rows::access_requests::counts)
                    .service(views::rows::access_requests::list)
                    .service(views::rows::access_uses::counts)
                    .service(views::rows::access_uses::list)
                    .service(views::rows::approvals::counts)
                    .service(views::rows::approvals::list)
                    .service(views::rows::access::counts)
                    .service(views::rows::access::list)
                    .service(views::rows::decisions::counts)
                    .service(views::rows::decisions::list)
                    .service(views::rows::escalations::counts)
                    .service(views::rows::escalations::list)
                    .service(views::rows::access_requests::history)
                    .service(views::rows::access_requests::one)
                    .service(views::rows::access_uses::history)
                    .service(views::rows::access_uses::one)
                    .service(views::rows::approvals::history)
                    .service(views::approvals::one)
                    .service(views::rows::access::history)
                    .service(views::rows::access::one)
                    .service(views::rows::decisions::history)
                    .service(views::decisions::one)
                    .service(views::rows::escalations::history)
                    .service(views::rows::escalations::one)
                    .service(views::registers::list_registers)
                    .service(views::registers::count_register)
                    .service(views::registers::list_register)
                    .service(views::registers::history_of_register_row)
                    .service(views::registers::get_register_row)
                    .service(views::controls::list_controls)
                    .service(views::controls::get_control)
                    .service(views::controls::list_control_evidence)
                    .service(views::controls::list_control_members)
                    .service(views::timeline::subject_timeline)
                    .service(views::sources::list_sources)
                    .service(views::sources::get_source)
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
