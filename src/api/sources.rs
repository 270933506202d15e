//! `/v1/sources`: what each source has posted, what of its numbering is missing, and what it says itself that it posted.
//!
//! Proofs show that nothing was altered, not that everything was posted. This is what the ledger can say about the latter.

use super::answering::answer;
use super::filters::MinSeqQuery;
use super::links;
use super::listing::{Listing, list};
use super::moment::text;
use super::table::Columns;
use crate::answers::reconciliation::Reconciliation;
use crate::answers::{Page, sources};
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::Query;
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

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
    /// Only sources that have posted events of one of these types, with commas between them.
    #[param(example = "decision.made,decision.reviewed")]
    r#type: Option<String>,
    /// 1 to 500; 50 if not given. Of CSV: so many rows in all, also more than 500; all of them if not given.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<usize>,
    /// From an earlier answer's `next`.
    cursor: Option<String>,
    /// Wait (at most 5 s) until the views have this entry: read your own write.
    min_seq: Option<u64>,
}

/// What a source says that it posted in a stretch of time, and what the ledger has.
#[derive(Clone, Debug, Serialize, ToSchema)]
pub struct ReconciliationView {
    /// The entry in which the source says so.
    #[schema(example = 501)]
    pub seq: u64,
    /// Who says so.
    #[schema(example = "app:credit-line")]
    pub by: String,
    /// When.
    #[schema(example = "2026-04-01T06:00:00.000000Z")]
    pub at: String,
    /// It counts events that happened from here on …
    #[schema(example = "2026-03-01T00:00:00.000000Z")]
    pub from: String,
    /// … and before here.
    #[schema(example = "2026-04-01T00:00:00.000000Z")]
    pub to: String,
    /// Events that it says it posted.
    #[schema(example = 4417)]
    pub stated: u64,
    /// Events of the source in this stretch that the ledger has now.
    #[schema(example = 4416)]
    pub counted: u64,
    /// `counted` less `stated`: below 0, the ledger lacks events.
    #[schema(example = -1)]
    pub difference: i64,
    /// Whether `counted` is exact. It is at least so much, where the stretch begins or ends within a minute whose events
    /// could not all be looked at, or is very long.
    pub exact: bool,
    /// The entry.
    #[schema(example = "/v1/events/501")]
    pub link: String,
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
    /// The lowest number: what was numbered before it, if anything, the ledger cannot know.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub lowest: Option<u64>,
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
    /// The types of its events, by name.
    pub types: Vec<String>,
    /// Whether it has posted events of more types than are kept of one source.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub more_types: bool,
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

/// What a table of sources has.
const COLUMNS: &[&str] = &[
    "source",
    "events",
    "first.seq",
    "first.time",
    "first.link",
    "last.seq",
    "last.time",
    "last.link",
    "numbered",
    "repeated",
    "unreadable",
    "lowest",
    "highest",
    "missing",
    "gaps",
    "shortened",
    "reconciliations",
    "incomplete",
    "types",
    "more_types",
    "link",
];

/// A page of sources.
#[derive(Serialize, ToSchema)]
pub struct SourceList {
    /// By name.
    pub items: Vec<SourceView>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
    pub next: Option<String>,
    /// Whether the ledger had heard of every name that was asked for.
    #[schema(example = true)]
    pub known: bool,
    /// The names that it had never heard of, by parameter.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub unknown: BTreeMap<String, Vec<String>>,
}

impl ReconciliationView {
    fn of(said: Reconciliation) -> ReconciliationView {
        ReconciliationView {
            seq: said.seq,
            by: said.by,
            at: text(said.at),
            from: text(said.from),
            to: text(said.to),
            stated: said.stated,
            counted: said.counted,
            difference: said.difference,
            exact: said.exact,
            link: links::entry(said.seq),
        }
    }
}

impl SourceView {
    fn of(source: sources::Source) -> SourceView {
        let entry = |sources::PostedEntry { seq, recorded_at }| PostedEntry {
            seq,
            time: text(recorded_at),
            link: links::entry(seq),
        };
        SourceView {
            link: format!("/v1/sources/{}", links::escaped(&source.source)),
            source: source.source,
            events: source.events,
            first: source.first.map(entry),
            last: source.last.map(entry),
            numbered: source.numbered,
            repeated: source.repeated,
            unreadable: source.unreadable,
            lowest: source.lowest,
            highest: source.highest,
            missing: source.missing,
            gaps: source.gaps.into_iter().map(|(from, to)| GapView { from, to }).collect(),
            shortened: source.shortened,
            reconciliations: source.reconciliations.into_iter().map(ReconciliationView::of).collect(),
            incomplete: source.incomplete,
            types: source.types,
            more_types: source.more_types,
        }
    }
}

impl SourceList {
    fn of(page: Page<sources::Source>) -> SourceList {
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(SourceView::of).collect();
        SourceList { items, next, known: unheard.is_empty(), unknown: unheard }
    }
}

/// All sources: how much each posted, what of its numbering is missing, and what it says itself.
///
/// Also sources that posted nothing, where somebody says that they did. Everything is as of now.
#[utoipa::path(tag = "compliance", params(SourcesQuery), responses(
    (status = 200, description = "A page of sources", content((SourceList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/sources")]
pub async fn list_sources(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<SourcesQuery>,
) -> Result<HttpResponse, Problem> {
    list(
        service,
        reader,
        form,
        query.into_inner(),
        |_| Ok(Columns::of(COLUMNS)),
        sources::list,
        |page, _| SourceList::of(page),
    )
    .await
}

/// One source, with all gaps that are known and what it said about itself.
#[utoipa::path(tag = "compliance", params(
    ("source" = String, Path, description = "The source, its slashes as `%2F`; `/v1/sources?source=` takes it as it is", example = "/northgate/credit-line"), MinSeqQuery), responses(
    (status = 200, description = "The source", body = SourceView),
    OfQuestions,
))]
#[get("/sources/{source}")]
pub async fn get_source(
    service: web::Data<Service>,
    reader: Reader,
    source: web::Path<String>,
    query: Query<MinSeqQuery>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    answer(
        service,
        reader,
        move |inquiry| sources::one(inquiry, &source, &parameters),
        |source, _| SourceView::of(source),
    )
    .await
}
