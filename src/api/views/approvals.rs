//! One approval with the authority behind each vote, and what happened to its target afterwards.

use super::moment::{MomentQuery, MomentView, moment, view};
use super::row::{RowView, row_view};
use super::{Answer, answer, problem};
use crate::spec::entry::Entry;
use crate::spec::time::Timestamp;
use crate::views::approvals::authority::{Authority, Delegation, Holding, Vote, authorities};
use crate::views::approvals::votes;
use crate::views::engine::{Engine, EngineError, Event, Row, When};
use crate::views::mentions::{MENTION, MENTIONS};
use crate::web::auth::Caller;
use crate::web::{Problem, ProblemType, Service};
use actix_web::{HttpResponse, get, web};
use serde::Serialize;
use serde_json::Value;
use std::collections::BTreeSet;
use utoipa::ToSchema;

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

/// One approval, with the authority behind each vote.
#[utoipa::path(tag = "compliance", operation_id = "get_approvals", params(("id" = String, Path, description = "The approval", example = "APR-0005"), MomentQuery), responses(
    (status = 200, description = "The approval", body = ApprovalDetail, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
    (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such approval as of then", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/approvals/{id}")]
pub async fn one(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<MomentQuery>,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    answer(service, move |service| {
        let moment = moment(service, &query)?;
        let view = view(&moment, "approvals")?;
        let engine = &moment.engine;
        let found = engine.row("approvals", &id, moment.when).map_err(problem)?;
        let found = found.ok_or_else(|| absent(&id))?;
        let votes = with_authority(engine, &found.row, moment.when).map_err(problem)?;
        let holding = |vote: &&VoteView| vote.counts && vote.result == "granted" && vote.authority.holds();
        let mut row = row_view(&*view, found, moment.when.at);
        // They are beside the row, with more.
        row.fields.remove("votes");
        let body = ApprovalDetail {
            votes_with_authority: votes.iter().filter(holding).count(),
            votes,
            row,
            as_of: moment.view(),
        };
        Ok(Answer { body, applied: engine.applied() })
    })
    .await
}

fn absent(id: &str) -> Problem {
    Problem::new(
        ProblemType::NotFound,
        format!("no approval {id:.128?}, as of the moment that was asked for"),
    )
}

/// The votes of an approval, each with the authority that it had when it was cast, as known.
fn with_authority(engine: &Engine, approval: &Row, when: When) -> Result<Vec<VoteView>, EngineError> {
    let text = |vote: &serde_json::Map<String, Value>, name: &str| {
        vote.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
    };
    let cast: Vec<Vote> = votes(approval)
        .map(|vote| Vote {
            by: text(vote, "by"),
            capacity: text(vote, "capacity"),
            delegation: vote.get("delegation").and_then(Value::as_str).map(str::to_owned),
            at: Timestamp::recorded(&text(vote, "at")).unwrap_or(Timestamp::FIRST),
        })
        .collect();
    let mut holdings = Vec::new();
    let mut delegations = Vec::new();
    for vote in &cast {
        // As they held when the vote was cast.
        let then = When { known: when.known, at: vote.at };
        let mut holders = vec![vote.by.clone()];
        if let Some(id) = &vote.delegation
            && let Some(lent) = engine.row("delegations", id, then)?
        {
            let row = &lent.row;
            let of = |name: &str| row.text(name).unwrap_or_default().to_owned();
            let kinds = row.value("kinds").and_then(Value::as_array).into_iter().flatten();
            let ended = row.state != "granted";
            delegations.push(Delegation {
                id: id.clone(),
                from: of("from"),
                to: of("to"),
                kinds: kinds.filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
                max_risk: of("max_risk"),
                valid_from: row.valid_from,
                until: if ended { Some(vote.at) } else { row.valid_until },
            });
            holders.push(of("from"));
        }
        for principal in holders {
            let id = format!("{principal}{}{}", crate::catalog::KEY_JOINER, vote.capacity);
            if let Some(role) = engine.row("role-assignments", &id, then)?
                && role.row.state == "assigned"
                && matches!(role.validity(vote.at), None | Some("in-force"))
            {
                // What is known of this moment, and of no other.
                let from = Some(vote.at);
                let until = vote.at.checked_add(1);
                holdings.push(Holding { principal, role: vote.capacity.clone(), from, until });
            }
        }
    }
    let subject = (approval.text("kind").unwrap_or_default(), approval.text("risk_class"));
    let found = authorities(&cast, subject, &holdings, &delegations);
    let shown = votes(approval).zip(found).map(|(vote, authority)| VoteView {
        by: text(vote, "by"),
        result: text(vote, "result"),
        capacity: text(vote, "capacity"),
        at: text(vote, "at"),
        event: format!("/v1/events/{}", vote.get("seq").and_then(Value::as_u64).unwrap_or(0)),
        counts: vote.get("counts") == Some(&Value::Bool(true)),
        why_not: vote.get("why_not").and_then(Value::as_str).map(str::to_owned),
        own: vote.get("own") == Some(&Value::Bool(true)),
        authority,
    });
    Ok(shown.collect())
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

/// Entries shown at once.
const MAX_AFTER: usize = 200;

/// Entries looked at for them.
const MAX_LOOKED_AT: usize = 5_000;

/// What changed after it was approved: entries about the approval's target that took effect after the decision.
#[utoipa::path(tag = "compliance", operation_id = "after_approval", params(("id" = String, Path, description = "The approval", example = "APR-0005"), MomentQuery), responses(
    (status = 200, description = "What happened to its target", body = AfterList, headers(("Daybook-Applied-Seq" = u64, description = "How many entries the views had"))),
    (status = 400, description = "`bad-parameter`", body = Problem, content_type = "application/problem+json"),
    (status = 401, description = "`unauthenticated`", body = Problem, content_type = "application/problem+json"),
    (status = 403, description = "`forbidden`", body = Problem, content_type = "application/problem+json"),
    (status = 404, description = "No such approval as of then", body = Problem, content_type = "application/problem+json"),
    (status = 503, description = "`view-building`, `views-unavailable`", body = Problem, content_type = "application/problem+json"),
))]
#[get("/approvals/{id}/after")]
pub async fn after(
    service: web::Data<Service>,
    caller: Caller,
    id: web::Path<String>,
    query: web::Query<MomentQuery>,
) -> Result<HttpResponse, Problem> {
    caller.must_read_all()?;
    answer(service, move |service| {
        let moment = moment(service, &query)?;
        let engine = &moment.engine;
        let found = engine.row("approvals", &id, moment.when).map_err(problem)?;
        let row = found.ok_or_else(|| absent(&id))?.row;
        let decided = row.time("decided_at");
        let target = row.value("target").cloned().unwrap_or_default();
        let known = moment.when.known;
        let mut items = Vec::new();
        let mut more = false;
        if let (Some(decided), Some(of)) = (decided, row.text("target.id")) {
            let mut seqs = BTreeSet::new();
            let on = [(MENTION, of)];
            seqs.extend(engine.entries(MENTIONS, &on, (0, known), false, MAX_LOOKED_AT).map_err(problem)?);
            if let Some(index) = &service.index {
                let filter = crate::index::Filter { subject: Some(of), ..Default::default() };
                let found = index.list(filter, 0, known, false, MAX_LOOKED_AT);
                seqs.extend(found.map_err(|error| Problem::internal(&error))?);
            }
            for seq in seqs {
                let event = read(service, seq)?;
                let catalog = service.catalog.current();
                let kind = catalog.get(&event.ty);
                let speaks = event.subject.as_deref() == Some(of)
                    || kind.is_some_and(|kind| kind.mentions(&event.data).contains(&of));
                let at = event.effective_at(&catalog);
                let own = event.data.get("approval").and_then(Value::as_str) == Some(id.as_str());
                if !speaks || own || at <= decided || at > moment.when.at {
                    continue;
                }
                if items.len() == MAX_AFTER {
                    more = true;
                    break;
                }
                let same = |name: &str, as_approved: &str| {
                    let value = event.data.get(name)?.as_str()?;
                    Some(row.text(as_approved) == Some(value))
                };
                items.push(AfterView {
                    seq,
                    effective_at: at.to_string(),
                    by: event.by().to_owned(),
                    same_version: same("version", "target.version"),
                    same_digest: same("artifact_digest", "scope_digest")
                        .or_else(|| same("digest", "scope_digest")),
                    kind: event.ty,
                    event: format!("/v1/events/{seq}"),
                });
            }
        }
        let text = |name: &str| row.text(name).map(str::to_owned);
        let (scope_digest, decided_at) = (text("scope_digest"), text("decided_at"));
        let body = AfterList { target, scope_digest, decided_at, items, more, as_of: moment.view() };
        Ok(Answer { body, applied: engine.applied() })
    })
    .await
}

/// An entry, read for views.
fn read(service: &Service, seq: u64) -> Result<Event, Problem> {
    let bytes = service.log.store().entry(seq)?;
    let entry = Entry::parse(&bytes).map_err(|error| Problem::internal(&error))?;
    Ok(Event::of(&entry))
}
