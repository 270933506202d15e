//! What was recorded late is listed and told beside answers: late by what its type allows, or by what was agreed with its
//! source before, as known at the moment.

use crate::kit::Ledger;
use daybook::spec::time::{MICROS_PER_DAY, Timestamp};
use serde_json::{Value, json};
use std::time::UNIX_EPOCH;

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "auditor");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn items(answer: &Value) -> Vec<Value> {
    answer["items"].as_array().unwrap().clone()
}

/// So many days before now.
fn ago(days: i64) -> String {
    let now = UNIX_EPOCH.elapsed().unwrap().as_micros() as i64;
    Timestamp::clamped(now).saturating_add(-days * MICROS_PER_DAY).to_string()
}

struct Told {
    ledger: Ledger,
    example: Value,
}

impl Told {
    fn new() -> Told {
        let ledger = Ledger::empty();
        let example = ask(&ledger, "/v1/catalog/types/decision.made")["example"].clone();
        Told { ledger, example }
    }

    fn tell(&self, source: &str, id: &str, kind: &str, time: &str, data: Value) -> u64 {
        self.ledger.record(&json!({
            "specversion": "1.0", "id": id, "source": source, "type": kind, "time": time, "data": data,
        }))
    }

    /// A decision, told so many days after it was made.
    fn decide(&self, source: &str, decision: &str, days: i64) -> u64 {
        let mut data = self.example.clone();
        data["decision"] = json!(decision);
        self.tell(source, decision, "decision.made", &ago(days), data)
    }

    fn agree(&self, id: &str, source: &str, types: &[&str], late_after: &str) -> u64 {
        let data = json!({"by": "user:u-1005", "source": source, "types": types, "late_after": late_after,
            "until": ago(-90), "reason": "It posts once a month."});
        self.tell("/it", id, "source.agreed", &ago(0), data)
    }

    fn correct(&self, id: &str, target: (&str, &str), replacement: Option<(&str, &str)>) -> u64 {
        let named = |(source, id): (&str, &str)| json!({"source": source, "id": id});
        let mut data =
            json!({"by": "user:u-1003", "target": named(target), "kind": "annul", "reason": "a mistake"});
        if let Some(replacement) = replacement {
            data["kind"] = json!("replace");
            data["replacement"] = named(replacement);
        }
        self.tell("/it", id, "event.corrected", &ago(0), data)
    }

    /// The late entries that are listed, the oldest first.
    fn late(&self, filter: &str) -> Vec<u64> {
        let last = self.ledger.size() - 1;
        let list = ask(&self.ledger, &format!("/v1/late?order=asc&min_seq={last}{filter}"));
        items(&list).iter().map(|item| item["seq"].as_u64().unwrap()).collect()
    }

    /// How many the answer tells of, and which it names.
    fn caveat(&self, path: &str) -> Option<(u64, Vec<String>)> {
        let answer = ask(&self.ledger, path);
        let caveat = answer["caveats"].as_array()?.iter().find(|caveat| caveat["kind"] == "late")?.clone();
        let count = caveat["count"].as_u64().unwrap();
        let all = items(&ask(&self.ledger, &format!("{}&limit=500", caveat["link"].as_str().unwrap())));
        assert_eq!(all.len() as u64, count, "{caveat}");
        let named = caveat["named"].as_array().unwrap().iter();
        let named: Vec<String> = named.map(|named| named["name"].as_str().unwrap().to_owned()).collect();
        let newest = all.iter().take(5).map(|item| item["seq"].to_string());
        assert_eq!(named, newest.collect::<Vec<_>>());
        Some((count, named))
    }
}

#[test]
fn what_is_recorded_later_than_its_type_allows_is_late() {
    let told = Told::new();
    told.decide("/a", "D-1", 6);
    assert_eq!((told.late(""), told.caveat("/v1/decisions")), (Vec::new(), None));
    let first = told.decide("/a", "D-2", 8);
    let role =
        json!({"by": "user:u-1", "principal": "user:u-2", "role": "risk-officer", "valid_from": ago(2)});
    let role = told.tell("/b", "r-1", "role.assigned", &ago(2), role);
    let second = told.decide("/b", "D-3", 900);
    assert_eq!(told.late(""), [first, role, second]);
    for (filter, expected) in [
        ("&source=/b".to_owned(), vec![role, second]),
        ("&type=decision.made".to_owned(), vec![first, second]),
        ("&type=decision.made,role.assigned&source=/b".to_owned(), vec![role, second]),
        ("&type=role.unassigned".to_owned(), vec![]),
        (format!("&from={role}"), vec![role, second]),
        (format!("&to={role}"), vec![first]),
        (format!("&from={}", ago(1)), vec![first, role, second]),
        (format!("&to={}", ago(1)), vec![]),
        (format!("&as_of={role}"), vec![first, role]),
    ] {
        let list = ask(&told.ledger, &format!("/v1/late?order=asc{filter}"));
        let seqs: Vec<u64> = items(&list).iter().map(|item| item["seq"].as_u64().unwrap()).collect();
        assert_eq!(seqs, expected, "{filter}");
    }
    // It says what was allowed, and by how much it was late.
    let item = &items(&ask(&told.ledger, &format!("/v1/late?to={role}")))[0];
    assert_eq!(
        (&item["allowed"], &item["type"], &item["source"]),
        (&json!("P7D"), &json!("decision.made"), &json!("/a"))
    );
    let time = |name: &str| Timestamp::recorded(item[name].as_str().unwrap()).unwrap();
    assert_eq!(time("due_by").since(time("at")), 7 * MICROS_PER_DAY);
    assert_eq!(time("recorded_at").since(time("at")) / 1_000_000, item["late_seconds"].as_i64().unwrap());
    assert!(item["late_seconds"].as_i64().unwrap() >= 8 * 86_400, "{item}");
    // Beside an answer stands what touches it: roles touch approvals, and not decisions.
    let names = |seqs: &[u64]| seqs.iter().map(u64::to_string).collect::<Vec<_>>();
    assert_eq!(told.caveat("/v1/decisions"), Some((2, names(&[second, first]))));
    assert_eq!(told.caveat("/v1/decisions/stats"), Some((2, names(&[second, first]))));
    assert_eq!(told.caveat(&format!("/v1/decisions?as_of={first}")), Some((1, names(&[first]))));
    assert_eq!(told.caveat("/v1/approvals"), Some((1, names(&[role]))));
    assert_eq!(told.caveat("/v1/escalations"), None);
    assert_eq!(told.caveat("/v1/decisions/fairness?model=hire-rank"), None);
    // A name that the ledger never heard of, and a type that there is not.
    assert_eq!(ask(&told.ledger, "/v1/late?source=/nowhere")["unknown"], json!({"source": ["/nowhere"]}));
    assert_eq!(told.ledger.get("/v1/late?type=decision.mad", "auditor").problem(), "bad-parameter");
    assert_eq!(told.ledger.get("/v1/late?state=new", "auditor").problem(), "bad-parameter");
}

#[test]
fn what_was_agreed_with_its_source_before_takes_the_place_of_what_is_usual() {
    let told = Told::new();
    let before = told.decide("/archive", "D-1", 8);
    let agreed = told.agree("a-1", "/archive", &["decision.*"], "P30D");
    let spared = told.decide("/archive", "D-2", 8);
    let over = told.decide("/archive", "D-3", 31);
    let other = told.decide("/other", "D-4", 8);
    assert_eq!(told.late(""), [before, over, other]);
    let item = &items(&ask(&told.ledger, "/v1/late"))[1];
    assert_eq!((&item["seq"], &item["allowed"]), (&json!(over), &json!("P30D")));
    assert_eq!(item["agreed_by"], format!("/v1/events/{agreed}"));
    // A stricter one: what is usual would have allowed it.
    told.agree("a-2", "/other", &["decision.made"], "P2D");
    let strict = told.decide("/other", "D-5", 3);
    assert_eq!(told.late("&source=/other"), [other, strict]);
    // Once the agreements are annulled, what is usual applies to what they spared, and to what they did not.
    let last = told.correct("c-1", ("/it", "a-1"), None);
    told.correct("c-2", ("/it", "a-2"), None);
    assert_eq!(told.late(""), [before, spared, over, other]);
    assert_eq!(told.caveat("/v1/decisions").unwrap().0, 4);
    assert_eq!(told.late(&format!("&as_of={}", last - 1)), [before, over, other, strict]);
    assert!(items(&ask(&told.ledger, "/v1/late")).iter().all(|item| item["allowed"] == "P7D"));
    // And with the annulment taken back, they apply again.
    told.correct("c-3", ("/it", "c-1"), None);
    assert_eq!(told.late(""), [before, over, other]);
}

#[test]
fn what_was_annulled_is_late_no_more_and_what_takes_its_place_is_as_late_as_it_was() {
    let told = Told::new();
    let first = told.decide("/a", "D-1", 8);
    let second = told.decide("/a", "D-2", 9);
    let in_time = told.decide("/a", "D-3", 1);
    assert_eq!(told.late(""), [first, second]);
    let annulled = told.correct("c-1", ("/a", "D-1"), None);
    assert_eq!(told.late(""), [second]);
    assert_eq!(told.late(&format!("&as_of={in_time}")), [first, second]);
    assert_eq!(told.caveat("/v1/decisions").unwrap().0, 1);
    // Another event in the place of the late one, done and recorded now: it has the place and the times of the first.
    let mut data = told.example.clone();
    (data["decision"], data["outcome"]) = (json!("D-2"), json!("declined"));
    let instead = told.tell("/a", "D-2-again", "decision.made", &ago(0), data.clone());
    told.correct("c-2", ("/a", "D-2"), Some(("/a", "D-2-again")));
    let late = items(&ask(&told.ledger, &format!("/v1/late?min_seq={}", told.ledger.size() - 1)));
    assert_eq!(late.len(), 1, "{late:?}");
    assert_eq!(
        (&late[0]["seq"], &late[0]["in_place_of"]),
        (&json!(instead), &json!(format!("/v1/events/{second}")))
    );
    assert!(late[0]["late_seconds"].as_i64().unwrap() >= 9 * 86_400, "{late:?}");
    // And one in the place of what came in time is in time, though it says when it was done, long ago.
    data["decision"] = json!("D-3");
    let long_ago = told.tell("/a", "D-3-again", "decision.made", &ago(40), data);
    assert_eq!(told.late(""), [instead, long_ago]);
    told.correct("c-3", ("/a", "D-3"), Some(("/a", "D-3-again")));
    assert_eq!(told.late(""), [instead]);
    assert!(annulled > in_time);
}

#[test]
fn a_list_of_late_entries_goes_on_page_by_page_and_as_a_table() {
    let told = Told::new();
    let all: Vec<u64> = (0..7).map(|number| told.decide("/a", &format!("D-{number}"), 8 + number)).collect();
    let (mut found, mut path) = (Vec::new(), format!("/v1/late?limit=3&min_seq={}", all[6]));
    loop {
        let page = ask(&told.ledger, &path);
        found.extend(items(&page).iter().map(|item| item["seq"].as_u64().unwrap()));
        match page["next"].as_str() {
            Some(next) => path = format!("/v1/late?limit=3&cursor={next}"),
            None => break,
        }
    }
    let newest_first: Vec<u64> = all.iter().rev().copied().collect();
    assert_eq!(found, newest_first);
    assert_eq!(told.caveat("/v1/decisions").unwrap().0, 7);
    let token = format!("Bearer {}", told.ledger.token("auditor"));
    let headers = [("authorization", token.as_str()), ("accept", "text/csv")];
    let table = told.ledger.request("GET", "/v1/late?order=asc", &headers, b"");
    let text = table.text();
    let mut lines = text.lines();
    let head: Vec<&str> = lines.next().unwrap().split(',').collect();
    let item = &items(&ask(&told.ledger, "/v1/late?order=asc"))[0];
    for name in item.as_object().unwrap().keys() {
        assert!(head.contains(&name.as_str()), "{name} has no column");
    }
    let seqs: Vec<u64> = lines.map(|line| line.split(',').next().unwrap().parse().unwrap()).collect();
    assert_eq!(seqs, all);
}
