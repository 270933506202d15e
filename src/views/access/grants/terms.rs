//! The terms of a stretch of a grant, and what took it back.

use crate::spec::time::{MICROS_PER_SECOND, Timestamp};
use crate::views::engine::Row;
use crate::views::stretches::{Cut, Stretch};
use serde_json::{Map, Value};

/// What a grant is: all of its own fields.
pub(super) const TERMS: [&str; 14] = [
    "request",
    "resource",
    "grantee",
    "operations",
    "purpose",
    "legal_basis",
    "valid_from",
    "valid_until",
    "approval",
    "grantee_unit",
    "owner_unit",
    "agreement",
    "art9_basis",
    "emergency",
];

pub(super) fn texts(list: Option<&Value>) -> Vec<String> {
    let items = list.and_then(Value::as_array).into_iter().flatten();
    items.filter_map(|item| item.as_str().map(str::to_owned)).collect()
}

/// The terms of the stretch that speaks for the grant.
pub(super) fn terms(row: &mut Row, stretch: &Stretch, at: Timestamp) {
    for name in TERMS {
        row.fields.extend(stretch.data.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let operations = texts(stretch.data.get("operations"));
    let left = stretch.left_of(operations.clone(), at);
    if left != operations {
        row.set("operations_granted", operations);
        row.set("operations", left);
    }
    let by = stretch.data.get("by").and_then(Value::as_str).map(str::to_owned);
    row.fields.extend(by.clone().map(|by| ("granted_by".to_owned(), by.into())));
    row.owner = by;
    row.set_time("granted_at", stretch.begun.acted_at);
    let across = row.text("grantee_unit") != row.text("owner_unit");
    let without = across && row.text("agreement").is_none();
    row.set("across_units", across);
    row.set("without_agreement", without);
}

pub(super) fn revoked(cut: &Cut) -> Value {
    let mut revoked = Map::new();
    for name in ["by", "reason"] {
        revoked.insert(name.to_owned(), cut.data.get(name).cloned().unwrap_or_default());
    }
    revoked.insert("at".to_owned(), cut.at.to_string().into());
    let enforced = cut.data.get("enforced_at");
    if let Some(time) = enforced.and_then(|enforced| Timestamp::recorded(enforced.as_str()?)) {
        revoked.insert("enforced_at".to_owned(), enforced.cloned().unwrap_or_default());
        let seconds = time.since(cut.at) / MICROS_PER_SECOND;
        revoked.insert("seconds_to_enforce".to_owned(), seconds.into());
    }
    Value::Object(revoked)
}
