//! Everything but the entries can be deleted and comes back the same; what is wrong is found and named.

use crate::kit::{Ledger, daybook, event, fails, flip, run, succeeds, text, verify};

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
    fn garble(dir: &std::path::Path) {
        for entry in std::fs::read_dir(dir).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                garble(&path);
            } else if let Ok(bytes) = std::fs::read(&path) {
                std::fs::write(&path, bytes.iter().map(|byte| byte ^ 0x5a).collect::<Vec<_>>()).unwrap();
            }
        }
    }
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
