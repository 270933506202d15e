//! Who is calling: the bearer token of a request.

use crate::answers::must_read_all;
use crate::identity::{Principal, Role};
use crate::web::{Problem, ProblemType, Service};
use actix_web::dev::Payload;
use actix_web::http::header;
use actix_web::{FromRequest, HttpMessage as _, HttpRequest, web};
use std::future::{Ready, ready};
use std::sync::Arc;

/// An authenticated caller.
pub struct Caller(pub Arc<Principal>);

/// Who a request was authenticated as, for whoever tells of it afterwards.
pub struct Known(pub Arc<Principal>);

impl Caller {
    /// Refuses callers without this role.
    ///
    /// # Errors
    /// 403, naming the role.
    pub fn must_be(&self, role: Role) -> Result<(), Problem> {
        if self.0.has(role) {
            return Ok(());
        }
        Err(Problem::needs_role(role))
    }
}

impl FromRequest for Caller {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(authenticate(request))
    }
}

/// The bearer token of a request (RFC 6750 §2.1).
pub fn bearer(request: &HttpRequest) -> Option<&str> {
    let value = request.headers().get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

fn authenticate(request: &HttpRequest) -> Result<Caller, Problem> {
    let service = request.app_data::<web::Data<Service>>().ok_or_else(|| Problem::internal(&"no service"))?;
    let token = bearer(request);
    let Some(token) = token else {
        let detail = "send the header Authorization: Bearer TOKEN; `daybook token create` makes a token";
        return Err(Problem::new(ProblemType::Unauthenticated, detail));
    };
    let Some(principal) = service.tokens.authenticate(token) else {
        let detail = "this token is unknown, revoked or expired; `daybook token create` makes a new one";
        return Err(Problem::new(ProblemType::Unauthenticated, detail));
    };
    if service.rates.as_ref().is_some_and(|rates| !rates.allow(&principal.actor)) {
        let detail =
            "this caller made more requests than it may; nothing was recorded, send the same again later";
        return Err(Problem::new(ProblemType::RateLimited, detail));
    }
    request.extensions_mut().insert(Known(principal.clone()));
    Ok(Caller(principal))
}

/// Someone who may read everything: a question that takes one cannot be asked by anyone else.
pub struct Reader(pub Arc<Principal>);

impl FromRequest for Reader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(reader(request))
    }
}

fn reader(request: &HttpRequest) -> Result<Reader, Problem> {
    let Caller(principal) = authenticate(request)?;
    must_read_all(&principal)?;
    Ok(Reader(principal))
}

/// A reader of receipts: anyone where the log is public, for bundles and proofs hold what receipts do; else anyone with a
/// token, who sees what it may.
pub enum ReceiptReader {
    /// Of all of them.
    OfTheLog,
    /// Of those that it may see.
    Caller(Arc<Principal>),
}

impl FromRequest for ReceiptReader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if has_public_log(request) {
            return ready(Ok(ReceiptReader::OfTheLog));
        }
        ready(authenticate(request).map(|caller| ReceiptReader::Caller(caller.0)))
    }
}

fn has_public_log(request: &HttpRequest) -> bool {
    request.app_data::<web::Data<Service>>().is_some_and(|service| service.settings.public_log)
}

/// A reader of the log: anyone where the log is public, else anyone who may read everything.
pub struct LogReader;

impl FromRequest for LogReader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        if has_public_log(request) {
            return ready(Ok(LogReader));
        }
        ready(reader(request).map(|_| LogReader))
    }
}

/// Whoever may read what is measured: anyone where that is public, else anyone who may read everything.
pub struct MetricsReader;

impl FromRequest for MetricsReader {
    type Error = Problem;
    type Future = Ready<Result<Self, Problem>>;

    fn from_request(request: &HttpRequest, _: &mut Payload) -> Self::Future {
        let public =
            request.app_data::<web::Data<Service>>().is_some_and(|service| service.settings.public_metrics);
        if public {
            return ready(Ok(MetricsReader));
        }
        ready(reader(request).map(|_| MetricsReader))
    }
}
