//! `/v1/controls`: what the organisation has to be able to show, and what the ledger holds of it.
//!
//! Here is what was recorded: how much evidence, which was the last, to how many rows a control applies, and for which of
//! them it is due or overdue. Whether one is violated is judged elsewhere.

use super::answering::answer;
use super::control_shown::{ControlDetail, ControlList, EvidenceList};
use super::filters::{NewestFirstQuery, RowsQuery};
use super::listing::{Listing, list};
use super::member_shown::MemberList;
use super::moment::MomentQuery;
use super::table::Columns;
use crate::answers::parameters::Parameters;
use crate::answers::{Inquiry, controls};
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
    /// 1 to 500; 50 if not given. Of CSV: so many rows in all, also more than 500; all of them if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// From an earlier answer's `next`.
    cursor: Option<String>,
}

/// What a table of controls has.
const CONTROL: &[&str] = &[
    "id",
    "title",
    "domain",
    "question",
    "violation",
    "population.register",
    "population.where",
    "population.members",
    "population.members_at_least",
    "population.members_unavailable",
    "population.link",
    "evidence_types",
    "evidence.count",
    "evidence.last.seq",
    "evidence.last.time",
    "evidence.last.type",
    "evidence.last.effective_at",
    "evidence.last.by",
    "evidence.last.subject",
    "evidence.last.members",
    "evidence.last.link",
    "cadence",
    "due_by",
    "standing.worst",
    "standing.states",
    "standing.complete",
    "links.self",
    "links.evidence",
    "links.members",
];

/// What a table of evidence has.
const EVIDENCE: &[&str] = &["seq", "time", "type", "effective_at", "by", "subject", "members", "link"];

/// What a table of rows has of their evidence.
const MEMBER_EVIDENCE: &[&str] = &[
    "evidence.count",
    "evidence.count_at_least",
    "evidence.total",
    "evidence.total_at_least",
    "evidence.state",
    "evidence.due_by",
    "evidence.waived_by",
    "evidence.last.seq",
    "evidence.last.time",
    "evidence.last.type",
    "evidence.last.effective_at",
    "evidence.last.by",
    "evidence.last.subject",
    "evidence.last.members",
    "evidence.last.link",
    "evidence.link",
];

/// All controls: to what each applies, its question, and what there is of evidence.
///
/// `as_of` counts the evidence that had been recorded by then, and the rows of the population as they were known; `at`
/// counts the rows as they held at another time. Evidence that a correction took away does not count from the correction on.
#[utoipa::path(tag = "compliance", params(ControlsQuery, MomentQuery), responses(
    (status = 200, description = "All controls that fit, by id", content((ControlList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/controls")]
pub async fn list_controls(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<ControlsQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let moment = parameters.moment.clone();
    list(
        service,
        reader,
        form,
        parameters,
        |_| Ok(Columns::of(CONTROL)),
        controls::list,
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
    (status = 200, description = "A page of evidence", content((EvidenceList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/controls/{id}/evidence")]
pub async fn list_control_evidence(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    id: web::Path<String>,
    query: Query<Both<EvidenceQuery, Both<NewestFirstQuery, MomentQuery>>>,
) -> Result<HttpResponse, Problem> {
    let question =
        move |inquiry: &Inquiry<'_>, asked: &Parameters| controls::evidence::list(inquiry, &id, asked);
    let columns = |_: &Inquiry<'_>| Ok(Columns::of(EVIDENCE));
    list(service, reader, form, query.into_inner(), columns, question, EvidenceList::of).await
}

/// The rows that a control applies to, each with its evidence for this control. Beside the parameters below, each field
/// of the rows.
#[utoipa::path(tag = "compliance", params(("id" = String, Path, description = "The control", example = "ER-4"), RowsQuery, MomentQuery), responses(
    (status = 200, description = "A page of rows", content((MemberList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/controls/{id}/members")]
pub async fn list_control_members(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    id: web::Path<String>,
    parameters: Parameters,
) -> Result<HttpResponse, Problem> {
    let (control, moment) = (id.to_string(), parameters.moment.clone());
    let of_control = control.clone();
    let columns = move |inquiry: &Inquiry<'_>| {
        let register = controls::members::register(inquiry, &of_control)?;
        Ok(Columns::of_rows(&*inquiry.engine()?.view(&register)?).and(MEMBER_EVIDENCE))
    };
    list(
        service,
        reader,
        form,
        parameters,
        columns,
        move |inquiry, parameters| controls::members::list(inquiry, &id, parameters),
        move |page, as_of| MemberList::of(&control, page, &moment, as_of),
    )
    .await
}
