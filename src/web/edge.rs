//! What holds for every request and every answer, whatever resource gives it: HEAD wherever there is GET, headers that may
//! be there once, what may be kept, and what pages of other sites may read.
//!
//! Which addresses are the log's is said here a second time, beside the extractor by which they are public: an answer that
//! is a refusal, or to a question before the question, comes from no handler. A test holds the two against each other.

use crate::web::{Problem, ProblemType, Service};
use actix_web::body::{BodySize, BoxBody, MessageBody};
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::header::{self, HeaderMap, HeaderName, HeaderValue};
use actix_web::http::{Method, StatusCode};
use actix_web::middleware::Next;
use actix_web::web::Bytes;
use actix_web::{Error, HttpResponse, ResponseError as _, web};
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

/// Headers by which a request is understood, and which it may have once: of two, one reader takes the first and another
/// one the last.
const ONCE: &[&str] =
    &["authorization", "content-type", "daybook-expected-version", "daybook-signature", "last-event-id"];

/// What the description's own page may load: what comes with it, from here. Its scripts set styles.
const DOCS_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; \
                           connect-src 'self'; font-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Seconds for which a browser need not ask again whether it may ask.
const PREFLIGHT_MAX_AGE_S: &str = "86400";

/// Answers a request.
///
/// # Errors
/// None of its own.
pub async fn edge(
    mut request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<BoxBody>, Error> {
    let wants_head = request.method() == Method::HEAD;
    if wants_head {
        // What GET answers, less its body; the connection knows what was asked, and sends none.
        request.head_mut().method = Method::GET;
    }
    let (is_public, is_page) = (is_public(&request), request.path().starts_with("/docs"));
    let mut response = if let Some(name) = said_twice(request.headers()) {
        let detail = format!("the header {name} is there more than once; send it once");
        request.into_response(Problem::new(ProblemType::BadParameter, detail).error_response())
    } else if is_public && is_preflight(&request) {
        request.into_response(preflight())
    } else {
        next.call(request).await?.map_into_boxed_body()
    };
    let headers = response.headers_mut();
    // Nothing here is ever meant to be guessed at by a browser.
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if is_page {
        headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(DOCS_POLICY));
    } else if !headers.contains_key(header::CACHE_CONTROL) {
        // What may be kept says so itself: all else is for whoever asked, and for now.
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    }
    if is_public {
        headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
        let exposed = HeaderValue::from_static("Content-Disposition, Retry-After");
        headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, exposed);
    }
    Ok(if wants_head { response.map_body(|_, body| BoxBody::new(Measured(body.size()))) } else { response })
}

/// Whether anyone may read this: the log, where it is public. Pages of other sites may as well.
fn is_public(request: &ServiceRequest) -> bool {
    let service = request.app_data::<web::Data<Service>>();
    service.is_some_and(|service| service.settings.public_log) && is_of_the_log(request.path())
}

fn is_of_the_log(path: &str) -> bool {
    let of_entry = path.strip_prefix("/v1/events/").and_then(|rest| rest.strip_suffix("/receipt"));
    path.starts_with("/log/")
        || path == "/v1/keys"
        || path.starts_with("/v1/proofs/")
        || of_entry.is_some_and(|seq| !seq.contains('/'))
}

/// Whether a browser asks, before its page's question, if that may be asked (Fetch, "CORS-preflight request").
fn is_preflight(request: &ServiceRequest) -> bool {
    let has = |name: HeaderName| request.headers().contains_key(name);
    request.method() == Method::OPTIONS && has(header::ORIGIN) && has(header::ACCESS_CONTROL_REQUEST_METHOD)
}

fn preflight() -> HttpResponse {
    HttpResponse::build(StatusCode::NO_CONTENT)
        .insert_header((header::ACCESS_CONTROL_ALLOW_METHODS, "GET, HEAD"))
        .insert_header((header::ACCESS_CONTROL_ALLOW_HEADERS, "*"))
        .insert_header((header::ACCESS_CONTROL_MAX_AGE, PREFLIGHT_MAX_AGE_S))
        .finish()
}

fn said_twice(headers: &HeaderMap) -> Option<&'static str> {
    ONCE.iter().copied().find(|name| headers.get_all(*name).count() > 1)
}

/// How long a body is that is not sent.
struct Measured(BodySize);

impl MessageBody for Measured {
    type Error = Infallible;

    fn size(&self) -> BodySize {
        self.0
    }

    fn poll_next(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<Option<Result<Bytes, Infallible>>> {
        Poll::Ready(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::test::TestRequest;

    #[test]
    fn the_addresses_of_the_log_are_told_from_others() {
        for path in
            ["/log/checkpoint", "/log/tile/0/000", "/v1/keys", "/v1/proofs/inclusion", "/v1/events/3/receipt"]
        {
            assert!(is_of_the_log(path), "{path}");
        }
        for path in [
            "/v1/keys/rotate",
            "/v1/events/3",
            "/v1/events/stream",
            "/v1/events",
            "/",
            "/v1/events/3/x/receipt",
        ] {
            assert!(!is_of_the_log(path), "{path}");
        }
    }

    #[test]
    fn of_two_headers_that_decide_the_name_is_told() {
        let request = TestRequest::default()
            .append_header(("accept", "a/b"))
            .append_header(("accept", "c/d"))
            .append_header(("Authorization", "Bearer a"));
        assert_eq!(said_twice(request.to_http_request().headers()), None);
        let request = TestRequest::default()
            .append_header(("Authorization", "Bearer a"))
            .append_header(("authorization", "Bearer a"));
        assert_eq!(said_twice(request.to_http_request().headers()), Some("authorization"));
    }
}
