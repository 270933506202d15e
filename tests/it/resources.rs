//! What holds for every resource, because it is tried on each that the description has: who may ask it, and what may be
//! asked. A new resource has to be named here with the role that it is for.

use crate::kit::{Answer, Ledger};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};

/// For whom a resource is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum For {
    /// Everyone, also without a token.
    Anyone,
    /// Everyone with a token; a producer sees what is its own.
    Callers,
    /// The same; where the log is public, everyone.
    CallersOrLogReaders,
    /// Whoever may read everything: compliance, auditors, administrators.
    Readers,
    /// The same; where the log is public, everyone.
    LogReaders,
    /// Producers, and those whose role brings types of its own, such as administrators, who publish.
    Posters,
    /// Administrators.
    Admins,
}

const RESOURCES: &[(&str, For)] = &[
    ("GET /healthz", For::Anyone),
    ("GET /log/checkpoint", For::LogReaders),
    ("GET /log/tile/{tile}", For::LogReaders),
    ("GET /metrics", For::Readers),
    ("GET /readyz", For::Anyone),
    ("GET /v1/access", For::Readers),
    ("GET /v1/access/counts", For::Readers),
    ("GET /v1/access/reach", For::Readers),
    ("GET /v1/access/readers", For::Readers),
    ("GET /v1/access/requests", For::Readers),
    ("GET /v1/access/requests/counts", For::Readers),
    ("GET /v1/access/requests/{id}", For::Readers),
    ("GET /v1/access/requests/{id}/history", For::Readers),
    ("GET /v1/access/role-ended", For::Readers),
    ("GET /v1/access/uncovered", For::Readers),
    ("GET /v1/access/uses", For::Readers),
    ("GET /v1/access/uses/counts", For::Readers),
    ("GET /v1/access/uses/{id}", For::Readers),
    ("GET /v1/access/uses/{id}/history", For::Readers),
    ("GET /v1/access/{id}", For::Readers),
    ("GET /v1/access/{id}/history", For::Readers),
    ("GET /v1/approvals", For::Readers),
    ("GET /v1/approvals/counts", For::Readers),
    ("GET /v1/approvals/stats", For::Readers),
    ("GET /v1/approvals/{id}", For::Readers),
    ("GET /v1/approvals/{id}/after", For::Readers),
    ("GET /v1/approvals/{id}/history", For::Readers),
    ("GET /v1/catalog", For::Callers),
    ("GET /v1/catalog/types", For::Callers),
    ("GET /v1/catalog/types/{name}", For::Callers),
    ("GET /v1/controls", For::Readers),
    ("GET /v1/controls/{id}", For::Readers),
    ("GET /v1/controls/{id}/evidence", For::Readers),
    ("GET /v1/controls/{id}/members", For::Readers),
    ("GET /v1/corrections", For::Readers),
    ("GET /v1/late", For::Readers),
    ("GET /v1/look-alikes", For::Readers),
    ("GET /v1/decisions", For::Readers),
    ("GET /v1/decisions/counts", For::Readers),
    ("GET /v1/decisions/fairness", For::Readers),
    ("GET /v1/decisions/stats", For::Readers),
    ("GET /v1/decisions/{id}", For::Readers),
    ("GET /v1/decisions/{id}/history", For::Readers),
    ("GET /v1/escalations", For::Readers),
    ("GET /v1/escalations/counts", For::Readers),
    ("GET /v1/escalations/stats", For::Readers),
    ("GET /v1/escalations/{id}", For::Readers),
    ("GET /v1/escalations/{id}/history", For::Readers),
    ("GET /v1/events", For::Readers),
    ("GET /v1/events/stream", For::Readers),
    ("GET /v1/events/{seq}", For::Callers),
    ("GET /v1/events/{seq}/receipt", For::CallersOrLogReaders),
    ("GET /v1/keys", For::LogReaders),
    ("GET /v1/proofs/consistency", For::LogReaders),
    ("GET /v1/proofs/inclusion", For::LogReaders),
    ("GET /v1/registers", For::Readers),
    ("GET /v1/registers/{name}", For::Readers),
    ("GET /v1/registers/{name}/counts", For::Readers),
    ("GET /v1/registers/{name}/{id}", For::Readers),
    ("GET /v1/registers/{name}/{id}/history", For::Readers),
    ("GET /v1/sources", For::Readers),
    ("GET /v1/sources/{source}", For::Readers),
    ("GET /v1/subjects/{subject}/timeline", For::Readers),
    ("GET /v1/views", For::Readers),
    ("POST /v1/clock/confirm", For::Admins),
    ("POST /v1/events", For::Posters),
    ("POST /v1/keys/rotate", For::Admins),
];

/// Whoever asks whether the server lives is told so, whatever else its question says.
const ASKED_ANYHOW: [&str; 2] = ["GET /healthz", "GET /readyz"];

/// Their rows have fields that only the catalogue knows, beside what the description lists.
const KNOW_FIELDS_OF_ROWS: [&str; 2] = ["GET /v1/registers/{name}", "GET /v1/controls/{id}/members"];

/// An operation of the description.
pub struct Resource {
    pub name: String,
    method: String,
    /// With the examples of the description for what stands in braces.
    path: String,
    /// The parameters of its query.
    query: BTreeSet<String>,
}

/// All operations that a server describes.
pub fn described(ledger: &Ledger) -> Vec<Resource> {
    let api = ledger.request("GET", "/openapi.json", &[], b"").json();
    let followed = |value: &Value| match value["$ref"].as_str() {
        Some(target) => api.pointer(&target[1..]).unwrap().clone(),
        None => value.clone(),
    };
    let mut all = Vec::new();
    for (template, operations) in api["paths"].as_object().unwrap() {
        for (method, operation) in operations.as_object().unwrap() {
            let parameters = operation["parameters"].as_array().cloned().unwrap_or_default();
            let parameters: Vec<Value> = parameters.iter().map(followed).collect();
            let mut path = template.clone();
            for parameter in parameters.iter().filter(|parameter| parameter["in"] == "path") {
                let example = parameter["example"].as_str().map(str::to_owned);
                let example = example.unwrap_or_else(|| "0".to_owned()).replace('/', "%2F");
                let example =
                    if template.contains("/log/tile/") { "entries/000.p/1".into() } else { example };
                path = path.replace(&format!("{{{}}}", parameter["name"].as_str().unwrap()), &example);
            }
            let query = parameters.iter().filter(|parameter| parameter["in"] == "query");
            let query = query.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect();
            let method = method.to_uppercase();
            all.push(Resource { name: format!("{method} {template}"), method, path, query });
        }
    }
    all
}

pub fn ask(ledger: &Ledger, resource: &Resource, query: &str, authorization: Option<&str>) -> Answer {
    let path = if query.is_empty() { resource.path.clone() } else { format!("{}?{query}", resource.path) };
    let headers: Vec<(&str, &str)> =
        authorization.map(|value| ("authorization", value)).into_iter().collect();
    ledger.request(&resource.method, &path, &headers, b"")
}

/// A token of someone for whom the resource is.
fn welcome(ledger: &Ledger, resource: &Resource) -> String {
    let role = match role_of(&resource.name) {
        For::Anyone | For::Callers | For::CallersOrLogReaders | For::Posters => "producer",
        For::Readers | For::LogReaders => "auditor",
        For::Admins => "admin",
    };
    format!("Bearer {}", ledger.token(role))
}

pub fn role_of(name: &str) -> For {
    let known: BTreeMap<&str, For> = RESOURCES.iter().copied().collect();
    *known.get(name).unwrap_or_else(|| panic!("{name} is new: say here for whom it is"))
}

#[test]
fn every_resource_is_for_those_that_it_is_said_to_be_for() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    let resources = described(&ledger);
    let there: BTreeSet<&str> = resources.iter().map(|resource| resource.name.as_str()).collect();
    let said: BTreeSet<&str> = RESOURCES.iter().map(|(name, _)| *name).collect();
    assert_eq!(there, said, "what the description has, and what is said here");
    let bearer = |role: &str| format!("Bearer {}", ledger.token(role));
    for resource in &resources {
        let name = &resource.name;
        let of = |authorization: &str| ask(&ledger, resource, "", Some(authorization));
        let role = role_of(name);
        let is_let_in = |answer: Answer| !matches!(answer.status, 401 | 403);
        let malformed = ["Bearer", "Bearer ", "Bearer nobody", "Basic bm9ib2R5", "nobody"];
        if role == For::Anyone {
            assert!(is_let_in(ask(&ledger, resource, "", None)), "{name} without a token");
            assert!(malformed.iter().all(|token| is_let_in(of(token))), "{name} with a malformed token");
            continue;
        }
        let nobody = ask(&ledger, resource, "", None);
        assert_eq!((nobody.status, nobody.problem().as_str()), (401, "unauthenticated"), "{name}: no token");
        assert!(nobody.header("www-authenticate").is_some(), "{name} does not say how to authenticate");
        for token in malformed {
            assert_eq!(of(token).problem(), "unauthenticated", "{name}: {token}");
        }
        // Who is not known learns nothing of what may be asked either.
        assert_eq!(ask(&ledger, resource, "bogus=1", None).status, 401, "{name}");
        if matches!(role, For::Readers | For::LogReaders | For::Admins) {
            let producer = of(&bearer("producer"));
            assert_eq!(
                (producer.status, producer.problem().as_str()),
                (403, "forbidden"),
                "{name}: a producer"
            );
        }
        if matches!(role, For::Admins | For::Posters) {
            for reader in ["auditor", "compliance"] {
                assert_eq!(of(&bearer(reader)).problem(), "forbidden", "{name}: {reader}");
            }
        }
        // A stream does not end: that it begins is looked at in its own tests.
        if name != "GET /v1/events/stream" {
            assert!(is_let_in(of(&welcome(&ledger, resource))), "{name}: those for whom it is");
        }
    }
}

#[test]
fn where_the_log_is_public_anyone_reads_the_log_and_nothing_else() {
    let ledger = Ledger::with_config("public_log = true\n");
    for resource in described(&ledger) {
        let status = ask(&ledger, &resource, "", None).status;
        let open =
            matches!(role_of(&resource.name), For::Anyone | For::CallersOrLogReaders | For::LogReaders);
        assert_eq!(status != 401, open, "{} answers {status} without a token", resource.name);
    }
}

/// One wording, everywhere: the names that it lists are those of the description.
#[test]
fn what_a_resource_does_not_know_is_refused_in_the_same_words_by_all() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    for resource in described(&ledger) {
        let (name, token) = (resource.name.as_str(), welcome(&ledger, &resource));
        let answer = ask(&ledger, &resource, "bogus=1", Some(&token));
        if ASKED_ANYHOW.contains(&name) {
            assert_eq!(answer.status, 200, "{name}");
            continue;
        }
        assert_eq!((answer.status, answer.problem().as_str()), (400, "bad-parameter"), "{name}?bogus=1");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        let listed = detail.strip_prefix("there is no parameter \"bogus\" here; there are: ");
        let listed = listed.unwrap_or_else(|| panic!("{name} has words of its own: {detail}"));
        let listed: BTreeSet<String> =
            listed.split(", ").filter(|name| *name != "none").map(str::to_owned).collect();
        if KNOW_FIELDS_OF_ROWS.contains(&name) {
            assert!(listed.is_superset(&resource.query), "{name}: {listed:?} lacks what is described");
        } else {
            assert_eq!(listed, resource.query, "{name}: what it knows, and what is described");
        }
    }
}

#[test]
fn what_is_said_twice_is_refused_by_all() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    for resource in described(&ledger) {
        if ASKED_ANYHOW.contains(&resource.name.as_str()) {
            continue;
        }
        let token = welcome(&ledger, &resource);
        for parameter in &resource.query {
            let answer = ask(&ledger, &resource, &format!("{parameter}=1&{parameter}=1"), Some(&token));
            assert_eq!(answer.problem(), "bad-parameter", "{} {parameter}", resource.name);
            let detail = answer.json()["detail"].as_str().unwrap().to_owned();
            assert_eq!(
                detail,
                format!("{parameter:?} must be there once; separate several values with commas"),
                "{}",
                resource.name
            );
        }
    }
}

/// The words of a refusal name the parameter: with nothing in it, each is either taken, or refused by its own name.
#[test]
fn what_is_described_is_known() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    for resource in described(&ledger) {
        // A stream does not end.
        if resource.name == "GET /v1/events/stream" || resource.method == "POST" {
            continue;
        }
        let token = welcome(&ledger, &resource);
        for parameter in &resource.query {
            let answer = ask(&ledger, &resource, &format!("{parameter}="), Some(&token));
            let said = answer.text();
            assert!(!said.contains("there is no parameter"), "{} {parameter}: {said}", resource.name);
            assert!(answer.status < 500, "{} {parameter}: {said}", resource.name);
        }
    }
}
