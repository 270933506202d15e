//! Reading entries: one, its receipt, and lists.

use crate::api::cursor;
use crate::api::event_view::{entry_json, event_json};
use crate::index::{Filter, LogIndex};
use crate::log::append::AppendError;
use crate::log::store::Store;
use crate::spec::entry::Entry;
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service, time_parameter};

use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Deserialize;
use std::time::Duration;
use utoipa::IntoParams;

/// Entries in a list, unless asked otherwise.
const DEFAULT_LIMIT: usize = 50;

/// Entries in a list at most.
///
/// Reason: entries have up to 64 KiB; a page stays readable in one go.
const MAX_LIMIT: usize = 500;

/// How long a read waits for the index to have what the client asks to see.
pub const MAX_WAIT: Duration = Duration::from_secs(5);

/// Header of answers that come from the index: how many entries it had.
pub const APPLIED_SEQ: &str = "daybook-applied-seq";

/// Which entries.
#[derive(Clone, Debug, Default, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct ListQuery {
    /// CloudEvents type, exact.
    #[serde(rename = "type")]
    #[param(example = "decision.made")]
    pub kind: Option<String>,
    /// CloudEvents source, exact.
    pub source: Option<String>,
    /// CloudEvents subject, exact.
    pub subject: Option<String>,
    /// Who posted it.
    #[param(example = "app:credit-line")]
    pub actor: Option<String>,
    /// First entry: a number, or the RFC 3339 time from which they were recorded.
    pub from: Option<String>,
    /// Where to end, itself not included: a number, or the RFC 3339 time before which they were recorded.
    pub to: Option<String>,
    /// `asc` (default) or `desc`.
    pub order: Option<Order>,
    /// 1 to 500; 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// From an earlier answer's `next`.
    pub cursor: Option<String>,
    /// Wait (at most 5 s) until the index has this entry: read your own write.
    pub min_seq: Option<u64>,
}

/// Oldest or newest first.
#[derive(Clone, Copy, Debug, Default, Deserialize, PartialEq, Eq, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Order {
    #[default]
    Asc,
    Desc,
}

/// One entry.
#[utoipa::path(tag = "applications", params(("seq" = u64, Path, description = "The entry's number", example = 0)), responses(
    (status = 200, description = "The entry", body = crate::api::docs::EventView),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such entry, or (producers) not one of the caller's", body = Problem, content_type = "application/problem+json"),
))]
#[get("/events/{seq}")]
pub async fn get_event(
    service: web::Data<Service>,
    caller: Caller,
    path: web::Path<u64>,
) -> Result<HttpResponse, Problem> {
    let seq = *path;
    let bytes = read_own(&service, &caller, seq).await?;
    Ok(HttpResponse::Ok().content_type("application/json").body(event_json(seq, &bytes)?))
}

/// An entry's bytes, if the caller may see it.
async fn read_own(service: &web::Data<Service>, caller: &Caller, seq: u64) -> Result<Vec<u8>, Problem> {
    let reading = service.clone();
    let bytes = web::block(move || reading.log.store().entry(seq))
        .await
        .map_err(|error| Problem::internal(&error))??;
    if !caller.0.reads_all() {
        let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
        if entry.actor != caller.0.actor {
            let detail = "no such entry among those that this token's actor posted";
            return Err(Problem::new(ProblemType::NotFound, detail));
        }
    }
    Ok(bytes)
}

/// An entry's receipt.
///
/// As `text/plain` a C2SP tlog-proof with the whole entry in its `extra` line: one file that stands alone. As
/// `application/json` the same in four members.
#[utoipa::path(tag = "applications", params(("seq" = u64, Path, description = "The entry's number", example = 0)), responses(
    (status = 200, description = "The receipt", content((String = "text/plain"), (crate::api::docs::ReceiptView = "application/json"))),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such entry, or (producers) not one of the caller's", body = Problem, content_type = "application/problem+json"),
))]
#[get("/events/{seq}/receipt")]
pub async fn get_receipt(
    service: web::Data<Service>,
    caller: Caller,
    path: web::Path<u64>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    let seq = *path;
    read_own(&service, &caller, seq).await?;
    let reading = service.clone();
    let receipt = web::block(move || reading.log.store().receipt(seq))
        .await
        .map_err(|error| Problem::internal(&error))??;
    let accept =
        request.headers().get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, "Accept"));
    Ok(if accept.contains("application/json") {
        response.content_type("application/json").body(receipt.to_json())
    } else {
        let name = format!("attachment; filename=\"entry-{seq}.tlog-proof\"");
        response.insert_header((header::CONTENT_DISPOSITION, name));
        response.content_type("text/plain; charset=utf-8").body(receipt.to_text())
    })
}

/// Entries by type, source, subject, actor and time.
#[utoipa::path(tag = "applications", params(ListQuery), responses(
    (status = 200, description = "A page of entries", body = crate::api::docs::EventList, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the index had"))),
    (status = 400, description = "`bad-parameter`, `bad-cursor`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "`min_seq` is beyond the log: there is nothing to wait for", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`index-unavailable`, `starting`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/events")]
pub async fn list_events(
    service: web::Data<Service>,
    caller: Caller,
    query: web::Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let query = query.into_inner();
    let reading = service.clone();
    let page =
        web::block(move || list(&reading, &query)).await.map_err(|error| Problem::internal(&error))??;
    let body = format!(
        "{{\"items\":[{}],\"next\":{}}}",
        page.items.join(","),
        page.next.map_or_else(|| "null".to_owned(), |next| format!("\"{next}\""))
    );
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((APPLIED_SEQ, page.applied.to_string()))
        .body(body))
}

struct Page {
    items: Vec<String>,
    next: Option<String>,
    applied: u64,
}

fn list(service: &Service, query: &ListQuery) -> Result<Page, Problem> {
    let store = service.log.store();
    let limit = query.limit.unwrap_or(DEFAULT_LIMIT);
    if !(1..=MAX_LIMIT).contains(&limit) {
        return Err(Problem::parameter("limit", "a number from 1 to 500"));
    }
    if let Some(seq) = query.min_seq.filter(|seq| *seq >= store.size()) {
        let detail = format!("the log has {} entries: there is no {seq} to wait for", store.size());
        return Err(Problem::new(ProblemType::NotFound, detail));
    }
    if let (Some(seq), Some(index)) = (query.min_seq, &service.index)
        && !index.wait_applied(seq.saturating_add(1), MAX_WAIT)
    {
        let detail = format!("the index has {} entries and did not reach {seq} in time", index.applied());
        return Err(Problem::new(ProblemType::Starting, detail));
    }
    let wanted = Wanted {
        kind: query.kind.clone(),
        source: query.source.clone(),
        subject: query.subject.clone(),
        actor: query.actor.clone(),
    };
    let index = service.index.as_deref().filter(|_| !wanted.is_anything());
    if index.is_none() && !wanted.is_anything() {
        return Err(Problem::new(ProblemType::IndexUnavailable, "this server was started without an index"));
    }
    let applied = index.map_or_else(|| store.size(), LogIndex::applied);
    let from = query.from.as_deref().map_or(Ok(0), |from| place(store, "from", from))?;
    let to = query.to.as_deref().map_or(Ok(u64::MAX), |to| place(store, "to", to))?.min(applied);
    let newest_first = query.order.unwrap_or_default() == Order::Desc;
    let identity = format!("{:?}", (&wanted, &query.from, &query.to, newest_first));
    let resumed = query.cursor.as_deref().map(|cursor| cursor::decode(&identity, cursor)).transpose()?;
    let (mut from, mut to) = match resumed {
        Some(seq) if newest_first => (from, seq.min(to)),
        Some(seq) => (seq.max(from), to),
        None => (from, to),
    };
    let mut page = Page { items: Vec::new(), next: None, applied };
    while from < to {
        // One more than is missing, to know whether there is a next page.
        let missing = limit - page.items.len() + 1;
        let candidates = match index {
            Some(index) => index
                .list(wanted.filter(), from, to, newest_first, missing)
                .map_err(|error| Problem::append(&AppendError::Index(error.to_string())))?,
            None if newest_first => (from..to).rev().take(missing).collect(),
            None => (from..to).take(missing).collect(),
        };
        let exhausted = candidates.len() < missing;
        for seq in candidates {
            if page.items.len() == limit {
                let resume = if newest_first { seq + 1 } else { seq };
                page.next = Some(cursor::encode(&identity, resume));
                return Ok(page);
            }
            if newest_first {
                to = seq;
            } else {
                from = seq + 1;
            }
            let bytes = store.entry(seq)?;
            let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
            // The index answers by hashes; the entry itself decides.
            if wanted.matches(&entry) {
                page.items.push(entry_json(&entry, &bytes));
            }
        }
        if exhausted {
            break;
        }
    }
    Ok(page)
}

/// What a client asks entries to be.
#[derive(Clone, Debug, Default)]
pub struct Wanted {
    pub kind: Option<String>,
    pub source: Option<String>,
    pub subject: Option<String>,
    pub actor: Option<String>,
}

impl Wanted {
    fn is_anything(&self) -> bool {
        self.kind.is_none() && self.source.is_none() && self.subject.is_none() && self.actor.is_none()
    }

    /// The question to the index, which answers by hashes.
    fn filter(&self) -> Filter<'_> {
        Filter {
            ty: self.kind.as_deref(),
            source: self.source.as_deref(),
            subject: self.subject.as_deref(),
            actor: self.actor.as_deref(),
        }
    }

    /// Whether an entry is one of those asked for.
    pub fn matches(&self, entry: &Entry<'_>) -> bool {
        let same = |wanted: &Option<String>, is: Option<&str>| {
            wanted.as_deref().is_none_or(|wanted| is == Some(wanted))
        };
        same(&self.kind, entry.attribute("type"))
            && same(&self.source, entry.attribute("source"))
            && same(&self.subject, entry.attribute("subject"))
            && same(&self.actor, Some(&entry.actor))
    }
}

/// A place in the log: a number, or a time turned into one.
pub fn place(store: &Store, name: &str, text: &str) -> Result<u64, Problem> {
    if let Some(seq) = crate::spec::encoding::from_decimal(text) {
        return Ok(seq);
    }
    let time = time_parameter(text).ok_or_else(|| {
        Problem::parameter(name, "an entry's number or an RFC 3339 time such as 2026-03-01T00:00:00Z")
    })?;
    Ok(store.first_at_or_after(time)?)
}
