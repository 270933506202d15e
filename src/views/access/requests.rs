//! Requests for access: requested → rejected or granted.

use crate::views::engine::{Row, RowEvent, RowName, View};
use serde_json::{Value, json};

/// The view of requests.
pub struct Requests;

impl View for Requests {
    fn name(&self) -> &str {
        "access-requests"
    }

    fn family(&self) -> &str {
        "access_request"
    }

    fn version(&self) -> u64 {
        1
    }

    fn types(&self) -> Vec<String> {
        ["requested", "rejected", "granted"].map(|name| format!("access.{name}")).to_vec()
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("request")?.as_str()?.to_owned()))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        const ASKED: [&str; 6] =
            ["resource", "grantee", "operations", "purpose", "legal_basis", "valid_until"];
        let at = event.effective_at.to_string();
        match event.ty.as_str() {
            "access.requested" => {
                row.copy(event, &ASKED);
                row.set("requested_by", event.by.as_str());
                row.set("requested_at", at);
                row.owner = Some(event.by.clone());
                if row.state.is_empty() {
                    row.state = "requested".to_owned();
                }
            }
            "access.rejected" => {
                row.set("rejected", json!({"by": event.by, "at": at, "reason": event.text("reason")}));
                // What has been granted is not rejected any more; it can be revoked.
                if row.state != "granted" {
                    row.state = "rejected".to_owned();
                }
            }
            "access.granted" => {
                if row.value("requested_at").is_none() {
                    row.copy(event, &ASKED);
                }
                row.copy(event, &["grant"]);
                row.set("granted_by", event.by.as_str());
                row.set("granted_at", at);
                row.state = "granted".to_owned();
            }
            _ => {}
        }
        row.ended = matches!(row.state.as_str(), "granted" | "rejected");
    }

    fn lists(&self, row: &Row) -> Vec<(&'static str, String)> {
        let mut lists = super::listed::lists(row);
        lists.extend(row.text("grant").map(|grant| ("grant", grant.to_owned())));
        lists
    }

    fn list_fields(&self) -> Vec<&'static str> {
        vec!["grant", "principal", "role", "resource"]
    }

    fn fields(&self) -> Vec<&str> {
        let mut fields = self.list_fields();
        fields.extend(["purpose", "legal_basis", "requested_by"]);
        fields
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec!["purpose"]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        row.text("purpose").map(|purpose| ("purpose", purpose.to_owned())).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::super::grants::tests::{nth, terms};
    use super::*;
    use crate::views::engine::{fold, testing};
    use proptest::prelude::*;

    fn event(seq: u64, ty: &str) -> RowEvent {
        testing::event(seq, nth(seq as i64), &format!("access.{ty}"), &format!("user:{ty}"), terms(1, 2))
    }

    proptest! {
        #[test]
        fn a_request_is_granted_if_it_ever_was_and_else_what_came_last(draws in prop::collection::vec(0..3_usize, 1..8)) {
            let types = ["requested", "rejected", "granted"];
            let events: Vec<RowEvent> = (0..).zip(&draws).map(|(seq, kind)| event(seq, types[*kind])).collect();
            let expected = match (draws.contains(&2), draws.contains(&1)) {
                (true, _) => "granted",
                (false, true) => "rejected",
                _ => "requested",
            };
            let row = fold(&Requests, &events);
            prop_assert_eq!(row.state.as_str(), expected);
            prop_assert_eq!(row.ended, expected != "requested");
            prop_assert_eq!(row.value("requested_by").is_some(), draws.contains(&0));
            prop_assert_eq!(row.text("grant"), draws.contains(&2).then_some("G"));
        }
    }
}
