//! The catalogue changes while the ledger runs, by an event like any other; and what was accepted stays what it was.

use crate::kit::{Answer, Ledger};
use serde_json::{Value, json};

fn publish_as(ledger: &Ledger, role: &str, id: &str, data: Value) -> Answer {
    let event = json!({
        "specversion": "1.0", "id": id, "source": "/it", "type": "catalog.published", "subject": "catalog",
        "time": "2026-03-02T09:30:00Z", "data": data,
    });
    let token = format!("Bearer {}", ledger.token(role));
    let headers = [("authorization", token.as_str()), ("content-type", "application/cloudevents+json")];
    ledger.request("POST", "/v1/events", &headers, event.to_string().as_bytes())
}

fn publication(version: u64, kind: Value) -> Value {
    json!({"by": "user:demo-admin", "publication": format!("CAT-{version}"), "version": version, "reason": "needed", "types": [kind]})
}

fn vault_opened(version: u32, grades: &[&str]) -> Value {
    json!({
        "name": "vault.opened", "version": version, "summary": "Somebody opened a vault.",
        "entity": {"family": "vault", "id": "vault"},
        "schema": {"required": ["vault"], "properties": {"vault": {"$ref": "#/$defs/id"}, "grade": {"enum": grades}}},
        "example": {"by": "user:u-1", "vault": "V-1"},
    })
}

fn opened(id: &str, grade: &str) -> Value {
    json!({
        "specversion": "1.0", "id": id, "source": "/it", "type": "vault.opened", "subject": "V-1",
        "time": "2026-03-02T09:30:00Z", "data": {"by": "user:u-1", "vault": "V-1", "grade": grade},
    })
}

#[test]
fn a_type_that_is_published_is_in_force_from_its_entry_on_and_after_a_restart() {
    let mut ledger = Ledger::empty();
    assert_eq!(ledger.post(&opened("0", "a")).problem(), "unknown-type");
    let mut first = publication(1, vault_opened(1, &["a", "b"]));
    first["registers"] = json!([{
        "name": "vaults", "summary": "Vaults.", "family": "vault", "key": ["vault"],
        "events": {"vault.opened": {"opens": "open"}}, "fields": ["grade"],
    }]);
    assert_eq!(publish_as(&ledger, "producer", "p-1", first.clone()).status, 403);
    let published = publish_as(&ledger, "admin", "p-1", first.clone());
    assert_eq!(published.status, 201, "{}", published.text());
    let seq = published.json()["seq"].as_u64().unwrap();
    // The same again is the same; it changes nothing a second time.
    let again = publish_as(&ledger, "admin", "p-1", first);
    assert_eq!((again.status, again.json()["seq"].as_u64()), (200, Some(seq)));

    let recorded = ledger.record(&opened("1", "b"));
    let row = ledger.get(&format!("/v1/registers/vaults/V-1?min_seq={recorded}"), "compliance");
    // The register may still be on its way from the ledger's beginning.
    assert!([200, 503].contains(&row.status), "{}", row.text());
    assert_eq!(ledger.post(&opened("2", "c")).problem(), "schema-violation");

    // What takes something back is refused, with its place and reason, and nothing is recorded.
    let size = ledger.size();
    let narrowed = publish_as(&ledger, "admin", "p-2", publication(2, vault_opened(2, &["a"])));
    assert_eq!(narrowed.status, 422);
    assert_eq!(narrowed.problem(), "publication-refused");
    assert_eq!(
        narrowed.json()["pointer"],
        "/data/types/0/schema/properties/grade/enum",
        "{}",
        narrowed.text()
    );
    assert_eq!(ledger.size(), size);
    assert_eq!(
        publish_as(&ledger, "admin", "p-2", publication(3, vault_opened(2, &["a"]))).json()["pointer"],
        "/data/version"
    );

    let grown = publish_as(&ledger, "admin", "p-2", publication(2, vault_opened(2, &["a", "b", "c"])));
    assert_eq!(grown.status, 201, "{}", grown.text());
    let later = grown.json()["seq"].as_u64().unwrap();
    ledger.record(&opened("2", "c"));

    let check = |ledger: &Ledger| {
        let catalog = ledger.get("/v1/catalog", "compliance").json();
        assert_eq!(
            (&catalog["version"], catalog["publications"].as_array().map(Vec::len)),
            (&json!(2), Some(2))
        );
        let kind =
            |as_of: u64| ledger.get(&format!("/v1/catalog/types/vault.opened?as_of={as_of}"), "compliance");
        assert_eq!(kind(seq).status, 404);
        assert_eq!(kind(recorded).json()["version"], 1);
        assert_eq!(kind(later).json()["version"], 1);
        let now = ledger.get("/v1/catalog/types/vault.opened", "compliance").json();
        assert_eq!(now["version"], 2);
        assert_eq!(now["versions"], json!([{"version": 1, "after": seq}, {"version": 2, "after": later}]));
        assert!(ledger.get("/openapi.json", "compliance").text().contains("vault.opened"));
    };
    check(&ledger);
    ledger.stop();
    ledger.restart();
    ledger.wait_until_ready();
    // Posting waits until the publications are read.
    let mut answer = ledger.post(&opened("3", "c"));
    for _ in 0..100 {
        if answer.status != 503 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        answer = ledger.post(&opened("3", "c"));
    }
    assert_eq!(answer.status, 201, "{}", answer.text());
    check(&ledger);
    let last = ledger.size() - 1;
    let mut row = ledger.get(&format!("/v1/registers/vaults/V-1?min_seq={last}"), "compliance");
    for _ in 0..100 {
        if row.status == 200 {
            break;
        }
        std::thread::sleep(std::time::Duration::from_millis(50));
        row = ledger.get("/v1/registers/vaults/V-1", "compliance");
    }
    assert_eq!(row.json()["events"]["vault.opened"], 3, "{}", row.text());
}

#[test]
fn a_publication_comes_alone_and_cannot_be_taken_back() {
    let ledger = Ledger::empty();
    let one = json!({
        "specversion": "1.0", "id": "p", "source": "/it", "type": "catalog.published", "time": "2026-03-02T09:30:00Z",
        "data": publication(1, vault_opened(1, &["a"])),
    });
    let token = format!("Bearer {}", ledger.token("admin"));
    let headers = [("authorization", token.as_str()), ("content-type", "application/cloudevents-batch+json")];
    let batch = ledger.request("POST", "/v1/events", &headers, json!([one]).to_string().as_bytes());
    assert_eq!((batch.status, batch.problem().as_str()), (422, "unprocessable"));
    let published = publish_as(&ledger, "admin", "p", publication(1, vault_opened(1, &["a"])));
    assert_eq!(published.status, 201, "{}", published.text());
    let correct = |id: &str, target: &str| {
        json!({
            "specversion": "1.0", "id": id, "source": "/it", "type": "event.corrected", "time": "2026-03-02T09:30:00Z",
            "data": {"by": "user:u-1", "target": {"source": "/it", "id": target}, "kind": "annul", "reason": "r"},
        })
    };
    for (id, target) in [("c-1", "p"), ("c-2", "nobody-posted-this"), ("c-3", "c-3")] {
        let answer = ledger.post(&correct(id, target));
        assert_eq!((answer.status, answer.problem().as_str()), (422, "unknown-target"), "{id}");
        assert_eq!(answer.json()["pointer"], "/data/target");
    }
    ledger.record(&opened("o", "a"));
    assert_eq!(ledger.post(&correct("c-4", "o")).status, 201);
}
