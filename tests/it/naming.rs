//! An empty list is never the answer to a slip of the pen: a word that there is not is refused with those that there are,
//! and a name that the ledger never heard of is said to be one.

use crate::kit::{Ledger, event};
use serde_json::{Value, json};

fn demo() -> Ledger {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    ledger
}

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "auditor");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

#[test]
fn a_word_that_there_is_not_is_refused_with_those_that_there_are() {
    let ledger = demo();
    for (path, words, meant) in [
        ("approvals?state=grantd", "pending, rejected", Some("granted")),
        ("approvals?state=granted,pendng", "granted-unverified", Some("pending")),
        ("approvals?risk_class=hihg", "high, limited, minimal", Some("high")),
        ("approvals?validity=in_force", "not-yet, in-force, expired", Some("in-force")),
        ("access?state=revokd", "expired, granted, revoked, scheduled, unopened", Some("revoked")),
        ("access/requests?state=asked", "granted, rejected, requested", None),
        ("access/uses?outcome=alowed", "allowed or denied", Some("allowed")),
        ("access/uses?state=alowed", "allowed, denied", Some("allowed")),
        ("access/uncovered?outcome=deneid", "allowed or denied", Some("denied")),
        ("decisions?mode=automatic", "assisted or automated", Some("automated")),
        ("decisions?state=overriden", "confirmed, contested, made, overridden", Some("overridden")),
        ("escalations?severity=hgih", "critical, high, low, medium", Some("high")),
        ("escalations?state=resolvd", "acknowledged, closed, lowered, opened", Some("resolved")),
        ("registers/models?state=aktive", "", None),
        (
            "registers/datasets?sensitivity=confidental",
            "confidential, internal, public",
            Some("confidential"),
        ),
        ("controls/ER-4/members?state=maed", "confirmed, contested", Some("made")),
        ("controls?domain=ethic", "ethics", Some("ethics")),
        ("controls?population=decision", "decisions", Some("decisions")),
        ("corrections?standing=inforce", "in-force, overtaken", Some("in-force")),
        ("decisions/stats?by=modle", "model, version, day, outcome, none", Some("model")),
        ("decisions/fairness?model=hire-rank&kind=talied", "tallied or observed", Some("tallied")),
        ("approvals/counts?by=knid", "state, conflict, kind", Some("kind")),
        ("subjects/credit-line/timeline?type=decision.mad", "/v1/catalog/types", Some("decision.made")),
        ("subjects/credit-line/timeline?type=decision.made,x.y", "/v1/catalog/types", None),
        ("subjects/credit-line/timeline?order=descc", "asc or desc", Some("desc")),
        ("subjects/credit-line/timeline?expand=evnt", "event", Some("event")),
        ("events?type=aproval.granted", "/v1/catalog/types", Some("approval.granted")),
        ("events?order=descc", "asc or desc", Some("desc")),
        ("events?type=ledger.key_rotatd", "/v1/catalog/types", Some("ledger.key_rotated")),
        ("events/stream?type=decision.maed", "/v1/catalog/types", Some("decision.made")),
    ] {
        let answer = ledger.get(&format!("/v1/{path}"), "auditor");
        assert_eq!((answer.status, answer.problem().as_str()), (400, "bad-parameter"), "{path}");
        let detail = answer.json()["detail"].as_str().unwrap().to_owned();
        assert!(detail.contains(words), "{path}: {detail}");
        match meant {
            Some(meant) => {
                assert!(detail.ends_with(&format!("; did you mean {meant:?}?")), "{path}: {detail}")
            }
            None => assert!(!detail.contains("did you mean"), "{path}: {detail}"),
        }
    }
    // Every word that an answer shows can be asked for.
    for view in ["approvals", "access", "access/requests", "access/uses", "decisions", "escalations"] {
        for state in ask(&ledger, &format!("/v1/{view}/counts"))["items"].as_array().unwrap() {
            let state = state["value"].as_str().unwrap();
            let listed = ask(&ledger, &format!("/v1/{view}?state={state}"));
            assert_eq!(listed["known"], true, "{view} {state}");
        }
    }
    for register in ask(&ledger, "/v1/registers")["items"].as_array().unwrap() {
        let name = register["name"].as_str().unwrap();
        for state in register["states"].as_array().unwrap() {
            let path = format!("/v1/registers/{name}?state={}", state.as_str().unwrap());
            assert_eq!(ledger.get(&path, "auditor").status, 200, "{path}");
        }
        for row in ask(&ledger, &format!("/v1/registers/{name}?limit=500"))["items"].as_array().unwrap() {
            let path = format!("/v1/registers/{name}?state={}", row["state"].as_str().unwrap());
            assert_eq!(ledger.get(&path, "auditor").status, 200, "{path}");
        }
    }
    // Types of the ledger's own, and those that were never recorded, are known.
    for ty in ["ledger.created", "ledger.restored", "ledger.clock_confirmed", "campaign.opened"] {
        assert_eq!(ledger.get(&format!("/v1/events?type={ty}"), "auditor").status, 200, "{ty}");
    }
}

#[test]
fn a_name_that_the_ledger_never_heard_of_is_said_to_be_one() {
    let ledger = demo();
    let unheard = [
        ("access?principal=user:u-9999", "principal"),
        ("access?resource=dataset/loans-cor", "resource"),
        ("access?resource=datset/loans-core", "resource"),
        ("access?purpose=campain", "purpose"),
        ("access?owner=user:u-9999", "owner"),
        ("access?source=/nowhere", "source"),
        ("access?by=user:u-9999", "by"),
        ("access/readers?resource=dataset/nothing", "resource"),
        ("access/readers?resource=dataset/loans-core&purpose=campain", "purpose"),
        ("access/reach?principal=user:u-9999", "principal"),
        ("access/uncovered?principal=user:u-9999", "principal"),
        ("access/role-ended?principal=user:u-9999", "principal"),
        ("approvals?requested_by=user:u-9999", "requested_by"),
        ("approvals?target=model/nothing", "target"),
        ("decisions?model=credit-lime", "model"),
        ("decisions?model_version=credit-line@9.9", "model_version"),
        ("decisions?system=SYS-9999", "system"),
        ("decisions?case=LN-9999-9999", "case"),
        ("decisions?id=D-9999", "id"),
        ("decisions/stats?model=credit-lime", "model"),
        ("decisions/stats?model=credit-line&version=9.9", "version"),
        ("decisions/stats?version=9.9", "version"),
        ("decisions/fairness?model=hire-rnak", "model"),
        ("decisions/fairness?model=hire-rank&version=9.9", "version"),
        ("escalations?assigned_to=user:u-9999", "assigned_to"),
        ("registers/models?owner=user:u-9999", "owner"),
        ("controls/ER-4/evidence?member=D-9999", "member"),
        ("controls/ER-4/members?model=credit-lime", "model"),
        ("corrections?source=/nowhere", "source"),
        ("sources?source=/nowhere", "source"),
        ("subjects/LN-9999-9999/timeline", "subject"),
        ("events?source=/nowhere", "source"),
        ("events?subject=LN-9999-9999", "subject"),
        ("events?actor=app:nobody", "actor"),
    ];
    for (path, parameter) in unheard {
        let answer = ask(&ledger, &format!("/v1/{path}"));
        assert_eq!(answer["known"], false, "{path}: {answer}");
        let named: Vec<&String> = answer["unknown"].as_object().unwrap().keys().collect();
        assert_eq!(named, [parameter], "{path}");
        if let Some(items) = answer["items"].as_array() {
            assert!(items.is_empty(), "{path}");
        }
    }
    // Heard of, whether or not anything fits.
    for path in [
        "access",
        "access?principal=user:u-1031",
        "access?principal=user:u-1031&state=scheduled",
        "access?resource=dataset/loans-core&opened_from=2999-01-01",
        "access?by=user:u-1031&opened_from=2999-01-01",
        "access/readers?resource=dataset/loans-core&at=1999-01-01",
        "access/reach?principal=user:u-1031&at=1999-01-01",
        "approvals?requested_by=app:credit-line",
        "decisions?model=hire-rank&opened_from=2999-01-01",
        "decisions?model_version=credit-line@1.2&opened_from=2999-01-01",
        "decisions/stats?model=credit-line&from=2999-01-01",
        "decisions/fairness?model=credit-line",
        "corrections?source=/northgate/credit-line",
        "events?actor=ledger&from=999999",
        "subjects/credit-line/timeline?type=campaign.opened",
        "sources?source=/northgate/credit-line&incomplete=true",
    ] {
        let answer = ask(&ledger, &format!("/v1/{path}"));
        assert_eq!((&answer["known"], &answer["unknown"]), (&json!(true), &Value::Null), "{path}: {answer}");
    }
    // Of several, those that were heard of are answered for, and the others named.
    let answer = ask(&ledger, "/v1/decisions?model=credit-line,credit-lime");
    assert!(!answer["items"].as_array().unwrap().is_empty());
    assert_eq!((&answer["known"], &answer["unknown"]), (&json!(false), &json!({"model": ["credit-lime"]})));
}

#[test]
fn a_name_is_heard_of_from_its_first_entry_on() {
    let ledger = Ledger::empty();
    let mut first = event();
    first["data"]["by"] = json!("user:early");
    let before = ledger.record(&first);
    let mut second = event();
    second["data"]["by"] = json!("user:late");
    second["source"] = json!("/it/late");
    second["subject"] = json!("APR-late");
    second["data"]["approval"] = json!("APR-late");
    let after = ledger.record(&second);
    for (path, name) in [
        ("access?principal=user:late", "principal"),
        ("approvals?by=user:late", "by"),
        ("approvals?id=APR-late", "id"),
        ("approvals?source=/it/late", "source"),
        ("subjects/APR-late/timeline", "subject"),
        ("subjects/user:late/timeline", "subject"),
        ("corrections?source=/it/late", "source"),
    ] {
        let joined = if path.contains('?') { '&' } else { '?' };
        let then = ask(&ledger, &format!("/v1/{path}{joined}as_of={before}"));
        assert_eq!(
            (&then["known"], then["unknown"][name].is_array()),
            (&json!(false), true),
            "{path}: {then}"
        );
        let now = ask(&ledger, &format!("/v1/{path}{joined}as_of={after}"));
        assert_eq!((&now["known"], &now["unknown"]), (&json!(true), &Value::Null), "{path}: {now}");
    }
    // An open ledger takes types that no catalogue knows: they are known once there is one.
    let open = Ledger::with_config("open_types = true\n");
    assert_eq!(open.get("/v1/events?type=of.ours", "auditor").problem(), "bad-parameter");
    let mut ours = event();
    ours["type"] = json!("of.ours");
    let seq = open.record(&ours);
    assert_eq!(ask(&open, "/v1/events?type=of.ours")["items"][0]["seq"], seq);
}
