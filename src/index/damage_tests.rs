//! What the index makes of damaged files.
//!
//! Each case runs in a process of its own. An engine may take a damaged number for a size and be aborted for want of
//! memory, which no code in the process can help; that the next start but one succeeds is part of the promise.

use super::lookup::*;
use super::tests::{check_answers, open, opened};
use crate::follow::testing::{ENGINES, MemoryLog, copy_folder, history};
use crate::follow::{Source, catch_up};
use crate::store::EngineKind;
use crate::store::opening::{Opened, RebuildReason};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tempfile::TempDir;

/// Where a child finds the damaged index, and of which engine.
const CHILD_DIR: &str = "DAYBOOK_TEST_INDEX_DIR";
const CHILD_ENGINE: &str = "DAYBOOK_TEST_INDEX_ENGINE";
/// Set if the child is to make the index.
const CHILD_MAKES: &str = "DAYBOOK_TEST_INDEX_MAKE";

/// A child's address space in KiB: what asks for more is aborted here rather than troubling the machine.
const CHILD_KIB: u32 = 3 << 20;

/// Starts until the index answers. Two may be cut short by an abort, the third builds anew.
const STARTS: usize = 3;

const ENTRIES: u64 = 2_000;

const CASES: u32 = 60;

#[derive(Clone, Copy, Debug)]
enum Damage {
    Truncate,
    Flip,
    Zero,
    Remove,
}

#[test]
fn damaged_files_never_give_a_wrong_answer() {
    if let Some(dir) = std::env::var_os(CHILD_DIR) {
        let kind = std::env::var(CHILD_ENGINE).unwrap().parse().unwrap();
        return match std::env::var_os(CHILD_MAKES) {
            Some(_) => index_of_two_sessions(Path::new(&dir), kind),
            None => answers_are_right_or_refused(Path::new(&dir), kind),
        };
    }
    let damage = prop::sample::select(&[Damage::Truncate, Damage::Flip, Damage::Zero, Damage::Remove][..]);
    let place = any::<prop::sample::Index>();
    let inputs = prop::collection::vec((any::<prop::sample::Index>(), damage, place), 1..3);
    for kind in ENGINES {
        let pristine = TempDir::new().unwrap();
        assert_eq!(run_child(pristine.path(), *kind, true), None);
        let config = Config { cases: CASES, failure_persistence: None, ..Config::default() };
        TestRunner::new(config)
            .run(&inputs, |damages| {
                let dir = TempDir::new().unwrap();
                copy_folder(pristine.path(), dir.path());
                for (file, damage, place) in damages {
                    let files = files(&dir.path().join(kind.name()));
                    apply_damage(file.get::<PathBuf>(&files), damage, place);
                }
                let ended = (0..STARTS).find_map(|_| run_child(dir.path(), *kind, false));
                prop_assert_eq!(ended, Some(true));
                Ok(())
            })
            .unwrap();
    }
}

/// An index that was closed half way, opened again, and left by a crash: its engine has made files of every kind.
fn index_of_two_sessions(dir: &Path, kind: EngineKind) {
    let log = MemoryLog::of(history(1, 0..ENTRIES));
    let (index, _) = open(dir, kind, &log);
    catch_up(&index, &log, ENTRIES / 2, &mut |_, _| ()).unwrap();
    drop(index);
    let _open = opened(dir, kind, &log);
    std::process::abort();
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for item in fs::read_dir(dir).unwrap() {
        let path = item.unwrap().path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

fn apply_damage(path: &Path, damage: Damage, place: prop::sample::Index) {
    let mut bytes = fs::read(path).unwrap();
    // The engines keep empty room at the end of files: aim at what is used.
    let used = bytes.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
    if used == 0 {
        return;
    }
    let at = place.index(used);
    match damage {
        Damage::Truncate => bytes.truncate(at),
        Damage::Flip => bytes[at] ^= 0x55,
        Damage::Zero => bytes[at..used.min(at + 64)].fill(0),
        Damage::Remove => return fs::remove_file(path).unwrap(),
    }
    fs::write(path, bytes).unwrap();
}

/// Whether the child found everything right; nothing if it did not come to an end of its own.
fn run_child(dir: &Path, kind: EngineKind, makes: bool) -> Option<bool> {
    let test = "index::damage_tests::damaged_files_never_give_a_wrong_answer";
    let child = Command::new("sh")
        .args(["-c", &format!("ulimit -v {CHILD_KIB}; exec \"$0\" --exact {test}")])
        .arg(std::env::current_exe().unwrap())
        .envs([(CHILD_DIR, dir.as_os_str()), (CHILD_ENGINE, kind.name().as_ref())])
        .envs(makes.then_some((CHILD_MAKES, "1")))
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .output()
        .unwrap();
    if child.status.code() == Some(101) {
        // A test that failed.
        println!("{}\n{}", String::from_utf8_lossy(&child.stdout), String::from_utf8_lossy(&child.stderr));
    }
    child.status.code().map(|code| code == 0)
}

fn answers_are_right_or_refused(dir: &Path, kind: EngineKind) {
    let log = MemoryLog::of(history(1, 0..ENTRIES));
    let all = log.entries();
    let (index, _) = open(dir, kind, &log);
    let caught_up = catch_up(&index, &log, log.committed(), &mut |_, _| ());
    if caught_up.and_then(|()| check_answers(&index, &all, &[(0, ENTRIES)])).is_ok() {
        return;
    }
    assert!(matches!(index.state(), IndexState::Failed(_)));
    drop(index);
    let (index, found) = opened(dir, kind, &log);
    assert!(matches!(found, Opened::Rebuilt(RebuildReason::FailedBefore(_))));
    check_answers(&index, &all, &[(0, ENTRIES)]).unwrap();
}
