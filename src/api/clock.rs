//! Confirming the clock after a jump forward.

use crate::api::problems::OfAdministration;
use crate::identity::Role;
use crate::log::append::{AppendError, Outcome};
use crate::log::own_events::OwnEvent;
use crate::web::auth::Caller;
use crate::web::parameters::{Nothing, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, post, web};
use serde::Serialize;
use utoipa::ToSchema;

/// The entry that records what an administrator did.
#[derive(Serialize, ToSchema)]
pub struct Done {
    /// The entry's number.
    #[schema(example = 428)]
    pub seq: u64,
    /// When it was recorded.
    #[schema(example = "2026-11-24T09:30:00.000000Z")]
    pub time: String,
}

/// What the ledger answers for an event of its own.
pub async fn done(
    answer: tokio::sync::oneshot::Receiver<crate::log::append::Answer>,
) -> Result<Done, Problem> {
    let outcomes = answer.await.unwrap_or(Err(AppendError::Stopped))?;
    match outcomes.first() {
        Some(Outcome::Recorded { seq, time, .. }) => Ok(Done { seq: *seq, time: time.to_string() }),
        _ => Err(Problem::internal(&"an event of the ledger's own was not recorded")),
    }
}

/// Say that the server's clock is right.
///
/// After a jump forward of more than ten minutes nothing is recorded until the clock is put right or confirmed here;
/// the confirmation is itself an entry.
#[utoipa::path(tag = "administrators", responses(
    (status = 201, description = "Confirmed and recorded", body = Done),
    OfAdministration,
))]
#[post("/clock/confirm")]
pub async fn confirm_clock(
    service: web::Data<Service>,
    caller: Caller,
    _query: Query<Nothing>,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    let event = OwnEvent::ClockConfirmed { by: caller.0.actor.clone() };
    let answer = service.log.own(event)?;
    Ok(HttpResponse::Created().json(done(answer).await?))
}
