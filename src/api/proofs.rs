//! Inclusion and consistency proofs between any sizes (RFC 6962 §2.1).

use crate::answers;
use crate::api::problems::{OfRoles, OrNotThere};
use crate::spec::encoding::to_base64;
use crate::spec::merkle::Hash;
use crate::web::auth::LogReader;
use crate::web::parameters::Query;
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

/// A proof.
#[derive(Serialize, ToSchema)]
pub struct Proof {
    /// Hashes in base64; for inclusion the leaf's sibling first.
    #[schema(example = json!(["gSKyXoYZUgZ6jduWYrkDOARinOMGJveXjgMkBTcdPlQ="]))]
    pub hashes: Vec<String>,
}

fn answer(hashes: &[Hash]) -> HttpResponse {
    HttpResponse::Ok().json(Proof { hashes: hashes.iter().map(|hash| to_base64(hash)).collect() })
}

/// Which leaf, in which tree.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "declares parameters")]
pub struct InclusionQuery {
    /// The entry.
    #[param(example = 3)]
    seq: u64,
    /// Entries in the tree; default: those of the latest checkpoint.
    size: Option<u64>,
}

/// From which tree to which.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
#[allow(dead_code, reason = "declares parameters")]
pub struct ConsistencyQuery {
    /// Entries in the old tree.
    #[param(example = 2)]
    from: u64,
    /// Entries in the new tree; default: those of the latest checkpoint.
    to: Option<u64>,
}

/// That an entry is in the log.
#[utoipa::path(tag = "regulators", params(InclusionQuery), responses(
    (status = 200, description = "RFC 6962 audit path", body = Proof),
    OfRoles, OrNotThere,
))]
#[get("/proofs/inclusion")]
pub async fn inclusion(
    service: web::Data<Service>,
    _reader: LogReader,
    query: Query<InclusionQuery>,
) -> Result<HttpResponse, Problem> {
    let (seq, size) = (query.required_number("seq")?, query.number("size")?);
    let hashes = web::block(move || answers::proofs::inclusion(service.desk(), seq, size));
    let hashes = hashes.await.map_err(|error| Problem::internal(&error))??;
    Ok(answer(&hashes))
}

/// That the log only grew from one size to another.
#[utoipa::path(tag = "regulators", params(ConsistencyQuery), responses(
    (status = 200, description = "RFC 6962 consistency proof; empty from 0 and between equal sizes", body = Proof),
    OfRoles, OrNotThere,
))]
#[get("/proofs/consistency")]
pub async fn consistency(
    service: web::Data<Service>,
    _reader: LogReader,
    query: Query<ConsistencyQuery>,
) -> Result<HttpResponse, Problem> {
    let (from, to) = (query.required_number("from")?, query.number("to")?);
    let hashes = web::block(move || answers::proofs::consistency(service.desk(), from, to));
    let hashes = hashes.await.map_err(|error| Problem::internal(&error))??;
    Ok(answer(&hashes))
}
