//! Reading request bodies within bounds: of one body, and of all that are being read at once.

use crate::api::{Problem, ProblemType};
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

impl Drop for Body {
    fn drop(&mut self) {
        self.budget.0.fetch_sub(self.bytes.len(), Ordering::Relaxed);
    }
}

/// Reads a body of at most `limit` bytes.
///
/// # Errors
/// 413 for a longer one, 503 when too much is being read, 400 for a broken transfer.
pub async fn read(payload: web::Payload, limit: usize, budget: &Budget) -> Result<Body, Problem> {
    tokio::time::timeout(PATIENCE, read_all(payload, limit, budget)).await.unwrap_or_else(|_| {
        let detail = format!("the body did not come within {} s; nothing was recorded", PATIENCE.as_secs());
        Err(Problem::new(ProblemType::Malformed, detail))
    })
}

async fn read_all(mut payload: web::Payload, limit: usize, budget: &Budget) -> Result<Body, Problem> {
    let mut body = Body { bytes: Vec::new(), budget: budget.clone() };
    while let Some(chunk) = payload.next().await {
        let chunk = chunk
            .map_err(|_| Problem::new(ProblemType::Malformed, "the body broke off; send it again whole"))?;
        if body.bytes.len() + chunk.len() > limit {
            let detail = format!(
                "the body has more than {limit} bytes; split it, or refer to large evidence by uri and sha256"
            );
            return Err(Problem::new(ProblemType::TooLarge, detail));
        }
        let held = budget.0.fetch_add(chunk.len(), Ordering::Relaxed);
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
