//! Access across grants and roles: who can reach what, what somebody can reach, and what nothing covers.

use super::answering::answer;
use super::filters::{GrantFilters, PageQuery, UseFilters};
use super::links;
use super::moment::{MomentQuery, MomentView, text};
use super::row::{RowList, RowView};
use crate::answers::access;
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
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

/// One way by which somebody can reach something.
#[derive(Serialize, ToSchema)]
pub struct Reach {
    /// Who.
    #[schema(example = "user:u-1031")]
    pub principal: String,
    /// What, as kind and id.
    #[schema(example = "dataset/loans-core")]
    pub resource: String,
    /// Where.
    #[schema(example = "production")]
    pub environment: String,
    /// What may be done with it.
    pub operations: Vec<String>,
    /// For which purpose.
    #[schema(example = "credit-decisioning")]
    pub purpose: String,
    /// The grant.
    #[schema(example = "GRT-0003")]
    pub grant: String,
    /// The role that the grant was given to, where it was given to a role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "credit-reviewer")]
    pub through_role: Option<String>,
    /// From when the grant counts.
    pub valid_from: Option<String>,
    /// Until when it counts.
    pub valid_until: Option<String>,
    /// Who granted it.
    pub granted_by: Option<String>,
    /// The approval that it rests on.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "APR-0002")]
    pub approval: Option<String>,
    /// The agreement between the units, where they differ.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "AGR-0001")]
    pub agreement: Option<String>,
    /// The entry that granted it.
    #[schema(example = "/v1/events/44")]
    pub entry: String,
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

/// Why a use is not covered.
#[derive(Serialize, ToSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum Uncovered {
    /// Nothing was granted.
    NoGrant,
    /// Something was granted, for other purposes.
    OtherPurpose {
        /// For which.
        granted: Vec<String>,
    },
    /// Something had been granted, and was over.
    AfterEnd {
        /// The grant that ended last.
        grant: String,
        /// When.
        end: String,
    },
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

impl Reach {
    fn of(way: access::reach::Reach) -> Reach {
        Reach {
            principal: way.principal,
            resource: way.resource,
            environment: way.environment,
            operations: way.operations,
            purpose: way.purpose,
            grant: way.grant,
            through_role: way.through_role,
            valid_from: way.valid_from.map(text),
            valid_until: way.valid_until.map(text),
            granted_by: way.granted_by,
            approval: way.approval,
            agreement: way.agreement,
            entry: links::entry(way.entry),
        }
    }
}

impl Uncovered {
    fn of(why: access::reach::Uncovered) -> Uncovered {
        match why {
            access::reach::Uncovered::NoGrant => Uncovered::NoGrant,
            access::reach::Uncovered::OtherPurpose { granted } => Uncovered::OtherPurpose { granted },
            access::reach::Uncovered::AfterEnd { grant, end } => {
                Uncovered::AfterEnd { grant, end: text(end) }
            }
        }
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
    reader: Reader,
    query: Query<Both<ReadersQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    answer(
        service,
        reader,
        move |inquiry| access::readers(inquiry, &parameters),
        |page, as_of| {
            let items = page.items.into_iter().map(Reach::of).collect();
            ReachList { items, next: page.next, as_of }
        },
    )
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
    reader: Reader,
    query: Query<Both<ReachQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    answer(
        service,
        reader,
        move |inquiry| access::reach(inquiry, &parameters),
        |ways, as_of| {
            let items = ways.into_iter().map(Reach::of).collect();
            ReachList { items, next: None, as_of }
        },
    )
    .await
}

/// Uses that no grant covered at that time: nothing granted, granted for another purpose, or over.
#[utoipa::path(tag = "compliance", params(UseFilters, MomentQuery, PageQuery), responses(
    (status = 200, description = "Uses, and why nothing covers them", body = UncoveredList),
    OfQuestions,
))]
#[get("/access/uncovered")]
pub async fn uncovered(
    service: web::Data<Service>,
    reader: Reader,
    query: Query<Both<UseFilters, Both<MomentQuery, PageQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    answer(
        service,
        reader,
        move |inquiry| access::uncovered(inquiry, &parameters),
        |page, as_of| {
            let item = |item: access::UncoveredUse| UncoveredView {
                usage: RowView::of(item.usage),
                why: Uncovered::of(item.why),
            };
            UncoveredList { items: page.items.into_iter().map(item).collect(), next: page.next, as_of }
        },
    )
    .await
}

/// Grants in force to people who held a role, and hold none any more.
#[utoipa::path(tag = "compliance", params(GrantFilters, MomentQuery, PageQuery), responses(
    (status = 200, description = "A page of grants", body = RowList),
    OfQuestions,
))]
#[get("/access/role-ended")]
pub async fn role_ended(
    service: web::Data<Service>,
    reader: Reader,
    query: Query<Both<GrantFilters, Both<MomentQuery, PageQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    answer(service, reader, move |inquiry| access::role_ended(inquiry, &parameters), RowList::of).await
}
