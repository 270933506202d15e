//! A full disk refuses what does not fit, loses nothing, and goes on by itself when there is room.

use crate::kit::{Ledger, event, loudly, verify};
use std::path::{Path, PathBuf};
use std::process::Command;
use tempfile::TempDir;

/// A mounted file system, unmounted when dropped.
pub struct SmallDisk(PathBuf, #[expect(dead_code, reason = "the folder is there as long")] Option<TempDir>);

impl SmallDisk {
    /// A small one in memory; none, and loudly, where this is not run by root.
    pub fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().to_owned();
        mount(&["-t", "tmpfs", "-o", &format!("size={size}"), "tmpfs"], &path).then(|| Self(path, Some(dir)))
    }

    /// A folder as if on a disk that can only be read.
    pub fn read_only(folder: &Path) -> Option<Self> {
        mount(&["--bind", folder.to_str().unwrap()], folder).then(|| {
            let disk = Self(folder.to_owned(), None);
            mount(&["-o", "remount,bind,ro"], folder);
            disk
        })
    }

    pub fn path(&self) -> &Path {
        &self.0
    }
}

/// Whether it was mounted, which it must be for root.
fn mount(how: &[&str], place: &Path) -> bool {
    let user = Command::new("id").arg("-u").output().unwrap();
    if crate::kit::text(&user.stdout).trim() != "0" {
        loudly("NOT RUN: mounting a file system needs root");
        return false;
    }
    assert!(Command::new("mount").args(how).arg(place).status().unwrap().success(), "{how:?}");
    true
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

#[test]
fn appending_stops_with_507_and_resumes_by_itself_when_there_is_room() {
    // log::tests has the same on a faulty disk.
    let Some(disk) = SmallDisk::mount("300m") else { return };
    let ledger = Ledger::start(tempfile::tempdir_in(disk.path()).unwrap(), &["--empty"]);
    let batch = || (0..200).map(|_| event()).collect::<Vec<_>>();
    // Room is taken by something else, all but a little.
    let filler = disk.path().join("filler");
    let free = |path: &Path| {
        let output = Command::new("df").args(["--output=avail", "-B1"]).arg(path).output().unwrap();
        crate::kit::text(&output.stdout).lines().nth(1).unwrap().trim().parse::<u64>().unwrap()
    };
    let leave = 400 << 10;
    std::fs::write(&filler, vec![1; (free(disk.path()) - leave) as usize]).unwrap();
    let mut recorded = 1;
    let refused = loop {
        let answer = ledger.post_batch(&batch());
        match answer.status {
            201 => recorded += 200,
            _ => break answer,
        }
        assert!(recorded < 10_000, "the disk never filled");
    };
    assert!(recorded > 1, "there was room for something");
    assert_eq!((refused.status, refused.problem().as_str()), (507, "no-room"));
    assert!(refused.header("retry-after").is_some());
    // Reading goes on, and what was recorded is there.
    assert_eq!(ledger.size(), recorded);
    let last = recorded - 1;
    for path in [
        format!("/v1/events/{last}"),
        format!("/v1/events/{last}/receipt"),
        "/v1/proofs/consistency?from=1".to_owned(),
        "/v1/keys".to_owned(),
        "/log/tile/0/000".to_owned(),
    ] {
        let answer = ledger.get(&path, "auditor");
        assert_eq!(answer.status, 200, "{path}: {}", answer.text());
    }
    assert_eq!(ledger.checkpoint().0, recorded);
    let list = ledger.get("/v1/events?source=/it&limit=500", "auditor");
    assert_eq!(list.status, 200, "{}", list.text());
    assert!(!list.json()["items"].as_array().unwrap().is_empty());
    let still = ledger.post_batch(&batch()).status;
    assert!(still == 507 || still == 503, "still full: {still}");
    std::fs::remove_file(&filler).unwrap();
    // The log goes on at once; an index that ran out of room too is made anew first.
    let events = batch();
    let begun = std::time::Instant::now();
    let resumed = loop {
        let answer = ledger.post_batch(&events);
        if answer.status == 201 || begun.elapsed() > std::time::Duration::from_secs(30) {
            break answer;
        }
        std::thread::sleep(std::time::Duration::from_millis(100));
    };
    assert_eq!(resumed.status, 201, "{}", resumed.text());
    assert_eq!(resumed.json()["items"][0]["seq"], recorded, "no gap");
    assert_eq!(ledger.post_batch(&events).status, 200);
    let (said, code) = verify(&ledger.data(), &ledger.key);
    assert_eq!(code, 0, "{said}");
}
