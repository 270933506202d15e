//! The questions about access that go over grants and roles: asked of the engine, a bounded part at a time.

use super::cover::{Cover, Grantee, Held, Judgement, Usage, Window, judge};
use super::reach::{Reach, Wanted, grantee, way};
use crate::answers::deadline::Deadline;
use crate::answers::error::AnswerError;
use crate::spec::encoding::from_decimal;
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
pub const MAX_GRANTS: usize = 10_000;

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
    /// Whether it ends before its time because as much was looked at as is for one answer.
    pub partial: bool,
}

/// Where a list of what a principal can reach goes on: after which of its own grants, or of those of which role.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Way {
    /// None: its own.
    role: Option<String>,
    /// The number of the grant; none: before the first one.
    after: Option<u64>,
}

impl Way {
    /// As a cursor holds it.
    #[must_use]
    pub fn text(&self) -> String {
        let after = self.after.map(|after| after.to_string()).unwrap_or_default();
        self.role.as_ref().map_or_else(|| after.clone(), |role| format!("{after} {role}"))
    }

    /// As it was written by [`Way::text`].
    #[must_use]
    pub fn read(text: &str) -> Option<Way> {
        let (after, role) = text.split_once(' ').map_or((text, None), |(after, role)| (after, Some(role)));
        let after = if after.is_empty() { None } else { Some(from_decimal(after)?) };
        Some(Way { role: role.map(str::to_owned), after })
    }
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
    /// Whether that is all of it.
    is_all: bool,
}

impl Access<'_> {
    /// Who holds a role as of a moment, and whether these are all.
    fn holding(&self, role: &str, when: When) -> Result<(Vec<String>, bool), AnswerError> {
        let of_role = self.all_rows(when, PAGE).with("role", role);
        let (found, next) = self.some(ROLES, of_role, MAX_HOLDERS)?;
        Ok((assigned(&found, when.at, "principal"), next.is_none()))
    }

    fn all_rows(&self, when: When, limit: usize) -> Ask {
        Ask { ends: Some(self.deadline.moment()), ..Ask::all(when, limit) }
    }

    /// Rows that fit, about so many at most, and after which one to go on if there are more.
    fn some(
        &self,
        view: &str,
        mut ask: Ask,
        most: usize,
    ) -> Result<(Vec<Found>, Option<Place>), AnswerError> {
        ask.limit = ask.limit.min(most.max(1));
        let mut rows = Vec::new();
        loop {
            self.deadline.check()?;
            let page = self.engine.list(view, &ask)?;
            rows.extend(page.rows);
            match page.next {
                Some(next) if rows.len() < most => ask.after = Some(next),
                next => return Ok((rows, next)),
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
        let mut part = Part { items: Vec::new(), next: None, partial: false };
        let mut looked_at = 0;
        loop {
            self.deadline.check()?;
            let page = self.engine.list("access", &ask)?;
            for grant in &page.rows {
                if part.items.len() >= limit {
                    return Ok(part);
                }
                looked_at += 1;
                part.next = Some(Place::numbered(grant.number));
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
                                let (holders, are_all) = self.holding(role, when)?;
                                part.partial |= !are_all;
                                roles.insert(role.to_owned(), holders);
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
                    (part.next, part.partial) = (Some(next), true);
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

    /// What a principal can reach as of a moment, itself and through its roles, by about as many grants as `most`: where there
    /// are more, where to go on, and whether something else is left out.
    ///
    /// # Errors
    /// The deadline passed, or the views do not answer.
    pub fn reachable(
        &self,
        principal: &str,
        wanted: Wanted<'_>,
        when: When,
        after: Option<Way>,
        most: usize,
    ) -> Result<(Vec<Reach>, Option<Way>, bool), AnswerError> {
        let held = self.all_rows(when, PAGE).with("principal", principal);
        let (held, more_roles) = self.some(ROLES, held, MAX_HOLDERS)?;
        let roles: BTreeSet<String> = assigned(&held, when.at, "role").into_iter().collect();
        let ways = std::iter::once(None).chain(roles.into_iter().map(Some));
        let from = after.unwrap_or(Way { role: None, after: None });
        let (mut found, mut next, mut looked_at) = (Vec::new(), None, 0);
        // A role that has ended since is passed by.
        for role in ways.filter(|role| *role >= from.role) {
            if looked_at >= most {
                next = Some(Way { role, after: None });
                break;
            }
            let goes_on = from.after.filter(|_| role == from.role).map(Place::numbered);
            let ask = Ask { after: goes_on, ..self.all_rows(when, PAGE) };
            let (ask, to) = match &role {
                Some(role) => (ask.with("role", role), Grantee::Role(role)),
                None => (ask.with("principal", principal), Grantee::Principal(principal)),
            };
            let (grants, more) = self.some("access", ask, most - looked_at)?;
            looked_at += grants.len();
            for grant in &grants {
                let held = grant.row.stretches.in_force(when.at).filter(|stretch| to.has(stretch));
                let wanted = held.filter(|stretch| wanted.fits(stretch, when.at));
                found.extend(
                    wanted.map(|stretch| way(&grant.id, stretch, (principal, role.as_deref()), when.at)),
                );
            }
            if let Some(more) = more {
                next = Some(Way { role, after: Some(more.number) });
                break;
            }
        }
        found.sort_by(|a, b| (&a.resource, &a.grant).cmp(&(&b.resource, &b.grant)));
        let partial = next.is_some() || more_roles.is_some();
        Ok((found, next, partial))
    }

    /// All that a principal was ever given on a resource, itself and through roles, by what is known below an entry.
    fn given(&self, principal: &str, resource: &str, known: u64) -> Result<Given, AnswerError> {
        // With all stretches, whenever they hold.
        let when = When { known, at: Timestamp::LAST };
        let ask = || self.all_rows(when, PAGE).with("resource", resource);
        let (own, more) = self.some("access", ask().with("principal", principal), MAX_GRANTS)?;
        let held = self.all_rows(when, PAGE).with("principal", principal);
        let (roles, more_roles) = self.some(ROLES, held, MAX_HOLDERS)?;
        let mut is_all = more.is_none() && more_roles.is_none();
        let mut through_roles = Vec::new();
        for found in roles {
            let Some(role) = found.row.text("role").map(str::to_owned) else { continue };
            let held = found.row.stretches.iter().map(|stretch| (stretch.from, stretch.end())).collect();
            let (grants, more) = self.some("access", ask().with("role", &role), MAX_GRANTS)?;
            is_all &= more.is_none();
            through_roles.push((role, held, grants));
        }
        Ok(Given { principal: principal.to_owned(), own, through_roles, is_all })
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
            let found = self.some(ROLES, held, MAX_HOLDERS)?.0;
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
        let (mut items, mut is_all) = (Vec::new(), true);
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
            let given_then = self.given(principal, &usage.resource, recorded)?;
            is_all &= given_then.is_all && given.get(&of).is_some_and(|given| given.is_all);
            let as_recorded = given_then.judge(&usage).cover;
            items.push(JudgedUse { now, as_recorded, usage: found });
        }
        Ok(Part { items, next: page.next, partial: page.partial || !is_all })
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
