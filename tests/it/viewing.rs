//! The views over the real service: the questions of a compliance officer, as of another day too; and that they come
//! back the same, whatever happens to them.

use crate::kit::{Ledger, daybook, event_with_id, succeeds};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::time::Duration;

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "compliance");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    assert!(answer.header("daybook-applied-seq").is_some(), "{path}");
    answer.json()
}

/// The demo, whose views have everything.
fn demo() -> Ledger {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    ask(&ledger, &format!("/v1/approvals?min_seq={}", ledger.size() - 1));
    ledger
}

fn ids(list: &Value) -> Vec<&str> {
    list["items"].as_array().unwrap().iter().map(|item| item["id"].as_str().unwrap()).collect()
}

/// Name, rows and digest of each view, once all have everything.
fn digests(ledger: &Ledger) -> BTreeMap<String, (u64, String)> {
    let size = ledger.size();
    ask(ledger, &format!("/v1/approvals?limit=1&min_seq={}", size - 1));
    for _ in 0..200 {
        let views = ask(ledger, "/v1/views");
        let items = views["items"].as_array().unwrap();
        if items.iter().all(|view| view["building"] == false && view["applied"] == size) {
            let of =
                |view: &Value| (view["rows"].as_u64().unwrap(), view["digest"].as_str().unwrap().to_owned());
            return items.iter().map(|view| (view["name"].as_str().unwrap().to_owned(), of(view))).collect();
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    panic!("the views did not catch up: {}", ledger.stderr());
}

#[test]
fn who_could_read_the_loan_book_on_a_day_as_known_on_another() {
    let ledger = demo();
    let now = ask(&ledger, "/v1/access/readers?resource=dataset/loans-core&operation=read&limit=200");
    let readers = |answer: &Value| -> Vec<(String, String)> {
        let way = |way: &Value| {
            (way["principal"].as_str().unwrap().to_owned(), way["grant"].as_str().unwrap().to_owned())
        };
        answer["items"].as_array().unwrap().iter().map(way).collect()
    };
    assert!(readers(&now).iter().any(|(principal, _)| principal == "app:credit-line"), "{now}");
    // Month 4: a revocation takes effect on one day and is recorded seven days later. In between, what held and what was
    // known differ.
    let revoked = ask(&ledger, "/v1/access?state=revoked&limit=500");
    let mut late = None;
    for grant in revoked["items"].as_array().unwrap() {
        let history = ask(&ledger, grant["links"]["history"].as_str().unwrap());
        let items = history["items"].as_array().unwrap();
        let Some(change) = items.iter().find(|change| change["type"] == "access.revoked") else { continue };
        let entry = ledger.get(change["event"].as_str().unwrap(), "compliance").json();
        let recorded = entry["time"].as_str().unwrap().to_owned();
        if recorded[..10] > change["effective_at"].as_str().unwrap()[..10] {
            late = Some((
                grant.clone(),
                change["effective_at"].as_str().unwrap().to_owned(),
                change["seq"].as_u64().unwrap(),
            ));
        }
    }
    let (grant, effective, seq) = late.expect("the story has a late revocation");
    let resource = &grant["fields"]["resource"];
    let resource = format!("{}/{}", resource["kind"].as_str().unwrap(), resource["id"].as_str().unwrap());
    let holds = |as_of: u64| {
        let path = format!("/v1/access/readers?resource={resource}&limit=500&at={effective}&as_of={as_of}");
        readers(&ask(&ledger, &path)).iter().any(|(_, of)| *of == grant["id"].as_str().unwrap())
    };
    assert!(holds(seq - 1), "nobody knew of it yet");
    assert!(!holds(seq), "now it is known");
}

#[test]
fn an_approval_shows_who_voted_with_which_authority_and_what_was_corrected() {
    let ledger = demo();
    // Month 9: a delegate approves his own request; the vote is annulled, and another one is cast.
    let approval = ask(&ledger, "/v1/approvals/APR-0014");
    assert_eq!(
        (&approval["state"], &approval["validity"]),
        (&json!("expired"), &json!("expired")),
        "{approval}"
    );
    assert_eq!(approval["corrections"].as_array().map(Vec::len), Some(1), "{approval}");
    let correction = &approval["corrections"][0];
    let history = ask(&ledger, "/v1/approvals/APR-0014/history");
    let annulled: Vec<&Value> = history["items"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|change| change["corrected_by"].is_u64())
        .collect();
    assert_eq!(annulled.len(), 1);
    assert_eq!(
        (&annulled[0]["seq"], &annulled[0]["corrected_by"]),
        (&correction["entry"], &correction["by"])
    );
    // As it was known before the correction, the vote counted.
    let before = correction["by"].as_u64().unwrap() - 1;
    let then = ask(&ledger, &format!("/v1/approvals/APR-0014?as_of={before}"));
    let voters = |of: &Value| -> Vec<(String, bool)> {
        let vote =
            |vote: &Value| (vote["by"].as_str().unwrap().to_owned(), vote["counts"].as_bool().unwrap());
        of["votes"].as_array().unwrap().iter().map(vote).collect()
    };
    assert_eq!(voters(&then).len(), voters(&approval).len(), "one vote went and one came");
    assert_ne!(voters(&then), voters(&approval));
    let own = then["votes"].as_array().unwrap().iter().find(|vote| vote["own"] == true).unwrap();
    assert!(own["authority"].is_string(), "{own}");
    let held = |vote: &Value| ["held", "delegated"].contains(&vote["authority"].as_str().unwrap());
    let plain = ask(&ledger, "/v1/approvals/APR-0001");
    assert!(plain["votes"].as_array().unwrap().iter().all(held), "{plain}");
    assert_eq!(plain["votes_with_authority"], 2);

    let overdue = ask(&ledger, "/v1/approvals?overdue=true&state=pending,partial");
    assert_eq!(ids(&overdue), ["APR-0019"]);
    let counts = ask(&ledger, "/v1/approvals/counts");
    let total: u64 =
        counts["items"].as_array().unwrap().iter().map(|item| item["count"].as_u64().unwrap()).sum();
    assert_eq!(Some(total), counts["total"].as_u64());
    let listed =
        |state: &str| ids(&ask(&ledger, &format!("/v1/approvals?state={state}&limit=500"))).len() as u64;
    for item in counts["items"].as_array().unwrap() {
        assert_eq!(listed(item["value"].as_str().unwrap()), item["count"].as_u64().unwrap(), "{item}");
    }
    let after = ask(&ledger, "/v1/approvals/APR-0005/after");
    let kinds: Vec<&str> =
        after["items"].as_array().unwrap().iter().map(|item| item["type"].as_str().unwrap()).collect();
    assert!(kinds.contains(&"model.versioned") && kinds.contains(&"model.deployed"), "{kinds:?}");
}

#[test]
fn decisions_are_counted_as_they_are_listed() {
    let ledger = demo();
    let stats = ask(&ledger, "/v1/decisions/stats?by=model,version");
    let mut total = 0;
    for row in stats["items"].as_array().unwrap() {
        let (model, version) = (row["model"].as_str().unwrap(), row["version"].as_str().unwrap());
        let list = |more: &str| {
            let path = format!("/v1/decisions?model_version={model}@{version}&limit=500{more}");
            ids(&ask(&ledger, &path)).len() as u64
        };
        assert_eq!(row["decisions"], list(""), "{row}");
        assert_eq!(row["adverse"], list("&adverse=true"), "{row}");
        assert_eq!(row["unreviewed"], list("&unreviewed=true"), "{row}");
        assert_eq!(row["adverse_without_notice"], list("&adverse_unnotified=true"), "{row}");
        assert_eq!(row["contested_without_explanation"], list("&contested_unexplained=true"), "{row}");
        total += row["decisions"].as_u64().unwrap();
    }
    assert_eq!(ask(&ledger, "/v1/decisions/counts")["total"], total);
    // Month 6: 41 decisions of a version that nobody had approved.
    let day = |text: &str| chrono::DateTime::parse_from_rfc3339(text).unwrap();
    let case = ask(&ledger, "/v1/decisions/CLD-120417");
    assert_eq!((&case["state"], &case["fields"]["final_outcome"]), (&json!("reversed"), &json!("approved")));
    assert_eq!(case["made"]["data"]["decision"], "CLD-120417");
    let from = day(case["fields"]["made_at"].as_str().unwrap()) - chrono::Duration::days(20);
    let to = from + chrono::Duration::days(25);
    let path = format!(
        "/v1/decisions/stats?model=credit-line&version=1.2&by=none&from={}&to={}",
        from.format("%Y-%m-%d"),
        to.format("%Y-%m-%d")
    );
    assert_eq!(ask(&ledger, &path)["items"][0]["decisions"], 41);

    let fairness = ask(&ledger, "/v1/decisions/fairness?model=hire-rank&version=2.0&attributes=sex");
    let lowest = fairness["questions"][0]["lowest_impact_ratio"].as_f64().unwrap();
    assert!(lowest > 0.7 && lowest < 1.0, "{fairness}");
    let bench = ask(
        &ledger,
        "/v1/decisions/fairness?model=hire-rank&version=2.1&kind=observed&attributes=sex%2Bethnicity",
    );
    assert_eq!(bench["questions"][0]["known"], 60, "{bench}");
    assert_eq!(bench["questions"][0]["groups"].as_array().unwrap().len(), 6);
}

#[test]
fn a_register_is_asked_now_and_at_a_time() {
    let ledger = demo();
    let live = ask(&ledger, "/v1/registers/deployments/credit-line@production");
    assert_eq!((&live["state"], &live["fields"]["version"]), (&json!("live"), &json!("1.2")));
    let history = ask(&ledger, "/v1/registers/deployments/credit-line@production/history");
    let changes = history["items"].as_array().unwrap();
    for (change, next) in changes.iter().zip(&changes[1..]) {
        // Which version was live between two changes?
        let path = format!(
            "/v1/registers/deployments/credit-line@production?at={}",
            change["effective_at"].as_str().unwrap()
        );
        let then = ask(&ledger, &path);
        assert_eq!(then["state"], change["state"], "{change}");
        assert!(then["changed_at"].as_str() < next["effective_at"].as_str());
    }
    let overdue = ask(&ledger, "/v1/registers/feedback?overdue=true");
    assert_eq!(ids(&overdue), ["FB-002"]);
    let registers = ask(&ledger, "/v1/registers");
    assert!(registers["items"].as_array().unwrap().len() >= 60);
    let unknown = ledger.get("/v1/registers/feedback?colour=red", "compliance");
    assert_eq!((unknown.status, unknown.problem().as_str()), (400, "bad-parameter"));
    assert_eq!(ledger.get("/v1/registers/approvals", "compliance").status, 404);
    assert_eq!(ledger.get("/v1/approvals", "producer").status, 403);
}

#[test]
fn escalations_are_asked_by_level_and_clock() {
    let ledger = demo();
    let counts = ask(&ledger, "/v1/escalations/counts?by=severity_level");
    for item in counts["items"].as_array().unwrap() {
        let path = format!("/v1/escalations?severity_level={}&limit=500", item["value"].as_str().unwrap());
        assert_eq!(ids(&ask(&ledger, &path)).len() as u64, item["count"].as_u64().unwrap(), "{item}");
    }
    let night = ask(&ledger, "/v1/escalations/ESC-0006");
    // It was opened again: what the first round missed stays told, and its own action to be done.
    let missed = |name: &str| night["fields"][name].as_array().map_or(0, Vec::len);
    assert_eq!((missed("missed"), missed("missed_before")), (0, 2), "{night}");
    assert_eq!((&night["state"], &night["overdue"]), (&json!("closed"), &json!(true)));
    assert_eq!(night["fields"]["level"], 3);
}

#[test]
fn views_come_back_the_same_after_a_kill_and_when_they_are_made_anew() {
    let mut ledger = demo();
    let before = digests(&ledger);
    // Killed while they follow, again and again.
    for round in 0..4 {
        let events: Vec<Value> = (0..300).map(|n| event_with_id(&format!("view-{round}-{n}"))).collect();
        assert_eq!(ledger.post_batch(&events).status, 201);
        ledger.kill();
        ledger.restart();
        ledger.wait_until_ready();
    }
    let after = digests(&ledger);
    assert_ne!(after, before);
    ledger.stop();
    let told = succeeds(daybook().args(["check"]).arg(ledger.data()));
    assert!(told.contains("everything is as they say"), "{told}");
    succeeds(daybook().args(["rebuild"]).arg(ledger.data()));
    ledger.restart();
    ledger.wait_until_ready();
    assert_eq!(digests(&ledger), after);
}

#[test]
fn a_reader_of_its_own_write_sees_it() {
    let ledger = demo();
    for n in 0..20 {
        let mut event = event_with_id(&format!("own-{n}"));
        event["data"]["approval"] = json!(format!("APR-OWN-{n}"));
        let seq = ledger.record(&event);
        let answer = ledger.get(&format!("/v1/approvals/APR-OWN-{n}?min_seq={seq}"), "compliance");
        assert_eq!(answer.status, 200, "{}", answer.text());
    }
    let beyond = ledger.get(&format!("/v1/approvals?min_seq={}", ledger.size() + 5), "compliance");
    assert_eq!(beyond.status, 404);
}
