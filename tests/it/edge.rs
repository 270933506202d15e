//! The edge, as the standards say: methods, headers, codings, what may be kept, and who else may read.

use crate::kit::{Answer, Ledger, event, event_with_id, text};
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

/// A ledger that was put back has other entries where the page would go on, or none: it would end too soon, and not say so.
#[test]
fn a_page_that_goes_on_beyond_the_log_is_told_so() {
    let (longer, shorter) = (Ledger::empty(), Ledger::empty());
    longer.post_batch(&(0..5).map(|_| event()).collect::<Vec<_>>());
    for (ledger, last) in [(&longer, 5), (&shorter, 0)] {
        ledger.get(&format!("/v1/approvals?min_seq={last}"), "auditor");
    }
    let next = longer.get("/v1/events?limit=3", "auditor").json()["next"].as_str().unwrap().to_owned();
    let page = format!("/v1/events?limit=3&cursor={next}");
    assert_eq!(longer.get(&page, "auditor").json()["items"].as_array().unwrap().len(), 3);
    assert_eq!(shorter.get(&page, "auditor").problem(), "bad-cursor");
    let timeline = "/v1/subjects/APR-1/timeline?limit=2";
    let next = longer.get(timeline, "auditor").json()["next"].as_str().unwrap().to_owned();
    assert_eq!(shorter.get(&format!("{timeline}&cursor={next}"), "auditor").problem(), "bad-cursor");
}
