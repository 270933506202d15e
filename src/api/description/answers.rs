//! What the demo answers, shown with each question.

use super::events::inline_definitions;
use serde_json::{Map, Value, json};

/// What the demo answered to one question for each of the resources that tell what views hold; lists were cut to two
/// items.
const ANSWERS: &str = include_str!("../../../openapi/answers.json");

/// Puts them beside the schemas of the answers.
pub fn show(api: &mut Value) {
    let answers: Map<String, Value> = serde_json::from_str(ANSWERS).unwrap_or_default();
    for (path, mut shown) in answers {
        // Many tools follow a reference wherever it stands, in an example too.
        if let Some(schema) = shown.pointer_mut("/answer/schema") {
            *schema = inline_definitions(schema.take());
        }
        let content = &mut api["paths"][&path]["get"]["responses"]["200"]["content"]["application/json"];
        let summary = format!("The demo, asked GET {}", shown["ask"].as_str().unwrap_or_default());
        content["examples"] = json!({"demo": {"summary": summary, "value": shown["answer"]}});
    }
}
