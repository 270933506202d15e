use serde_json::json;

use super::tests::{catalogued, embedded, refusal};
use super::*;

const OWN: &str = "
domain: vendor
controls:
  - id: NB-1
    title: Contracts of important vendors are tested
    population: {register: contracts, where: {state: in-force, audit_right: true}}
    evidence: [contract.signed, {type: review.completed, where: {outcome: [fit, unfit]}}]
    cadence: P6M
    violation: A contract in force that nobody looked at.
    question: Which contracts did nobody look at?
";

#[test]
fn an_organisation_declares_a_control() {
    let catalog = catalogued(OWN).unwrap();
    let control = catalog.control("NB-1").unwrap();
    assert_eq!(
        (control.domain.as_str(), control.title.as_str()),
        ("vendor", "Contracts of important vendors are tested")
    );
    assert_eq!(control.cadence, Cadence::Every(Span { months: 6, days: 0, minutes: 0 }));
    let population = control.population.as_ref().unwrap();
    assert_eq!(population.register, "contracts");
    assert!(population.filter.fits(&json!({"state": "in-force", "audit_right": true})));
    assert!(!population.filter.fits(&json!({"state": "ended", "audit_right": true})));
    assert!(!population.filter.fits(&json!({"state": "in-force"})));

    let reviewed = &control.evidence[1];
    assert!(reviewed.fits("review.completed", &json!({"outcome": "unfit"})));
    assert!(!reviewed.fits("review.completed", &json!({"outcome": "fit-with-conditions"})));
    assert!(!reviewed.fits("contract.signed", &json!({"outcome": "unfit"})));
    assert_eq!(catalog.controls().count(), 64);
}

#[test]
fn evidence_names_the_member_that_it_is_about() {
    let catalog = embedded();
    let rows = |id: &str, event_type: &str, data: &serde_json::Value| {
        let evidence = &catalog.control(id).unwrap().evidence;
        let found = evidence.iter().find(|evidence| evidence.event_type == event_type).unwrap();
        found.member.as_ref().map(|member| member.rows_of(data))
    };
    let example = |event_type: &str| catalog.get(event_type).unwrap().example.clone();
    // By its own key, by all parts of a key, by a link, and by a list.
    assert_eq!(rows("PM-6", "review.completed", &example("review.completed")).unwrap(), ["credit-line"]);
    assert_eq!(
        rows("MD-7", "model.handed_over", &example("model.handed_over")).unwrap(),
        ["credit-line@1.1"]
    );
    assert_eq!(rows("PM-4", "kpi.measured", &example("kpi.measured")).unwrap(), ["INI-01"]);
    assert_eq!(rows("SA-4", "agreement.signed", &example("agreement.signed")), None);

    // By a link whose family the event itself names: of another family, it names nobody here.
    let mut impact = example("assessment.completed");
    assert_eq!(rows("ER-1", "assessment.completed", &impact).unwrap(), ["credit-line"]);
    impact["about"]["type"] = json!("unit");
    assert_eq!(rows("ER-1", "assessment.completed", &impact).unwrap(), Vec::<String>::new());
    assert_eq!(rows("CB-4", "assessment.completed", &impact).unwrap(), ["credit-line"]);

    let mut trained = example("dataset.derived");
    trained["inputs"] = json!(["a", "b"]);
    let member = Member { fields: vec!["inputs".to_owned()], only_where: None };
    assert_eq!(member.rows_of(&trained), ["a", "b"]);
}

#[test]
fn the_populations_of_the_programme_are_what_they_say() {
    let catalog = embedded();
    let population = |id: &str| catalog.control(id).unwrap().population.clone().unwrap();
    let high = population("FR-5");
    assert!(high.filter.fits(&json!({"rating": "critical"})) && !high.filter.fits(&json!({"rating": "low"})));
    assert_eq!(population("ER-4").register, "decisions");
    assert_eq!(catalog.control("FR-3").unwrap().population, None);
    assert_eq!(
        catalog.control("PM-6").unwrap().cadence,
        Cadence::Every(Span { months: 0, days: 92, minutes: 0 })
    );
    assert_eq!(catalog.control("ER-4").unwrap().cadence, Cadence::PerEvent);
}

#[test]
fn a_cadence_is_a_duration_or_per_event() {
    let span = |months, days, minutes| Some(Cadence::Every(Span { months, days, minutes }));
    for (text, expected) in [
        ("per-event", Some(Cadence::PerEvent)),
        ("P1Y", span(12, 0, 0)),
        ("P1Y6M", span(18, 0, 0)),
        ("P2W1D", span(0, 15, 0)),
        ("PT4H30M", span(0, 0, 270)),
        ("P1DT12H", span(0, 1, 720)),
        ("P9999Y", span(119_988, 0, 0)),
        ("P", None),
        ("PT", None),
        ("P0D", None),
        ("P1DT", None),
        ("P1", None),
        ("PD", None),
        ("1D", None),
        ("P1D1M", None),
        ("P-1D", None),
        ("P1.5D", None),
        ("P12345D", None),
        ("P99999999999D", None),
        ("p1d", None),
        ("weekly", None),
        ("", None),
    ] {
        assert_eq!(Cadence::parse(text).ok(), expected, "{text}");
    }
}

#[test]
fn a_broken_control_is_refused_with_its_place_and_cause() {
    for (from, to, line, cause) in [
        ("cadence: P6M", "cadence: weekly", 4, "cadence: `per-event`, or a duration"),
        ("cadence: P6M", "rhythm: P6M", 8, "unknown field `rhythm`"),
        ("id: NB-1", "id: nb 1", 4, "id: upper-case letters"),
        ("id: NB-1", "id: SA-1", 4, "control `SA-1`: is declared at seeds/catalog/strategy.yaml:"),
        ("title: Contracts of important vendors are tested", "title: ''", 4, "title: is empty"),
        ("register: contracts", "register: contract", 4, "no register `contract`; did you mean `contracts`?"),
        ("state: in-force", "state: forgotten", 4, "`contracts` is never in the state \"forgotten\""),
        ("audit_right: true", "audit_rights: true", 4, "`contracts` does not carry `audit_rights`"),
        ("audit_right: true", "audit_right: perhaps", 4, "`audit_right` is never \"perhaps\""),
        ("audit_right: true", "audit_right: {a: b}", 4, "`audit_right` needs a text, a number"),
        ("audit_right: true", "audit_right: []", 4, "`audit_right` needs a text, a number"),
        (
            "[contract.signed,",
            "[contract.singed,",
            4,
            "no type `contract.singed`; did you mean `contract.signed`?",
        ),
        ("[contract.signed,", "[vendor.*,", 4, "no type begins with `vendor.`"),
        ("[contract.signed,", "[review.completed,", 4, "`review.completed` stands there twice"),
        ("[contract.signed,", "[7,", 4, "a type's name, or {type, where}"),
        ("where: {outcome: [fit, unfit]}", "when: {outcome: fit}", 4, "a type's name, or {type, where}"),
        ("outcome: [fit, unfit]", "outcome: [fit, unfitting]", 4, "`outcome` is never \"unfitting\""),
        ("outcome: [fit, unfit]", "outcomes: fit", 4, "`review.completed`: where: no field `outcomes`"),
        ("[contract.signed, ", "[", 4, "none of it says which row of `contracts` it is about"),
    ] {
        assert!(OWN.contains(from), "{from}");
        let message = refusal(&OWN.replacen(from, to, 1));
        assert!(message.contains(&format!("own.yaml:{line}: ")), "{to}: {message}");
        assert!(message.contains(cause), "{to}: {message}");
    }
    let none =
        OWN.replace("[contract.signed, {type: review.completed, where: {outcome: [fit, unfit]}}]", "[]");
    assert!(refusal(&none).contains("evidence: names no type"), "{}", refusal(&none));
}
