//! Requests for access: requested → rejected or granted, whichever was done last.

use crate::views::engine::{Opening, Row, RowEvent, RowName, View};
use serde_json::{Value, json};

/// A request of which something is known, and not who asked.
const UNOPENED: &str = "unopened";

/// Rejections that rejected nothing and are shown.
///
/// Reason: one is enough to make somebody look; all are in the history.
const MAX_NOTHING: usize = 32;

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
        2
    }

    fn types(&self) -> Vec<String> {
        ["requested", "rejected", "granted"].map(|name| format!("access.{name}")).to_vec()
    }

    fn opening(&self, ty: &str) -> Opening {
        if ty == "access.requested" { Opening::Once } else { Opening::None }
    }

    fn is_of_one_source(&self) -> bool {
        true
    }

    fn row_of(&self, _: &str, data: &Value) -> Option<RowName> {
        Some(RowName::Id(data.get("request")?.as_str()?.to_owned()))
    }

    fn step(&self, row: &mut Row, event: &RowEvent) {
        const ASKED: [&str; 6] =
            ["resource", "grantee", "operations", "purpose", "legal_basis", "valid_until"];
        let at = event.effective_at.to_string();
        let open = row.state == "requested" || row.ended;
        match event.ty.as_str() {
            "access.requested" => {
                row.copy(event, &ASKED);
                row.set("requested_by", event.by.as_str());
                row.set("requested_at", at);
                row.owner = Some(event.by.clone());
                row.set_time("asked_at", event.acted_at);
                row.state = "requested".to_owned();
            }
            "access.rejected" => {
                // Told so long before the request, it refuses something else.
                let asked = row.time("asked_at");
                if event.is_too_early() && asked.is_some_and(|asked| event.effective_at < asked) {
                    let nothing = row.list("ended_nothing");
                    if nothing.len() < MAX_NOTHING {
                        nothing.push(event.seq.into());
                    }
                    return;
                }
                row.set("rejected", json!({"by": event.by, "at": at, "reason": event.text("reason")}));
                row.state = if open { "rejected" } else { UNOPENED }.to_owned();
            }
            "access.granted" => {
                if row.value("requested_at").is_none() {
                    row.copy(event, &ASKED);
                }
                row.copy(event, &["grant"]);
                row.set("granted_by", event.by.as_str());
                row.set("granted_at", at);
                row.state = if open { "granted" } else { UNOPENED }.to_owned();
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

    fn words(&self, field: &str) -> Option<Vec<String>> {
        const STATES: &[&str] = &[UNOPENED, "requested", "granted", "rejected"];
        (field == "state").then(|| STATES.iter().copied().map(str::to_owned).collect())
    }

    fn counted_fields(&self) -> Vec<&str> {
        vec!["purpose"]
    }

    fn facets(&self, row: &Row) -> Vec<(&'static str, String)> {
        row.text("purpose").map(|purpose| ("purpose", purpose.to_owned())).into_iter().collect()
    }
}
