//! Ids that are words of the API. A row is found at `/v1/<its view>/<its id>`, and what is asked of all rows stands beside
//! it: a row that was called `counts` would have an address where something else answers. So nothing new is called so. What
//! an older ledger holds is found by `?id=`, and ends as it ever did: only what makes a row is refused.

use crate::catalog::Catalog;
use crate::intake::refusal::{Kind, Refusal};
use serde_json::Value;

/// The words that stand where an id may stand. The two last ones are resolved by clients before anything is asked.
pub const RESERVED_IDS: &[&str] = &[
    "counts",
    "fairness",
    "reach",
    "readers",
    "requests",
    "role-ended",
    "stats",
    "uncovered",
    "uses",
    ".",
    "..",
];

/// Types that make rows of the views that are asked by their own name, and the member of `data` that is the row's id. What
/// registers do is said by the catalogue.
const MAKE_ROWS: &[(&str, &str)] = &[
    ("access.granted", "grant"),
    ("access.requested", "request"),
    ("approval.requested", "approval"),
    ("decision.made", "decision"),
    ("escalation.opened", "escalation"),
];

/// What is wrong with the id of the row that an event makes, if something is.
pub fn check(catalog: &Catalog, event_type: &str, data: &Value) -> Option<Refusal> {
    let own = MAKE_ROWS.iter().filter(|(makes, _)| *makes == event_type);
    let own =
        own.filter_map(|(_, member)| Some(((*member).to_owned(), data.get(member)?.as_str()?.to_owned())));
    let of_registers =
        catalog.opened_by(event_type).filter_map(|register| register.opened_by(event_type, data));
    let (member, id) = own.chain(of_registers).find(|(_, id)| RESERVED_IDS.contains(&id.as_str()))?;
    let detail = format!(
        "{id:?} is a word of the addresses under /v1, and no row can be called so: choose another id"
    );
    Some(Refusal::new(Kind::Schema, format!("/data/{}", member.replace('.', "/")), detail))
}
