//! One approval with the authority behind each vote, and what happened to its target afterwards.

use super::answering::answer;
use super::filters::{CursorQuery, OneQuery};
use super::links;
use super::listing::{Listing, list};
use super::moment::{MomentView, text};
use super::row::RowView;
use super::table::Columns;
use crate::answers::parameters::Parameters;
use crate::answers::{Inquiry, approvals};
use crate::api::problems::OfQuestions;
use crate::web::auth::Reader;
use crate::web::parameters::{Both, Query};
use crate::web::{Problem, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use utoipa::ToSchema;

/// A vote, and with which authority it was cast.
#[derive(Serialize, ToSchema)]
pub struct VoteView {
    /// Who voted.
    #[schema(example = "user:u-1003")]
    pub by: String,
    /// Who posted it.
    #[schema(example = "app:approvals")]
    pub actor: String,
    /// `asserted`: whoever posted it names the voter; `authenticated`: the voter posted it.
    #[schema(example = "asserted")]
    pub assurance: String,
    /// When it was done.
    #[schema(example = "2026-01-12T10:00:00.000000Z")]
    pub at: String,
    /// When the ledger recorded it.
    #[schema(example = "2026-01-12T10:00:01.000000Z")]
    pub recorded_at: String,
    /// By how many seconds it was recorded later than it was done, where that is one or more.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub late_seconds: Option<u64>,
    /// `granted` or `rejected`.
    #[schema(example = "granted")]
    pub result: String,
    /// In which role.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "risk-officer")]
    pub capacity: Option<String>,
    /// In which round, from 1; absent where nobody had asked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 1)]
    pub round: Option<u64>,
    /// The entry.
    #[schema(example = "/v1/events/45")]
    pub event: String,
    /// Whether it counts in its round, with or without authority. A vote against counts only with it.
    pub counts: bool,
    /// Why it does not count, or fills no place of the quorum: `before-opening`, `after-end`, `recorded-after-end`,
    /// `after-decision`, `another-scope`, `capacity-not-in-quorum`, `voted-again`, `recused`, `no-authority`, `right-taken`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "voted-again")]
    pub why_not: Option<String>,
    /// With which authority it was cast, at that moment and by what had been recorded before it: `held` or `delegated`;
    /// `no-roles-recorded` where the ledger knew of no role at all, which is taken for authority; `not-held`,
    /// `delegation-unknown`, `delegation-not-in-force`, `delegation-does-not-cover`, `delegator-did-not-hold`; `annulled` where
    /// it was held or delegated, and the role or delegation that gave it was annulled or replaced since; `no-round`.
    #[schema(example = "held")]
    pub authority: String,
    /// The corrections by which it lost the authority that it had when it was recorded.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    #[schema(example = json!(["/v1/events/510"]))]
    pub annulled_by: Vec<String>,
    /// Whose right it used, if `delegated`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "user:u-1003")]
    pub from: Option<String>,
    /// Whose right fills a place of the quorum by this vote: a person fills one place, and a right fills one place.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "user:u-1003")]
    pub right_of: Option<String>,
    /// Whether the voter had a right by all that is known now, where that differs. It changes nothing: a vote is judged by
    /// what was recorded before it, and another vote settles it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub authority_now: Option<bool>,
    /// The import inside which it lies: it counts however long before its opening it was done, with the authority that was
    /// known when the import was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = "IMP-0001")]
    pub imported: Option<String>,
    /// Whether it is the requester's own.
    pub own: bool,
    /// Whether the requester had lent the voter a right.
    pub by_requesters_delegate: bool,
}

/// An approval, and with which authority it was decided.
#[derive(Serialize, ToSchema)]
pub struct ApprovalDetail {
    /// The approval.
    #[serde(flatten)]
    pub row: RowView,
    /// Each vote of all rounds with its authority at that moment.
    pub votes: Vec<VoteView>,
    /// Places of the newest round's quorum that are filled by votes in favour with authority.
    #[schema(example = 2)]
    pub votes_with_authority: u64,
    /// As of when it holds.
    pub as_of: MomentView,
}

impl VoteView {
    fn of(vote: approvals::ShownVote) -> VoteView {
        VoteView {
            by: vote.by,
            actor: vote.actor,
            assurance: vote.assurance,
            at: vote.at,
            recorded_at: vote.recorded_at,
            late_seconds: vote.late_seconds,
            result: vote.result,
            capacity: vote.capacity,
            round: vote.round,
            event: links::entry(vote.seq),
            counts: vote.counts,
            why_not: vote.why_not,
            authority: vote.authority,
            annulled_by: vote.annulled_by.into_iter().map(links::entry).collect(),
            from: vote.from,
            right_of: vote.right_of,
            authority_now: vote.authority_now,
            imported: vote.imported,
            own: vote.own,
            by_requesters_delegate: vote.by_requesters_delegate,
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

/// What a table of these has.
const AFTER: &[&str] = &["seq", "type", "effective_at", "by", "same_version", "same_digest", "event"];

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
    /// Give it as `cursor` to go on; null at the end.
    pub next: Option<String>,
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
        let approvals::After { target, scope_digest, decided_at, items, next } = found;
        let items = items.into_iter().map(AfterView::of).collect();
        AfterList { target, scope_digest, decided_at, items, next, as_of }
    }
}

/// What changed after it was approved: entries about the approval's target that took effect after the decision.
#[utoipa::path(tag = "compliance", operation_id = "after_approval", params(("id" = String, Path, description = "The approval", example = "APR-0005"), CursorQuery, OneQuery), responses(
    (status = 200, description = "What happened to its target", content((AfterList = "application/json"), (String = "text/csv"))),
    OfQuestions,
))]
#[get("/approvals/{id}/after")]
pub async fn after(
    service: web::Data<Service>,
    reader: Reader,
    form: Listing,
    id: web::Path<String>,
    query: Query<Both<CursorQuery, OneQuery>>,
) -> Result<HttpResponse, Problem> {
    let question = move |inquiry: &Inquiry<'_>, asked: &Parameters| approvals::after(inquiry, &id, asked);
    list(service, reader, form, query.into_inner(), |_| Ok(Columns::of(AFTER)), question, AfterList::of).await
}
