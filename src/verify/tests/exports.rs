//! Lies in the form of an export.

use super::*;
use daybook_spec::export::MAX_LINE_BYTES;
use std::io::Read;

fn lines(ledger: &Ledger) -> Vec<String> {
    String::from_utf8(ledger.export()).unwrap().split_inclusive('\n').map(str::to_owned).collect()
}

fn look(lines: &[String], ledger: &Ledger) -> Outcome {
    look_at_export(lines.concat().into_bytes(), &trusting(ledger))
}

#[test]
fn a_missing_last_newline_is_refused() {
    let ledger = Ledger::of(4);
    let mut export = ledger.export();
    export.pop();
    assert_eq!(failed(look_at_export(export, &trusting(&ledger))), (Code::Truncated, None));
}

#[test]
fn every_cut_of_an_export_is_refused() {
    let ledger = Ledger::of(3);
    let export = ledger.export();
    for end in 0..export.len() {
        let outcome = look_at_export(export[..end].to_vec(), &trusting(&ledger));
        assert_eq!(failed(outcome).0, Code::Truncated, "cut at {end}");
    }
}

#[test]
fn a_cut_tail_is_refused_whatever_checkpoint_is_left() {
    let ledger = Ledger::of(6);
    let mut lines = lines(&ledger);
    lines.remove(6);
    assert_eq!(failed(look(&lines, &ledger)), (Code::Truncated, None));
}

#[test]
fn nothing_may_follow_the_checkpoint() {
    let ledger = Ledger::of(3);
    let good = lines(&ledger);
    for extra in [good[4].clone(), good[3].clone(), good[0].clone(), "\n".into(), " ".into(), "\0".into()] {
        let mut lines = good.clone();
        lines.push(extra);
        assert_eq!(failed(look(&lines, &ledger)), (Code::TrailingData, None));
    }
}

#[test]
fn a_checkpoint_among_the_entries_is_refused() {
    let ledger = Ledger::of(3);
    let mut lines = lines(&ledger);
    let checkpoint = lines[4].clone();
    lines.insert(2, checkpoint);
    assert_eq!(failed(look(&lines, &ledger)), (Code::TrailingData, None));
}

#[test]
fn a_header_of_another_ledger_or_key_is_refused() {
    let ledger = Ledger::of(3);
    let others = [Ledger::create("other.example", 1, None), Ledger::create("log.example/test", 4, None)];
    for other in others {
        let mut lines = lines(&ledger);
        lines[0] = self::lines(&other)[0].clone();
        assert_eq!(failed(look(&lines, &ledger)), (Code::HeaderMismatch, None));
    }
}

#[test]
fn a_missing_or_second_header_is_refused() {
    let ledger = Ledger::of(3);
    let mut without = lines(&ledger);
    let header = without.remove(0);
    assert_eq!(failed(look(&without, &ledger)), (Code::LineInvalid, None));
    without.insert(1, header.clone());
    without.insert(0, header);
    assert_eq!(failed(look(&without, &ledger)), (Code::LineInvalid, Some(1)));
}

#[test]
fn an_export_without_entries_is_refused() {
    let ledger = Ledger::of(3);
    let lines = lines(&ledger);
    assert_eq!(failed(look(&[lines[0].clone(), lines[4].clone()], &ledger)), (Code::Empty, None));
    assert_eq!(failed(look(&[lines[0].clone()], &ledger)), (Code::Truncated, None));
    assert_eq!(failed(look(&[], &ledger)), (Code::Truncated, None));
}

#[test]
fn lines_in_another_spelling_are_refused() {
    let ledger = Ledger::of(3);
    let good = lines(&ledger);
    for (line, from, to, seq) in [
        (2, ":\"", ": \"", Some(1)),
        (2, "\n", " \n", Some(1)),
        (2, "\n", "\r\n", Some(1)),
        (2, "\n", "\n\n", Some(2)),
        (2, "\"entry\"", "\"Entry\"", Some(1)),
        (2, "é", "\\u00e9", Some(1)),
        (0, "export/1", "export/2", None),
        (0, "\"daybook\"", "\"diary\"", None),
        (4, "{\"checkpoint", " {\"checkpoint", Some(3)),
    ] {
        let mut lines = good.clone();
        lines[line] = lines[line].replacen(from, to, 1);
        assert_eq!(failed(look(&lines, &ledger)), (Code::LineInvalid, seq), "{from:?} → {to:?}");
    }
}

/// Bytes without end, and a count of how many were asked for.
struct Endless(u64);

impl Read for Endless {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.0 += buffer.len() as u64;
        assert!(self.0 < 8 << 20, "the verifier goes on reading a line that no entry has");
        buffer.fill(b'a');
        Ok(buffer.len())
    }
}

#[test]
fn a_line_without_end_is_given_up_on() {
    let ledger = Ledger::of(3);
    let lines = lines(&ledger);
    for start in [String::new(), lines[0].clone(), lines[..3].concat(), lines[..3].concat() + "{\"entry\":\""]
    {
        let source = std::io::Cursor::new(start.clone()).chain(Endless(0));
        let outcome = verify(Source::Export(Box::new(source)), &trusting(&ledger), &Quiet);
        let seq = start.matches('\n').count().checked_sub(1).map(|entries| entries as u64);
        assert_eq!(failed(outcome), (Code::LineInvalid, seq), "after {start:?}");
    }
}

#[test]
fn a_line_of_100_megabytes_is_refused() {
    let ledger = Ledger::of(3);
    let mut bytes = lines(&ledger)[..2].concat().into_bytes();
    bytes.extend_from_slice(b"{\"entry\":\"");
    bytes.resize(bytes.len() + 100_000_000, b'x');
    bytes.extend_from_slice(b"\"}\n");
    assert_eq!(failed(look_at_export(bytes, &trusting(&ledger))), (Code::LineInvalid, Some(1)));
}

#[test]
fn the_longest_entry_fits_and_a_longer_one_does_not() {
    for (length, fits) in [(65_535, true), (65_536, false)] {
        let mut ledger = Ledger::of(2);
        let probe = {
            let mut probe = ledger.clone();
            probe.record("app:x", &daybook_testkit::event("big", "\"\""));
            probe.entries[2].len()
        };
        let filler = "\u{7f}".repeat(length - probe);
        let text = ledger.text("app:x", &daybook_testkit::event("big", &format!("\"{filler}\"")));
        ledger.push(&text, &[&*ledger.key()]);
        assert_eq!(ledger.entries[2].len(), length);
        assert!(ledger.export().len() < MAX_LINE_BYTES);
        let outcome = look_at_export(ledger.export(), &trusting(&ledger));
        if fits {
            verified(outcome);
        } else {
            assert_eq!(failed(outcome), (Code::EntryMalformed, Some(2)));
        }
    }
}

#[test]
fn a_source_that_cannot_be_read_is_no_finding() {
    struct Broken;
    impl Read for Broken {
        fn read(&mut self, _: &mut [u8]) -> std::io::Result<usize> {
            Err(std::io::Error::other("the disk is on fire"))
        }
    }
    let ledger = Ledger::of(3);
    let source = std::io::Cursor::new(ledger.export()[..900].to_vec()).chain(Broken);
    let outcome = verify(Source::Export(Box::new(source)), &trusting(&ledger), &Quiet);
    assert!(matches!(outcome, Outcome::CouldNotCheck(why) if why.contains("fire")));
}
