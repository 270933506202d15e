//! Access across grants and roles: who can reach what, what somebody can reach, and what nothing covers.

use super::caveat::CaveatView;
use super::filters::{GrantFilters, PageQuery, UseFilters};
use super::links;
use super::listing::{Listing, list};
use super::moment::{MomentQuery, MomentView, text};
use super::row::{RowList, RowView};
use super::table::Columns;
use crate::answers::{Inquiry, Page, access};
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::collections::BTreeMap;
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
    /// 1 to 500 ways; 50 if not given. A grant to a role may open a few more. Of CSV: so many rows in all.
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
    /// From an earlier answer's `next`: where it was given more than is looked at for one answer (10,000 grants).
    pub cursor: Option<String>,
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

/// What a table of ways has.
const WAY: &[&str] = &[
    "principal",
    "resource",
    "environment",
    "operations",
    "purpose",
    "grant",
    "through_role",
    "valid_from",
    "valid_until",
    "granted_by",
    "approval",
    "agreement",
    "entry",
];

/// What a table of uncovered uses has beside the use.
const WHY_UNCOVERED: &[&str] = &["cover", "as_recorded", "why", "granted", "grant", "end", "gaps", "grants"];

/// Ways by which somebody can reach something.
#[derive(Serialize, ToSchema)]
pub struct ReachList {
    /// One for each way: somebody may have several.
    pub items: Vec<Reach>,
    /// Give it as `cursor` to go on; null at the end.
    pub next: Option<String>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// What touches this answer and may make it say too much or too little; absent where nothing is known to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<CaveatView>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// How far grants cover a use.
#[derive(Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Cover {
    /// At every moment, for its purpose.
    Covered,
    /// At some moments for its purpose, and not at all.
    Partly,
    /// At no moment for its purpose, and at every moment for some other.
    OtherPurpose,
    /// Anything else.
    Uncovered,
}

/// A stretch of time.
#[derive(Serialize, ToSchema)]
pub struct Gap {
    /// From when.
    #[schema(example = "2026-03-01T00:00:00.000000Z")]
    pub from: String,
    /// Until when, that moment not included.
    #[schema(example = "2026-03-02T00:00:00.000001Z")]
    pub until: String,
}

/// Why a use is not covered, or was not when it was recorded.
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
    /// Grants cover some of its moments.
    Partly {
        /// The first moments of it that none covers.
        gaps: Vec<Gap>,
    },
    /// It is covered by what was recorded after it.
    Afterwards {
        /// The grants that cover it now.
        grants: Vec<String>,
    },
}

/// A use that grants do not cover wholly, or did not when it was recorded.
#[derive(Serialize, ToSchema)]
pub struct UncoveredView {
    /// The use.
    #[serde(rename = "use")]
    pub usage: RowView,
    /// How far grants cover it, by what is known.
    pub cover: Cover,
    /// The same by what was known when it was recorded.
    pub as_recorded: Cover,
    /// Why.
    #[serde(flatten)]
    pub why: Uncovered,
}

/// Uses that grants do not cover wholly, or did not when they were recorded.
#[derive(Serialize, ToSchema)]
pub struct UncoveredList {
    /// In the order of the uses. A page may be short and have a next one.
    pub items: Vec<UncoveredView>,
    /// Give it as `cursor` to go on; null at the end.
    pub next: Option<String>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
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

impl ReachList {
    fn of(ways: access::Ways, as_of: MomentView) -> ReachList {
        let Page { items, next, unheard } = ways.page;
        let items = items.into_iter().map(Reach::of).collect();
        let caveats = CaveatView::all(ways.caveats, &as_of.asked());
        ReachList { items, next, known: unheard.is_empty(), unknown: unheard, caveats, as_of }
    }
}

impl Cover {
    fn of(cover: access::cover::Cover) -> Cover {
        match cover {
            access::cover::Cover::Covered => Cover::Covered,
            access::cover::Cover::Partly => Cover::Partly,
            access::cover::Cover::OtherPurpose => Cover::OtherPurpose,
            access::cover::Cover::Uncovered => Cover::Uncovered,
        }
    }
}

impl Uncovered {
    fn of(why: access::cover::Why) -> Uncovered {
        use access::cover::Why;
        match why {
            Why::NoGrant => Uncovered::NoGrant,
            Why::OtherPurpose { granted } => Uncovered::OtherPurpose { granted },
            Why::AfterEnd { grant, end } => Uncovered::AfterEnd { grant, end: text(end) },
            Why::Partly { gaps } => {
                let gap = |(from, until)| Gap { from: text(from), until: text(until) };
                Uncovered::Partly { gaps: gaps.into_iter().map(gap).collect() }
            }
            Why::Afterwards { grants } => Uncovered::Afterwards { grants },
        }
    }
}

/// Who can reach a resource: now, on a day, as known on another day; through roles too.
#[utoipa::path(tag = "compliance", params(ReadersQuery, MomentQuery), responses(
    (status = 200, description = "The ways by which somebody can", content((ReachList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/access/readers")]
pub async fn readers(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<ReadersQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    list(service, reader, form, parameters, |_| Ok(Columns::of(WAY)), access::readers, ReachList::of).await
}

/// What a principal can reach: now, on a day, as known on another day; through its roles too.
#[utoipa::path(tag = "compliance", params(ReachQuery, MomentQuery), responses(
    (status = 200, description = "The ways by which it can", content((ReachList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/access/reach")]
pub async fn reach(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<ReachQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    list(service, reader, form, parameters, |_| Ok(Columns::of(WAY)), access::reach, ReachList::of).await
}

/// Uses that grants do not cover at every one of their moments: nothing granted, granted for another purpose, over, or only
/// in part; and those that are covered only by what was recorded after them. Denied uses are listed apart: with
/// `outcome=denied`.
#[utoipa::path(tag = "compliance", params(UseFilters, MomentQuery, PageQuery), responses(
    (status = 200, description = "Uses, and why nothing covers them", content((UncoveredList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/access/uncovered")]
pub async fn uncovered(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<UseFilters, Both<MomentQuery, PageQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let columns = |inquiry: &Inquiry<'_>| {
        let uses = Columns::of_rows(&*inquiry.engine()?.view("access-uses")?);
        Ok(uses.under("use").and(WHY_UNCOVERED))
    };
    list(service, reader, form, parameters, columns, access::uncovered, |page, as_of| {
        let item = |item: access::UncoveredUse| UncoveredView {
            usage: RowView::of(item.usage),
            cover: Cover::of(item.cover),
            as_recorded: Cover::of(item.as_recorded),
            why: Uncovered::of(item.why),
        };
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(item).collect();
        UncoveredList { items, next, known: unheard.is_empty(), unknown: unheard, as_of }
    })
    .await
}

/// Grants in force to people who held a role, and hold none any more.
#[utoipa::path(tag = "compliance", params(GrantFilters, MomentQuery, PageQuery), responses(
    (status = 200, description = "A page of grants", content((RowList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/access/role-ended")]
pub async fn role_ended(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<GrantFilters, Both<MomentQuery, PageQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let columns = |inquiry: &Inquiry<'_>| Ok(Columns::of_rows(&*inquiry.engine()?.view("access")?));
    list(service, reader, form, parameters, columns, access::role_ended, RowList::of).await
}
