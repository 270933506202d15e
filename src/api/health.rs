//! For operators and their machines: is it alive, is it ready.

use crate::web::Service;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

/// Whether the service can do its work.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// Entries can be read.
    #[schema(example = true)]
    pub reads: bool,
    /// Events can be posted.
    #[schema(example = true)]
    pub writes: bool,
    /// Entries in the log.
    #[schema(example = 428)]
    pub size: u64,
    /// Entries that the index has.
    #[schema(example = 428)]
    pub indexed: u64,
    /// Entries that the views have.
    #[schema(example = 428)]
    pub viewed: u64,
    /// Why events cannot be posted.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// Alive: the process answers.
#[utoipa::path(tag = "operators", responses((status = 200, description = "Alive", body = String, content_type = "text/plain", example = "ok\n")), security(()))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Ready: entries can be read and events can be posted.
#[utoipa::path(tag = "operators", responses(
    (status = 200, description = "Ready for reads and writes", body = Readiness),
    (status = 503, description = "Not ready for writes; says why", body = Readiness),
), security(()))]
#[get("/readyz")]
pub async fn readyz(service: web::Data<Service>) -> HttpResponse {
    let size = service.log.store().size();
    let indexed = service.index.as_ref().map_or(size, |index| index.applied());
    let failure = service.log.failure().borrow().clone();
    let reason = if let Some(why) = &service.read_only {
        Some(format!("read-only: {why}"))
    } else if let Some(failure) = failure {
        Some(format!("stopped: {failure}"))
    } else {
        let catching_up = service.index.is_some() && service.log.waits_for_index(indexed);
        let catching_up =
            catching_up.then(|| format!("the index has {indexed} of {size} entries and catches up"));
        let clock = service.log.clock_trouble().map(|trouble| trouble.to_string());
        let index = service.index.as_deref().and_then(crate::index::LogIndex::problem);
        index.or(catching_up).or_else(|| service.catalog.unknown()).or(clock)
    };
    let viewed = service.views.as_ref().map_or(size, |views| views.applied());
    let readiness = Readiness { reads: true, writes: reason.is_none(), size, indexed, viewed, reason };
    let mut response = if readiness.writes { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(readiness)
}
