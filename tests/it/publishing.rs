//! Each new checkpoint leaves the host, and appending does not wait for where it goes.

use crate::kit::{Ledger, daybook, event, succeeds};
use daybook::spec::checkpoint::Checkpoint;
use daybook::spec::export::Line;
use daybook::spec::note::VerifierKey;
use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::mpsc::channel;
use std::time::{Duration, Instant};

/// Waits until `found` answers something.
fn until<T>(mut found: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(value) = found() {
            return value;
        }
        assert!(begun.elapsed() < Duration::from_secs(20), "it did not happen");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn checkpoints_are_appended_to_a_file_as_they_are_made() {
    let ledger = Ledger::with_config("[publish]\nfile = \"../checkpoints.ndjson\"\n");
    let path = ledger.dir.path().join("checkpoints.ndjson");
    let key = VerifierKey::parse(&ledger.key).unwrap();
    for _ in 0..5 {
        let seq = ledger.record(&event());
        until(|| {
            let text = std::fs::read_to_string(&path).unwrap_or_default();
            let last = text.lines().last()?;
            let Some(Line::Checkpoint(note)) = Line::parse(last.as_bytes()) else { panic!("{last}") };
            let (checkpoint, _) = Checkpoint::open(note.as_bytes(), std::slice::from_ref(&key)).unwrap();
            (checkpoint.size == seq + 1).then_some(())
        });
    }
    // Whoever keeps that file holds the ledger to it: this one is what it published.
    let mut command = daybook();
    command.arg("verify").arg(ledger.data()).args(["--key", &ledger.key, "--checkpoints"]).arg(&path);
    let said = succeeds(&mut command);
    assert!(said.contains("published checkpoints, of up to 6 entries, all are of this history"), "{said}");
}

#[test]
fn checkpoints_are_posted_to_a_url_and_a_dead_one_holds_nothing_up() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let ledger = Ledger::with_config(&format!("[publish]\nurl = \"http://{address}/checkpoints\"\n"));
    // Nobody accepts yet: recording goes on all the same.
    let begun = Instant::now();
    let mut last = 0;
    for _ in 0..20 {
        last = ledger.record(&event());
    }
    assert!(begun.elapsed() < Duration::from_secs(5), "appending waited for the sink");
    let (send, received) = channel();
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
            let (mut bytes, mut chunk) = (Vec::new(), [0; 4096]);
            while let Ok(count) = stream.read(&mut chunk) {
                bytes.extend_from_slice(&chunk[..count]);
                let text = String::from_utf8_lossy(&bytes).into_owned();
                if let Some((head, body)) = text.split_once("\r\n\r\n") {
                    let length = head
                        .to_lowercase()
                        .split("content-length: ")
                        .nth(1)
                        .unwrap()
                        .lines()
                        .next()
                        .unwrap()
                        .parse::<usize>()
                        .unwrap();
                    if body.len() >= length {
                        stream.write_all(b"HTTP/1.1 204 No Content\r\nConnection: close\r\n\r\n").unwrap();
                        if send.send(body.to_owned()).is_err() {
                            return;
                        }
                        break;
                    }
                }
                if count == 0 {
                    break;
                }
            }
        }
    });
    let key = VerifierKey::parse(&ledger.key).unwrap();
    until(|| {
        let note = received.recv_timeout(Duration::from_secs(20)).unwrap();
        let (checkpoint, _) = Checkpoint::open(note.as_bytes(), std::slice::from_ref(&key)).unwrap();
        (checkpoint.size == last + 1).then_some(())
    });
}
