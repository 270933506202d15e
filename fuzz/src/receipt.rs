//! Receipts, in both forms.

use daybook::spec::note::Signer as _;
use daybook::spec::receipt::Receipt;
use daybook::verify::{Options, Outcome, Quiet, Source, verify};
use daybook_testkit::{ORIGIN, signer};

/// An accepted text is the one spelling of its receipt; both forms say the same; and a receipt that verifies was
/// signed by the ledger's key, whatever the bytes around it.
pub fn check(data: &[u8]) {
    let Ok(receipt) = Receipt::parse(data) else { return };
    let text = receipt.to_text();
    assert_eq!(Receipt::parse(text.as_bytes()).as_ref(), Ok(&receipt));
    if !data.trim_ascii_start().starts_with(b"{") {
        assert_eq!(text.as_bytes(), data);
    }
    // JSON carries the entry as text and its number as a double.
    if std::str::from_utf8(&receipt.entry).is_ok() && receipt.seq < 1 << 53 {
        assert_eq!(Receipt::parse(receipt.to_json().as_bytes()), Ok(receipt.clone()));
    }
    let key = signer(ORIGIN, 1).verifier().clone();
    let options = Options { key: Some(key), ..Options::default() };
    let source = Source::Receipt(Box::new(std::io::Cursor::new(data.to_vec())));
    if let Outcome::Verified(report) = verify(source, &options, &Quiet) {
        let entry = daybook::spec::entry::Entry::parse(&receipt.entry).unwrap();
        crate::no_forgery(&entry.note);
        assert_eq!((report.receipt_of, entry.seq), (Some(receipt.seq), receipt.seq));
        assert!(report.checkpoint.size > receipt.seq && report.trusted);
    }
}
