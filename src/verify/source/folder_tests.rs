//! Lies in a data folder, told in small segments: what does not depend on their size is tested with few entries.

use super::FolderSource;
use crate::judge::whole_ledger;
use crate::{Code, Options, Outcome, Problem, Quiet, Report, Source, SourceKind};
use daybook_spec::layout::Head;
use daybook_testkit::{Ledger, framed, write_head};
use std::fs;
use std::path::{Path, PathBuf};
use tempfile::TempDir;

/// Entries of the test's segments.
const SEGMENT: u64 = 4;

fn trusting(ledger: &Ledger) -> Options {
    Options { key: Some(ledger.first_key()), threads: Some(2), ..Options::default() }
}

/// Looks with signatures checked one by one and in batches; both must come to the same, but for how they looked.
#[track_caller]
fn look(folder: &Path, options: &Options, segment: u64) -> Outcome {
    let strict = look_once(folder, options, segment);
    #[cfg(feature = "batch")]
    {
        let signatures = crate::Signatures::Batched(crate::Seed([7; crate::SEED_BYTES]));
        let batched = look_once(folder, &Options { signatures, ..options.clone() }, segment);
        let said = |outcome: &Outcome| match outcome {
            Outcome::Verified(report) => Report { batched: false, ..(**report).clone() }.to_json(),
            other => other.to_json(),
        };
        assert_eq!(said(&batched), said(&strict), "batches come to another verdict");
    }
    strict
}

fn look_once(folder: &Path, options: &Options, segment: u64) -> Outcome {
    let result = FolderSource::open_with(folder, segment)
        .and_then(|mut source| whole_ledger(&mut source, SourceKind::Folder, options, None, &Quiet));
    match result {
        Ok(report) => Outcome::Verified(Box::new(report)),
        Err(Problem::Failed(failure)) => Outcome::Failed(failure),
        Err(Problem::CouldNotCheck(why)) => Outcome::CouldNotCheck(why),
    }
}

#[track_caller]
fn verified(outcome: Outcome) -> Report {
    match outcome {
        Outcome::Verified(report) => *report,
        other => panic!("not verified: {other:?}"),
    }
}

#[track_caller]
fn failed(outcome: Outcome) -> (Code, Option<u64>) {
    match outcome {
        Outcome::Failed(failure) => (failure.code, failure.seq),
        other => panic!("did not fail: {other:?}"),
    }
}

struct Fixture {
    ledger: Ledger,
    folder: TempDir,
}

impl Fixture {
    fn of(entries: usize) -> Self {
        let (ledger, folder) = (Ledger::of(entries), tempfile::tempdir().unwrap());
        ledger.write_folder(folder.path(), SEGMENT);
        Self { ledger, folder }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join("log").join(name)
    }

    fn head(&self, change: impl FnOnce(&mut Head)) {
        let mut head = self.ledger.head(SEGMENT);
        change(&mut head);
        write_head(self.folder.path(), &head);
    }

    fn look(&self) -> Outcome {
        look(self.folder.path(), &trusting(&self.ledger), SEGMENT)
    }

    #[track_caller]
    fn fails(&self, code: Code, seq: Option<u64>) {
        assert_eq!(failed(self.look()), (code, seq));
    }
}

#[test]
fn an_honest_ledger_verifies_in_segments_of_any_size() {
    let mut ledger = Ledger::of(10);
    ledger.rotate(2, Some(3));
    ledger.grow(5);
    ledger.rotate_alone(3, None);
    ledger.grow(4);
    for segment in [1, 2, 7, 20, 21, 65_536] {
        let folder = tempfile::tempdir().unwrap();
        ledger.write_folder(folder.path(), segment);
        let report = verified(look(folder.path(), &trusting(&ledger), segment));
        assert_eq!(
            (report.entries, report.checkpoint_note),
            (21, ledger.checkpoint()),
            "segments of {segment}"
        );
    }
}

#[test]
fn chunks_and_segments_end_where_they_like() {
    let mut ledger = Ledger::of(1_500);
    let long = daybook_testkit::event("big", &format!("\"{}\"", "x".repeat(60_000)));
    for _ in 0..8 {
        ledger.record("app:x", &long);
    }
    ledger.rotate(2, None);
    ledger.grow(300);
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), 1_024);
    assert_eq!(verified(look(folder.path(), &trusting(&ledger), 1_024)).entries, 1_809);
}

#[test]
fn bytes_above_the_head_are_reported_and_are_no_part_of_the_ledger() {
    let fixture = Fixture::of(10);
    let path = fixture.path("00000002/entries");
    let good = fs::read(&path).unwrap();
    for tail in [b"\0".to_vec(), vec![255; 70_000], framed(&fixture.ledger.entries[9..])] {
        fs::write(&path, [&good[..], &tail].concat()).unwrap();
        let report = verified(fixture.look());
        assert_eq!((report.entries, report.uncovered), (10, 0));
        assert!(report.warnings[0].contains(&format!("{} bytes", tail.len())), "{:?}", report.warnings);
    }
}

#[test]
fn entries_beyond_the_checkpoint_are_checked_and_counted() {
    let fixture = Fixture::of(10);
    fs::write(fixture.path("checkpoint"), fixture.ledger.checkpoint_at(7)).unwrap();
    let report = verified(fixture.look());
    assert_eq!((report.entries, report.checkpoint.size, report.uncovered), (10, 7, 3));
    assert!(report.to_string().contains("3 entries are recorded but not yet covered"));
    let other = daybook_testkit::checkpoint(&fixture.ledger.origin, 7, [9; 32], &[&*fixture.ledger.key()]);
    fs::write(fixture.path("checkpoint"), other).unwrap();
    fixture.fails(Code::RootMismatch, None);
}

#[test]
fn a_cut_tail_is_refused() {
    let fixture = Fixture::of(10);
    let path = fixture.path("00000002/entries");
    let bytes = fs::read(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() - 1]).unwrap();
    fixture.fails(Code::Truncated, Some(9));
    fs::write(&path, b"").unwrap();
    fixture.fails(Code::Truncated, Some(8));
    fs::remove_file(&path).unwrap();
    fixture.fails(Code::Truncated, Some(8));
    fs::remove_dir_all(fixture.path("00000001")).unwrap();
    fixture.fails(Code::Truncated, Some(4));
}

#[test]
fn a_head_cut_back_with_the_entries_is_seen_by_the_checkpoint() {
    let fixture = Fixture::of(10);
    let mut shorter = fixture.ledger.clone();
    shorter.entries.pop();
    let checkpoint = fs::read(fixture.path("checkpoint")).unwrap();
    shorter.write_folder(fixture.folder.path(), SEGMENT);
    fs::write(fixture.path("checkpoint"), checkpoint).unwrap();
    fixture.fails(Code::Truncated, None);
}

#[test]
fn a_head_that_claims_other_sizes_is_refused() {
    let fixture = Fixture::of(10);
    for size in [11, 1 << 32, 1 << 63, u64::MAX] {
        fixture.head(|head| head.size = size);
        fixture.fails(Code::Truncated, Some(10));
    }
    fixture.head(|head| head.size = 9);
    fixture.fails(Code::Truncated, None);
    fs::write(fixture.path("checkpoint"), fixture.ledger.checkpoint_at(9)).unwrap();
    fixture.fails(Code::HeadMismatch, None);
    fixture.head(|head| head.size = 0);
    fixture.fails(Code::Empty, None);
}

#[test]
fn a_head_that_names_other_places_is_refused() {
    let fixture = Fixture::of(10);
    for end in [u64::MAX, 1 << 40] {
        fixture.head(|head| head.end = end);
        fixture.fails(Code::HeadMismatch, None);
    }
    fixture.head(|head| head.end += 1);
    fixture.fails(Code::HeadMismatch, None);
    fixture.head(|head| head.end -= 1);
    fixture.fails(Code::Truncated, Some(9));
    fixture.head(|head| head.end = 0);
    fixture.fails(Code::Truncated, Some(8));
    fixture.head(|head| head.segment = 3);
    fixture.fails(Code::Truncated, Some(10));
    fixture.head(|head| head.segment = u64::MAX);
    fixture.fails(Code::Truncated, Some(10));
    fixture.head(|head| head.segment = 0);
    assert_eq!(failed(fixture.look()).0, Code::Truncated);
}

#[test]
fn a_head_with_another_chain_or_root_is_refused() {
    let fixture = Fixture::of(10);
    fixture.head(|head| head.chain = [1; 32]);
    fixture.fails(Code::HeadMismatch, None);
    fixture.head(|head| head.root = [1; 32]);
    fixture.fails(Code::HeadMismatch, None);
}

#[test]
fn a_damaged_head_is_refused_and_a_damaged_twin_is_not() {
    let fixture = Fixture::of(10);
    let good = fs::read(fixture.path("head")).unwrap();
    let mut bad = good.clone();
    bad[700] ^= 1;
    fs::write(fixture.path("head"), &bad).unwrap();
    assert_eq!(verified(fixture.look()).entries, 10);
    bad[30] ^= 1;
    fs::write(fixture.path("head"), &bad).unwrap();
    fixture.fails(Code::HeadDamaged, None);
    for other in [&good[..2047], &[&good[..], b"x"].concat(), b"", &[0; 2048]] {
        fs::write(fixture.path("head"), other).unwrap();
        fixture.fails(Code::HeadDamaged, None);
    }
}

#[test]
fn older_segments_must_be_exactly_full() {
    let fixture = Fixture::of(10);
    let path = fixture.path("00000001/entries");
    let good = fs::read(&path).unwrap();
    fs::write(&path, [&good[..], b"\0"].concat()).unwrap();
    fixture.fails(Code::SegmentInvalid, None);
    // Far more than one read holds.
    fs::write(&path, [&good[..], &vec![0; 1 << 20]].concat()).unwrap();
    fixture.fails(Code::SegmentInvalid, None);
    fs::write(&path, [&good[..], &framed(&fixture.ledger.entries[8..9])].concat()).unwrap();
    fixture.fails(Code::SegmentInvalid, None);
    fs::write(&path, framed(&fixture.ledger.entries[4..7])).unwrap();
    fixture.fails(Code::Truncated, Some(7));
}

#[test]
fn a_giant_length_reads_no_further_than_the_head() {
    let fixture = Fixture::of(10);
    let path = fixture.path("00000002/entries");
    let mut bytes = fs::read(&path).unwrap();
    bytes[..2].copy_from_slice(&[255, 255]);
    fs::write(&path, &bytes).unwrap();
    fixture.fails(Code::Truncated, Some(8));
    bytes[..2].copy_from_slice(&[0, 0]);
    fs::write(&path, &bytes).unwrap();
    assert_eq!(failed(fixture.look()).1, Some(8));
}

#[test]
fn an_ocean_of_empty_frames_is_given_up_on_at_the_first() {
    let fixture = Fixture::of(1);
    fs::write(fixture.path("00000000/entries"), vec![0; 8 << 20]).unwrap();
    fixture.head(|head| (head.size, head.end) = (4 << 20, 8 << 20));
    assert_eq!(failed(look(fixture.folder.path(), &trusting(&fixture.ledger), 1 << 40)).1, Some(0));
}

#[test]
fn what_is_missing_altogether_could_not_be_checked() {
    for name in ["head", "checkpoint"] {
        let fixture = Fixture::of(3);
        fs::remove_file(fixture.path(name)).unwrap();
        let Outcome::CouldNotCheck(why) = fixture.look() else { panic!("{name}") };
        assert!(why.contains(name) && why.contains("does not exist"), "{why}");
    }
    let empty = tempfile::tempdir().unwrap();
    assert!(matches!(
        crate::verify(Source::Folder(empty.path().into()), &Options::default(), &Quiet),
        Outcome::CouldNotCheck(_)
    ));
}

#[cfg(unix)]
#[test]
fn links_out_of_the_folder_are_not_followed() {
    for name in ["head", "checkpoint", "00000001", "00000001/entries"] {
        let fixture = Fixture::of(10);
        let elsewhere = fixture.folder.path().join("elsewhere");
        fs::rename(fixture.path(name), &elsewhere).unwrap();
        std::os::unix::fs::symlink(&elsewhere, fixture.path(name)).unwrap();
        let Outcome::CouldNotCheck(why) = fixture.look() else { panic!("{name}") };
        assert!(why.contains("symbolic link"), "{why}");
    }
}

#[test]
fn a_folder_that_a_ledger_is_writing_to_verifies_at_every_moment() {
    let mut ledger = Ledger::of(3);
    let folder = tempfile::tempdir().unwrap();
    ledger.write_folder(folder.path(), SEGMENT);
    let path = folder.path().to_owned();
    let options = trusting(&ledger);
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            // As a ledger does it: entries, head, checkpoint in one step.
            while !stop.load(std::sync::atomic::Ordering::Relaxed) && ledger.size() < 60 {
                ledger.grow(1);
                let segment = (ledger.size() - 1) / SEGMENT;
                let dir = path.join("log").join(daybook_spec::layout::segment_dir(segment));
                fs::create_dir_all(&dir).unwrap();
                let entries = &ledger.entries[(segment * SEGMENT) as usize..];
                let mut file =
                    fs::OpenOptions::new().append(true).create(true).open(dir.join("entries")).unwrap();
                std::io::Write::write_all(&mut file, &framed(&entries[entries.len() - 1..])).unwrap();
                write_head(&path, &ledger.head(SEGMENT));
                fs::write(path.join("log/new"), ledger.checkpoint()).unwrap();
                fs::rename(path.join("log/new"), path.join("log/checkpoint")).unwrap();
            }
        });
        for _ in 0..20 {
            // Looked at once, because two looks would see two ledgers.
            verified(look_once(&path, &options, SEGMENT));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    });
}
