//! A ledger is held to what it has published, and a fork leaves its proof.

use super::*;
use daybook_spec::checkpoint::Checkpoint;
use daybook_spec::export::Line;
use daybook_testkit::signer;
use std::fs;
use std::path::PathBuf;
use tempfile::TempDir;

/// A file of checkpoints, as a ledger appends them to one.
struct Sink {
    folder: TempDir,
    path: PathBuf,
}

impl Sink {
    fn of(text: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("published");
        fs::write(&path, text).unwrap();
        Self { folder, path }
    }

    fn lines(notes: &[String]) -> Self {
        Self::of(&notes.iter().map(|note| Line::Checkpoint(note.clone()).to_line()).collect::<String>())
    }

    fn options(&self, ledger: &Ledger) -> Options {
        Options { checkpoints: Some(self.path.clone()), ..trusting(ledger) }
    }

    fn look(&self, ledger: &Ledger) -> Outcome {
        look_at_export(ledger.export(), &self.options(ledger))
    }

    /// What stands beside it.
    fn left(&self) -> Vec<String> {
        let names = fs::read_dir(self.folder.path())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap());
        let mut names: Vec<String> = names.filter(|name| name != "published").collect();
        names.sort();
        names
    }
}

/// The two notes of a file, as whoever has a tool for one note takes them apart: at the empty line after a signature.
fn notes(text: &str) -> Vec<String> {
    let mut notes = vec![String::new()];
    for line in text.lines() {
        let after_signature = notes.last().unwrap().lines().last().is_some_and(|last| last.starts_with("— "));
        if line.is_empty() && after_signature {
            notes.push(String::new());
        } else {
            *notes.last_mut().unwrap() += &format!("{line}\n");
        }
    }
    notes
}

fn could_not(outcome: Outcome) -> String {
    match outcome {
        Outcome::CouldNotCheck(why) => why,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_ledger_that_is_what_it_published_is_told_so() {
    let mut ledger = Ledger::of(5);
    let mut published = vec![ledger.checkpoint_at(2), ledger.checkpoint()];
    ledger.rotate(2, None);
    ledger.grow(300);
    published.extend([ledger.checkpoint(), ledger.checkpoint_at(5)]);
    let report = verified(Sink::lines(&published).look(&ledger));
    let told = report.published.unwrap();
    assert_eq!((told.checkpoints, told.largest, told.not_comparable), (4, 306, 0));
    assert!(report.to_json().contains(r#""published":{"checkpoints":4,"largest":306,"not_comparable":0}"#));
    // The notes themselves, with or without empty lines between them.
    for between in ["", "\n", "\n\n"] {
        let report = verified(Sink::of(&published.join(between)).look(&ledger));
        assert_eq!(report.published.unwrap().checkpoints, 4, "{between:?}");
    }
    assert_eq!(verified(look_at_export(ledger.export(), &trusting(&ledger))).published, None);
}

#[test]
fn another_history_than_the_published_one_is_a_fork_and_leaves_both_checkpoints() {
    let base = Ledger::of(5);
    let (mut seen, mut fork) = (base.clone(), base);
    seen.grow(2);
    fork.micros += 3;
    fork.grow(4);
    let sink = Sink::lines(&[seen.checkpoint_at(5), seen.checkpoint()]);
    let Outcome::Failed(failure) = sink.look(&fork) else { panic!("not found") };
    assert_eq!(failure.code, Code::Forked);
    assert_eq!(sink.left(), ["published.fork"], "{failure}");
    assert!(failure.message.contains("published.fork"), "{failure}");
    let text = fs::read_to_string(sink.folder.path().join("published.fork")).unwrap();
    assert_eq!(notes(&text), [seen.checkpoint(), fork.checkpoint()]);
    for note in notes(&text) {
        Checkpoint::open(note.as_bytes(), &[fork.first_key()]).unwrap();
    }
    // Found again, it is left once; another one is left beside it; and one that was there is never written over.
    assert!(matches!(sink.look(&fork), Outcome::Failed(_)));
    assert_eq!(sink.left(), ["published.fork"]);
    fork.grow(1);
    assert!(matches!(sink.look(&fork), Outcome::Failed(_)));
    assert_eq!(sink.left(), ["published.fork", "published.fork.2"]);
    assert_eq!(fs::read_to_string(sink.folder.path().join("published.fork")).unwrap(), text);
    // Whoever keeps that file holds the other history against it too.
    let kept = Sink::of(&text);
    assert_eq!(failed(kept.look(&seen)).0, Code::Shrunk);
    seen.grow(2);
    assert_eq!(failed(kept.look(&seen)).0, Code::Forked);
}

#[test]
fn the_proof_goes_where_the_caller_says_and_what_was_found_stays_found() {
    let mut fork = Ledger::of(3);
    let seen = {
        let mut seen = fork.clone();
        seen.grow(1);
        seen
    };
    fork.micros += 1;
    fork.grow(1);
    let sink = Sink::lines(&[seen.checkpoint()]);
    let place = sink.folder.path().join("proof");
    let options = Options { fork: Some(place.clone()), ..sink.options(&fork) };
    assert_eq!(failed(look_at_export(fork.export(), &options)).0, Code::Forked);
    assert_eq!(notes(&fs::read_to_string(&place).unwrap()).len(), 2);
    let options = Options { fork: Some("/no/such/folder/proof".into()), ..sink.options(&fork) };
    let Outcome::Failed(failure) = look_at_export(fork.export(), &options) else { panic!() };
    assert!(failure.message.contains("could not be kept"), "{failure}");
    // Also what is remembered, and receipts.
    let memory = sink.folder.path().join("seen");
    let options = Options { remember: Some(memory), ..trusting(&seen) };
    verified(look_at_export(seen.export(), &options));
    assert_eq!(failed(look_at_export(fork.export(), &options)).0, Code::Forked);
    let text = fs::read_to_string(sink.folder.path().join("seen.fork")).unwrap();
    assert_eq!(notes(&text), [seen.checkpoint(), fork.checkpoint()]);
    assert_eq!(failed(look_at_receipt(fork.receipt(1).to_text(), &options)).0, Code::Forked);
    assert_eq!(failed(look_at_receipt(fork.receipt(1).to_text(), &sink.options(&fork))).0, Code::Forked);
}

#[test]
fn a_ledger_whose_end_was_cut_off_has_published_more() {
    let mut ledger = Ledger::of(5);
    let old = ledger.clone();
    ledger.grow(2);
    assert_eq!(failed(Sink::lines(&[ledger.checkpoint()]).look(&old)), (Code::Shrunk, None));
}

/// A history may be rewritten from before a change of keys, by whoever holds the first key.
#[test]
fn a_checkpoint_by_an_earlier_key_is_held_against_a_history_in_which_it_was_given_up_sooner() {
    let mut seen = Ledger::of(3);
    let mut fork = seen.clone();
    seen.grow(3);
    fork.rotate(2, None);
    fork.grow(5);
    assert_eq!(failed(Sink::lines(&[seen.checkpoint()]).look(&fork)).0, Code::Forked);
}

#[test]
fn a_receipt_is_held_against_checkpoints_of_its_size() {
    let ledger = Ledger::of(6);
    let sink = Sink::lines(&[ledger.checkpoint_at(4), ledger.checkpoint()]);
    let report = verified(look_at_receipt(ledger.receipt(2).to_text(), &sink.options(&ledger)));
    let told = report.published.unwrap();
    assert_eq!((told.checkpoints, told.not_comparable), (2, 1));
}

#[test]
fn a_file_that_is_not_what_it_should_be_could_not_be_checked() {
    let ledger = Ledger::of(5);
    let (good, stranger) = (ledger.checkpoint(), signer(&ledger.origin, 8));
    let line = |note: &str| Line::Checkpoint(note.to_owned()).to_line();
    let mut unsound = good.clone();
    let at = unsound.len() - 5;
    let other = if unsound.as_bytes()[at] == b'A' { "B" } else { "A" };
    unsound.replace_range(at..=at, other);
    for text in [
        String::new(),
        "\n\n".to_owned(),
        "hello\n".to_owned(),
        line(&good) + "{}\n",
        line(&good) + "hello\n",
        line(&good) + &good[..good.len() / 2],
        line(&ledger.checkpoint_by(5, &[&*stranger])),
        line(&unsound),
        line(&Ledger::create("other.example", 1, None).checkpoint()),
        "x".repeat(1 << 20),
    ] {
        let sink = Sink::of(&text);
        could_not(sink.look(&ledger));
        assert!(sink.left().is_empty());
    }
    let missing = Options { checkpoints: Some("/no/such/file".into()), ..trusting(&ledger) };
    assert!(could_not(look_at_export(ledger.export(), &missing)).contains("/no/such/file"));
}
