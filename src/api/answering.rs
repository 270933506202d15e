//! From a request to a question, and from its answer to a response.

use super::moment::MomentView;
use crate::answers::deadline::Deadline;
use crate::answers::error::AnswerError;
use crate::answers::{Answer, Inquiry};
use crate::web::auth::Reader;
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, web};
use serde::Serialize;

/// Header of answers that come from the views or the index: how many entries they had.
pub const APPLIED_SEQ: &str = "daybook-applied-seq";

/// Puts a question in a thread that may wait and read, and shows its answer as JSON.
///
/// # Errors
/// What the question comes to.
pub async fn answer<A, T: Serialize + Send + 'static>(
    service: web::Data<Service>,
    reader: Reader,
    question: impl FnOnce(&Inquiry<'_>) -> Result<Answer<A>, AnswerError> + Send + 'static,
    show: impl FnOnce(A, MomentView) -> T + Send + 'static,
) -> Result<HttpResponse, Problem> {
    // From here on, so that waiting for a thread counts.
    let deadline = Deadline::default();
    let turn = service.turns.of(&reader.0.actor, deadline).await?;
    let ask = move || {
        // Held until it is worked out, also where nobody waits for it any more.
        let _turn = turn;
        let inquiry = service.desk().inquiry(&reader.0, deadline)?;
        let Answer { body, as_of, applied } = question(&inquiry)?;
        Ok::<_, AnswerError>((show(body, MomentView::of(as_of)), applied))
    };
    let (body, applied) = web::block(ask).await.map_err(|error| Problem::internal(&error))??;
    Ok(HttpResponse::Ok().insert_header((APPLIED_SEQ, applied.to_string())).json(body))
}
