//! What happens around every request: it gets an id, is counted, and is told in the access log; when the ledger ends, no
//! other is begun.

use crate::log::append::AppendError;
use crate::spec::encoding::to_hex;
use crate::web::auth::Known;
use crate::web::in_flight::Begun;
use crate::web::problem::{Problem, ProblemType};
use crate::web::{Service, strangers};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue, X_CONTENT_TYPE_OPTIONS};
use actix_web::middleware::Next;
use actix_web::web::{self, Bytes};
use actix_web::{Error, HttpMessage as _, ResponseError as _};
use std::pin::Pin;
use std::sync::LazyLock;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;

/// The header of a request's id, of requests and of answers.
const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Bytes of an id that a client may give.
///
/// Reason: a trace id with what proxies put before it; it is written into a line of the log.
const MAX_ID_BYTES: usize = 128;

/// Bytes of a path in the access log.
///
/// Reason: the longest of ours with an id in it.
const MAX_PATH_BYTES: usize = 512;

/// Asked every few seconds by machines: not told unless somebody looks closely.
const OF_MACHINES: [&str; 3] = ["/healthz", "/readyz", "/metrics"];

/// A body that counts as begun until its last byte is taken.
struct Counted {
    body: BoxBody,
    _begun: Begun,
}

impl MessageBody for Counted {
    type Error = Box<dyn std::error::Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Bytes, Self::Error>>> {
        Pin::new(&mut self.body).poll_next(context)
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, _begun } = self;
        body.try_into_bytes().map_err(|body| Self { body, _begun })
    }
}

/// The id of a request: the client's, if it is one, or a new one.
fn id_of(headers: &HeaderMap) -> HeaderValue {
    let is_plain = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.~:/+=@".contains(byte);
    let given = headers
        .get(&REQUEST_ID)
        .filter(|id| (1..=MAX_ID_BYTES).contains(&id.len()) && id.as_bytes().iter().all(is_plain));
    given
        .cloned()
        .unwrap_or_else(|| HeaderValue::from_str(&new_id()).unwrap_or_else(|_| HeaderValue::from_static("-")))
}

/// An id that no other request has: a random number of this run of the program, and which request of it this is.
fn new_id() -> String {
    static RUN: LazyLock<[u8; 8]> = LazyLock::new(|| {
        let mut random = [0; 8];
        // Without randomness an id is only less useful.
        let _ = getrandom::fill(&mut random);
        random
    });
    static REQUESTS: AtomicU64 = AtomicU64::new(0);
    let mut id = [0; 16];
    let (run, request) = id.split_at_mut(8);
    run.copy_from_slice(&*RUN);
    request.copy_from_slice(&REQUESTS.fetch_add(1, Ordering::Relaxed).to_be_bytes());
    to_hex(&id)
}

/// Why no request is begun any more: the ledger stopped because of its disk, or was told to end.
fn why_it_ends(service: &Service) -> Problem {
    if service.log.failure().borrow().is_some() {
        return AppendError::Stopped.into();
    }
    Problem::new(ProblemType::Overloaded, "the server is ending; send the same again in a moment")
}

/// The middleware.
///
/// # Errors
/// What the handlers answer.
pub async fn observe<B: MessageBody + 'static>(
    request: ServiceRequest,
    next: Next<B>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let began = Instant::now();
    let Some(service) = request.app_data::<web::Data<Service>>().cloned() else {
        return next.call(request).await.map(ServiceResponse::map_into_boxed_body);
    };
    let id = id_of(request.headers());
    let method = request.method().clone();
    let mut response = if *service.ending.borrow() {
        let mut response = why_it_ends(&service).error_response();
        response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
        request.into_response(response)
    } else {
        let begun = service.in_flight.begin();
        let response = next.call(request).await?.map_into_boxed_body();
        let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind == "text/event-stream");
        // A stream goes on until the end of the ledger, and ends with it.
        if is_stream {
            response
        } else {
            response.map_body(|_, body| BoxBody::new(Counted { body, _begun: begun }))
        }
    };
    // Nothing here is ever meant to be guessed at by a browser.
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response.headers_mut().insert(REQUEST_ID, id.clone());
    let took = began.elapsed();
    if let Some(problem) = response.response().error().and_then(|error| error.as_error::<Problem>()) {
        service.metrics.refused(problem.kind);
    }
    let status = response.status().as_u16();
    service.metrics.answered(&method, response.request().match_pattern(), status, took);
    if service.settings.access_log {
        tell(&response, (&id, &method), status, u64::try_from(took.as_micros()).unwrap_or(u64::MAX));
    }
    Ok(response)
}

/// One line of the access log. Of a query it says nothing: it may name people.
fn tell(
    response: &ServiceResponse<BoxBody>,
    (id, method): (&HeaderValue, &Method),
    status: u16,
    micros: u64,
) {
    let request = response.request();
    let (method, path) = (method.as_str(), request.path());
    let path = path.get(..path.floor_char_boundary(MAX_PATH_BYTES)).unwrap_or_default();
    let id = id.to_str().unwrap_or_default();
    let peer = request.peer_addr().map(|peer| peer.ip());
    let peer = peer.as_ref().map(tracing::field::display);
    let known = request.extensions().get::<Known>().map(|known| known.0.clone());
    let actor = known.as_ref().map(|principal| principal.actor.as_str());
    if actor.is_none() && status >= 400 && !strangers::may_be_told() {
        return;
    }
    if OF_MACHINES.contains(&path) && status < 500 {
        tracing::debug!(target: "daybook::access", id, method, path, status, micros, actor, peer);
    } else {
        tracing::info!(target: "daybook::access", id, method, path, status, micros, actor, peer);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_the_clients_if_it_is_one() {
        let id = |given: &[u8]| {
            let mut headers = HeaderMap::new();
            headers.insert(REQUEST_ID, HeaderValue::from_bytes(given).unwrap());
            id_of(&headers).as_bytes().to_owned()
        };
        for good in ["a", "4bf92f3577b34da6a3ce929d0e0e4736", "gw-7:req/12_3.4~5+6=@"] {
            assert_eq!(id(good.as_bytes()), good.as_bytes());
        }
        let long = "x".repeat(MAX_ID_BYTES + 1);
        for bad in ["", "two words", "\"quoted\"", "a\tb", "{\"level\":\"ERROR\"}", "é", long.as_str()] {
            let made = id(bad.as_bytes());
            assert!(made.len() == 32 && made.iter().all(u8::is_ascii_hexdigit), "{bad:?}");
        }
        assert_ne!(id(b""), id(b""));
    }
}
