//! Access across grants and roles: who can reach what, what somebody can reach, and what nothing covers.

use super::ask::Parameters;
use super::filters::UseFilters;
use super::moment::{MomentQuery, MomentView, moment, view};
use super::row::{RowView, row_view};
use super::{Answer, answer, problem};
use crate::api::cursor;
use crate::api::problems::OfQuestions;
use crate::views::access::reach::{Reach, Uncovered, Wanted};
use crate::views::access::who;
use crate::views::engine::When;
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// What to ask of grants.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct ReadersQuery {
    /// Of what: kind and id.
    #[param(example = "dataset/loans-core")]
    pub resource: String,
    /// Only who may do this with it.
    #[param(example = "read")]
    pub operation: Option<String>,
    /// Only in this environment.
    pub environment: Option<String>,
    /// Only for this purpose.
    pub purpose: Option<String>,
    /// 1 to 500 ways; 50 if not given. A grant to a role may open a few more.
    #[param(minimum = 1, maximum = 500)]
    pub limit: Option<usize>,
    /// From an earlier answer's `next`.
    pub cursor: Option<String>,
}

/// Whose reach.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct ReachQuery {
    /// Who.
    #[param(example = "user:u-1031")]
    pub principal: String,
    /// Only what it may do this with.
    pub operation: Option<String>,
    /// Only in this environment.
    pub environment: Option<String>,
    /// Only for this purpose.
    pub purpose: Option<String>,
}

/// Ways by which somebody can reach something.
#[derive(Serialize, ToSchema)]
pub struct ReachList {
    /// One for each way: somebody may have several.
    pub items: Vec<Reach>,
    /// Give it as `cursor` to go on; null at the end.
    pub next: Option<String>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// A use that no grant covered.
#[derive(Serialize, ToSchema)]
pub struct UncoveredView {
    /// The use.
    #[serde(rename = "use")]
    pub usage: RowView,
    /// Why no grant covers it.
    #[serde(flatten)]
    pub why: Uncovered,
}

/// Uses that no grant covered.
#[derive(Serialize, ToSchema)]
pub struct UncoveredList {
    /// In the order of the uses. A page may be short and have a next one.
    pub items: Vec<UncoveredView>,
    /// Give it as `cursor` to go on; null at the end.
    pub next: Option<String>,
    /// As of when it holds.
    pub as_of: MomentView,
}

fn check(parameters: &Parameters, known: &[&str]) -> Result<(), Problem> {
    match parameters.names().find(|name| !known.contains(name)) {
        Some(name) => {
            let detail = format!("no parameter {name:.64?}; there are {}", known.join(", "));
            Err(Problem::new(ProblemType::BadParameter, detail))
        }
        None => Ok(()),
    }
}

fn wanted(parameters: &Parameters) -> Wanted<'_> {
    Wanted {
        operation: parameters.get("operation"),
        environment: parameters.get("environment"),
        purpose: parameters.get("purpose"),
    }
}

/// Who can reach a resource: now, on a day, as known on another day; through roles too.
#[utoipa::path(tag = "compliance", params(ReadersQuery, MomentQuery), responses(
    (status = 200, description = "The ways by which somebody can", body = ReachList),
    OfQuestions,
))]
#[get("/access/readers")]
pub async fn readers(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    answer(service, move |service| {
        check(&parameters, &["resource", "operation", "environment", "purpose", "limit", "cursor"])?;
        let resource = parameters.get("resource").filter(|resource| resource.contains('/'));
        let resource = resource
            .ok_or_else(|| Problem::parameter("resource", "kind and id, such as dataset/loans-core"))?;
        let moment = moment(service, &parameters.moment)?;
        let query = &parameters.moment;
        let identity =
            format!("readers {resource} {:?} {:?} {:?}", wanted(&parameters), query.as_of, query.at);
        let after = parameters.get("cursor").map(|text| cursor::decode_place(&identity, text)).transpose()?;
        let limit = parameters.limit()?;
        let engine = &moment.engine;
        let part = who::readers(engine, resource, wanted(&parameters), moment.when, after, limit);
        let part = part.map_err(problem)?;
        let next = part.next.map(|place| cursor::encode_place(&identity, place));
        let body = ReachList { items: part.items, next, as_of: moment.view() };
        Ok(Answer { body, applied: engine.applied() })
    })
    .await
}

/// What a principal can reach: now, on a day, as known on another day; through its roles too.
#[utoipa::path(tag = "compliance", params(ReachQuery, MomentQuery), responses(
    (status = 200, description = "The ways by which it can", body = ReachList),
    OfQuestions,
))]
#[get("/access/reach")]
pub async fn reach(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    answer(service, move |service| {
        check(&parameters, &["principal", "operation", "environment", "purpose"])?;
        let principal = parameters.get("principal").filter(|principal| !principal.is_empty());
        let principal =
            principal.ok_or_else(|| Problem::parameter("principal", "a principal, such as user:u-1031"))?;
        let moment = moment(service, &parameters.moment)?;
        let items = who::reachable(&moment.engine, principal, wanted(&parameters), moment.when);
        let body = ReachList { items: items.map_err(problem)?, next: None, as_of: moment.view() };
        Ok(Answer { body, applied: moment.engine.applied() })
    })
    .await
}

/// Uses that no grant covered at that time: nothing granted, granted for another purpose, or over.
#[utoipa::path(tag = "compliance", params(UseFilters, MomentQuery,
    ("limit" = Option<usize>, Query, description = "1 to 500 uses looked at; 50 if not given", minimum = 1, maximum = 500),
    ("cursor" = Option<String>, Query, description = "From an earlier answer's `next`"),
), responses(
    (status = 200, description = "Uses, and why nothing covers them", body = UncoveredList),
    OfQuestions,
))]
#[get("/access/uncovered")]
pub async fn uncovered(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    answer(service, move |service| {
        let moment = moment(service, &parameters.moment)?;
        let view = view(&moment, "access-uses")?;
        let (ask, identity) = parameters.ask(&*view, moment.when)?;
        let part = who::uncovered_uses(&moment.engine, &ask).map_err(problem)?;
        let item = |item: who::UncoveredUse| UncoveredView {
            usage: row_view(&*view, item.usage, moment.when.at),
            why: item.why,
        };
        let body = UncoveredList {
            items: part.items.into_iter().map(item).collect(),
            next: part.next.map(|place| cursor::encode_place(&identity, place)),
            as_of: moment.view(),
        };
        Ok(Answer { body, applied: moment.engine.applied() })
    })
    .await
}

/// Grants in force to people who held a role, and hold none any more.
#[utoipa::path(tag = "compliance", params(MomentQuery,
    ("limit" = Option<usize>, Query, description = "1 to 500 grants looked at; 50 if not given", minimum = 1, maximum = 500),
    ("cursor" = Option<String>, Query, description = "From an earlier answer's `next`"),
), responses(
    (status = 200, description = "A page of grants", body = super::row::RowList),
    OfQuestions,
))]
#[get("/access/role-ended")]
pub async fn role_ended(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    answer(service, move |service| {
        let moment = moment(service, &parameters.moment)?;
        let view = view(&moment, "access")?;
        let (mut ask, identity) = parameters.ask(&*view, moment.when)?;
        ask.validity = Some("in-force".to_owned());
        ask.filters.push(("state".to_owned(), vec!["granted".to_owned()]));
        let When { at, .. } = moment.when;
        let page = moment.engine.list("access", &ask).map_err(problem)?;
        let mut items = Vec::new();
        for grant in page.rows {
            if who::role_ended(&moment.engine, &grant, moment.when).map_err(problem)? {
                items.push(row_view(&*view, grant, at));
            }
        }
        let next = page.next.map(|place| cursor::encode_place(&identity, place));
        let body = super::row::RowList { items, next, as_of: moment.view() };
        Ok(Answer { body, applied: page.applied })
    })
    .await
}
