//! One decision with everything behind it, statistics, and fairness.

use super::ask::Parameters;
use super::moment::{MomentQuery, MomentView, moment, time, view};
use super::row::{ChangeView, RowView, escaped, history_view, row_view};
use super::{Answer, answer, problem};
use crate::spec::canonical;
use crate::spec::entry::Entry;
use crate::spec::time::Day;
use crate::views::engine::Ask;
use crate::views::fairness::{FairnessReport, Tally, report as impact};
use crate::views::stats::report::{Grouping, StatsRow, report};
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Where more of a decision is.
#[derive(Serialize, ToSchema)]
pub struct BehindLinks {
    /// Proof that the decision was recorded so.
    #[schema(example = "/v1/events/428/receipt")]
    pub receipt: String,
    /// Everything about its case.
    #[schema(example = "/v1/subjects/LN-88121/timeline")]
    pub case: Option<String>,
    /// The model.
    #[schema(example = "/v1/registers/models/credit-line")]
    pub model: Option<String>,
    /// The version that decided.
    #[schema(example = "/v1/registers/model-versions/credit-line@1.1")]
    pub version: Option<String>,
    /// Approvals of the model.
    #[schema(example = "/v1/approvals?target=model%2Fcredit-line")]
    pub approvals: Option<String>,
    /// Escalations about the decision.
    #[schema(example = "/v1/escalations?about=decision%2FCLD-104417")]
    pub escalations: String,
}

/// Everything behind one decision.
#[derive(Serialize, ToSchema)]
pub struct DecisionDetail {
    /// The decision as it stands.
    #[serde(flatten)]
    pub row: RowView,
    /// The CloudEvent by which it was made, exactly as it was recorded; null if it is not there.
    #[schema(value_type = Object)]
    pub made: Value,
    /// What happened to it, entry by entry.
    pub history: Vec<ChangeView>,
    /// Where more is.
    pub behind: BehindLinks,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// Everything behind one decision: the decision, what people did about it, and where the rest is.
#[utoipa::path(tag = "compliance", operation_id = "get_decisions", params(("id" = String, Path, description = "The decision", example = "CLD-104417"), MomentQuery), responses(
    (status = 200, description = "The decision", body = DecisionDetail, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
    (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such decision as of then", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/decisions/{id}")]
pub async fn one(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<MomentQuery>,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    answer(service, move |service| {
        let moment = moment(service, &query)?;
        let view = view(&moment, "decisions")?;
        let engine = &moment.engine;
        let absent = || {
            let detail = format!("no decision {:.128?}, as of the moment that was asked for", id.as_str());
            Problem::new(ProblemType::NotFound, detail)
        };
        let found = engine.row("decisions", &id, moment.when).map_err(problem)?.ok_or_else(absent)?;
        let history = engine.history("decisions", &id, moment.when).map_err(problem)?.ok_or_else(absent)?;
        let history = history_view(history, moment.view()).items;
        let counted = |change: &&ChangeView| change.kind == "decision.made" && change.corrected_by.is_none();
        let made = match history.iter().rev().find(counted) {
            Some(change) => {
                let bytes = service.log.store().entry(change.seq)?;
                let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
                serde_json::from_str(&canonical::to_string(&entry.event)).unwrap_or_default()
            }
            None => Value::Null,
        };
        let text = |name: &str| found.row.text(name).map(escaped);
        let (model, version) = (text("model"), text("version"));
        let behind = BehindLinks {
            receipt: format!("/v1/events/{}/receipt", found.number),
            case: text("case").map(|case| format!("/v1/subjects/{case}/timeline")),
            version: model
                .as_ref()
                .zip(version)
                .map(|(model, version)| format!("/v1/registers/model-versions/{model}@{version}")),
            approvals: model.as_ref().map(|model| format!("/v1/approvals?target=model%2F{model}")),
            model: model.map(|model| format!("/v1/registers/models/{model}")),
            escalations: format!("/v1/escalations?about=decision%2F{}", escaped(&id)),
        };
        let row = row_view(&*view, found, moment.when.at);
        let body = DecisionDetail { row, made, history, behind, as_of: moment.view() };
        Ok(Answer { body, applied: engine.applied() })
    })
    .await
}

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
    /// Wait (at most 5 s) until the views have this entry.
    pub min_seq: Option<u64>,
}

/// Statistics of decisions.
#[derive(Serialize, ToSchema)]
pub struct StatsView {
    /// By what they are grouped.
    pub by: Vec<&'static str>,
    /// In the order of model, version, day and outcome.
    pub items: Vec<StatsRow>,
    /// As of when they hold.
    pub as_of: MomentView,
}

/// Groups in one answer.
///
/// Reason: a year of days of thirty versions; whoever wants more asks in parts.
const MAX_GROUPS: usize = 12_000;

/// How decisions turned out: counts and rates by model, version, outcome and day; overridden, unreviewed, contested.
#[utoipa::path(tag = "compliance", params(StatsQuery), responses(
    (status = 200, description = "Statistics", body = StatsView, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
    (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "`min_seq` is beyond the log", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/decisions/stats")]
pub async fn stats(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    answer(service, move |service| {
        known(&parameters, &["model", "version", "from", "to", "by"])?;
        let moment = moment(service, &parameters.moment)?;
        if !moment.current {
            let detail = "statistics are kept of now, by the day of the decision: ask with `from` and `to`";
            return Err(Problem::new(ProblemType::BadParameter, detail));
        }
        let mut by = Grouping::default();
        let mut names = Vec::new();
        for word in parameters.get("by").unwrap_or("model,version").split(',') {
            let (name, place) = match word {
                "model" => ("model", &mut by.model),
                "version" => ("version", &mut by.version),
                "day" => ("day", &mut by.day),
                "outcome" => ("outcome", &mut by.outcome),
                "none" => continue,
                _ => {
                    return Err(Problem::parameter(
                        "by",
                        "model, version, day, outcome or none, with commas",
                    ));
                }
            };
            *place = true;
            names.push(name);
        }
        let from = parameters.get("from").map(|text| day("from", text)).transpose()?;
        let to = parameters.get("to").map(|text| day("to", text)).transpose()?;
        let days =
            moment.engine.statistics("decisions", parameters.get("model"), (from, to)).map_err(problem)?;
        let of_version = parameters.get("version");
        let days =
            days.into_iter().filter(|(_, version, _, _)| of_version.is_none_or(|wanted| wanted == version));
        let items = report(days.collect(), by);
        if items.len() > MAX_GROUPS {
            let detail = format!("that would be {} groups; narrow it with model, from and to", items.len());
            return Err(Problem::new(ProblemType::BadParameter, detail));
        }
        let body = StatsView { by: names, items, as_of: moment.view() };
        Ok(Answer { body, applied: moment.engine.applied() })
    })
    .await
}

fn known(parameters: &Parameters, known: &[&str]) -> Result<(), Problem> {
    match parameters.names().find(|name| !known.contains(name)) {
        Some(name) => {
            let detail = format!("no parameter {name:.64?}; there are {}", known.join(", "));
            Err(Problem::new(ProblemType::BadParameter, detail))
        }
        None => Ok(()),
    }
}

/// A day: a date, or a time of that day.
fn day(name: &str, text: &str) -> Result<Day, Problem> {
    Day::parse(text).map_or_else(|| Ok(time(name, text)?.day()), Ok)
}

/// Whose fairness.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct FairnessQuery {
    /// The model.
    #[param(example = "hire-rank")]
    pub model: String,
    /// The version; all versions together, if not given.
    #[param(example = "2.0")]
    pub version: Option<String>,
    /// Only tallies of periods that begin at this time or later.
    pub from: Option<String>,
    /// Only tallies of periods that end at this time or earlier.
    pub to: Option<String>,
    /// `tallied` or `observed`; both apart from each other are never added up: `tallied` if not given.
    #[param(example = "tallied")]
    pub kind: Option<String>,
    /// Which attributes, with commas; joined by `+` an intersection. All that occur, if not given.
    #[param(example = "sex,sex+ethnicity")]
    pub attributes: Option<String>,
}

/// Fairness of a model.
#[derive(Serialize, ToSchema)]
pub struct FairnessView {
    /// The model.
    #[schema(example = "hire-rank")]
    pub model: String,
    /// The version, if one was asked for.
    pub version: Option<String>,
    /// Impact ratios. Under four fifths is an indicator to look closer, not a verdict.
    #[serde(flatten)]
    pub report: FairnessReport,
    /// The tallies that it is made from.
    pub from: Vec<TallyLink>,
    /// As of when it holds.
    pub as_of: MomentView,
}

/// A tally that fairness is made from.
#[derive(Serialize, ToSchema)]
pub struct TallyLink {
    /// Model, version, and period or bench.
    #[schema(example = "hire-rank@2.0@2026-02-01T00:00:00Z@2026-03-01T00:00:00Z")]
    pub id: String,
    /// The last entry of it.
    #[schema(example = "/v1/events/301")]
    pub event: String,
}

/// Tallies in one answer.
const MAX_TALLIES: usize = 2_000;

/// Selection rates and impact ratios by group and by intersection, from tallies.
#[utoipa::path(tag = "compliance", params(FairnessQuery, MomentQuery), responses(
    (status = 200, description = "Impact ratios", body = FairnessView, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
    (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "`min_seq` or `as_of` is beyond the log", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/decisions/fairness")]
pub async fn fairness(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    answer(service, move |service| {
        known(&parameters, &["model", "version", "from", "to", "kind", "attributes"])?;
        let model = parameters.get("model").filter(|model| !model.is_empty());
        let model = model.ok_or_else(|| Problem::parameter("model", "a model, such as hire-rank"))?;
        let version = parameters.get("version");
        let kind = parameters.get("kind").unwrap_or("tallied");
        if !matches!(kind, "tallied" | "observed") {
            return Err(Problem::parameter("kind", "tallied or observed"));
        }
        let limit = |name: &str| parameters.get(name).map(|text| time(name, text)).transpose();
        let (from, to) = (limit("from")?, limit("to")?);
        let asked: Vec<Vec<String>> = parameters.get("attributes").map_or(Vec::new(), |text| {
            text.split(',').map(|set| set.split(['+', ' ']).map(str::to_owned).collect()).collect()
        });
        if asked.len() > 16 || asked.iter().flatten().any(|name| name.is_empty() || name.len() > 64) {
            return Err(Problem::parameter(
                "attributes",
                "up to 16 attributes or intersections such as sex+ethnicity",
            ));
        }
        let moment = moment(service, &parameters.moment)?;
        let ask = Ask::all(moment.when, 500).with("state", kind);
        let mut ask = match version {
            Some(version) => ask.with("model_version", &format!("{model}@{version}")),
            None => ask.with("model", model),
        };
        let (mut tallies, mut links) = (Vec::new(), Vec::new());
        loop {
            let page = moment.engine.list("fairness", &ask).map_err(problem)?;
            for found in page.rows {
                let date = |name: &str| found.row.time(name);
                let within = from.is_none_or(|from| date("from").is_none_or(|begin| begin >= from))
                    && to.is_none_or(|to| date("to").is_none_or(|end| end <= to));
                if !within {
                    continue;
                }
                links.push(TallyLink { id: found.id, event: format!("/v1/events/{}", found.last_seq) });
                tallies.push(
                    serde_json::from_value::<Tally>(Value::Object(found.row.fields)).unwrap_or_default(),
                );
            }
            if links.len() > MAX_TALLIES {
                let detail = format!("there are more than {MAX_TALLIES} tallies; narrow it with from and to");
                return Err(Problem::new(ProblemType::BadParameter, detail));
            }
            match page.next {
                Some(next) => ask.after = Some(next),
                None => break,
            }
        }
        let body = FairnessView {
            model: model.to_owned(),
            version: version.map(str::to_owned),
            report: impact(&tallies, &asked),
            from: links,
            as_of: moment.view(),
        };
        Ok(Answer { body, applied: moment.engine.applied() })
    })
    .await
}
