//! The list of a ledger's keys, walked to check a receipt that stands after two rotations.

use daybook::spec::note::Signer as _;
use daybook::verify::{Options, Outcome, Quiet, Source, verify};
use daybook_testkit::{Ledger, ORIGIN, signer};
use std::sync::LazyLock;

/// A ledger whose key changed twice; the corpus holds its list of keys.
pub fn ledger() -> Ledger {
    let mut ledger = Ledger::create(ORIGIN, 1, Some(2));
    ledger.grow(2);
    ledger.rotate(2, Some(3));
    ledger.grow(1);
    ledger.rotate_alone(3, None);
    ledger.grow(2);
    ledger
}

static RECEIPT: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let ledger = ledger();
    ledger.receipt(ledger.size() - 1).to_text().into_bytes()
});

/// A list under which the receipt verifies names only keys that the ledger's own keys brought in.
pub fn check(data: &[u8]) {
    let key = signer(ORIGIN, 1).verifier().clone();
    let options = Options { key: Some(key), keys: Some(data.to_vec()), ..Options::default() };
    let source = Source::Receipt(Box::new(std::io::Cursor::new(RECEIPT.clone())));
    if let Outcome::Verified(report) = verify(source, &options, &Quiet) {
        let genuine = crate::SEEDS.map(|seed| signer(ORIGIN, seed).verifier().clone());
        let listed: Vec<_> = report.keys.iter().map(|key| key.key.clone()).collect();
        assert_eq!(listed, genuine);
    }
}
