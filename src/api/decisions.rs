//! One decision with everything behind it.

use super::answering::answer;
use super::filters::OneQuery;
use super::links;
use super::moment::MomentView;
use super::row::{ChangeView, RowView};
use crate::answers::{Inquiry, decisions};
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::Query;
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// Where more of a decision is.
#[derive(Serialize, ToSchema)]
pub struct BehindLinks {
    /// Proof that the decision was recorded so.
    #[schema(example = "/v1/events/428/receipt")]
    pub receipt: String,
    /// Everything about its case.
    #[schema(example = "/v1/subjects/LN-88121/timeline")]
    pub case: Option<String>,
    /// The model.
    #[schema(example = "/v1/registers/models/credit-line")]
    pub model: Option<String>,
    /// The version that decided.
    #[schema(example = "/v1/registers/model-versions/credit-line@1.1")]
    pub version: Option<String>,
    /// Approvals of the model.
    #[schema(example = "/v1/approvals?target=model%2Fcredit-line")]
    pub approvals: Option<String>,
    /// Escalations about the decision.
    #[schema(example = "/v1/escalations?about=decision%2FCLD-104417")]
    pub escalations: String,
}

/// Everything behind one decision.
#[derive(Serialize, ToSchema)]
pub struct DecisionDetail {
    /// The decision as it stands.
    #[serde(flatten)]
    pub row: RowView,
    /// The CloudEvent by which it was made, exactly as it was recorded; null if it is not there.
    #[schema(value_type = Object)]
    pub made: Value,
    /// What happened to it, entry by entry.
    pub history: Vec<ChangeView>,
    /// Where more is.
    pub behind: BehindLinks,
    /// As of when it holds.
    pub as_of: MomentView,
}

impl BehindLinks {
    fn of(id: &str, behind: &decisions::Behind) -> BehindLinks {
        let part = |text: &Option<String>| text.as_deref().map(links::escaped);
        let (model, version) = (part(&behind.model), part(&behind.version));
        BehindLinks {
            receipt: links::receipt(behind.entry),
            case: behind.case.as_deref().map(links::timeline),
            version: model
                .as_ref()
                .zip(version)
                .map(|(model, version)| format!("/v1/registers/model-versions/{model}@{version}")),
            approvals: model.as_ref().map(|model| format!("/v1/approvals?target=model%2F{model}")),
            model: model.map(|model| format!("/v1/registers/models/{model}")),
            escalations: format!("/v1/escalations?about=decision%2F{}", links::escaped(id)),
        }
    }
}

impl DecisionDetail {
    fn of(decision: decisions::Decision, as_of: MomentView) -> DecisionDetail {
        let decisions::Decision { row, made, history, behind } = decision;
        DecisionDetail {
            behind: BehindLinks::of(&row.this.id, &behind),
            row: RowView::of(row),
            made: made.unwrap_or(Value::Null),
            history: history.into_iter().map(ChangeView::of).collect(),
            as_of,
        }
    }
}

/// Everything behind one decision: the decision, what people did about it, and where the rest is.
#[utoipa::path(tag = "compliance", operation_id = "get_decisions", params(("id" = String, Path, description = "The decision", example = "CLD-104417"), OneQuery), responses(
    (status = 200, description = "The decision", body = DecisionDetail),
    OfQuestions,
))]
#[get("/decisions/{id}")]
pub async fn one(
    service: web::Data<Service>,
    reader: Reader,
    id: web::Path<String>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, Problem> {
    let asked = query.into_inner();
    let question =
        move |inquiry: &Inquiry<'_>| decisions::one(inquiry, &id, asked.get("source"), &asked.moment);
    answer(service, reader, question, DecisionDetail::of).await
}
