//! Signed notes.

use daybook::spec::note::{MAX_SIGNATURES, Note, is_key_name};

/// An accepted note prints to the same bytes, and is signed by whoever it says.
pub fn check(data: &[u8]) {
    let Ok(note) = Note::parse(data) else { return };
    assert!(note.text.ends_with('\n') && (1..=MAX_SIGNATURES).contains(&note.signatures.len()));
    assert!(note.signatures.iter().all(|line| is_key_name(line.name)));
    assert_eq!(crate::print_note(&note).as_bytes(), data);
    crate::no_forgery(&note);
}
