//! One approval with the authority behind each vote, and what happened to its target afterwards.

use super::answering::answer;
use super::filters::OneQuery;
use super::links;
use super::moment::{MomentView, text};
use super::row::RowView;
use crate::answers::approvals::authority;
use crate::answers::{Inquiry, approvals};
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::Query;
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// With which authority a vote was cast.
#[derive(Serialize, ToSchema)]
#[serde(tag = "authority", rename_all = "kebab-case")]
pub enum Authority {
    /// The voter held the role.
    Held,
    /// The voter used the right of somebody who held the role.
    Delegated {
        /// Whose right it is.
        from: String,
    },
    /// The voter did not hold the role, and named no delegation.
    NotHeld,
    /// There was no such delegation to the voter.
    DelegationUnknown,
    /// The delegation was not in force at that moment.
    DelegationNotInForce,
    /// The delegation does not cover this kind of approval, or not this risk.
    DelegationDoesNotCover,
    /// Whoever lent the right did not hold the role. A right that was lent cannot be lent on.
    DelegatorDidNotHold,
    /// Whoever lent the right voted too: one person, one vote.
    DelegatorVotedToo,
}

impl Authority {
    fn of(authority: authority::Authority) -> Authority {
        use authority::Authority as Cast;
        match authority {
            Cast::Held => Authority::Held,
            Cast::Delegated { from } => Authority::Delegated { from },
            Cast::NotHeld => Authority::NotHeld,
            Cast::DelegationUnknown => Authority::DelegationUnknown,
            Cast::DelegationNotInForce => Authority::DelegationNotInForce,
            Cast::DelegationDoesNotCover => Authority::DelegationDoesNotCover,
            Cast::DelegatorDidNotHold => Authority::DelegatorDidNotHold,
            Cast::DelegatorVotedToo => Authority::DelegatorVotedToo,
        }
    }
}

/// A vote, and with which authority it was cast.
#[derive(Serialize, ToSchema)]
pub struct VoteView {
    /// Who voted.
    #[schema(example = "user:u-1003")]
    pub by: String,
    /// `granted` or `rejected`.
    #[schema(example = "granted")]
    pub result: String,
    /// In which role.
    #[schema(example = "risk-officer")]
    pub capacity: String,
    /// When.
    #[schema(example = "2026-01-12T10:00:00.000000Z")]
    pub at: String,
    /// The entry.
    #[schema(example = "/v1/events/45")]
    pub event: String,
    /// Whether it counts toward the quorum.
    pub counts: bool,
    /// Why not, if it does not.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub why_not: Option<String>,
    /// Whether it is the requester's own.
    pub own: bool,
    /// Whether the voter really could vote so at that moment, by roles and delegations as known.
    #[serde(flatten)]
    pub authority: Authority,
}

/// An approval, and with which authority it was decided.
#[derive(Serialize, ToSchema)]
pub struct ApprovalDetail {
    /// The approval.
    #[serde(flatten)]
    pub row: RowView,
    /// Each vote with its authority at that moment.
    pub votes: Vec<VoteView>,
    /// Votes in favour that count and had the authority that they claimed.
    #[schema(example = 2)]
    pub votes_with_authority: usize,
    /// As of when it holds.
    pub as_of: MomentView,
}

impl VoteView {
    fn of(vote: approvals::ShownVote) -> VoteView {
        VoteView {
            by: vote.by,
            result: vote.result,
            capacity: vote.capacity,
            at: vote.at,
            event: links::entry(vote.seq),
            counts: vote.counts,
            why_not: vote.why_not,
            own: vote.own,
            authority: Authority::of(vote.authority),
        }
    }
}

impl ApprovalDetail {
    fn of(approval: approvals::Approval, as_of: MomentView) -> ApprovalDetail {
        let approvals::Approval { row, votes, votes_with_authority } = approval;
        let votes = votes.into_iter().map(VoteView::of).collect();
        ApprovalDetail { row: RowView::of(row), votes, votes_with_authority, as_of }
    }
}

/// One approval, with the authority behind each vote.
#[utoipa::path(tag = "compliance", operation_id = "get_approvals", params(("id" = String, Path, description = "The approval", example = "APR-0005"), OneQuery), responses(
    (status = 200, description = "The approval", body = ApprovalDetail),
    OfQuestions,
))]
#[get("/approvals/{id}")]
pub async fn one(
    service: web::Data<Service>,
    reader: Reader,
    id: web::Path<String>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, Problem> {
    let asked = query.into_inner();
    let question =
        move |inquiry: &Inquiry<'_>| approvals::one(inquiry, &id, asked.get("source"), &asked.moment);
    answer(service, reader, question, ApprovalDetail::of).await
}

/// An entry that speaks of what was approved.
#[derive(Serialize, ToSchema)]
pub struct AfterView {
    /// Its number.
    #[schema(example = 371)]
    pub seq: u64,
    /// CloudEvents `type`.
    #[serde(rename = "type")]
    #[schema(example = "model.versioned")]
    pub kind: String,
    /// From when it counts.
    #[schema(example = "2026-06-11T09:00:00.000000Z")]
    pub effective_at: String,
    /// Who acted.
    #[schema(example = "user:u-1021")]
    pub by: String,
    /// Whether it names the very version that was approved; null where it names none.
    pub same_version: Option<bool>,
    /// Whether it names the very digest that was approved; null where it names none.
    pub same_digest: Option<bool>,
    /// The entry.
    #[schema(example = "/v1/events/371")]
    pub event: String,
}

/// What happened to what was approved.
#[derive(Serialize, ToSchema)]
pub struct AfterList {
    /// What was approved.
    #[schema(value_type = Object)]
    pub target: Value,
    /// The scope that was approved.
    pub scope_digest: Option<String>,
    /// When it was decided.
    pub decided_at: Option<String>,
    /// Entries about it that took effect later, in the order of the ledger.
    pub items: Vec<AfterView>,
    /// Whether there are more than are shown at once.
    pub more: bool,
    /// As of when it holds.
    pub as_of: MomentView,
}

impl AfterView {
    fn of(item: approvals::Afterwards) -> AfterView {
        AfterView {
            seq: item.seq,
            kind: item.event_type,
            effective_at: text(item.effective_at),
            by: item.by,
            same_version: item.same_version,
            same_digest: item.same_digest,
            event: links::entry(item.seq),
        }
    }
}

impl AfterList {
    fn of(found: approvals::After, as_of: MomentView) -> AfterList {
        let approvals::After { target, scope_digest, decided_at, items, more } = found;
        let items = items.into_iter().map(AfterView::of).collect();
        AfterList { target, scope_digest, decided_at, items, more, as_of }
    }
}

/// What changed after it was approved: entries about the approval's target that took effect after the decision.
#[utoipa::path(tag = "compliance", operation_id = "after_approval", params(("id" = String, Path, description = "The approval", example = "APR-0005"), OneQuery), responses(
    (status = 200, description = "What happened to its target", body = AfterList),
    OfQuestions,
))]
#[get("/approvals/{id}/after")]
pub async fn after(
    service: web::Data<Service>,
    reader: Reader,
    id: web::Path<String>,
    query: Query<OneQuery>,
) -> Result<HttpResponse, Problem> {
    let asked = query.into_inner();
    let question =
        move |inquiry: &Inquiry<'_>| approvals::after(inquiry, &id, asked.get("source"), &asked.moment);
    answer(service, reader, question, AfterList::of).await
}
