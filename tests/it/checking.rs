//! Everything but the entries can be deleted and comes back the same; what is wrong is found and named.

use crate::disk_full::SmallDisk;
use crate::kit::{Ledger, copy_dir, daybook, event, fails, flip, run, succeeds, text, verify};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

fn check(ledger: &Ledger, more: &[&str]) -> (String, i32) {
    let output = run(daybook().arg("check").arg(ledger.data()).args(more));
    (text(&output.stdout) + &text(&output.stderr), output.status.code().unwrap())
}

/// A stopped ledger of more than one segment, so that derived files exist.
fn two_segments() -> Ledger {
    let mut ledger = Ledger::empty();
    for _ in 0..66 {
        let batch: Vec<_> = (0..1000).map(|_| event()).collect();
        assert_eq!(ledger.post_batch(&batch).status, 201);
    }
    ledger.wait_until_ready();
    ledger.restart();
    ledger.stop();
    ledger
}

#[test]
fn derived_files_that_differ_are_named_and_made_again() {
    let mut ledger = two_segments();
    let (said, code) = check(&ledger, &[]);
    assert_eq!(code, 0, "{said}");
    let log = ledger.data().join("log");
    let files = ["00000000/offsets", "00000000/hashes", "00000000/seal", "levels/1", "levels/2"];
    let originals: Vec<_> = files.iter().map(|file| std::fs::read(log.join(file)).unwrap()).collect();
    for file in files {
        flip(&log.join(file), 9);
    }
    let (said, code) = check(&ledger, &[]);
    assert_eq!(code, 1);
    for file in files {
        assert!(said.contains(&format!("log/{file}")), "{file} is not named: {said}");
    }
    let (said, code) = check(&ledger, &["--repair"]);
    assert_eq!(code, 0, "{said}");
    for (file, original) in files.iter().zip(&originals) {
        assert_eq!(std::fs::read(log.join(file)).unwrap(), *original, "{file}");
    }
    // Deleted altogether, the next start makes them again, and the index with them.
    for file in files {
        std::fs::remove_file(log.join(file)).unwrap();
    }
    std::fs::remove_dir_all(ledger.data().join("index")).unwrap();
    ledger.restart();
    assert_eq!(ledger.get("/v1/events/7", "auditor").status, 200);
    assert_eq!(ledger.get("/log/tile/1/000", "auditor").body.len(), 8192);
    for seq in [0, 255, 65_535, 65_536, 66_000] {
        assert_eq!(ledger.get(&format!("/v1/events/{seq}/receipt"), "auditor").status, 200);
    }
    ledger.stop();
    for (file, original) in files.iter().zip(&originals) {
        assert_eq!(std::fs::read(log.join(file)).unwrap(), *original, "{file}");
    }
    let (said, code) = ledger.verify();
    assert_eq!(code, 0, "{said}");
}

#[test]
fn a_damaged_tile_is_never_served() {
    let mut ledger = two_segments();
    ledger.stop();
    let hashes = ledger.data().join("log/00000000/hashes");
    let whole = std::fs::read(&hashes).unwrap();
    // The start does not read the hashes of a sealed segment; whoever asks for them finds it.
    flip(&hashes, 300 * 32);
    ledger.restart();
    let tile = |number: &str| ledger.get(&format!("/log/tile/{number}"), "auditor");
    let damaged = tile("0/001");
    assert_eq!((damaged.status, damaged.problem().as_str()), (500, "damaged-tile"));
    assert_eq!(tile("0/001.p/7").problem(), "damaged-tile");
    assert_eq!(tile("0/000").body, whole[..8192]);
    assert_eq!(tile("0/000.p/3").body, whole[..96]);
    assert_eq!((tile("1/000").status, tile("0/256").status), (200, 200));
}

#[test]
fn a_damaged_older_segment_is_never_served() {
    let mut ledger = two_segments();
    let entries = ledger.data().join("log/00000000/entries");
    flip(&entries, 300 * 600);
    assert_eq!(ledger.verify().1, 1);
    ledger.restart();
    let mut refused = 0;
    for seq in 200..400 {
        let answer = ledger.get(&format!("/v1/events/{seq}"), "auditor");
        if answer.status == 500 {
            assert_eq!(answer.problem(), "damaged-entry");
            refused += 1;
        }
    }
    assert_eq!(refused, 1, "exactly the damaged entry is refused");
    ledger.stop();
    let (said, code) = check(&ledger, &[]);
    assert_eq!(code, 1, "{said}");
}

#[test]
fn an_index_that_is_missing_behind_or_garbled_is_made_anew() {
    let mut ledger = Ledger::demo();
    let query = "/v1/events?type=decision.made&limit=500";
    ledger.wait_until_ready();
    let before = ledger.get(query, "auditor").json();
    let index = ledger.data().join("index");
    ledger.stop();
    let (said, code) = check(&ledger, &[]);
    assert_eq!(code, 0, "{said}");
    std::fs::remove_dir_all(&index).unwrap();
    ledger.restart();
    assert_eq!(ledger.get(query, "auditor").json(), before);
    ledger.stop();
    garble(&index);
    ledger.restart();
    assert_eq!(ledger.get(query, "auditor").json(), before);
    ledger.stop();
    let rebuilt = succeeds(daybook().arg("rebuild").arg(ledger.data()));
    assert!(rebuilt.contains("entries indexed"), "{rebuilt}");
    ledger.restart();
    assert_eq!(ledger.get(query, "auditor").json(), before);
}

#[test]
fn an_export_verifies_on_its_own_and_imports_whole() {
    let ledger = Ledger::demo();
    let export = ledger.dir.path().join("ledger.ndjson");
    succeeds(daybook().arg("export").arg(&export).arg("--data").arg(ledger.data()));
    assert_eq!(verify(&export, &ledger.key).1, 0);
    let imported = ledger.dir.path().join("imported");
    succeeds(daybook().arg("import").arg(&export).args(["--key", &ledger.key, "--data"]).arg(&imported));
    assert_eq!(verify(&imported, &ledger.key).1, 0);
    let entries = "log/00000000/entries";
    let head = std::fs::read(ledger.data().join(entries)).unwrap();
    assert_eq!(std::fs::read(imported.join(entries)).unwrap(), head, "the same bytes");
    let again = ledger.dir.path().join("again.ndjson");
    succeeds(daybook().arg("export").arg(&again).arg("--data").arg(&imported));
    assert_eq!(std::fs::read(&again).unwrap(), std::fs::read(&export).unwrap());
    let exists = fails(daybook().arg("import").arg(&export).arg("--data").arg(&imported), 1);
    assert!(exists.contains("holds a ledger already"), "{exists}");
}

#[test]
fn a_forged_export_is_not_imported() {
    let ledger = Ledger::demo();
    let export = ledger.dir.path().join("ledger.ndjson");
    succeeds(daybook().arg("export").arg(&export).arg("--data").arg(ledger.data()));
    let original = std::fs::read_to_string(&export).unwrap();
    let lines: Vec<_> = original.lines().collect();
    let forged = [
        original.replacen("Northgate", "Southgate", 1).replacen("user:u-10", "user:u-11", 1),
        [&lines[..5], &lines[6..]].concat().join("\n") + "\n",
        lines[..lines.len() - 1].join("\n") + "\n",
        format!("{original}{original}"),
        original.trim_end().to_owned(),
    ];
    for text in forged {
        std::fs::write(&export, text).unwrap();
        let imported = ledger.dir.path().join("imported");
        let refused = fails(daybook().arg("import").arg(&export).arg("--data").arg(&imported), 1);
        assert!(refused.contains("nothing is imported"), "{refused}");
        assert!(!imported.exists());
    }
}

#[test]
fn a_lost_head_is_explained_and_decided_by_an_operator() {
    let mut ledger = Ledger::empty();
    for _ in 0..5 {
        ledger.record(&event());
    }
    ledger.stop();
    let head = ledger.data().join("log/head");
    std::fs::write(&head, vec![7; std::fs::metadata(&head).unwrap().len() as usize]).unwrap();
    let mut refused = crate::kit::serve(&ledger.data(), &[]);
    assert!(!refused.wait().unwrap().success());
    let (said, code) = check(&ledger, &["--repair"]);
    assert_eq!(code, 1);
    assert!(said.contains("6 whole entries") && said.contains("checkpoint covers 6"), "{said}");
    assert_eq!(check(&ledger, &["--repair", "--head", "5"]).1, 2, "less than was handed out");
    assert_eq!(check(&ledger, &["--repair", "--head", "7"]).1, 2, "more than there is");
    assert_eq!(check(&ledger, &["--repair", "--head", "6"]).1, 0);
    ledger.restart();
    assert_eq!(ledger.size(), 6);
    assert_eq!(ledger.verify().1, 0);
}

/// Every file and folder of a ledger: its place, its bytes, and when it was changed.
fn all_of(data: &Path) -> Vec<(PathBuf, Vec<u8>, SystemTime)> {
    let (mut all, mut folders) = (Vec::new(), vec![data.to_owned()]);
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            let changed = path.metadata().unwrap().modified().unwrap();
            if path.is_dir() {
                all.push((path.clone(), Vec::new(), changed));
                folders.push(path);
            } else {
                all.push((path.clone(), std::fs::read(&path).unwrap(), changed));
            }
        }
    }
    all.push((data.to_owned(), Vec::new(), data.metadata().unwrap().modified().unwrap()));
    all.sort();
    all
}

/// Checks a stopped ledger without `--repair`: what was said, and the exit code, after nothing has changed in its folder.
fn look(ledger: &Ledger) -> (String, i32) {
    let before = all_of(&ledger.data());
    let (said, code) = check(ledger, &[]);
    let after = all_of(&ledger.data());
    for (before, after) in before.iter().zip(&after) {
        assert!(before == after, "{} has changed", before.0.display());
    }
    assert_eq!(before.len(), after.len(), "something has come or gone");
    (said, code)
}

fn garble(dir: &Path) {
    for entry in std::fs::read_dir(dir).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            garble(&path);
        } else if let Ok(bytes) = std::fs::read(&path) {
            std::fs::write(&path, bytes.iter().map(|byte| byte ^ 0x5a).collect::<Vec<_>>()).unwrap();
        }
    }
}

/// A stopped ledger of some events, whose index and views this engine keeps.
fn kept_by(engine: &str) -> Ledger {
    let mut ledger = Ledger::empty_with(&format!("index = \"{engine}\"\n"));
    for _ in 0..30 {
        ledger.record(&event());
    }
    ledger.wait_until_ready();
    ledger.stop();
    ledger
}

#[test]
fn a_check_without_repair_changes_nothing_and_says_what_is_wrong() {
    for engine in ["fjall", "sled"] {
        let ledger = kept_by(engine);
        let (said, code) = look(&ledger);
        assert!(code == 0 && said.contains("everything is as they say"), "{said}");
        for part in ["index", "views"] {
            let kept = ledger.data().join(part);
            let healthy = ledger.dir.path().join("healthy");
            copy_dir(&kept, &healthy);
            // Garbled; marked as failed; opened in vain twice.
            let harms: [(&str, &dyn Fn()); 3] = [
                ("", &|| garble(&kept.join(engine))),
                ("it failed while in use", &|| std::fs::write(kept.join("rebuild"), "for a reason").unwrap()),
                ("opening it did not end", &|| std::fs::write(kept.join("opening"), "..").unwrap()),
            ];
            for (why, harm) in harms {
                harm();
                let (said, code) = look(&ledger);
                assert_eq!(code, 1, "{engine} {part}: {said}");
                let told = said.lines().any(|line| line.starts_with(part) && line.contains(why));
                assert!(told && !said.contains("as they say"), "{engine} {part}: {said}");
                let (said, code) = check(&ledger, &["--repair"]);
                assert!(code == 0 && said.contains("(made again)"), "{engine} {part}: {said}");
                let (said, code) = look(&ledger);
                assert!(code == 0 && said.contains("everything is as they say"), "{engine} {part}: {said}");
            }
            std::fs::remove_dir_all(&kept).unwrap();
            let (said, code) = look(&ledger);
            assert!(code == 0 && said.contains(&format!("{part}: not there")), "{engine}: {said}");
            std::fs::rename(&healthy, &kept).unwrap();
        }
    }
}

#[test]
fn an_index_and_views_of_another_ledger_are_told() {
    let (ledger, other) = (kept_by("fjall"), kept_by("fjall"));
    for part in ["index", "views"] {
        let kept = ledger.data().join(part);
        std::fs::remove_dir_all(&kept).unwrap();
        copy_dir(&other.data().join(part), &kept);
    }
    let (said, code) = look(&ledger);
    assert_eq!(code, 1, "{said}");
    for part in ["index", "views"] {
        assert!(said.contains(&format!("{part}: it belongs to another ledger")), "{said}");
    }
    assert_eq!(check(&ledger, &["--repair"]).1, 0);
    assert_eq!(look(&ledger).1, 0);
}

#[test]
fn what_there_is_no_room_to_look_at_is_not_said_to_be_as_it_should() {
    let ledger = kept_by("fjall");
    let nowhere = ledger.dir.path().join("nowhere");
    let output = run(daybook().arg("check").arg(ledger.data()).env("TMPDIR", &nowhere));
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(2), "{said}");
    assert!(said.contains("index: not looked at: ") && said.contains("views: not looked at: "), "{said}");
    assert!(!said.contains("everything"), "{said}");
    if let Some(disk) = SmallDisk::mount("20m") {
        let output = run(daybook().arg("check").arg(ledger.data()).env("TMPDIR", disk.path()));
        let said = text(&output.stdout);
        assert!(output.status.code() == Some(2) && said.contains("has room for 2"), "{said}");
    }
}

#[test]
fn a_ledger_on_a_disk_that_can_only_be_read_is_checked() {
    let ledger = kept_by("fjall");
    let Some(_disk) = SmallDisk::read_only(&ledger.data()) else { return };
    assert!(std::fs::write(ledger.data().join("x"), "").is_err(), "it can be written");
    let (said, code) = look(&ledger);
    assert!(code == 0 && said.contains("everything is as they say"), "{said}");
}
