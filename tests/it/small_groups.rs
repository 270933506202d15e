//! Numbers of groups so small that somebody could be meant are told to those alone who have the role for it.

use crate::kit::{Ledger, daybook, succeeds};
use serde_json::{Value, json};
use std::time::Duration;

const FAIRNESS: &str = "/v1/decisions/fairness?model=hire-rank";

fn tally(ledger: &Ledger, id: &str, version: &str, cells: &Value) -> u64 {
    ledger.record(&json!({
        "specversion": "1.0", "id": id, "source": "/bank/fairness", "type": "fairness.tallied",
        "time": "2026-03-02T09:30:00Z",
        "data": {
            "by": "app:producer", "model": "hire-rank", "version": version,
            "period": {"from": "2026-02-01T00:00:00Z", "to": "2026-03-01T00:00:00Z"}, "cells": cells, "unknown": 4,
        },
    }))
}

/// A token that reads everything, and has more roles.
fn reader(ledger: &Ledger, roles: &[&str]) -> String {
    let mut command = daybook();
    command.args(["token", "create", "--data"]).arg(ledger.data()).args(["--actor", "user:reader"]);
    for role in roles {
        command.args(["--role", role]);
    }
    format!("Bearer {}", succeeds(&mut command).trim())
}

fn ask(ledger: &Ledger, token: &str, path: &str) -> Value {
    let answer = ledger.request("GET", path, &[("authorization", token)], b"");
    assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    answer.json()
}

fn cell(race: &str, sex: &str, n: u64, selected: u64) -> Value {
    json!({"group": {"race": race, "sex": sex}, "n": n, "selected": selected})
}

fn of<'a>(fairness: &'a Value, attributes: &[&str]) -> &'a Value {
    let mut questions = fairness["questions"].as_array().unwrap().iter();
    questions.find(|question| question["attributes"] == json!(attributes)).unwrap()
}

#[test]
fn a_small_group_is_withheld_from_all_but_those_with_the_role() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    let cells = json!([
        cell("a", "f", 300, 120),
        cell("a", "m", 310, 150),
        cell("b", "f", 200, 60),
        cell("b", "m", 190, 90),
        cell("c", "f", 7, 5),
    ]);
    let seq = tally(&ledger, "t-1", "1", &cells);
    let readers = ["compliance", "auditor", "admin"].map(|role| reader(&ledger, &[role]));
    let special = reader(&ledger, &["auditor", "special-categories"]);
    std::thread::sleep(Duration::from_millis(1_200));

    let all = ask(&ledger, &special, &format!("{FAIRNESS}&min_seq={seq}"));
    let race = of(&all, &["race"]);
    assert_eq!((&race["withheld_below"], &race["known"]), (&Value::Null, &json!(1007)), "{race}");
    let c = &race["groups"][2];
    assert_eq!((&c["n"], &c["selected"], &c["small"]), (&json!(7), &json!(5), &json!(true)));
    assert!((c["impact_ratio"].as_f64().unwrap() - 5.0 / 7.0 / (270.0 / 610.0)).abs() < 1e-9, "{c}");
    assert_eq!(of(&all, &["race", "sex"])["groups"].as_array().unwrap().len(), 5);

    for token in &readers {
        let told = ask(&ledger, token, FAIRNESS);
        let race = of(&told, &["race"]);
        assert_eq!((&race["withheld_below"], &race["known"]), (&json!(10), &json!(1007)), "{race}");
        let groups = race["groups"].as_array().unwrap();
        // The first of the others is withheld beside it: by all and by `b` alone `c` and `a` are 617 together, no more.
        let withheld = |place: usize| {
            let row = groups[place].as_object().unwrap();
            assert!(
                row.iter()
                    .all(|(name, value)| ["group", "n_below"].contains(&name.as_str()) || value.is_null())
            );
            (row["group"]["race"].clone(), row.get("n_below").cloned())
        };
        assert_eq!((withheld(0), withheld(2)), ((json!("a"), None), (json!("c"), Some(json!(10)))));
        assert_eq!((&groups[1]["n"], &groups[1]["impact_ratio"]), (&json!(390), &json!(1.0)));
        let sex = of(&told, &["sex"]);
        assert_eq!((&sex["groups"][0]["n"], &sex["withheld_below"]), (&json!(507), &Value::Null), "{sex}");
        // By both, and by sex alone, the ones could be taken from the others.
        let both = of(&told, &["race", "sex"]);
        assert_eq!(
            (&both["groups"], &both["known"], &both["total"]),
            (&json!([]), &Value::Null, &Value::Null)
        );
        // Asking in parts gives no more.
        for (asked, attributes) in
            [("race", vec!["race"]), ("sex,race", vec!["race"]), ("sex+race", vec!["race", "sex"])]
        {
            let asked = ask(&ledger, token, &format!("{FAIRNESS}&attributes={}", asked.replace('+', "%2B")));
            assert_eq!(of(&asked, &attributes), of(&told, &attributes));
        }
    }
}

#[test]
fn where_nobody_is_in_a_small_group_all_are_told_the_same() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    let seq = tally(&ledger, "t-1", "1", &json!([cell("a", "f", 10, 5), cell("b", "m", 40, 10)]));
    let (plain, special) =
        (reader(&ledger, &["auditor"]), reader(&ledger, &["auditor", "special-categories"]));
    std::thread::sleep(Duration::from_millis(1_200));
    let ask = |token: &str| ask(&ledger, token, &format!("{FAIRNESS}&min_seq={seq}"))["questions"].clone();
    assert_eq!(ask(&plain), ask(&special));
    assert_eq!(ask(&plain)[0]["groups"][0]["n"], 10);
}

#[test]
fn where_no_other_group_hides_it_no_number_of_the_same_people_is_told() {
    let ledger = Ledger::empty();
    ledger.wait_until_ready();
    // Nobody else was selected: that nobody of the small group was would be told by the rest.
    let seq = tally(
        &ledger,
        "t-1",
        "1",
        &json!([cell("a", "f", 100, 0), cell("b", "f", 8, 0), cell("a", "m", 50, 5)]),
    );
    let plain = reader(&ledger, &["auditor"]);
    std::thread::sleep(Duration::from_millis(1_200));
    let found = ask(&ledger, &plain, &format!("{FAIRNESS}&min_seq={seq}"));
    for question in found["questions"].as_array().unwrap() {
        for name in ["total", "known", "unknown", "not_told", "unknown_share", "lowest_impact_ratio"] {
            assert_eq!(question[name], Value::Null, "{name}: {question}");
        }
        let groups = question["groups"].as_array().unwrap();
        assert!(groups.iter().all(|row| row["n"].is_null() && row["selected"].is_null()), "{question}");
    }
    let sex = ask(&ledger, &plain, &format!("{FAIRNESS}&attributes=sex"));
    assert_eq!(of(&sex, &["sex"]), of(&found, &["sex"]));
    let race = of(&found, &["race"])["groups"].clone();
    assert_eq!((&race[0]["n_below"], &race[1]["n_below"]), (&Value::Null, &json!(10)));
}
