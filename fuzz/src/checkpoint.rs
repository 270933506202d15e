//! Checkpoints.

use daybook::spec::checkpoint::{Checkpoint, is_origin};
use daybook::spec::entry::Entry;

/// An accepted checkpoint prints to the same text and note, and is no entry.
pub fn check(data: &[u8]) {
    let Ok((checkpoint, note)) = Checkpoint::parse(data) else { return };
    assert!(is_origin(&checkpoint.origin));
    assert_eq!(checkpoint.text(), note.text);
    assert_eq!(crate::print_note(&note).as_bytes(), data);
    crate::no_forgery(&note);
    assert!(Entry::parse(data).is_err(), "one text is a checkpoint and an entry");
}
