//! Reading request bodies within bounds: of one body, and of all that are being read at once. What comes in gzip is held
//! to the same bounds twice, as it came and as it is.

use crate::web::problem::{Problem, ProblemType};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::web;
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use std::io::Read as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

/// Bytes of request bodies held at once, over all connections.
///
/// Reason: thirty of the largest batches; what the sequencer may hold comes on top.
const MAX_BODIES_BYTES: usize = 256 << 20;

/// How long a client may take to send a body.
///
/// Reason: the largest batch over a slow line; whoever drips holds memory that others need.
const PATIENCE: Duration = Duration::from_secs(30);

/// Bytes in gzip that are taken out of it where they were read.
///
/// Reason: they come to the largest single event in about a millisecond; what may be more is for another thread.
const INLINE_BYTES: usize = 4 << 10;

/// Bytes that are taken out of gzip at a time.
const PIECE_BYTES: usize = 16 << 10;

/// How many bytes of bodies are held now.
#[derive(Clone, Default)]
pub struct Budget(Arc<AtomicUsize>);

/// A body, and its share of the budget while it lives.
pub struct Body {
    pub bytes: Vec<u8>,
    budget: Budget,
}

impl Body {
    /// Adds a piece.
    fn take(&mut self, piece: &[u8], limit: usize) -> Result<(), Problem> {
        if self.bytes.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        let held = self.budget.0.fetch_add(piece.len(), Ordering::Relaxed);
        self.bytes.extend_from_slice(piece);
        if held + piece.len() > MAX_BODIES_BYTES {
            let detail = "nothing was recorded; send the same again in a moment";
            return Err(Problem::new(ProblemType::Overloaded, detail));
        }
        Ok(())
    }
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Drop for Body {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Reads a body of at most `limit` bytes, of which the client has declared the length or not, and takes it out of gzip if
/// that is its `Content-Encoding`.
///
/// # Errors
/// 413 for a longer one, 415 for another encoding, 503 when too much is being read, 400 for a broken transfer.
pub async fn read(
    payload: web::Payload,
    headers: &HeaderMap,
    limit: usize,
    budget: &Budget,
) -> Result<Body, Problem> {
    let in_gzip = is_in_gzip(headers)?;
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > limit) {
        return Err(too_large(limit));
    }
    let mut body = Body { bytes: Vec::new(), budget: budget.clone() };
    // One piece of its size: growing by doubling would hold up to three times as much. What is reserved and never
    // written is not there yet.
    body.bytes.reserve_exact(declared.unwrap_or_default());
    let read = read_all(payload, limit, body);
    let body = tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| {
        let detail = format!("the body did not come within {} s; nothing was recorded", PATIENCE.as_secs());
        Err(Problem::new(ProblemType::Malformed, detail))
    })?;
    match in_gzip {
        false => Ok(body),
        true if body.bytes.len() <= INLINE_BYTES => out_of_gzip(&body, limit),
        true => {
            let unpacked = web::block(move || out_of_gzip(&body, limit)).await;
            unpacked.map_err(|error| Problem::internal(&error))?
        }
    }
}

/// Whether a body comes in gzip, or as it is.
fn is_in_gzip(headers: &HeaderMap) -> Result<bool, Problem> {
    let lines =
        headers.get_all(CONTENT_ENCODING).map(|value| value.to_str().unwrap_or("?").to_ascii_lowercase());
    let codings = lines.collect::<Vec<_>>().join(",");
    let mut codings = codings.split(',').map(str::trim).filter(|coding| !matches!(*coding, "" | "identity"));
    match (codings.next(), codings.next()) {
        (None, _) => Ok(false),
        (Some("gzip" | "x-gzip"), None) => Ok(true),
        _ => {
            let detail = "send the body as it is, or in gzip, once";
            Err(Problem::new(ProblemType::UnsupportedCoding, detail))
        }
    }
}

/// What is packed in a body: no more of it than `limit` is ever held.
fn out_of_gzip(packed: &Body, limit: usize) -> Result<Body, Problem> {
    let mut body = Body { bytes: Vec::new(), budget: packed.budget.clone() };
    let mut unpacking = MultiGzDecoder::new(packed.as_ref());
    let mut piece = [0; PIECE_BYTES];
    loop {
        let read = unpacking.read(&mut piece).map_err(|_| {
            let detail =
                "the body is not whole gzip, as its Content-Encoding says; send it again, or as it is";
            Problem::new(ProblemType::Malformed, detail)
        })?;
        match piece.get(..read) {
            Some([]) | None => return Ok(body),
            Some(piece) => body.take(piece, limit)?,
        }
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!(
        "the body has more than {limit} bytes; split it, or refer to large evidence by uri and sha256"
    );
    Problem::new(ProblemType::TooLarge, detail)
}

async fn read_all(mut payload: web::Payload, limit: usize, mut body: Body) -> Result<Body, Problem> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Problem::new(ProblemType::Malformed, "the body broke off; send it again whole"))?;
        body.take(&chunk, limit)?;
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;
    use std::io::Write as _;

    async fn read_bytes(bytes: usize, limit: usize, budget: &Budget) -> Result<Body, Problem> {
        read_sent(TestRequest::default().set_payload(vec![b'x'; bytes]), limit, budget).await
    }

    async fn read_sent(sent: TestRequest, limit: usize, budget: &Budget) -> Result<Body, Problem> {
        let (request, mut payload) = sent.to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        read(payload, request.headers(), limit, budget).await
    }

    fn in_gzip(text: &[u8]) -> Vec<u8> {
        let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        packing.write_all(text).unwrap();
        packing.finish().unwrap()
    }

    /// A body that comes with these codings.
    async fn read_coded(
        codings: &[&str],
        sent: Vec<u8>,
        limit: usize,
        budget: &Budget,
    ) -> Result<Body, ProblemType> {
        let mut request = TestRequest::default().set_payload(sent);
        for coding in codings {
            request = request.append_header(("content-encoding", *coding));
        }
        read_sent(request, limit, budget).await.map_err(|problem| problem.kind)
    }

    #[actix_web::test]
    async fn a_body_in_gzip_is_what_was_packed() {
        let budget = Budget::default();
        // More than is unpacked where it was read.
        let text: Vec<u8> =
            (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (text, coding) in
            [(&b"{}"[..], "gzip"), (b"", "GZIP"), (&text, " x-gzip "), (&text[..9_000], "identity, gzip")]
        {
            let body = read_coded(&[coding], in_gzip(text), 1 << 20, &budget).await.unwrap();
            assert!(body.bytes == text, "{coding}");
            assert_eq!(budget.0.load(Ordering::Relaxed), text.len(), "what was packed is given back");
        }
        assert_eq!(read_coded(&["identity"], b"{}".to_vec(), 64, &budget).await.unwrap().bytes, b"{}");
        // Two members are one body (RFC 1952 §2.2).
        let two = [in_gzip(b"a"), in_gzip(b"b")].concat();
        assert_eq!(read_coded(&["gzip"], two, 64, &budget).await.unwrap().bytes, b"ab");
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }

    #[actix_web::test]
    async fn another_coding_is_refused_and_so_is_what_is_no_gzip() {
        let budget = Budget::default();
        for codings in [&["deflate"][..], &["br"], &["gzip, gzip"], &["gzip", "gzip"], &["gzip;q=1"]] {
            let refused = read_coded(codings, in_gzip(b"{}"), 1 << 10, &budget).await.err();
            assert_eq!(refused, Some(ProblemType::UnsupportedCoding), "{codings:?}");
        }
        let whole = in_gzip(b"{\"a\":1}");
        let mut damaged = whole.clone();
        damaged[12] ^= 0xff;
        for sent in
            [b"{}".to_vec(), whole[..whole.len() - 1].to_vec(), damaged, [whole, b"{}".to_vec()].concat()]
        {
            let refused = read_coded(&["gzip"], sent, 1 << 10, &budget).await.err();
            assert_eq!(refused, Some(ProblemType::Malformed));
        }
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }

    /// A thousand times as much as it sends: it is unpacked as far as a body may be long, and no further.
    #[actix_web::test]
    async fn a_bomb_is_too_large_and_holds_nothing() {
        let budget = Budget::default();
        let bomb = in_gzip(&vec![b'x'; 64 << 20]);
        assert!(bomb.len() < 128 << 10);
        let begun = std::time::Instant::now();
        let refused = read_coded(&["gzip"], bomb, 256 << 10, &budget).await.err();
        assert_eq!(refused, Some(ProblemType::TooLarge));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        // And within what all bodies may hold.
        budget.0.store(MAX_BODIES_BYTES - 1_000, Ordering::Relaxed);
        let refused = read_coded(&["gzip"], in_gzip(&[b'x'; 2_000]), 4_000, &budget).await.err();
        assert_eq!(refused, Some(ProblemType::Overloaded));
        assert_eq!(budget.0.load(Ordering::Relaxed), MAX_BODIES_BYTES - 1_000);
    }

    #[actix_web::test]
    async fn what_all_bodies_hold_is_bounded_and_given_back() {
        let budget = Budget::default();
        let held = || budget.0.load(Ordering::Relaxed);
        // Others hold all but ten bytes.
        budget.0.store(MAX_BODIES_BYTES - 10, Ordering::Relaxed);
        let refused = read_bytes(11, 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::Overloaded));
        assert_eq!(held(), MAX_BODIES_BYTES - 10, "a refused body holds nothing");
        let body = read_bytes(10, 100, &budget).await.ok().unwrap();
        assert_eq!((body.bytes.len(), held()), (10, MAX_BODIES_BYTES));
        let refused = read_bytes(1, 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::Overloaded));
        drop(body);
        assert!(read_bytes(1, 100, &budget).await.is_ok());
        assert_eq!(held(), MAX_BODIES_BYTES - 10);
    }

    #[actix_web::test]
    async fn a_body_above_its_limit_is_too_large() {
        let budget = Budget::default();
        assert!(read_bytes(100, 100, &budget).await.is_ok());
        let refused = read_bytes(101, 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::TooLarge));
        // Whoever says so before is not listened to.
        let sent = TestRequest::default().set_payload("x").insert_header(("content-length", "101"));
        let refused = read_sent(sent, 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::TooLarge));
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }
}
