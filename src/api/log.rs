//! The log as regulators and their tools read it (C2SP tlog-tiles): checkpoint, tiles, entry bundles.

use crate::answers::proofs;
use crate::api::problems::{OfRoles, OrNotThere};
use crate::web::auth::LogReader;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, Service};
use actix_web::http::header;
use actix_web::{HttpResponse, get, web};

/// What a client may keep for ever: no tile, full or partial, ever has other bytes under the same path.
fn forever(service: &Service) -> String {
    format!("{}, max-age=31536000, immutable", audience(service))
}

fn audience(service: &Service) -> &'static str {
    if service.settings.public_log { "public" } else { "private" }
}

/// The latest checkpoint.
#[utoipa::path(tag = "regulators", responses(
    (status = 200, description = "C2SP checkpoint: origin, size, root, signatures", body = String, content_type = "text/plain",
     example = "northgate.example/ai-governance\n428\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n— northgate.example/ai-governance Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"),
    OfRoles, OrNotThere,
))]
#[get("/log/checkpoint")]
pub async fn checkpoint(
    service: web::Data<Service>,
    _reader: LogReader,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let signed = proofs::checkpoint(service.desk())?;
    Ok(HttpResponse::Ok()
        .content_type("text/plain; charset=utf-8")
        .insert_header((header::CACHE_CONTROL, format!("{}, max-age=2", audience(&service))))
        .body(signed.note.to_string()))
}

/// A tile of hashes or a bundle of entries.
///
/// `{tile}` is `<L>/<N>[.p/<W>]` for hashes, or `entries/<N>[.p/<W>]` for entries: level, number in groups of three
/// digits (`x001/x234/067`), and for the partial tile at the edge how many (1 to 255).
#[utoipa::path(tag = "regulators", params(("tile" = String, Path, description = "For example `0/000`, `0/x001/x234/067`, `1/000.p/3`, `entries/001`", example = "entries/000.p/1")), responses(
    (status = 200, description = "256 (or W) hashes of 32 bytes, or as many entries, each after its length in two bytes", body = Vec<u8>, content_type = "application/octet-stream"),
    OfRoles, OrNotThere,
))]
#[get("/log/tile/{tile:.*}")]
pub async fn tile(
    service: web::Data<Service>,
    _reader: LogReader,
    path: web::Path<String>,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let reading = service.clone();
    let bytes = web::block(move || proofs::tile(reading.desk(), &path));
    let bytes = bytes.await.map_err(|error| Problem::internal(&error))??;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::CACHE_CONTROL, forever(&service)))
        .body(bytes))
}
