//! Statistics of decisions.

use super::caveat::CaveatView;
use super::listing::{Listing, list};
use super::moment::{MomentQuery, MomentView};
use super::table::Columns;
use crate::answers::statistics;
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which statistics.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct StatsQuery {
    /// Of this model; of all, if not given.
    #[param(example = "credit-line")]
    pub model: Option<String>,
    /// Of this version.
    #[param(example = "1.1")]
    pub version: Option<String>,
    /// Of this day and later ones (UTC): `2026-03-01`, or a time of that day.
    #[param(example = "2026-03-01")]
    pub from: Option<String>,
    /// Of days before this one.
    #[param(example = "2026-04-01")]
    pub to: Option<String>,
    /// By what they are grouped, with commas: `model`, `version`, `day`, `outcome`. `model,version` if not given; `none`
    /// for one row of all.
    #[param(example = "model,version")]
    pub by: Option<String>,
}

/// Statistics of one group of decisions.
#[derive(Serialize, ToSchema)]
pub struct StatsRow {
    /// Where they are grouped by model.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "credit-line")]
    pub model: Option<String>,
    /// Where they are grouped by version.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "1.1")]
    pub version: Option<String>,
    /// Where they are grouped by day (UTC).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "2026-03-02")]
    pub day: Option<String>,
    /// Where they are grouped by outcome.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "declined")]
    pub outcome: Option<String>,
    /// How many there are.
    #[schema(example = 214)]
    pub decisions: u64,
    /// Their share of all decisions of the same model, version and day. Where they are grouped by outcome: its rate.
    #[schema(example = 0.29)]
    pub share: Option<f64>,
    /// What else is counted; left out where they are grouped by outcome.
    #[serde(flatten, skip_serializing_if = "Option::is_none")]
    pub counts: Option<Counts>,
}

/// What a table of groups has.
const COLUMNS: &[&str] = &[
    "model",
    "version",
    "day",
    "outcome",
    "decisions",
    "share",
    "outcomes",
    "automated",
    "adverse",
    "significant",
    "review_required",
    "reviewed",
    "confirmed",
    "overridden",
    "referred",
    "unreviewed",
    "override_share",
    "unreviewed_share",
    "median_review_seconds",
    "contested",
    "contests",
    "contests_open",
    "upheld",
    "reversed",
    "adverse_without_notice",
    "contested_without_explanation",
];

/// What is counted of a group beside its size.
#[derive(Serialize, ToSchema)]
pub struct Counts {
    /// How many had which outcome, and at which rate.
    pub outcomes: Vec<OutcomeRate>,
    /// Decided without a person.
    pub automated: u64,
    /// Against the person concerned.
    pub adverse: u64,
    /// With a legal or similarly significant effect.
    pub significant: u64,
    /// To be reviewed.
    pub review_required: u64,
    /// Reviewed, required or not. Who only refers a decision on has not reviewed it.
    pub reviewed: u64,
    /// Confirmed by their last review.
    pub confirmed: u64,
    /// Overridden by their last review.
    pub overridden: u64,
    /// Referred on, and not decided since.
    pub referred: u64,
    /// To be reviewed, and not reviewed.
    pub unreviewed: u64,
    /// Overridden of those reviewed, from 0 to 1; null if none was reviewed.
    pub override_share: Option<f64>,
    /// Not reviewed of those to be reviewed, from 0 to 1; null if none had to be.
    pub unreviewed_share: Option<f64>,
    /// The median time from a review's start to its end, in seconds, within 1 %; null if there was none.
    pub median_review_seconds: Option<f64>,
    /// Decisions that are contested, or were.
    pub contested: u64,
    /// Contests, each once: a decision may have several.
    pub contests: u64,
    /// Contests that nobody has answered.
    pub contests_open: u64,
    /// Contests after which the decision stood.
    pub upheld: u64,
    /// Contests after which it fell.
    pub reversed: u64,
    /// Adverse, and no notice of that was delivered.
    pub adverse_without_notice: u64,
    /// Contested, and no explanation was delivered to the person concerned.
    pub contested_without_explanation: u64,
}

/// How often an outcome occurs.
#[derive(Serialize, ToSchema)]
pub struct OutcomeRate {
    /// The outcome.
    #[schema(example = "declined")]
    pub outcome: String,
    /// How many.
    #[schema(example = 62)]
    pub count: u64,
    /// Of all, from 0 to 1.
    #[schema(example = 0.29)]
    pub rate: f64,
}

/// Statistics of decisions.
#[derive(Serialize, ToSchema)]
pub struct StatsView {
    /// By what they are grouped.
    pub by: Vec<&'static str>,
    /// In the order of model, version, day and outcome.
    pub items: Vec<StatsRow>,
    /// Whether the ledger had heard, by then, of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
    /// What touches this answer and may make it say too much or too little; absent where nothing is known to.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub caveats: Vec<CaveatView>,
    /// As of when they hold.
    pub as_of: MomentView,
}

impl StatsRow {
    fn of(row: statistics::StatsRow) -> StatsRow {
        StatsRow {
            model: row.model,
            version: row.version,
            day: row.day.map(|day| day.to_string()),
            outcome: row.outcome,
            decisions: row.decisions,
            share: row.share,
            counts: row.counts.map(Counts::of),
        }
    }
}

impl Counts {
    fn of(counts: statistics::Counts) -> Counts {
        let outcome =
            |of: statistics::OutcomeRate| OutcomeRate { outcome: of.outcome, count: of.count, rate: of.rate };
        Counts {
            outcomes: counts.outcomes.into_iter().map(outcome).collect(),
            automated: counts.automated,
            adverse: counts.adverse,
            significant: counts.significant,
            review_required: counts.review_required,
            reviewed: counts.reviewed,
            confirmed: counts.confirmed,
            overridden: counts.overridden,
            referred: counts.referred,
            unreviewed: counts.unreviewed,
            override_share: counts.override_share,
            unreviewed_share: counts.unreviewed_share,
            median_review_seconds: counts.median_review_seconds,
            contested: counts.contested,
            contests: counts.contests,
            contests_open: counts.contests_open,
            upheld: counts.upheld,
            reversed: counts.reversed,
            adverse_without_notice: counts.adverse_without_notice,
            contested_without_explanation: counts.contested_without_explanation,
        }
    }
}

/// How decisions turned out: counts and rates by model, version, outcome and day; overridden, unreviewed, contested.
#[utoipa::path(tag = "compliance", params(StatsQuery, MomentQuery), responses(
    (status = 200, description = "Statistics", content((StatsView = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/decisions/stats")]
pub async fn stats(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<StatsQuery, MomentQuery>>,
) -> Result<HttpResponse, Problem> {
    list(
        service,
        reader,
        form,
        query.into_inner(),
        |_| Ok(Columns::of(COLUMNS)),
        statistics::decisions,
        |found, as_of| StatsView {
            by: found.by,
            items: found.items.into_iter().map(StatsRow::of).collect(),
            known: found.unheard.is_empty(),
            unknown: found.unheard,
            caveats: CaveatView::all(found.caveats, &as_of.asked()),
            as_of,
        },
    )
    .await
}
