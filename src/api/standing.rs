//! `GET /v1/views`: how far each view has come.

use super::listing::{Listing, list};
use super::table::Columns;
use crate::answers::parameters::Parameters;
use crate::answers::{Inquiry, standing};
use crate::api::problems::OfQuestions;
use crate::views::engine::Standing;
use crate::web::auth::Reader;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::ToSchema;

/// How one view stands.
#[derive(Serialize, ToSchema)]
pub struct StandingView {
    /// Its name.
    #[schema(example = "approvals")]
    pub name: String,
    /// Its version; another one is built anew.
    #[schema(example = 1)]
    pub version: u64,
    /// Entries that it has applied.
    #[schema(example = 584)]
    pub applied: u64,
    /// Entries of the log that it has not applied yet.
    #[schema(example = 0)]
    pub lag: u64,
    /// Rows that it has.
    #[schema(example = 20)]
    pub rows: u64,
    /// Equal for equal contents: replaying the same log gives the same. 64 hexadecimal digits.
    #[schema(example = "5f3d1c0e7b2a49685f3d1c0e7b2a49685f3d1c0e7b2a49685f3d1c0e7b2a4968")]
    pub digest: String,
    /// Whether this version is being built; until it is complete, the version before it answers, if there is one.
    pub building: bool,
    /// How much of it is built, from 0 to 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 0.25)]
    pub progress: Option<f64>,
}

/// What a table of views has.
const COLUMNS: &[&str] = &["name", "version", "applied", "lag", "rows", "digest", "building", "progress"];

/// How all views stand.
#[derive(Serialize, ToSchema)]
pub struct Standings {
    /// Entries in the log.
    #[schema(example = 584)]
    pub size: u64,
    /// Entries that the views have applied.
    #[schema(example = 584)]
    pub applied: u64,
    /// Entries of the log that they have not applied yet.
    #[schema(example = 0)]
    pub lag: u64,
    /// By name.
    pub items: Vec<StandingView>,
}

/// How far the views have come, and what they hold.
#[utoipa::path(tag = "operators", responses(
    (status = 200, description = "All views", content((Standings = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/views")]
pub async fn list_views(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let columns = |_: &Inquiry<'_>| Ok(Columns::of(COLUMNS));
    let question = |inquiry: &Inquiry<'_>, _: &Parameters| standing::list(inquiry);
    list(service, reader, form, query.into_inner(), columns, question, |standings, _| {
        let standing::Standings { size, applied, items } = standings;
        let lag = |applied: u64| size.saturating_sub(applied);
        let shown = |view: Standing| StandingView {
            lag: lag(view.applied),
            progress: view.building.then(|| view.applied as f64 / applied.max(1) as f64),
            name: view.name,
            version: view.version,
            applied: view.applied,
            rows: view.rows,
            digest: view.digest,
            building: view.building,
        };
        Standings { size, applied, lag: lag(applied), items: items.into_iter().map(shown).collect() }
    })
    .await
}
