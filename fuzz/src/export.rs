//! Exports, line by line and as a whole.

use daybook::spec::entry::Entry;
use daybook::spec::export::Line;
use daybook::spec::note::Signer as _;
use daybook::verify::{Options, Outcome, Quiet, Source, verify};
use daybook_testkit::{ORIGIN, signer};

/// An accepted line is the one spelling of what it says; an export that verifies holds only entries that the
/// ledger's keys signed, as many as it says, in their order.
pub fn check(data: &[u8]) {
    let mut entries = Vec::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Some(read) = Line::parse(line) {
            assert_eq!(read.to_line().strip_suffix('\n').unwrap().as_bytes(), line);
            if let Line::Entry(entry) = read {
                entries.push(entry);
            }
        }
    }
    let key = signer(ORIGIN, 1).verifier().clone();
    let options = Options { key: Some(key), threads: Some(1), ..Options::default() };
    let source = Source::Export(Box::new(std::io::Cursor::new(data.to_vec())));
    if let Outcome::Verified(report) = verify(source, &options, &Quiet) {
        assert_eq!(report.entries, entries.len() as u64);
        assert_eq!(report.checkpoint.size, report.entries);
        for (seq, entry) in (0..).zip(&entries) {
            let entry = Entry::parse(entry.as_bytes()).unwrap();
            assert_eq!(entry.seq, seq);
            crate::no_forgery(&entry.note);
        }
    }
}
