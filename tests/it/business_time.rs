//! Lists in the order of business, and not of recording: by when rows were opened, changed and ended. And whatever lists
//! entries lists them from either end.

use crate::kit::{Ledger, event};
use serde_json::{Value, json};

const VIEWS: [&str; 8] = [
    "approvals",
    "access",
    "access/requests",
    "access/uses",
    "decisions",
    "escalations",
    "registers/models",
    "registers/units",
];

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "compliance");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

/// All items of a list, page by page.
fn items(ledger: &Ledger, list: &str, limit: usize) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let joined = if list.contains('?') { '&' } else { '?' };
        let page = ask(ledger, &format!("{list}{joined}limit={limit}{cursor}"));
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

fn demo() -> Ledger {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    ask(&ledger, &format!("/v1/approvals?limit=1&min_seq={}", ledger.size() - 1));
    ledger
}

#[test]
fn rows_come_by_when_they_were_opened_changed_and_ended() {
    let ledger = demo();
    let name = |row: &Value| format!("{} {}", row["id"], row["source"]);
    // As of a moment, so that nothing ends while it is read.
    for (view, moment) in VIEWS.iter().flat_map(|view| [(view, "at=2026-11-01"), (view, "as_of=2026-07-01")])
    {
        let all = items(&ledger, &format!("/v1/{view}?{moment}&sort=recorded"), 500);
        let mut ended = 0;
        for (sort, member) in [("opened", "opened_at"), ("changed", "changed_at"), ("ended", "ended_at")] {
            // Times have one spelling, whose order is theirs; rows of one time come in the order of the ledger.
            let mut expected: Vec<(&str, usize)> = Vec::new();
            for (place, row) in all.iter().enumerate() {
                expected.extend(row[member].as_str().map(|time| (time, place)));
            }
            expected.sort_unstable();
            let mut expected: Vec<String> = expected.iter().map(|(_, place)| name(&all[*place])).collect();
            ended = expected.len();
            for sort in [sort.to_owned(), format!("-{sort}")] {
                let limit = (all.len() / 3).clamp(1, 500);
                let listed = items(&ledger, &format!("/v1/{view}?{moment}&sort={sort}"), limit);
                let listed: Vec<String> = listed.iter().map(name).collect();
                assert_eq!(listed, expected, "{view} {moment} {sort}");
                expected.reverse();
            }
        }
        let any = all.iter().any(|row| row["ended_at"].is_string());
        assert_eq!(ended > 0, any, "{view} {moment}");
        assert!(!all.is_empty(), "{view} {moment}");
    }
    let refused = ledger.get("/v1/decisions?sort=colour", "compliance");
    assert_eq!(refused.problem(), "bad-parameter");
    let said =
        "\"sort\" must be one of recorded, opened, changed, ended, due, ends, with a minus for descending";
    assert_eq!(refused.json()["detail"], said);
}

/// A filter goes with an order: both are of the same moment.
#[test]
fn a_stretch_of_business_time_is_listed_in_its_order() {
    let ledger = demo();
    let stretch = "2026-03-01T00:00:00.000000Z".."2026-06-01T00:00:00.000000Z";
    let path = "/v1/approvals?opened_from=2026-03-01&opened_to=2026-06-01&sort=-opened";
    let listed = items(&ledger, path, 2);
    assert!(listed.len() > 2, "{}", listed.len());
    let times: Vec<&str> = listed.iter().map(|row| row["opened_at"].as_str().unwrap()).collect();
    assert!(
        times.iter().all(|time| stretch.contains(time)) && times.is_sorted_by(|a, b| a >= b),
        "{times:?}"
    );
}

#[test]
fn whatever_lists_entries_lists_them_from_either_end() {
    let ledger = demo();
    for _ in 0..4 {
        let (wrong, mut correction) = (event(), event());
        ledger.record(&wrong);
        correction["type"] = "event.corrected".into();
        correction["data"] = json!({
            "by": "user:u-1", "target": {"source": wrong["source"], "id": wrong["id"]}, "kind": "annul",
            "reason": "Not so.",
        });
        let seq = ledger.record(&correction);
        ask(&ledger, &format!("/v1/corrections?limit=1&min_seq={seq}"));
    }
    let lists = [
        ("/v1/events?type=approval.granted", false),
        ("/v1/subjects/LN-120417/timeline", false),
        ("/v1/corrections", true),
        ("/v1/controls/ER-4/evidence", true),
        ("/v1/controls/ER-4/evidence?as_of=2026-09-01", true),
    ];
    for (list, newest_first) in lists {
        let joined = if list.contains('?') { '&' } else { '?' };
        let seqs = |order: &str| -> Vec<u64> {
            let found = items(&ledger, &format!("{list}{joined}order={order}"), 3);
            found.iter().map(|item| item["seq"].as_u64().unwrap()).collect()
        };
        let (ascending, mut descending) = (seqs("asc"), seqs("desc"));
        assert!(ascending.len() > 3 && ascending.is_sorted_by(|a, b| a < b), "{list}: {ascending:?}");
        let default: Vec<u64> =
            items(&ledger, list, 500).iter().map(|item| item["seq"].as_u64().unwrap()).collect();
        assert_eq!(default, if newest_first { &descending } else { &ascending }.as_slice(), "{list}");
        descending.reverse();
        assert_eq!(ascending, descending, "{list}");
        let refused = ledger.get(&format!("{list}{joined}order=up"), "compliance");
        assert_eq!(refused.problem(), "bad-parameter", "{list}");
    }
    for row in ["/v1/approvals/APR-0014", "/v1/registers/models/credit-line"] {
        let events =
            |order: &str| ask(&ledger, &format!("{row}/history{order}"))["items"].as_array().unwrap().clone();
        let mut backwards = events("?order=desc");
        backwards.reverse();
        assert_eq!((events(""), events("?order=asc")), (backwards.clone(), backwards.clone()), "{row}");
        assert!(backwards.len() > 1, "{row}");
        let refused = ledger.get(&format!("{row}/history?order=up"), "compliance");
        assert_eq!(refused.problem(), "bad-parameter", "{row}");
    }
}
