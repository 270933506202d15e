//! For operators and their machines: is it alive, is it ready.

use crate::index::LogIndex;
use crate::views::LogViews;
use crate::web::Service;
use actix_web::{HttpResponse, get, web};
use rustix::fs::statvfs;
use serde::Serialize;
use utoipa::ToSchema;

/// Free bytes below which a post would find no room.
///
/// Reason: an entry and its frame are 64 KiB; file systems give room in larger pieces.
const MIN_FREE_BYTES: u64 = 256 << 10;

/// How the views are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ViewsState {
    /// They answer, and have all entries, or nearly.
    Ready,
    /// They answer, and some are behind the log or being built.
    CatchingUp,
    /// They are being opened: after a start, or again after a failure.
    Opening,
    /// They do not answer.
    Failed,
    /// The ledger is served without.
    None,
}

/// Whether the service can do its work.
#[derive(Serialize, ToSchema)]
pub struct Readiness {
    /// Entries can be read.
    #[schema(example = true)]
    pub reads: bool,
    /// An event that is posted now would be recorded.
    #[schema(example = true)]
    pub writes: bool,
    /// How the views are; what is asked of them answers 503 while they are `opening` or `failed`.
    pub views: ViewsState,
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
    /// Why the views do not answer, or are behind.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub views_reason: Option<String>,
}

/// Alive: the process answers.
#[utoipa::path(tag = "operators", responses((status = 200, description = "Alive", body = String, content_type = "text/plain", example = "ok\n")), security(()))]
#[get("/healthz")]
pub async fn healthz() -> HttpResponse {
    HttpResponse::Ok().content_type("text/plain; charset=utf-8").body("ok\n")
}

/// Ready: entries can be read, events can be posted, and the views have not failed.
#[utoipa::path(tag = "operators", responses(
    (status = 200, description = "Ready for reads and writes", body = Readiness),
    (status = 503, description = "Not ready for writes, or the views have failed; says why", body = Readiness),
), security(()))]
#[get("/readyz")]
pub async fn readyz(service: web::Data<Service>) -> HttpResponse {
    let readiness = readiness(&service);
    let ready = readiness.writes && readiness.views != ViewsState::Failed;
    let mut response = if ready { HttpResponse::Ok() } else { HttpResponse::ServiceUnavailable() };
    response.json(readiness)
}

/// How a ledger is at the moment.
pub(super) fn readiness(service: &Service) -> Readiness {
    let size = service.log.store().size();
    let indexed = service.index.as_ref().map_or(size, |index| index.applied());
    let viewed = service.views.as_ref().map_or(size, |views| views.applied());
    let reason = why_not(service, size, indexed);
    let (views, views_reason) = views(service.views.as_deref(), size);
    Readiness { reads: true, writes: reason.is_none(), views, size, indexed, viewed, reason, views_reason }
}

/// Why an event that is posted now would not be recorded.
fn why_not(service: &Service, size: u64, indexed: u64) -> Option<String> {
    if let Some(why) = &service.read_only {
        return Some(format!("read-only: {why}"));
    }
    if let Some(failure) = service.log.failure().borrow().as_ref() {
        return Some(format!("stopped: {failure}"));
    }
    let catching_up = service.index.is_some() && service.log.waits_for_index(indexed);
    let catching_up =
        catching_up.then(|| format!("the index has {indexed} of {size} entries and catches up"));
    let index = service.index.as_deref().and_then(LogIndex::problem);
    let clock = || service.log.clock_trouble().map(|trouble| trouble.to_string());
    index.or(catching_up).or_else(|| service.catalog.unknown()).or_else(clock).or_else(|| no_room(service))
}

/// That there is no room for an entry, or was none for the last one and nobody can say whether that is over.
fn no_room(service: &Service) -> Option<String> {
    if service.log.is_bounded() {
        return Some("no room: a quota or a limit of file sizes refused the last entries".to_owned());
    }
    // What cannot be asked is found out by the next post.
    let free = free_bytes(service).unwrap_or(u64::MAX);
    (free < MIN_FREE_BYTES).then(|| format!("no room: {free} bytes are free on the disk of the data folder"))
}

/// Bytes that this process may still write on the data folder's disk.
pub(super) fn free_bytes(service: &Service) -> Option<u64> {
    let told = statvfs(&service.data_dir).ok()?;
    // What a file system keeps back is root's.
    let blocks = if rustix::process::geteuid().is_root() { told.f_bfree } else { told.f_bavail };
    Some(blocks.saturating_mul(told.f_frsize))
}

fn views(views: Option<&LogViews>, size: u64) -> (ViewsState, Option<String>) {
    let Some(views) = views else { return (ViewsState::None, None) };
    if let Some(why) = views.problem() {
        let state = if views.is_opening() { ViewsState::Opening } else { ViewsState::Failed };
        return (state, Some(why));
    }
    let behind = size.saturating_sub(views.applied());
    let building =
        views.now().map_or(0, |engine| engine.standing().iter().filter(|view| view.building).count());
    if building > 0 {
        return (ViewsState::CatchingUp, Some(format!("{building} views are being built")));
    }
    if behind > AT_EASE {
        return (ViewsState::CatchingUp, Some(format!("they are {behind} entries behind the log")));
    }
    (ViewsState::Ready, None)
}

/// Entries by which views that follow the log may be behind it.
///
/// Reason: some batches of theirs; under load they are never quite there.
const AT_EASE: u64 = 4_096;
