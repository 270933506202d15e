//! Events as the standard has them, whatever their mode and spelling: what is the same, what is recorded, and what an event
//! that is refused is told.

use crate::kit::{Ledger, event, event_with_id};
use serde_json::{Value, json};

fn numbered(id: &str, sequence: Value) -> Value {
    let mut numbered = event_with_id(id);
    numbered["source"] = json!("/it/numbered");
    numbered["sequence"] = sequence;
    numbered
}

#[test]
fn a_series_is_counted_whether_its_numbers_come_as_numbers_or_as_text() {
    let ledger = Ledger::empty();
    let events = [
        numbered("a", json!(3)),
        numbered("b", json!("4")),
        numbered("c", json!(8)),
        numbered("d", json!("0009")),
    ];
    assert_eq!(ledger.post_batch(&events).status, 201);
    let source = ledger.get("/v1/sources/%2Fit%2Fnumbered?min_seq=4", "auditor").json();
    assert_eq!(
        (&source["numbered"], &source["unreadable"], &source["missing"]),
        (&json!(4), &json!(0), &json!(3))
    );
    assert_eq!((&source["lowest"], &source["highest"]), (&json!(3), &json!(9)));
    assert_eq!(source["gaps"], json!([{"from": 5, "to": 7}]));
    assert_eq!(source["incomplete"], true);
}

#[test]
fn an_event_is_the_same_in_the_binary_and_in_the_structured_mode() {
    let ledger = Ledger::empty();
    let structured = numbered("both", json!(7));
    let seq = ledger.record(&structured);
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "both"),
        ("ce-source", "/it/numbered"),
        ("ce-type", "approval.withdrawn"),
        ("ce-subject", "APR-1"),
        ("ce-time", "2026-03-02T09:30:00Z"),
        ("ce-sequence", "7"),
    ];
    for content_type in ["application/json", "application/json; charset=utf-8"] {
        let again = ledger.post_with(content_type, &headers, structured["data"].to_string().as_bytes());
        assert_eq!((again.status, again.header("daybook-replayed")), (200, Some("true")), "{}", again.text());
        assert_eq!(again.json()["seq"], seq);
    }
    // What was submitted is what is recorded: a number stays one.
    let recorded = ledger.get(&format!("/v1/events/{seq}"), "auditor").json()["event"].clone();
    assert_eq!((&recorded["sequence"], recorded.get("datacontenttype")), (&json!(7), None));
    // And the other way round.
    let mut headers = headers;
    headers[1].1 = "other-way";
    assert_eq!(
        ledger.post_with("application/json", &headers, structured["data"].to_string().as_bytes()).status,
        201
    );
    let mut again = structured;
    again["id"] = json!("other-way");
    assert_eq!(ledger.post(&again).status, 200);
}

#[test]
fn an_attribute_that_is_null_is_not_there() {
    let ledger = Ledger::empty();
    let mut posted = event_with_id("nulls");
    posted["unsetextension"] = Value::Null;
    posted["subject"] = Value::Null;
    let seq = ledger.record(&posted);
    let recorded = ledger.get(&format!("/v1/events/{seq}"), "auditor").json()["event"].clone();
    assert_eq!((recorded.get("unsetextension"), recorded.get("subject")), (None, None));
    posted.as_object_mut().unwrap().retain(|_, value| !value.is_null());
    assert_eq!(ledger.post(&posted).status, 200, "the same event");
    posted["id"] = Value::Null;
    assert_eq!(ledger.post(&posted).json()["pointer"], "/id");
}

#[test]
fn an_empty_batch_is_valid_and_records_nothing() {
    let ledger = Ledger::empty();
    let answer = ledger.post_batch(&[]);
    assert_eq!((answer.status, answer.json()), (200, json!({"items": []})));
    assert_eq!(answer.header("daybook-replayed"), None);
    assert_eq!(ledger.size(), 1);
    let headers = [
        ("authorization", format!("Bearer {}", ledger.token("auditor"))),
        ("content-type", "application/cloudevents-batch+json".into()),
    ];
    let headers = headers.each_ref().map(|(name, value)| (*name, value.as_str()));
    assert_eq!(ledger.request("POST", "/v1/events", &headers, b"[]").problem(), "forbidden");
}

#[test]
fn a_format_of_events_that_is_not_read_is_no_event_in_the_binary_mode() {
    let ledger = Ledger::empty();
    let headers =
        [("ce-specversion", "1.0"), ("ce-id", "x"), ("ce-source", "/it"), ("ce-type", "approval.withdrawn")];
    for content_type in
        ["application/cloudevents+xml", "application/cloudevents-batch+avro", "application/cloudevents"]
    {
        let answer = ledger.post_with(content_type, &headers, b"<event/>");
        assert_eq!(
            (answer.status, answer.problem().as_str()),
            (415, "unsupported-media-type"),
            "{content_type}"
        );
    }
}

#[test]
fn a_conflict_names_what_differs_and_not_what_is_in_it() {
    let ledger = Ledger::empty();
    ledger.record(&event_with_id("taken"));
    let mut other = event_with_id("taken");
    other["time"] = json!("2026-03-02T09:31:00Z");
    other["data"]["reason"] = json!("a secret");
    let refused = ledger.post(&other);
    assert_eq!((refused.status, refused.problem().as_str()), (409, "identity-conflict"));
    assert_eq!(refused.json()["differs"], json!(["/data/reason", "/time"]));
    let detail = refused.json()["detail"].as_str().unwrap().to_owned();
    assert!(
        detail.contains("/data/reason, /time differ")
            && detail.contains("a retry keeps everything, its time too"),
        "{detail}"
    );
    assert!(
        !refused.text().contains("asked twice") && !refused.text().contains("09:30"),
        "{}",
        refused.text()
    );
    // In a batch, by place; of two in one batch as well.
    let (first, mut twin) = (event_with_id("twin"), event_with_id("twin"));
    twin["subject"] = json!("APR-2");
    let refused = ledger.post_batch(&[event(), other, first.clone()]).json();
    assert_eq!(refused["differs"], json!(["/1/data/reason", "/1/time"]));
    assert_eq!(refused["errors"][0]["pointer"], "/1/id");
    assert_eq!(ledger.post_batch(&[first, twin]).json()["differs"], json!(["/1/subject"]));
    assert_eq!(ledger.size(), 2);
}

#[test]
fn nothing_new_is_called_by_a_word_of_the_api() {
    let ledger = Ledger::empty();
    let requested = |id: &str| {
        json!({
            "specversion": "1.0", "id": format!("r-{id}"), "source": "/it", "type": "access.granted",
            "time": "2026-03-01T09:30:00Z",
            "data": {
                "by": "user:o", "request": "R", "grant": id,
                "resource": {"kind": "dataset", "id": "d", "environment": "production"},
                "grantee": {"kind": "person", "id": "user:p"}, "operations": ["read"], "purpose": "p",
                "legal_basis": "gdpr-6-1-f", "valid_from": "2026-01-01T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z",
                "grantee_unit": "a", "owner_unit": "b",
            },
        })
    };
    for id in ["counts", "requests", "uses", "uncovered", "role-ended", "readers", "reach", ".", ".."] {
        let refused = ledger.post(&requested(id));
        assert_eq!((refused.status, refused.problem().as_str()), (422, "schema-violation"), "{id}");
        assert_eq!(refused.json()["pointer"], "/data/grant", "{id}");
    }
    for id in ["count", "Counts", "a/b", "a/counts", "a:b", "x.y_z-"] {
        let seq = ledger.record(&requested(id));
        let list = ledger.get(&format!("/v1/access?min_seq={seq}&limit=1"), "auditor").json();
        let address = list["items"][0]["links"]["self"].as_str().unwrap().to_owned();
        assert_eq!(ledger.get(&address, "auditor").json()["id"], id, "{address}");
    }
}

#[test]
fn numbers_that_printers_of_doubles_write_get_in_and_ids_that_would_change_do_not() {
    let ledger = Ledger::with_config("open_types = true\n");
    let body = |id: &str, number: &str| {
        format!(
            r#"{{"specversion":"1.0","id":"{id}","source":"/it","type":"free.form","data":{{"n":[{number}]}}}}"#
        )
    };
    let post = |body: String| ledger.post_with("application/json", &[], body.as_bytes());
    assert_eq!(post(body("a", "0.10000000000000001")).status, 201);
    assert!(ledger.get("/v1/events/1", "auditor").text().contains(r#""n":[0.1]"#));
    // The recorded form is what is compared.
    assert_eq!(post(body("a", "0.1")).header("daybook-replayed"), Some("true"));
    assert_eq!(post(body("a", "1e-1")).header("daybook-replayed"), Some("true"));
    for (number, form) in
        [("9007199254740993", "9007199254740992"), ("90071992547409.93", "90071992547409.94")]
    {
        let refused = post(body("b", number));
        assert_eq!((refused.status, refused.problem().as_str()), (400, "not-canonical"), "{number}");
        assert_eq!(refused.json()["pointer"], "/data/n/0");
        let detail = refused.json()["detail"].as_str().unwrap().to_owned();
        assert!(
            detail.contains(form) && detail.contains("more than 15 digits belong in strings"),
            "{detail}"
        );
    }
    assert_eq!(ledger.verify().1, 0);
}
