//! Names that a reader takes for one another are listed, and told beside what is answered about them.

use crate::kit::Ledger;
use daybook::spec::time::Timestamp;
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "auditor");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn decide(ledger: &Ledger, source: &str, id: &str, decision: &str) -> u64 {
    let mut data = ask(ledger, "/v1/catalog/types/decision.made")["example"].clone();
    data["decision"] = json!(decision);
    let now = Timestamp::clamped(UNIX_EPOCH.elapsed().unwrap().as_micros() as i64).to_string();
    ledger.record(&json!({
        "specversion": "1.0", "id": id, "source": source, "type": "decision.made", "time": now, "data": data,
    }))
}

const COLUMNS: [&str; 6] = ["kind", "name", "event", "like", "like_event", "more"];

/// Kind, name and what it is like of all pairs.
fn pairs(ledger: &Ledger, filter: &str) -> Vec<(String, String, String)> {
    let (mut pairs, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = ask(ledger, &format!("/v1/look-alikes?limit=2{filter}{cursor}"));
        for item in page["items"].as_array().unwrap() {
            let text = |name: &str| item[name].as_str().unwrap().to_owned();
            pairs.push((text("kind"), text("name"), text("like")));
        }
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return pairs,
        }
    }
}

fn text([kind, name, like]: [&str; 3]) -> (String, String, String) {
    (kind.to_owned(), name.to_owned(), like.to_owned())
}

#[test]
fn names_that_look_alike_are_listed_and_told_beside_answers() {
    let ledger = Ledger::empty();
    let first = decide(&ledger, "/bank/cases", "e-1", "CLD-120");
    decide(&ledger, "/bank/cases", "e-2", "CLD-121");
    assert_eq!(pairs(&ledger, &format!("&min_seq={}", ledger.size() - 1)), []);
    decide(&ledger, "/bank/cases", "e-3", "CLD-12O");
    let again = decide(&ledger, "/bank/cases", "e-4", "cld_0120");
    decide(&ledger, "/Bank/Cases", "e-5", "CLD-122");
    // Heard again, and the same name of another kind.
    let last = decide(&ledger, "/bank/\u{441}ases", "e-6", "CLD-12O");
    let all = [
        ["decision", "CLD-12O", "CLD-120"],
        ["decision", "cld_0120", "CLD-120"],
        ["source", "/Bank/Cases", "/bank/cases"],
        ["source", "/bank/\u{441}ases", "/bank/cases"],
    ]
    .map(text);
    assert_eq!(pairs(&ledger, &format!("&min_seq={last}")), all);
    assert_eq!(pairs(&ledger, "&kind=source"), all[2..]);
    assert_eq!(pairs(&ledger, "&kind=source,decision"), all);
    assert_eq!(pairs(&ledger, "&kind=approval"), []);
    assert_eq!(pairs(&ledger, &format!("&as_of={again}")), all[..2]);
    assert_eq!(pairs(&ledger, &format!("&as_of={first}")), []);
    assert_eq!(ledger.get("/v1/look-alikes?kind=desicion", "auditor").problem(), "bad-parameter");
    // The entries that brought the names are named.
    let item = &ask(&ledger, "/v1/look-alikes?kind=decision")["items"][0];
    assert_eq!(item["like_event"], format!("/v1/events/{first}"));
    assert_eq!(ask(&ledger, item["event"].as_str().unwrap())["event"]["data"]["decision"], "CLD-12O");
    // And as a table, in which nothing of an item is left out but what it does not have.
    let token = format!("Bearer {}", ledger.token("auditor"));
    let headers = [("authorization", token.as_str()), ("accept", "text/csv")];
    let table = ledger.request("GET", "/v1/look-alikes?kind=decision", &headers, b"").text();
    let mut lines = table.lines();
    assert_eq!(lines.next(), Some(COLUMNS.join(",").as_str()));
    assert!(lines.next().unwrap().starts_with("decision,CLD-12O,/v1/events/"), "{table}");
    assert!(item.as_object().unwrap().keys().all(|name| COLUMNS.contains(&name.as_str())), "{item}");
    assert_eq!(lines.count(), 1, "{table}");
    // Beside answers about decisions stand all of them, and beside those about approvals the sources alone.
    let caveat = |path: &str| {
        let answer = ask(&ledger, path);
        let caveats = answer["caveats"].as_array().cloned().unwrap_or_default();
        caveats.into_iter().find(|caveat| caveat["kind"] == "look-alikes")
    };
    for (path, expected) in
        [("/v1/decisions", &all[..]), ("/v1/approvals", &all[2..]), ("/v1/access", &all[2..])]
    {
        let caveat = caveat(path).unwrap();
        assert_eq!(caveat["count"], expected.len(), "{path}");
        let whole = ask(&ledger, caveat["link"].as_str().unwrap());
        assert_eq!(whole["items"].as_array().unwrap().len(), expected.len(), "{path}");
        let named = caveat["named"].as_array().unwrap();
        assert_eq!(named.len(), expected.len());
        assert_eq!(
            (&named[0]["name"], &named[0]["like"]),
            (&json!("/bank/\u{441}ases"), &json!("/bank/cases"))
        );
        assert_eq!(named[0]["link"], format!("/v1/events/{last}"));
    }
    assert_eq!(caveat(&format!("/v1/decisions?as_of={first}")), None);
    let then = caveat(&format!("/v1/decisions?as_of={again}")).unwrap();
    assert_eq!(then["count"], 2);
}

#[test]
fn a_thousand_look_alikes_are_some_pairs_and_the_last_says_that_there_are_more() {
    let ledger = Ledger::empty();
    let example = ask(&ledger, "/v1/catalog/types/decision.made")["example"].clone();
    let name = |number: u64| -> String {
        let letter = |place: u64| if number >> place & 1 == 1 { 'A' } else { 'a' };
        (0..10).map(letter).collect()
    };
    let events: Vec<Value> = (0..1_000)
        .map(|number| {
            let mut data = example.clone();
            data["decision"] = json!(name(number));
            json!({
                "specversion": "1.0", "id": format!("e-{number}"), "source": "/it", "type": "decision.made",
                "time": "2026-03-02T09:30:00Z", "data": data,
            })
        })
        .collect();
    let answer = ledger.post_batch(&events);
    assert!(answer.status < 300, "{}", answer.text());
    let last = ledger.size() - 1;
    let list = ask(&ledger, &format!("/v1/look-alikes?kind=decision&limit=500&min_seq={last}"));
    let items = list["items"].as_array().unwrap();
    // So many are kept, and the last one says that there are more.
    assert_eq!((items.len(), &items[31]["more"], items[30].get("more")), (32, &json!(true), None));
    let answer = ask(&ledger, "/v1/decisions?limit=1");
    let caveat =
        answer["caveats"].as_array().unwrap().iter().find(|caveat| caveat["kind"] == "look-alikes").unwrap();
    assert_eq!((&caveat["count_at_least"], caveat.get("count")), (&json!(32), None));
}
