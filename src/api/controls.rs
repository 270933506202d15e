//! `/v1/controls`: what the organisation has to be able to show, and what the ledger holds of it.
//!
//! Here is what was recorded: how much evidence, which was the last, to how many rows a control applies. Whether a control
//! is kept is judged elsewhere, and nothing here may look as if it were.

use super::answering::answer;
use super::control_shown::{ControlDetail, ControlList, EvidenceList, MemberList};
use super::filters::{NewestFirstQuery, RowsQuery};
use super::moment::MomentQuery;
use crate::answers::controls;
use crate::answers::parameters::Parameters;
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use utoipa::IntoParams;

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
    reader: Reader,
    query: Query<Both<ControlsQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let moment = parameters.moment.clone();
    answer(
        service,
        reader,
        move |inquiry| controls::list(inquiry, &parameters),
        move |found, as_of| ControlList::of(found, &moment, as_of),
    )
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
    reader: Reader,
    id: web::Path<String>,
    query: Query<MomentQuery>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let moment = parameters.moment.clone();
    answer(
        service,
        reader,
        move |inquiry| controls::one(inquiry, &id, &parameters.moment),
        move |found, as_of| ControlDetail::of(found, &moment, as_of),
    )
    .await
}

/// The evidence of a control, the latest recorded first, or as asked for. What corrections took away is left out.
#[utoipa::path(tag = "compliance", params(("id" = String, Path, description = "The control", example = "ER-4"), EvidenceQuery, NewestFirstQuery, MomentQuery), responses(
    (status = 200, description = "A page of evidence", body = EvidenceList),
    OfQuestions,
))]
#[get("/controls/{id}/evidence")]
pub async fn list_control_evidence(
    service: web::Data<Service>,
    reader: Reader,
    id: web::Path<String>,
    query: Query<Both<EvidenceQuery, Both<NewestFirstQuery, MomentQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    answer(
        service,
        reader,
        move |inquiry| controls::evidence::list(inquiry, &id, &parameters),
        EvidenceList::of,
    )
    .await
}

/// The rows that a control applies to, each with its evidence for this control. Beside the parameters below, each field
/// of the rows.
#[utoipa::path(tag = "compliance", params(("id" = String, Path, description = "The control", example = "ER-4"), RowsQuery, MomentQuery), responses(
    (status = 200, description = "A page of rows", body = MemberList),
    OfQuestions,
))]
#[get("/controls/{id}/members")]
pub async fn list_control_members(
    service: web::Data<Service>,
    reader: Reader,
    id: web::Path<String>,
    parameters: Parameters,
) -> Result<HttpResponse, Problem> {
    let (control, moment) = (id.to_string(), parameters.moment.clone());
    answer(
        service,
        reader,
        move |inquiry| controls::members::list(inquiry, &id, &parameters),
        move |page, as_of| MemberList::of(&control, page, &moment, as_of),
    )
    .await
}
