//! The honest client: one connection, a request each 10 ms or as soon as the last one is answered, and what it waits for each.

use crate::common::http::Client;
use crate::world::{World, decision, envelope};
use anyhow::Result;
use std::time::{Duration, Instant};

const EACH: Duration = Duration::from_millis(10);

/// What it waited.
pub struct Waits {
    /// Milliseconds from when each request was sent until its answer was there, sorted.
    pub millis: Vec<f64>,
    /// Requests that were not answered with what was asked for.
    pub refused: usize,
}

/// Asks and posts for so long.
pub fn go(world: &World, lasts: Duration) -> Result<Waits> {
    let mut client = Client::connect(world.server().address, world.honest())?;
    let (begun, mut millis, mut refused) = (Instant::now(), Vec::new(), 0);
    while begun.elapsed() < lasts {
        let sent = Instant::now();
        let answered = match millis.len() % 4 {
            0 => client.get("/v1/decisions?limit=20"),
            1 => client.get("/v1/escalations?overdue=true&limit=20"),
            2 => client.get("/v1/events?order=desc&limit=20"),
            _ => {
                let id = world.next_id();
                client.post_event(&envelope("/honest", &id, "decision.made", &decision(&id)).to_string())
            }
        };
        millis.push(sent.elapsed().as_secs_f64() * 1e3);
        match answered {
            Ok((200 | 201, _)) => {}
            Ok(_) => refused += 1,
            Err(_) => {
                refused += 1;
                client = Client::connect(world.server().address, world.honest())?;
            }
        }
        std::thread::sleep(EACH.saturating_sub(sent.elapsed()));
    }
    millis.sort_by(f64::total_cmp);
    Ok(Waits { millis, refused })
}
