//! `/v1/sources`: what each source has posted, what of its numbering is missing, and what it says itself that it posted.
//!
//! Proofs show that nothing was altered, not that everything was posted. This is what the ledger can say about the latter.

use super::ask::Parameters;
use super::entries::entry_link;
use super::moment::moment;
use super::reconciliation::{Comparing, RECONCILIATIONS, ReconciliationView};
use super::row::escaped;
use super::{Answer, answer, problem};
use crate::api::cursor;
use crate::spec::time::Timestamp;
use crate::views::engine::{Ask, Engine, EngineError, When};
use crate::views::sources::{Posted, SOURCES, source_name};
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpRequest, HttpResponse, get, web};
use serde::Serialize;
use std::collections::{BTreeMap, BTreeSet};
use utoipa::{IntoParams, ToSchema};

/// Gaps of one source in the list of sources; one source by itself shows all that are known.
const GAPS_IN_LIST: usize = 20;

/// What one source said about itself, in the list of sources.
///
/// Reason: each is counted again for the answer.
const RECONCILIATIONS_IN_LIST: usize = 1;

/// What one source said about itself, where it is asked for alone.
const MAX_RECONCILIATIONS: usize = 24;

/// Sources looked at for one page.
///
/// Reason: some hundred milliseconds. A filter that fits next to nothing gives a short page and where to go on.
const MAX_LOOKED_AT: usize = 1_000;

/// Sources that said what they posted, at most, among which those are looked for that posted nothing.
const MAX_RECONCILED: usize = 10_000;

/// Which sources.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
struct SourcesQuery {
    /// This one alone, spelled as events have it: easier to ask than a path with `%2F` in it.
    #[param(example = "/northgate/credit-line")]
    source: Option<String>,
    /// `true`: only sources that lack numbers, or whose last reconciliation differs from what the ledger has. `false`: only
    /// others.
    incomplete: Option<bool>,
    /// 1 to 500; 50 if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// From an earlier answer's `next`.
    cursor: Option<String>,
    /// Wait (at most 5 s) until the views have this entry: read your own write.
    min_seq: Option<u64>,
}

/// What a source has posted.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct SourceView {
    /// CloudEvents `source`.
    #[schema(example = "/northgate/credit-line")]
    pub source: String,
    /// Its events.
    #[schema(example = 318)]
    pub events: u64,
    /// The first one; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub first: Option<PostedEntry>,
    /// The last one; absent if there is none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last: Option<PostedEntry>,
    /// Events with a `sequence` that is a whole number.
    #[schema(example = 318)]
    pub numbered: u64,
    /// Events whose number another one had already.
    #[schema(example = 0)]
    pub repeated: u64,
    /// Events whose `sequence` is no whole number.
    #[schema(example = 0)]
    pub unreadable: u64,
    /// The highest number.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 320)]
    pub highest: Option<u64>,
    /// How many numbers between the lowest and the highest were never posted.
    #[schema(example = 2)]
    pub missing: u64,
    /// Which ones, the highest first.
    pub gaps: Vec<GapView>,
    /// Whether there are more gaps than are shown.
    pub shortened: bool,
    /// What the source says itself that it posted, the last first: in a list the last one alone.
    pub reconciliations: Vec<ReconciliationView>,
    /// Whether numbers are missing, or the last reconciliation differs from what the ledger has.
    pub incomplete: bool,
    /// Where this and more is.
    #[schema(example = "/v1/sources/%2Fnorthgate%2Fcredit-line")]
    pub link: String,
}

/// An entry of a source.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct PostedEntry {
    /// Its number.
    #[schema(example = 12)]
    pub seq: u64,
    /// When the ledger recorded it.
    #[schema(example = "2025-12-02T08:15:00.120000Z")]
    pub time: String,
    /// The entry.
    #[schema(example = "/v1/events/12")]
    pub link: String,
}

/// Numbers that were never posted.
#[derive(Clone, Debug, PartialEq, Serialize, ToSchema)]
pub struct GapView {
    /// The first of them.
    #[schema(example = 41)]
    pub from: u64,
    /// The last of them.
    #[schema(example = 42)]
    pub to: u64,
}

/// A page of sources.
#[derive(Serialize, ToSchema)]
pub struct SourceList {
    /// By name.
    pub items: Vec<SourceView>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
    pub next: Option<String>,
}

/// All sources: how much each posted, what of its numbering is missing, and what it says itself.
///
/// Also sources that posted nothing, where somebody says that they did. Everything is as of now.
#[utoipa::path(tag = "compliance", params(SourcesQuery), responses(
    (status = 200, description = "A page of sources", body = SourceList, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
    (status = 400, description = "`bad-parameter`, `bad-cursor`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "`min_seq` is beyond the log", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`, `index-unavailable`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/sources")]
pub async fn list_sources(
    service: web::Data<Service>,
    caller: Caller,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    parameters.only(&["source", "incomplete", "limit", "cursor"])?;
    answer(service, move |service| list(service, &parameters)).await
}

/// One source, with all gaps that are known and what it said about itself.
#[utoipa::path(tag = "compliance", params(
    ("source" = String, Path, description = "The source, its slashes as `%2F`; `/v1/sources?source=` takes it as it is", example = "/northgate/credit-line"),
    ("min_seq" = Option<u64>, Query, description = "Wait (at most 5 s) until the views have this entry"),
), responses(
    (status = 200, description = "The source", body = SourceView, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
    (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such source; or `min_seq` is beyond the log", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`, `index-unavailable`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/sources/{source}")]
pub async fn get_source(
    service: web::Data<Service>,
    caller: Caller,
    source: web::Path<String>,
    request: HttpRequest,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    let parameters = Parameters::read(request.query_string())?;
    parameters.only(&[])?;
    answer(service, move |service| {
        let engine = asked_now(service, &parameters)?;
        let shown = one(service, &engine, &source, MAX_RECONCILIATIONS)?.ok_or_else(|| {
            let detail = format!("no source {source:.128?} has posted anything; /v1/sources lists all");
            Problem::new(ProblemType::NotFound, detail)
        })?;
        Ok(Answer { body: shown, applied: engine.applied() })
    })
    .await
}

fn list(service: &Service, parameters: &Parameters) -> Result<Answer<SourceList>, Problem> {
    let limit = parameters.limit()?;
    let incomplete = parameters.flag("incomplete")?;
    let engine = asked_now(service, parameters)?;
    let fits = |shown: &SourceView| incomplete.is_none_or(|wanted| shown.incomplete == wanted);
    let mut page = SourceList { items: Vec::new(), next: None };
    let identity = format!("sources {:?} {incomplete:?}", parameters.get("source"));
    let mut after = parameters.get("cursor").map(|text| cursor::decode_name(&identity, text)).transpose()?;
    if let Some(source) = parameters.get("source") {
        let shown = one(service, &engine, source, MAX_RECONCILIATIONS)?;
        page.items.extend(shown.filter(|shown| after.is_none() && fits(shown)));
        return Ok(Answer { body: page, applied: engine.applied() });
    }
    let reconciled = reconciled(&engine)?;
    let mut looked_at = 0;
    let mut comparing = Comparing { service, engine: &engine, minutes: 0 };
    loop {
        let found = names_after(&engine, &reconciled, after.as_deref(), limit.saturating_add(1))?;
        let last = found.len() <= limit;
        for (source, posted) in found {
            if page.items.len() == limit || looked_at == MAX_LOOKED_AT || comparing.is_enough() {
                page.next = after.map(|after| cursor::encode_name(&identity, &after));
                return Ok(Answer { body: page, applied: engine.applied() });
            }
            looked_at += 1;
            let said = comparing.of(&source, RECONCILIATIONS_IN_LIST)?;
            let shown = source_view(&source, &posted, said, GAPS_IN_LIST);
            page.items.extend(Some(shown).filter(&fits));
            after = Some(source);
        }
        if last {
            return Ok(Answer { body: page, applied: engine.applied() });
        }
    }
}

/// The engine, once it has what the client asks to see. Tallies are kept of now.
fn asked_now(service: &Service, parameters: &Parameters) -> Result<std::sync::Arc<Engine>, Problem> {
    if parameters.moment.as_of.is_some() || parameters.moment.at.is_some() {
        let detail = "what sources have posted is kept of now, without as_of and at";
        return Err(Problem::new(ProblemType::BadParameter, detail));
    }
    Ok(moment(service, &parameters.moment)?.engine)
}

/// The sources of which somebody says that they posted something.
fn reconciled(engine: &Engine) -> Result<BTreeSet<String>, Problem> {
    let when = When { known: engine.applied(), at: Timestamp::LAST };
    let mut ask = Ask::all(when, MAX_RECONCILED);
    let mut names = BTreeSet::new();
    loop {
        let page = match engine.list(RECONCILIATIONS, &ask) {
            Ok(page) => page,
            Err(EngineError::NoSuchView(_)) => return Ok(names),
            Err(error) => return Err(problem(error)),
        };
        names.extend(page.rows.into_iter().map(|found| found.id));
        match page.next {
            Some(next) if names.len() < MAX_RECONCILED => ask.after = Some(next),
            _ => return Ok(names),
        }
    }
}

/// Sources after one in the order of their names, those that posted nothing included.
fn names_after(
    engine: &Engine,
    reconciled: &BTreeSet<String>,
    after: Option<&str>,
    limit: usize,
) -> Result<Vec<(String, Posted)>, Problem> {
    // The name that follows this one.
    let from = after.map_or_else(|| source_name(""), |after| source_name(&format!("{after}\0")));
    let tallies =
        engine.tallies_between(SOURCES, &from, &source_name("\u{10ffff}"), limit).map_err(problem)?;
    let start = source_name("").len();
    let mut found: BTreeMap<String, Posted> = BTreeMap::new();
    for (name, sum) in tallies {
        let posted = serde_json::from_value(sum);
        let posted = posted.map_err(|_| problem(EngineError::Unreadable("a source's tally")))?;
        found.insert(name.get(start..).unwrap_or_default().to_owned(), posted);
    }
    let more = reconciled.iter().filter(|name| after.is_none_or(|after| name.as_str() > after)).take(limit);
    for name in more {
        found.entry(name.clone()).or_default();
    }
    // The first ones of both hold the first ones of the two together.
    Ok(found.into_iter().take(limit).collect())
}

/// One source; none if nobody has said anything of it.
fn one(service: &Service, engine: &Engine, source: &str, most: usize) -> Result<Option<SourceView>, Problem> {
    let name = source_name(source);
    let tally = engine.tallies_between(SOURCES, &name, &format!("{name}\0"), 1).map_err(problem)?;
    let posted: Option<Posted> = match tally.into_iter().next() {
        Some((_, sum)) => {
            let posted = serde_json::from_value(sum);
            Some(posted.map_err(|_| problem(EngineError::Unreadable("a source's tally")))?)
        }
        None => None,
    };
    let said = Comparing { service, engine, minutes: 0 }.of(source, most)?;
    if posted.is_none() && said.is_empty() {
        return Ok(None);
    }
    Ok(Some(source_view(source, &posted.unwrap_or_default(), said, usize::MAX)))
}

fn source_view(source: &str, posted: &Posted, said: Vec<ReconciliationView>, most_gaps: usize) -> SourceView {
    let entry =
        |seq: u64, time: Timestamp| PostedEntry { seq, time: time.to_string(), link: entry_link(seq) };
    let gaps = posted.gaps();
    let missing = posted.missing();
    let differs = said.first().is_some_and(|last| last.difference != 0);
    SourceView {
        source: source.to_owned(),
        events: posted.events,
        first: posted.recorded.map(|(first, _)| entry(posted.entries.0, first)),
        last: posted.recorded.map(|(_, last)| entry(posted.entries.1, last)),
        numbered: posted.numbered,
        repeated: posted.repeated,
        unreadable: posted.unreadable,
        highest: posted.stretches.last().map(|(_, highest)| *highest),
        missing,
        shortened: gaps.len() > most_gaps || posted.missing_before > 0,
        gaps: gaps.iter().rev().take(most_gaps).map(|(from, to)| GapView { from: *from, to: *to }).collect(),
        reconciliations: said,
        incomplete: missing > 0 || differs,
        link: format!("/v1/sources/{}", escaped(source)),
    }
}
