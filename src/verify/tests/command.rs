//! The command: what is asked, what is answered, with which exit code.

use super::*;
use daybook_verify::command::{self, Command, Parsed};
use std::fs;

fn run(args: &[&str]) -> (u8, String) {
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let code =
        command::main(args.iter().map(|arg| (*arg).to_owned()), None, &|| Ok([7; 32]), &mut out, &mut err);
    (code, String::from_utf8([out, err].concat()).unwrap())
}

fn parse(args: &[&str], token: Option<&str>) -> Parsed {
    Command::parse(args.iter().map(|arg| (*arg).to_owned()), token.map(str::to_owned))
}

#[test]
fn files_are_told_apart_by_how_they_begin() {
    let ledger = Ledger::of(4);
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name).to_str().unwrap().to_owned();
    let data = folder.path().join("data");
    fs::create_dir(&data).unwrap();
    ledger.write_folder(&data, 65_536);
    fs::write(path("export"), ledger.export()).unwrap();
    fs::write(path("receipt"), ledger.receipt(2).to_text()).unwrap();
    fs::write(path("receipt.json"), ledger.receipt(2).to_json()).unwrap();
    fs::write(path("keys"), ledger.key_list()).unwrap();
    let key = ledger.first_key().to_string();
    for (name, kind) in
        [("data", "folder"), ("export", "export"), ("receipt", "receipt"), ("receipt.json", "receipt")]
    {
        let (code, text) = run(&[&path(name), "--key", &key, "--json", "--quiet"]);
        assert_eq!(code, 0, "{text}");
        assert!(text.contains(&format!("\"source\":\"{kind}\"")) && text.ends_with("}\n"), "{text}");
        let (code, text) = run(&[&path(name), &format!("--key={key}")]);
        assert!(code == 0 && text.starts_with("Verified: "), "{text}");
        assert_eq!(run(&[&path(name), "--key", &key, "-q"]), (0, String::new()));
    }
    assert_eq!(run(&["--keys", &path("keys"), &path("receipt")]).0, 0);
    assert_eq!(run(&["--keys", &path("keys"), &path("export")]).0, 2);
    assert_eq!(run(&[&path("receipt")]).0, 2);
    fs::write(path("empty"), "").unwrap();
    fs::write(path("other"), "hello, world, this is a text").unwrap();
    for name in ["empty", "other", "nothing"] {
        let (code, text) = run(&[&path(name)]);
        assert!(code == 2 && text.starts_with("Could not check: "), "{name}: {text}");
    }
}

#[test]
fn a_finding_names_the_entry_and_exits_with_1() {
    let mut ledger = Ledger::of(4);
    ledger.entries.swap(2, 3);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), ledger.export()).unwrap();
    let path = file.path().to_str().unwrap();
    let (code, text) = run(&[path]);
    assert_eq!(code, 1);
    assert!(text.starts_with("DOES NOT HOLD: entry 2: ") && text.contains("[seq-gap]"), "{text}");
    let (code, text) = run(&[path, "--json"]);
    assert_eq!(code, 1);
    assert!(text.starts_with("{\"code\":\"seq-gap\",\"entry\":2,"), "{text}");
}

#[test]
fn a_hostile_name_does_not_reach_the_terminal_as_it_is() {
    let ledger = Ledger::create("log.example/\u{202e}tset", 1, None);
    let file = tempfile::NamedTempFile::new().unwrap();
    for export in [ledger.export(), ledger.export_with(&ledger.checkpoint_at(0))] {
        fs::write(file.path(), export).unwrap();
        let (_, text) = run(&[file.path().to_str().unwrap()]);
        assert!(!text.contains('\u{202e}'), "{text}");
    }
}

#[test]
fn what_is_not_understood_exits_with_2() {
    let bad: [&[&str]; 9] = [
        &[],
        &["a", "b"],
        &["--what", "a"],
        &["a", "--key"],
        &["a", "--threads", "0"],
        &["a", "--threads=x"],
        &["a", "--json=yes"],
        &["a", "--key", "nonsense"],
        &[""],
    ];
    for args in bad {
        assert_eq!(run(args).0, 2, "{args:?}");
    }
    assert_eq!(run(&["--help"]), (0, command::HELP.to_owned()));
    assert_eq!(run(&["--version"]).0, 0);
}

#[test]
fn a_token_comes_from_either_place_and_is_never_shown() {
    let Parsed::Run(command) = parse(&["http://x", "--token", "secret-1"], Some("secret-2")) else {
        panic!()
    };
    assert_eq!(command.token.as_ref().unwrap().0, "secret-1");
    assert!(!format!("{command:?}").contains("secret"));
    let Parsed::Run(command) = parse(&["--", "--odd"], Some("secret-2")) else { panic!() };
    assert_eq!((command.token.unwrap().0.as_str(), command.source.as_str()), ("secret-2", "--odd"));
    let options = Options { token: Some("secret".into()), ..Options::default() };
    assert!(!format!("{options:?}").contains("secret"));
}

#[test]
fn an_answer_that_nobody_hears_is_no_yes() {
    struct Deaf;
    impl std::io::Write for Deaf {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("gone"))
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let ledger = Ledger::of(4);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), ledger.export()).unwrap();
    let command = Command { source: file.path().to_str().unwrap().to_owned(), ..Command::default() };
    assert_eq!(command::run(&command, &|| Ok([7; 32]), &mut Deaf, &Quiet), 2);
}

#[test]
fn batches_are_asked_for_and_said_to_be_ones() {
    let ledger = Ledger::of(4);
    let file = tempfile::NamedTempFile::new().unwrap();
    fs::write(file.path(), ledger.export()).unwrap();
    let path = file.path().to_str().unwrap();
    let (code, text) = run(&[path]);
    assert!(code == 0 && !text.contains("ZIP 215"), "{text}");
    let (code, text) = run(&[path, "--batch"]);
    if cfg!(feature = "batch") {
        assert!(code == 0 && text.contains("in batches, by the rules of ZIP 215"), "{text}");
        assert!(run(&[path, "--batch", "--json"]).1.contains("\"signatures\":\"batched-zip215\""));
    } else {
        assert!(code == 2 && text.contains("batch"), "{text}");
    }
    assert!(run(&[path, "--json"]).1.contains("\"signatures\":\"strict\""));
}

#[cfg(not(feature = "url"))]
#[test]
fn without_the_feature_a_server_could_not_be_checked() {
    let (code, text) = run(&["http://localhost:1"]);
    assert!(code == 2 && text.contains("url"), "{text}");
}
