//! Three packages in one workspace: each is packed from a clean checkout, and what the verifier rests on is known.

use crate::kit::{Ledger, fails, succeeds, text};
use std::path::{Path, PathBuf};
use std::process::Command;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// Cargo, which has all that it needs since it built this test.
fn cargo(subcommand: &str) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.arg(subcommand).args(["--offline", "--quiet"]).env_remove("RUSTFLAGS").current_dir(repository());
    command
}

/// What cargo says of the verifier's dependencies on one system, without the place of the workspace.
fn tree(more: &[&str]) -> String {
    let said = succeeds(
        cargo("tree")
            .args(["--locked", "--package", "daybook-verify", "--edges", "normal"])
            .args(["--target", "x86_64-unknown-linux-gnu"])
            .args(more),
    );
    let lines = said.lines().map(|line| match line.split_once(" (/") {
        Some((before, after)) => before.to_owned() + after.split_once(')').unwrap().1,
        None => line.to_owned(),
    });
    lines.map(|line| line + "\n").collect()
}

/// Compares with a file, or writes it where the environment asks for that.
#[track_caller]
fn is_in(file: &str, said: &str) {
    let path = repository().join("src/verify").join(file);
    if std::env::var_os("DAYBOOK_UPDATE").is_some() {
        std::fs::write(&path, said).unwrap();
    }
    let listed = std::fs::read_to_string(&path).unwrap_or_default();
    let new = |one: &str, other: &str| {
        let lines = one.lines().filter(|line| !other.lines().any(|known| known == *line));
        lines.map(|line| format!("  {line}\n")).collect::<String>()
    };
    assert!(
        listed == said,
        "src/verify/{file} is not what cargo says; `make packages` writes it anew.\nlisted, and not so:\n{}so, and not \
         listed:\n{}",
        new(&listed, said),
        new(said, &listed)
    );
}

#[test]
fn what_the_verifier_rests_on_is_what_its_list_says() {
    is_in("tree.txt", &tree(&["--no-default-features"]));
}

#[test]
fn the_licences_of_all_that_the_verifier_may_bring_are_listed() {
    let said = tree(&["--all-features", "--prefix", "none", "--no-dedupe", "--format", "{p}: {l}"]);
    let mut lines: Vec<String> = said.lines().map(|line| line.replace(" (proc-macro)", "") + "\n").collect();
    lines.sort_unstable();
    lines.dedup();
    assert!(lines.iter().all(|line| !line.ends_with(": \n")), "a package without a licence:\n{lines:?}");
    is_in("licences.txt", &lines.concat());
}

/// Packs all packages but the test kit, and unpacks one of them.
fn unpack(packed: &Path, package: &str, to: &Path) -> PathBuf {
    let name = format!("{package}-{VERSION}");
    succeeds(Command::new("tar").arg("-xzf").arg(packed.join(format!("{name}.crate"))).arg("-C").arg(to));
    to.join(name)
}

/// The verifier's program, built as a regulator builds it: from what is handed out, in a folder of its own, with
/// nothing of the workspace in sight.
fn verifier() -> PathBuf {
    let place = tempfile::tempdir().unwrap();
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("packages");
    succeeds(
        cargo("package")
            .args(["--workspace", "--exclude", "daybook-testkit", "--exclude", "daybook-models"])
            .args(["--locked", "--no-verify", "--allow-dirty"])
            .arg("--target-dir")
            .arg(&target),
    );
    let packed = target.join("package");
    for package in ["daybook-spec", "daybook-verify", "daybook"] {
        let unpacked = unpack(&packed, package, place.path());
        for dir in ["tests", "benches", "fuzz", "src/spec", "src/verify"] {
            assert!(!unpacked.join(dir).exists(), "{package} brings {dir}");
        }
    }
    let formats = format!("patch.crates-io.daybook-spec.path='../daybook-spec-{VERSION}'");
    let own = place.path().join(format!("daybook-verify-{VERSION}"));
    let mut build = cargo("build");
    build.args(["--config", &formats, "--target-dir"]).arg(&target).current_dir(own);
    // Compiling takes what it takes; cargo ends by itself.
    let built = build.output().unwrap();
    assert!(built.status.success(), "{build:?}\n{}", text(&built.stderr));
    target.join("debug/daybook-verify")
}

#[test]
fn the_verifier_alone_does_the_same_work() {
    let verifier = verifier();
    let version = succeeds(Command::new(&verifier).arg("--version"));
    assert_eq!(version, format!("daybook-verify {VERSION}\n"));
    let (ledger, other) = (Ledger::demo(), Ledger::empty());
    let verify = |key: &str| {
        let mut command = Command::new(&verifier);
        command.arg(ledger.data()).args(["--key", key]);
        command
    };
    assert!(succeeds(&mut verify(&ledger.key)).contains("Verified"));
    assert!(fails(&mut verify(&other.key), 1).contains("key-not-trusted"));
    // Without its features it says what it cannot do.
    let without = fails(Command::new(&verifier).args([&ledger.url, "--key", &ledger.key]), 2);
    assert!(without.contains("`url`"), "{without}");
    let without = fails(verify(&ledger.key).arg("--batch"), 2);
    assert!(without.contains("batch"), "{without}");
}
