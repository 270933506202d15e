//! The questions that every view of rows answers: which rows, one row, its history, how many of each kind.

use super::answering::{answer, parameters};
use super::filters::{
    ApprovalFilters, DecisionFilters, EscalationFilters, GrantFilters, RequestFilters, RowsQuery, UseFilters,
};
use super::moment::MomentQuery;
use super::row::{CountsView, HistoryView, RowDetail, RowList};
use crate::answers::rows;
use crate::web::auth::Caller;
use crate::web::{Problem, Service};
use actix_web::{HttpRequest, HttpResponse, get, web};

/// The four questions to one view; without `one` where a row is asked for by a question of its own.
macro_rules! rows_of {
    ($module:ident, $filters:ty, $view:literal, $what:literal, $list:literal, $counts:literal, $history:literal $(, one: $one:literal)?) => {
        #[doc = $what]
        pub mod $module {
            use super::*;

            #[doc = concat!($what, ": the rows that fit.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("list_", stringify!($module)), params($filters, RowsQuery, MomentQuery), responses(
                (status = 200, description = "A page of rows", body = RowList, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
                (status = 400, description = "`bad-parameter`, `bad-cursor`", body = Problem, content_type = "application/problem+json"),
                (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
                (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
                (status = 404, description = "`min_seq` or `as_of` is beyond the log", body = Problem, content_type = "application/problem+json"),
                (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
            ))]
            #[get($list)]
            pub async fn list(service: web::Data<Service>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                let parameters = parameters(request.query_string())?;
                answer(service, caller, move |inquiry| rows::list(inquiry, $view, &parameters), RowList::of_rows).await
            }

            #[doc = concat!($what, ": how many rows have which state, or which value of another field.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("count_", stringify!($module)), params(
                ("by" = Option<String>, Query, description = "`state` if not given, or another field that the view counts by", example = "state"),
                ("min_seq" = Option<u64>, Query, description = "Wait (at most 5 s) until the views have this entry"),
            ), responses(
                (status = 200, description = "Counts", body = CountsView, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
                (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
                (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
                (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
                (status = 404, description = "`min_seq` is beyond the log", body = Problem, content_type = "application/problem+json"),
                (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
            ))]
            #[get($counts)]
            pub async fn counts(service: web::Data<Service>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                let parameters = parameters(request.query_string())?;
                answer(service, caller, move |inquiry| rows::counts(inquiry, $view, &parameters), CountsView::of).await
            }

            $(
            #[doc = concat!($what, ": one row.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("get_", stringify!($module)), params(("id" = String, Path, description = "The row's id"), MomentQuery), responses(
                (status = 200, description = "The row", body = RowDetail, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
                (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
                (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
                (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
                (status = 404, description = "No such row as of then", body = Problem, content_type = "application/problem+json"),
                (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
            ))]
            #[get($one)]
            pub async fn one(service: web::Data<Service>, caller: Caller, id: web::Path<String>, query: web::Query<MomentQuery>) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                let moment = query.into_inner().into();
                answer(service, caller, move |inquiry| rows::one(inquiry, $view, &id, &moment), RowDetail::of).await
            }
            )?

            #[doc = concat!($what, ": what made one row what it is, entry by entry.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("history_of_", stringify!($module)), params(("id" = String, Path, description = "The row's id"), MomentQuery), responses(
                (status = 200, description = "The row's history, by effective time", body = HistoryView, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
                (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
                (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
                (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
                (status = 404, description = "No such row as of then", body = Problem, content_type = "application/problem+json"),
                (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
            ))]
            #[get($history)]
            pub async fn history(service: web::Data<Service>, caller: Caller, id: web::Path<String>, query: web::Query<MomentQuery>) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                let moment = query.into_inner().into();
                answer(service, caller, move |inquiry| rows::history(inquiry, $view, &id, &moment), HistoryView::of).await
            }
        }
    };
}

rows_of!(
    approvals,
    ApprovalFilters,
    "approvals",
    "Approvals",
    "/approvals",
    "/approvals/counts",
    "/approvals/{id}/history"
);
rows_of!(
    access,
    GrantFilters,
    "access",
    "Grants of access",
    "/access",
    "/access/counts",
    "/access/{id}/history",
    one: "/access/{id}"
);
rows_of!(
    access_requests,
    RequestFilters,
    "access-requests",
    "Requests for access",
    "/access/requests",
    "/access/requests/counts",
    "/access/requests/{id}/history",
    one: "/access/requests/{id}"
);
rows_of!(
    access_uses,
    UseFilters,
    "access-uses",
    "Uses of data",
    "/access/uses",
    "/access/uses/counts",
    "/access/uses/{id}/history",
    one: "/access/uses/{id}"
);
rows_of!(
    decisions,
    DecisionFilters,
    "decisions",
    "Decisions",
    "/decisions",
    "/decisions/counts",
    "/decisions/{id}/history"
);
rows_of!(
    escalations,
    EscalationFilters,
    "escalations",
    "Escalations",
    "/escalations",
    "/escalations/counts",
    "/escalations/{id}/history",
    one: "/escalations/{id}"
);
