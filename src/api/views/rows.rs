//! The questions that every view of rows answers: which rows, one row, its history, how many of each kind.

use super::ask::{Parameters, RowsQuery};
use super::filters::{
    ApprovalFilters, DecisionFilters, EscalationFilters, GrantFilters, RequestFilters, UseFilters,
};
use super::moment::{MomentQuery, moment, view};
use super::row::{CountView, CountsView, HistoryView, RowDetail, RowList, history_view, row_view};
use super::{Answer, answer, problem};
use crate::api::cursor;
use crate::api::problems::OfQuestions;
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpRequest, HttpResponse, get, web};

/// A page of rows.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn list(service: &Service, name: &str, parameters: &Parameters) -> Result<Answer<RowList>, Problem> {
    let moment = moment(service, &parameters.moment)?;
    let view = view(&moment, name)?;
    let (ask, identity) = parameters.ask(&*view, moment.when)?;
    let page = moment.engine.list(name, &ask).map_err(problem)?;
    let items = page.rows.into_iter().map(|found| row_view(&*view, found, moment.when.at)).collect();
    let next = page.next.map(|place| cursor::encode_place(&identity, place));
    Ok(Answer { body: RowList { items, next, as_of: moment.view() }, applied: page.applied })
}

/// One row.
///
/// # Errors
/// There is none, a parameter is wrong, or the views do not answer.
pub fn one(
    service: &Service,
    name: &str,
    id: &str,
    query: &MomentQuery,
) -> Result<Answer<RowDetail>, Problem> {
    let moment = moment(service, query)?;
    let view = view(&moment, name)?;
    let found = moment.engine.row(name, id, moment.when).map_err(problem)?;
    let found = found.ok_or_else(|| absent(name, id))?;
    let row = row_view(&*view, found, moment.when.at);
    Ok(Answer { body: RowDetail { row, as_of: moment.view() }, applied: moment.engine.applied() })
}

/// A row's history.
///
/// # Errors
/// There is no such row, a parameter is wrong, or the views do not answer.
pub fn history(
    service: &Service,
    name: &str,
    id: &str,
    query: &MomentQuery,
) -> Result<Answer<HistoryView>, Problem> {
    let moment = moment(service, query)?;
    let history = moment.engine.history(name, id, moment.when).map_err(problem)?;
    let history = history.ok_or_else(|| absent(name, id))?;
    let applied = history.applied;
    Ok(Answer { body: history_view(history, moment.view()), applied })
}

/// How many rows have which value.
///
/// # Errors
/// A parameter is wrong, or the views do not answer.
pub fn counts(service: &Service, name: &str, parameters: &Parameters) -> Result<Answer<CountsView>, Problem> {
    let moment = moment(service, &parameters.moment)?;
    let view = view(&moment, name)?;
    let by = parameters.get("by").unwrap_or("state");
    let fields = view.counted_fields();
    if by != "state" && !fields.contains(&by) {
        let mut known = vec!["state"];
        known.extend(&fields);
        return Err(Problem::parameter("by", &format!("one of {}", known.join(", "))));
    }
    if !moment.current {
        let detail = "counts are kept of now; to count as of another day, list the rows as of that day";
        return Err(Problem::new(ProblemType::BadParameter, detail));
    }
    let at = moment.when.at;
    let counts = moment.engine.counts(name, by, at).map_err(problem)?;
    let items = counts.into_iter().map(|(value, count)| CountView { value, count }).collect();
    let body = CountsView {
        by: by.to_owned(),
        items,
        total: moment.engine.rows(name).map_err(problem)?,
        overdue: moment.engine.overdue(name, at).map_err(problem)?,
        as_of: moment.view(),
    };
    Ok(Answer { body, applied: moment.engine.applied() })
}

fn absent(name: &str, id: &str) -> Problem {
    Problem::new(
        ProblemType::NotFound,
        format!("{name} has no row {id:.128?}, as of the moment that was asked for"),
    )
}

/// The four questions to one view.
macro_rules! rows_of {
    ($module:ident, $filters:ty, $view:literal, $what:literal, $list:literal, $counts:literal, $one:literal, $history:literal) => {
        #[doc = $what]
        pub mod $module {
            use super::*;

            #[doc = concat!($what, ": the rows that fit.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("list_", stringify!($module)), params($filters, RowsQuery, MomentQuery), responses(
                (status = 200, description = "A page of rows", body = RowList),
                OfQuestions,
            ))]
            #[get($list)]
            pub async fn list(service: web::Data<Service>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                let parameters = Parameters::read(request.query_string())?;
                answer(service, move |service| super::list(service, $view, &parameters)).await
            }

            #[doc = concat!($what, ": how many rows have which state, or which value of another field.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("count_", stringify!($module)), params(
                ("by" = Option<String>, Query, description = "`state` if not given, or another field that the view counts by", example = "state"),
                ("min_seq" = Option<u64>, Query, description = "Wait (at most 5 s) until the views have this entry"),
            ), responses(
                (status = 200, description = "Counts", body = CountsView),
                OfQuestions,
            ))]
            #[get($counts)]
            pub async fn counts(service: web::Data<Service>, caller: Caller, request: HttpRequest) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                let parameters = Parameters::read(request.query_string())?;
                answer(service, move |service| super::counts(service, $view, &parameters)).await
            }

            #[doc = concat!($what, ": one row.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("get_", stringify!($module)), params(("id" = String, Path, description = "The row's id"), MomentQuery), responses(
                (status = 200, description = "The row", body = RowDetail),
                OfQuestions,
            ))]
            #[get($one)]
            pub async fn one(service: web::Data<Service>, caller: Caller, id: web::Path<String>, query: web::Query<MomentQuery>) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                answer(service, move |service| super::one(service, $view, &id, &query)).await
            }

            #[doc = concat!($what, ": what made one row what it is, entry by entry.")]
            #[utoipa::path(tag = "compliance", operation_id = concat!("history_of_", stringify!($module)), params(("id" = String, Path, description = "The row's id"), MomentQuery), responses(
                (status = 200, description = "The row's history, by effective time", body = HistoryView),
                OfQuestions,
            ))]
            #[get($history)]
            pub async fn history(service: web::Data<Service>, caller: Caller, id: web::Path<String>, query: web::Query<MomentQuery>) -> Result<HttpResponse, Problem> {
                caller.must_read_all()?;
                answer(service, move |service| super::history(service, $view, &id, &query)).await
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
    "/approvals/{id}",
    "/approvals/{id}/history"
);
rows_of!(
    access,
    GrantFilters,
    "access",
    "Grants of access",
    "/access",
    "/access/counts",
    "/access/{id}",
    "/access/{id}/history"
);
rows_of!(
    access_requests,
    RequestFilters,
    "access-requests",
    "Requests for access",
    "/access/requests",
    "/access/requests/counts",
    "/access/requests/{id}",
    "/access/requests/{id}/history"
);
rows_of!(
    access_uses,
    UseFilters,
    "access-uses",
    "Uses of data",
    "/access/uses",
    "/access/uses/counts",
    "/access/uses/{id}",
    "/access/uses/{id}/history"
);
rows_of!(
    decisions,
    DecisionFilters,
    "decisions",
    "Decisions",
    "/decisions",
    "/decisions/counts",
    "/decisions/{id}",
    "/decisions/{id}/history"
);
rows_of!(
    escalations,
    EscalationFilters,
    "escalations",
    "Escalations",
    "/escalations",
    "/escalations/counts",
    "/escalations/{id}",
    "/escalations/{id}/history"
);
