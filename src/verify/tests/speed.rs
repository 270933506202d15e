//! How fast: against the curve library's own rate over the same entries. Run with
//! `cargo test --release --lib verify::tests::speed -- --ignored --nocapture`.

use super::*;
use crate::spec::note::Note;
use std::time::Instant;

#[test]
#[ignore = "a measurement, for a release build on a quiet machine"]
fn verification_is_bound_by_its_signatures() {
    let mut ledger = Ledger::new();
    let data = format!("{{\"reason\":\"{}\"}}", "because it is so ".repeat(14));
    let event = crate::verify::testkit::event("decision.made", &data);
    for _ in 1..60_000 {
        ledger.record("app:bench", &event);
    }
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    let export = folder.path().join("export");
    std::fs::write(&export, ledger.export()).unwrap();
    let key = ledger.first_key();
    let entries = ledger.entries.len() as f64;
    println!("{} bytes an entry", ledger.entries[5].len());
    let notes: Vec<_> = ledger.entries.iter().map(|entry| Note::parse(entry).unwrap()).collect();
    for _ in 0..3 {
        let bare = |notes: &[Note<'_>]| {
            notes
                .iter()
                .for_each(|note| assert!(key.verify(note.text.as_bytes(), &note.signatures[0].signature)));
        };
        let start = Instant::now();
        bare(&notes);
        let floor = entries / start.elapsed().as_secs_f64();
        let start = Instant::now();
        std::thread::scope(|scope| {
            let (a, b) = notes.split_at(notes.len() / 2);
            scope.spawn(|| bare(a));
            scope.spawn(|| bare(b));
        });
        let both = entries / start.elapsed().as_secs_f64();
        println!("bare verify_strict: {floor:.0}/s on one thread, {both:.0}/s on two");
        for (threads, floor) in [(1, floor), (2, both)] {
            let options = Options { threads: Some(threads), ..trusting(&ledger) };
            let start = Instant::now();
            verified(look_at_folder(folder.path(), &options));
            let rate = entries / start.elapsed().as_secs_f64();
            println!("  folder, {threads} threads: {rate:.0}/s, {:.3} of bare", rate / floor);
            let start = Instant::now();
            verified(verify(
                Source::Export(Box::new(std::fs::File::open(&export).unwrap())),
                &options,
                &Quiet,
            ));
            let rate = entries / start.elapsed().as_secs_f64();
            println!("  export, {threads} threads: {rate:.0}/s, {:.3} of bare", rate / floor);
        }
    }
}
