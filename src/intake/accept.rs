//! Whether an event may be recorded, and the draft of its entry if so.

use crate::catalog::{Catalog, to_value};
use crate::identity::Principal;
use crate::intake::authority;
use crate::intake::refusal::{Kind, Refusal};
use crate::intake::reserved;
use crate::intake::sense::{Stated, impossible, stated};
use crate::log::append::Item;
use crate::log::{fingerprint_of, identity, is_json, subject_hash};
use crate::spec::canonical;
use crate::spec::encoding::from_base64;
use crate::spec::entry::{Draft, LEDGER_TYPE_PREFIX, MAX_ENTRY_BYTES};
use crate::spec::json::Json;
use crate::spec::time::Rfc3339;
use serde_json::Value;
use std::ops::RangeInclusive;

/// Schema violations that are listed for one event.
///
/// Reason: enough to mend a whole event at once, and a bound on the answer.
const MAX_VIOLATIONS: usize = 16;

/// CloudEvents 1.0 §2, "Integer".
const INTEGERS: RangeInclusive<f64> = i32::MIN as f64..=i32::MAX as f64;

/// What is said of a text that is no time.
const NO_TIME: &str = "not an RFC 3339 time such as \"2026-03-01T09:30:00Z\"";

/// What is said beside it of one that some readers take for one.
const PLAINLY: &str = ": T and Z in upper case, seconds from 00 to 59, and the minus of ASCII, for every reader to read it \
                       alike";

/// What events are held against.
pub struct Rules<'a> {
    pub origin: &'a str,
    pub catalog: &'a Catalog,
    /// Types outside the catalogue are accepted without a schema.
    pub open_types: bool,
}

/// An event that may be recorded.
pub struct Accepted {
    pub item: Item,
    /// CloudEvents `type`.
    pub event_type: String,
    pub source: String,
    pub id: String,
    pub subject: Option<String>,
    /// Why it is refused all the same, unless it is in the log already.
    pub if_new: Vec<Refusal>,
    /// Its times that may lie too far ahead when it comes to be recorded.
    pub stated: Vec<Stated>,
}

/// Checks one event and drafts its entry.
///
/// # Errors
/// Everything that is wrong with it, as far as one look can tell.
pub fn accept(event: &Json<'_>, principal: &Principal, rules: &Rules<'_>) -> Result<Accepted, Vec<Refusal>> {
    let mut refusals = check_attributes(event);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let text = |name: &str| event.get(name).and_then(Json::as_str);
    let (Some(source), Some(id), Some(kind)) = (text("source"), text("id"), text("type")) else {
        return Err(vec![Refusal::new(Kind::NotACloudEvent, "", "source, id and type are required")]);
    };
    let known = rules.catalog.get(kind);
    refusals.extend(authority::check(event, kind, source, known, principal));
    if source == rules.origin {
        let detail = "this source is the ledger's own, for its own events";
        refusals.push(Refusal::new(Kind::Source, "/source", detail));
    }
    check_personal(event, &mut refusals);
    let data = check_type(event, kind, rules, &mut refusals);
    if !refusals.is_empty() {
        return Err(refusals);
    }
    let recorded = canonical::to_string(event);
    let draft = Draft::new(&principal.actor, &recorded, rules.origin);
    let bytes = draft.entry_bytes(rules.origin, 1);
    if bytes > MAX_ENTRY_BYTES {
        let detail = format!(
            "the entry would have {bytes} bytes, {MAX_ENTRY_BYTES} is the most; keep large evidence elsewhere and \
             record its uri and sha256"
        );
        return Err(vec![Refusal::new(Kind::TooLarge, "", detail)]);
    }
    let stated = stated(event, known, &data);
    let item = Item {
        not_before: stated.iter().map(|time| time.takes_from).max(),
        source: source.into(),
        identity: identity(source, id),
        fingerprint: fingerprint_of(&principal.actor, event, &recorded),
        subject: text("subject").map(subject_hash),
        draft,
    };
    let subject = text("subject").map(str::to_owned);
    let mut if_new = impossible(event, known, &data);
    if_new.extend(reserved::check(rules.catalog, kind, &data));
    Ok(Accepted {
        item,
        event_type: kind.to_owned(),
        source: source.to_owned(),
        id: id.to_owned(),
        subject,
        if_new,
        stated,
    })
}

/// CloudEvents 1.0 §3: names and values of attributes.
fn check_attributes(event: &Json<'_>) -> Vec<Refusal> {
    let Some(members) = event.as_object() else {
        return vec![Refusal::new(Kind::NotACloudEvent, "", "an event is a JSON object")];
    };
    let mut refusals = Vec::new();
    let mut refuse = |name: &str, detail: String| {
        let pointer = format!("/{}", name.replace('~', "~0").replace('/', "~1"));
        refusals.push(Refusal::new(Kind::NotACloudEvent, pointer, detail));
    };
    for name in ["id", "source", "specversion", "type"] {
        if event.get(name).is_none() {
            refuse(name, format!("the attribute {name:?} is required"));
        }
    }
    for (name, value) in members {
        match (&**name, value) {
            ("data", _) => {}
            ("data_base64", Json::String(text)) if from_base64(text).is_some() => {}
            ("data_base64", _) => refuse(name, "not standard padded base64".into()),
            (_, _)
                if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) =>
            {
                refuse(
                    name,
                    "attribute names are lower-case letters and digits; other things go into data".into(),
                );
            }
            // What came as null was taken out where it was read.
            (_, Json::Null) => refuse(name, "an attribute without a value is left out".into()),
            (_, Json::Array(_) | Json::Object(_)) => {
                refuse(
                    name,
                    "attributes are strings, whole numbers or booleans; structures go into data".into(),
                );
            }
            ("specversion", Json::String(version)) if version == "1.0" => {}
            ("specversion", _) => refuse(name, "must be \"1.0\"".into()),
            ("time", value) => match value.as_str().and_then(Rfc3339::read) {
                Some(time) if !time.is_plain() => refuse(name, format!("{NO_TIME}{PLAINLY}")),
                Some(time) if time.exact().is_some() => {}
                Some(_) => refuse(name, "must be a time in the years 0000 to 9999 in UTC".into()),
                None => refuse(name, NO_TIME.into()),
            },
            ("id" | "source" | "type" | "subject" | "datacontenttype" | "dataschema", Json::String(text)) => {
                if text.is_empty() {
                    refuse(name, "must not be empty".into());
                } else if text.chars().any(char::is_control) {
                    refuse(name, "must not hold control characters".into());
                }
            }
            ("id" | "source" | "type" | "subject" | "datacontenttype" | "dataschema", _) => {
                refuse(name, "must be a string".into());
            }
            (_, Json::String(text)) if text.chars().any(char::is_control) => {
                refuse(name, "must not hold control characters".into());
            }
            (_, Json::Number(number)) if number.fract() != 0.0 || !INTEGERS.contains(number) => {
                let range = "whole and from -2147483648 to 2147483647";
                refuse(name, format!("numbers in attributes are {range}; send it as a string"));
            }
            _ => {}
        }
    }
    if event.get("data").is_some() && event.get("data_base64").is_some() {
        refuse("data_base64", "an event has data or data_base64, not both".into());
    }
    refusals
}

fn check_personal(event: &Json<'_>, refusals: &mut Vec<Refusal>) {
    let place = if event.get("datasubject").is_some() {
        Some("/datasubject")
    } else if event.get("data").is_some_and(|data| data.get("personal").is_some()) {
        Some("/data/personal")
    } else {
        None
    };
    if let Some(place) = place {
        let detail = "this ledger has no vault to seal personal data in; nothing of it is recorded. Refer to the \
                      person by an opaque case number instead";
        refusals.push(Refusal::new(Kind::Personal, place, detail));
    }
    if event.get("producersignature").is_some() {
        let detail = "this ledger knows no producer keys to check a signature with; post without it";
        refusals.push(Refusal::new(Kind::ProducerSignature, "/producersignature", detail));
    }
}

/// Holds an event against its type. Gives back its `data`, where it is JSON of a type that the catalogue knows.
fn check_type(event: &Json<'_>, kind: &str, rules: &Rules<'_>, refusals: &mut Vec<Refusal>) -> Value {
    if kind.starts_with(LEDGER_TYPE_PREFIX) {
        let detail = "types that begin with \"ledger.\" are the ledger's own";
        refusals.push(Refusal::new(Kind::ReservedType, "/type", detail));
        return Value::Null;
    }
    let Some(known) = rules.catalog.get(kind) else {
        if !rules.open_types {
            let hint = rules
                .catalog
                .suggest(kind)
                .map(|name| format!("; did you mean {name:?}?"))
                .unwrap_or_default();
            let detail = format!("this type is not in the ledger's catalogue{hint}");
            refusals.push(Refusal::new(Kind::UnknownType, "/type", detail));
        }
        return Value::Null;
    };
    if event.get("time").is_none() {
        let detail = "events of the catalogue say when they happened: add the attribute \"time\"";
        refusals.push(Refusal::new(Kind::Schema, "/time", detail));
    }
    let content_type = event.get("datacontenttype").and_then(Json::as_str);
    if event.get("data_base64").is_some() || content_type.is_some_and(|content_type| !is_json(content_type)) {
        let detail =
            "events of the catalogue carry JSON in \"data\", with datacontenttype application/json or none";
        refusals.push(Refusal::new(Kind::Schema, "/datacontenttype", detail));
        return Value::Null;
    }
    let data = event.get("data").map_or(Value::Null, to_value);
    refusals.extend(known.check(&data, MAX_VIOLATIONS).into_iter().map(|violation| {
        Refusal::new(Kind::Schema, format!("/data{}", violation.pointer), violation.message)
    }));
    data
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use super::*;
    use crate::identity::Role;
    use crate::spec::json::MAX_EVENT_DEPTH;

    fn outcome(event: &str, open_types: bool) -> Result<Accepted, Vec<Refusal>> {
        static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());
        let rules = Rules { origin: "log.example", catalog: &CATALOG, open_types };
        let principal =
            Principal { sources: vec!["/s".into()], ..Principal::open("app:x", vec![Role::Producer]) };
        accept(&Json::parse(event.as_bytes(), MAX_EVENT_DEPTH).unwrap(), &principal, &rules)
    }

    fn refused(event: &str) -> Vec<(Kind, String)> {
        let refusals = outcome(event, true).err().unwrap();
        refusals.into_iter().map(|refusal| (refusal.kind, refusal.pointer)).collect()
    }

    const EVENT: &str =
        r#"{"specversion":"1.0","id":"1","source":"/s","type":"x.y","ok1":true,"subject":"c"}"#;

    #[test]
    fn an_open_type_is_accepted_where_the_ledger_is_open() {
        let accepted = outcome(EVENT, true).ok().unwrap();
        assert_eq!((accepted.source.as_str(), accepted.id.as_str()), ("/s", "1"));
        let refusals = outcome(EVENT, false).err().unwrap();
        assert_eq!((refusals[0].kind, refusals[0].pointer.as_str()), (Kind::UnknownType, "/type"));
    }

    #[test]
    fn what_is_not_a_cloudevent_is_refused_with_its_place() {
        let with = |member: &str| refused(&EVENT.replace("\"ok1\":true", member));
        let place = |pointer: &str| vec![(Kind::NotACloudEvent, pointer.to_owned())];
        assert_eq!(refused(&EVENT.replace("\"1.0\"", "\"0.3\"")), place("/specversion"));
        assert_eq!(refused(&EVENT.replace("\"id\":\"1\",", "")), place("/id"));
        assert_eq!(refused(&EVENT.replace("\"id\":\"1\"", "\"id\":1")), place("/id"));
        assert_eq!(refused(&EVENT.replace("\"id\":\"1\"", "\"id\":\"\"")), place("/id"));
        assert_eq!(refused(&EVENT.replace("\"id\":\"1\"", "\"id\":\"a\\u0000\"")), place("/id"));
        assert_eq!(with("\"Bad\":1"), place("/Bad"));
        assert_eq!(with("\"a/b\":1"), place("/a~1b"));
        assert_eq!(with("\"x\":null"), place("/x"));
        assert_eq!(with("\"x\":[]"), place("/x"));
        assert_eq!(with("\"x\":1.5"), place("/x"));
        assert_eq!(with("\"x\":2147483648"), place("/x"));
        assert_eq!(with("\"x\":-2147483649"), place("/x"));
        assert_eq!(with("\"time\":\"yesterday\""), place("/time"));
        assert_eq!(with("\"time\":\"0000-01-01T00:00:00+23:59\""), place("/time"));
        assert_eq!(with("\"time\":\"9999-12-31T23:59:59-23:59\""), place("/time"));
        assert_eq!(with("\"data_base64\":\"AA\""), place("/data_base64"));
        assert_eq!(with("\"data\":1,\"data_base64\":\"AAE=\""), place("/data_base64"));
        assert_eq!(refused("[]"), place(""));
    }

    #[test]
    fn the_first_and_the_last_time_that_the_ledger_can_write_are_accepted_in_any_spelling() {
        for time in ["0000-01-01T23:59:00+23:59", "9999-12-31T23:59:59.9999999Z", "2026-03-01T09:30:00-00:00"]
        {
            let event = EVENT.replace("\"ok1\":true", &format!("\"time\":\"{time}\""));
            assert!(outcome(&event, true).is_ok(), "{time}");
        }
    }

    /// The envelope's time is held to what times in `data` are.
    #[test]
    fn a_time_that_some_readers_do_not_read_is_refused() {
        for time in [
            "2016-12-31T23:59:60Z",
            "2026-06-30T12:00:60Z",
            "2026-03-01 09:30:00Z",
            "2026-03-01t09:30:00z",
            "2026-03-01T09:30:00\u{2212}02:00",
        ] {
            let event = EVENT.replace("\"ok1\":true", &format!("\"time\":\"{time}\""));
            assert_eq!(refused(&event), [(Kind::NotACloudEvent, "/time".to_owned())], "{time}");
        }
    }

    #[test]
    fn integers_have_all_of_their_32_bits() {
        for number in ["-2147483648", "2147483647"] {
            let event = EVENT.replace("\"ok1\":true", &format!("\"x\":{number}"));
            assert!(outcome(&event, true).is_ok(), "{number}");
        }
    }

    #[test]
    fn a_time_in_data_that_the_ledger_cannot_write_is_refused_with_its_place() {
        let granted = |from: &str, until: &str| {
            let data = serde_json::json!({
                "by": "user:o", "request": "R", "grant": "G",
                "resource": {"kind": "dataset", "id": "d", "environment": "production"},
                "grantee": {"kind": "person", "id": "user:p"}, "operations": ["read"], "purpose": "p",
                "legal_basis": "gdpr-6-1-f", "valid_from": from, "valid_until": until, "grantee_unit": "a",
                "owner_unit": "a",
            });
            let event = serde_json::json!({
                "specversion": "1.0", "id": "1", "source": "/s", "type": "access.granted",
                "time": "2026-03-01T09:30:00Z", "data": data,
            });
            let refusals = outcome(&event.to_string(), false).err().unwrap_or_default();
            refusals.into_iter().map(|refusal| (refusal.kind, refusal.pointer)).collect::<Vec<_>>()
        };
        let (first, last) = ("0000-01-01T00:00:00Z", "9999-12-31T23:59:59.999999Z");
        let place = |name: &str| (Kind::Schema, format!("/data/{name}"));
        assert_eq!(granted(first, last), []);
        assert_eq!(granted(first, "9999-12-31T23:59:59-23:59"), [place("valid_until")]);
        let both = granted("0000-01-01T00:00:00+23:59", "9999-12-31T23:59:59-00:01");
        assert_eq!(both, [place("valid_from"), place("valid_until")]);
    }

    #[test]
    fn what_this_ledger_cannot_keep_safe_is_refused_whole() {
        let with = |member: &str| refused(&EVENT.replace("\"ok1\":true", member))[0].clone();
        assert_eq!(with("\"datasubject\":\"p\""), (Kind::Personal, "/datasubject".into()));
        assert_eq!(with("\"data\":{\"personal\":{}}"), (Kind::Personal, "/data/personal".into()));
        assert_eq!(
            with("\"producersignature\":\"x\""),
            (Kind::ProducerSignature, "/producersignature".into())
        );
        assert_eq!(refused(&EVENT.replace("x.y", "ledger.created"))[0].0, Kind::ReservedType);
        assert_eq!(refused(&EVENT.replace("/s", "/other"))[0].0, Kind::Source);
        let long = format!("\"data\":\"{}\"", "x".repeat(65_535));
        assert_eq!(with(&long).0, Kind::TooLarge);
    }
}
