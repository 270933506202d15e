//! Questions to the views: approvals, access, decisions, escalations, registers, and what is counted beside them.
//!
//! What all of them share is here: as of when ([`moment`]), which rows ([`ask`]), and how a row looks ([`row`]).

pub mod access;
pub mod approvals;
pub mod ask;
pub mod controls;
pub mod decisions;
mod entries;
pub mod filters;
pub mod moment;
mod reconciliation;
pub mod registers;
pub mod row;
pub mod rows;
pub mod sources;
pub mod standing;
pub mod timeline;

use crate::views::LogViews;
use crate::views::engine::{Engine, EngineError};
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpResponse, web};
use serde::Serialize;
use std::sync::Arc;

/// The engine, for a question.
///
/// # Errors
/// This server has no views, or they cannot answer now.
pub fn engine(service: &Service) -> Result<Arc<Engine>, Problem> {
    let engine = views(service)?.now();
    engine.map_err(|why| Problem::new(ProblemType::ViewsUnavailable, format!("{why}; ask again soon")))
}

/// The views of the ledger.
///
/// # Errors
/// This server has none.
pub fn views(service: &Service) -> Result<&LogViews, Problem> {
    service.views.as_deref().ok_or_else(|| {
        let detail = "this server was started without an index, and so without views";
        Problem::new(ProblemType::ViewsUnavailable, detail)
    })
}

/// What an engine's error is to a client.
pub fn problem(error: EngineError) -> Problem {
    match error {
        EngineError::NoSuchView(name) => {
            Problem::new(ProblemType::NotFound, format!("there is no register or view {name:?}"))
        }
        EngineError::Building { name, applied, of } => {
            let detail = format!(
                "the view {name:?} is being built: {applied} of {of} entries; the others answer, and so will this one"
            );
            Problem::new(ProblemType::ViewBuilding, detail)
        }
        other => {
            tracing::error!(error = %other, "the views did not answer");
            Problem::new(ProblemType::ViewsUnavailable, "the views did not answer; ask again soon")
        }
    }
}

/// Answers a question in a thread that may wait and read.
///
/// # Errors
/// What the question comes to.
pub async fn answer<T: Serialize + Send + 'static>(
    service: web::Data<Service>,
    question: impl FnOnce(&Service) -> Result<Answer<T>, Problem> + Send + 'static,
) -> Result<HttpResponse, Problem> {
    let answered = web::block(move || question(&service)).await;
    let Answer { body, applied } = answered.map_err(|error| Problem::internal(&error))??;
    Ok(HttpResponse::Ok().insert_header((super::events::APPLIED_SEQ, applied.to_string())).json(body))
}

/// An answer, and how many entries the views had.
pub struct Answer<T> {
    /// As JSON.
    pub body: T,
    /// How many entries the views had applied.
    pub applied: u64,
}
