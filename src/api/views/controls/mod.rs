//! `/v1/controls`: what the organisation has to be able to show, and what the ledger holds of it.
//!
//! Here is what was recorded: how much evidence, which was the last, to how many rows a control applies. Whether a control
//! is kept is judged elsewhere, and nothing here may look as if it were.

mod asked;
mod evidence;
mod members;
mod shown;

use super::ask::Parameters;
use super::moment::MomentQuery;
use super::{Answer, answer};
use crate::api::problems::OfQuestions;
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpRequest, HttpResponse, get, web};
use asked::Asked;
use shown::{ControlDetail, ControlList, EvidenceList, MemberList};
use utoipa::IntoParams;

/// Members of one population that are counted one by one for the list of all controls.
///
/// Reason: some sixty populations are counted for one answer.
const MAX_COUNTED_IN_LIST: usize = 1_000;

/// Members of the population that are counted one by one for one control.
const MAX_COUNTED: usize = 20_000;

/// Evidence that one control shows by itself; its list has all of it.
const RECENT: usize = 10;

/// Which controls.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
struct ControlsQuery {
    /// Controls of this domain of the catalogue.
    #[param(example = "ethics")]
    domain: Option<String>,
    /// Controls that apply to rows of this register or view.
    #[param(example = "decisions")]
    population: Option<String>,
}

/// Which evidence.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
struct EvidenceQuery {
    /// Only evidence that names this row of the population.
    #[param(example = "LN-2026-0004")]
    member: Option<String>,
    /// 1 to 500; 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// From an earlier answer's `next`.
    cursor: Option<String>,
}

/// All controls: to what each applies, its question, and what there is of evidence.
///
/// `as_of` counts the evidence that had been recorded by then, and the rows of the population as they were known; `at`
/// counts the rows as they held at another time. Evidence that a correction took away does not count from the correction on.
#[utoipa::path(tag = "compliance", params(ControlsQuery, MomentQuery), responses(
    (status = 200, description = "All controls that fit, by id", body = ControlList),
    OfQuestions,
))]
#[get("/controls")]
pub async fn list_controls(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    parameters.only(&["domain", "population"])?;
    answer(service, move |service| {
        let catalog = &service.catalog.current();
        let mut asked = Asked::new(service, catalog, &parameters)?;
        let domain = parameters.get("domain");
        if let Some(domain) = domain
            && !catalog.controls().any(|control| control.domain == domain)
        {
            let mut known: Vec<&str> = catalog.controls().map(|control| control.domain.as_str()).collect();
            known.sort_unstable();
            known.dedup();
            return Err(Problem::parameter("domain", &format!("one of {}", known.join(", "))));
        }
        let population = parameters.get("population");
        let fits = |control: &&crate::catalog::Control| {
            domain.is_none_or(|domain| control.domain == domain)
                && population.is_none_or(|name| {
                    control.population.as_ref().is_some_and(|population| population.register == name)
                })
        };
        let mut items = Vec::new();
        for control in catalog.controls().filter(fits) {
            items.push(asked.control(control, MAX_COUNTED_IN_LIST, 1)?.0);
        }
        let body = ControlList { items, next: None, building: asked.building(), as_of: asked.moment.view() };
        Ok(Answer { body, applied: asked.moment.engine.applied() })
    })
    .await
}

/// One control, with its latest evidence.
#[utoipa::path(tag = "compliance", params(("id" = String, Path, description = "The control", example = "ER-4"), MomentQuery), responses(
    (status = 200, description = "The control", body = ControlDetail),
    OfQuestions,
))]
#[get("/controls/{id}")]
pub async fn get_control(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    parameters.only(&[])?;
    answer(service, move |service| {
        let catalog = &service.catalog.current();
        let mut asked = Asked::new(service, catalog, &parameters)?;
        let control = catalog.control(&id).ok_or_else(|| absent(&id))?;
        let (control, recent) = asked.control(control, MAX_COUNTED, RECENT)?;
        let body = ControlDetail { control, recent, building: asked.building(), as_of: asked.moment.view() };
        Ok(Answer { body, applied: asked.moment.engine.applied() })
    })
    .await
}

/// The evidence of a control, the latest recorded first. What corrections took away is left out.
#[utoipa::path(tag = "compliance", params(("id" = String, Path, description = "The control", example = "ER-4"), EvidenceQuery, MomentQuery), responses(
    (status = 200, description = "A page of evidence", body = EvidenceList),
    OfQuestions,
))]
#[get("/controls/{id}/evidence")]
pub async fn list_control_evidence(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    parameters.only(&["member", "limit", "cursor"])?;
    answer(service, move |service| evidence::list(service, &service.catalog.current(), &id, &parameters))
        .await
}

/// The rows that a control applies to, each with its evidence for this control. Beside the parameters below, each field
/// of the rows.
#[utoipa::path(tag = "compliance", params(("id" = String, Path, description = "The control", example = "ER-4"), super::ask::RowsQuery, MomentQuery), responses(
    (status = 200, description = "A page of rows", body = MemberList),
    OfQuestions,
))]
#[get("/controls/{id}/members")]
pub async fn list_control_members(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    answer(service, move |service| members::list(service, &service.catalog.current(), &id, &parameters)).await
}

fn absent(id: &str) -> Problem {
    let detail = format!("there is no control {id:.64?}; /v1/controls lists those that there are");
    Problem::new(ProblemType::NotFound, detail)
}
