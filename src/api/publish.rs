//! A change of the catalogue: posted like any event, alone in its request, by an administrator; in force from its entry on.

use crate::answers::moment::MAX_WAIT;
use crate::api::post::{Posted, prepared, respond_to};
use crate::identity::Role;
use crate::intake::{Kind, Mode, Refusal};
use crate::log::append::{AppendError, Outcome, Submission};
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpResponse, web};

/// Records a publication and puts it in force.
///
/// # Errors
/// The caller may not, the catalogue cannot take it, or it cannot be recorded: then nothing has changed.
pub async fn publish(
    service: web::Data<Service>,
    caller: &Caller,
    posted: Posted,
) -> Result<HttpResponse, Problem> {
    caller.must_be(Role::Admin)?;
    if posted.mode() == Mode::Batch {
        let detail =
            "a change of the catalogue comes alone: later events of a batch could not be held against it";
        return Err(Problem::new(ProblemType::Unprocessable, detail).at("/type"));
    }
    // What is begun is ended, also if the client is gone by then: an entry that is recorded has to be in force.
    let task = actix_web::rt::spawn(async move {
        let alone = service.gate.clone().write_owned().await;
        let outcome = record(&service, &posted).await;
        drop(alone);
        let outcome = outcome?;
        respond_to(&service, vec![outcome], posted.mode()).await
    });
    task.await.map_err(|error| Problem::internal(&error))?
}

/// A publication that is sent again is known by the index alone; judged anew it would be refused, because its version is
/// taken. Nothing is appended meanwhile, so the index gets there.
async fn wait_for_the_index(service: &web::Data<Service>) -> Result<(), Problem> {
    let waiting = service.clone();
    let wait = move || {
        let size = waiting.log.store().size();
        waiting.index.as_ref().is_none_or(|index| index.wait_applied(size, MAX_WAIT))
    };
    if web::block(wait).await.map_err(|error| Problem::internal(&error))? {
        return Ok(());
    }
    let detail = "the index has not caught up, and a publication that is sent again could not be told; send this again soon";
    Err(Problem::new(ProblemType::Starting, detail))
}

async fn record(service: &web::Data<Service>, posted: &Posted) -> Result<Outcome, Problem> {
    wait_for_the_index(service).await?;
    let prepared = prepared(service, posted).await?;
    if let Some(seq) = prepared.known.first().copied().flatten() {
        return Ok(Outcome::Replayed { seq });
    }
    let data = prepared.publication.unwrap_or_default();
    let catalog = service.catalog.current();
    // Compiling schemas takes milliseconds.
    let published = web::block(move || catalog.published(&data)).await;
    let published = published.map_err(|error| Problem::internal(&error))?.map_err(|refusals| {
        let refusals: Vec<Refusal> = refusals
            .into_iter()
            .map(|refusal| {
                Refusal::new(Kind::Publication, format!("/data{}", refusal.pointer), refusal.message)
            })
            .collect();
        Problem::refused(&refusals)
    })?;
    let submission = Submission {
        items: prepared.accepted.into_iter().map(|accepted| accepted.item).collect(),
        expected_version: prepared.expected_version,
        looked_up_at: prepared.looked_up_at,
    };
    let answer = service.log.append(submission).map_err(|error| Problem::append(&error))?;
    let recorded = answer.await.unwrap_or(Err(AppendError::Stopped));
    let outcome = recorded.map_err(|error| Problem::append(&error))?.into_iter().next();
    let outcome = outcome.ok_or_else(|| Problem::internal(&"no outcome of an event"))?;
    if let Outcome::Recorded { seq, .. } = outcome {
        tracing::info!(seq, version = published.publications(), "the catalogue has changed");
        service.catalog.publish(seq, published);
        if let Some(views) = &service.views
            && !views.set_catalog(service.catalog.current())
        {
            tracing::warn!("the views do not go by the new catalogue yet");
        }
    }
    Ok(outcome)
}
