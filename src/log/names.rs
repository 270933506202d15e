//! By which hashes an event, a subject and a submission are known.

use crate::spec::canonical;
use crate::spec::encoding::to_base64;
use crate::spec::json::{Json, canonical_order};
use crate::spec::merkle::Hash;
use sha2::{Digest as _, Sha256};
use std::borrow::Cow;

/// Who an event is, for ever: a hash of CloudEvents `source` and `id`, lengths first so that no two pairs run into
/// each other.
#[must_use]
pub fn identity(source: &str, id: &str) -> [u8; 16] {
    let hash = Sha256::new()
        .chain_update("daybook/identity/v1\n")
        .chain_update((source.len() as u64).to_be_bytes())
        .chain_update(source)
        .chain_update(id)
        .finalize();
    first_16(&hash)
}

/// A hash of a subject, for counting.
#[must_use]
pub fn subject_hash(subject: &str) -> [u8; 16] {
    first_16(&Sha256::new().chain_update("daybook/subject/v1\n").chain_update(subject).finalize())
}

fn first_16(hash: &[u8]) -> [u8; 16] {
    let mut first = [0; 16];
    first.iter_mut().zip(hash).for_each(|(to, from)| *to = *from);
    first
}

/// What an event says and who says so: two submissions are the same if their fingerprints are. `text` is the canonical
/// text of `event`.
#[must_use]
pub fn fingerprint_of(actor: &str, event: &Json<'_>, text: &str) -> Hash {
    match compared(event) {
        Some(compared) => fingerprint(actor, &canonical::to_string(&compared)),
        None => fingerprint(actor, text),
    }
}

/// The same of the text of an event as it is compared.
#[must_use]
pub fn fingerprint(actor: &str, compared: &str) -> Hash {
    let actor_bytes = (actor.len() as u64).to_be_bytes();
    Sha256::new().chain_update(actor_bytes).chain_update(actor).chain_update(compared).finalize().into()
}

/// An event as it is compared, where that is not as it is (FORMATS.md section 2: identity compares attributes by their
/// string form). So an event is the same in each mode that it may come in: one sends all attributes as strings, always says
/// that its data is JSON, which goes without saying in the other, and sends other data as bytes, which may be a text in the
/// other (CloudEvents JSON format §3.1).
#[must_use]
pub fn compared<'a>(event: &Json<'a>) -> Option<Json<'a>> {
    let Json::Object(members) = event else { return None };
    let media_type = event.get("datacontenttype").and_then(Json::as_str);
    let is_other = |(name, value): &(Cow<'a, str>, Json<'a>)| match (&**name, value) {
        ("data", Json::String(_)) => media_type.is_some_and(|media_type| !is_json(media_type)),
        ("data", _) => false,
        ("datacontenttype", Json::String(text)) => event.get("data_base64").is_none() && is_plain_json(text),
        (_, value) => matches!(value, Json::Number(_) | Json::Bool(_)),
    };
    if !members.iter().any(is_other) {
        return None;
    }
    let compare = |member: &(Cow<'a, str>, Json<'a>)| match (&*member.0, &member.1) {
        _ if !is_other(member) => Some(member.clone()),
        ("datacontenttype", _) => None,
        ("data", Json::String(text)) => {
            Some(("data_base64".into(), Json::string(to_base64(text.as_bytes()))))
        }
        (_, value) => Some((member.0.clone(), Json::string(canonical::to_string(value)))),
    };
    let mut compared: Vec<_> = members.iter().filter_map(compare).collect();
    compared.sort_by(|a, b| canonical_order(&a.0, &b.0));
    Some(Json::Object(compared))
}

/// Whether a media type is JSON: `…/json` or `…+json`.
#[must_use]
pub fn is_json(media_type: &str) -> bool {
    let essence = media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// Whether a media type is JSON without more to it; that it is in UTF-8 is no more.
fn is_plain_json(media_type: &str) -> bool {
    let mut parts = media_type.split(';').map(str::trim);
    parts.next().is_some_and(|essence| essence.eq_ignore_ascii_case("application/json"))
        && parts.all(|part| part.is_empty() || part.replace('"', "").eq_ignore_ascii_case("charset=utf-8"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn same(a: &str, b: &str) -> bool {
        let [a, b] = [a, b].map(|text| {
            let event = Json::parse(text.as_bytes(), 8).unwrap();
            fingerprint_of("app:x", &event, &canonical::to_string(&event))
        });
        a == b
    }

    #[test]
    fn an_event_is_the_same_in_each_mode_that_it_may_come_in() {
        let plain = r#"{"data":{"n":1},"id":"1","sequence":7,"urgent":true}"#;
        let binary = r#"{"data":{"n":1},"datacontenttype":"application/json","id":"1","sequence":"7","urgent":"true"}"#;
        assert!(same(plain, binary));
        assert!(same(
            plain,
            &binary
                .replace("application/json", "Application/JSON; charset=\"UTF-8\"")
                .replace("\"UTF-8\"", "UTF-8")
        ));
        assert!(same(r#"{"x":-2147483648}"#, r#"{"x":"-2147483648"}"#));
        let text = r#"{"data":"hi","datacontenttype":"text/plain","id":"1"}"#;
        assert!(same(text, r#"{"data_base64":"aGk=","datacontenttype":"text/plain","id":"1"}"#));
    }

    #[test]
    fn what_differs_in_more_than_its_spelling_is_another_event() {
        let event = r#"{"data":1,"id":"1","sequence":7}"#;
        for other in [
            r#"{"data":"1","id":"1","sequence":7}"#,
            r#"{"data":1,"id":"1","sequence":"07"}"#,
            r#"{"data":1,"id":"1","sequence":"true"}"#,
            r#"{"data":1,"datacontenttype":"application/problem+json","id":"1","sequence":7}"#,
            r#"{"data":1,"datacontenttype":"application/json; profile=x","id":"1","sequence":7}"#,
            r#"{"data":1,"id":"1"}"#,
        ] {
            assert!(!same(event, other), "{other}");
        }
        let bytes = r#"{"data_base64":"MQ==","id":"1"}"#;
        assert!(!same(bytes, r#"{"data_base64":"MQ==","datacontenttype":"application/json","id":"1"}"#));
    }
}
