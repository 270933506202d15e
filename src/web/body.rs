//! Reading request bodies within bounds: of one body, and of all that are being read at once.

use crate::web::problem::{Problem, ProblemType};
use actix_web::web;
use futures_util::StreamExt as _;
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

/// How many bytes of bodies are held now.
#[derive(Clone, Default)]
pub struct Budget(Arc<AtomicUsize>);

/// A body, and its share of the budget while it lives.
pub struct Body {
    pub bytes: Vec<u8>,
    budget: Budget,
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

/// Reads a body of at most `limit` bytes, of which the client has declared the length or not.
///
/// # Errors
/// 413 for a longer one, 503 when too much is being read, 400 for a broken transfer.
pub async fn read(
    payload: web::Payload,
    declared: Option<usize>,
    limit: usize,
    budget: &Budget,
) -> Result<Body, Problem> {
    if declared.is_some_and(|declared| declared > limit) {
        return Err(too_large(limit));
    }
    let mut body = Body { bytes: Vec::new(), budget: budget.clone() };
    // One piece of its size: growing by doubling would hold up to three times as much. What is reserved and never
    // written is not there yet.
    body.bytes.reserve_exact(declared.unwrap_or_default());
    let read = read_all(payload, limit, body);
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

async fn read_all(mut payload: web::Payload, limit: usize, mut body: Body) -> Result<Body, Problem> {
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Problem::new(ProblemType::Malformed, "the body broke off; send it again whole"))?;
        if body.bytes.len() + chunk.len() > limit {
            return Err(too_large(limit));
        }
        let held = body.budget.0.fetch_add(chunk.len(), Ordering::Relaxed);
        body.bytes.extend_from_slice(&chunk);
        if held + chunk.len() > MAX_BODIES_BYTES {
            return Err(Problem::new(
                ProblemType::Overloaded,
                "nothing was recorded; send the same again in a moment",
            ));
        }
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
        read(payload, None, limit, budget).await
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
        let (request, mut payload) = TestRequest::default().set_payload("x").to_http_parts();
        let payload = web::Payload::from_request(&request, &mut payload).await.unwrap();
        let refused = read(payload, Some(101), 100, &budget).await.err();
        assert_eq!(refused.map(|problem| problem.kind), Some(ProblemType::TooLarge));
        assert_eq!(budget.0.load(Ordering::Relaxed), 0);
    }
}
