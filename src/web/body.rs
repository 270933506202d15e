//! Reading request bodies within bounds: of one body, of all of one caller, and of all that are being read at once. What is
//! held for a body goes by what has arrived of it, not by what its client says will come. What comes in gzip is held to the
//! same bounds twice, as it came and as it is.

use crate::web::problem::{Problem, ProblemType};
use crate::web::shares::{Held, Shares};
use actix_web::http::header::{CONTENT_ENCODING, CONTENT_LENGTH, HeaderMap};
use actix_web::web;
use flate2::read::MultiGzDecoder;
use futures_util::StreamExt as _;
use std::io::Read as _;
use std::time::Duration;
use tokio::sync::watch;

/// Bytes of request bodies held at once, over all connections.
///
/// Reason: thirty of the largest batches; what the sequencer may hold comes on top.
const MAX_BODIES_BYTES: usize = 256 << 20;

/// Bytes of request bodies that one caller holds of these.
///
/// Reason: eight of the largest batches; a caller who begins bodies and does not end them leaves room for three more.
const MAX_BODIES_BYTES_OF_A_CALLER: usize = 64 << 20;

/// Bytes that are held from the first byte of a body on.
///
/// Reason: most events fit; two thousand bodies of which no more comes are 8 MiB.
const FIRST_BYTES: usize = 4 << 10;

/// How long a client may take to send a body.
///
/// Reason: the largest batch over a slow line; whoever drips holds memory that others need.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long it may still take when the server ends: what has not come is not begun.
const PATIENCE_AT_THE_END: Duration = Duration::from_secs(1);

/// Bytes in gzip that are taken out of it where they were read.
///
/// Reason: they come to the largest single event in about a millisecond; what may be more is for another thread.
const INLINE_BYTES: usize = 4 << 10;

/// Bytes that are taken out of gzip at a time.
const PIECE_BYTES: usize = 16 << 10;

/// How many bytes of bodies are held now.
#[derive(Clone)]
pub struct Budget(Shares, watch::Receiver<bool>);

impl Budget {
    /// Nothing is held yet; once this says so, the server ends.
    #[must_use]
    pub fn until(ending: watch::Receiver<bool>) -> Self {
        Self(Shares::new(MAX_BODIES_BYTES, MAX_BODIES_BYTES_OF_A_CALLER), ending)
    }

    /// The moment from which no body is waited for any more, because the server ends.
    async fn ended(&self) {
        match self.1.clone().wait_for(|ending| *ending).await {
            Ok(_) => tokio::time::sleep(PATIENCE_AT_THE_END).await,
            // Nobody will ever say it.
            Err(_) => std::future::pending().await,
        }
    }

    /// Bytes that are held for bodies.
    #[must_use]
    pub fn held(&self) -> usize {
        self.0.held()
    }
}

/// A body, and its share of the budget while it lives.
pub struct Body {
    pub bytes: Vec<u8>,
    held: Held,
}

impl AsRef<[u8]> for Body {
    fn as_ref(&self) -> &[u8] {
        &self.bytes
    }
}

impl Body {
    /// Makes room for a chunk. Twice of what is there, so that little is copied, but no more than will come.
    fn make_room(&mut self, chunk: usize, most: usize) -> Result<(), Problem> {
        let needed = self.bytes.len() + chunk;
        if needed <= self.bytes.capacity() {
            return Ok(());
        }
        let room = needed.max((2 * self.bytes.capacity()).max(FIRST_BYTES).min(most));
        if !self.held.grow_to(room) {
            return Err(Problem::new(
                ProblemType::Overloaded,
                "nothing was recorded; send the same again in a moment",
            ));
        }
        self.bytes.reserve_exact(room - self.bytes.len());
        Ok(())
    }

    /// Adds a piece of a body of which no more than `most` bytes are expected.
    fn take(&mut self, piece: &[u8], most: usize, limit: usize) -> Result<(), Problem> {
        if self.bytes.len() + piece.len() > limit {
            return Err(too_large(limit));
        }
        self.make_room(piece.len(), most)?;
        self.bytes.extend_from_slice(piece);
        Ok(())
    }
}

/// Reads a body of at most `limit` bytes of a caller, of which the client has declared the length or not, and takes it out of gzip if
/// that is its `Content-Encoding`.
///
/// # Errors
/// 413 for a longer one, 415 for another encoding, 503 when too much is being read, 400 for a broken transfer.
pub async fn read(
    payload: web::Payload,
    headers: &HeaderMap,
    limit: usize,
    (budget, caller): (&Budget, &str),
) -> Result<Body, Problem> {
    let in_gzip = is_in_gzip(headers)?;
    let declared = headers.get(CONTENT_LENGTH).and_then(|value| value.to_str().ok()?.parse::<usize>().ok());
    if declared.is_some_and(|declared| declared > limit) {
        return Err(too_large(limit));
    }
    let body = Body { bytes: Vec::new(), held: budget.0.of(caller) };
    let read = read_all(payload, declared.unwrap_or(limit), limit, body);
    let body = tokio::select! {
        read = tokio::time::timeout(PATIENCE, read) => read.unwrap_or_else(|_| {
            let detail = format!("the body did not come within {} s; nothing was recorded", PATIENCE.as_secs());
            Err(Problem::new(ProblemType::Malformed, detail))
        }),
        () = budget.ended() => {
            let detail = "nothing was recorded: the server is ending; send the same again in a moment";
            Err(Problem::new(ProblemType::Overloaded, detail))
        }
    }?;
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
    let mut body = Body { bytes: Vec::new(), held: packed.held.another() };
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
            Some(piece) => body.take(piece, limit, limit)?,
        }
    }
}

fn too_large(limit: usize) -> Problem {
    let detail = format!(
        "the body has more than {limit} bytes; split it, or refer to large evidence by uri and sha256"
    );
    Problem::new(ProblemType::TooLarge, detail)
}

async fn read_all(
    mut payload: web::Payload,
    most: usize,
    limit: usize,
    mut body: Body,
) -> Result<Body, Problem> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Problem::new(ProblemType::Malformed, "the body broke off; send it again whole"))?;
        body.take(&chunk, most, limit)?;
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
        let sent = TestRequest::default().set_payload(vec![b'x'; bytes]);
        read_sent(sent.insert_header(("content-length", bytes)), limit, budget).await
    }

    async fn read_sent(sent: TestRequest, limit: usize, budget: &Budget) -> Result<Body, Problem> {
        let (request, mut payload) = sent.to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        read(payload, request.headers(), limit, (budget, "app:t")).await
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
        let budget = Budget::until(watch::Sender::new(false).subscribe());
        // More than is unpacked where it was read.
        let text: Vec<u8> =
            (0..40_000_u32).flat_map(|n| n.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
        for (text, coding) in
            [(&b"{}"[..], "gzip"), (b"", "GZIP"), (&text, " x-gzip "), (&text[..9_000], "identity, gzip")]
        {
            let body = read_coded(&[coding], in_gzip(text), 1 << 20, &budget).await.unwrap();
            assert!(body.bytes == text, "{coding}");
            assert_eq!(budget.held(), body.bytes.capacity(), "what was packed is given back");
        }
        assert_eq!(read_coded(&["identity"], b"{}".to_vec(), 64, &budget).await.unwrap().bytes, b"{}");
        // Two members are one body (RFC 1952 §2.2).
        let two = [in_gzip(b"a"), in_gzip(b"b")].concat();
        assert_eq!(read_coded(&["gzip"], two, 64, &budget).await.unwrap().bytes, b"ab");
        assert_eq!(budget.held(), 0);
    }

    #[actix_web::test]
    async fn another_coding_is_refused_and_so_is_what_is_no_gzip() {
        let budget = Budget::until(watch::Sender::new(false).subscribe());
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
        assert_eq!(budget.held(), 0);
    }

    /// A thousand times as much as it sends: it is unpacked as far as a body may be long, and no further.
    #[actix_web::test]
    async fn a_bomb_is_too_large_and_holds_nothing() {
        let budget = Budget::until(watch::Sender::new(false).subscribe());
        let bomb = in_gzip(&vec![b'x'; 64 << 20]);
        assert!(bomb.len() < 128 << 10);
        let begun = std::time::Instant::now();
        let refused = read_coded(&["gzip"], bomb, 256 << 10, &budget).await.err();
        assert_eq!(refused, Some(ProblemType::TooLarge));
        assert!(begun.elapsed() < Duration::from_secs(1), "{:?}", begun.elapsed());
        // And within what all bodies may hold.
        let mut others = budget.0.of("app:t");
        assert!(others.grow_to(MAX_BODIES_BYTES_OF_A_CALLER - FIRST_BYTES / 2));
        let refused = read_coded(&["gzip"], in_gzip(&[b'x'; 2_000]), 4_000, &budget).await.err();
        assert_eq!(refused, Some(ProblemType::Overloaded));
        assert_eq!(budget.held(), MAX_BODIES_BYTES_OF_A_CALLER - FIRST_BYTES / 2);
    }

    #[actix_web::test]
    async fn what_all_bodies_hold_is_bounded_and_given_back() {
        let budget = Budget::until(watch::Sender::new(false).subscribe());
        // Others hold all but ten kilobytes.
        let others: Vec<_> = (0..4)
            .map(|other| {
                let mut held = budget.0.of(&format!("app:{other}"));
                let less = if other == 0 { 10 << 10 } else { 0 };
                assert!(held.grow_to(MAX_BODIES_BYTES_OF_A_CALLER - less));
                held
            })
            .collect();
        let before = budget.held();
        let refused = read_bytes(11 << 10, 1 << 20, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::Overloaded));
        assert_eq!(budget.held(), before, "a refused body holds nothing");
        let body = read_bytes(10 << 10, 1 << 20, &budget).await.ok().unwrap();
        assert_eq!((body.bytes.len(), budget.held()), (10 << 10, MAX_BODIES_BYTES));
        let refused = read_bytes(1, 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::Overloaded));
        drop(body);
        assert!(read_bytes(1, 100, &budget).await.is_ok());
        assert_eq!(budget.held(), before);
        drop(others);
        assert_eq!(budget.held(), 0);
    }

    #[actix_web::test]
    async fn what_a_body_holds_goes_by_what_has_arrived() {
        let budget = Budget::until(watch::Sender::new(false).subscribe());
        let mut body = Body { bytes: Vec::new(), held: budget.0.of("app:t") };
        // Eight megabytes are announced, and some bytes come.
        body.make_room(200, 8 << 20).ok().unwrap();
        body.bytes.extend_from_slice(&[0; 200]);
        assert_eq!((body.bytes.capacity(), budget.held()), (FIRST_BYTES, FIRST_BYTES));
        let mut arrived = 200;
        while arrived < 3 << 20 {
            body.make_room(60_000, 8 << 20).ok().unwrap();
            body.bytes.extend_from_slice(&[0; 60_000]);
            arrived += 60_000;
            assert!(budget.held() >= arrived && budget.held() <= 2 * arrived + FIRST_BYTES);
        }
        // One of which the length is known never takes more than that.
        let body = read_bytes(5 << 20, 8 << 20, &budget).await.ok().unwrap();
        assert_eq!(body.bytes.capacity(), 5 << 20);
    }

    #[actix_web::test]
    async fn a_body_above_its_limit_is_too_large() {
        let budget = Budget::until(watch::Sender::new(false).subscribe());
        assert!(read_bytes(100, 100, &budget).await.is_ok());
        let refused =
            read_sent(TestRequest::default().set_payload(vec![b'x'; 101]), 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::TooLarge));
        // Whoever says so before is not listened to.
        let sent = TestRequest::default().set_payload("x").insert_header(("content-length", "101"));
        let refused = read_sent(sent, 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::TooLarge));
        assert_eq!(budget.held(), 0);
    }
}
