//! No copy goes on writing by itself; one that is behind what was handed out never does.

use crate::kit::{
    Ledger, agent, copy_dir, daybook, event, fails, ready, serve, signal, succeeds, text, verify,
};
use std::path::Path;

/// Starts `daybook serve` on a folder, asks it whether it takes writes, and ends it.
fn takes_writes(data: &Path, more: &[&str]) -> Result<bool, String> {
    let mut child = serve(data, more);
    let Some(ready) = ready(&mut child) else {
        let output = child.wait_with_output().unwrap();
        return Err(text(&output.stderr));
    };
    let url = format!("{}/readyz", ready["url"].as_str().unwrap());
    let said = agent().get(&url).call().unwrap().body_mut().read_to_string().unwrap();
    let readiness: serde_json::Value = serde_json::from_str(&said).unwrap();
    // As an operator ends it, so that what it settled is on the disk.
    signal(child.id(), "TERM");
    child.wait().unwrap();
    Ok(readiness["writes"].as_bool().unwrap())
}

#[test]
fn a_copied_folder_opens_read_only_until_it_is_adopted() {
    let mut ledger = Ledger::empty();
    ledger.record(&event());
    let (_, note) = ledger.checkpoint();
    ledger.stop();
    let copy = ledger.dir.path().join("copy");
    copy_dir(&ledger.data(), &copy);
    assert_eq!(takes_writes(&copy, &[]), Ok(false));
    let newest = ledger.dir.path().join("newest");
    std::fs::write(&newest, note).unwrap();
    assert_eq!(takes_writes(&copy, &["--adopt", newest.to_str().unwrap()]), Ok(true));
    assert_eq!(takes_writes(&copy, &[]), Ok(true), "adopted once, at home from then on");
    let (said, code) = verify(&copy, &ledger.key);
    assert_eq!(code, 0, "{said}");
    assert!(said.contains("3 entries"), "the adoption is an entry: {said}");
}

#[test]
fn a_moved_folder_is_still_at_home() {
    let mut ledger = Ledger::empty();
    ledger.stop();
    let moved = ledger.dir.path().join("moved");
    std::fs::rename(ledger.data(), &moved).unwrap();
    assert_eq!(takes_writes(&moved, &[]), Ok(true));
}

#[test]
fn a_copy_that_is_behind_what_was_handed_out_is_not_adopted() {
    let mut ledger = Ledger::empty();
    ledger.record(&event());
    let backup = ledger.dir.path().join("backup");
    succeeds(daybook().arg("backup").arg(&backup).arg("--data").arg(ledger.data()));
    ledger.record(&event());
    let (_, newer) = ledger.checkpoint();
    ledger.stop();
    let restored = ledger.dir.path().join("restored");
    succeeds(daybook().arg("restore").arg(&backup).args(["--key", &ledger.key, "--data"]).arg(&restored));
    copy_dir(&ledger.data().join("keys"), &restored.join("keys"));
    let newest = ledger.dir.path().join("newest");
    std::fs::write(&newest, newer).unwrap();
    let refused = takes_writes(&restored, &["--adopt", newest.to_str().unwrap()]).unwrap_err();
    assert!(refused.contains("something newer was handed out"), "{refused}");
    assert_eq!(takes_writes(&restored, &[]), Ok(false));
}

#[test]
fn a_checkpoint_of_another_ledger_or_another_history_adopts_nothing() {
    let mut ledger = Ledger::empty();
    let other = Ledger::empty();
    let (_, foreign) = other.checkpoint();
    ledger.stop();
    let copy = ledger.dir.path().join("copy");
    copy_dir(&ledger.data(), &copy);
    let newest = ledger.dir.path().join("newest");
    for note in [foreign.as_str(), "not a checkpoint\n"] {
        std::fs::write(&newest, note).unwrap();
        let refused = takes_writes(&copy, &["--adopt", newest.to_str().unwrap()]).unwrap_err();
        assert!(refused.contains("--adopt cannot be used"), "{refused}");
    }
}

#[test]
fn a_backup_of_a_running_ledger_verifies_and_holds_no_keys() {
    let ledger = Ledger::demo();
    let backup = ledger.dir.path().join("backup");
    succeeds(daybook().arg("backup").arg(&backup).arg("--data").arg(ledger.data()));
    ledger.record(&event());
    assert_eq!(verify(&backup, &ledger.key).1, 0);
    assert!(
        !backup.join("keys").exists()
            && !backup.join("home").exists()
            && !backup.join("demo-tokens.json").exists()
    );
    let again = fails(daybook().arg("backup").arg(&backup).arg("--data").arg(ledger.data()), 1);
    assert!(again.contains("is not empty"), "{again}");
}

#[test]
fn a_damaged_backup_is_not_restored() {
    let ledger = Ledger::demo();
    let backup = ledger.dir.path().join("backup");
    succeeds(daybook().arg("backup").arg(&backup).arg("--data").arg(ledger.data()));
    crate::kit::flip(&backup.join("log/00000000/entries"), 5_000);
    let restored = ledger.dir.path().join("restored");
    let refused = fails(daybook().arg("restore").arg(&backup).arg("--data").arg(&restored), 1);
    assert!(!restored.exists(), "{refused}");
}
