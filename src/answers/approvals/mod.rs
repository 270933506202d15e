//! One approval with the authority behind each vote, and what happened to its target afterwards.

pub mod authority;

use super::error::AnswerError;
use super::moment::{AskedMoment, Moment, moment};
use super::row::ShownRow;
use super::rows::absent;
use super::walk::indexed;
use super::{Answer, Inquiry};
use crate::catalog::{Catalog, KEY_JOINER};
use crate::index::Filter;
use crate::spec::time::Timestamp;
use crate::views::approvals::votes;
use crate::views::engine::{Engine, Event, Found, Row, When};
use crate::views::mentions::{MENTION, MENTIONS};
use authority::{Authority, Delegation, Holding, Vote, authorities};
use serde_json::{Map, Value};
use std::collections::BTreeSet;

/// Entries shown at once of what came after.
const MAX_AFTER: usize = 200;

/// Entries looked at for them.
const MAX_LOOKED_AT: usize = 5_000;

/// A vote, and with which authority it was cast.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownVote {
    /// Who voted.
    pub by: String,
    /// `granted` or `rejected`.
    pub result: String,
    /// In which role.
    pub capacity: String,
    /// When, as the approval keeps it.
    pub at: String,
    /// The entry.
    pub seq: u64,
    /// Whether it counts toward the quorum.
    pub counts: bool,
    /// Why not, if it does not.
    pub why_not: Option<String>,
    /// Whether it is the requester's own.
    pub own: bool,
    /// Whether the voter really could vote so at that moment, by roles and delegations as known.
    pub authority: Authority,
}

/// An approval, and with which authority it was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The approval, without the votes that are beside it.
    pub row: ShownRow,
    /// Each vote with its authority at that moment.
    pub votes: Vec<ShownVote>,
    /// Votes in favour that count and had the authority that they claimed.
    pub votes_with_authority: usize,
}

/// One approval, with the authority behind each vote.
///
/// # Errors
/// There is no such approval as of then, a parameter is wrong, or the views do not answer.
pub fn one(
    inquiry: &Inquiry<'_>,
    id: &str,
    source: Option<&str>,
    asked: &AskedMoment,
) -> Result<Answer<Approval>, AnswerError> {
    let moment = moment(inquiry, asked)?;
    let view = moment.view("approvals")?;
    let found = found(&moment, id, source)?;
    let votes = with_authority(inquiry, &moment.engine, &found.row, moment.when)?;
    let holding = |vote: &&ShownVote| vote.counts && vote.result == "granted" && vote.authority.holds();
    let votes_with_authority = votes.iter().filter(holding).count();
    let mut row = ShownRow::of(&*view, found, moment.when.at);
    // They are beside the row, with more.
    row.fields.remove("votes");
    let body = Approval { row, votes, votes_with_authority };
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

fn found(moment: &Moment, id: &str, source: Option<&str>) -> Result<Found, AnswerError> {
    let found = moment.engine.row_of("approvals", id, source, moment.when)?;
    found.map_or_else(|| Err(absent(moment, "approvals", id, source)), Ok)
}

fn text(vote: &Map<String, Value>, name: &str) -> String {
    vote.get(name).and_then(Value::as_str).unwrap_or_default().to_owned()
}

/// The votes of an approval, each with the authority that it had when it was cast, as known.
fn with_authority(
    inquiry: &Inquiry<'_>,
    engine: &Engine,
    approval: &Row,
    when: When,
) -> Result<Vec<ShownVote>, AnswerError> {
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
        inquiry.deadline().check()?;
        // As they held when the vote was cast.
        let then = When { known: when.known, at: vote.at };
        let lent = lent(engine, vote, then)?;
        let lender = lent.as_ref().map(|lent| lent.from.clone());
        delegations.extend(lent);
        for principal in std::iter::once(vote.by.clone()).chain(lender) {
            holdings.extend(held(engine, principal, vote, then)?);
        }
    }
    let subject = (approval.text("kind").unwrap_or_default(), approval.text("risk_class"));
    let found = authorities(&cast, subject, &holdings, &delegations);
    let shown = votes(approval).zip(found).map(|(vote, authority)| ShownVote {
        by: text(vote, "by"),
        result: text(vote, "result"),
        capacity: text(vote, "capacity"),
        at: text(vote, "at"),
        seq: vote.get("seq").and_then(Value::as_u64).unwrap_or(0),
        counts: vote.get("counts") == Some(&Value::Bool(true)),
        why_not: vote.get("why_not").and_then(Value::as_str).map(str::to_owned),
        own: vote.get("own") == Some(&Value::Bool(true)),
        authority,
    });
    Ok(shown.collect())
}

/// The delegation that a vote names, as it was then.
fn lent(engine: &Engine, vote: &Vote, then: When) -> Result<Option<Delegation>, AnswerError> {
    let Some(id) = &vote.delegation else { return Ok(None) };
    let Some(lent) = engine.row("delegations", id, then)? else { return Ok(None) };
    let row = &lent.row;
    let of = |name: &str| row.text(name).unwrap_or_default().to_owned();
    let kinds = row.value("kinds").and_then(Value::as_array).into_iter().flatten();
    let ended = row.state != "granted";
    Ok(Some(Delegation {
        id: id.clone(),
        from: of("from"),
        to: of("to"),
        kinds: kinds.filter_map(|kind| kind.as_str().map(str::to_owned)).collect(),
        max_risk: of("max_risk"),
        valid_from: row.valid_from,
        until: if ended { Some(vote.at) } else { row.valid_until },
    }))
}

/// The role that a vote claims, if a principal held it then.
fn held(engine: &Engine, principal: String, vote: &Vote, then: When) -> Result<Option<Holding>, AnswerError> {
    let id = format!("{principal}{KEY_JOINER}{}", vote.capacity);
    let role = engine.row("role-assignments", &id, then)?;
    let holds = role.is_some_and(|role| {
        role.row.state == "assigned" && matches!(role.validity(vote.at), None | Some("in-force"))
    });
    // What is known of this moment, and of no other.
    let (from, until) = (Some(vote.at), vote.at.checked_add(1));
    Ok(holds.then(|| Holding { principal, role: vote.capacity.clone(), from, until }))
}

/// An entry that speaks of what was approved.
#[derive(Clone, Debug, PartialEq)]
pub struct Afterwards {
    /// Its number.
    pub seq: u64,
    /// CloudEvents `type`.
    pub event_type: String,
    /// From when it counts.
    pub effective_at: Timestamp,
    /// Who acted.
    pub by: String,
    /// Whether it names the very version that was approved; none where it names none.
    pub same_version: Option<bool>,
    /// Whether it names the very digest that was approved; none where it names none.
    pub same_digest: Option<bool>,
}

/// What happened to what was approved.
#[derive(Clone, Debug, PartialEq)]
pub struct After {
    /// What was approved.
    pub target: Value,
    /// The scope that was approved.
    pub scope_digest: Option<String>,
    /// When it was decided, as the approval keeps it.
    pub decided_at: Option<String>,
    /// Entries about it that took effect later, in the order of the ledger.
    pub items: Vec<Afterwards>,
    /// Whether there are more than are shown at once.
    pub more: bool,
}

/// What changed after it was approved: entries about the approval's target that took effect after the decision.
///
/// # Errors
/// There is no such approval as of then, a parameter is wrong, or the views, the index or the log do not answer.
pub fn after(
    inquiry: &Inquiry<'_>,
    id: &str,
    source: Option<&str>,
    asked: &AskedMoment,
) -> Result<Answer<After>, AnswerError> {
    let moment = moment(inquiry, asked)?;
    let row = found(&moment, id, source)?.row;
    let text = |name: &str| row.text(name).map(str::to_owned);
    let mut body = After {
        target: row.value("target").cloned().unwrap_or_default(),
        scope_digest: text("scope_digest"),
        decided_at: text("decided_at"),
        items: Vec::new(),
        more: false,
    };
    let decided = row.time("decided_at");
    if let (Some(decided), Some(target)) = (decided, row.text("target.id")) {
        let catalog = inquiry.catalog();
        let approved = Approved { id, row: &row, target, decided, until: moment.when.at };
        for seq in speaking_of(inquiry, &moment, target)? {
            inquiry.deadline().check()?;
            let Some(item) = approved.afterwards(&catalog, inquiry.event(seq)?) else { continue };
            if body.items.len() == MAX_AFTER {
                body.more = true;
                break;
            }
            body.items.push(item);
        }
    }
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

/// The entries that may speak of a target, as known.
fn speaking_of(inquiry: &Inquiry<'_>, moment: &Moment, target: &str) -> Result<BTreeSet<u64>, AnswerError> {
    let range = (0, moment.when.known);
    let mut seqs = BTreeSet::new();
    seqs.extend(moment.engine.entries(MENTIONS, &[(MENTION, target)], range, false, MAX_LOOKED_AT)?);
    if let Some(index) = inquiry.desk().index {
        let filter = Filter { subject: Some(target), ..Filter::default() };
        seqs.extend(indexed(index, filter, range, false, MAX_LOOKED_AT)?);
    }
    Ok(seqs)
}

/// What was approved, and when.
struct Approved<'a> {
    id: &'a str,
    row: &'a Row,
    target: &'a str,
    decided: Timestamp,
    until: Timestamp,
}

impl Approved<'_> {
    /// An event as one that came after; none if it does not speak of the target, is the approval's own, or took effect
    /// before.
    fn afterwards(&self, catalog: &Catalog, event: Event) -> Option<Afterwards> {
        let speaks = event.subject.as_deref() == Some(self.target)
            || catalog.get(&event.ty).is_some_and(|ty| ty.mentions(&event.data).contains(&self.target));
        let at = event.effective_at(catalog);
        let own = event.data.get("approval").and_then(Value::as_str) == Some(self.id);
        if !speaks || own || at <= self.decided || at > self.until {
            return None;
        }
        let same = |name: &str, as_approved: &str| {
            let value = event.data.get(name)?.as_str()?;
            Some(self.row.text(as_approved) == Some(value))
        };
        Some(Afterwards {
            seq: event.seq,
            effective_at: at,
            by: event.by().to_owned(),
            same_version: same("version", "target.version"),
            same_digest: same("artifact_digest", "scope_digest").or_else(|| same("digest", "scope_digest")),
            event_type: event.ty,
        })
    }
}
