//! Statistics of approvals and of escalations: how many, how they ended, how long they took.

use super::caveat::CaveatView;
use super::links;
use super::listing::{Listing, list};
use super::moment::{MomentQuery, MomentView};
use super::table::Columns;
use crate::answers::courses::clocks::{APPROVALS, ESCALATIONS};
use crate::answers::courses::{self, CourseGroup, CourseStatistics, Took};
use crate::answers::moment::AskedMoment;
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// What a table of statistics of approvals has.
const OF_APPROVALS: &[&str] = &[
    "group.kind",
    "group.owner",
    "group.risk_class",
    "group.state",
    "group.day",
    "group.week",
    "group.month",
    "group.quarter",
    "count",
    "share",
    "overdue",
    "states",
    "rounds",
    "to_decide.reached",
    "to_decide.waiting",
    "to_decide.never",
    "to_decide.median_seconds",
    "to_decide.p90_seconds",
    "to_decide.exact",
    "link",
];

/// What a table of statistics of escalations has.
const OF_ESCALATIONS: &[&str] = &[
    "group.severity",
    "group.level",
    "group.owner",
    "group.path",
    "group.opened_by_kind",
    "group.state",
    "group.day",
    "group.week",
    "group.month",
    "group.quarter",
    "count",
    "share",
    "overdue",
    "states",
    "rounds",
    "to_acknowledge.reached",
    "to_acknowledge.waiting",
    "to_acknowledge.never",
    "to_acknowledge.median_seconds",
    "to_acknowledge.p90_seconds",
    "to_acknowledge.exact",
    "to_resolve.reached",
    "to_resolve.waiting",
    "to_resolve.never",
    "to_resolve.median_seconds",
    "to_resolve.p90_seconds",
    "to_resolve.exact",
    "to_close.reached",
    "to_close.waiting",
    "to_close.never",
    "to_close.median_seconds",
    "to_close.p90_seconds",
    "to_close.exact",
    "link",
];

/// Of which stretch of time.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct OpenedQuery {
    /// Only rows that were opened from this time on (valid time): an RFC 3339 time, or a date, which begins at midnight UTC.
    /// It is the list's `opened_from`.
    #[param(example = "2026-01-01")]
    pub from: Option<String>,
    /// Only rows that were opened before this time. It is the list's `opened_to`.
    #[param(example = "2026-04-01")]
    pub to: Option<String>,
    /// From an earlier answer's `rest`: statistics of the rows that it did not count.
    pub cursor: Option<String>,
}

/// Which statistics of approvals.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct ApprovalStatsQuery {
    /// By what they are put together, one or two with a comma: `kind`, `owner` (who asked), `risk_class`, `state`, and one of
    /// `day`, `week`, `month`, `quarter`, in which they were opened (UTC). `kind` if not given; `none` for all in one.
    #[param(example = "kind,month")]
    pub group_by: Option<String>,
    /// Only of one of these kinds; several with commas.
    pub kind: Option<String>,
    /// Only those that one of these principals asked for.
    pub owner: Option<String>,
    /// Only of one of these risk classes: `minimal`, `limited`, `high`.
    pub risk_class: Option<String>,
}

/// Which statistics of escalations.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct EscalationStatsQuery {
    /// By what they are put together, one or two with a comma: `severity`, `level`, `owner` (who has it), `path`,
    /// `opened_by_kind`, `state`, and one of `day`, `week`, `month`, `quarter`, in which they were opened (UTC). `severity` if
    /// not given; `none` for all in one.
    #[param(example = "severity,quarter")]
    pub group_by: Option<String>,
    /// Only of one of these severities; several with commas.
    pub severity: Option<String>,
    /// Only those that have gone so high.
    pub level: Option<String>,
    /// Only those that one of these principals has.
    pub owner: Option<String>,
    /// Only those that go one of these paths.
    pub path: Option<String>,
    /// Only those that were opened by one of these: `person`, `policy`, `threshold`.
    pub opened_by_kind: Option<String>,
}

/// How long rounds took to come to something. `reached`, `waiting` and `never` together are all rounds of the group.
#[derive(Serialize, ToSchema)]
pub struct TookView {
    /// Rounds that came to it: their times alone are in the figures below.
    #[schema(example = 12)]
    pub reached: u64,
    /// Rounds that still wait for it.
    #[schema(example = 1)]
    pub waiting: u64,
    /// Rounds that ended without it.
    #[schema(example = 1)]
    pub never: u64,
    /// The median in seconds (of an even number the lower one of the two in the middle); null if no round came to it.
    #[schema(example = 86_400.0)]
    pub median_seconds: Option<f64>,
    /// What nine of ten took at most, in seconds; null if no round came to it.
    #[schema(example = 259_200.0)]
    pub p90_seconds: Option<f64>,
    /// Whether the two figures are times of rounds themselves, as they are of up to 1,000 rounds; otherwise they are within
    /// 1 %.
    #[schema(example = true)]
    pub exact: bool,
}

/// How many rows are in a state.
#[derive(Serialize, ToSchema)]
pub struct StateCount {
    /// The state.
    #[schema(example = "granted")]
    pub state: String,
    /// How many.
    #[schema(example = 9)]
    pub count: u64,
}

/// Statistics of one group of rows.
#[derive(Serialize, ToSchema)]
pub struct CourseGroupView {
    /// By what it is a group, and its value; null for the rows that have none.
    #[schema(value_type = Object, example = json!({"kind": "model-deployment", "month": "2026-03"}))]
    pub group: BTreeMap<&'static str, Option<String>>,
    /// How many rows.
    #[schema(example = 14)]
    pub count: u64,
    /// Their share of all rows that are counted, from 0 to 1.
    #[schema(example = 0.7)]
    pub share: f64,
    /// How many of them are overdue.
    #[schema(example = 1)]
    pub overdue: u64,
    /// How many of them are in which state, in the order of the states.
    pub states: Vec<StateCount>,
    /// Rounds that these rows have together. A row that only has events that open nothing has none.
    #[schema(example = 16)]
    pub rounds: u64,
    /// Of approvals: from the request of a round to its grant with authority, or its rejection.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_decide: Option<TookView>,
    /// Of escalations: from the opening of a round to its acknowledgement.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_acknowledge: Option<TookView>,
    /// Of escalations: from the opening of a round to its resolution.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_resolve: Option<TookView>,
    /// Of escalations: from the opening of a round to its closing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub to_close: Option<TookView>,
    /// Its rows, as of the same moment; left out where no filter finds them alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/approvals?kind=model-deployment")]
    pub link: Option<String>,
}

/// Statistics of approvals, or of escalations.
#[derive(Serialize, ToSchema)]
pub struct CourseStatsView {
    /// By what they are put together.
    #[schema(example = json!(["kind", "month"]))]
    pub by: Vec<&'static str>,
    /// Rows that are counted: the groups have as many together, and so has the list with the same filters.
    #[schema(example = 20)]
    pub total: u64,
    /// There are more rows than are counted for one answer, and `total` and the groups are of those alone that came last to
    /// the ledger. Narrow it with filters, or ask for the `rest`: numbers of rows and rounds can be added up.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub partial: bool,
    /// If so: the first entry of the first row that is counted has this number, or a later one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counted_from: Option<u64>,
    /// If so: give it as `cursor` for statistics of the other rows.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<String>,
    /// In the order of their values.
    pub items: Vec<CourseGroupView>,
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

impl TookView {
    fn of(took: &Took) -> TookView {
        TookView {
            reached: took.reached,
            waiting: took.waiting,
            never: took.never,
            median_seconds: took.median_seconds,
            p90_seconds: took.p90_seconds,
            exact: took.exact,
        }
    }
}

impl CourseGroupView {
    fn of(group: CourseGroup, moment: &AskedMoment) -> CourseGroupView {
        let took = |name: &str| {
            let found = group.took.iter().find(|(clock, _)| *clock == name);
            found.map(|(_, took)| TookView::of(took))
        };
        CourseGroupView {
            to_decide: took("decide"),
            to_acknowledge: took("acknowledge"),
            to_resolve: took("resolve"),
            to_close: took("close"),
            link: group.rows.as_ref().map(|rows| links::rows_then(rows, moment)),
            group: group.group.into_iter().collect(),
            count: group.count,
            share: group.share,
            overdue: group.overdue,
            states: group.states.into_iter().map(|(state, count)| StateCount { state, count }).collect(),
            rounds: group.rounds,
        }
    }
}

impl CourseStatsView {
    fn of(found: CourseStatistics, moment: &AskedMoment, as_of: MomentView) -> CourseStatsView {
        CourseStatsView {
            by: found.by,
            total: found.total,
            partial: found.counted_from.is_some(),
            counted_from: found.counted_from,
            rest: found.rest,
            items: found.items.into_iter().map(|group| CourseGroupView::of(group, moment)).collect(),
            known: found.unheard.is_empty(),
            unknown: found.unheard,
            caveats: CaveatView::all(found.caveats, moment),
            as_of,
        }
    }
}

/// Approvals: how many, in which state, and how long they took to be decided.
///
/// A row is counted once, in the stretch in which it was opened; the times are those of all its rounds, so that asking again
/// takes no late decision away.
#[utoipa::path(tag = "compliance", operation_id = "stats_of_approvals", params(ApprovalStatsQuery, OpenedQuery, MomentQuery), responses(
    (status = 200, description = "Statistics", content((CourseStatsView = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/approvals/stats")]
pub async fn approvals(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<ApprovalStatsQuery, Both<OpenedQuery, MomentQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let moment = parameters.moment.clone();
    list(
        service,
        reader,
        form,
        parameters,
        |_| Ok(Columns::of(OF_APPROVALS)),
        |inquiry, asked| courses::of_rows(inquiry, &APPROVALS, asked),
        move |found, as_of| CourseStatsView::of(found, &moment, as_of),
    )
    .await
}

/// Escalations: how many, in which state, and how long they took to be acknowledged, resolved and closed.
///
/// A row is counted once, in the stretch in which it was opened; the times are those of all its rounds, so that opening again
/// takes nothing away.
#[utoipa::path(tag = "compliance", operation_id = "stats_of_escalations", params(EscalationStatsQuery, OpenedQuery, MomentQuery), responses(
    (status = 200, description = "Statistics", content((CourseStatsView = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/escalations/stats")]
pub async fn escalations(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<EscalationStatsQuery, Both<OpenedQuery, MomentQuery>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    let moment = parameters.moment.clone();
    list(
        service,
        reader,
        form,
        parameters,
        |_| Ok(Columns::of(OF_ESCALATIONS)),
        |inquiry, asked| courses::of_rows(inquiry, &ESCALATIONS, asked),
        move |found, as_of| CourseStatsView::of(found, &moment, as_of),
    )
    .await
}
