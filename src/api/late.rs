//! Late entries: those that were recorded later after they were done than their type allows, or than was agreed.

use super::filters::{NewestFirstQuery, PageQuery};
use super::links;
use super::listing::{Listing, list};
use super::moment::{MomentQuery, MomentView, text};
use super::table::Columns;
use crate::answers::Page;
use crate::answers::late::{self, LateEntry};
use crate::api::problems::OfQuestions;
use crate::spec::time::MICROS_PER_SECOND;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which late entries.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct LateQuery {
    /// CloudEvents `source`, exact.
    #[param(example = "/northgate/case-archive")]
    pub source: Option<String>,
    /// CloudEvents type, exact; several with commas.
    #[param(example = "decision.made,decision.reviewed")]
    pub r#type: Option<String>,
    /// First entry: a number, or the RFC 3339 time, or the date, from which they were recorded. A date
    /// begins at midnight UTC.
    pub from: Option<String>,
    /// Where to end, itself not included: a number, or the RFC 3339 time, or the date, before which they were
    /// recorded.
    pub to: Option<String>,
}

/// An entry that was recorded late.
#[derive(Serialize, ToSchema)]
pub struct LateItem {
    /// Its number.
    #[schema(example = 417)]
    pub seq: u64,
    /// CloudEvents `type`.
    #[schema(example = "decision.made")]
    pub r#type: String,
    /// CloudEvents `source`.
    #[schema(example = "/northgate/case-archive")]
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// Who acted.
    #[schema(example = "user:u-1003")]
    pub by: String,
    /// Who posted it.
    #[schema(example = "app:case-archive")]
    pub actor: String,
    /// When it was done.
    #[schema(example = "2026-01-12T10:00:00.000000Z")]
    pub at: String,
    /// When the ledger recorded it; where it stands in another one's place, when it recorded that one.
    #[schema(example = "2026-02-01T08:00:00.000000Z")]
    pub recorded_at: String,
    /// By how many seconds it was recorded later than it was done.
    #[schema(example = 1_720_800)]
    pub late_seconds: i64,
    /// How long after it was done it may have been recorded: what the catalogue said then of its type, or what was agreed.
    #[schema(example = "P7D")]
    pub allowed: String,
    /// By when that was.
    #[schema(example = "2026-01-19T10:00:00.000000Z")]
    pub due_by: String,
    /// The agreement with its source that says so, where it is not what is usual for the type.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/events/12")]
    pub agreed_by: Option<String>,
    /// The entry in whose place it stands.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "/v1/events/230")]
    pub in_place_of: Option<String>,
    /// The entry.
    #[schema(example = "/v1/events/417")]
    pub event: String,
}

/// What a table of late entries has.
const COLUMNS: &[&str] = &[
    "seq",
    "type",
    "source",
    "id",
    "by",
    "actor",
    "at",
    "recorded_at",
    "late_seconds",
    "allowed",
    "due_by",
    "agreed_by",
    "in_place_of",
    "event",
];

/// A page of late entries.
#[derive(Serialize, ToSchema)]
pub struct LateList {
    /// The newest first, or as asked for.
    pub items: Vec<LateItem>,
    /// Give it as `cursor` to go on; null at the end. A page may be short and have a next one.
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

impl LateItem {
    fn of(late: LateEntry) -> LateItem {
        LateItem {
            seq: late.seq,
            r#type: late.event_type,
            source: late.source,
            id: late.id,
            by: late.by,
            actor: late.actor,
            late_seconds: late.recorded_at.since(late.acted_at) / MICROS_PER_SECOND,
            at: text(late.acted_at),
            recorded_at: text(late.recorded_at),
            allowed: late.allowed.to_string(),
            due_by: text(late.due_by),
            agreed_by: late.agreed_by.map(links::entry),
            in_place_of: late.in_place_of.map(links::entry),
            event: links::entry(late.seq),
        }
    }
}

impl LateList {
    fn of(page: Page<LateEntry>, as_of: MomentView) -> LateList {
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(LateItem::of).collect();
        LateList { items, next, known: unheard.is_empty(), unknown: unheard, as_of }
    }
}

/// Which part of them, and from which end.
type Part = Both<NewestFirstQuery, PageQuery>;

/// Entries that were recorded late: later after they were done than their type allows, or than was agreed with their source.
///
/// What a type allows is what the catalogue said when the entry was recorded; what was agreed is what had been recorded
/// before it. What was annulled is not listed.
#[utoipa::path(tag = "compliance", params(LateQuery, MomentQuery, NewestFirstQuery, PageQuery), responses(
    (status = 200, description = "A page of late entries", content((LateList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/late")]
pub async fn list_late(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<LateQuery, Both<MomentQuery, Part>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    list(service, reader, form, parameters, |_| Ok(Columns::of(COLUMNS)), late::list, LateList::of).await
}
