//! Telling the year: each event through the door at its time, as if the ledger had been there all the while.

use crate::catalog::PUBLISHED;
use crate::clock::ManualClock;
use crate::demo::event::DemoEvent;
use crate::identity::{Principal, Role};
use crate::intake::{Form, Incoming, RecordError, Recorder};
use crate::spec::time::Timestamp;
use std::sync::Arc;

/// Why the year is not told to its end.
#[derive(Debug, thiserror::Error)]
pub enum TellError {
    #[error("the demo's own event is refused: {why}\n{event}")]
    Refused { why: RecordError, event: serde_json::Value },
    #[error("{0} is no time that a ledger can have")]
    Time(chrono::DateTime<chrono::Utc>),
}

/// Records the events one after the other. `clock` is the ledger's, and goes from the time of one to that of the next;
/// `told` hears how many are.
///
/// # Errors
/// What the door says, with the event.
pub async fn tell(
    events: &[DemoEvent],
    recorder: &Recorder,
    clock: &ManualClock,
    mut told: impl FnMut(u64),
) -> Result<(), TellError> {
    for (number, event) in (1..).zip(events) {
        clock.advance_to(stamp(event.recorded_at)?);
        let refused = |why| TellError::Refused { why, event: event.event.clone() };
        let incoming = Incoming::new(Form::Structured, event.event.to_string());
        recorder.record(&Arc::new(principal(event)), incoming).await.map_err(refused)?;
        told(number);
    }
    Ok(())
}

/// A time of the story as the ledger's.
///
/// # Errors
/// It is none that a ledger can have.
pub fn stamp(time: chrono::DateTime<chrono::Utc>) -> Result<Timestamp, TellError> {
    Timestamp::from_micros(time.timestamp_micros()).ok_or(TellError::Time(time))
}

/// Who brings an event: an application, or where the story changes the catalogue, an administrator.
fn principal(event: &DemoEvent) -> Principal {
    let published = event.event.get("type").is_some_and(|kind| kind == PUBLISHED);
    let role = if published { Role::Admin } else { Role::Producer };
    Principal::open(event.actor.clone(), vec![role])
}
