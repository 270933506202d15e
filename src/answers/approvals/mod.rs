//! One approval with the authority behind each vote, and what happened to its target afterwards.

use super::error::AnswerError;
use super::moment::{AskedMoment, Moment, moment};
use super::parameters::Parameters;
use super::row::ShownRow;
use super::rows::absent;
use super::walk::{MAX_WALKED, index_up_to, indexed, resumed, walk};
use super::{Answer, Inquiry, cursor};
use crate::catalog::Catalog;
use crate::index::Filter;
use crate::spec::time::Timestamp;
use crate::views::approvals::votes;
use crate::views::engine::{Event, Found};
use crate::views::mentions::{MENTION, MENTIONS};
use serde_json::{Map, Value};

/// Entries shown at once of what came after.
const MAX_AFTER: usize = 200;

/// A vote, and with which authority it was cast.
#[derive(Clone, Debug, PartialEq)]
pub struct ShownVote {
    /// The entry.
    pub seq: u64,
    /// Who voted.
    pub by: String,
    /// Who posted it.
    pub actor: String,
    /// How far it is known that the voter did it.
    pub assurance: String,
    /// When it was done, as the approval keeps it.
    pub at: String,
    /// When it was recorded.
    pub recorded_at: String,
    /// By how many seconds it was recorded later than it was done, where that is one or more.
    pub late_seconds: Option<u64>,
    /// `granted` or `rejected`.
    pub result: String,
    /// In which role.
    pub capacity: Option<String>,
    /// In which round; none where nobody had asked.
    pub round: Option<u64>,
    /// Whether it counts, with or without authority.
    pub counts: bool,
    /// Why it does not count, or fills no place.
    pub why_not: Option<String>,
    /// With which authority it was cast, by what had been recorded before it.
    pub authority: String,
    /// By which corrections it lost the authority that it had when it was recorded.
    pub annulled_by: Vec<u64>,
    /// Whose right it used, where that is another's.
    pub from: Option<String>,
    /// Whose right fills a place of the quorum by it.
    pub right_of: Option<String>,
    /// Whether it has the authority by all that is known now, where that differs.
    pub authority_now: Option<bool>,
    /// The import inside which it lies.
    pub imported: Option<String>,
    /// Whether it is the requester's own.
    pub own: bool,
    /// Whether the requester had lent the voter a right.
    pub by_requesters_delegate: bool,
}

impl ShownVote {
    fn of(vote: &Map<String, Value>) -> ShownVote {
        let optional = |name: &str| vote.get(name).and_then(Value::as_str).map(str::to_owned);
        let text = |name: &str| optional(name).unwrap_or_default();
        let number = |name: &str| vote.get(name).and_then(Value::as_u64);
        let is = |name: &str| vote.get(name) == Some(&Value::Bool(true));
        let annulled_by = vote.get("annulled_by").and_then(Value::as_array).into_iter().flatten();
        ShownVote {
            seq: number("seq").unwrap_or(0),
            by: text("by"),
            actor: text("actor"),
            assurance: text("assurance"),
            at: text("at"),
            recorded_at: text("recorded_at"),
            late_seconds: number("late_seconds"),
            result: text("result"),
            capacity: optional("capacity"),
            round: number("round"),
            counts: is("counts"),
            why_not: optional("why_not"),
            authority: text("authority"),
            annulled_by: annulled_by.filter_map(Value::as_u64).collect(),
            from: optional("from"),
            right_of: optional("right_of"),
            authority_now: vote.get("authority_now").and_then(Value::as_bool),
            imported: optional("imported"),
            own: is("own"),
            by_requesters_delegate: is("by_requesters_delegate"),
        }
    }
}

/// An approval, and with which authority it was decided.
#[derive(Clone, Debug, PartialEq)]
pub struct Approval {
    /// The approval, without the votes that are beside it.
    pub row: ShownRow,
    /// Each vote of all rounds with its authority at that moment.
    pub votes: Vec<ShownVote>,
    /// Votes in favour in the newest round that fill a place of the quorum with the authority that they had.
    pub votes_with_authority: u64,
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
    let votes = votes(&found.row).map(ShownVote::of).collect();
    let votes_with_authority = found.row.value("votes_with_authority").and_then(Value::as_u64).unwrap_or(0);
    let mut row = ShownRow::of(&*view, found, moment.when.at);
    // They are beside the row, each of its own shape.
    row.fields.remove("votes");
    let body = Approval { row, votes, votes_with_authority };
    Ok(Answer { body, as_of: moment.as_of(), applied: moment.engine.applied() })
}

fn found(moment: &Moment, id: &str, source: Option<&str>) -> Result<Found, AnswerError> {
    let found = moment.engine.row_of("approvals", id, source, moment.when)?;
    found.map_or_else(|| Err(absent(moment, "approvals", id, source)), Ok)
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
    /// The cursor to go on with, where there are more than are shown at once.
    pub next: Option<String>,
}

/// What changed after it was approved: entries about the approval's target that took effect after the decision.
///
/// # Errors
/// There is no such approval as of then, a parameter is wrong, or the views, the index or the log do not answer.
pub fn after(inquiry: &Inquiry<'_>, id: &str, parameters: &Parameters) -> Result<Answer<After>, AnswerError> {
    let moment = moment(inquiry, &parameters.moment)?;
    let source = parameters.get("source");
    let AskedMoment { as_of, at, .. } = &parameters.moment;
    let identity = format!("after {id:?} {source:?} {as_of:?} {at:?}");
    let resume = parameters.get("cursor").map(|text| cursor::decode(&identity, text)).transpose()?;
    let row = found(&moment, id, source)?.row;
    // What stands granted; else what was decided last.
    let term = |name: &str| match row.value("in_force.terms") {
        Some(terms) => terms.get(name),
        None => row.value(name),
    };
    let decided = row.time("in_force.granted_at").or_else(|| row.time("decided_at"));
    let mut body = After {
        target: term("target").cloned().unwrap_or_default(),
        scope_digest: term("scope_digest").and_then(Value::as_str).map(str::to_owned),
        decided_at: decided.map(|decided| decided.to_string()),
        items: Vec::new(),
        next: None,
    };
    let of_target = |name: &str| body.target.get(name).and_then(Value::as_str).map(str::to_owned);
    let (target, version, digest) = (of_target("id"), of_target("version"), body.scope_digest.clone());
    if let (Some(decided), Some(target)) = (decided, target.as_deref()) {
        let catalog = inquiry.catalog();
        let (version, digest) = (version.as_deref(), digest.as_deref());
        let approved = Approved { id, target, version, digest, decided, until: moment.when.at };
        let walked = walk(
            inquiry.deadline(),
            resumed((0, moment.when.known), false, resume, inquiry.store().size())?,
            false,
            MAX_AFTER,
            MAX_WALKED,
            |range, limit| speaking_of(inquiry, &moment, target, range, limit),
            |seq| Ok(approved.afterwards(&catalog, inquiry.event(seq)?)),
        )?;
        body.items = walked.items;
        body.next = walked.next.map(|seq| cursor::encode(&identity, seq));
    }
    let as_of = moment.as_of().cut(body.next.is_some());
    Ok(Answer { body, as_of, applied: moment.engine.applied() })
}

/// Entries in a range that may speak of a target, the first ones.
fn speaking_of(
    inquiry: &Inquiry<'_>,
    moment: &Moment,
    target: &str,
    range: (u64, u64),
    limit: usize,
) -> Result<Vec<u64>, AnswerError> {
    let mut seqs = moment.engine.entries(MENTIONS, &[(MENTION, target)], range, false, limit)?;
    if inquiry.desk().index.is_some() {
        let filter = Filter { subject: Some(target), ..Filter::default() };
        seqs.extend(indexed(index_up_to(inquiry, range.1)?, filter, range, false, limit)?);
    }
    seqs.sort_unstable();
    seqs.dedup();
    // The first ones of both lists hold the first ones of them together.
    seqs.truncate(limit);
    Ok(seqs)
}

/// What was approved, and when.
struct Approved<'a> {
    id: &'a str,
    target: &'a str,
    version: Option<&'a str>,
    digest: Option<&'a str>,
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
        let same = |name: &str, as_approved: Option<&str>| {
            let value = event.data.get(name)?.as_str()?;
            Some(as_approved == Some(value))
        };
        Some(Afterwards {
            seq: event.seq,
            effective_at: at,
            by: event.by().to_owned(),
            same_version: same("version", self.version),
            same_digest: same("artifact_digest", self.digest).or_else(|| same("digest", self.digest)),
            event_type: event.ty,
        })
    }
}
