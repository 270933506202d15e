//! Who can reach what, from grants and roles: pure, so that it can be looked at.

use crate::spec::time::Timestamp;
use crate::views::access::resource;
use crate::views::engine::{Found, Row};
use serde_json::Value;

/// One way by which somebody can reach something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reach {
    /// Who.
    pub principal: String,
    /// What, as kind and id.
    pub resource: String,
    /// Where.
    pub environment: String,
    /// What may be done with it.
    pub operations: Vec<String>,
    /// For which purpose.
    pub purpose: String,
    /// The grant.
    pub grant: String,
    /// The role that the grant was given to, where it was given to a role.
    pub through_role: Option<String>,
    /// From when the grant counts.
    pub valid_from: Option<Timestamp>,
    /// Until when it counts.
    pub valid_until: Option<Timestamp>,
    /// Who granted it.
    pub granted_by: Option<String>,
    /// The approval that it rests on.
    pub approval: Option<String>,
    /// The agreement between the units, where they differ.
    pub agreement: Option<String>,
    /// The entry that granted it.
    pub entry: u64,
}

/// Whether a grant counts at a time: it is granted, has begun, and has neither ended nor been revoked.
#[must_use]
pub fn in_force(grant: &Row, at: Timestamp) -> bool {
    grant.state == "granted"
        && grant.valid_from.is_none_or(|from| from <= at)
        && grant.valid_until.is_none_or(|until| at < until)
}

/// What is asked of a grant beside its resource.
#[derive(Clone, Copy, Debug, Default)]
pub struct Wanted<'a> {
    /// Only grants that permit this.
    pub operation: Option<&'a str>,
    /// Only grants for this environment.
    pub environment: Option<&'a str>,
    /// Only grants for this purpose.
    pub purpose: Option<&'a str>,
}

impl Wanted<'_> {
    /// Whether a grant is one of those.
    #[must_use]
    pub fn fits(&self, grant: &Row) -> bool {
        self.operation.is_none_or(|wanted| operations(grant).iter().any(|operation| operation == wanted))
            && self.environment.is_none_or(|wanted| grant.text("resource.environment") == Some(wanted))
            && self.purpose.is_none_or(|wanted| grant.text("purpose") == Some(wanted))
    }
}

fn operations(grant: &Row) -> Vec<String> {
    let items = grant.value("operations").and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The ways that a grant opens: to its grantee, or to each of those who hold the role that it was given to.
#[must_use]
pub fn ways(grant: &Found, holders: &[String]) -> Vec<Reach> {
    let row = &grant.row;
    let text = |name: &str| row.text(name).map(str::to_owned);
    let way = |principal: &str, through_role: Option<String>| Reach {
        principal: principal.to_owned(),
        resource: row.value("resource").and_then(resource).unwrap_or_default(),
        environment: text("resource.environment").unwrap_or_default(),
        operations: operations(row),
        purpose: text("purpose").unwrap_or_default(),
        grant: grant.id.clone(),
        through_role,
        valid_from: row.valid_from,
        valid_until: row.valid_until,
        granted_by: text("granted_by"),
        approval: text("approval"),
        agreement: text("agreement"),
        entry: grant.number,
    };
    let Some(grantee) = row.text("grantee.id") else { return Vec::new() };
    if row.text("grantee.kind") == Some("role") {
        holders.iter().map(|holder| way(holder, Some(grantee.to_owned()))).collect()
    } else {
        vec![way(grantee, None)]
    }
}

/// Why a use is not covered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Uncovered {
    /// Nothing was granted.
    NoGrant,
    /// Something was granted, for other purposes.
    OtherPurpose {
        /// For which.
        granted: Vec<String>,
    },
    /// Something had been granted, and was over.
    AfterEnd {
        /// The grant that ended last.
        grant: String,
        /// When.
        end: Timestamp,
    },
}

/// Whether grants cover a use at a time: `grants` are all that the principal had by then, itself or through roles, on the
/// resource.
#[must_use]
pub fn uncovered(usage: &Row, grants: &[Found], at: Timestamp) -> Option<Uncovered> {
    let wanted = Wanted {
        operation: usage.text("operation"),
        environment: usage.text("resource.environment"),
        purpose: None,
    };
    let fitting: Vec<&Found> = grants.iter().filter(|grant| wanted.fits(&grant.row)).collect();
    let valid: Vec<&&Found> = fitting.iter().filter(|grant| in_force(&grant.row, at)).collect();
    if valid.iter().any(|grant| grant.row.text("purpose") == usage.text("purpose")) {
        return None;
    }
    if !valid.is_empty() {
        let mut granted: Vec<String> =
            valid.iter().filter_map(|grant| grant.row.text("purpose").map(str::to_owned)).collect();
        granted.sort();
        granted.dedup();
        return Some(Uncovered::OtherPurpose { granted });
    }
    let ended =
        fitting.iter().filter_map(|grant| Some((grant.row.valid_until.filter(|end| *end <= at)?, grant)));
    Some(match ended.max_by_key(|(end, _)| *end) {
        Some((end, grant)) => Uncovered::AfterEnd { grant: grant.id.clone(), end },
        None => Uncovered::NoGrant,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::views::access::grants::tests::{nth, terms};
    use serde_json::json;

    fn grant(id: &str, from: i64, until: i64, grantee: Value) -> Found {
        let mut row = Row { state: "granted".into(), ..Row::default() };
        let mut data = terms(from, until);
        data["grantee"] = grantee;
        row.fields = data.as_object().unwrap().clone();
        row.valid_from = Some(nth(from));
        row.valid_until = Some(nth(until));
        Found {
            id: id.into(),
            number: 7,
            last_seq: 7,
            changed_at: nth(0),
            opened_at: nth(0),
            corrected: Vec::new(),
            others: 0,
            scheduled: Vec::new(),
            row,
        }
    }

    fn usage(purpose: &str) -> Row {
        let mut row = Row::default();
        row.set("resource", json!({"kind": "dataset", "id": "d", "environment": "production"}));
        row.set("operation", "read");
        row.set("purpose", purpose);
        row
    }

    #[test]
    fn a_grant_counts_from_its_first_moment_and_not_at_its_last() {
        let row = grant("G", 10, 20, json!({"kind": "person", "id": "user:p"})).row;
        assert_eq!([9, 10, 19, 20].map(|day| in_force(&row, nth(day))), [false, true, true, false]);
    }

    #[test]
    fn a_grant_to_a_role_is_a_way_for_each_who_holds_it() {
        let to_role = grant("G", 1, 9, json!({"kind": "role", "id": "clerk"}));
        let ways = ways(&to_role, &["user:a".into(), "user:b".into()]);
        let found: Vec<_> =
            ways.iter().map(|way| (way.principal.as_str(), way.through_role.as_deref())).collect();
        assert_eq!(found, [("user:a", Some("clerk")), ("user:b", Some("clerk"))]);
        assert_eq!((ways[0].resource.as_str(), ways[0].valid_until), ("dataset/d", Some(nth(9))));
    }

    #[test]
    fn a_use_is_covered_by_time_operation_environment_and_purpose() {
        let person = || json!({"kind": "person", "id": "user:p"});
        let grants = [grant("G", 10, 20, person())];
        assert_eq!(uncovered(&usage("risk"), &grants, nth(15)), None);
        let other = Uncovered::OtherPurpose { granted: vec!["risk".into()] };
        assert_eq!(uncovered(&usage("ads"), &grants, nth(15)), Some(other));
        let over = Uncovered::AfterEnd { grant: "G".into(), end: nth(20) };
        assert_eq!(uncovered(&usage("risk"), &grants, nth(20)), Some(over));
        assert_eq!(uncovered(&usage("risk"), &grants, nth(5)), Some(Uncovered::NoGrant));
        assert_eq!(uncovered(&usage("risk"), &[], nth(15)), Some(Uncovered::NoGrant));
        let mut elsewhere = usage("risk");
        elsewhere.set("resource", json!({"kind": "dataset", "id": "d", "environment": "training"}));
        assert_eq!(uncovered(&elsewhere, &grants, nth(15)), Some(Uncovered::NoGrant));
    }
}
