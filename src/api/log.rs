//! The log as regulators and their tools read it (C2SP tlog-tiles): checkpoint, tiles, entry bundles.

use crate::api::problems::{OfRoles, OrNotThere};
use crate::spec::tile::{TILE_WIDTH, Tile};
use crate::web::auth::LogReader;
use crate::web::{Problem, ProblemType, Service};
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
pub async fn checkpoint(service: web::Data<Service>, _reader: LogReader) -> Result<HttpResponse, Problem> {
    let signed = service.log.store().checkpoint();
    let signed =
        signed.ok_or_else(|| Problem::new(ProblemType::NotFound, "this copy has no signed checkpoint"))?;
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
) -> Result<HttpResponse, Problem> {
    let size = service.log.store().size();
    let not_there =
        || Problem::new(ProblemType::NotFound, format!("no such tile in a log of {size} entries"));
    let tile = Tile::parse(&path).ok_or_else(not_there)?;
    if tile.needs_size().is_none_or(|needed| needed > size) {
        return Err(not_there());
    }
    let reading = service.clone();
    let bytes = web::block(move || {
        let store = reading.log.store();
        match tile {
            Tile::Hashes { level, number, width } => store
                .tile_hashes(level, number, 0..usize::from(width))
                .map(|hashes| hashes.as_flattened().to_vec()),
            Tile::Entries { number, width } => {
                let first = number * TILE_WIDTH;
                store.framed(first..first + u64::from(width))
            }
        }
    });
    let bytes = bytes.await.map_err(|error| Problem::internal(&error))??;
    Ok(HttpResponse::Ok()
        .content_type("application/octet-stream")
        .insert_header((header::CACHE_CONTROL, forever(&service)))
        .body(bytes))
}
