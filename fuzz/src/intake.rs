//! Posted CloudEvents: from the bytes of a request to an event that may be recorded, or a refusal.
//!
//! The first byte says how: bits 0 and 1 the mode, bit 2 whether unknown types are taken, bit 3 whether the caller may
//! post for any source. The rest is the body; in the binary mode `name:value` lines come first, up to an empty line.

use daybook::catalog::Catalog;
use daybook::identity::{Principal, Role};
use daybook::intake::{
    Accepted, BinaryHeader, MAX_BATCH_EVENTS, Refusal, Rules, accept, from_batch, from_binary,
    from_structured,
};
use daybook::spec::canonical;
use daybook::spec::entry::{Entry, FIRST_PREV, MAX_ENTRY_BYTES};
use daybook::spec::json::{Json, MAX_EVENT_DEPTH};
use daybook::spec::note::push_signature_line;
use daybook::spec::time::Timestamp;
use std::sync::LazyLock;

const ORIGIN: &str = "log.example";
const ACTOR: &str = "app:x";

static CATALOG: LazyLock<Catalog> = LazyLock::new(|| Catalog::embedded().unwrap());

/// What is accepted makes an entry that a verifier accepts, reads back as the event that was posted, is the same
/// event in every mode, and holds nothing that this ledger must not keep.
pub fn check(data: &[u8]) {
    let Some((&how, rest)) = data.split_first() else { return };
    let rules = Rules { origin: ORIGIN, catalog: &CATALOG, open_types: how & 4 != 0 };
    let sources = if how & 8 != 0 { Vec::new() } else { vec!["/s".to_owned(), "/example*".to_owned()] };
    let principal = Principal { sources, ..Principal::open(ACTOR, vec![Role::Producer]) };
    let events = match how & 3 {
        0 | 3 => from_structured(rest).map(|event| vec![event]),
        1 => from_batch(rest),
        _ => binary(rest),
    };
    let events = match events {
        Ok(events) => events,
        Err(refusal) => return explained(&[refusal]),
    };
    assert!(events.len() <= MAX_BATCH_EVENTS);
    for event in events {
        match accept(&event, &principal, &rules) {
            Ok(accepted) => recorded(&event, &accepted, &principal, &rules),
            Err(refusals) => explained(&refusals),
        }
    }
}

fn binary(request: &[u8]) -> Result<Vec<Json<'_>>, Refusal> {
    let (mut headers, mut rest) = (Vec::<BinaryHeader<'_>>::new(), request);
    let mut content_type = None;
    while let Some(end) = rest.iter().position(|byte| *byte == b'\n') {
        let line = &rest[..end];
        rest = &rest[end + 1..];
        let Some(colon) = line.iter().position(|byte| *byte == b':') else { break };
        // An HTTP server hands on names that are tokens in lower case, and values that are visible.
        let (Ok(name), value) = (std::str::from_utf8(&line[..colon]), &line[colon + 1..]) else { break };
        let token = !name.is_empty()
            && name.bytes().all(|byte| byte.is_ascii_graphic() && !byte.is_ascii_uppercase());
        if !token || value.iter().any(|byte| *byte < 0x20 || *byte == 0x7f) {
            break;
        }
        match name {
            "content-type" => content_type = std::str::from_utf8(value).ok().filter(|value| value.is_ascii()),
            _ => headers.push((name, value)),
        }
    }
    from_binary(&headers, content_type, rest).map(|event| vec![event])
}

/// A refusal says where and why.
fn explained(refusals: &[Refusal]) {
    assert!(!refusals.is_empty());
    for refusal in refusals {
        assert!(refusal.pointer.is_empty() || refusal.pointer.starts_with('/'), "{refusal:?}");
        assert!(!refusal.detail.is_empty());
    }
}

fn recorded(event: &Json<'_>, accepted: &Accepted, principal: &Principal, rules: &Rules<'_>) {
    // The bytes that would be recorded are canonical and mean what was posted, here and to another reader.
    let text = canonical::to_string(event);
    let reread = Json::parse(text.as_bytes(), MAX_EVENT_DEPTH).unwrap();
    assert_eq!(&reread, event);
    let others: serde_json::Value = serde_json::from_str(&text).unwrap();
    assert_eq!(serde_json_canonicalizer::to_string(&others).unwrap(), text);

    // Posted again, in the structured mode or alone in a batch, it is known as the same.
    let batch = format!("[{text}]");
    let again = from_batch(batch.as_bytes()).unwrap();
    for event in [&reread, &again[0]] {
        let again = accept(event, principal, rules).ok().unwrap();
        assert_eq!(again.item.identity, accepted.item.identity);
        assert_eq!(again.item.fingerprint, accepted.item.fingerprint);
        assert_eq!((again.source, again.id), (accepted.source.clone(), accepted.id.clone()));
        assert_eq!((again.item.subject, again.subject), (accepted.item.subject, accepted.subject.clone()));
    }

    // Its entry is one, and no longer than was reckoned.
    let text_at = accepted.item.draft.text(&FIRST_PREV, 1 << 40, Timestamp::EPOCH);
    let mut note = format!("{text_at}\n");
    push_signature_line(&mut note, ORIGIN, [1, 2, 3, 4], &[0; 64]);
    assert!(note.len() <= accepted.item.draft.entry_bytes(ORIGIN, 1));
    assert!(note.len() <= MAX_ENTRY_BYTES);
    let entry = Entry::parse(note.as_bytes()).unwrap();
    assert_eq!((&entry.event, entry.actor.as_str(), entry.ledger.as_str()), (event, ACTOR, ORIGIN));
    assert_eq!(entry.attribute("source"), Some(accepted.source.as_str()));
    assert_eq!(entry.attribute("id"), Some(accepted.id.as_str()));

    // What must never be there.
    assert!(others.get("datasubject").is_none() && others["data"].get("personal").is_none());
    assert!(!entry.event_type().starts_with("ledger.") && accepted.source != ORIGIN);
    assert!(principal.may_post_for(&accepted.source));
    assert!(rules.open_types || rules.catalog.get(entry.event_type()).is_some());
}
