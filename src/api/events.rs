//! Reading entries: one, its receipt, and lists.

use crate::answers::Page;
use crate::answers::deadline::Deadline;
use crate::answers::entries::{self, Entries, EntriesAsked};
use crate::answers::error::AnswerError;
use crate::answers::moment::Held;
use crate::answers::parameters::Parameters;
use crate::api::answering::APPLIED_SEQ;
use crate::api::event_view::{
    COLUMNS, EventList, EventView, ReceiptView, entry_cells, entry_json, event_json,
};
use crate::api::filters::Order;
use crate::api::listing::{Listing, Part, table};
use crate::api::problems::{OfCallers, OfLists, OrNotThere};
use crate::api::table::Columns;
use crate::identity::Principal;
use crate::spec::entry::Entry;
use crate::web::accept;
use crate::web::auth::{Caller, ReceiptReader};
use crate::web::parameters::{EntryNumber, Nothing, Query};
use crate::web::{Problem, Service};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde_json::json;
use utoipa::IntoParams;

/// Which entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "declares parameters")]
pub struct ListQuery {
    /// CloudEvents type, exact.
    #[param(example = "decision.made")]
    pub r#type: Option<String>,
    /// CloudEvents source, exact.
    pub source: Option<String>,
    /// CloudEvents id, exact; with `source`. Exactly one entry has both: it is answered, or 404. Also for whoever may read only
    /// what it posted.
    pub id: Option<String>,
    /// CloudEvents subject, exact.
    pub subject: Option<String>,
    /// Who posted it.
    #[param(example = "app:credit-line")]
    pub actor: Option<String>,
    /// First entry: a number, or the RFC 3339 time, or the date, from which they were recorded. A date
    /// begins at midnight UTC.
    pub from: Option<String>,
    /// Where to end, itself not included: a number, or the RFC 3339 time, or the date, before which they were
    /// recorded.
    pub to: Option<String>,
    /// `asc` (default) or `desc`.
    pub order: Option<Order>,
    /// 1 to 500; 50 if not given. Of CSV: so many rows in all, also more than 500; all of them if not given.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// From an earlier answer's `next`.
    pub cursor: Option<String>,
    /// Wait (at most 5 s) until the index has this entry: read your own write.
    pub min_seq: Option<u64>,
}

/// One entry.
#[utoipa::path(tag = "applications", params(("seq" = u64, Path, description = "The entry's number", example = 0)), responses(
    (status = 200, description = "The entry", body = EventView),
    OfCallers, OrNotThere,
))]
#[get("/events/{seq}")]
pub async fn get_event(
    service: web::Data<Service>,
    caller: Caller,
    seq: EntryNumber,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let EntryNumber(seq) = seq;
    let shown = web::block(move || {
        let bytes = entries::one(service.desk(), &caller.0, seq)?;
        Ok::<_, Problem>(event_json(seq, &bytes)?)
    });
    let shown = shown.await.map_err(|error| Problem::internal(&error))??;
    Ok(HttpResponse::Ok().content_type("application/json").body(shown))
}

/// An entry's receipt.
///
/// As `text/plain` a C2SP tlog-proof with the whole entry in its `extra` line: one file that stands alone. As
/// `application/json` the same in four members.
#[utoipa::path(tag = "applications", params(("seq" = u64, Path, description = "The entry's number", example = 0)), responses(
    (status = 200, description = "The receipt", content((String = "text/plain"), (ReceiptView = "application/json"))),
    OfCallers, OrNotThere,
))]
#[get("/events/{seq}/receipt")]
pub async fn get_receipt(
    service: web::Data<Service>,
    reader: ReceiptReader,
    seq: EntryNumber,
    request: HttpRequest,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let EntryNumber(seq) = seq;
    let receipt = web::block(move || match reader {
        ReceiptReader::OfTheLog => entries::receipt_of_any(service.desk(), seq),
        ReceiptReader::Caller(principal) => entries::receipt(service.desk(), &principal, seq),
    });
    let receipt = receipt.await.map_err(|error| Problem::internal(&error))??;
    let mut response = HttpResponse::Ok();
    response.insert_header((header::VARY, "Accept"));
    let offered = ["text/plain", "application/json"];
    Ok(if accept::media_type(request.headers(), &offered) == "application/json" {
        response.content_type("application/json").body(receipt.to_json())
    } else {
        let name = format!("attachment; filename=\"entry-{seq}.tlog-proof\"");
        response.insert_header((header::CONTENT_DISPOSITION, name));
        response.content_type("text/plain; charset=utf-8").body(receipt.to_text())
    })
}

/// Entries by type, source, subject, actor and time, or the one of a source and id.
#[utoipa::path(tag = "applications", params(ListQuery), responses(
    (status = 200, description = "A page of entries", content((EventList = "application/json"), (String = "text/csv"))),
    OfLists,
))]
#[get("/events")]
pub async fn list_events(
    service: web::Data<Service>,
    caller: Caller,
    form: Listing,
    query: Query<ListQuery>,
) -> Result<HttpResponse, Problem> {
    let principal = caller.0;
    if form.is_csv() {
        let actor = principal.actor.clone();
        let part = move |service: &Service, parameters: &Parameters, deadline: Deadline| {
            let Entries { page, applied } = listed(service, &principal, parameters, deadline, entry_cells)?;
            let held = Held { entries: applied, at: service.clock.now() };
            let known = page.unheard.is_empty();
            let shown =
                json!({"items": page.items, "next": page.next, "known": known, "unknown": page.unheard});
            Ok(Part::of(Columns::of(COLUMNS), &shown)?.held(held, applied))
        };
        return table(service, &actor, form.of_events(), query.into_inner(), part).await;
    }
    let deadline = Deadline::default();
    let turn = service.turns.of(&principal.actor, deadline).await?;
    let listed = web::block(move || {
        let _turn = turn;
        listed(&service, &principal, &query, deadline, entry_json)
    });
    let listed = listed.await.map_err(|error| Problem::internal(&error))??;
    let Page { items, next, unheard } = listed.page;
    let next = next.map_or_else(|| "null".to_owned(), |next| format!("\"{next}\""));
    let mut body =
        format!("{{\"items\":[{}],\"known\":{},\"next\":{next}", items.join(","), unheard.is_empty());
    if !unheard.is_empty() {
        body.push_str(&format!(",\"unknown\":{}", json!(unheard)));
    }
    body.push('}');
    Ok(HttpResponse::Ok()
        .content_type("application/json")
        .insert_header((APPLIED_SEQ, listed.applied.to_string()))
        .insert_header((header::VARY, "Accept"))
        .body(body))
}

/// What was asked for: the list is for whoever may read everything, and the one entry of a source and id for everyone who may
/// read that.
fn listed<T>(
    service: &Service,
    by: &Principal,
    parameters: &Parameters,
    deadline: Deadline,
    show: impl FnMut(&Entry<'_>, &[u8]) -> T,
) -> Result<Entries<T>, AnswerError> {
    if parameters.get("id").is_some() {
        return entries::find(service.desk(), by, &EntriesAsked::of(parameters)?, deadline, show);
    }
    let inquiry = service.desk().inquiry(by, deadline)?;
    entries::list(&inquiry, &EntriesAsked::of(parameters)?, show)
}
