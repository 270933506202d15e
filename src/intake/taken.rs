//! Identities that are taken: in what an event differs from the one that is recorded under its source and id. The members
//! are named, and nothing of what is in them: to whoever may post for that source, and nobody else gets so far.

use crate::index::LogIndex;
use crate::intake::error::{RecordError, Taken};
use crate::intake::incoming::Brought;
use crate::log::append::AppendError;
use crate::log::store::Store;
use crate::log::{compared, identity};
use crate::spec::entry::Entry;
use crate::spec::json::{Json, canonical_order};
use std::borrow::Cow;
use std::cmp::Ordering;

/// Members that are named of one event.
///
/// Reason: enough to see what was changed, and a bound on the answer.
const MAX_MEMBERS: usize = 16;

/// Why of these events, which were brought so, those at some places are not recorded, as far as the index can tell.
pub(super) fn why_taken(
    (store, index): (&Store, Option<&LogIndex>),
    brought: &Brought,
    events: &[Json<'_>],
    places: &[usize],
) -> RecordError {
    let told = places.iter().map(|place| told(store, index, brought, events, *place));
    match told.collect() {
        Ok(taken) => RecordError::IdentityTaken { taken, in_batch: brought.is_batch() },
        Err(error) => error,
    }
}

fn told(
    store: &Store,
    index: Option<&LogIndex>,
    brought: &Brought,
    events: &[Json<'_>],
    place: usize,
) -> Result<Taken, RecordError> {
    let mut taken = Taken::at(place);
    let Some((event, identity)) = events.get(place).and_then(|event| Some((event, identity_of(event)?)))
    else {
        return Ok(taken);
    };
    let found = match index {
        Some(index) => {
            let index = index.now().map_err(AppendError::Index)?;
            index.find(&identity).map_err(|error| AppendError::Index(error.to_string()))?
        }
        None => None,
    };
    if let Some(seq) = found {
        let bytes = store.entry(seq)?;
        let entry = Entry::parse(&bytes).map_err(|error| RecordError::internal(&error))?;
        taken.by_another = entry.actor != brought.principal.actor;
        taken.differs = differing(event, &entry.event);
    } else if let Some(twin) = events.iter().take(place).find(|twin| identity_of(twin) == Some(identity)) {
        taken.differs = differing(event, twin);
    }
    Ok(taken)
}

fn identity_of(event: &Json<'_>) -> Option<[u8; 16]> {
    let text = |name| event.get(name).and_then(Json::as_str);
    Some(identity(text("source")?, text("id")?))
}

/// Pointers to what is not the same in both, as they are compared.
fn differing(event: &Json<'_>, recorded: &Json<'_>) -> Vec<String> {
    let (as_brought, as_recorded) = (compared(event), compared(recorded));
    let mut found = Vec::new();
    compare(as_brought.as_ref().unwrap_or(event), as_recorded.as_ref().unwrap_or(recorded), "", &mut found);
    found
}

fn compare(a: &Json<'_>, b: &Json<'_>, pointer: &str, found: &mut Vec<String>) {
    if a == b || found.len() == MAX_MEMBERS {
        return;
    }
    match (a, b) {
        (Json::Object(a), Json::Object(b)) => compare_members(a, b, pointer, found),
        (Json::Array(a), Json::Array(b)) if a.len() == b.len() => {
            for (place, (a, b)) in a.iter().zip(b).enumerate() {
                compare(a, b, &format!("{pointer}/{place}"), found);
            }
        }
        _ => found.push(pointer.to_owned()),
    }
}

type Members<'a> = [(Cow<'a, str>, Json<'a>)];

/// Both are in canonical order, so that one walk meets every name.
fn compare_members(a: &Members<'_>, b: &Members<'_>, pointer: &str, found: &mut Vec<String>) {
    let (mut a, mut b) = (a.iter().peekable(), b.iter().peekable());
    loop {
        let order = match (a.peek(), b.peek()) {
            (None, None) => return,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some((a, _)), Some((b, _))) => canonical_order(a, b),
        };
        let in_a = if order.is_le() { a.next() } else { None };
        let in_b = if order.is_ge() { b.next() } else { None };
        let Some((name, _)) = in_a.or(in_b) else { return };
        let inner = format!("{pointer}/{}", name.replace('~', "~0").replace('/', "~1"));
        match (in_a, in_b) {
            (Some((_, a)), Some((_, b))) => compare(a, b, &inner, found),
            _ if found.len() < MAX_MEMBERS => found.push(inner),
            _ => return,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::spec::json::MAX_EVENT_DEPTH;

    fn of(a: &str, b: &str) -> Vec<String> {
        let [a, b] = [a, b].map(|text| Json::parse(text.as_bytes(), MAX_EVENT_DEPTH).unwrap());
        differing(&a, &b)
    }

    #[test]
    fn what_differs_is_named_where_it_differs() {
        let recorded = r#"{"id":"1","time":"a","data":{"by":"u","list":[1,{"x":1}],"a/b":1},"sequence":7}"#;
        for (posted, differs) in [
            (recorded, &[][..]),
            (
                r#"{"id":"1","time":"b","data":{"by":"u","list":[1,{"x":1}],"a/b":1},"sequence":"7"}"#,
                &["/time"],
            ),
            (
                r#"{"id":"1","time":"a","data":{"by":"v","list":[1,{"x":2}],"c":1}}"#,
                &["/data/a~1b", "/data/by", "/data/c", "/data/list/1/x", "/sequence"],
            ),
            (r#"{"id":"1","time":"a","data":{"by":"u","list":[1],"a/b":1},"sequence":7}"#, &["/data/list"]),
            (r#"{"id":"1","time":"a","data":null,"sequence":7}"#, &["/data"]),
            (r#"{"id":"1","time":"a","sequence":7,"datacontenttype":"application/json"}"#, &["/data"]),
        ] {
            assert_eq!(of(posted, recorded), differs, "{posted}");
        }
    }

    #[test]
    fn so_many_are_named_and_no_more() {
        let many = |value: u32| {
            let members: Vec<String> = (0..100).map(|n| format!("\"m{n}\":{value}")).collect();
            format!("{{\"data\":{{{}}}}}", members.join(","))
        };
        assert_eq!(of(&many(1), &many(2)).len(), MAX_MEMBERS);
        assert_eq!(of(&many(1), "{\"data\":{}}").len(), MAX_MEMBERS);
    }
}
