//! Approvals: who asked for what, who voted how and in which capacity, and what came of it.
//!
//! pending → partial → granted → expired or revoked; pending or partial → rejected or withdrawn. What counts is a person's
//! last vote, on the scope that is asked for, in a capacity that the quorum names, of somebody who has not stepped aside.
//! Whether a voter really had that capacity is not a matter of the approval's own events: it is answered from the roles and
//! delegations of that moment.

#[cfg(test)]
pub(in crate::views) mod tests;

use super::engine::{Row, RowEvent, RowName, View};
use crate::spec::time::Timestamp;
use serde_json::{Map, Value, json};
use std::collections::BTreeSet;

/// The view of approvals.
pub struct Approvals;

/// Votes of one approval that are kept with it. Beyond, the oldest that do not count are left out.
///
/// Reason: a quorum has at most 32; what is more is in the history.
const MAX_VOTES: usize = 256;

/// An approval that nobody asked for yet: votes came before their request.
const UNOPENED: &str = "unopened";
const PENDING: &str = "pending";
const PARTIAL: &str = "partial";
const GRANTED: &str = "granted";
const REJECTED: &str = "rejected";
const WITHDRAWN: &str = "withdrawn";
const REVOKED: &str = "revoked";

impl View for Approvals {
    fn name(&self) -> &str {
        "approvals"
    }

    fn family(&self) -> &str {
        "approval"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        ["requested", "granted", "rejected", "withdrawn", "revoked", "recused", "condition_met"]
            .map(|name| format!("approval.{name}"))
            .to_vec()
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("approval")?.as_str()?.to_owned()))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        let at = event.effective_at.to_string();
        match event.ty.as_str() {
            "approval.requested" => request(row, event, &at),
            "approval.granted" | "approval.rejected" => vote(row, event, at),
            "approval.withdrawn" if matches!(row.state.as_str(), PENDING | PARTIAL) => {
                row.set("withdrawn", json!({"by": event.by, "at": at, "reason": event.text("reason")}));
                row.state = WITHDRAWN.to_owned();
            }
            "approval.revoked" if row.state == GRANTED => {
                row.set("revoked", json!({"by": event.by, "at": at, "reason": event.text("reason")}));
                row.state = REVOKED.to_owned();
            }
            "approval.recused" => {
                let by = Value::from(event.by.as_str());
                let recused = row.list("recused");
                if !recused.contains(&by) {
                    recused.push(by);
                }
            }
            "approval.condition_met" => {
                if let Some(condition) = event.text("condition") {
                    let met = row.memo.entry("met").or_insert_with(|| json!({}));
                    met[condition] = json!({"at": at, "by": event.by});
                }
            }
            _ => {}
        }
        settle(row, event.effective_at);
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = Vec::new();
        if let (Some(ty), Some(id)) = (row.text("target.type"), row.text("target.id")) {
            lists.push(("target", format!("{ty}/{id}")));
        }
        lists.extend(row.text("requested_by").map(|by| ("requested_by", by.to_owned())));
        let voters: BTreeSet<&str> = votes(row).filter_map(|vote| vote.get("by")?.as_str()).collect();
        lists.extend(voters.into_iter().map(|by| ("voter", by.to_owned())));
        lists.extend(texts(row, "pillars").map(|pillar| ("pillars", pillar)));
        lists.extend(row.text("kind").map(|kind| ("kind", kind.to_owned())));
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["target", "requested_by", "voter", "pillars", "kind"]
    }

    fn fields(&self) -> Vec<&str> {
        let mut fields = self.list_fields();
        fields.extend(["risk_class", "scope_digest", "without_rationale", "without_pillar"]);
        fields
    }

    fn flags(&self) -> Vec<&'static str> {
        vec!["without_rationale", "without_pillar"]
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec!["kind", "risk_class", "pillars", "without_rationale", "without_pillar"]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut facets: Vec<(&'static str, String)> = Vec::new();
        facets.extend(row.text("kind").map(|kind| ("kind", kind.to_owned())));
        facets.extend(row.text("risk_class").map(|class| ("risk_class", class.to_owned())));
        facets.extend(texts(row, "pillars").map(|pillar| ("pillars", pillar)));
        for name in ["without_rationale", "without_pillar"] {
            facets.extend(row.value(name).map(|value| (name, value.to_string())));
        }
        facets
    }

    fn expiring_state(&self) -> Option<&str> {
        Some(GRANTED)
    }
}

fn texts(row: &Row, field: &str) -> impl Iterator<Item = String> {
    let items = row.value(field).and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned))
}

/// The votes of an approval, in their order.
pub fn votes(row: &Row) -> impl Iterator<Item = &Map<String, Value>> {
    row.value("votes").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_object)
}

/// A request. One that asks for another scope voids the votes and begins anew.
fn request(row: &mut Row, event: &RowEvent, at: &str) {
    let before = row.text("scope_digest").map(str::to_owned);
    if before.is_some() && before.as_deref() != event.text("scope_digest") {
        let changes = row.value("scope_changes").and_then(Value::as_u64).unwrap_or(0) + 1;
        row.set("scope_changes", changes);
        row.fields.remove("withdrawn");
        row.fields.remove("revoked");
        row.fields.remove("decided_at");
        row.memo.remove("met");
        row.state.clear();
    }
    for optional in ["risk_class", "evidence"] {
        row.fields.remove(optional);
    }
    row.copy(
        event,
        &["kind", "target", "scope_digest", "rationale", "pillars", "quorum", "risk_class", "evidence"],
    );
    row.set("requested_by", event.by.as_str());
    row.set("requested_at", at);
    row.owner = Some(event.by.clone());
    for name in ["due_at", "valid_until"] {
        row.memo.remove(name);
        row.memo.extend(event.text(name).map(|text| (name.to_owned(), text.into())));
    }
}

#[expect(clippy::indexing_slicing, reason = "what was just made as an object takes every name")]
fn vote(row: &mut Row, event: &RowEvent, at: String) {
    let result = if event.ty == "approval.granted" { GRANTED } else { REJECTED };
    let mut vote = json!({"by": event.by, "result": result, "at": at, "seq": event.seq, "round": round(row)});
    for name in ["capacity", "rationale", "conflict_declared", "delegation", "scope_digest", "conditions"] {
        if let Some(value) = event.value(name) {
            vote[name] = value.clone();
        }
    }
    let votes = row.list("votes");
    votes.push(vote);
    if votes.len() > MAX_VOTES
        && let Some(place) = votes.iter().position(|vote| vote["counts"] == false)
    {
        votes.remove(place);
    }
}

/// How many times the scope has changed. A rejection names no scope, and so belongs to its round.
fn round(row: &Row) -> u64 {
    row.value("scope_changes").and_then(Value::as_u64).unwrap_or(0)
}

/// Works out which votes count, and what they come to.
fn settle(row: &mut Row, now: Timestamp) {
    let Some(digest) = row.text("scope_digest").map(str::to_owned) else {
        row.state = UNOPENED.to_owned();
        return;
    };
    let decided = matches!(row.state.as_str(), GRANTED | REJECTED | WITHDRAWN | REVOKED);
    let round = round(row);
    let recused: BTreeSet<String> = texts(row, "recused").collect();
    let roles: BTreeSet<String> = texts(row, "quorum.roles").collect();
    let requester = row.text("requested_by").unwrap_or_default().to_owned();
    let (mut granted, mut rejected, mut without_rationale) = (0_u64, 0_u64, false);
    let mut later: BTreeSet<String> = BTreeSet::new();
    for vote in row.list("votes").iter_mut().rev() {
        let text = |name: &str| vote[name].as_str().unwrap_or_default().to_owned();
        let (by, result) = (text("by"), text("result"));
        let another_scope =
            if result == GRANTED { text("scope_digest") != digest } else { vote["round"] != round };
        let why_not = if another_scope {
            Some("another-scope")
        } else if decided {
            // What counted when it was decided goes on counting; what came later does not.
            if vote["counts"] == true {
                None
            } else {
                vote["why_not"].as_str().or(Some("after-decision")).map(known)
            }
        } else if recused.contains(&by) {
            Some("recused")
        } else if later.contains(&by) {
            Some("voted-again")
        } else if !roles.contains(&text("capacity")) {
            Some("capacity-not-in-quorum")
        } else {
            None
        };
        vote["own"] = Value::Bool(by == requester);
        vote["counts"] = Value::Bool(why_not.is_none());
        match why_not {
            Some(why) => vote["why_not"] = why.into(),
            None => {
                if let Some(members) = vote.as_object_mut() {
                    members.remove("why_not");
                }
                without_rationale |= vote["rationale"].as_str().is_none_or(|text| text.trim().is_empty());
                if result == GRANTED { granted += 1 } else { rejected += 1 }
            }
        }
        if !another_scope {
            later.insert(by);
        }
    }
    let without = row.text("rationale").is_none_or(|text| text.trim().is_empty()) || without_rationale;
    row.set("without_rationale", without);
    let without_pillar = texts(row, "pillars").next().is_none();
    row.set("without_pillar", without_pillar);
    row.set("votes_for", granted);
    row.set("votes_against", rejected);
    if !decided {
        let needed = row.value("quorum.n").and_then(Value::as_u64).unwrap_or(1);
        // Nobody knows how many may vote. Without a veto, as many votes against as were needed in favour end it.
        row.state = if (row.is("quorum.veto") && rejected > 0) || rejected >= needed {
            REJECTED
        } else if granted >= needed {
            GRANTED
        } else if granted > 0 {
            PARTIAL
        } else {
            PENDING
        }
        .to_owned();
        if matches!(row.state.as_str(), GRANTED | REJECTED) {
            row.set_time("decided_at", now);
        }
    }
    conditions(row);
    dates(row);
}

/// The same text, for as long as the program runs.
fn known(why: &str) -> &'static str {
    ["another-scope", "recused", "voted-again", "capacity-not-in-quorum"]
        .into_iter()
        .find(|known| *known == why)
        .unwrap_or("after-decision")
}

/// The conditions of the votes that count, and which of them are met.
fn conditions(row: &mut Row) {
    let mut conditions = Vec::new();
    for vote in votes(row).filter(|vote| vote.get("counts") == Some(&Value::Bool(true))) {
        for condition in vote.get("conditions").and_then(Value::as_array).into_iter().flatten() {
            let mut condition = condition.as_object().cloned().unwrap_or_default();
            condition.insert("by".to_owned(), vote.get("by").cloned().unwrap_or_default());
            let id = condition.get("id").and_then(Value::as_str).unwrap_or_default();
            if let Some(met) = row.memo.get("met").and_then(|met| met.get(id)) {
                for (name, of) in [("met_at", "at"), ("met_by", "by")] {
                    condition.insert(name.to_owned(), met.get(of).cloned().unwrap_or_default());
                }
            }
            conditions.push(Value::Object(condition));
        }
    }
    if conditions.is_empty() {
        row.fields.remove("conditions");
    } else {
        row.set("conditions", conditions);
    }
}

fn dates(row: &mut Row) {
    let memo =
        |row: &Row, name: &str| row.memo.get(name).and_then(Value::as_str).and_then(Timestamp::recorded);
    row.ended = matches!(row.state.as_str(), REJECTED | WITHDRAWN | REVOKED);
    row.valid_until = memo(row, "valid_until").filter(|_| row.state == GRANTED);
    row.due_at = match row.state.as_str() {
        PENDING | PARTIAL => memo(row, "due_at"),
        // A granted one is waited for until its conditions are met.
        GRANTED => {
            let conditions = row.value("conditions").and_then(Value::as_array).into_iter().flatten();
            let open = conditions.filter(|condition| condition.get("met_at").is_none());
            open.filter_map(|condition| Timestamp::recorded(condition.get("due_at")?.as_str()?)).min()
        }
        _ => None,
    };
}
