//! Entries are found by number, type, source, subject, actor and time, page by page.

use crate::kit::{Ledger, event};
use serde_json::{Value, json};

/// All pages of a list, with what each page's size was.
fn pages(ledger: &Ledger, query: &str) -> (Vec<Value>, Vec<usize>) {
    let (mut items, mut sizes, mut cursor) = (Vec::new(), Vec::new(), String::new());
    loop {
        let path = format!("/v1/events?{query}{cursor}");
        let answer = ledger.get(&path, "compliance");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
        let page = answer.json();
        sizes.push(page["items"].as_array().unwrap().len());
        items.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return (items, sizes),
        }
    }
}

fn numbers(items: &[Value]) -> Vec<u64> {
    items.iter().map(|item| item["seq"].as_u64().unwrap()).collect()
}

#[test]
fn every_filter_answers_exactly_the_entries_that_have_it() {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    let (all, _) = pages(&ledger, "limit=500");
    assert!(all.len() > 350);
    assert_eq!(numbers(&all), (0..all.len() as u64).collect::<Vec<_>>());
    let sample = all.iter().find(|item| item["event"]["type"] == "decision.made").unwrap();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let encode =
        |text: &str| text.replace('%', "%25").replace('/', "%2F").replace('#', "%23").replace(' ', "%20");
    let (kind, source) = (text(&sample["event"]["type"]), text(&sample["event"]["source"]));
    let (subject, actor) = (text(&sample["event"]["subject"]), text(&sample["actor"]));
    for (query, keep) in [
        (
            format!("type={kind}"),
            Box::new(|e: &Value| e["event"]["type"] == *kind) as Box<dyn Fn(&Value) -> bool>,
        ),
        (format!("source={}", encode(&source)), Box::new(|e: &Value| e["event"]["source"] == *source)),
        (format!("subject={}", encode(&subject)), Box::new(|e: &Value| e["event"]["subject"] == *subject)),
        (format!("actor={actor}"), Box::new(|e: &Value| e["actor"] == *actor)),
        (
            format!("type={kind}&actor={actor}&subject={}", encode(&subject)),
            Box::new(|e: &Value| {
                e["event"]["type"] == *kind && e["actor"] == *actor && e["event"]["subject"] == *subject
            }),
        ),
    ] {
        let expected: Vec<_> = all.iter().filter(|item| keep(item)).cloned().collect();
        assert!(!expected.is_empty(), "{query}");
        let (found, sizes) = pages(&ledger, &format!("{query}&limit=7"));
        assert_eq!(numbers(&found), numbers(&expected), "{query}");
        assert!(sizes.iter().rev().skip(1).all(|size| *size == 7), "{query}: {sizes:?}");
        let (mut found, _) = pages(&ledger, &format!("{query}&limit=7&order=desc"));
        found.reverse();
        assert_eq!(found, expected, "{query} newest first");
    }
    let (none, _) = pages(&ledger, "type=decision.made&subject=nothing");
    assert!(none.is_empty());
}

#[test]
fn a_time_is_a_place_in_the_log() {
    let ledger = Ledger::demo();
    let (all, _) = pages(&ledger, "limit=500");
    let middle = all[all.len() / 2]["time"].as_str().unwrap();
    let (late, _) = pages(&ledger, &format!("from={middle}&limit=500"));
    let (early, _) = pages(&ledger, &format!("to={middle}&limit=500"));
    assert_eq!(early.len() + late.len(), all.len());
    assert!(early.iter().all(|item| item["time"].as_str().unwrap() < middle));
    assert!(late.iter().all(|item| item["time"].as_str().unwrap() >= middle));
    let (some, _) = pages(&ledger, "from=10&to=20&limit=3&order=desc");
    assert_eq!(numbers(&some), (10..20).rev().collect::<Vec<_>>());
    assert_eq!(ledger.get("/v1/events?from=yesterday", "auditor").problem(), "bad-parameter");
}

#[test]
fn a_cursor_of_another_query_is_refused() {
    let ledger = Ledger::demo();
    let next = ledger.get("/v1/events?limit=2", "auditor").json()["next"].as_str().unwrap().to_owned();
    assert_eq!(ledger.get(&format!("/v1/events?limit=2&cursor={next}"), "auditor").status, 200);
    let other = ledger.get(&format!("/v1/events?limit=2&order=desc&cursor={next}"), "auditor");
    assert_eq!(other.problem(), "bad-cursor");
    assert_eq!(ledger.get("/v1/events?cursor=zz", "auditor").problem(), "bad-cursor");
    for limit in ["0", "501", "-1", "many"] {
        assert_eq!(ledger.get(&format!("/v1/events?limit={limit}"), "auditor").problem(), "bad-parameter");
    }
}

#[test]
fn an_application_reads_its_own_write() {
    let ledger = Ledger::empty();
    for number in 0..20 {
        let mut posted = event();
        posted["subject"] = json!(format!("own-{number}"));
        let seq = ledger.record(&posted);
        let answer = ledger.get(&format!("/v1/events?subject=own-{number}&min_seq={seq}"), "compliance");
        assert_eq!(numbers(answer.json()["items"].as_array().unwrap()), [seq]);
        assert!(answer.header("daybook-applied-seq").unwrap().parse::<u64>().unwrap() > seq);
    }
}

#[test]
fn the_entry_of_a_source_and_id_is_answered_or_not_there() {
    let ledger = Ledger::empty();
    let (mut here, mut there) = (event(), event());
    here["id"] = json!("x/1 2");
    there["id"] = json!("x/1 2");
    there["source"] = json!("/it/other");
    let numbers = [ledger.record(&here), ledger.record(&there)];
    for role in ["auditor", "compliance", "producer"] {
        let ask = |query: &str| ledger.get(&format!("/v1/events?{query}"), role);
        // At once: nothing is said not to be there that the index has yet to read.
        for (source, seq) in [("/it", numbers[0]), ("/it/other", numbers[1])] {
            let answer = ask(&format!("source={source}&id=x%2F1%202"));
            assert_eq!(answer.status, 200, "{role}: {}", answer.text());
            let page = answer.json();
            assert_eq!(page["items"].as_array().unwrap().len(), 1);
            assert_eq!((page["items"][0]["seq"].as_u64(), &page["next"]), (Some(seq), &Value::Null));
            assert_eq!(page["items"][0]["event"]["source"], source);
            let fits = ask(&format!("source={source}&id=x%2F1%202&type=approval.withdrawn&limit=1"));
            assert_eq!(fits.json()["items"], page["items"]);
        }
        for absent in [
            "source=/it&id=x-2",
            "source=/nowhere&id=x%2F1%202",
            "source=/it&id=X%2F1%202",
            "source=/it&id=",
            "source=/it&id=x%2F1%202&type=decision.made",
        ] {
            assert_eq!(ask(absent).problem(), "not-found", "{role}: {absent}");
        }
        let alone = ask("id=x%2F1%202");
        assert_eq!(alone.problem(), "bad-parameter");
        assert!(alone.json()["detail"].as_str().unwrap().contains("\"source\""), "{}", alone.text());
        for place in ["from=0", "to=9", "cursor=00"] {
            assert_eq!(
                ask(&format!("source=/it&id=x%2F1%202&{place}")).problem(),
                "bad-parameter",
                "{place}"
            );
        }
    }
    // What is another's is told from what is not there by nobody who may not read it.
    let first = ledger.get("/v1/events/0", "auditor").json();
    let (source, id) = (first["event"]["source"].as_str().unwrap(), first["event"]["id"].as_str().unwrap());
    let path = format!("/v1/events?source={source}&id={id}");
    assert_eq!(ledger.get(&path, "auditor").json()["items"][0]["seq"], 0);
    let (foreign, absent) = (ledger.get(&path, "producer"), ledger.get(&format!("{path}-no"), "producer"));
    assert_eq!(foreign.problem(), "not-found");
    assert_eq!(foreign.json()["detail"], absent.json()["detail"]);
    assert_eq!(ledger.get("/v1/events?source=/it", "producer").problem(), "forbidden");
}
