//! What may come in, in which forms, and what is refused with its place and recorded nowhere.

use crate::kit::{Ledger, daybook, event, succeeds};
use serde_json::{Value, json};

#[test]
fn all_three_modes_record_the_same_form() {
    let ledger = Ledger::empty();
    let structured = event();
    ledger.record(&structured);
    let plain = event();
    assert_eq!(
        ledger.post_with("application/json; charset=utf-8", &[], plain.to_string().as_bytes()).status,
        201
    );
    assert_eq!(ledger.post_batch(&[event()]).status, 201);
    let headers = [
        ("ce-specversion", "1.0"),
        ("ce-id", "binary-1"),
        ("ce-source", "/it"),
        ("ce-type", "approval.withdrawn"),
        ("ce-subject", "APR-%C3%A9"),
        ("ce-time", "2026-03-02T09:30:00Z"),
        ("ce-sequence", "00042"),
    ];
    let data = json!({"approval": "APR-1", "by": "user:u-1", "reason": "asked twice"});
    let answer = ledger.post_with("application/json", &headers, data.to_string().as_bytes());
    assert_eq!(answer.status, 201, "{}", answer.text());
    let recorded = ledger.get("/v1/events/4", "auditor").json()["event"].clone();
    assert_eq!(
        recorded,
        json!({
            "specversion": "1.0", "id": "binary-1", "source": "/it", "type": "approval.withdrawn", "subject": "APR-é",
            "time": "2026-03-02T09:30:00Z", "sequence": "00042", "datacontenttype": "application/json", "data": data,
        })
    );
}

#[test]
fn what_cannot_be_carried_faithfully_is_refused_with_its_place() {
    let ledger = Ledger::empty();
    let body = |data: &str| event().to_string().replace("\"asked twice\"", data);
    for (data, pointer) in [
        ("9007199254740993", "/data/reason"),
        ("[0,{\"x\":1e-400}]", "/data/reason/1/x"),
        ("0.10000000000000000555", "/data/reason"),
        ("{\"a\":1,\"a\":2}", "/data/reason/a"),
        ("\"\\ud800\"", "/data/reason"),
    ] {
        let answer = ledger.post_with("application/json", &[], body(data).as_bytes());
        assert_eq!((answer.status, answer.problem().as_str()), (400, "not-canonical"), "{data}");
        assert_eq!(answer.json()["pointer"], pointer, "{data}");
    }
    for body in [&b"{"[..], b"", b"\xff", b"[]", b"{\"specversion\":\"1.0\"}"] {
        assert_eq!(ledger.post_with("application/json", &[], body).status, 400);
    }
    let deep = body(&("[".repeat(70) + &"]".repeat(70)));
    assert_eq!(ledger.post_with("application/json", &[], deep.as_bytes()).problem(), "not-canonical");
    assert_eq!(ledger.size(), 1);
}

#[test]
fn numbers_come_back_as_their_canonical_text() {
    let ledger = Ledger::with_config("open_types = true\n");
    let body = r#"{"specversion":"1.0","id":"n","source":"/it","type":"free.form","data":{"a":1e16,"b":-0,"c":1.50,"d":"\u20ac"}}"#;
    assert_eq!(ledger.post_with("application/json", &[], body.as_bytes()).status, 201);
    let text = ledger.get("/v1/events/1", "auditor").text();
    assert!(text.contains(r#""data":{"a":10000000000000000,"b":0,"c":1.5,"d":"€"}"#), "{text}");
}

#[test]
fn an_unknown_type_is_refused_unless_the_ledger_is_open() {
    let mut unknown = event();
    unknown["type"] = json!("approval.witdrawn");
    let ledger = Ledger::empty();
    let answer = ledger.post(&unknown);
    assert_eq!((answer.status, answer.problem().as_str()), (422, "unknown-type"));
    assert!(answer.json()["detail"].as_str().unwrap().contains("did you mean \"approval.withdrawn\""));
    let open = Ledger::with_config("open_types = true\n");
    open.record(&unknown);
}

#[test]
fn data_is_held_against_the_schema_of_its_type() {
    let ledger = Ledger::empty();
    let mut wrong = event();
    wrong["data"] = json!({"approval": 7, "by": "user:u-1", "surprise": true});
    let answer = ledger.post(&wrong);
    assert_eq!((answer.status, answer.problem().as_str()), (422, "schema-violation"));
    let places: Vec<_> =
        answer.json()["errors"].as_array().unwrap().iter().map(|e| e["pointer"].to_string()).collect();
    assert!(
        places.contains(&"\"/data/approval\"".into()) && places.contains(&"\"/data/surprise\"".into()),
        "{places:?}"
    );
    let mut timeless = event();
    timeless.as_object_mut().unwrap().remove("time");
    assert_eq!(ledger.post(&timeless).json()["pointer"], "/time");
    assert_eq!(ledger.size(), 1);
}

#[test]
fn what_this_ledger_cannot_keep_safe_is_refused() {
    let ledger = Ledger::with_config("open_types = true\n");
    let refused = |change: &dyn Fn(&mut Value)| {
        let mut changed = event();
        change(&mut changed);
        ledger.post(&changed).problem()
    };
    assert_eq!(refused(&|e| e["datasubject"] = json!("p-1")), "personal-data-unsupported");
    assert_eq!(refused(&|e| e["data"]["personal"] = json!({"name": "A"})), "personal-data-unsupported");
    assert_eq!(refused(&|e| e["type"] = json!("ledger.created")), "reserved-type");
    assert_eq!(refused(&|e| e["producersignature"] = json!("x")), "producer-signature-unsupported");
    let headers = [("daybook-signature", "a+00000000 AAAA")];
    let signed = ledger.post_with("application/json", &headers, event().to_string().as_bytes());
    assert_eq!(signed.problem(), "producer-signature-unsupported");
    assert_eq!(ledger.size(), 1);
}

#[test]
fn what_is_too_large_is_refused_before_it_takes_memory() {
    let ledger = Ledger::with_config("open_types = true\n");
    let with = |bytes: usize| {
        json!({"specversion": "1.0", "id": "l", "source": "/it", "type": "x", "data": "x".repeat(bytes)})
            .to_string()
    };
    assert_eq!(ledger.post_with("application/json", &[], with(65_200).as_bytes()).problem(), "too-large");
    assert_eq!(ledger.post_with("application/json", &[], with(300_000).as_bytes()).status, 413);
    assert_eq!(ledger.post_with("application/json", &[], with(64_000).as_bytes()).status, 201);
    let too_many: Vec<_> = (0..1001).map(|_| event()).collect();
    assert_eq!(ledger.post_batch(&too_many).problem(), "too-large");
    let body = format!("[{}]", vec![with(60_000); 150].join(","));
    assert_eq!(ledger.post_with("application/cloudevents-batch+json", &[], body.as_bytes()).status, 413);
    assert_eq!(ledger.size(), 2);
    assert_eq!(ledger.verify().1, 0);
}

#[test]
fn other_content_types_are_told_what_to_send() {
    let ledger = Ledger::empty();
    let answer = ledger.post_with("text/xml", &[], b"<a/>");
    assert_eq!((answer.status, answer.problem().as_str()), (415, "unsupported-media-type"));
    assert!(answer.text().contains("application/cloudevents+json"));
}

#[test]
fn nobody_without_a_token_gets_in() {
    let ledger = Ledger::empty();
    let paths = [
        "/v1/events",
        "/v1/events/0",
        "/v1/events/0/receipt",
        "/v1/keys",
        "/log/checkpoint",
        "/v1/events/stream",
    ];
    for path in paths {
        let answer = ledger.request("GET", path, &[], b"");
        assert_eq!((answer.status, answer.problem().as_str()), (401, "unauthenticated"), "{path}");
        assert_eq!(answer.header("www-authenticate"), Some("Bearer realm=\"daybook\""));
        let wrong = ledger.request("GET", path, &[("authorization", "Bearer daybook_00")], b"");
        assert_eq!(wrong.status, 401, "{path}");
    }
    assert_eq!(ledger.request("POST", "/v1/events", &[], b"{}").status, 401);
}

#[test]
fn each_role_may_do_its_own() {
    let ledger = Ledger::demo();
    let status = |method: &str, path: &str, role: &str| {
        ledger
            .request(method, path, &[("authorization", &format!("Bearer {}", ledger.token(role)))], b"")
            .status
    };
    for role in ["compliance", "auditor", "admin"] {
        assert_eq!(status("GET", "/v1/events?limit=1", role), 200, "{role}");
        assert_eq!(status("GET", "/log/checkpoint", role), 200, "{role}");
        // An administrator may publish a change of the catalogue, and nothing else.
        let expected = if role == "admin" { 415 } else { 403 };
        assert_eq!(status("POST", "/v1/events", role), expected, "{role}");
    }
    let token = format!("Bearer {}", ledger.token("admin"));
    let headers = [("authorization", token.as_str()), ("content-type", "application/cloudevents+json")];
    let posted = ledger.request("POST", "/v1/events", &headers, event().to_string().as_bytes());
    assert_eq!(posted.problem(), "forbidden");
    for role in ["producer", "compliance", "auditor"] {
        assert_eq!(status("POST", "/v1/keys/rotate", role), 403, "{role}");
        assert_eq!(status("POST", "/v1/clock/confirm", role), 403, "{role}");
    }
    assert_eq!(status("GET", "/v1/events", "producer"), 403);
    assert_eq!(status("GET", "/v1/events/1", "producer"), 404, "a producer does not see what others posted");
    let seq = ledger.record(&event());
    assert_eq!(status("GET", &format!("/v1/events/{seq}"), "producer"), 200);
    assert_eq!(status("GET", &format!("/v1/events/{seq}/receipt"), "producer"), 200);
}

#[test]
fn a_token_posts_for_its_own_sources_and_opens_nothing_once_revoked() {
    let ledger = Ledger::empty();
    let made = succeeds(
        daybook()
            .args([
                "token",
                "create",
                "--actor",
                "app:loans",
                "--role",
                "producer",
                "--source",
                "/loans/*",
                "--types",
                "approval.*",
                "--speaks-for",
                "user:u-1",
                "--data",
            ])
            .arg(ledger.data()),
    );
    let token = format!("Bearer {}", made.trim());
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    let post = |source: &str| {
        let mut posted = event();
        posted["source"] = json!(source);
        let headers = [("authorization", token.as_str()), ("content-type", "application/cloudevents+json")];
        ledger.request("POST", "/v1/events", &headers, posted.to_string().as_bytes())
    };
    assert_eq!(post("/loans/eu").status, 201);
    let refused = post("/hiring");
    assert_eq!((refused.status, refused.problem().as_str()), (403, "source-not-allowed"));
    let list = succeeds(daybook().args(["token", "list", "--data"]).arg(ledger.data()));
    let id = list.lines().find(|line| line.contains("app:loans")).unwrap().split(' ').next().unwrap();
    succeeds(daybook().args(["token", "revoke", id, "--data"]).arg(ledger.data()));
    std::thread::sleep(std::time::Duration::from_millis(1_200));
    assert_eq!(post("/loans/eu").status, 401);
}

#[test]
fn paths_and_methods_that_are_not_there_are_told_apart() {
    let ledger = Ledger::empty();
    assert_eq!(ledger.request("GET", "/v1/nothing", &[], b"").problem(), "not-found");
    let answer = ledger.request("DELETE", "/v1/events/0", &[], b"");
    assert_eq!((answer.status, answer.header("allow")), (405, Some("GET, HEAD")));
    assert_eq!(ledger.get("/v1/events/99", "auditor").problem(), "not-found");
    assert_eq!(ledger.get("/v1/events/x", "auditor").problem(), "not-found");
    assert_eq!(ledger.get("/v1/events?lmit=3", "auditor").problem(), "bad-parameter");
}

#[test]
fn what_lies_ahead_is_refused_with_the_ledgers_time_and_a_slow_clock_is_borne() {
    let ledger = Ledger::empty();
    let in_minutes = |minutes: i64| {
        let time = chrono::Utc::now() + chrono::Duration::minutes(minutes);
        let mut ahead = event();
        ahead["time"] = json!(time.to_rfc3339_opts(chrono::SecondsFormat::Secs, true));
        ahead
    };
    assert_eq!(ledger.post(&in_minutes(4)).status, 201);
    let refused = ledger.post(&in_minutes(7));
    assert_eq!((refused.status, refused.problem().as_str()), (422, "ahead-of-time"));
    let problem = refused.json();
    assert_eq!(problem["pointer"], "/time");
    let ledger_time =
        problem["ledger_time"].as_str().unwrap().parse::<chrono::DateTime<chrono::Utc>>().unwrap();
    assert!((chrono::Utc::now() - ledger_time).num_seconds().abs() < 60, "{ledger_time}");
}
