//! The edge, as the standards say: methods, headers, codings, what may be kept, and who else may read.

use crate::kit::{Answer, Ledger, event, event_with_id, text};
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Bytes over one connection; what came back until its end or silence.
fn raw(ledger: &Ledger, request: &str) -> String {
    let mut stream = TcpStream::connect(ledger.url.strip_prefix("http://").unwrap()).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while let Ok(read @ 1..) = stream.read(&mut piece) {
        answer.extend_from_slice(&piece[..read]);
    }
    text(&answer)
}

fn bearer(ledger: &Ledger, role: &str) -> String {
    format!("Bearer {}", ledger.token(role))
}

fn in_gzip(body: &[u8]) -> Vec<u8> {
    let mut packing = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    packing.write_all(body).unwrap();
    packing.finish().unwrap()
}

fn out_of_gzip(body: &[u8]) -> Vec<u8> {
    let mut unpacked = Vec::new();
    flate2::read::GzDecoder::new(body).read_to_end(&mut unpacked).unwrap();
    unpacked
}

#[test]
fn head_is_answered_wherever_get_is_with_the_same_headers_and_no_body() {
    let ledger = Ledger::empty();
    ledger.record(&event());
    ledger.wait_until_ready();
    let authorization = bearer(&ledger, "auditor");
    for path in [
        "/healthz",
        "/readyz",
        "/log/checkpoint",
        "/log/tile/0/000.p/1",
        "/log/tile/entries/000.p/2",
        "/openapi.json",
        "/docs/",
        "/v1/events",
        "/v1/events/1",
        "/v1/events/1/receipt",
        "/v1/approvals",
        "/v1/approvals/counts",
        "/v1/keys",
        "/v1/events/77",
        "/v1/nothing",
    ] {
        let ask = |method: &str| ledger.request(method, path, &[("authorization", &authorization)], b"");
        let (get, head) = (ask("GET"), ask("HEAD"));
        assert_eq!(head.status, get.status, "{path}");
        assert!(head.body.is_empty(), "{path}: {}", head.text());
        for name in ["content-type", "content-length", "cache-control", "vary", "etag"] {
            assert_eq!(head.header(name), get.header(name), "{path}: {name}");
        }
    }
    // The connection goes on with the next request, right after the head.
    let both = "HEAD /healthz HTTP/1.1\r\nHost: x\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n";
    let answered = raw(&ledger, both);
    assert_eq!(answered.matches("HTTP/1.1 200 OK").count(), 2, "{answered}");
    assert_eq!(answered.matches("ok\n").count(), 1, "{answered}");
    // A stream is not begun, and takes nobody's place.
    let asked =
        format!("HEAD /v1/events/stream HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n\r\n");
    let answered = raw(&ledger, &asked);
    assert!(answered.starts_with("HTTP/1.1 200") && answered.ends_with("\r\n\r\n"), "{answered}");
    // What has no GET has no HEAD.
    let answer = ledger.request("HEAD", "/v1/keys/rotate", &[("authorization", &authorization)], b"");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("POST")));
}

#[test]
fn a_body_in_gzip_is_recorded_and_held_to_the_same_bounds() {
    let ledger = Ledger::empty();
    let body = event_with_id("packed").to_string();
    let post = |coding: &str, body: &[u8]| {
        ledger.post_with("application/cloudevents+json", &[("content-encoding", coding)], body)
    };
    assert_eq!(post("gzip", &in_gzip(body.as_bytes())).status, 201);
    assert_eq!(ledger.get("/v1/events/1", "auditor").json()["event"]["id"], "packed");
    assert_eq!(post("identity", body.as_bytes()).header("daybook-replayed"), Some("true"));
    for coding in ["br", "deflate", "zstd", "gzip, gzip", "nonsense"] {
        let refused = post(coding, body.as_bytes());
        assert_eq!(
            (refused.status, refused.problem().as_str()),
            (415, "unsupported-content-encoding"),
            "{coding}"
        );
        assert_eq!(refused.header("accept-encoding"), Some("gzip, identity"), "{coding}");
    }
    assert_eq!(post("gzip", body.as_bytes()).problem(), "malformed");
    // A hundred megabytes in a hundred kilobytes: unpacked as far as an event may be long.
    let bomb = in_gzip(&vec![b' '; 100 << 20]);
    assert_eq!(post("gzip", &bomb).problem(), "too-large");
    let batch =
        ledger.post_with("application/cloudevents-batch+json", &[("content-encoding", "gzip")], &bomb);
    assert_eq!(batch.problem(), "too-large");
    assert!(ledger.resident_bytes() < 512 << 20, "{}", ledger.resident_bytes());
    assert_eq!(ledger.size(), 2);
}

#[test]
fn the_type_of_a_receipt_is_the_one_that_is_liked_best() {
    let ledger = Ledger::empty();
    let authorization = bearer(&ledger, "auditor");
    let accept = |accept: &str| {
        let headers = [("authorization", authorization.as_str()), ("accept", accept)];
        let answer = ledger.request("GET", "/v1/events/0/receipt", &headers, b"");
        assert_eq!(answer.header("vary"), Some("Accept"));
        answer.header("content-type").unwrap().to_owned()
    };
    for json in
        ["application/json", "APPLICATION/JSON", "text/plain;q=0.2, application/json;q=0.3", "application/*"]
    {
        assert_eq!(accept(json), "application/json", "{json}");
    }
    for text in ["*/*", "application/json;q=0", "application/json;q=0.2, text/plain", "text/html"] {
        assert_eq!(accept(text), "text/plain; charset=utf-8", "{text}");
    }
}

#[test]
fn a_bundle_comes_in_gzip_where_that_is_asked_for() {
    let ledger = Ledger::empty();
    ledger.post_batch(&(0..20).map(|_| event()).collect::<Vec<_>>());
    let authorization = bearer(&ledger, "auditor");
    let get = |path: &str, accepted: &str| {
        let headers = [("authorization", authorization.as_str()), ("accept-encoding", accepted)];
        ledger.request("GET", path, &headers, b"")
    };
    let bundle = "/log/tile/entries/000.p/21";
    let (plain, packed) = (get(bundle, "identity"), get(bundle, "br, gzip;q=0.8"));
    assert_eq!((plain.header("content-encoding"), packed.header("content-encoding")), (None, Some("gzip")));
    assert_eq!(out_of_gzip(&packed.body), plain.body);
    assert!(packed.body.len() < plain.body.len() * 3 / 4, "{} of {}", packed.body.len(), plain.body.len());
    for answer in [&plain, &packed, &get(bundle, "gzip;q=0")] {
        assert_eq!(answer.header("vary"), Some("Accept-Encoding"));
        assert_eq!(answer.header("cache-control"), Some("private, max-age=31536000, immutable"));
    }
    assert_eq!(get(bundle, "gzip;q=0").body, plain.body);
    // Hashes do not shrink.
    assert_eq!(get("/log/tile/0/000.p/21", "gzip").header("content-encoding"), None);
}

/// The resources that are public where the log is.
const OF_THE_LOG: &[&str] = &[
    "/log/checkpoint",
    "/log/tile/0/000.p/1",
    "/log/tile/entries/000.p/1",
    "/v1/keys",
    "/v1/proofs/inclusion?seq=0",
    "/v1/proofs/consistency?from=1",
    "/v1/events/0/receipt",
];

fn asked_by_a_page(ledger: &Ledger, method: &str, path: &str) -> Answer {
    let headers = [("origin", "https://regulator.example"), ("access-control-request-method", "GET")];
    ledger.request(method, path, &headers, b"")
}

#[test]
fn pages_of_other_sites_read_what_is_public_and_nothing_else() {
    let (public, private) = (Ledger::with_config("public_log = true\n"), Ledger::empty());
    for path in OF_THE_LOG {
        let answer = asked_by_a_page(&public, "GET", path);
        assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("*")), "{path}");
        let before = asked_by_a_page(&public, "OPTIONS", path);
        assert_eq!(
            (before.status, before.header("access-control-allow-methods")),
            (204, Some("GET, HEAD")),
            "{path}"
        );
        assert_eq!(before.header("access-control-allow-origin"), Some("*"), "{path}");
        for method in ["GET", "OPTIONS"] {
            let answer = asked_by_a_page(&private, method, path);
            assert!(matches!(answer.status, 401 | 405), "{path}");
            assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
        }
    }
    // A refusal can be read too.
    let refused = asked_by_a_page(&public, "GET", "/v1/events/99/receipt");
    assert_eq!(
        (refused.problem().as_str(), refused.header("access-control-allow-origin")),
        ("not-found", Some("*"))
    );
    for path in ["/v1/events", "/v1/events/0", "/v1/approvals", "/readyz", "/v1/keys/rotate", "/openapi.json"]
    {
        for method in ["GET", "OPTIONS"] {
            let answer = asked_by_a_page(&public, method, path);
            assert_eq!(answer.header("access-control-allow-origin"), None, "{method} {path}");
        }
    }
}

#[test]
fn what_is_private_is_kept_nowhere_and_the_page_loads_nothing_from_elsewhere() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    for path in [
        "/v1/events",
        "/v1/events/0",
        "/v1/events/0/receipt",
        "/v1/approvals",
        "/v1/keys",
        "/v1/catalog",
        "/v1/nothing",
    ] {
        assert_eq!(ledger.get(path, "auditor").header("cache-control"), Some("no-store"), "{path}");
    }
    assert_eq!(ledger.post(&event()).header("cache-control"), Some("no-store"));
    assert_eq!(ledger.get("/log/checkpoint", "auditor").header("cache-control"), Some("private, max-age=2"));
    let page = ledger.request("GET", "/docs/", &[], b"");
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("frame-ancestors 'none'"), "{policy}");
    assert!(policy.contains("script-src 'self';"), "{policy}");
    // What the policy forbids the page does not need: it has no script within itself, and names no other host.
    let html = page.text();
    let scripts: Vec<&str> =
        html.split("<script").skip(1).map(|rest| rest.split('>').next().unwrap()).collect();
    assert!(!scripts.is_empty() && scripts.iter().all(|script| script.contains("src=\"./")), "{scripts:?}");
    assert!(!html.contains("src=\"http") && !html.contains("href=\"http"), "{html}");
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
}

#[test]
fn a_header_that_decides_may_be_there_once() {
    let ledger = Ledger::empty();
    let (good, bad) = (bearer(&ledger, "auditor"), "Bearer nobody");
    for (path, first, second) in [
        ("/v1/events", good.as_str(), bad),
        ("/v1/events", bad, &good),
        ("/v1/events/stream", &good, &good),
        ("/healthz", &good, bad),
    ] {
        let headers = [("authorization", first), ("authorization", second)];
        let answer = ledger.request("GET", path, &headers, b"");
        assert_eq!((answer.status, answer.problem().as_str()), (400, "bad-parameter"), "{path}");
    }
    let twice = [("content-type", "application/cloudevents-batch+json")];
    let answer = ledger.post_with("application/cloudevents+json", &twice, event().to_string().as_bytes());
    assert_eq!(answer.problem(), "bad-parameter");
    assert_eq!(ledger.size(), 1);
}

#[test]
fn a_number_has_one_spelling_in_paths_and_queries() {
    let ledger = Ledger::empty();
    ledger.record(&event());
    ledger.wait_until_ready();
    let status = |path: &str| ledger.get(path, "auditor").status;
    for good in [
        "/v1/events/1",
        "/v1/events?limit=1",
        "/v1/events?min_seq=1",
        "/v1/proofs/inclusion?seq=1",
        "/v1/approvals?limit=5",
    ] {
        assert_eq!(status(good), 200, "{good}");
    }
    for other in ["01", "+1", "%2B1", "1.0", "1e0", "0x1", "%201", "-1", ""] {
        assert_eq!(status(&format!("/v1/events/{other}/receipt")), 404, "{other}");
        for query in [
            "events?limit",
            "events?min_seq",
            "proofs/inclusion?seq",
            "proofs/consistency?from",
            "approvals?limit",
            "approvals?min_seq",
        ] {
            assert_eq!(status(&format!("/v1/{query}={other}")), 400, "{query}={other}");
        }
    }
}

#[test]
fn a_time_or_a_date_is_read_alike_wherever_one_is_asked() {
    let ledger = Ledger::empty();
    ledger.record(&event());
    ledger.wait_until_ready();
    let places = [
        "/v1/approvals?at=",
        "/v1/approvals?as_of=",
        "/v1/approvals?due_from=",
        "/v1/events?from=",
        "/v1/events?to=",
        "/v1/subjects/APR-1/timeline?from=",
        "/v1/decisions/stats?model=m&from=",
    ];
    for place in places {
        for good in [
            "2026-01-01T00:00:00%2B02:00",
            "2026-01-01T00:00:00+02:00",
            "2026-01-01T00:00:00.5Z",
            "2026-01-01",
        ] {
            let answer = ledger.get(&format!("{place}{good}"), "auditor");
            assert_eq!(answer.status, 200, "{place}{good}: {}", answer.text());
        }
        for bad in ["2026-02-30", "2026-01", "yesterday", "2026-01-01T00:00:00"] {
            assert_eq!(
                ledger.get(&format!("{place}{bad}"), "auditor").problem(),
                "bad-parameter",
                "{place}{bad}"
            );
        }
    }
}

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
        ("authorization", bearer(&ledger, "auditor")),
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
fn a_stream_from_beyond_the_head_is_told_so() {
    let ledger = Ledger::empty();
    ledger.record(&event());
    let authorization = bearer(&ledger, "auditor");
    let resumed = |last: &str| {
        let headers = [("authorization", authorization.as_str()), ("last-event-id", last)];
        ledger.request("GET", "/v1/events/stream", &headers, b"")
    };
    for last in ["2", "1000", "18446744073709551614"] {
        let refused = resumed(last);
        assert_eq!((refused.status, refused.problem().as_str()), (404, "not-found"), "{last}");
        assert!(
            refused.json()["detail"].as_str().unwrap().contains("the log has 2 entries"),
            "{}",
            refused.text()
        );
    }
    assert_eq!(ledger.get("/v1/events/stream?from=3", "auditor").problem(), "not-found");
    // After the last entry, and at the place of the next one, there is something to wait for.
    for from in ["Last-Event-ID: 1\r\n", "X-From: 2\r\n"] {
        let query = if from.starts_with('X') { "?from=2" } else { "" };
        let asked = format!(
            "HEAD /v1/events/stream{query} HTTP/1.1\r\nHost: x\r\nAuthorization: {authorization}\r\n{from}\r\n"
        );
        let answered = raw(&ledger, &asked);
        assert!(answered.starts_with("HTTP/1.1 200"), "{answered}");
    }
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
