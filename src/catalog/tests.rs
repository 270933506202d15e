use std::collections::BTreeSet;
use std::fs;
use std::sync::LazyLock;

use serde_json::{Value, json};

use super::*;

pub(super) fn embedded() -> Catalog {
    // Compiled once: the tests that break a file in many ways would otherwise compile it as often.
    static EMBEDDED: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());
    EMBEDDED.clone()
}

pub(super) fn catalogued(text: &str) -> Result<Catalog, CatalogError> {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("own.yaml"), text).unwrap();
    embedded().with_dir(dir.path())
}

pub(super) fn refusal(text: &str) -> String {
    match catalogued(text) {
        Ok(_) => panic!("accepted:\n{text}"),
        Err(error) => error.to_string(),
    }
}

const OWN: &str = "
domain: vendor
types:
  - name: vendor.rated
    version: 1
    summary: A vendor was rated.
    entity: {family: vendor, id: vendor}
    schema:
      required: [vendor, rating]
      properties:
        vendor: {$ref: '#/$defs/id'}
        rating: {type: integer, minimum: 1, maximum: 5}
    example: {by: 'user:u-1', vendor: V-1, rating: 4}
";

#[test]
fn the_four_core_families_are_there() {
    let catalog = embedded();
    let families: BTreeSet<&str> = catalog.types().map(|known| known.entity.family.as_str()).collect();
    for family in ["approval", "access", "access_request", "decision", "escalation", "delegation", "event"] {
        assert!(families.contains(family), "{family}");
    }
    let names: Vec<&str> = catalog.types().map(|known| known.name.as_str()).collect();
    assert!(names.is_sorted());
    assert!(names.len() >= 32, "{names:?}");
}

#[test]
fn a_catalog_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Catalog>();
}

#[test]
fn every_type_accepts_its_example_and_refuses_less_and_more() {
    for known in embedded().types() {
        let name = &known.name;
        assert_eq!(known.check(&known.example, 10), [], "{name}");
        let required = known.schema["required"].as_array().unwrap();
        for member in required.iter().filter_map(Value::as_str) {
            let mut data = known.example.clone();
            data.as_object_mut().unwrap().remove(member).unwrap();
            let violations = known.check(&data, 10);
            let about_it = violations.iter().any(|violation| violation.message.contains(member));
            assert!(about_it, "{name} without {member}: {violations:?}");
        }
        let mut data = known.example.clone();
        data["surplus"] = json!("no-such-member");
        let violations = known.check(&data, 10);
        assert_eq!(violations.len(), 1, "{name}: {violations:?}");
        assert_eq!(violations[0].pointer, "/surplus");
    }
}

#[test]
fn every_type_says_what_it_is_about() {
    for known in embedded().types() {
        assert!(known.entity_id(&known.example).is_some(), "{}", known.name);
        assert!(known.summary.ends_with('.'), "{}", known.name);
    }
}

#[test]
fn rules_that_depend_on_another_field_hold() {
    let catalog = embedded();
    let made = catalog.get("decision.made").unwrap();
    let mut data = made.example.clone();
    data.as_object_mut().unwrap().remove("art22_basis");
    let violations = made.check(&data, 10);
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(
        violations[0].message,
        "`art22_basis` is required for an automated decision with a significant effect"
    );
    data["mode"] = json!("assisted");
    assert_eq!(made.check(&data, 10), []);

    let reviewed = catalog.get("decision.reviewed").unwrap();
    let mut data = reviewed.example.clone();
    data.as_object_mut().unwrap().remove("new_outcome");
    assert_eq!(
        reviewed.check(&data, 10)[0].message,
        "`new_outcome` is required where the result is overridden"
    );

    let corrected = catalog.get("event.corrected").unwrap();
    let mut data = corrected.example.clone();
    data["kind"] = json!("replace");
    assert_eq!(corrected.check(&data, 10)[0].message, "`replacement` is required where kind is replace");
    data["replacement"] = data["target"].clone();
    assert_eq!(corrected.check(&data, 10), []);
    data["kind"] = json!("annul");
    assert_eq!(corrected.check(&data, 10)[0].message, "must be absent where kind is annul");
}

#[test]
fn dates_are_really_checked() {
    let catalog = embedded();
    let requested = catalog.get("approval.requested").unwrap();
    for (due_at, fits) in [
        ("2026-03-13T17:00:00Z", true),
        ("2026-03-13T17:00:00.250+01:00", true),
        ("2026-03-13t17:00:00z", false),
        ("2026-03-13 17:00:00Z", false),
        ("2026-02-30T17:00:00Z", false),
        ("2026-12-31T23:59:60Z", false),
        ("2026-03-13T17:00:00", false),
        ("tomorrow", false),
    ] {
        let mut data = requested.example.clone();
        data["due_at"] = json!(due_at);
        assert_eq!(requested.check(&data, 1).is_empty(), fits, "{due_at}");
    }
}

#[test]
fn a_time_beyond_four_digits_of_a_year_is_refused_and_fits_the_schema() {
    let catalog = embedded();
    let requested = catalog.get("approval.requested").unwrap();
    for (due_at, fits) in [
        ("9999-12-31T23:59:59.999999Z", true),
        ("9999-12-31T23:59:59-23:59", false),
        ("0000-01-01T00:00:00Z", true),
        ("0000-01-01T00:00:00+00:01", false),
    ] {
        let mut data = requested.example.clone();
        data["due_at"] = json!(due_at);
        data["rationale"] = json!("9999-12-31T23:59:59-23:59");
        let found = requested.check(&data, 5);
        let places: Vec<&str> = found.iter().map(|violation| violation.pointer.as_str()).collect();
        assert_eq!(places, if fits { vec![] } else { vec!["/due_at"] }, "{due_at}");
        // A type that was published with such an example is loaded again.
        assert!(requested.schema_violations(&data, 1).is_empty(), "{due_at}");
    }
}

#[test]
fn messages_say_what_is_expected_and_never_what_was_sent() {
    let catalog = embedded();
    let granted = catalog.get("access.granted").unwrap();
    let secret = "Jane Roe, 1 High Street ".repeat(20);
    let mut data = granted.example.clone();
    data["by"] = json!(secret);
    data["operations"] = json!([]);
    data["grantee"]["kind"] = json!(secret);
    data["emergency"] = json!(secret);
    data["valid_until"] = json!(secret);
    let violations = granted.check(&data, 10);
    assert_eq!(violations.len(), 5, "{violations:?}");
    for violation in &violations {
        assert!(violation.message.chars().count() <= 120, "{violation:?}");
        assert!(!violation.message.contains("Jane"), "{violation:?}");
    }
    let at = |pointer: &str| &violations.iter().find(|found| found.pointer == pointer).unwrap().message;
    assert!(at("/by").starts_with("must be a principal: "), "{}", at("/by"));
    assert_eq!(at("/operations"), "must be a list of 1 to 16 different operations");
    assert_eq!(at("/grantee/kind"), "must be one of person, service, role");
    assert!(at("/valid_until").contains("2026-03-01T09:30:00Z"), "{}", at("/valid_until"));
}

#[test]
fn a_misspelt_member_is_pointed_at_with_the_right_spelling() {
    let catalog = embedded();
    let reviewed = catalog.get("access.reviewed").unwrap();
    let mut data = reviewed.example.clone();
    let due_at = data.as_object_mut().unwrap().remove("next_due_at").unwrap();
    data["next_due_date"] = due_at;
    let violations = reviewed.check(&data, 10);
    assert!(
        violations.contains(&Violation {
            pointer: "/next_due_date".to_owned(),
            message: "`next_due_date` is not a member of access.reviewed; did you mean `next_due_at`?"
                .to_owned(),
        }),
        "{violations:?}"
    );
}

#[test]
fn the_list_of_violations_is_bounded_and_never_empty_for_bad_data() {
    let catalog = embedded();
    let granted = catalog.get("access.granted").unwrap();
    assert_eq!(granted.check(&json!({}), 3).len(), 3);
    assert_eq!(granted.check(&json!({}), 0).len(), 1);
    assert_eq!(granted.check(&json!("text"), 5).len(), 1);
    let many: serde_json::Map<String, Value> = (0..5000).map(|n| (format!("m{n}"), json!(n))).collect();
    assert_eq!(granted.check(&Value::Object(many), 8).len(), 8);
    let long = json!({ "x/".repeat(30_000): 1 });
    for violation in granted.check(&long, 50) {
        assert!(violation.pointer.len() <= 512 && violation.message.len() <= 400);
    }
}

#[test]
fn the_nearest_type_is_suggested_and_only_a_near_one() {
    let catalog = embedded();
    assert_eq!(catalog.suggest("acces.granted"), Some("access.granted"));
    assert_eq!(catalog.suggest("aproval.reqeusted"), Some("approval.requested"));
    assert_eq!(catalog.suggest("decision.contest.resolved"), Some("decision.contest_resolved"));
    assert_eq!(catalog.suggest("payment.settled"), None);
    assert_eq!(catalog.suggest(""), None);
    assert_eq!(catalog.suggest(&"x".repeat(100_000)), None);
}

#[test]
fn an_organisation_adds_and_renews_types() {
    let catalog = catalogued(OWN).unwrap();
    let rated = catalog.get("vendor.rated").unwrap();
    assert_eq!((rated.domain.as_str(), rated.version), ("vendor", 1));
    assert_eq!(rated.check(&json!({"by": "user:u-1", "vendor": "V-1", "rating": 9}), 5).len(), 1);

    let again = OWN.replace("vendor.rated", "access.rejected");
    assert!(refusal(&again).contains("needs a higher version"), "{}", refusal(&again));
    let renewed = catalogued(&again.replace("version: 1", "version: 2")).unwrap();
    assert_eq!(renewed.get("access.rejected").unwrap().version, 2);
}

#[test]
fn a_broken_file_is_refused_with_its_place_and_cause() {
    for (from, to, line, cause) in [
        ("summary: A", "sumary: A", 6, "sumary"),
        ("minimum: 1", "minimun: 1", 4, "/properties/rating/minimun"),
        ("id: vendor}", "id: vendr}", 4, "no field `vendr`"),
        ("[vendor, rating]", "[rating]", 4, "has to be required"),
        ("[vendor, rating]", "[vendor, rating, price]", 4, "`price` is not among the properties"),
        ("rating: 4}", "rating: 6}", 4, "example/rating"),
        ("vendor.rated", "Vendor Rated", 4, "lower-case words"),
        ("vendor.rated", "ledger.rated", 4, "the ledger's own"),
        ("version: 1", "version: 0", 4, "starts at 1"),
        ("'#/$defs/id'", "'#/$defs/idd'", 4, "no definition `idd`"),
        ("'#/$defs/id'", "'https://example.org/id'", 4, "#/$defs/<name>"),
        ("type: integer, ", "type: [integr], ", 4, "schema"),
        (
            "domain: vendor",
            "domain: vendor\neverywhere: {required: [], properties: {}, $defs: {}}",
            3,
            "`everywhere`",
        ),
    ] {
        assert!(OWN.contains(from), "{from}");
        let message = refusal(&OWN.replacen(from, to, 1));
        assert!(message.contains(&format!("own.yaml:{line}: ")), "{to}: {message}");
        assert!(message.contains(cause), "{to}: {message}");
    }
}

#[test]
fn a_folder_that_is_not_there_is_an_error() {
    let missing = std::path::Path::new("/no/such/folder");
    assert!(matches!(embedded().with_dir(missing), Err(CatalogError::Read { .. })));
}
