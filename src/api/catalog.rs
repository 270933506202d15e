//! `/v1/catalog`: what the ledger knows of the world, now and as it was.

use super::links;
use super::listing::{Listing, Part, table};
use super::table::Columns;
use crate::answers::catalogue;
use crate::answers::error::AnswerError;
use crate::answers::parameters::Parameters;
use crate::api::problems::{OfCallers, OrNotThere};
use crate::catalog::EventType;
use crate::web::auth::Caller;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, Service};
use actix_web::http::header::VARY;
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// A change of the catalogue.
#[derive(Serialize, ToSchema)]
pub struct PublicationView {
    /// Counts them.
    #[schema(example = 1)]
    pub version: u64,
    /// The entry from which on it is in force.
    #[schema(example = 612)]
    pub seq: u64,
    /// When it was recorded.
    #[schema(example = "2026-11-27T09:30:00.000000Z")]
    pub time: String,
    /// Who published it.
    #[schema(example = "user:u-1001")]
    pub by: String,
    /// Why.
    #[schema(example = "The branch network counts its vault openings from now on.")]
    pub reason: String,
    /// The entry.
    #[schema(example = "/v1/events/612")]
    pub event: String,
}

/// The catalogue in force.
#[derive(Serialize, ToSchema)]
pub struct CatalogView {
    /// How many publications it holds: 0 as it came with the program and the organisation's folder.
    #[schema(example = 1)]
    pub version: u64,
    /// Types of event.
    #[schema(example = 138)]
    pub types: usize,
    /// Registers.
    #[schema(example = 61)]
    pub registers: usize,
    /// Controls.
    #[schema(example = 63)]
    pub controls: usize,
    /// All changes of it, the first one first.
    pub publications: Vec<PublicationView>,
}

/// A type of event, in short.
#[derive(Serialize, ToSchema)]
pub struct TypeSummary {
    /// Its name.
    #[schema(example = "approval.granted")]
    pub name: String,
    /// The version in force.
    #[schema(example = 1)]
    pub version: u32,
    /// What happened, when an event of it is recorded.
    pub summary: String,
    /// The group that it belongs to.
    #[schema(example = "approval")]
    pub domain: String,
    /// `once`, `renews`, `beside`, `rounds` or `none`: what a later opening with the same id means.
    #[schema(example = "none")]
    pub repeat: &'static str,
    /// `facts`: for any producer; `governance`: for tokens that name the type.
    #[schema(example = "governance")]
    pub posted_by: &'static str,
    /// `one`; or `two`: it is in effect once another principal has confirmed it.
    #[schema(example = "one")]
    pub acts: &'static str,
    /// Where the rest is.
    #[schema(example = "/v1/catalog/types/approval.granted")]
    pub link: String,
}

/// What a table of types has.
const COLUMNS: &[&str] = &["name", "version", "summary", "domain", "repeat", "posted_by", "acts", "link"];

/// All types.
#[derive(Serialize, ToSchema)]
pub struct TypeList {
    /// By name.
    pub items: Vec<TypeSummary>,
}

/// From where on a version of a type is in force.
#[derive(Serialize, ToSchema)]
pub struct TypeVersion {
    /// The version.
    #[schema(example = 1)]
    pub version: u32,
    /// The entry after which it is; null from the ledger's beginning.
    pub after: Option<u64>,
}

/// A type of event.
#[derive(Serialize, ToSchema)]
pub struct TypeView {
    /// Its name.
    #[schema(example = "approval.granted")]
    pub name: String,
    /// The version that is shown.
    #[schema(example = 1)]
    pub version: u32,
    /// What happened, when an event of it is recorded.
    pub summary: String,
    /// The group that it belongs to.
    pub domain: String,
    /// JSON Schema 2020-12 of `data`.
    #[schema(value_type = Object)]
    pub schema: Value,
    /// A `data` that is accepted.
    #[schema(value_type = Object)]
    pub example: Value,
    /// The family of the entities whose history it belongs to.
    pub entity: String,
    /// The field of `data` with the entity's id.
    pub entity_id: String,
    /// The field of `data` that says from when it counts.
    pub effective_at: String,
    /// The field of `data` that says by when something has to follow.
    pub due_at: Option<String>,
    /// What a later opening with the same id means: `once` (it does not touch the first), `renews` (the next version),
    /// `beside` (one more stretch), `rounds` (a new round), `none` (the type opens nothing).
    #[schema(example = "none")]
    pub repeat: &'static str,
    /// `facts`: for any producer; `governance`: for tokens that name the type.
    #[schema(example = "governance")]
    pub posted_by: &'static str,
    /// `one`: an event of it is in effect as soon as it is recorded. `two`: it is a proposal until another principal confirms
    /// it with `act.confirmed`, within 7 days.
    #[schema(example = "one")]
    pub acts: &'static str,
    /// The fields of `data`, beside CloudEvents `time`, that say when something happened: at most 5 minutes ahead.
    pub happened: Vec<String>,
    /// Whether its `effective_at` may lie up to 10 years ahead.
    pub may_begin_later: bool,
    /// An event that is recorded later than so long after it happened is late; an ISO 8601 duration.
    #[schema(example = "P1D")]
    pub late_after: String,
    /// The program has a type of this name by now, and the organisation had published its own: this one stands.
    pub instead_of_the_programs: bool,
    /// It is declared to concern no identifiable person.
    pub concerns_nobody: bool,
    /// All versions that were ever in force, the first one first.
    pub versions: Vec<TypeVersion>,
}

/// As of when.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "declares a parameter")]
pub struct AsOfQuery {
    /// The catalogue by which this entry was accepted, or the one in force at this RFC 3339 time. Now, if not given.
    pub as_of: Option<String>,
}

/// The catalogue in force, and how it came to be so.
#[utoipa::path(tag = "compliance", responses(
    (status = 200, description = "The catalogue", body = CatalogView),
    OfCallers,
))]
#[get("/catalog")]
pub async fn get_catalog(
    service: web::Data<Service>,
    _caller: Caller,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let found = web::block(move || catalogue::in_force(service.desk()));
    let catalogue::InForceNow { catalog, publications } =
        found.await.map_err(|error| Problem::internal(&error))??;
    let shown = |publication: catalogue::Publication| PublicationView {
        version: publication.version,
        seq: publication.seq,
        time: publication.recorded_at.to_string(),
        by: publication.by,
        reason: publication.reason,
        event: links::entry(publication.seq),
    };
    Ok(HttpResponse::Ok().json(CatalogView {
        version: catalog.publications(),
        types: catalog.types().count(),
        registers: catalog.registers().count(),
        controls: catalog.controls().count(),
        publications: publications.into_iter().map(shown).collect(),
    }))
}

/// All types of event.
#[utoipa::path(tag = "compliance", params(AsOfQuery), responses(
    (status = 200, description = "All types", content((TypeList = "application/json"), (String = "text/csv"))),
    OfCallers,
))]
#[get("/catalog/types")]
pub async fn list_types(
    service: web::Data<Service>,
    caller: Caller,
    form: Listing,
    query: Query<AsOfQuery>,
) -> Result<HttpResponse, Problem> {
    if form.is_csv() {
        let part = |service: &Service, parameters: &Parameters, _| {
            Part::of(Columns::of(COLUMNS), &types(service, parameters)?)
        };
        return table(service, &caller.0.actor, form, query.into_inner(), part).await;
    }
    Ok(HttpResponse::Ok().insert_header((VARY, "Accept")).json(types(&service, &query)?))
}

fn types(service: &Service, parameters: &Parameters) -> Result<TypeList, AnswerError> {
    let items = catalogue::as_of(service.desk(), parameters.moment.as_of.as_deref())?
        .types()
        .map(|kind| TypeSummary {
            name: kind.name.clone(),
            version: kind.version,
            summary: kind.summary.clone(),
            domain: kind.domain.clone(),
            repeat: kind.words.repeat.word(),
            posted_by: kind.words.posted_by.word(),
            acts: kind.words.acts.word(),
            link: format!("/v1/catalog/types/{}", kind.name),
        })
        .collect();
    Ok(TypeList { items })
}

/// One type of event: its schema, and which version was in force when.
#[utoipa::path(tag = "compliance", params(("name" = String, Path, description = "The type", example = "approval.granted"), AsOfQuery), responses(
    (status = 200, description = "The type", body = TypeView),
    OfCallers, OrNotThere,
))]
#[get("/catalog/types/{name}")]
pub async fn get_type(
    service: web::Data<Service>,
    _caller: Caller,
    name: web::Path<String>,
    query: Query<AsOfQuery>,
) -> Result<HttpResponse, Problem> {
    let catalog = catalogue::as_of(service.desk(), query.moment.as_of.as_deref())?;
    let kind = catalogue::event_type(&catalog, &name)?;
    let version = |of: catalogue::TypeVersion| TypeVersion { version: of.version, after: of.after };
    let versions = catalogue::versions(service.desk(), &name).into_iter().map(version).collect();
    let EventType { name, version, summary, domain, schema, example, entity, effective_at, due_at, .. } =
        kind;
    Ok(HttpResponse::Ok().json(TypeView {
        name: name.clone(),
        version: *version,
        summary: summary.clone(),
        domain: domain.clone(),
        schema: schema.clone(),
        example: example.clone(),
        entity: entity.family.clone(),
        entity_id: entity.id.clone(),
        effective_at: effective_at.clone(),
        due_at: due_at.clone(),
        repeat: kind.words.repeat.word(),
        posted_by: kind.words.posted_by.word(),
        acts: kind.words.acts.word(),
        happened: kind.words.happened.clone(),
        may_begin_later: kind.words.may_begin_later,
        late_after: kind.words.late_after.to_string(),
        instead_of_the_programs: kind.instead_of_ours,
        concerns_nobody: kind.concerns_nobody,
        versions,
    }))
}
