//! The questions about access that go over grants and roles: asked of the engine, a bounded part at a time.

use super::reach::{Reach, Uncovered, Wanted, in_force, uncovered, ways};
use crate::answers::deadline::Deadline;
use crate::answers::error::AnswerError;
use crate::spec::time::Timestamp;
use crate::views::access::resource;
use crate::views::engine::{Ask, Engine, Found, Place, When};
use std::collections::BTreeMap;

/// The register of who holds which role.
const ROLES: &str = "role-assignments";

/// Grants that are looked at for one answer, at most.
///
/// Reason: some tens of milliseconds; an answer that does not have all says where to go on.
const MAX_GRANTS: usize = 10_000;

/// Rows read at once.
const PAGE: usize = 500;

/// Holders of one role, and roles of one principal, at most.
///
/// Reason: each becomes a line of the answer.
const MAX_HOLDERS: usize = 10_000;

/// The engine, asked about access until a deadline.
#[derive(Clone, Copy)]
pub struct Access<'a> {
    /// To be asked.
    pub engine: &'a Engine,
    /// Until when.
    pub deadline: Deadline,
}

/// A part of an answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Part<T> {
    /// In the order of the ledger's grants.
    pub items: Vec<T>,
    /// The grant after which to go on; none at the end.
    pub next: Option<Place>,
}

/// A use that nothing covers.
#[derive(Clone, Debug, PartialEq)]
pub struct UncoveredUse {
    /// The use.
    pub usage: Found,
    /// Why not.
    pub why: Uncovered,
}

impl Access<'_> {
    /// Who holds a role as of a moment.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn holders(&self, role: &str, when: When) -> Result<Vec<String>, AnswerError> {
        let found = self.all(ROLES, self.all_rows(when, PAGE).with("role", role), MAX_HOLDERS)?;
        Ok(assigned(&found, when.at, "principal"))
    }

    /// Which roles a principal holds as of a moment.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn roles(&self, principal: &str, when: When) -> Result<Vec<String>, AnswerError> {
        let found = self.all(ROLES, self.all_rows(when, PAGE).with("principal", principal), MAX_HOLDERS)?;
        Ok(assigned(&found, when.at, "role"))
    }

    fn all_rows(&self, when: When, limit: usize) -> Ask {
        Ask { ends: Some(self.deadline.moment()), ..Ask::all(when, limit) }
    }

    fn all(&self, view: &str, mut ask: Ask, most: usize) -> Result<Vec<Found>, AnswerError> {
        let mut rows = Vec::new();
        loop {
            self.deadline.check()?;
            let page = self.engine.list(view, &ask)?;
            rows.extend(page.rows);
            match page.next.filter(|_| rows.len() < most) {
                Some(next) => ask.after = Some(next),
                None => return Ok(rows),
            }
        }
    }

    /// Who can reach a resource (`kind/id`) as of a moment, through roles too: at least `limit` ways where there are so many,
    /// and a few more where one grant opens several.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn readers(
        &self,
        resource: &str,
        wanted: Wanted<'_>,
        when: When,
        after: Option<Place>,
        limit: usize,
    ) -> Result<Part<Reach>, AnswerError> {
        let mut ask = Ask { after, ..self.all_rows(when, PAGE.min(limit)) }.with("resource", resource);
        let mut roles: BTreeMap<String, Vec<String>> = BTreeMap::new();
        let mut part = Part { items: Vec::new(), next: None };
        let mut looked_at = 0;
        loop {
            self.deadline.check()?;
            let page = self.engine.list("access", &ask)?;
            for grant in &page.rows {
                if part.items.len() >= limit {
                    return Ok(part);
                }
                looked_at += 1;
                part.next = Some(Place { date: Timestamp::EPOCH, number: grant.number });
                if !in_force(&grant.row, when.at) || !wanted.fits(&grant.row) {
                    continue;
                }
                let role =
                    grant.row.text("grantee.id").filter(|_| grant.row.text("grantee.kind") == Some("role"));
                let of_role = match role {
                    Some(role) if !roles.contains_key(role) => {
                        roles.entry(role.to_owned()).or_insert(self.holders(role, when)?)
                    }
                    Some(role) => roles.entry(role.to_owned()).or_default(),
                    None => &mut Vec::new(),
                };
                part.items.extend(ways(grant, of_role));
            }
            match page.next {
                Some(_) if part.items.len() >= limit => return Ok(part),
                Some(next) if looked_at >= MAX_GRANTS => {
                    part.next = Some(next);
                    return Ok(part);
                }
                Some(next) => ask.after = Some(next),
                None => {
                    part.next = None;
                    return Ok(part);
                }
            }
        }
    }

    /// All that a principal can reach as of a moment, itself and through its roles.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn reachable(
        &self,
        principal: &str,
        wanted: Wanted<'_>,
        when: When,
    ) -> Result<Vec<Reach>, AnswerError> {
        let mut found = Vec::new();
        for grant in self.grants_of(principal, None, when)? {
            if in_force(&grant.row, when.at) && wanted.fits(&grant.row) {
                found.extend(ways(&grant, &[principal.to_owned()]));
            }
        }
        found.sort_by(|a, b| (&a.resource, &a.grant).cmp(&(&b.resource, &b.grant)));
        Ok(found)
    }

    /// All grants that a principal ever had, itself and through the roles that it holds, as of a moment.
    fn grants_of(
        &self,
        principal: &str,
        resource: Option<&str>,
        when: When,
    ) -> Result<Vec<Found>, AnswerError> {
        let with_resource = |ask: Ask| match resource {
            Some(resource) => ask.with("resource", resource),
            None => ask,
        };
        let own = with_resource(self.all_rows(when, PAGE).with("principal", principal));
        let mut grants = self.all("access", own, MAX_GRANTS)?;
        for role in self.roles(principal, when)? {
            let of_role = with_resource(self.all_rows(when, PAGE).with("role", &role));
            grants.extend(self.all("access", of_role, MAX_GRANTS)?);
        }
        Ok(grants)
    }

    /// Whether a grant is to somebody who held a role, and holds none any more.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn role_ended(&self, grant: &Found, when: When) -> Result<bool, AnswerError> {
        if grant.row.text("grantee.kind") != Some("person") {
            return Ok(false);
        }
        let Some(principal) = grant.row.text("grantee.id") else { return Ok(false) };
        let found = self.all(ROLES, self.all_rows(when, PAGE).with("principal", principal), MAX_HOLDERS)?;
        Ok(!found.is_empty() && assigned(&found, when.at, "role").is_empty())
    }

    /// Uses that no grant covered when the last of them began, as known: the uses of a page, each held against the grants
    /// and roles of that moment.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn uncovered_uses(&self, ask: &Ask) -> Result<Part<UncoveredUse>, AnswerError> {
        let page = self.engine.list("access-uses", ask)?;
        let mut items = Vec::new();
        for usage in page.rows {
            let row = &usage.row;
            let (Some(principal), Some(resource)) =
                (row.text("principal"), row.value("resource").and_then(resource))
            else {
                continue;
            };
            // Where nothing was allowed, nothing needed a grant.
            let Some(at) = row.time("last_began") else { continue };
            self.deadline.check()?;
            let when = When { known: ask.when.known, at };
            let grants = self.grants_of(principal, Some(&resource), when)?;
            if let Some(why) = uncovered(row, &grants, at) {
                items.push(UncoveredUse { usage, why });
            }
        }
        Ok(Part { items, next: page.next })
    }
}

fn assigned(found: &[Found], at: Timestamp, field: &str) -> Vec<String> {
    let held = |found: &&Found| {
        found.row.state == "assigned" && matches!(found.validity(at), None | Some("in-force"))
    };
    found.iter().filter(held).filter_map(|found| found.row.text(field).map(str::to_owned)).collect()
}
