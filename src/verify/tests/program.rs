//! The verifier as people run it: a program, a file, an exit code. What it must not be taken in by is told to the
//! library, by its neighbours.

use daybook_testkit::Ledger;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn verifier() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_daybook-verify"));
    command.env_remove("DAYBOOK_TOKEN");
    command
}

/// Strictly, and then in batches where it can: both must exit alike and find the same.
fn run(source: &Path, more: &[&str]) -> Output {
    let strict = verifier().arg(source).args(more).output().unwrap();
    if !cfg!(feature = "batch") {
        return strict;
    }
    let batched = verifier().arg(source).args(more).arg("--batch").output().unwrap();
    assert_eq!(batched.status.code(), strict.status.code(), "{batched:?}");
    if strict.status.code() == Some(1) {
        assert_eq!(batched.stdout, strict.stdout);
    }
    strict
}

/// A ledger with a change of keys, and a file of some bytes.
fn fixture(bytes: impl FnOnce(&Ledger) -> Vec<u8>) -> (Ledger, tempfile::NamedTempFile) {
    let mut ledger = Ledger::of(20);
    ledger.rotate(2, None);
    ledger.grow(5);
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), bytes(&ledger)).unwrap();
    (ledger, file)
}

#[test]
fn an_honest_export_exits_with_0_and_says_under_which_key() {
    let (ledger, file) = fixture(Ledger::export);
    let output = run(file.path(), &["--key", &ledger.first_key().to_string()]);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.starts_with("Verified: log.example/test\n") && text.contains("the one you gave"), "{text}");
    assert!(output.stderr.is_empty());
}

#[test]
fn an_export_comes_through_a_pipe_too() {
    let (ledger, _) = fixture(Ledger::export);
    let mut child =
        verifier().args(["-", "--json"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&ledger.export()).unwrap();
    let output = child.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["entries"], &json["trusted"]), (&26.into(), &false.into()));
}

#[test]
fn a_changed_entry_exits_with_1_and_is_named() {
    let (ledger, file) = fixture(|ledger| {
        let export = String::from_utf8(ledger.export()).unwrap();
        export.replace("\\\"amount\\\":17.5", "\\\"amount\\\":71.5").into_bytes()
    });
    let output = run(file.path(), &["--key", &ledger.first_key().to_string(), "--json"]);
    assert_eq!(output.status.code(), Some(1));
    let json: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!((&json["code"], &json["entry"]), (&"signature-invalid".into(), &17.into()));
}

#[test]
fn a_cut_off_export_exits_with_1_and_a_missing_one_with_2() {
    let (_, file) = fixture(|ledger| ledger.export()[..4_000].to_vec());
    assert_eq!(run(file.path(), &[]).status.code(), Some(1));
    assert_eq!(run(Path::new("no/such/file"), &[]).status.code(), Some(2));
    assert_eq!(run(file.path(), &["--what"]).status.code(), Some(2));
}

#[test]
fn a_folder_that_shrank_since_last_time_exits_with_1() {
    let folder = tempfile::tempdir().unwrap();
    let (data, seen) = (folder.path().join("data"), folder.path().join("seen"));
    let (ledger, short) = (Ledger::of(9), Ledger::of(7));
    let remember = ["--remember", seen.to_str().unwrap()];
    ledger.write_folder(&data, 65_536);
    assert_eq!(run(&data, &remember).status.code(), Some(0));
    short.write_folder(&data, 65_536);
    assert_eq!(run(&data, &[]).status.code(), Some(0), "by itself it holds");
    let output = run(&data, &remember);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8(output.stdout).unwrap().contains("[shrunk]"));
}
