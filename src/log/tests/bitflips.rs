//! Every byte that may rot is flipped in turn: at or below the head that is refused and nothing is cut, and whatever
//! is derived is made again or refused, never believed.
//!
//! `DAYBOOK_SOAK=1` flips each bit of each byte, and looks at many more places of large files.

use crate::clock::ManualClock;
use crate::log::append::{Item, Submission};
use crate::log::check::check;
use crate::log::disk::RealDisk;
use crate::log::own_events::Rotation;
use crate::log::recovery::RecoverError;
use crate::log::store::{ReadError, Store};
use crate::log::*;
use crate::spec::checkpoint::Checkpoint;
use crate::spec::entry::Draft;
use crate::spec::layout::SEGMENT_ENTRIES;
use crate::spec::merkle::Hash;
use crate::spec::time::Timestamp;
use std::fs;
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const ORIGIN: &str = "log.example";

fn soak() -> bool {
    std::env::var_os("DAYBOOK_SOAK").is_some()
}

/// What a byte becomes: one bit of it flipped, another for each place; in the long form all of its bits in turn,
/// and all of them at once to what worn flash and torn sectors read as.
fn damages(at: usize, byte: u8) -> Vec<u8> {
    if !soak() {
        return vec![byte ^ (1 << (at % 8))];
    }
    let flips = (0..8).map(|bit| byte ^ (1 << bit));
    flips.chain([0, 0xff]).filter(|damaged| *damaged != byte).collect()
}

/// A closed ledger in a folder of its own.
struct Closed {
    dir: tempfile::TempDir,
    next: u64,
}

/// What anyone can ask a log: its entries, the root at each size, and its keys.
#[derive(PartialEq, Eq)]
struct Facts {
    entries: Vec<Vec<u8>>,
    roots: Vec<Hash>,
    keys: Vec<String>,
}

fn facts(store: &Store) -> Result<Facts, ReadError> {
    Ok(Facts {
        entries: (0..store.size()).map(|seq| store.entry(seq)).collect::<Result<_, _>>()?,
        roots: (0..=store.size()).map(|size| store.root_at(size)).collect::<Result<_, _>>()?,
        keys: store.keys().iter().map(|key| format!("{} {}", key.key, key.from)).collect(),
    })
}

impl Closed {
    /// Sixteen entries from several commits, with a change of keys among them, and a head whose slots differ.
    fn small() -> Self {
        let mut ledger = Self { dir: tempfile::tempdir().unwrap(), next: 0 };
        create(&ledger.options(), ORIGIN, None).unwrap();
        let log = ledger.open().unwrap().start(Arc::new(NoIndex)).unwrap();
        ledger.append(&log, 3);
        ledger.append(&log, 1);
        let (signer, _) = keys::generate(&ledger.dir.path().join("keys"), ORIGIN, None).unwrap();
        let rotation = Rotation {
            by: "user:op".into(),
            signer: Arc::new(signer),
            next: Some([9; 32]),
            overlap_until: None,
            old_key_lost: false,
        };
        log.rotate(rotation).unwrap().blocking_recv().unwrap().unwrap();
        for items in [1, 6, 2, 1] {
            ledger.append(&log, items);
        }
        assert_eq!(log.store().size(), 16);
        log.close();
        ledger
    }

    /// One full segment, sealed, and a few entries in the next.
    fn sealed() -> Self {
        let mut ledger = Self { dir: tempfile::tempdir().unwrap(), next: 0 };
        create(&ledger.options(), ORIGIN, None).unwrap();
        let log = ledger.open().unwrap().start(Arc::new(NoIndex)).unwrap();
        for _ in 0..16 {
            ledger.append(&log, 4_096);
        }
        ledger.append(&log, 5);
        log.close();
        assert!(ledger.log("00000000/seal").exists(), "closing waits for the seal");
        ledger
    }

    fn options(&self) -> Options {
        Options {
            data_dir: self.dir.path().to_owned(),
            keys_dir: self.dir.path().join("keys"),
            passphrase: None,
            disk: Arc::new(RealDisk),
            clock: Arc::new(ManualClock::new(Timestamp::from_micros(1_700_000_000_000_000).unwrap())),
            read_only: false,
            key_lost: false,
            adopt: None,
            publish: false,
            confirm_clock: false,
            known: Vec::new(),
        }
    }

    fn open(&self) -> Result<Opened, OpenError> {
        open(self.options())
    }

    fn log(&self, name: &str) -> PathBuf {
        self.dir.path().join("log").join(name)
    }

    fn append(&mut self, log: &Log, items: usize) {
        let item = || {
            self.next += 1;
            let event = format!(
                r#"{{"data":"é{0}","id":"{0}","source":"/t","specversion":"1.0","type":"t"}}"#,
                self.next
            );
            Item {
                draft: Draft::new("app:t", &event, ORIGIN),
                identity: identity("/t", &self.next.to_string()),
                fingerprint: fingerprint("app:t", &event),
                subject: None,
                source: "/t".into(),
                not_before: None,
            }
        };
        let items = std::iter::repeat_with(item).take(items).collect();
        let submission = Submission { items, expected_version: None, looked_up_at: u64::MAX };
        log.append(submission).unwrap().blocking_recv().unwrap().unwrap();
    }

    /// Everything in the folder, to put it back.
    fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        fn walk(dir: &Path, files: &mut Vec<(PathBuf, Vec<u8>)>) {
            for entry in fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    walk(&path, files);
                } else {
                    files.push((path.clone(), fs::read(path).unwrap()));
                }
            }
        }
        let mut files = Vec::new();
        walk(self.dir.path(), &mut files);
        files.sort();
        files
    }

    fn verifies(&self) -> bool {
        use crate::verify::{Options, Outcome, Quiet, Source, verify};
        let options = Options { threads: Some(1), ..Options::default() };
        match verify(Source::Folder(self.dir.path().to_owned()), &options, &Quiet) {
            Outcome::Verified(_) => true,
            Outcome::Failed(_) => false,
            Outcome::CouldNotCheck(why) => panic!("{why}"),
        }
    }
}

/// Changes one byte in place: the file keeps its inode, by which a ledger knows its home.
fn set(path: &Path, at: usize, byte: u8) {
    let file = fs::OpenOptions::new().write(true).open(path).unwrap();
    file.write_all_at(&[byte], at as u64).unwrap();
}

#[test]
fn every_flipped_byte_of_the_entries_is_refused_and_nothing_is_cut() {
    let ledger = Closed::small();
    let path = ledger.log("00000000/entries");
    let (good, honest) = (fs::read(&path).unwrap(), facts(&ledger.open().unwrap().store).ok());
    for (at, byte) in good.iter().enumerate() {
        for damaged in damages(at, *byte) {
            let place = format!("byte {at} from {byte:#04x} to {damaged:#04x}");
            set(&path, at, damaged);
            match ledger.open() {
                Err(OpenError::Recover(RecoverError::Damaged(_))) => {}
                Err(other) => panic!("{place}: refused for another reason: {other}"),
                Ok(_) => panic!("{place}: it opens"),
            }
            // Not even a repair touches entries; and an outsider sees the same.
            let repaired = check(&RealDisk, &ledger.log(""), true, |_, _| {});
            assert!(matches!(repaired, Err(RecoverError::Damaged(_))), "{place}: {repaired:?}");
            assert!(!ledger.verifies(), "{place}: it verifies");
            let mut after = fs::read(&path).unwrap();
            assert_eq!(after[at], damaged, "{place}");
            after[at] = *byte;
            assert!(after == good, "{place}: the attempts changed the file");
            set(&path, at, *byte);
        }
    }
    assert!(facts(&ledger.open().unwrap().store).ok() == honest, "put right, it opens as it was");
}

#[test]
fn every_flipped_byte_of_the_head_is_mended_and_costs_no_entry() {
    let ledger = Closed::small();
    let path = ledger.log("head");
    let good = fs::read(&path).unwrap();
    let slots = good.chunks(good.len() / 2).collect::<Vec<_>>();
    assert_ne!(slots[0], slots[1], "one slot is older than the other");
    let honest = facts(&open(Options { read_only: true, ..ledger.options() }).unwrap().store).ok();
    assert!(honest.is_some());
    for (at, byte) in good.iter().enumerate() {
        for damaged in damages(at, *byte) {
            let place = format!("byte {at} from {byte:#04x} to {damaged:#04x}");
            set(&path, at, damaged);
            let (head, damaged_copies) = recovery::read_head(&RealDisk, &ledger.log("")).unwrap();
            assert_eq!((head.size, damaged_copies), (16, 1), "{place}");
            // Opening for writing mends it, with a sync for each copy: not for each byte in the short form.
            let mends = soak() || at % 16 == 0;
            let options = Options { read_only: !mends, ..ledger.options() };
            let opened = open(options).unwrap_or_else(|error| panic!("{place}: {error}"));
            assert_eq!(opened.recovered.mended_head_copies, usize::from(mends), "{place}");
            assert_eq!(opened.recovered.cut_bytes, 0, "{place}");
            assert!(facts(&opened.store).ok() == honest, "{place}: it opens as something else");
            drop(opened);
            fs::write(&path, &good).unwrap();
        }
    }
}

#[test]
fn a_head_that_lost_both_twins_of_a_slot_is_never_guessed() {
    let ledger = Closed::small();
    let (path, entries) = (ledger.log("head"), ledger.log("00000000/entries"));
    let (good, acknowledged) = (fs::read(&path).unwrap(), fs::read(&entries).unwrap());
    let twin = crate::spec::layout::SLOT_BYTES;
    let step = if soak() { 1 } else { 7 };
    for slot in [0, 2 * twin] {
        for at in (slot..slot + twin).step_by(step) {
            for at in [at, at + twin] {
                set(&path, at, good[at] ^ 1);
            }
            let opened = ledger.open().err();
            assert!(
                matches!(opened, Some(OpenError::Recover(RecoverError::HeadLost))),
                "byte {at}: {opened:?}"
            );
            assert!(check(&RealDisk, &ledger.log(""), true, |_, _| {}).is_err(), "byte {at}");
            assert!(fs::read(&entries).unwrap() == acknowledged, "byte {at}: entries were touched");
            fs::write(&path, &good).unwrap();
        }
    }
}

#[test]
fn flipped_bytes_of_keys_checkpoint_and_home_are_refused_or_made_again() {
    let ledger = Closed::small();
    let log = ledger.open().unwrap().start(Arc::new(NoIndex)).unwrap();
    let honest = facts(log.store()).ok();
    log.close();
    let files = ledger.files();
    let (mut refused, mut made_again) = (0, 0);
    for (path, good) in &files {
        let name = path.strip_prefix(ledger.dir.path()).unwrap().display().to_string();
        if ["log/head", "log/00000000/entries"].contains(&name.as_str()) {
            continue;
        }
        for (at, byte) in good.iter().enumerate() {
            for damaged in damages(at, *byte) {
                let place = format!("{name}, byte {at} from {byte:#04x} to {damaged:#04x}");
                set(path, at, damaged);
                let log = ledger.open().and_then(|opened| {
                    assert!(facts(&opened.store).ok() == honest, "{place}: it opens as something else");
                    assert_eq!(opened.recovered.cut_bytes, 0, "{place}");
                    opened.start(Arc::new(NoIndex))
                });
                match log {
                    Err(OpenError::Key(_) | OpenError::Io { .. }) => refused += 1,
                    Err(other) => panic!("{place}: {other}"),
                    Ok(log) => {
                        // Whatever it then says is signed by the key in force, over what is there.
                        let store = log.store().clone();
                        log.close();
                        let signed = store.checkpoint().unwrap_or_else(|| panic!("{place}: no checkpoint"));
                        let key = store.keys().last().unwrap().key.clone();
                        let (checkpoint, _) = Checkpoint::open(signed.note.as_bytes(), &[key]).unwrap();
                        let root = store.root_at(checkpoint.size).unwrap();
                        assert_eq!((checkpoint.size, checkpoint.root), (16, root), "{place}");
                        made_again += 1;
                    }
                }
                for (path, good) in &files {
                    if fs::read(path).ok().as_ref() != Some(good) {
                        fs::write(path, good).unwrap();
                    }
                }
            }
        }
    }
    assert!(refused > 50 && made_again > 50, "{refused} refused, {made_again} made again");
    assert!(ledger.verifies());
}

/// What is asked of a log with a sealed segment: entries, tiles, old roots and proofs here and there. Each answer is
/// the honest one or a refusal.
struct Questions {
    seqs: Vec<u64>,
    sizes: Vec<u64>,
    tiles: Vec<(u8, u64, usize)>,
}

type Answers = Vec<Option<Vec<u8>>>;

impl Questions {
    /// Around a place in the sealed segment.
    fn around(seq: u64) -> Self {
        let last = SEGMENT_ENTRIES - 1;
        let near = [seq.saturating_sub(1), seq, (seq + 1).min(last), last - seq];
        Self {
            seqs: near.into_iter().chain([0, last, SEGMENT_ENTRIES + 2]).collect(),
            sizes: near
                .into_iter()
                .map(|seq| seq + 1)
                .chain([SEGMENT_ENTRIES, SEGMENT_ENTRIES + 3])
                .collect(),
            tiles: vec![
                (0, seq / 256, 256),
                (0, seq / 256, (seq % 256) as usize + 1),
                (1, 0, 256),
                (1, 0, (seq / 256) as usize + 1),
                (2, 0, 1),
            ],
        }
    }

    fn ask(&self, store: &Store) -> Answers {
        let flat = |hashes: Vec<Hash>| hashes.as_flattened().to_vec();
        let size = store.size();
        let mut answers = Vec::new();
        for seq in &self.seqs {
            answers.push(store.entry(*seq).ok());
            answers.push(store.inclusion(*seq, size).ok().map(flat));
            answers.push(store.receipt(*seq).ok().map(|receipt| receipt.to_text().into_bytes()));
            for older in self.sizes.iter().filter(|older| *older > seq) {
                answers.push(store.inclusion(*seq, *older).ok().map(flat));
            }
        }
        for older in &self.sizes {
            answers.push(store.root_at(*older).ok().map(|root| root.to_vec()));
            answers.push(store.consistency(*older, size).ok().map(flat));
        }
        for (level, number, width) in &self.tiles {
            answers.push(store.tile_hashes(*level, *number, 0..*width).ok().map(flat));
        }
        answers
    }
}

#[test]
fn flipped_bytes_under_a_sealed_segment_are_made_again_or_refused_and_never_believed() {
    let ledger = Closed::sealed();
    let head = ledger.open().unwrap().store.root_at(SEGMENT_ENTRIES + 6).unwrap();
    let places = if soak() { 2_000 } else { 12 };
    let (mut answered, mut refused) = (0, 0);
    let names = ["entries", "offsets", "hashes", "seal"].map(|name| format!("00000000/{name}"));
    for name in names.iter().map(String::as_str).chain(["levels/1", "levels/2"]) {
        let path = ledger.log(name);
        let good = fs::read(&path).unwrap();
        let steps = good.len().div_ceil(places).max(1);
        // Odd steps, so that all bytes of numbers and hashes have their turn.
        for at in (0..good.len()).step_by(steps | 1).chain([good.len() - 1]) {
            let seq = at as u64 * SEGMENT_ENTRIES / good.len() as u64;
            let questions = Questions::around(seq);
            let honest = questions.ask(&ledger.open().unwrap().store);
            assert!(honest.iter().all(Option::is_some), "an honest log answers everything");
            let place = format!("{name}, byte {at}");
            set(&path, at, good[at] ^ (1 << (at % 8)));
            let opened = match ledger.open() {
                Ok(opened) => opened,
                // Entry 0 names the first key: without it there is nothing to go by.
                Err(OpenError::Recover(RecoverError::Damaged(_)))
                    if name.ends_with("/entries") && seq == 0 =>
                {
                    refused += 1;
                    fs::write(&path, &good).unwrap();
                    continue;
                }
                Err(error) => panic!("{place}: {error}"),
            };
            assert_eq!(opened.store.root_at(SEGMENT_ENTRIES + 6).unwrap(), head, "{place}");
            for (question, (said, honest)) in questions.ask(&opened.store).iter().zip(&honest).enumerate() {
                match said {
                    Some(_) => assert!(said == honest, "{place}: question {question} is answered falsely"),
                    None => refused += 1,
                }
                answered += 1;
            }
            drop(opened);
            if !path.ends_with("entries") && (soak() || at == good.len() - 1) {
                // What is derived is made again on demand, the same byte for byte: a pass over all entries.
                check(&RealDisk, &ledger.log(""), true, |_, _| {}).unwrap();
                assert!(fs::read(&path).unwrap() == good, "{place}: not made again");
            }
            fs::write(&path, &good).unwrap();
        }
    }
    assert!(refused > 0 && answered > 2 * refused, "{refused} of {answered} were refused");
    assert!(ledger.verifies());
}
