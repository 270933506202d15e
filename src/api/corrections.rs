//! Corrections: what each of them does.

use super::filters::{NewestFirstQuery, PageQuery};
use super::links;
use super::listing::{Listing, list};
use super::moment::{MomentQuery, MomentView, text};
use super::table::Columns;
use crate::answers::Page;
use crate::answers::corrections::{self, Correction, word_of};
use crate::api::problems::OfQuestions;
use crate::views::engine::CorrectionStanding as Standing;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeMap;
use utoipa::{IntoParams, ToSchema};

/// Which corrections.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "describes parameters that are read one by one")]
pub struct CorrectionsQuery {
    /// `in-force`, `overtaken`, `taken-back` or `without-effect`.
    #[param(example = "in-force")]
    pub standing: Option<String>,
    /// CloudEvents `source` of the correction, exact.
    pub source: Option<String>,
}

/// A correction, and what it does.
#[derive(Serialize, ToSchema)]
pub struct CorrectionItem {
    /// Its entry's number.
    #[schema(example = 417)]
    pub seq: u64,
    /// `in-force`, `overtaken` (a later one of the same event decides), `taken-back`, or `without-effect`.
    #[schema(example = "in-force")]
    pub standing: &'static str,
    /// The correction that overtook it or took it back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub standing_by: Option<u64>,
    /// Why it has no effect: `not-there`, `too-deep`, `too-many`, `replacement-in-force`, `no-replacement`,
    /// `correction-replaced-or-taken-back-before`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_without: Option<&'static str>,
    /// The event that it names: source and id.
    #[schema(value_type = Object)]
    pub target: Value,
    /// The event that it names to take the target's place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub replacement: Option<Value>,
    /// The entry that it annuls, replaces, or gives back by taking a correction back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub entry: Option<u64>,
    /// The correction that it takes back.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub takes_back: Option<u64>,
    /// The entry that takes the target's place, or loses it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub replaced_by: Option<u64>,
    /// Why, in the words of whoever corrected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// Who corrected.
    pub by: String,
    /// Who posted it.
    pub actor: String,
    /// CloudEvents `source`.
    pub source: String,
    /// CloudEvents `id`.
    pub id: String,
    /// When it was done.
    pub at: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// The entry.
    #[schema(example = "/v1/events/417")]
    pub event: String,
}

/// What a table of corrections has.
const COLUMNS: &[&str] = &[
    "seq",
    "standing",
    "standing_by",
    "why_without",
    "target.source",
    "target.id",
    "replacement.source",
    "replacement.id",
    "entry",
    "takes_back",
    "replaced_by",
    "reason",
    "by",
    "actor",
    "source",
    "id",
    "at",
    "recorded_at",
    "event",
];

/// A page of corrections.
#[derive(Serialize, ToSchema)]
pub struct CorrectionList {
    /// The newest first, or as asked for.
    pub items: Vec<CorrectionItem>,
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

impl CorrectionItem {
    fn of(correction: Correction) -> CorrectionItem {
        let effect = correction.effect;
        let (standing_by, why_without) = match effect.standing {
            Standing::InForce => (None, None),
            Standing::Overtaken { by } | Standing::TakenBack { by } => (Some(by), None),
            Standing::Without(why) => (None, Some(why.as_str())),
        };
        CorrectionItem {
            seq: correction.seq,
            standing: word_of(&effect),
            standing_by,
            why_without,
            target: correction.target,
            replacement: correction.replacement,
            entry: effect.of,
            takes_back: effect.annuls,
            replaced_by: effect.replacement,
            reason: correction.reason,
            by: correction.by,
            actor: correction.actor,
            source: correction.source,
            id: correction.id,
            at: text(correction.acted_at),
            recorded_at: text(correction.recorded_at),
            event: links::entry(correction.seq),
        }
    }
}

impl CorrectionList {
    fn of(page: Page<Correction>, as_of: MomentView) -> CorrectionList {
        let Page { items, next, unheard } = page;
        let items = items.into_iter().map(CorrectionItem::of).collect();
        CorrectionList { items, next, known: unheard.is_empty(), unknown: unheard, as_of }
    }
}

/// Which part of them, and from which end.
type Part = Both<NewestFirstQuery, PageQuery>;

/// Corrections: what each does, and which have no effect.
#[utoipa::path(tag = "compliance", params(CorrectionsQuery, MomentQuery, NewestFirstQuery, PageQuery), responses(
    (status = 200, description = "A page of corrections", content((CorrectionList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/corrections")]
pub async fn list_corrections(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Both<CorrectionsQuery, Both<MomentQuery, Part>>>,
) -> Result<HttpResponse, Problem> {
    let parameters = query.into_inner();
    list(
        service,
        reader,
        form,
        parameters,
        |_| Ok(Columns::of(COLUMNS)),
        corrections::list,
        CorrectionList::of,
    )
    .await
}
