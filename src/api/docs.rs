//! The description of the API: OpenAPI 3.1 at `/openapi.json`, and Swagger UI at `/docs` from the binary.

use crate::api::{
    access, approvals, catalog, clock, controls, decisions, events, fairness, health, keys, log, post,
    proofs, registers, rows, sources, standing, statistics, stream, timeline,
};
use crate::catalog::Catalog;
use crate::web::{Problem, ProblemType, Service, problem};
use actix_web::{HttpResponse, get, web};
use serde_json::{Value, json};
use std::sync::{Mutex, PoisonError};
use utoipa::openapi::security::{Http, HttpAuthScheme, SecurityScheme};
use utoipa::{Modify, OpenApi};

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Daybook",
        description = "An audit ledger for decisions that people and machines will be asked about later. Events are posted as \
                       CloudEvents; each is signed, chained and put in a Merkle log, and answered with a receipt that anyone can \
                       check offline.\n\nErrors are `application/problem+json` (RFC 9457) with a stable `type`, a JSON Pointer to \
                       the place, and a next step; `Problem` lists the types.",
        license(name = "Apache-2.0", identifier = "Apache-2.0"),
    ),
    tags(
        (name = "applications", description = "Post events, read them back"),
        (name = "compliance", description = "Ask approvals, access, decisions, escalations, registers and controls: now, as they were known, as they held"),
        (name = "regulators", description = "Checkpoint, tiles, proofs, keys: what offline verification needs"),
        (name = "administrators", description = "Keys and clock"),
        (name = "operators", description = "Is it alive, is it ready"),
    ),
    paths(
        health::healthz, health::readyz, log::checkpoint, log::tile,
    ),
    nest((path = "/v1", api = V1)),
    components(schemas(post::RecordedBatch, problem::ProblemItem, events::Order)),
    modifiers(&BearerToken),
    security(("token" = [])),
)]
struct Api;

#[derive(OpenApi)]
#[openapi(paths(
    post::post_events,
    events::list_events,
    stream::stream_events,
    events::get_event,
    events::get_receipt,
    proofs::inclusion,
    proofs::consistency,
    keys::list_keys,
    keys::rotate_key,
    clock::confirm_clock,
    catalog::get_catalog,
    catalog::list_types,
    catalog::get_type,
    standing::list_views,
    access::readers,
    access::reach,
    access::uncovered,
    access::role_ended,
    statistics::stats,
    fairness::fairness,
    approvals::after,
    rows::access_requests::counts,
    rows::access_requests::list,
    rows::access_uses::counts,
    rows::access_uses::list,
    rows::approvals::counts,
    rows::approvals::list,
    rows::access::counts,
    rows::access::list,
    rows::decisions::counts,
    rows::decisions::list,
    rows::escalations::counts,
    rows::escalations::list,
    rows::access_requests::history,
    rows::access_requests::one,
    rows::access_uses::history,
    rows::access_uses::one,
    rows::approvals::history,
    approvals::one,
    rows::access::history,
    rows::access::one,
    rows::decisions::history,
    decisions::one,
    rows::escalations::history,
    rows::escalations::one,
    registers::list_registers,
    registers::count_register,
    registers::list_register,
    registers::history_of_register_row,
    registers::get_register_row,
    controls::list_controls,
    controls::get_control,
    controls::list_control_evidence,
    controls::list_control_members,
    timeline::subject_timeline,
    sources::list_sources,
    sources::get_source,
))]
struct V1;

struct BearerToken;

impl Modify for BearerToken {
    fn modify(&self, api: &mut utoipa::openapi::OpenApi) {
        let scheme = Http::builder()
            .scheme(HttpAuthScheme::Bearer)
            .description(Some("`daybook token create` makes one"))
            .build();
        api.components.get_or_insert_default().add_security_scheme("token", SecurityScheme::Http(scheme));
    }
}

/// Attributes of CloudEvents hold no control characters (CloudEvents 1.0, "String").
const NO_CONTROLS: &str = "^[^\\u0000-\\u001f\\u007f-\\u009f]*$";

/// The description, with the event types of a catalogue in it.
#[must_use]
pub fn openapi(catalog: &Catalog) -> Value {
    let mut api = serde_json::to_value(Api::openapi()).unwrap_or_default();
    let mut variants = Vec::new();
    let mut examples = serde_json::Map::new();
    for kind in catalog.types() {
        let name = format!("data.{}", kind.name);
        let mut schema = kind.schema.clone();
        if let Some(members) = schema.as_object_mut() {
            members.remove("$schema");
            members.insert("description".into(), json!(kind.summary));
            members.insert("examples".into(), json!([kind.example]));
        }
        api["components"]["schemas"][&name] = inline_definitions(schema);
        variants.push(json!({"required": ["type", "data"], "properties": {
            "type": {"const": kind.name},
            "data": {"$ref": format!("#/components/schemas/{name}")},
        }}));
        examples.insert(
            kind.name.clone(),
            json!({"summary": kind.summary, "value": example_event(&kind.name, &kind.example)}),
        );
    }
    let string = |description: &str| json!({"type": "string", "minLength": 1, "pattern": NO_CONTROLS, "description": description});
    api["components"]["schemas"]["CloudEvent"] = json!({
        "type": "object",
        "description": "A CloudEvent 1.0. `data` is checked against the schema of its `type`; further attributes are lower-case \
                        letters and digits, with strings, booleans or whole numbers.",
        "required": ["specversion", "id", "source", "type", "time", "data"],
        "propertyNames": {"pattern": "^[a-z0-9]+$"},
        "properties": {
            "specversion": {"const": "1.0"},
            "id": string("Together with `source` who the event is, for ever"),
            "source": string("Which application or part of it"),
            "type": string("One of the catalogue's types"),
            "subject": string("The case, never a person"),
            "time": {"type": "string", "format": "date-time", "description": "When it happened"},
            "datacontenttype": {"const": "application/json"},
            "dataschema": string("Where the schema of `data` is, for other readers"),
            "data": {"type": "object", "description": "What the type's schema asks for"},
            "datasubject": false,
            "producersignature": false,
        },
        "additionalProperties": {"anyOf": [
            {"type": "string", "pattern": NO_CONTROLS},
            {"type": "integer", "minimum": -i32::MAX, "maximum": i32::MAX},
            {"type": "boolean"},
        ]},
        "anyOf": variants,
    });
    let cloud_event = json!({"$ref": "#/components/schemas/CloudEvent"});
    let content = &mut api["paths"]["/v1/events"]["post"]["requestBody"]["content"];
    content["application/cloudevents+json"] = json!({"schema": cloud_event, "examples": examples});
    let batch: Vec<Value> =
        catalog.types().take(2).map(|kind| example_event(&kind.name, &kind.example)).collect();
    content["application/cloudevents-batch+json"] = json!({
        "schema": {"type": "array", "minItems": 1, "maxItems": crate::intake::MAX_BATCH_EVENTS, "items": cloud_event},
        "example": batch,
    });
    content["application/json"] = json!({"schema": cloud_event});
    let both = json!({"anyOf": [{"$ref": "#/components/schemas/Recorded"}, {"$ref": "#/components/schemas/RecordedBatch"}]});
    for status in ["200", "201"] {
        api["paths"]["/v1/events"]["post"]["responses"][status]["content"]["application/json"]["schema"] =
            both.clone();
    }
    let types = ProblemType::ALL.iter().map(|kind| {
        let (status, _, title) = kind.parts();
        json!({"const": kind.uri(), "description": format!("{status}: {title}")})
    });
    let types: Vec<Value> = types.collect();
    document_rate_limits(&mut api);
    show_answers(&mut api);
    api["components"]["schemas"]["Problem"]["properties"]["type"] =
        json!({"type": "string", "description": "Stable; clients may decide by it", "oneOf": types});
    api
}

/// Where an operator sets a bound, any caller that is known by a token may meet it, whatever it asks for.
fn document_rate_limits(api: &mut Value) {
    let answer = json!({
        "description": "`rate-limited`",
        "headers": {"Retry-After": {"schema": {"type": "integer"}, "description": "Seconds"}},
        "content": {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}},
    });
    let paths = api["paths"].as_object_mut().into_iter().flatten();
    for (_, operation) in paths.flat_map(|(_, path)| path.as_object_mut().into_iter().flatten()) {
        let answers = operation["responses"].as_object_mut();
        if let Some(answers) = answers.filter(|answers| answers.contains_key("401")) {
            answers.entry("429").or_insert_with(|| answer.clone());
        }
    }
}

/// What the demo answered to one question for each of the resources that tell what views hold; lists were cut to two
/// items.
const ANSWERS: &str = include_str!("../../openapi/answers.json");

fn show_answers(api: &mut Value) {
    let answers: serde_json::Map<String, Value> = serde_json::from_str(ANSWERS).unwrap_or_default();
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

/// A whole event around the example of its data.
fn example_event(kind: &str, data: &Value) -> Value {
    json!({
        "specversion": "1.0",
        "id": format!("example-{kind}"),
        "source": "/example",
        "type": kind,
        "subject": "case-1",
        "time": "2026-03-02T09:30:00Z",
        "data": data,
    })
}

/// `#/$defs/x` of a type's own schema would point into the whole description: the definitions are put in their place.
fn inline_definitions(mut schema: Value) -> Value {
    let definitions = schema.as_object_mut().and_then(|schema| schema.remove("$defs")).unwrap_or_default();
    fn walk(value: &mut Value, definitions: &Value, depth: usize) {
        // Definitions of the catalogue are not recursive; the bound keeps a mistake from hanging the start.
        if depth > 16 {
            return;
        }
        let target =
            value.get("$ref").and_then(Value::as_str).and_then(|target| target.strip_prefix("#/$defs/"));
        if let Some(definition) = target.and_then(|name| definitions.get(name)).cloned() {
            let mut members = value.as_object().cloned().unwrap_or_default();
            members.remove("$ref");
            *value = definition;
            if let Some(object) = value.as_object_mut() {
                object.extend(members);
            }
        }
        match value {
            Value::Array(items) => items.iter_mut().for_each(|item| walk(item, definitions, depth + 1)),
            Value::Object(members) => {
                members.values_mut().for_each(|item| walk(item, definitions, depth + 1))
            }
            _ => {}
        }
    }
    walk(&mut schema, &definitions, 0);
    schema
}

/// The description as it is served: written once for each catalogue, for it has all types in it.
pub struct ServedOpenApi(Mutex<(u64, String)>);

impl ServedOpenApi {
    /// The description of a server with this catalogue.
    pub fn of(catalog: &Catalog, description: &Value) -> ServedOpenApi {
        let text = serde_json::to_string(description).unwrap_or_default();
        ServedOpenApi(Mutex::new((catalog.publications(), text)))
    }

    fn text(&self, catalog: &Catalog) -> String {
        let mut written = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if written.0 != catalog.publications() {
            *written = (catalog.publications(), serde_json::to_string(&openapi(catalog)).unwrap_or_default());
        }
        written.1.clone()
    }
}

/// The OpenAPI description.
#[get("/openapi.json")]
pub async fn openapi_json(
    service: web::Data<Service>,
    description: web::Data<ServedOpenApi>,
) -> HttpResponse {
    let text = description.text(&service.catalog.current());
    HttpResponse::Ok().content_type("application/json").body(text)
}

/// Which methods a path knows; for telling 405 from 404.
#[must_use]
pub fn methods(api: &Value, path: &str) -> Vec<String> {
    let matches = |template: &str| {
        let (mut parts, mut given) = (template.split('/'), path.split('/'));
        loop {
            match (parts.next(), given.next()) {
                (None, None) => return true,
                // The tile path takes the rest, slashes and all.
                (Some("{tile}"), Some(_)) => return true,
                (Some(part), Some(segment))
                    if part == segment || (part.starts_with('{') && !segment.is_empty()) => {}
                _ => return false,
            }
        }
    };
    let paths = api["paths"].as_object();
    let found = paths.and_then(|paths| {
        paths.get(path).or_else(|| {
            paths.iter().find(|(template, _)| matches(template)).map(|(_, operations)| operations)
        })
    });
    found
        .and_then(Value::as_object)
        .map(|operations| operations.keys().map(|m| m.to_uppercase()).collect())
        .unwrap_or_default()
}

/// What is wrong, for a path or method that is not there.
pub fn not_there(allowed: &[String], path: &str) -> Problem {
    if allowed.is_empty() {
        return Problem::new(
            ProblemType::NotFound,
            format!("there is nothing at {path:.200}; /docs shows what there is"),
        );
    }
    Problem::new(ProblemType::MethodNotAllowed, format!("this resource knows {}", allowed.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_are_told_from_methods() {
        let api = openapi(&Catalog::embedded().unwrap());
        assert_eq!(methods(&api, "/v1/events"), ["GET", "POST"]);
        assert_eq!(methods(&api, "/v1/events/7"), ["GET"]);
        assert_eq!(methods(&api, "/log/tile/0/x001/000"), ["GET"]);
        assert!(methods(&api, "/v1/nothing").is_empty());
    }

    #[test]
    fn no_reference_points_nowhere() {
        let api = openapi(&Catalog::embedded().unwrap());
        fn check(value: &Value, api: &Value) {
            if let Some(target) = value.get("$ref").and_then(Value::as_str) {
                assert!(api.pointer(&target[1..]).is_some(), "{target}");
            }
            match value {
                Value::Array(items) => items.iter().for_each(|item| check(item, api)),
                Value::Object(members) => members.values().for_each(|item| check(item, api)),
                _ => {}
            }
        }
        check(&api, &api);
    }
}
