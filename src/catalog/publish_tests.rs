//! What may be published, and what may not.

use super::*;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::sync::LazyLock;

static SHIPPED: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

/// A type of the organisation's own.
fn own(version: u32) -> Value {
    json!({
        "name": "vault.opened", "version": version, "summary": "Somebody opened a vault.",
        "entity": {"family": "vault", "id": "vault"},
        "schema": {
            "required": ["vault"],
            "properties": {
                "vault": {"$ref": "#/$defs/id"},
                "grade": {"enum": ["a", "b"]},
                "note": {"type": "string", "maxLength": 10, "minLength": 1},
                "places": {"type": "array", "maxItems": 3, "items": {"type": "integer", "minimum": 0}},
            },
        },
        "example": {"by": "user:u-1", "vault": "V-1", "grade": "a"},
    })
}

fn publication(version: u64, types: Value) -> Value {
    json!({"by": "user:u-1", "publication": "CAT-1", "version": version, "reason": "needed", "types": types})
}

fn with_own() -> Catalog {
    SHIPPED.published(&publication(1, json!([own(1)]))).unwrap_or_else(|refusals| panic!("{refusals:?}"))
}

/// Publishes version 2 of the own type after a change to its declaration.
fn changed(change: impl FnOnce(&mut Value)) -> Result<Catalog, Vec<PublishRefusal>> {
    let mut new = own(2);
    change(&mut new);
    with_own().published(&publication(2, json!([new])))
}

fn refused(change: impl FnOnce(&mut Value)) -> (String, String) {
    let mut refusals = changed(change).err().unwrap_or_else(|| panic!("it was accepted"));
    assert_eq!(refusals.len(), 1, "{refusals:?}");
    let PublishRefusal { pointer, message } = refusals.remove(0);
    (pointer, message)
}

#[test]
fn a_new_type_is_accepted_from_then_on() {
    let catalog = with_own();
    assert_eq!((SHIPPED.get("vault.opened").is_none(), catalog.publications()), (true, 1));
    let known = catalog.get("vault.opened").unwrap();
    assert!(known.check(&json!({"by": "user:u-1", "vault": "V-2"}), 1).is_empty());
    assert_eq!(known.check(&json!({"by": "user:u-1"}), 1).len(), 1);
}

#[test]
fn publications_are_numbered_without_a_gap() {
    for version in [0, 2] {
        let refusals = SHIPPED.published(&publication(version, json!([own(1)]))).err().unwrap();
        assert_eq!(refusals[0].pointer, "/version");
    }
}

#[test]
fn a_type_may_grow() {
    let grown = changed(|new| {
        new["schema"]["properties"]["grade"]["enum"] = json!(["a", "b", "c"]);
        new["schema"]["properties"]["note"] = json!({"type": "string", "maxLength": 20, "title": "a note"});
        new["schema"]["properties"]["places"]["items"]["minimum"] = json!(-5);
        new["schema"]["properties"]["more"] = json!({"type": "boolean"});
    });
    let grown = grown.unwrap_or_else(|refusals| panic!("{refusals:?}"));
    assert_eq!(grown.get("vault.opened").unwrap().version, 2);
}

#[test]
fn a_type_may_not_shrink() {
    let at = |change: fn(&mut Value)| refused(change).0;
    let schema = "/types/0/schema";
    assert_eq!(at(|new| new["version"] = json!(1)), "/types/0/version");
    assert_eq!(at(|new| new["entity"]["family"] = json!("safe")), "/types/0");
    assert_eq!(at(|new| new["effective_at"] = json!("at")).as_str(), "/types/0");
    assert_eq!(at(|new| new["schema"]["required"] = json!(["vault", "grade"])), format!("{schema}/required"));
    assert_eq!(
        at(|new| new["schema"]["properties"]["grade"]["enum"] = json!(["a"])),
        format!("{schema}/properties/grade/enum")
    );
    assert_eq!(
        at(|new| new["schema"]["properties"]["note"]["maxLength"] = json!(9)),
        format!("{schema}/properties/note/maxLength")
    );
    assert_eq!(
        at(|new| new["schema"]["properties"]["note"]["minLength"] = json!(2)),
        format!("{schema}/properties/note/minLength")
    );
    assert_eq!(
        at(|new| new["schema"]["properties"]["note"]["pattern"] = json!("^x")),
        format!("{schema}/properties/note/pattern")
    );
    assert_eq!(
        at(|new| new["schema"]["properties"]["places"]["items"]["minimum"] = json!(1)),
        format!("{schema}/properties/places/items/minimum")
    );
    assert_eq!(
        at(|new| new["schema"]["properties"]["places"]["type"] = json!("string")),
        format!("{schema}/properties/places/type")
    );
    let gone = refused(|new| {
        new["schema"]["properties"].as_object_mut().unwrap().remove("note");
    });
    assert_eq!(gone.0, format!("{schema}/properties"));
    assert!(gone.1.contains("`note` was accepted and is not any more"), "{}", gone.1);
}

#[test]
fn what_ships_with_the_program_may_grow_too_and_keeps_what_stands_on_it() {
    // A link that a control needs is taken away.
    let known = SHIPPED.get("access.granted").unwrap();
    let raw = json!({
        "name": "access.granted", "version": known.version + 1, "summary": "x", "entity": {"family": "access", "id": "grant"},
        "schema": {"required": ["grant"], "properties": {"grant": {"$ref": "#/$defs/id"}}},
        "example": {"by": "user:u-1", "grant": "G"},
    });
    let refusals = SHIPPED.published(&publication(1, json!([raw]))).err().unwrap();
    assert!(refusals[0].message.contains("cannot follow version"), "{refusals:?}");
}

#[test]
fn registers_and_controls_are_published_beside_their_types() {
    let mut data = publication(1, json!([own(1)]));
    data["registers"] = json!([{
        "name": "vaults", "summary": "Vaults.", "family": "vault", "key": ["vault"],
        "events": {"vault.opened": {"opens": "open"}}, "fields": ["grade"],
    }]);
    data["controls"] = json!([{
        "id": "OWN-1", "title": "Vaults are watched", "population": {"register": "vaults"}, "evidence": ["vault.opened"],
        "cadence": "P1M", "violation": "a vault that nobody opened", "question": "which vaults are there",
    }]);
    let catalog = SHIPPED.published(&data).unwrap_or_else(|refusals| panic!("{refusals:?}"));
    assert_eq!(catalog.register("vaults").unwrap().fields, ["grade"]);
    assert_eq!(catalog.control("OWN-1").unwrap().title, "Vaults are watched");
    assert_eq!(catalog.controls().count(), SHIPPED.controls().count() + 1);

    // Declared again, the later one counts; its key may not change.
    let mut again = json!({"version": 2, "registers": data["registers"]});
    again["registers"][0]["fields"] = json!(["grade", "note"]);
    let renewed = catalog.published(&again).unwrap_or_else(|refusals| panic!("{refusals:?}"));
    assert_eq!(renewed.register("vaults").unwrap().fields, ["grade", "note"]);
    again["registers"][0]["key"] = json!(["grade"]);
    assert_eq!(catalog.published(&again).err().unwrap()[0].pointer, "/registers/0");
    // What does not hold together names its place.
    again["registers"][0]["key"] = json!(["vault"]);
    again["registers"][0]["fields"] = json!(["colour"]);
    let refusals = catalog.published(&again).err().unwrap();
    assert_eq!(refusals[0].pointer, "/registers/0");
    assert!(refusals[0].message.contains("colour"), "{refusals:?}");
}

#[test]
fn what_the_program_works_with_is_not_published() {
    for name in ["event.corrected", "catalog.published"] {
        let known = SHIPPED.get(name).unwrap();
        let mut raw = own(known.version + 1);
        raw["name"] = json!(name);
        let refusals = SHIPPED.published(&publication(1, json!([raw]))).err().unwrap();
        assert!(refusals[0].message.contains("cannot be published"), "{refusals:?}");
    }
}

#[test]
fn where_the_program_has_come_to_a_name_that_was_published_before_the_organisations_own_stands_and_says_so() {
    let mut old = own(1);
    old["name"] = json!("campaign.opened");
    let data = publication(1, json!([old, own(1)]));
    assert!(SHIPPED.published(&data).is_err());
    let catalog = SHIPPED.republished(&data).unwrap_or_else(|refusals| panic!("{refusals:?}"));
    let taken = catalog.get("campaign.opened").unwrap();
    assert_eq!((taken.entity.family.as_str(), taken.ours, taken.instead_of_ours), ("vault", false, true));
    assert_eq!((taken.words.repeat, taken.words.happened.len()), (Repeat::Renews, 0), "not what ours says");
    assert_eq!(taken.check(&json!({"by": "user:u-1", "vault": "V-2"}), 1), []);
    let own = catalog.get("vault.opened").unwrap();
    assert_eq!((own.ours, own.instead_of_ours), (false, false));
    assert!(SHIPPED.get("campaign.opened").unwrap().ours);
}

#[test]
fn where_the_programs_registers_could_not_bear_it_the_programs_type_stands() {
    // The register of delegations needs fields that this one has not.
    let mut old = own(1);
    old["name"] = json!("delegation.granted");
    let data = publication(1, json!([old, own(1)]));
    let catalog = SHIPPED.republished(&data).unwrap_or_else(|refusals| panic!("{refusals:?}"));
    assert!(catalog.get("delegation.granted").unwrap().ours);
    assert!(catalog.get("vault.opened").is_some());
}

#[test]
fn what_a_publication_leaves_unsaid_is_as_it_was_and_else_what_hides_least() {
    let known = with_own();
    let words = |catalog: &Catalog, name: &str| catalog.get(name).unwrap().words.clone();
    let own = words(&known, "vault.opened");
    assert_eq!(
        (own.repeat, own.posted_by, own.may_begin_later),
        (Repeat::Renews, PostedBy::Governance, false)
    );
    assert_eq!((own.happened.len(), own.late_after), (0, Span { months: 0, days: 1, minutes: 0 }));
    let said = changed(|new| {
        new["posted_by"] = json!("facts");
        new["late_after"] = json!("P2D");
        new["may_begin_later"] = json!(true);
    });
    let said = words(&said.unwrap_or_else(|refusals| panic!("{refusals:?}")), "vault.opened");
    assert_eq!((said.posted_by, said.may_begin_later, said.late_after.days), (PostedBy::Facts, true, 2));

    // A later version of one of the program's own that says nothing keeps its words.
    let granted = SHIPPED.get("approval.recused").unwrap();
    let mut later = json!({
        "name": "approval.recused", "version": granted.version + 1, "summary": "x",
        "entity": {"family": "approval", "id": "approval"},
        "schema": {"required": ["approval", "reason"], "properties": {
            "approval": {"$ref": "#/$defs/id"}, "reason": {"$ref": "#/$defs/reason"}, "more": {"type": "boolean"}}},
        "example": granted.example,
    });
    let published = SHIPPED.published(&publication(1, json!([later.clone()])));
    let published = published.unwrap_or_else(|refusals| panic!("{refusals:?}"));
    assert_eq!(words(&published, "approval.recused"), granted.words);
    assert!(published.get("approval.recused").unwrap().ours);
    for (word, value) in [("posted_by", "facts"), ("repeat", "once"), ("acts", "two")] {
        later[word] = json!(value);
        let refusals = SHIPPED.published(&publication(1, json!([later.clone()]))).err().unwrap();
        assert!(refusals[0].message.contains(&format!("`{word}` may not change")), "{refusals:?}");
        later.as_object_mut().unwrap().remove(word);
    }
}

#[test]
fn an_entry_keeps_the_version_by_which_it_was_accepted() {
    let history = CatalogHistory::begin(SHIPPED.clone(), "not read yet");
    assert_eq!(history.unknown().as_deref(), Some("not read yet"));
    history.publish(10, with_own());
    let version = |seq| history.at(seq).get("vault.opened").map(|known| known.version);
    assert_eq!([0, 10, 11].map(version), [None, None, Some(1)]);
    history.publish(20, changed(|_| {}).unwrap_or_else(|refusals| panic!("{refusals:?}")));
    assert_eq!([11, 20, 21].map(version), [Some(1), Some(1), Some(2)]);
    assert_eq!(history.current().publications(), 2);
}

#[test]
fn what_was_recorded_before_a_publication_is_late_by_what_was_said_then() {
    let history = CatalogHistory::begin(SHIPPED.clone(), "not read yet");
    let publish = |seq: u64, version: u32, late_after: &str| {
        let mut new = own(version);
        new["late_after"] = json!(late_after);
        let published = history.current().published(&publication(version.into(), json!([new])));
        history.publish(seq, published.unwrap_or_else(|refusals| panic!("{refusals:?}")));
    };
    publish(10, 1, "P2D");
    publish(20, 2, "P2D");
    publish(30, 3, "P9D");
    let catalog = history.current();
    let days = |name: &str, seq: u64| catalog.late_after(name, seq).map(|span| span.days);
    let own = [10, 11, 21, 30, 31].map(|seq| days("vault.opened", seq));
    assert_eq!(own, [None, Some(2), Some(2), Some(2), Some(9)]);
    assert_eq!(catalog.all_late_after()["vault.opened"].len(), 2, "what stays the same is noted once");
    assert_eq!([0, 31].map(|seq| days("decision.made", seq)), [Some(7), Some(7)]);
    assert_eq!(days("never.heard_of", 31), None);
    // A catalogue that has no history says what it says.
    assert_eq!(SHIPPED.late_after("decision.made", 0).map(|span| span.days), Some(7));
}

proptest! {
    /// Whatever small change is let pass: what the old version accepted, the new one accepts.
    #[test]
    fn what_was_accepted_is_accepted(
        edits in prop::collection::vec((0..10_u8, -3..6_i64), 0..4),
        data in (prop::option::of(0..3_u8), prop::option::of(0..25_usize), prop::option::of(prop::collection::vec(-3..5_i64, 0..5))),
    ) {
        let mut value = json!({"by": "user:u-1", "vault": "V-1"});
        let (grade, note, places) = data;
        if let Some(grade) = grade {
            value["grade"] = json!(["a", "b", "c"][usize::from(grade)]);
        }
        if let Some(length) = note {
            value["note"] = json!("x".repeat(length));
        }
        if let Some(places) = places {
            value["places"] = json!(places);
        }
        let old = with_own();
        let accepted = old.get("vault.opened").unwrap().check(&value, 1).is_empty();
        let new = changed(|new| {
            let properties = &mut new["schema"]["properties"];
            for (what, by) in &edits {
                match what {
                    0 => properties["grade"]["enum"] = json!(["a", "b", "c"]),
                    1 => properties["grade"]["enum"] = json!(["b", "c"]),
                    2 => properties["note"]["maxLength"] = json!(10 + by),
                    3 => properties["note"]["minLength"] = json!((1 + by).max(0)),
                    4 => properties["places"]["maxItems"] = json!((3 + by).max(0)),
                    5 => properties["places"]["items"]["minimum"] = json!(by),
                    6 => properties["note"] = json!({"type": "string"}),
                    7 => properties["extra"] = json!({"type": "boolean"}),
                    8 => properties["places"] = json!({"type": "array", "maxItems": 3}),
                    _ => properties["grade"] = json!({"enum": ["a", "b"], "description": "how good"}),
                }
            }
        });
        if let Ok(new) = new && accepted {
            prop_assert!(new.get("vault.opened").unwrap().check(&value, 1).is_empty(), "{value}");
        }
    }
}
