//! The log as regulators and their tools read it (C2SP tlog-tiles): checkpoint, tiles, entry bundles.

use crate::answers::proofs;
use crate::api::problems::{OfRoles, OrNotThere};
use crate::web::accept;
use crate::web::auth::LogReader;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, Service};
use actix_web::http::header;
use actix_web::{HttpRequest, HttpResponse, get, web};
use flate2::Compression;
use flate2::write::GzEncoder;
use std::io::Write as _;

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
/// Bundles come in gzip where `Accept-Encoding` asks for it: entries are text, and shrink to a fraction.
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
    request: HttpRequest,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    let reading = service.clone();
    let is_bundle = path.starts_with("entries/");
    let in_gzip = is_bundle && accept::likes_gzip(request.headers());
    let bytes = web::block(move || {
        let bytes = proofs::tile(reading.desk(), &path)?;
        if in_gzip { gzip(&bytes) } else { Ok(bytes) }
    });
    let bytes = bytes.await.map_err(|error| Problem::internal(&error))??;
    let mut response = HttpResponse::Ok();
    response.content_type("application/octet-stream");
    response.insert_header((header::CACHE_CONTROL, forever(&service)));
    if is_bundle {
        response.insert_header((header::VARY, "Accept-Encoding"));
    }
    if in_gzip {
        response.insert_header((header::CONTENT_ENCODING, "gzip"));
    }
    Ok(response.body(bytes))
}

/// Bytes in gzip. Reason for the lowest level: the hashes and signatures in entries shrink at none, and the time that a
/// higher one takes is other people's.
fn gzip(bytes: &[u8]) -> Result<Vec<u8>, Problem> {
    let mut packing = GzEncoder::new(Vec::new(), Compression::fast());
    let packed = packing.write_all(bytes).and_then(|()| packing.finish());
    packed.map_err(|error| Problem::internal(&error))
}
