//! What touches an answer is told beside it, with where all of it is found.

use crate::kit::Ledger;
use daybook::spec::time::Timestamp;
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "auditor");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// Something done now.
fn event(id: &str, kind: &str, sequence: u64, data: Value) -> Value {
    let now = UNIX_EPOCH.elapsed().unwrap().as_micros() as i64;
    json!({
        "specversion": "1.0", "id": id, "source": "/it", "type": kind, "sequence": sequence.to_string(),
        "time": Timestamp::clamped(now).to_string(), "data": data,
    })
}

fn made(id: &str, sequence: u64, decision: &str, outcome: &str, example: &Value) -> Value {
    let mut data = example.clone();
    data["decision"] = json!(decision);
    data["outcome"] = json!(outcome);
    event(id, "decision.made", sequence, data)
}

/// Kind, count and names of the caveats of an answer.
fn told(answer: &Value) -> Vec<(String, u64, Vec<String>)> {
    let caveats = answer["caveats"].as_array().into_iter().flatten();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    caveats
        .map(|caveat| {
            let names = caveat["named"].as_array().unwrap().iter().map(|named| text(&named["name"]));
            (text(&caveat["kind"]), caveat["count"].as_u64().unwrap(), names.collect())
        })
        .collect()
}

#[test]
fn what_touches_an_answer_is_told_with_where_all_of_it_is() {
    let ledger = Ledger::empty();
    let example = ask(&ledger, "/v1/catalog/types/decision.made")["example"].clone();
    let first = ledger.record(&made("d-1", 1, "D-1", "approved", &example));
    assert_eq!(told(&ask(&ledger, &format!("/v1/decisions?min_seq={first}"))), []);
    // A number that nobody posted, another word of the same source, and a mistake.
    ledger.record(&made("d-2", 3, "D-2", "approved", &example));
    ledger.record(&made("d-3", 4, "D-1", "declined", &example));
    ledger.record(&made("d-4", 5, "D-4", "approved", &example));
    let correction = json!({"by": "user:u-1003", "target": {"source": "/it", "id": "d-4"}, "kind": "annul",
        "reason": "posted by mistake"});
    let last = ledger.record(&event("c-1", "event.corrected", 6, correction));
    let expected = [
        ("gaps".to_owned(), 1, vec!["/it".to_owned()]),
        ("conflicts".to_owned(), 1, vec!["D-1".to_owned()]),
        ("corrections".to_owned(), 1, vec![last.to_string()]),
    ];
    let list = ask(&ledger, &format!("/v1/decisions?min_seq={last}&limit=1"));
    assert_eq!(told(&list), expected);
    assert_eq!(told(&ask(&ledger, "/v1/decisions/stats")), expected);
    assert_eq!(told(&ask(&ledger, "/v1/controls/ER-4")), expected);
    // Whoever goes on has been told; and grants are not touched by decisions, nor by what a source lacks that posted none.
    let next = list["next"].as_str().unwrap();
    assert_eq!(told(&ask(&ledger, &format!("/v1/decisions?limit=1&cursor={next}"))), []);
    assert_eq!(told(&ask(&ledger, "/v1/access")), []);
    assert_eq!(told(&ask(&ledger, "/v1/access/reach?principal=user:u-1")), []);
    // As of then nobody had said anything else, and nothing was corrected. Gaps are known of now alone.
    assert_eq!(told(&ask(&ledger, &format!("/v1/decisions?as_of={first}"))), []);
    for caveat in list["caveats"].as_array().unwrap() {
        let all = ask(&ledger, caveat["link"].as_str().unwrap());
        assert_eq!(all["items"].as_array().unwrap().len(), 1, "{caveat}");
        for named in caveat["named"].as_array().unwrap() {
            ask(&ledger, named["link"].as_str().unwrap());
        }
    }
}

#[test]
fn of_what_sources_lack_an_answer_tells_only_what_may_touch_it() {
    let ledger = Ledger::empty();
    let numbered = |source: &str, kind: &str, sequence: u64| {
        let example = ask(&ledger, &format!("/v1/catalog/types/{kind}"))["example"].clone();
        let mut event = event(&format!("{kind}-{sequence}"), kind, sequence, example);
        event["source"] = json!(source);
        ledger.record(&event)
    };
    for (source, kind) in
        [("/decides", "decision.made"), ("/names", "role.assigned"), ("/grants", "access.granted")]
    {
        numbered(source, kind, 1);
        numbered(source, kind, 3);
    }
    // It lacks nothing, and one more has another kind of event that is counted as all others are.
    let last = numbered("/whole", "decision.made", 7);
    let gaps = |path: &str| -> Vec<(String, u64, Vec<String>)> {
        let answer = ask(&ledger, path);
        for caveat in answer["caveats"].as_array().into_iter().flatten() {
            let all = ask(&ledger, caveat["link"].as_str().unwrap());
            assert_eq!(all["items"].as_array().unwrap().len() as u64, caveat["count"], "{caveat}");
        }
        told(&answer).into_iter().filter(|(kind, ..)| kind == "gaps").collect()
    };
    let of = |source: &str| vec![("gaps".to_owned(), 1, vec![source.to_owned()])];
    assert_eq!(gaps(&format!("/v1/decisions?min_seq={last}")), of("/decides"));
    assert_eq!(gaps("/v1/access"), of("/grants"));
    // Whether a vote counts rests on the roles that are recorded.
    assert_eq!(gaps("/v1/approvals"), of("/names"));
    assert_eq!(gaps("/v1/escalations"), []);
    let types = &ask(&ledger, "/v1/sources?source=/names")["items"][0]["types"];
    assert_eq!(types, &json!(["role.assigned"]));
    assert!(ask(&ledger, "/v1/sources?type=approval.granted")["items"].as_array().unwrap().is_empty());
    assert_eq!(ledger.get("/v1/sources?type=role.asigned", "auditor").problem(), "bad-parameter");
    assert_eq!(ledger.get("/v1/sources?type=role.assigned,", "auditor").problem(), "bad-parameter");
}

#[test]
fn what_touches_tallies_is_told_beside_what_is_reckoned_from_them() {
    let ledger = Ledger::empty();
    let tally = |id: &str, sequence: u64, month: u64| {
        let cells = json!([{"group": {"sex": "f"}, "n": 300, "selected": 120},
            {"group": {"sex": "m"}, "n": 310, "selected": 150}]);
        let period = json!({"from": format!("2026-0{month}-01T00:00:00Z"),
            "to": format!("2026-0{}-01T00:00:00Z", month + 1)});
        event(
            id,
            "fairness.tallied",
            sequence,
            json!({"by": "app:producer", "model": "hire-rank",
            "version": "2.0", "period": period, "cells": cells, "unknown": 4}),
        )
    };
    let fairness = "/v1/decisions/fairness?model=hire-rank";
    let first = ledger.record(&tally("t-1", 1, 1));
    let answer = ask(&ledger, &format!("{fairness}&min_seq={first}"));
    assert_eq!((told(&answer), &answer["tallies"]), (Vec::new(), &json!(1)));
    ledger.record(&tally("t-2", 3, 2));
    let mut late = tally("t-3", 4, 3);
    late["time"] = json!("2026-01-02T09:30:00Z");
    let late = ledger.record(&late);
    let correction = json!({"by": "user:u-1003", "target": {"source": "/it", "id": "t-2"}, "kind": "annul",
        "reason": "counted twice"});
    let mut correction = event("c-1", "event.corrected", 1, correction);
    correction["source"] = json!("/corrections");
    let last = ledger.record(&correction);
    let answer = ask(&ledger, &format!("{fairness}&min_seq={last}"));
    assert_eq!(answer["tallies"], 2);
    let entry = |kind: &str, seq: u64| (kind.to_owned(), 1, vec![seq.to_string()]);
    let expected =
        [("gaps".to_owned(), 1, vec!["/it".to_owned()]), entry("late", late), entry("corrections", last)];
    assert_eq!(told(&answer), expected);
    assert_eq!(told(&ask(&ledger, &format!("{fairness}&as_of={late}"))), expected[1..2]);
    for caveat in answer["caveats"].as_array().unwrap() {
        let all = ask(&ledger, caveat["link"].as_str().unwrap());
        assert_eq!(all["items"].as_array().unwrap().len(), 1, "{caveat}");
    }
    assert_eq!(told(&ask(&ledger, "/v1/decisions")), []);
}

#[test]
fn approvals_by_people_without_a_recorded_right_are_told() {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let list = ask(&ledger, "/v1/approvals?limit=1");
    let unverified = ask(&ledger, "/v1/approvals?state=granted-unverified&limit=500");
    let unverified = unverified["items"].as_array().unwrap().len() as u64;
    let told = told(&list).into_iter().find(|(kind, ..)| kind == "unverified-authority");
    assert_eq!(told.map_or(0, |(_, count, _)| count), unverified);
}
