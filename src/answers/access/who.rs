//! The questions about access that go over grants and roles: asked of the engine, a bounded part at a time.

use super::cover::{Cover, Grantee, Held, Judgement, Usage, Window, judge};
use super::reach::{Reach, Wanted, grantee, way};
use crate::answers::deadline::Deadline;
use crate::answers::error::AnswerError;
use crate::spec::time::Timestamp;
use crate::views::access::resource;
use crate::views::access::uses::recorded_at_place;
use crate::views::engine::{Ask, Engine, Found, Place, When};
use crate::views::stretches::Stretch;
use std::collections::{BTreeMap, BTreeSet};

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

/// A use, and how far grants cover it.
#[derive(Clone, Debug, PartialEq)]
pub struct JudgedUse {
    /// The use.
    pub usage: Found,
    /// By all that is known.
    pub now: Judgement,
    /// By what was known when it was recorded.
    pub as_recorded: Cover,
}

/// What a principal has been given, by what is known: grants of its own, and of roles with the times at which it held them.
struct Given {
    principal: String,
    own: Vec<Found>,
    through_roles: Vec<(String, Vec<Window>, Vec<Found>)>,
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
                for stretch in grant.row.stretches.in_force(when.at) {
                    if !wanted.fits(stretch, when.at) || !is_of(stretch, resource) {
                        continue;
                    }
                    let ways = match grantee(stretch) {
                        None => Vec::new(),
                        Some(Grantee::Principal(principal)) => {
                            vec![way(&grant.id, stretch, (principal, None), when.at)]
                        }
                        Some(Grantee::Role(role)) => {
                            if !roles.contains_key(role) {
                                roles.insert(role.to_owned(), self.holders(role, when)?);
                            }
                            let holders = roles.get(role).into_iter().flatten();
                            holders
                                .map(|holder| way(&grant.id, stretch, (holder, Some(role)), when.at))
                                .collect()
                        }
                    };
                    part.items.extend(ways);
                }
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
        let mut of = |grants: &[Found], to: Grantee<'_>| {
            let role = match to {
                Grantee::Role(role) => Some(role),
                Grantee::Principal(_) => None,
            };
            for grant in grants {
                let held = grant.row.stretches.in_force(when.at).filter(|stretch| to.has(stretch));
                let wanted = held.filter(|stretch| wanted.fits(stretch, when.at));
                found.extend(wanted.map(|stretch| way(&grant.id, stretch, (principal, role), when.at)));
            }
        };
        let own = self.all_rows(when, PAGE).with("principal", principal);
        of(&self.all("access", own, MAX_GRANTS)?, Grantee::Principal(principal));
        for role in self.roles(principal, when)? {
            let of_role = self.all_rows(when, PAGE).with("role", &role);
            of(&self.all("access", of_role, MAX_GRANTS)?, Grantee::Role(&role));
        }
        found.sort_by(|a, b| (&a.resource, &a.grant).cmp(&(&b.resource, &b.grant)));
        Ok(found)
    }

    /// All that a principal was ever given on a resource, itself and through roles, by what is known below an entry.
    fn given(&self, principal: &str, resource: &str, known: u64) -> Result<Given, AnswerError> {
        // With all stretches, whenever they hold.
        let when = When { known, at: Timestamp::LAST };
        let ask = || self.all_rows(when, PAGE).with("resource", resource);
        let own = self.all("access", ask().with("principal", principal), MAX_GRANTS)?;
        let held = self.all_rows(when, PAGE).with("principal", principal);
        let mut through_roles = Vec::new();
        for found in self.all(ROLES, held, MAX_HOLDERS)? {
            let Some(role) = found.row.text("role").map(str::to_owned) else { continue };
            let held = found.row.stretches.iter().map(|stretch| (stretch.from, stretch.end())).collect();
            let grants = self.all("access", ask().with("role", &role), MAX_GRANTS)?;
            through_roles.push((role, held, grants));
        }
        Ok(Given { principal: principal.to_owned(), own, through_roles })
    }

    /// Whether a grant is to somebody who held a role, and holds none any more.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn role_ended(&self, grant: &Found, when: When) -> Result<bool, AnswerError> {
        let person = |stretch: &Stretch| {
            let grantee = stretch.data.get("grantee")?;
            let text = |name: &str| grantee.get(name)?.as_str();
            text("id").filter(|_| text("kind") == Some("person")).map(str::to_owned)
        };
        let people: BTreeSet<String> = grant.row.stretches.in_force(when.at).filter_map(person).collect();
        for principal in people {
            let held = self.all_rows(when, PAGE).with("principal", &principal);
            let found = self.all(ROLES, held, MAX_HOLDERS)?;
            if !found.is_empty() && assigned(&found, when.at, "role").is_empty() {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// The uses of a page, each held against the grants and roles of its own moments: by what is known, and by what was
    /// known when it was recorded. Uses of which that cannot be said are left out.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn judged_uses(&self, ask: &Ask) -> Result<Part<JudgedUse>, AnswerError> {
        let page = self.engine.list("access-uses", ask)?;
        let mut given: BTreeMap<(String, String), Given> = BTreeMap::new();
        let mut items = Vec::new();
        for found in page.rows {
            let row = &found.row;
            let (Some(usage), Some(principal)) = (Usage::of(row), row.text("principal")) else { continue };
            self.deadline.check()?;
            let of = (principal.to_owned(), usage.resource.clone());
            if !given.contains_key(&of) {
                let known = self.given(principal, &usage.resource, ask.when.known)?;
                given.insert(of.clone(), known);
            }
            let now = given.get(&of).map(|given| given.judge(&usage));
            let Some(now) = now else { continue };
            let recorded = recorded_at_place(row).unwrap_or(found.number).min(ask.when.known);
            let as_recorded = self.given(principal, &usage.resource, recorded)?.judge(&usage).cover;
            items.push(JudgedUse { now, as_recorded, usage: found });
        }
        Ok(Part { items, next: page.next })
    }
}

impl Given {
    fn judge(&self, usage: &Usage<'_>) -> Judgement {
        const ALWAYS: [Window; 1] = [(Timestamp::FIRST, None)];
        let mut held = Vec::new();
        for grant in &self.own {
            let grantee = Grantee::Principal(&self.principal);
            let stretches = &grant.row.stretches;
            held.push(Held { id: &grant.id, stretches, grantee, while_held: &ALWAYS });
        }
        for (role, while_held, grants) in &self.through_roles {
            for grant in grants {
                let grantee = Grantee::Role(role);
                held.push(Held { id: &grant.id, stretches: &grant.row.stretches, grantee, while_held });
            }
        }
        judge(usage, &held)
    }
}

/// Whether a stretch of a grant is to this resource.
fn is_of(stretch: &Stretch, wanted: &str) -> bool {
    stretch.data.get("resource").and_then(resource).as_deref() == Some(wanted)
}

fn assigned(found: &[Found], at: Timestamp, field: &str) -> Vec<String> {
    let held = |found: &&Found| {
        found.row.state == "assigned" && matches!(found.validity(at), None | Some("in-force"))
    };
    found.iter().filter(held).filter_map(|found| found.row.text(field).map(str::to_owned)).collect()
}
