use std::collections::{BTreeMap, BTreeSet};

use chrono::{DateTime, Duration, TimeZone, Utc};
use serde_json::Value;

use super::*;
use crate::catalog::{Acts, Catalog};

fn some_now() -> DateTime<Utc> {
    Utc.with_ymd_and_hms(2026, 11, 24, 11, 30, 0).unwrap()
}

fn told() -> Vec<DemoEvent> {
    scenario(some_now()).unwrap()
}

fn text<'a>(event: &'a DemoEvent, pointer: &str) -> &'a str {
    event.event.pointer(pointer).and_then(Value::as_str).unwrap_or("")
}

fn of_type<'a>(events: &'a [DemoEvent], event_type: &str) -> impl Iterator<Item = &'a DemoEvent> {
    events.iter().filter(move |event| text(event, "/type") == event_type)
}

#[test]
fn every_event_is_what_the_catalogue_says() {
    let catalog = Catalog::embedded().unwrap();
    for one in told() {
        let known = catalog.get(text(&one, "/type")).unwrap_or_else(|| panic!("{}", one.event));
        assert_eq!(known.check(&one.event["data"], 5), [], "{}", one.event);
    }
}

#[test]
fn the_year_is_full_and_of_all_families() {
    let events = told();
    assert!((900..=1_300).contains(&events.len()), "{}", events.len());
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for one in &events {
        *counts.entry(text(one, "/type").split('.').next().unwrap()).or_default() += 1;
    }
    for family in ["approval", "access", "decision", "escalation"] {
        assert!(counts.get(family).is_some_and(|count| *count >= 40), "{counts:?}");
    }
    let months: BTreeSet<i64> =
        events.iter().map(|one| (some_now() - one.recorded_at).num_days() / 31).collect();
    assert_eq!(months, (0..12).collect());
}

#[test]
fn each_control_has_evidence() {
    let catalog = Catalog::embedded().unwrap();
    let events = told();
    let shown = |control: &crate::catalog::Control| {
        let fits = |one: &DemoEvent| {
            control.evidence.iter().any(|evidence| evidence.fits(text(one, "/type"), &one.event["data"]))
        };
        events.iter().any(fits)
    };
    let bare: Vec<&str> =
        catalog.controls().filter(|control| !shown(control)).map(|control| control.id.as_str()).collect();
    assert_eq!(bare, Vec::<&str>::new());
    assert_eq!(catalog.controls().count(), 63);
}

/// Each register's rows at the end of the year, folded in the order in which things took effect.
fn rows() -> BTreeMap<String, BTreeMap<String, String>> {
    let catalog = Catalog::embedded().unwrap();
    let mut events = told();
    events.sort_by_key(|one| text(one, "/time").to_owned());
    let mut all = BTreeMap::new();
    // What takes two has no row in a story that each application tells alone.
    let takes_two = |ty: &str| catalog.get(ty).is_some_and(|known| known.words.acts == Acts::Two);
    for register in catalog.registers().filter(|register| !register.openers().any(takes_two)) {
        let mut rows: BTreeMap<String, String> = BTreeMap::new();
        for one in &events {
            let (ty, data) = (text(one, "/type"), &one.event["data"]);
            if let Some(row) = register.row_of(ty, data) {
                let state = register.next_state(ty, data, rows.get(&row).map(String::as_str));
                rows.insert(row, state);
            }
        }
        all.insert(register.name.clone(), rows);
    }
    all
}

#[test]
fn nothing_is_spoken_of_that_nobody_has_opened() {
    let mut unopened = Vec::new();
    for (register, rows) in rows() {
        assert!(!rows.is_empty(), "the story has no row of {register}");
        let open = rows.into_iter().filter(|(_, state)| state == crate::catalog::UNOPENED);
        unopened.extend(open.map(|(row, _)| format!("{register}/{row}")));
    }
    assert_eq!(unopened, Vec::<String>::new());
}

#[test]
fn what_is_wrong_in_the_story_is_there() {
    let rows = rows();
    let state = |register: &str, row: &str| rows[register].get(row).map(String::as_str);
    let absent = |register: &str, row: &str| assert_eq!(state(register, row), None, "{register}/{row}");
    assert_eq!(state("usecases", "UC-04"), Some("proposed"));
    assert_eq!(state("quality-agreements", "DQ-02"), Some("breached"));
    assert_eq!(state("schemas", "SCH-bureau"), Some("accepted"));
    assert_eq!(state("model-tests", "hire-rank@2.1@regression"), Some("failed"));
    assert_eq!(state("proxies", "credit-line@1.2@postcode-income"), Some("above"));
    assert_eq!(state("documents", "DOC-003"), Some("filed"));
    assert_eq!(state("environments", "staging"), Some("differs"));
    assert_eq!(state("thresholds", "TH-FE-FPR"), Some("breached"));
    assert_eq!(state("thresholds", "TH-CL-AUC"), Some("acted-upon"));
    assert_eq!(state("drift", "credit-line@1.2@input"), Some("drifting"));
    assert_eq!(state("gates", "GATE-03"), Some("failed"));
    assert_eq!(state("risks", "RSK-02"), Some("assessed"));
    assert_eq!(state("services", "SRV-01"), Some("breached"));
    assert_eq!(state("model-versions", "fraud-eye@3.4"), Some("deprecated"));
    assert_eq!(state("model-versions", "credit-line@1.0"), Some("archived"));
    assert_eq!(state("decommissions", "scorecard-2014"), Some("erased"));
    assert_eq!(state("retrainings", "RT-002"), Some("triggered"));
    absent("champions", "marketing");
    absent("explanations", "hire-rank@2.0@affected-person");
    absent("monitors", "fraud-eye@3.5@skew");
    assert!(rows["experiments"].keys().all(|id| id == "EXP-001" || id == "EXP-002"));

    let events = told();
    let deployed = of_type(&events, "model.deployed");
    let unapproved: Vec<&str> = deployed
        .filter(|one| {
            text(one, "/data/environment") == "production" && one.event["data"].get("approval").is_none()
        })
        .map(|one| text(one, "/data/version"))
        .collect();
    assert_eq!(unapproved, ["1.2"]);
}

#[test]
fn sources_that_number_their_events_leave_one_gap_and_one_count_is_wrong() {
    let events = told();
    let numbers = |source: &str| -> Vec<u64> {
        let of = events.iter().filter(|one| text(one, "/source") == source);
        of.map(|one| text(one, "/sequence").parse().unwrap()).collect()
    };
    let gapless = numbers("/northgate/credit-line");
    assert_eq!(gapless, (1..=gapless.len() as u64).collect::<Vec<_>>());
    let gate = numbers("/northgate/data-gate");
    let missing: Vec<u64> = (1..=*gate.last().unwrap()).filter(|number| !gate.contains(number)).collect();
    assert_eq!(missing, [17]);
    let mut wrong = Vec::new();
    for one in of_type(&events, "source.reconciled") {
        let time = |pointer: &str| text(one, pointer).parse::<DateTime<Utc>>().unwrap();
        let (from, to) = (time("/data/from"), time("/data/to"));
        let posted = events.iter().filter(|other| {
            let at = text(other, "/time").parse::<DateTime<Utc>>().unwrap();
            text(other, "/source") == text(one, "/data/source") && from <= at && at < to
        });
        let (said, posted) = (one.event["data"]["count"].as_u64().unwrap(), posted.count() as u64);
        if said != posted {
            wrong.push((text(one, "/data/source"), said - posted));
        }
    }
    assert_eq!(wrong, [("/northgate/data-gate", 2)]);
}

#[test]
fn every_event_is_a_whole_cloudevent_with_an_identity_of_its_own() {
    let mut identities = BTreeSet::new();
    for one in told() {
        for attribute in ["/id", "/source", "/type", "/subject", "/time"] {
            assert!(!text(&one, attribute).is_empty(), "{attribute}: {}", one.event);
        }
        assert_eq!(text(&one, "/specversion"), "1.0");
        assert_eq!(text(&one, "/datacontenttype"), "application/json");
        assert!(one.actor.starts_with("app:"), "{}", one.actor);
        assert!(identities.insert((text(&one, "/source").to_owned(), text(&one, "/id").to_owned())));
    }
}

#[test]
fn nothing_is_recorded_before_it_happened_or_later_than_now() {
    let mut last = DateTime::<Utc>::MIN_UTC;
    for one in told() {
        let time = text(&one, "/time");
        assert!(time.ends_with('Z'), "{time}");
        let happened_at = DateTime::parse_from_rfc3339(time).unwrap();
        assert!(last <= one.recorded_at && happened_at < one.recorded_at && one.recorded_at <= some_now());
        last = one.recorded_at;
    }
}

#[test]
fn the_same_now_gives_the_same_year_and_any_now_gives_one() {
    assert_eq!(told(), told());
    for (month, day, hour) in [(1, 1, 0), (2, 28, 23), (3, 1, 0), (12, 31, 12)] {
        let now = Utc.with_ymd_and_hms(2028, month, day, hour, 0, 0).unwrap();
        let events = scenario(now).unwrap();
        assert!((900..=1_300).contains(&events.len()));
        assert!(events.iter().all(|one| one.recorded_at <= now));
    }
}

#[test]
fn nobody_personal_is_in_it() {
    for one in told() {
        assert!(one.event.get("datasubject").is_none() && one.event["data"].get("personal").is_none());
    }
}

/// Whoever follows an id arrives somewhere: what is voted on was requested, what is reviewed was decided.
#[test]
fn what_an_event_refers_to_was_recorded_before_it() {
    let introduced = [
        ("approval.requested", "/data/approval"),
        ("access.requested", "/data/request"),
        ("access.granted", "/data/grant"),
        ("decision.made", "/data/decision"),
        ("decision.contested", "/data/contest"),
        ("escalation.opened", "/data/escalation"),
        ("delegation.granted", "/data/delegation"),
    ];
    let mut known: BTreeSet<String> = BTreeSet::new();
    let mut ids: BTreeSet<String> = BTreeSet::new();
    for one in told() {
        for (event_type, pointer) in introduced {
            if text(&one, "/type") == event_type {
                known.insert(text(&one, pointer).to_owned());
            }
        }
        let pointers = introduced.iter().map(|(_, pointer)| *pointer);
        for id in pointers.map(|pointer| text(&one, pointer)).filter(|id| !id.is_empty()) {
            assert!(known.contains(id), "{id} is not known yet: {}", one.event);
        }
        if text(&one, "/type") == "event.corrected" {
            assert!(ids.contains(text(&one, "/data/target/id")), "{}", one.event);
        }
        ids.insert(text(&one, "/id").to_owned());
    }
}

#[test]
fn the_story_is_told_as_the_catalogue_of_controls_needs_it() {
    let events = told();
    let unapproved = of_type(&events, "decision.made").filter(|one| {
        text(one, "/data/model") == "credit-line"
            && text(one, "/data/version") == "1.2"
            && text(one, "/data/artifact_digest") != template_digest("credit-line 1.2 build 9")
    });
    assert_eq!(unapproved.count(), 41);

    let across = of_type(&events, "access.granted").filter(|one| {
        text(one, "/data/grantee_unit") != text(one, "/data/owner_unit")
            && text(one, "/data/agreement").is_empty()
    });
    let across: Vec<&str> = across.map(|one| text(one, "/data/grant")).collect();
    assert_eq!(across, ["GRT-0011", "GRT-0014"]);

    let late = events.iter().filter(|one| {
        let happened_at = DateTime::parse_from_rfc3339(text(one, "/time")).unwrap();
        one.recorded_at.signed_duration_since(happened_at) > Duration::hours(24)
    });
    let late: Vec<&str> = late.map(|one| text(one, "/data/grant")).collect();
    assert_eq!(late, ["GRT-0011", "GRT-0018"]);

    // Policy 6: data used on no grant.
    let uncovered = of_type(&events, "access.used")
        .filter(|one| text(one, "/data/outcome") == "allowed" && text(one, "/data/grant").is_empty());
    let uncovered: Vec<&str> = uncovered.map(|one| text(one, "/data/principal")).collect();
    assert_eq!(uncovered, ["app:vendor-sync"]);

    // What contests are about went against somebody, and had not been put right before.
    for contest in of_type(&events, "decision.contested") {
        let decision = text(contest, "/data/decision");
        let made =
            of_type(&events, "decision.made").find(|one| text(one, "/data/decision") == decision).unwrap();
        let overridden = of_type(&events, "decision.reviewed").any(|one| {
            text(one, "/data/decision") == decision
                && text(one, "/data/result") == "overridden"
                && one.recorded_at < contest.recorded_at
        });
        assert!(!overridden, "{decision}");
        assert_eq!(made.event["data"]["adverse"], true, "{decision}");
    }
    for closed in of_type(&events, "escalation.closed") {
        let escalation = text(closed, "/data/escalation");
        let resolved = of_type(&events, "escalation.resolved");
        let resolver = resolved.filter(|one| text(one, "/data/escalation") == escalation).last().unwrap();
        assert_ne!(text(closed, "/data/by"), text(resolver, "/data/by"), "{escalation}");
    }
}

#[test]
fn identifiers_of_new_things_are_given_once() {
    for (event_type, pointer) in [
        ("access.granted", "/data/grant"),
        ("decision.made", "/data/decision"),
        ("decision.reviewed", "/data/review"),
        ("escalation.opened", "/data/escalation"),
    ] {
        let events = told();
        let mut seen = BTreeSet::new();
        for one in of_type(&events, event_type) {
            assert!(seen.insert(text(one, pointer)), "{}", one.event);
        }
    }
}

/// Prints the year, for its authors: `cargo test --lib demo:: -- --ignored --nocapture`.
#[test]
#[ignore = "prints, checks nothing"]
fn print_the_year() {
    for one in told() {
        println!("{} {} {}", one.recorded_at.to_rfc3339(), one.actor, one.event);
    }
}

fn template_digest(of: &str) -> String {
    use sha2::{Digest, Sha256};
    let hex: String = Sha256::digest(of.as_bytes()).iter().map(|byte| format!("{byte:02x}")).collect();
    format!("sha256:{hex}")
}
