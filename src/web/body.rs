//! Reading request bodies within bounds: of one body, of all of one caller, and of all that are being read at once. What is
//! held for a body goes by what has arrived of it, not by what its client says will come.

use crate::web::problem::{Problem, ProblemType};
use crate::web::shares::{Held, Shares};
use actix_web::web;
use futures_util::StreamExt as _;
use std::time::Duration;

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

/// How many bytes of bodies are held now.
#[derive(Clone)]
pub struct Budget(Shares);

impl Default for Budget {
    fn default() -> Self {
        Self(Shares::new(MAX_BODIES_BYTES, MAX_BODIES_BYTES_OF_A_CALLER))
    }
}

impl Budget {
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
}

/// Reads a body of at most `limit` bytes of a caller, who has declared the length or not.
///
/// # Errors
/// 413 for a longer one, 503 when too much is being read, 400 for a broken transfer.
pub async fn read(
    payload: web::Payload,
    declared: Option<usize>,
    limit: usize,
    (budget, caller): (&Budget, &str),
) -> Result<Body, Problem> {
    if declared.is_some_and(|declared| declared > limit) {
        return Err(too_large(limit));
    }
    let body = Body { bytes: Vec::new(), held: budget.0.of(caller) };
    let read = read_all(payload, declared.unwrap_or(limit), limit, body);
    tokio::time::timeout(PATIENCE, read).await.unwrap_or_else(|_| {
        let detail = format!("the body did not come within {} s; nothing was recorded", PATIENCE.as_secs());
        Err(Problem::new(ProblemType::Malformed, detail))
    })
}

fn too_large(limit: usize) -> Problem {
    let detail = format!(
        "the body has more than {limit} bytes; split it, or refer to large evidence by uri and sha256"
    );
    Problem::new(ProblemType::TooLarge, detail)
}

async fn read_all(
    mut payload: web::Payload,
    expected: usize,
    limit: usize,
    mut body: Body,
) -> Result<Body, Problem> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Problem::new(ProblemType::Malformed, "the body broke off; send it again whole"))?;
        if body.bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        body.make_room(chunk.len(), expected)?;
        body.bytes.extend_from_slice(&chunk);
    }
    Ok(body)
}

#[cfg(test)]
mod tests {
    use super::*;
    use actix_web::FromRequest as _;
    use actix_web::test::TestRequest;

    async fn read_bytes(bytes: usize, limit: usize, budget: &Budget) -> Result<Body, Problem> {
        let (request, mut payload) = TestRequest::default().set_payload(vec![b'x'; bytes]).to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        read(payload, Some(bytes), limit, (budget, "app:t")).await
    }

    #[actix_web::test]
    async fn what_all_bodies_hold_is_bounded_and_given_back() {
        let budget = Budget::default();
        // Others hold all but ten kilobytes.
        let others: Vec<_> = (0..4)
            .map(|other| {
                let mut held = budget.0.of(&format!("app:{other}"));
                let less = if other == 0 { 10 << 10 } else { 0 };
                assert!(held.grow_to(MAX_BODIES_BYTES_OF_A_CALLER - less));
                held
            })
            .collect();
        let before = budget.0.held();
        let refused = read_bytes(11 << 10, 1 << 20, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::Overloaded));
        assert_eq!(budget.0.held(), before, "a refused body holds nothing");
        let body = read_bytes(10 << 10, 1 << 20, &budget).await.ok().unwrap();
        assert_eq!((body.bytes.len(), budget.0.held()), (10 << 10, MAX_BODIES_BYTES));
        let refused = read_bytes(1, 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::Overloaded));
        drop(body);
        assert!(read_bytes(1, 100, &budget).await.is_ok());
        assert_eq!(budget.0.held(), before);
        drop(others);
        assert_eq!(budget.0.held(), 0);
    }

    #[actix_web::test]
    async fn what_a_body_holds_goes_by_what_has_arrived() {
        let budget = Budget::default();
        let mut body = Body { bytes: Vec::new(), held: budget.0.of("app:t") };
        // Eight megabytes are announced, and some bytes come.
        body.make_room(200, 8 << 20).ok().unwrap();
        body.bytes.extend_from_slice(&[0; 200]);
        assert_eq!((body.bytes.capacity(), budget.0.held()), (FIRST_BYTES, FIRST_BYTES));
        let mut arrived = 200;
        while arrived < 3 << 20 {
            body.make_room(60_000, 8 << 20).ok().unwrap();
            body.bytes.extend_from_slice(&[0; 60_000]);
            arrived += 60_000;
            assert!(budget.0.held() >= arrived && budget.0.held() <= 2 * arrived + FIRST_BYTES);
        }
        // One of which the length is known never takes more than that.
        let body = read_bytes(5 << 20, 8 << 20, &budget).await.ok().unwrap();
        assert_eq!(body.bytes.capacity(), 5 << 20);
    }

    #[actix_web::test]
    async fn a_body_above_its_limit_is_too_large() {
        let budget = Budget::default();
        assert!(read_bytes(100, 100, &budget).await.is_ok());
        let (request, mut payload) = TestRequest::default().set_payload(vec![b'x'; 101]).to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        let refused = read(payload, None, 100, (&budget, "app:t")).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::TooLarge));
        // Whoever says so before is not listened to.
        let (request, mut payload) = TestRequest::default().set_payload("x").to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        let refused = read(payload, Some(101), 100, (&budget, "app:t")).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::TooLarge));
        assert_eq!(budget.0.held(), 0);
    }
}
