use super::declared::Kind;
use super::*;
use crate::catalog::Catalog;
use crate::spec::time::{MICROS_PER_MINUTE, Timestamp};
use crate::views::access::model_tests::{Draw, draws, event, facts, minute, row_at, source, text};
use crate::views::engine::testing::HeldActs;
use crate::views::engine::{Opening, RowEvent, View, act_of, fold, testing};
use crate::views::stretches;
use daybook_models::times;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::Arc;

fn hour(hour: i64) -> Timestamp {
    Timestamp::EPOCH.saturating_add(hour * 60 * MICROS_PER_MINUTE)
}

static CATALOG: std::sync::LazyLock<Catalog> = std::sync::LazyLock::new(|| Catalog::embedded().unwrap());

fn register(name: &str) -> RegisterView {
    RegisterView::new(CATALOG.register(name).unwrap(), &CATALOG)
}

fn at_hour(seq: u64, ty: &str, data: Value) -> RowEvent {
    testing::event(seq, hour(seq as i64), ty, "user:u-1", data)
}

#[test]
fn a_row_is_found_by_each_part_of_its_key() {
    let roles = register("role-assignments");
    let data = json!({"principal": "user:u-2", "role": "clerk", "valid_from": "2026-03-01T00:00:00Z"});
    let row = fold(&roles, &[at_hour(0, "role.assigned", data)]);
    let lists = [("principal", "user:u-2".to_owned()), ("role", "clerk".to_owned())];
    assert_eq!((roles.lists(&row), row.owner.as_deref()), (lists.to_vec(), Some("user:u-2")));
    assert_eq!(row.valid_from, Timestamp::recorded("2026-03-01T00:00:00Z"));
}

#[test]
fn another_declaration_is_another_version() {
    let mut declared = register("incidents").register().clone();
    let before = RegisterView::new(&declared, &CATALOG).version();
    assert_eq!(RegisterView::new(&declared, &CATALOG).version(), before);
    declared.fields.push("lesson".to_owned());
    assert_ne!(RegisterView::new(&declared, &CATALOG).version(), before);
}

#[test]
fn registers_keep_lives_or_stretches_by_what_opens_their_rows() {
    let kinds = ["role-assignments", "delegations", "deployments", "model-versions", "incidents", "risks"]
        .map(|name| register(name).kind);
    let lives = Kind::Lives;
    assert_eq!(kinds, [Kind::Beside, Kind::Beside, Kind::Deployments, lives, lives, lives]);
    let versions = register("model-versions");
    // A step of another source is no conflict.
    assert_eq!(versions.opening("model.deployed"), Opening::Beside);
    assert_eq!(register("incidents").opening("incident.opened"), Opening::OnceUntilEnd);
    assert_eq!(register("risks").opening("risk.registered"), Opening::Rounds);
    assert_eq!(register("thresholds").opening("threshold.set"), Opening::Renews);
    let incidents = register("incidents").types();
    assert_eq!((incidents[0].as_str(), incidents[4].as_str()), ("incident.opened", "incident.closed"));
}

/// A history of one role of one person.
fn role_events(draws: &[Draw]) -> Vec<RowEvent> {
    let mut events = Vec::new();
    for (seq, (kind, act, from, long, first, of)) in (0..).zip(draws) {
        let mut data = json!({"principal": "user:p", "role": "clerk"});
        let ty = if *kind < 3 {
            data["valid_from"] = text(*from).into();
            if long % 3 > 0 {
                data["valid_until"] = text(from + long - 2).into();
            }
            "role.assigned"
        } else {
            data["effective_at"] = text(*from).into();
            if let Some(of) = of {
                data["of"] = json!({"source": source(*first), "id": format!("e-{of}")});
            }
            "role.unassigned"
        };
        events.push(event(seq, source(*first), *act, ty, data));
    }
    events
}

proptest! {
    #[test]
    fn stretches_are_what_the_plain_model_reckons(draws in draws(6, 9)) {
        let roles = register("role-assignments");
        let events = role_events(&draws);
        let facts = facts(&events);
        let (begun, ended): (Vec<_>, Vec<_>) = facts.iter().partition(|fact| fact.ty == "role.assigned");
        let beginnings: Vec<_> = begun.iter().map(|fact| times::Beginning::of(fact)).collect();
        let endings: Vec<_> = ended.iter().map(|fact| times::Ending::of(fact)).collect();
        let model = times::Stretches::reckon(&beginnings, &endings);
        for at in (-1..90).map(minute) {
            let row = row_at(&roles, &events, at);
            let mut mine: Vec<u64> = row.stretches.in_force(at).map(|one| one.begun.seq).collect();
            mine.sort_unstable();
            let in_force = model.in_force(at.micros());
            let mut theirs: Vec<u64> = in_force.into_iter().map(|place| begun[place].seq).collect();
            theirs.sort_unstable();
            prop_assert_eq!(&mine, &theirs, "at {}", at);
            prop_assert_eq!(row.state == "assigned" && row.valid_until.is_none_or(|end| at < end)
                && row.valid_from.is_some_and(|from| from <= at), !mine.is_empty(), "at {}", at);
            let nothing: Vec<u64> = model.ended_nothing().into_iter().map(|place| ended[place].seq).collect();
            prop_assert_eq!(row.stretches.ended_nothing(), nothing);
            prop_assert!(row.is("out_of_order") || !model.out_of_order());
        }
    }

    #[test]
    fn stretches_do_not_depend_on_the_order_in_which_they_are_given(
        draws in draws(6, 9), turn in 0..9_usize
    ) {
        let roles = register("role-assignments");
        let events = role_events(&draws);
        let folded = row_at(&roles, &events, Timestamp::LAST).stretches;
        let (begun, ended): (Vec<_>, Vec<_>) = events.iter().partition(|event| event.ty == "role.assigned");
        let mut beginnings: Vec<_> = begun.iter().map(|event| roles.stretch(event, String::new())).collect();
        let endings = ended.iter().map(|event| stretches::Ending {
            done: event.done(),
            effective_at: event.effective_at,
            of: event.value("of").map(stretches::Identity::named),
            leaves: None,
            data: serde_json::Map::new(),
        });
        let mut endings: Vec<_> = endings.collect();
        let turned = turn % beginnings.len().max(1);
        beginnings.rotate_left(turned);
        endings.reverse();
        let reckoned = stretches::Stretches::reckon(beginnings, endings);
        let of = |stretches: &stretches::Stretches| {
            let mut all: Vec<_> = stretches.iter().map(|one| (one.begun.seq, one.from, one.end())).collect();
            all.sort_unstable();
            (all, stretches.ended_nothing())
        };
        prop_assert_eq!(of(&reckoned), of(&folded));
    }

    #[test]
    fn a_row_of_stretches_is_kept_as_it_stays(draws in draws(6, 9)) {
        let roles = register("role-assignments");
        let events = role_events(&draws);
        let whole = row_at(&roles, &events, Timestamp::LAST);
        let latest = events.iter().map(|event| roles.effective_at(event)).max().unwrap();
        let from = roles.settled_from(&whole).map_or(latest, |settled| settled.max(latest));
        let kept = row_at(&roles, &events, from);
        for at in (-1..90).map(minute).filter(|at| *at >= from) {
            prop_assert_eq!(&row_at(&roles, &events, at), &kept);
        }
    }
}

#[test]
fn next_years_role_hides_nothing_of_this_years_and_the_leavers_ends_when_it_ended() {
    let roles = register("role-assignments");
    let assigned = |seq, act, from, until| {
        let data = json!({"principal": "user:p", "role": "clerk", "valid_from": text(from), "valid_until": text(until)});
        event(seq, "/hr", act, "role.assigned", data)
    };
    let left = json!({"principal": "user:p", "role": "clerk", "reason": "left", "effective_at": text(6)});
    let events = [assigned(0, 0, 0, 10), assigned(1, 5, 10, 20), event(2, "/hr", 8, "role.unassigned", left)];
    let before = row_at(&roles, &events[..2], minute(7));
    assert_eq!((before.state.as_str(), before.valid_until), ("assigned", Some(minute(10))));
    let next = row_at(&roles, &events[..2], minute(12));
    assert_eq!((next.state.as_str(), next.valid_from), ("assigned", Some(minute(10))));
    for at in [6, 7, 12] {
        let row = row_at(&roles, &events, minute(at));
        assert_eq!((row.state.as_str(), row.ended), ("unassigned", true), "at {at}");
    }
    assert_eq!(row_at(&roles, &events, minute(5)).state, "assigned");
}

#[test]
fn what_is_lent_again_after_it_was_taken_back_is_lent() {
    let delegations = register("delegations");
    let lent = |seq, act, until| {
        let data = json!({
            "delegation": "D", "from": "user:a", "to": "user:b", "kinds": ["data-access"], "max_risk": "high",
            "valid_from": text(act), "valid_until": text(until), "reason": "leave",
        });
        event(seq, "/a", act, "delegation.granted", data)
    };
    let back = json!({"delegation": "D", "from": "user:a", "to": "user:b", "reason": "back", "effective_at": text(5)});
    let events = [lent(0, 0, 50), event(1, "/a", 5, "delegation.revoked", back), lent(2, 10, 90)];
    let states = [3, 7, 20].map(|at| row_at(&delegations, &events, minute(at)).state);
    assert_eq!(states, ["granted", "revoked", "granted"]);
    let row = row_at(&delegations, &events, minute(20));
    assert_eq!((row.valid_from, row.text("reason"), row.ended_at), (Some(minute(10)), Some("leave"), None));
    assert_eq!(row_at(&delegations, &events, minute(7)).text("reason"), Some("back"));
}

fn deployed(seq: u64, act: i64, version: &str, share: f64) -> RowEvent {
    let data = json!({
        "model": "m", "environment": "production", "version": version, "share": share, "artifact_digest": version,
    });
    event(seq, "/pipelines", act, "model.deployed", data)
}

fn rolled_back(seq: u64, act: i64, from: &str, to: &str) -> RowEvent {
    let data = json!({
        "model": "m", "environment": "production", "from_version": from, "to_version": to, "to_digest": to, "reason": "r",
    });
    event(seq, "/pipelines", act, "model.rolled_back", data)
}

/// What serves at a minute, the newest first: version and what it serves.
fn serving(events: &[RowEvent], at: i64) -> Vec<(String, f64)> {
    let row = row_at(&register("deployments"), events, minute(at));
    let one = |one: &Value| (one["version"].as_str().unwrap().to_owned(), one["serves"].as_f64().unwrap());
    row.value("serving").and_then(Value::as_array).into_iter().flatten().map(one).collect()
}

fn of(serving: &[(&str, f64)]) -> Vec<(String, f64)> {
    serving.iter().map(|(version, share)| ((*version).to_owned(), *share)).collect()
}

#[test]
fn a_tenth_stands_beside_the_nine_tenths_and_a_full_rollout_ends_both() {
    let events = [deployed(0, 0, "1.0", 1.0), deployed(1, 10, "1.1", 0.1), deployed(2, 20, "1.1", 1.0)];
    assert_eq!(serving(&events, 5), of(&[("1.0", 1.0)]));
    assert_eq!(serving(&events, 15), of(&[("1.1", 0.1), ("1.0", 0.9)]));
    assert_eq!(serving(&events, 25), of(&[("1.1", 1.0)]));
    let row = row_at(&register("deployments"), &events, minute(15));
    assert_eq!(
        (row.state.as_str(), row.text("version"), row.is("shares_over_one")),
        ("live", Some("1.1"), false)
    );
}

#[test]
fn shares_over_one_are_marked_and_share_none_serves_nobody() {
    let deployments = register("deployments");
    let over = [deployed(0, 0, "1.0", 0.6), deployed(1, 10, "1.1", 0.6)];
    assert!(row_at(&deployments, &over, minute(10)).is("shares_over_one"));
    assert!(!row_at(&deployments, &over, minute(9)).is("shares_over_one"));
    let off = [deployed(0, 0, "1.0", 1.0), deployed(1, 10, "1.1", 0.5), deployed(2, 20, "1.1", 0.0)];
    assert_eq!(serving(&off, 20), of(&[("1.0", 1.0)]));
    let alone = [deployed(0, 0, "1.0", 1.0), deployed(1, 10, "1.0", 0.0)];
    assert_eq!(serving(&alone, 10), of(&[]));
}

#[test]
fn a_rollback_gives_the_share_of_one_version_to_the_other() {
    let part = [deployed(0, 0, "1.0", 1.0), deployed(1, 10, "1.1", 0.1), rolled_back(2, 20, "1.1", "1.0")];
    assert_eq!(serving(&part, 20), of(&[("1.0", 1.0)]));
    let whole = [deployed(0, 0, "1.0", 1.0), deployed(1, 10, "1.1", 1.0), rolled_back(2, 20, "1.1", "1.0")];
    let row = row_at(&register("deployments"), &whole, minute(20));
    assert_eq!(
        (row.state.as_str(), row.text("version"), row.text("artifact_digest")),
        ("rolled-back", Some("1.0"), Some("1.0"))
    );
    assert_eq!(serving(&whole, 20), of(&[("1.0", 1.0)]));
    // The version that was rolled back may be deployed again.
    let again = [whole.as_slice(), &[deployed(3, 30, "1.1", 1.0)]].concat();
    assert_eq!(row_at(&register("deployments"), &again, minute(30)).state, "live");
}

#[test]
fn what_was_closed_and_is_opened_again_is_open_with_clocks_of_its_own() {
    let incidents = register("incidents");
    let opened = |seq, aware: i64, severity: &str| {
        let data = json!({"incident": "I", "owner": "user:o", "severity": severity, "aware_at": hour(aware).to_string()});
        at_hour(seq, "incident.opened", data)
    };
    let closed = at_hour(2, "incident.closed", json!({"incident": "I", "resolution": "rolled back"}));
    let row = fold(&incidents, &[opened(0, 0, "low"), closed.clone()]);
    assert_eq!((row.state.as_str(), row.ended), ("closed", true));
    let row = fold(&incidents, &[opened(0, 0, "low"), closed, opened(5, 4, "critical")]);
    assert_eq!((row.state.as_str(), row.ended, row.text("severity")), ("open", false, Some("critical")));
    assert_eq!((row.text("resolution"), row.time("aware_at")), (None, Some(hour(4))));
    assert_eq!((row.value("rounds"), row.value("earlier_rounds.0")), (Some(&json!(2)), None));
    assert_eq!(row.value("earlier_rounds").unwrap()[0]["state"], "closed");
}

#[test]
fn a_clock_runs_from_the_earliest_time_that_any_opening_tells() {
    let incidents = register("incidents");
    let opened = |seq, aware: i64| {
        let data = json!({"incident": "I", "owner": "user:o", "severity": "low", "aware_at": hour(aware).to_string()});
        at_hour(seq, "incident.opened", data)
    };
    let row = fold(&incidents, &[opened(5, 4), opened(6, 2), opened(7, 3)]);
    assert_eq!(
        (row.time("aware_at"), row.value("conflicts").map(|all| all.as_array().unwrap().len())),
        (Some(hour(2)), Some(2))
    );
}

#[test]
fn a_risk_that_is_registered_again_is_open_and_reopening_launders_nothing() {
    let risks = register("risks");
    let registered = |seq, due: Option<i64>| {
        let mut data = json!({"risk": "R", "title": "t", "category": "c", "owner": "user:o"});
        if let Some(due) = due {
            data["next_due_at"] = hour(due).to_string().into();
        }
        at_hour(seq, "risk.registered", data)
    };
    let closed = at_hour(4, "risk.closed", json!({"risk": "R", "reason": "r"}));
    let row = fold(&risks, &[registered(0, Some(2)), closed.clone()]);
    assert_eq!((row.state.as_str(), row.ended), ("closed", true));
    let row = fold(&risks, &[registered(0, Some(2)), closed, registered(6, Some(20))]);
    assert_eq!((row.state.as_str(), row.ended, row.is("missed_before")), ("open", false, true));
    assert_eq!(row.due_at, Some(hour(20)));
    // Told again while it is open, it keeps the date that it had.
    let row = fold(&risks, &[registered(0, Some(2)), registered(6, Some(20))]);
    assert_eq!((row.due_at, row.time("extended_due_at")), (Some(hour(2)), Some(hour(20))));
}

#[test]
fn fields_take_their_value_from_the_last_event_by_valid_time() {
    let thresholds = register("thresholds");
    let set = |seq: u64, effective: i64, value: i64| {
        let data = json!({"threshold": "T", "value": value, "owner": format!("user:u-{value}")});
        let mut event = at_hour(seq, "threshold.set", data);
        event.effective_at = hour(effective);
        event
    };
    // Set in advance; then, later, with effect from before that.
    let row = fold(&thresholds, &[set(0, 0, 1), set(1, 50, 2), set(2, 30, 3)]);
    let values: Vec<&str> = row.fields.values().filter_map(Value::as_str).collect();
    assert!(values.contains(&"user:u-2") && !values.contains(&"user:u-3"), "{row:?}");
}

/// The model: incidents, written down by hand.
fn model(events: &[RowEvent]) -> (String, Option<String>, usize) {
    let kind = |event: &RowEvent| event.ty.trim_start_matches("incident.").to_owned();
    let first = events.iter().position(|event| kind(event) == "opened");
    let mut ordered: Vec<(&RowEvent, bool)> = Vec::new();
    if let Some(first) = first {
        ordered.push((&events[first], false));
        ordered.extend(events[..first].iter().map(|event| (event, true)));
        ordered.extend(events[first + 1..].iter().map(|event| (event, false)));
    } else {
        ordered.extend(events.iter().map(|event| (event, false)));
    }
    let mut state = String::new();
    let (mut owner, mut conflicts) = (None, 0);
    for (event, early) in ordered {
        let kind = kind(event);
        if early && kind == "closed" {
            continue;
        }
        if kind == "opened" && !matches!(state.as_str(), "" | "closed") {
            conflicts += 1;
            continue;
        }
        if kind == "opened" {
            owner = event.text("owner").map(str::to_owned);
        }
        state = match (state.as_str(), kind.as_str()) {
            (_, "opened") => "open",
            (_, "closed") => "closed",
            ("", _) => "unopened",
            ("open", "classified") => "classified",
            ("open" | "classified", "reported") => "reported",
            ("open" | "classified" | "reported", "analysed") => "analysed",
            (other, _) => other,
        }
        .to_owned();
    }
    (state, owner, conflicts)
}

proptest! {
    #[test]
    fn a_register_is_what_the_plain_model_says(draws in prop::collection::vec(0..5_usize, 1..12)) {
        let incidents = register("incidents");
        let events: Vec<RowEvent> = (0_u64..).zip(&draws).map(|(seq, kind)| {
            let kind = ["opened", "classified", "reported", "analysed", "closed"][*kind];
            let mut data = json!({"incident": "I", "by": "user:u-1"});
            if kind == "opened" {
                data["owner"] = json!(format!("user:u-{seq}"));
            }
            at_hour(seq, &format!("incident.{kind}"), data)
        }).collect();
        let row = fold(&incidents, &events);
        let (state, owner, conflicts) = model(&events);
        prop_assert_eq!((row.state.clone(), row.owner.clone()), (state.clone(), owner));
        prop_assert_eq!(row.ended, state == "closed");
        let listed = row.value("conflicts").and_then(Value::as_array).map_or(0, Vec::len);
        prop_assert_eq!(listed, conflicts);
    }
}

#[test]
fn what_is_beyond_the_bound_is_left_out_and_counted_and_what_holds_is_not() {
    let roles = register("role-assignments");
    let mut events: Vec<RowEvent> = (0..200)
        .map(|seq| {
            let from = seq as i64 * 10;
            let data = json!({
                "principal": "user:p", "role": "clerk", "valid_from": text(from), "valid_until": text(from + 9),
            });
            event(seq, "/hr", from, "role.assigned", data)
        })
        .collect();
    let data = json!({"principal": "user:p", "role": "clerk", "valid_from": text(1)});
    events.push(event(200, "/hr", 1, "role.assigned", data));
    let row = row_at(&roles, &events, minute(5_000));
    assert_eq!(row.stretches.iter().count(), stretches::MAX_STRETCHES);
    assert_eq!(row.value("stretches_left_out"), Some(&json!(201 - stretches::MAX_STRETCHES)));
    assert_eq!((row.state.as_str(), row.valid_until), ("assigned", None));
    let mut ended = events.clone();
    Arc::make_mut(&mut ended[200].data)["valid_until"] = text(4_000).into();
    assert_eq!(row_at(&roles, &ended, minute(5_000)).valid_until, Some(minute(4_000)));
}

/// A register of the organisation's own in which what ends a row takes two.
fn vaults() -> RegisterView {
    let declared = |name: &str, acts: &str| {
        json!({
            "name": name, "version": 1, "summary": "Something happened to a vault.", "repeat": "once", "acts": acts,
            "entity": {"family": "vault", "id": "vault"},
            "schema": {"required": ["vault"], "properties": {"vault": {"$ref": "#/$defs/id"}}},
            "example": {"by": "user:u-1", "vault": "V-1"},
        })
    };
    let data = json!({
        "by": "user:u-1", "publication": "CAT-1", "version": 1, "reason": "needed",
        "types": [declared("vault.sealed", "one"), declared("vault.unsealed", "two")],
        "registers": [{
            "name": "vaults", "summary": "Vaults, sealed or not.", "family": "vault", "key": ["vault"],
            "events": {"vault.sealed": {"opens": "sealed"}, "vault.unsealed": {"to": "unsealed"}},
            "ends": ["unsealed"], "fields": ["by"],
        }],
    });
    let catalog = CATALOG.published(&data).unwrap_or_else(|refusals| panic!("{refusals:?}"));
    RegisterView::new(catalog.register("vaults").unwrap(), &catalog)
}

#[test]
fn what_ends_a_row_and_takes_two_ends_nothing_until_somebody_else_confirms_it() {
    let vaults = vaults();
    let vault = || json!({"vault": "V-1"});
    let sealed = at_hour(0, "vault.sealed", vault());
    let proposed = at_hour(1, "vault.unsealed", vault());
    let digest = testing::digest(&proposed.source, &proposed.id, &proposed.ty, &proposed.data);
    let of = json!({"of": {"source": proposed.source, "id": proposed.id}, "digest": digest});
    let confirmed = testing::event(2, hour(2), "act.confirmed", "user:u-2", of);
    let row = |hours: i64| {
        let held = HeldActs(vec![proposed.clone(), confirmed.clone()]);
        let act = act_of(&proposed, hour(hours), &held).unwrap();
        fold(&vaults, &[sealed.clone(), RowEvent { act: Some(act), ..proposed.clone() }])
    };
    let standing = |hours: i64| {
        let row = row(hours);
        (row.state.clone(), row.ended, row.value("acts").unwrap()[0]["standing"].clone())
    };
    assert_eq!(standing(1), ("sealed".to_owned(), false, json!("proposed")));
    assert_eq!(standing(2), ("unsealed".to_owned(), true, json!("in-effect")));
    assert!(vaults.has_acts_of_two() && View::judge(&vaults).is_some());
    let states = ["sealed", "unsealed", "proposed", "lapsed", "unopened"];
    let words = vaults.words("state").unwrap();
    assert!(
        states.iter().all(|state| words.iter().any(|word| word == state)) && words.len() == 5,
        "{words:?}"
    );
    // A register in which nothing takes two knows none of that.
    let incidents = register("incidents");
    assert!(!incidents.has_acts_of_two() && View::judge(&incidents).is_none());
}
