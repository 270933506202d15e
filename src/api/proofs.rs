//! Inclusion and consistency proofs between any sizes (RFC 6962 §2.1).

use crate::api::problems::{OfRoles, OrNotThere};
use crate::log::store::Store;
use crate::spec::encoding::to_base64;
use crate::spec::merkle::Hash;
use crate::web::auth::LogReader;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpResponse, get, web};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
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
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct InclusionQuery {
    /// The entry.
    #[param(example = 3)]
    seq: u64,
    /// Entries in the tree; default: those of the latest checkpoint.
    size: Option<u64>,
}

/// From which tree to which.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
pub struct ConsistencyQuery {
    /// Entries in the old tree.
    #[param(example = 2)]
    from: u64,
    /// Entries in the new tree; default: those of the latest checkpoint.
    to: Option<u64>,
}

fn latest(store: &Store) -> u64 {
    store.checkpoint().map_or(0, |signed| signed.checkpoint.size)
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
    query: web::Query<InclusionQuery>,
) -> Result<HttpResponse, Problem> {
    let store: Arc<Store> = service.log.store().clone();
    let size = query.size.unwrap_or_else(|| latest(&store));
    if query.seq >= size {
        return Err(Problem::new(
            ProblemType::NotFound,
            format!("a tree of {size} entries has no entry {}", query.seq),
        ));
    }
    let hashes = web::block(move || store.inclusion(query.seq, size))
        .await
        .map_err(|error| Problem::internal(&error))??;
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
    query: web::Query<ConsistencyQuery>,
) -> Result<HttpResponse, Problem> {
    let store: Arc<Store> = service.log.store().clone();
    let to = query.to.unwrap_or_else(|| latest(&store));
    if query.from > to {
        return Err(Problem::new(
            ProblemType::BadParameter,
            "\"from\" must not be greater than \"to\": a log only grows",
        ));
    }
    let hashes = web::block(move || store.consistency(query.from, to))
        .await
        .map_err(|error| Problem::internal(&error))??;
    Ok(answer(&hashes))
}
