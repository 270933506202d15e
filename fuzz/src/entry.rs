//! Entries, and the frames that they stand in.

use daybook::spec::checkpoint::Checkpoint;
use daybook::spec::entry::{Draft, Entry, MAX_ENTRY_BYTES, is_actor};
use daybook::spec::json::{Json, MAX_EVENT_DEPTH};
use daybook::spec::tile::{push_framed, split_framed};
use daybook::spec::{canonical, checkpoint, encoding};

/// An accepted entry is canonical, says the same to another JSON reader, and is what its parts make; bundles come
/// apart into the entries that they were made of.
pub fn check(data: &[u8]) {
    frames(data);
    let Ok(entry) = Entry::parse(data) else { return };
    assert!(data.len() <= MAX_ENTRY_BYTES);
    assert_eq!(crate::print_note(&entry.note).as_bytes(), data);
    crate::no_forgery(&entry.note);
    assert!(Checkpoint::parse(data).is_err(), "one text is an entry and a checkpoint");

    let line = entry.note.text.strip_suffix('\n').unwrap();
    assert_eq!(canonical::canonicalize(line.as_bytes(), MAX_EVENT_DEPTH + 1).unwrap(), line);
    let read: serde_json::Value = serde_json::from_str(line).unwrap();
    assert_eq!(serde_json_canonicalizer::to_string(&read).unwrap(), line);
    assert!(is_actor(&entry.actor) && checkpoint::is_origin(&entry.ledger));
    assert_eq!(read["seq"].as_u64(), Some(entry.seq));
    assert_eq!(read["event"]["type"].as_str(), Some(entry.event_type()));
    assert_eq!(read.get("sealed").is_some(), entry.sealed);
    assert_eq!(read.get("producer").is_some(), entry.producer.is_some());
    if let Some((_, signature)) = &entry.producer {
        assert_eq!(read["producer"]["sig"].as_str(), Some(encoding::to_base64(signature).as_str()));
    }
    let event = canonical::to_string(&entry.event);
    assert!(Json::parse(event.as_bytes(), MAX_EVENT_DEPTH).is_ok(), "an event deeper than events may be");
    if entry.producer.is_none() && !entry.sealed {
        let draft = Draft::new(&entry.actor, &event, &entry.ledger);
        assert_eq!(draft.text(&entry.prev, entry.seq, entry.time), entry.note.text);
    }
    if let Ok(Some(change)) = entry.key_change() {
        assert_eq!(change.key.name(), entry.ledger);
    }
}

fn frames(data: &[u8]) {
    let (mut rest, mut again) = (data, Vec::new());
    while let Some((entry, after)) = split_framed(rest) {
        push_framed(&mut again, entry);
        rest = after;
    }
    again.extend_from_slice(rest);
    assert_eq!(again, data);
}
