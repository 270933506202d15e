use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::tests::{catalogued, embedded, refusal};
use super::*;

const OWN: &str = "
domain: vendor
types:
  - name: vendor.proposed
    version: 1
    summary: A vendor was proposed.
    entity: {family: vendor, id: vendor}
    schema:
      required: [vendor, unit, owner]
      properties:
        vendor: {$ref: '#/$defs/id'}
        unit: {$ref: '#/$defs/token'}
        owner: {$ref: '#/$defs/principal'}
        stars: {type: integer}
        due_at: {$ref: '#/$defs/time'}
    example: {by: 'user:u-1', vendor: V-1, unit: lending, owner: 'user:u-2', due_at: '2026-01-31T00:00:00Z'}
  - name: vendor.rated
    version: 1
    summary: A vendor was rated.
    entity: {family: vendor, id: vendor}
    schema:
      required: [vendor, rating]
      properties:
        vendor: {$ref: '#/$defs/id'}
        unit: {$ref: '#/$defs/token'}
        rating: {enum: [good, bad]}
        stars_given: {type: integer}
        due_at: {$ref: '#/$defs/time'}
        names: {$ref: '#/$defs/ids'}
    example: {by: 'user:u-1', vendor: V-1, rating: good}
  - name: vendor.dropped
    version: 1
    summary: A vendor was dropped.
    entity: {family: vendor, id: vendor}
    schema:
      required: [vendor]
      properties:
        vendor: {$ref: '#/$defs/id'}
        stars: {type: integer}
    example: {by: 'user:u-1', vendor: V-1}
registers:
  - name: vendors
    summary: Vendors.
    family: vendor
    key: [vendor]
    events:
      vendor.proposed: {opens: proposed, to: {dropped: proposed}}
      vendor.rated: {to_field: rating, as: {stars: stars_given}}
      vendor.dropped: {to: dropped}
    ends: [dropped]
    owner: owner
    due_at: due_at
    fields: [unit, owner, due_at, stars]
";

fn vendors() -> Register {
    catalogued(OWN).unwrap().register("vendors").unwrap().clone()
}

#[test]
fn an_organisation_declares_a_register() {
    let catalog = catalogued(OWN).unwrap();
    let vendors = catalog.register("vendors").unwrap();
    assert_eq!(vendors.domain, "vendor");
    let states: Vec<&str> = vendors.states.iter().map(String::as_str).collect();
    assert_eq!(states, ["bad", "dropped", "good", "proposed"]);
    assert_eq!(catalog.register_of_family("vendor").unwrap().name, "vendors");
    assert_eq!(catalog.registers().count(), embedded().registers().count() + 1);
}

#[test]
fn events_move_a_row_as_the_register_says() {
    let vendors = vendors();
    let none = json!({});
    assert_eq!(vendors.next_state("vendor.proposed", &none, None), "proposed");
    assert_eq!(vendors.next_state("vendor.rated", &json!({"rating": "bad"}), Some("proposed")), "bad");
    assert_eq!(vendors.next_state("vendor.proposed", &none, Some("bad")), "bad");
    assert_eq!(vendors.next_state("vendor.dropped", &none, Some("bad")), "dropped");
    // A row that is done stays done, unless a table says how it comes back.
    assert_eq!(vendors.next_state("vendor.rated", &json!({"rating": "good"}), Some("dropped")), "dropped");
    assert_eq!(vendors.next_state("vendor.proposed", &none, Some("dropped")), "proposed");
    // Evidence about a row that nothing opened counts, and shows.
    assert_eq!(vendors.next_state("vendor.rated", &json!({"rating": "good"}), None), "good");
    assert_eq!(vendors.next_state("vendor.unheard_of", &none, None), UNOPENED);
}

#[test]
fn a_row_carries_the_latest_fields_under_its_own_names() {
    let vendors = vendors();
    let proposed =
        json!({"vendor": "V-1", "unit": "lending", "owner": "user:u-2", "due_at": "2026-01-31T00:00:00Z"});
    let carried = |event_type: &str, data: &Value| -> Vec<(String, Option<Value>)> {
        let carried = vendors.carried(event_type, data);
        carried.into_iter().map(|(name, value)| (name.to_owned(), value.cloned())).collect()
    };
    assert_eq!(
        carried("vendor.proposed", &proposed),
        [
            ("unit".to_owned(), Some(json!("lending"))),
            ("owner".to_owned(), Some(json!("user:u-2"))),
            ("due_at".to_owned(), Some(json!("2026-01-31T00:00:00Z"))),
        ]
    );
    // A rating has a due date of its own and left it out: nothing is due any more. Its stars have another name.
    let rated = json!({"vendor": "V-1", "rating": "good", "stars_given": 4, "stars": 1});
    assert_eq!(
        carried("vendor.rated", &rated),
        [("due_at".to_owned(), None), ("stars".to_owned(), Some(json!(4)))]
    );
    // Dropping a vendor knows of no due date, so it leaves it alone.
    assert_eq!(carried("vendor.dropped", &json!({"vendor": "V-1"})), []);
    assert_eq!(carried("other.type", &rated), []);
}

#[test]
fn a_field_that_goes_under_another_name_does_not_go_under_its_own() {
    let catalog = embedded();
    let thresholds = catalog.register("thresholds").unwrap();
    let measured = &catalog.get("performance.measured").unwrap().example;
    let carried = thresholds.carried("performance.measured", measured);
    assert!(carried.contains(&("measured", Some(&json!(0.78)))), "{carried:?}");
    assert!(!carried.iter().any(|(name, _)| *name == "value"), "{carried:?}");
}

#[test]
fn a_row_is_found_by_all_parts_of_its_key() {
    let catalog = embedded();
    let versions = catalog.register("model-versions").unwrap();
    let deployments = catalog.register("deployments").unwrap();
    let back = &catalog.get("model.rolled_back").unwrap().example;
    assert_eq!(versions.row_of("model.rolled_back", back).as_deref(), Some("credit-line@1.2"));
    assert_eq!(deployments.row_of("model.rolled_back", back).as_deref(), Some("credit-line@production"));
    assert!(deployments.carried("model.rolled_back", back).contains(&("version", Some(&json!("1.1")))));

    let mut without = back.clone();
    without.as_object_mut().unwrap().remove("environment");
    assert_eq!(deployments.row_of("model.rolled_back", &without), None);
    assert_eq!(deployments.row_of("kpi.defined", back), None);
}

#[test]
fn erasure_and_handover_finish_a_decommissioning_in_either_order() {
    let catalog = embedded();
    let register = catalog.register("decommissions").unwrap();
    for order in
        [["erasure.completed", "knowledge.transferred"], ["knowledge.transferred", "erasure.completed"]]
    {
        let mut state = register.next_state("system.decommissioned", &json!({}), None);
        for event_type in order {
            assert!(!register.ends.contains(&state));
            state = register.next_state(event_type, &json!({}), Some(&state));
        }
        assert_eq!(state, "done");
    }
}

#[test]
fn a_broken_register_is_refused_with_its_place_and_cause() {
    for (from, to, line, cause) in [
        ("ends: [dropped]", "end: [dropped]", 50, "unknown field `end`"),
        ("name: vendors", "name: My Vendors", 42, "name: lower-case letters"),
        ("name: vendors", "name: risks", 42, "register `risks`: is declared at seeds/catalog/finance.yaml:"),
        (
            "name: vendors",
            "name: decisions",
            42,
            "`decisions` and its family are a view of the program's own",
        ),
        (
            "summary: Vendors.\n    family: vendor",
            "summary: Vendors.\n    family: risk",
            42,
            "is that of `risks` already",
        ),
        ("key: [vendor]", "key: []", 42, "key: 1 to 4 fields"),
        ("key: [vendor]", "key: [vendr]", 47, "`vendor.proposed`: key: the type has no field `vendr`"),
        ("key: [vendor]", "key: [vendor, unit]", 49, "`vendor.dropped`: key: the type has no field `unit`"),
        ("vendor.dropped: {to", "vendor.droped: {to", 49, "no such type; did you mean `vendor.dropped`?"),
        ("{opens: proposed, to: {dropped: proposed}}", "{}", 42, "no type opens a row"),
        (
            "opens: proposed,",
            "opens: unopened,",
            47,
            "`unopened` is the state of rows that nothing has opened",
        ),
        ("opens: proposed,", "opens: Proposed,", 47, "the state `Proposed`: lower-case letters"),
        ("opens: proposed,", "opens: proposed, opens_field: unit,", 47, "either `opens` or `opens_field`"),
        ("opens: proposed,", "opens_field: unit,", 47, "`unit` is not a required enumeration"),
        ("{dropped: proposed}", "{droped: proposed}", 42, "`vendor.proposed` leads from the state `droped`"),
        ("{dropped: proposed}", "[dropped]", 47, "to: a state, or a table of states"),
        ("to_field: rating", "to_field: rate", 48, "to_field: the type has no field `rate`"),
        ("to_field: rating", "to_field: rating, to: bad", 48, "either `to` or `to_field`"),
        ("stars: stars_given", "stars: starz", 48, "as: the type has no field `starz`"),
        (
            "stars: stars_given",
            "starz: stars_given",
            48,
            "as: `starz` is neither among the fields nor in the key",
        ),
        ("ends: [dropped]", "ends: [lost]", 42, "ends: no event leads to the state `lost`"),
        ("owner: owner\n", "owner: ownr\n", 42, "owner: `ownr` is not among the fields"),
        ("due_at: due_at\n", "due_at: unit\n", 42, "due_at: the field `unit` is not a date-time"),
        ("due_at, stars]", "due_at, stars, price]", 42, "no type of this register has a field `price`"),
        ("due_at, stars]", "due_at, stars, unit]", 42, "`unit` stands there twice"),
        ("due_at, stars]", "due_at, stars, state]", 42, "`state` is the row's own state"),
    ] {
        assert!(OWN.contains(from), "{from}");
        let message = refusal(&OWN.replacen(from, to, 1));
        assert!(message.contains(&format!("own.yaml:{line}: ")), "{to}: {message}");
        assert!(message.contains(cause), "{to}: {message}");
    }
}

#[test]
fn a_renewed_type_has_to_bear_the_registers_that_stand_on_it() {
    let renewed = "
domain: finance
types:
  - name: risk.closed
    version: 2
    summary: A risk exists no longer.
    entity: {family: risk, id: number}
    schema:
      required: [number]
      properties:
        number: {$ref: '#/$defs/id'}
    example: {by: 'user:u-1', number: R-1}
";
    let message = refusal(renewed);
    assert!(message.starts_with("seeds/catalog/finance.yaml:"), "{message}");
    assert!(
        message.contains("register `risks`: events: `risk.closed`: key: the type has no field `risk`"),
        "{message}"
    );
}

/// All that a fold needs beside the register: rows by key, each with its state, its fields and its counts.
#[derive(Default, Debug)]
struct Row {
    state: Option<String>,
    fields: BTreeMap<String, Value>,
    counts: BTreeMap<String, u64>,
}

fn folded(register: &Register, events: &[(&str, Value)]) -> BTreeMap<String, Row> {
    let mut rows: BTreeMap<String, Row> = BTreeMap::new();
    for (event_type, data) in events {
        let Some(key) = register.row_of(event_type, data) else { continue };
        let row = rows.entry(key).or_default();
        row.state = Some(register.next_state(event_type, data, row.state.as_deref()));
        *row.counts.entry((*event_type).to_owned()).or_default() += 1;
        for (name, value) in register.carried(event_type, data) {
            match value {
                Some(value) => drop(row.fields.insert(name.to_owned(), value.clone())),
                None => drop(row.fields.remove(name)),
            }
        }
    }
    rows
}

fn overdue(register: &Register, row: &Row, now: &str) -> bool {
    let done = row.state.as_ref().is_some_and(|state| register.ends.contains(state));
    let due_at = register.due_at.as_ref().and_then(|name| row.fields.get(name)?.as_str());
    !done && due_at.is_some_and(|due_at| due_at < now)
}

#[test]
fn a_fold_of_a_few_lines_tells_a_risks_life() {
    let catalog = embedded();
    let risks = catalog.register("risks").unwrap();
    let example = |event_type: &'static str| (event_type, catalog.get(event_type).unwrap().example.clone());
    let mut life = vec![example("risk.registered"), example("risk.assessed"), example("risk.treated")];
    let rows = folded(risks, &life);
    let row = &rows["RSK-0007"];
    assert_eq!(row.state.as_deref(), Some("treated"));
    assert_eq!((&row.fields["rating"], &row.fields["residual"]), (&json!("high"), &json!("medium")));
    assert!(!overdue(risks, row, "2026-06-30T00:00:00Z") && overdue(risks, row, "2026-07-01T00:00:00Z"));

    life.extend([example("risk.closed"), example("risk.assessed")]);
    let rows = folded(risks, &life);
    let row = &rows["RSK-0007"];
    assert_eq!(row.state.as_deref(), Some("closed"));
    assert_eq!(row.counts["risk.assessed"], 2);
    assert!(!overdue(risks, row, "2026-07-01T00:00:00Z"));
}

#[test]
fn each_regime_has_its_own_clock_for_one_incident() {
    let catalog = embedded();
    let reports = catalog.register("incident-reports").unwrap();
    let example = |event_type: &str| catalog.get(event_type).unwrap().example.clone();
    let mut privacy = example("incident.classified");
    privacy["regime"] = json!("gdpr");
    privacy["report_due_at"] = json!("2026-08-14T07:40:00Z");
    let mut last = example("incident.reported");
    last["stage"] = json!("final");
    last.as_object_mut().unwrap().remove("report_due_at");
    let events = [
        ("incident.classified", example("incident.classified")),
        ("incident.classified", privacy),
        ("incident.reported", example("incident.reported")),
        ("incident.reported", last),
    ];
    let rows = folded(reports, &events[..3]);
    assert_eq!(rows["INC-0003@dora"].fields["report_due_at"], json!("2026-08-14T07:40:00Z"));
    let rows = folded(reports, &events);
    let late: Vec<&String> = rows
        .iter()
        .filter(|(_, row)| overdue(reports, row, "2026-08-20T00:00:00Z"))
        .map(|(key, _)| key)
        .collect();
    assert_eq!(late, ["INC-0003@gdpr"]);
    assert!(!rows["INC-0003@dora"].fields.contains_key("report_due_at"));
}

#[test]
fn a_role_that_is_assigned_anew_without_an_end_has_none() {
    let catalog = embedded();
    let roles = catalog.register("role-assignments").unwrap();
    let first = catalog.get("role.assigned").unwrap().example.clone();
    let away = catalog.get("role.unassigned").unwrap().example.clone();
    let mut again = first.clone();
    again.as_object_mut().unwrap().remove("valid_until");
    let events = [("role.assigned", first), ("role.unassigned", away), ("role.assigned", again)];
    let rows = folded(roles, &events[..2]);
    assert_eq!(rows["user:u-1042@risk-officer"].state.as_deref(), Some("unassigned"));
    assert!(rows["user:u-1042@risk-officer"].fields.contains_key("valid_until"));
    let rows = folded(roles, &events);
    assert_eq!(rows["user:u-1042@risk-officer"].state.as_deref(), Some("assigned"));
    assert!(!rows["user:u-1042@risk-officer"].fields.contains_key("valid_until"));
}

#[test]
fn a_digest_that_differs_from_the_registered_one_is_seen_in_the_row() {
    let catalog = embedded();
    let versions = catalog.register("model-versions").unwrap();
    let registered = catalog.get("model.versioned").unwrap().example.clone();
    let mut deployed = catalog.get("model.deployed").unwrap().example.clone();
    deployed["artifact_digest"] = json!(format!("sha256:{}", "0".repeat(64)));
    let rows =
        folded(versions, &[("model.versioned", registered.clone()), ("model.deployed", deployed.clone())]);
    let fields = &rows["credit-line@1.1"].fields;
    assert_eq!(fields["artifact_digest"], registered["artifact_digest"]);
    assert_eq!(fields["deployed_digest"], deployed["artifact_digest"]);
}
