//! How fast: against the curve library's own rate over the same entries. Run with
//! `cargo test --release -p daybook-verify --test lies speed -- --ignored --nocapture`.
//!
//! Each is measured in several rounds by turns, and the best of each counts: what others do on the machine only ever
//! makes a round slower.

use super::*;
use daybook_spec::note::Note;
use std::time::Instant;

/// Processor seconds of this process so far (proc_pid_stat(5): user and system time in hundredths).
fn processor_seconds() -> f64 {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = stat.rsplit(')').next().unwrap_or_default().split(' ');
    fields.skip(12).take(2).filter_map(|ticks| ticks.parse::<f64>().ok()).sum::<f64>() / 100.0
}

/// Entries a second by the clock, and by the processor.
type Rate = (f64, f64);

/// Runs something over all entries, and keeps the better rates.
fn measure(best: &mut Rate, entries: usize, run: impl FnOnce()) {
    let (start, before) = (Instant::now(), processor_seconds());
    run();
    let (clock, processor) = (start.elapsed().as_secs_f64(), processor_seconds() - before);
    best.0 = best.0.max(entries as f64 / clock);
    best.1 = best.1.max(entries as f64 / processor.max(0.01));
}

#[test]
#[ignore = "a measurement, for a release build on a quiet machine"]
fn verification_is_bound_by_its_signatures() {
    let mut ledger = Ledger::new();
    let data = format!("{{\"reason\":\"{}\"}}", "because it is so ".repeat(14));
    let event = daybook_testkit::event("decision.made", &data);
    for _ in 1..20_000 {
        ledger.record("app:bench", &event);
    }
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 65_536);
    let export = folder.path().join("export");
    std::fs::write(&export, ledger.export()).unwrap();
    let key = ledger.first_key();
    let entries = ledger.entries.len();
    println!("{} bytes an entry", ledger.entries[5].len());
    let notes: Vec<_> = ledger.entries.iter().map(|entry| Note::parse(entry).unwrap()).collect();
    let bare = |notes: &[Note<'_>]| {
        notes
            .iter()
            .for_each(|note| assert!(key.verify(note.text.as_bytes(), &note.signatures[0].signature)));
    };
    let reading = || {
        ledger.entries.iter().for_each(|entry| drop(daybook_spec::entry::Entry::parse(entry).unwrap()));
    };
    let hashing = || {
        let hash = |note: &Note<'_>| daybook_spec::entry::text_hash(note.text.as_bytes());
        assert_eq!(notes.iter().map(hash).zip(ledger.leaves()).count(), entries);
    };
    for threads in [1, 2] {
        let options = Options { threads: Some(threads), ..trusting(&ledger) };
        let (mut floor, mut from_folder, mut from_export) = <(Rate, Rate, Rate)>::default();
        let (mut read, mut hashed) = <(Rate, Rate)>::default();
        for _ in 0..8 {
            measure(&mut floor, entries, || {
                std::thread::scope(|scope| {
                    notes.chunks(entries.div_ceil(threads)).for_each(|part| drop(scope.spawn(|| bare(part))));
                });
            });
            measure(&mut from_folder, entries, || {
                verified(look_at_folder(folder.path(), &options));
            });
            measure(&mut from_export, entries, || {
                let file = std::fs::File::open(&export).unwrap();
                verified(verify(Source::Export(Box::new(file)), &options, &Quiet));
            });
            measure(&mut read, entries, reading);
            measure(&mut hashed, entries, hashing);
        }
        println!("{threads} threads, entries a second by the clock and of one processor:");
        for (what, rate) in [
            ("bare verify_strict", floor),
            ("a folder", from_folder),
            ("an export", from_export),
            ("reading entries alone", read),
            ("hashing alone", hashed),
        ] {
            let (clock, processor) = (rate.0 / floor.0, rate.1 / floor.1);
            println!("  {what:24} {:9.0} {:9.0}   {clock:.3} {processor:.3} of bare", rate.0, rate.1);
        }
    }
}
