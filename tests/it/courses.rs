//! Statistics of approvals and escalations over the demo's year, held against the lists: each group has as many rows as its
//! link leads to, and its times are those that these rows show.

use crate::kit::Ledger;
use serde_json::Value;
use std::collections::BTreeMap;

fn ask(ledger: &Ledger, path: &str) -> Value {
    let answer = ledger.get(path, "compliance");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn demo() -> Ledger {
    let ledger = Ledger::demo();
    ledger.wait_until_ready();
    ask(&ledger, &format!("/v1/approvals?limit=1&min_seq={}", ledger.size() - 1));
    ledger
}

/// All rows of a list, page by page.
fn rows(ledger: &Ledger, list: &str) -> Vec<Value> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let joined = if list.contains('?') { '&' } else { '?' };
        let page = ask(ledger, &format!("{list}{joined}limit=7{cursor}"));
        found.extend(page["items"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

/// Microseconds since the epoch, of a time as the ledger writes it.
fn micros(time: &Value) -> Option<i64> {
    let time = chrono::DateTime::parse_from_rfc3339(time.as_str()?).unwrap();
    Some(time.timestamp_micros())
}

/// The rounds of a row, each an object with the times in it.
fn rounds(row: &Value) -> Vec<Value> {
    let fields = &row["fields"];
    if let Some(rounds) = fields["rounds"].as_array() {
        return rounds.clone();
    }
    let mut all = fields["rounds_before"].as_array().cloned().unwrap_or_default();
    if fields["opened_at"].is_string() {
        all.push(fields.clone());
    }
    all
}

/// When a round came to something, if it did.
fn reached(round: &Value, clock: &str) -> Option<i64> {
    match clock {
        "to_decide" => {
            let ended = &round["ended"];
            let rejected = (ended["how"] == "rejected").then(|| micros(&ended["at"])).flatten();
            micros(&round["granted_at"]).or(rejected)
        }
        "to_acknowledge" => micros(&round["acknowledged_at"]),
        "to_resolve" => micros(&round["resolved_at"]),
        "to_close" => micros(&round["closed_at"]),
        _ => panic!("{clock}"),
    }
}

fn agrees(group: &Value, rows: &[Value], clocks: &[&str]) {
    assert_eq!(group["count"], rows.len(), "{group}");
    assert_eq!(group["overdue"], rows.iter().filter(|row| row["overdue"] == true).count(), "{group}");
    let mut states: BTreeMap<&str, u64> = BTreeMap::new();
    for row in rows {
        *states.entry(row["state"].as_str().unwrap()).or_default() += 1;
    }
    let told = group["states"].as_array().unwrap().iter();
    let told: BTreeMap<&str, u64> =
        told.map(|state| (state["state"].as_str().unwrap(), state["count"].as_u64().unwrap())).collect();
    assert_eq!(told, states, "{group}");
    let rounds: Vec<Value> = rows.iter().flat_map(rounds).collect();
    assert_eq!(group["rounds"], rounds.len(), "{group}");
    for clock in clocks {
        let took = &group[clock];
        let mut times: Vec<i64> = rounds
            .iter()
            .filter_map(|round| {
                let from = micros(&round["requested_at"]).or_else(|| micros(&round["opened_at"])).unwrap();
                Some((reached(round, clock)? - from).max(0) / 1_000_000)
            })
            .collect();
        times.sort_unstable();
        let tenths = |tenths: usize| match times.len() {
            0 => Value::Null,
            many => (times[(many * tenths).div_ceil(10) - 1] as f64).into(),
        };
        assert_eq!(
            (&took["reached"], &took["exact"]),
            (&times.len().into(), &true.into()),
            "{clock}: {group}"
        );
        assert_eq!(
            (&took["median_seconds"], &took["p90_seconds"]),
            (&tenths(5), &tenths(9)),
            "{clock}: {group}"
        );
        let apart = ["reached", "waiting", "never"].map(|name| took[name].as_u64().unwrap());
        assert_eq!(apart.iter().sum::<u64>(), rounds.len() as u64, "{clock}: {group}");
    }
}

fn hold_against_lists(view: &str, clocks: &[&str], groupings: &[&str], more: &str) {
    let ledger = demo();
    let all = rows(&ledger, &format!("/v1/{view}?{more}"));
    assert!(all.len() > 5, "{view} {more}: {}", all.len());
    let mut timed = 0;
    for by in groupings {
        let stats = ask(&ledger, &format!("/v1/{view}/stats?group_by={by}&{more}"));
        assert_eq!((&stats["total"], &stats["partial"]), (&all.len().into(), &Value::Null), "{by}");
        let items = stats["items"].as_array().unwrap();
        let counts: u64 = items.iter().map(|group| group["count"].as_u64().unwrap()).sum();
        assert_eq!(counts, all.len() as u64, "{by}");
        for group in items {
            // Where no filter finds the rows of a group alone, they are those of which nobody says anything else.
            let Some(link) = group["link"].as_str() else {
                assert!(group["group"].as_object().unwrap().values().any(Value::is_null), "{group}");
                continue;
            };
            agrees(group, &rows(&ledger, link), clocks);
            timed += clocks.iter().filter(|clock| group[**clock]["median_seconds"].is_number()).count();
        }
    }
    assert!(timed > 0, "nothing was timed");
}

#[test]
fn statistics_of_approvals_are_those_of_the_rows_listed() {
    let by = ["none", "kind", "owner", "risk_class", "state", "day", "week,kind", "month", "quarter,owner"];
    hold_against_lists("approvals", &["to_decide"], &by, "");
}

#[test]
fn statistics_of_escalations_are_those_of_the_rows_listed() {
    let by = [
        "none",
        "severity",
        "level",
        "owner",
        "path",
        "opened_by_kind,state",
        "day",
        "month,level",
        "quarter",
    ];
    hold_against_lists("escalations", &["to_acknowledge", "to_resolve", "to_close"], &by, "");
}

#[test]
fn statistics_hold_as_of_another_day_too() {
    hold_against_lists("approvals", &["to_decide"], &["kind", "month"], "as_of=2026-06-01&at=2026-05-01");
}

#[test]
fn a_period_is_that_of_the_list() {
    let ledger = demo();
    for view in ["approvals", "escalations"] {
        let stats = ask(&ledger, &format!("/v1/{view}/stats?group_by=none&from=2026-03-01&to=2026-07-01"));
        let listed = rows(&ledger, &format!("/v1/{view}?opened_from=2026-03-01&opened_to=2026-07-01"));
        assert!(!listed.is_empty());
        assert_eq!(stats["total"], listed.len(), "{view}");
        for wrong in ["group_by=colour", "group_by=day,week", "group_by=", "from=soon", "level=0", "kind="] {
            let answer = ledger.get(&format!("/v1/{view}/stats?{wrong}"), "compliance");
            assert_eq!((answer.status, answer.problem().as_str()), (400, "bad-parameter"), "{view} {wrong}");
        }
    }
}
