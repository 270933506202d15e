//! Lies of a server.

use super::*;
use daybook_spec::tile::Tile;
use daybook_testkit::framed;
use daybook_verify::SourceKind;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

enum Reply {
    Body(Vec<u8>),
    Status(u16),
    Redirect(String),
    /// A status, or a body, with more headers.
    StatusWith(u16, &'static str),
    BodyWith(&'static str, Vec<u8>),
    /// Goes on until nobody listens.
    Endless,
    /// A byte now and then.
    Drip,
    /// Less than it promised.
    Short(Vec<u8>),
}

type Handler = dyn Fn(&str) -> Reply + Send + Sync;

/// A server on a port of its own, until it is dropped.
struct Server {
    address: String,
    stop: Arc<AtomicBool>,
    requests: Arc<Mutex<Vec<String>>>,
}

impl Server {
    fn start(handler: impl Fn(&str) -> Reply + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (stop, requests) = (Arc::new(AtomicBool::new(false)), Arc::default());
        let server = Self { address, stop: Arc::clone(&stop), requests: Arc::clone(&requests) };
        let handler: Arc<Handler> = Arc::new(handler);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                if stop.load(Ordering::Relaxed) {
                    return;
                }
                let (handler, requests) = (Arc::clone(&handler), Arc::clone(&requests));
                std::thread::spawn(move || answer(stream.unwrap(), &*handler, &requests));
            }
        });
        server
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // So that it sees that it should stop.
        let _ = TcpStream::connect(self.address.trim_start_matches("http://"));
    }
}

/// Answers one request and closes. Errors are the client's going away.
fn answer(stream: TcpStream, handler: &Handler, requests: &Mutex<Vec<String>>) {
    stream.set_read_timeout(Some(Duration::from_secs(5))).unwrap();
    stream.set_write_timeout(Some(Duration::from_secs(5))).unwrap();
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if reader.by_ref().take(4_096).read_line(&mut head).unwrap_or(0) == 0 {
            return;
        }
    }
    let path = head.split(' ').nth(1).unwrap_or_default().to_owned();
    requests.lock().unwrap().push(head);
    let mut stream = stream;
    let _ = match handler(&path) {
        Reply::Body(body) => {
            send(&mut stream, 200, Some(body.len()), "").and_then(|()| stream.write_all(&body))
        }
        Reply::Short(body) => {
            send(&mut stream, 200, Some(body.len() + 1), "").and_then(|()| stream.write_all(&body))
        }
        Reply::Status(status) => send(&mut stream, status, Some(0), ""),
        Reply::StatusWith(status, more) => send(&mut stream, status, Some(0), more),
        Reply::BodyWith(more, body) => {
            send(&mut stream, 200, Some(body.len()), more).and_then(|()| stream.write_all(&body))
        }
        Reply::Redirect(to) => send(&mut stream, 302, Some(0), &format!("Location: {to}\r\n")),
        Reply::Endless => send(&mut stream, 200, None, "").and_then(|()| {
            // Bounded, should the client be taken in.
            (0..1_000).try_for_each(|_| stream.write_all(&[0; 1 << 16]))
        }),
        Reply::Drip => send(&mut stream, 200, Some(100_000), "").and_then(|()| {
            (0..100).try_for_each(|_| {
                std::thread::sleep(Duration::from_millis(50));
                stream.write_all(b"x")
            })
        }),
    };
}

fn send(stream: &mut TcpStream, status: u16, length: Option<usize>, more: &str) -> std::io::Result<()> {
    let length = length.map_or(String::new(), |length| format!("Content-Length: {length}\r\n"));
    write!(stream, "HTTP/1.1 {status} X\r\n{length}{more}Connection: close\r\n\r\n")
}

/// What an honest server answers.
fn honest(ledger: &Ledger, checkpoint: &str, path: &str) -> Reply {
    if path == "/log/checkpoint" {
        return Reply::Body(checkpoint.as_bytes().to_vec());
    }
    let tile = path.strip_prefix("/log/tile/").and_then(Tile::parse);
    let part = |number: u64, width: u16| {
        let start = usize::try_from(number * 256).unwrap();
        ledger.entries.get(start..start + usize::from(width))
    };
    match tile {
        Some(Tile::Entries { number, width }) => part(number, width).map(framed),
        Some(Tile::Hashes { level: 0, number, width }) => part(number, width)
            .map(|entries| entries.iter().flat_map(|entry| daybook_spec::merkle::leaf_hash(entry)).collect()),
        _ => None,
    }
    .map_or(Reply::Status(404), Reply::Body)
}

fn look(server: &Server, options: &Options) -> Outcome {
    let options = Options { request_timeout: Duration::from_millis(600), ..options.clone() };
    verify(Source::Url(server.address.clone()), &options, &Quiet)
}

pub(super) fn look_at(ledger: &Ledger, options: &Options) -> Outcome {
    look_at_with(ledger, &ledger.checkpoint(), options)
}

pub(super) fn look_at_with(ledger: &Ledger, checkpoint: &str, options: &Options) -> Outcome {
    let (served, checkpoint) = (ledger.clone(), checkpoint.to_owned());
    let server = Server::start(move |path| honest(&served, &checkpoint, path));
    in_both_modes(options, |options| look(&server, options))
}

/// A server that is honest but for some paths.
fn lying(ledger: &Ledger, lie: impl Fn(&str) -> Option<Reply> + Send + Sync + 'static) -> Outcome {
    let (served, checkpoint) = (ledger.clone(), ledger.checkpoint());
    let server = Server::start(move |path| lie(path).unwrap_or_else(|| honest(&served, &checkpoint, path)));
    in_both_modes(&trusting(ledger), |options| look(&server, options))
}

#[test]
fn an_honest_server_verifies() {
    let mut ledger = Ledger::of(700);
    ledger.rotate(2, None);
    ledger.grow(99);
    let report = verified(look_at(&ledger, &trusting(&ledger)));
    assert_eq!((report.entries, report.keys.len(), report.source), (800, 2, SourceKind::Server));
    let full = Ledger::of(512);
    assert_eq!(verified(look_at(&full, &trusting(&full))).entries, 512);
}

#[test]
fn the_token_goes_to_the_server_and_nowhere_else() {
    let ledger = Ledger::of(5);
    let elsewhere = Server::start(|_| Reply::Status(404));
    let (served, to) = (ledger.clone(), elsewhere.address.clone());
    let server = Server::start(move |path| match path {
        "/log/checkpoint" => Reply::Body(served.checkpoint().into_bytes()),
        path => Reply::Redirect(format!("{to}{path}")),
    });
    let options = Options { token: Some("secret-token".into()), ..trusting(&ledger) };
    let outcome = look(&server, &options);
    assert!(
        matches!(outcome, Outcome::CouldNotCheck(why) if why.contains("redirect") && !why.contains("secret"))
    );
    assert!(elsewhere.requests.lock().unwrap().is_empty());
    let requests = server.requests.lock().unwrap();
    assert!(requests.iter().all(|head| head.to_lowercase().contains("authorization: bearer secret-token")));
}

#[test]
fn a_bundle_with_too_few_or_too_many_entries_is_refused() {
    let ledger = Ledger::of(300);
    for (from, to) in [(256, 299), (256, 256), (255, 299)] {
        let part = framed(&ledger.entries[from..to]);
        let outcome = lying(&ledger, move |path| {
            (path == "/log/tile/entries/001.p/44").then(|| Reply::Body(part.clone()))
        });
        assert!(matches!(failed(outcome).0, Code::BundleInvalid | Code::SeqGap), "{from}..{to}");
    }
    let more = [framed(&ledger.entries[..256]), vec![0]].concat();
    let outcome =
        lying(&ledger, move |path| (path == "/log/tile/entries/000").then(|| Reply::Body(more.clone())));
    assert_eq!(failed(outcome), (Code::BundleInvalid, Some(256)));
}

#[test]
fn a_tile_with_other_hashes_is_refused() {
    let ledger = Ledger::of(10);
    let leaves = ledger.leaves().concat();
    let mut changed = leaves.clone();
    changed[7 * 32] ^= 1;
    let cases = [
        (changed, Code::TileMismatch, 7),
        (leaves[32..].to_vec(), Code::BundleInvalid, 0),
        (vec![], Code::BundleInvalid, 0),
    ];
    for (tile, code, seq) in cases {
        let outcome =
            lying(&ledger, move |path| (path == "/log/tile/0/000.p/10").then(|| Reply::Body(tile.clone())));
        let (found, at) = failed(outcome);
        assert_eq!(found, code);
        assert!(at.is_some_and(|at| at >= seq));
    }
}

#[test]
fn a_wrong_bundle_is_refused() {
    let ledger = Ledger::of(600);
    let wrong = framed(&ledger.entries[..256]);
    let outcome =
        lying(&ledger, move |path| (path == "/log/tile/entries/001").then(|| Reply::Body(wrong.clone())));
    assert_eq!(failed(outcome), (Code::SeqGap, Some(256)));
}

#[test]
fn bodies_without_end_are_given_up_on() {
    let ledger = Ledger::of(5);
    for (part, code) in [
        ("checkpoint", Code::CheckpointInvalid),
        ("tile/entries/000.p/5", Code::BundleInvalid),
        ("tile/0/000.p/5", Code::BundleInvalid),
    ] {
        let path = format!("/log/{part}");
        let options = Options { request_timeout: Duration::from_secs(20), ..trusting(&ledger) };
        let (served, checkpoint) = (ledger.clone(), ledger.checkpoint());
        let server =
            Server::start(
                move |asked| {
                    if asked == path { Reply::Endless } else { honest(&served, &checkpoint, asked) }
                },
            );
        let outcome = verify(Source::Url(server.address.clone()), &options, &Quiet);
        assert_eq!(failed(outcome).0, code, "{part}");
    }
}

#[test]
fn a_dripping_server_is_given_up_on() {
    let ledger = Ledger::of(5);
    for part in ["/log/checkpoint", "/log/tile/entries/000.p/5"] {
        let start = Instant::now();
        let outcome = lying(&ledger, move |path| (path == part).then_some(Reply::Drip));
        assert!(matches!(outcome, Outcome::CouldNotCheck(_)), "{outcome:?}");
        assert!(start.elapsed() < Duration::from_secs(8));
    }
}

#[test]
fn errors_are_obstacles_and_missing_entries_are_findings() {
    let ledger = Ledger::of(5);
    for status in [500, 503, 401, 403, 418] {
        let outcome = lying(&ledger, move |path| path.contains("entries").then_some(Reply::Status(status)));
        assert!(matches!(outcome, Outcome::CouldNotCheck(_)), "{status}: {outcome:?}");
    }
    let outcome = lying(&ledger, |path| path.contains("entries").then_some(Reply::Status(404)));
    assert_eq!(failed(outcome), (Code::Truncated, Some(0)));
    let outcome = lying(&ledger, |path| path.contains("checkpoint").then_some(Reply::Status(404)));
    assert!(matches!(outcome, Outcome::CouldNotCheck(_)));
    let outcome = lying(&ledger, |path| path.contains("entries").then(|| Reply::Short(vec![1, 2, 3])));
    assert!(matches!(outcome, Outcome::CouldNotCheck(_)));
}

#[test]
fn a_server_that_stumbles_once_is_asked_again() {
    let ledger = Ledger::of(5);
    let count = AtomicUsize::new(0);
    let outcome = lying(&ledger, move |path| {
        let first = path.contains("entries") && count.fetch_add(1, Ordering::Relaxed) == 0;
        first.then_some(Reply::Status(503))
    });
    verified(outcome);
}

#[test]
fn a_server_that_says_when_to_come_back_is_asked_then() {
    let ledger = Ledger::of(5);
    // More often than a request may fail, and each time it is waited for as long as was said.
    let (served, checkpoint, count) = (ledger.clone(), ledger.checkpoint(), AtomicUsize::new(0));
    let server = Server::start(move |path| {
        let early = path.contains("entries") && count.fetch_add(1, Ordering::Relaxed) < 4;
        if early { Reply::StatusWith(429, "Retry-After: 1\r\n") } else { honest(&served, &checkpoint, path) }
    });
    let begun = Instant::now();
    verified(look(&server, &trusting(&ledger)));
    assert!(begun.elapsed() >= Duration::from_secs(4), "{:?}", begun.elapsed());
    // One that puts everybody off for a day is not waited for.
    let begun = Instant::now();
    let outcome = lying(&ledger, |path| {
        path.contains("entries").then_some(Reply::StatusWith(503, "Retry-After: 86400\r\n"))
    });
    assert!(matches!(&outcome, Outcome::CouldNotCheck(why) if why.contains("86400 s")), "{outcome:?}");
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
}

/// Who waits to come back is not waited for once something was found.
#[test]
fn a_finding_waits_for_no_server() {
    let ledger = Ledger::of(600);
    let (served, checkpoint) = (ledger.clone(), ledger.checkpoint());
    let server = Server::start(move |path| match path {
        "/log/tile/0/000" => Reply::Body(vec![0; 8_192]),
        path if path.contains("entries/002") => Reply::StatusWith(503, "Retry-After: 60\r\n"),
        path => honest(&served, &checkpoint, path),
    });
    let begun = Instant::now();
    assert_eq!(failed(look(&server, &trusting(&ledger))).0, Code::TileMismatch);
    assert!(begun.elapsed() < Duration::from_secs(10), "{:?}", begun.elapsed());
}

#[test]
fn what_a_proxy_answers_in_the_ledger_s_place_says_nothing_against_it() {
    let ledger = Ledger::of(5);
    let page = || b"<!DOCTYPE html><title>Sign in</title>".to_vec();
    for part in ["/log/checkpoint", "/log/tile/0/000.p/5", "/log/tile/entries/000.p/5"] {
        for (headers, word) in [
            ("Content-Type: text/html; charset=utf-8\r\n", "web page"),
            ("Content-Encoding: gzip\r\n", "packed"),
        ] {
            let outcome =
                lying(&ledger, move |path| (path == part).then(|| Reply::BodyWith(headers, page())));
            assert!(
                matches!(&outcome, Outcome::CouldNotCheck(why) if why.contains(word)),
                "{part}: {outcome:?}"
            );
        }
    }
    // That there is nothing has to be said by the ledger, too.
    let outcome = lying(&ledger, |path| {
        path.contains("entries").then_some(Reply::StatusWith(404, "Content-Type: text/html\r\n"))
    });
    assert!(matches!(outcome, Outcome::CouldNotCheck(_)), "{outcome:?}");
    // Also one that does not say that it is a page.
    for body in [page(), vec![0x1f, 0x8b, 8, 0], b"{\"error\":\"no\"}".to_vec()] {
        let outcome =
            lying(&ledger, move |path| (path == "/log/checkpoint").then(|| Reply::Body(body.clone())));
        assert!(matches!(outcome, Outcome::CouldNotCheck(_)), "{outcome:?}");
    }
    // What the ledger says itself of its bytes is no lie.
    let (served, checkpoint) = (ledger.clone(), ledger.checkpoint());
    let server = Server::start(move |path| match honest(&served, &checkpoint, path) {
        Reply::Body(body) => {
            Reply::BodyWith("Content-Type: application/octet-stream\r\nContent-Encoding: identity\r\n", body)
        }
        other => other,
    });
    verified(look(&server, &trusting(&ledger)));
}

#[test]
fn what_is_no_address_or_nobody_answers_at_could_not_be_checked() {
    for address in ["http://", "http://127.0.0.1:1", "https://user@host", "http://h?x", "ftp://h"] {
        let options = Options { request_timeout: Duration::from_millis(200), ..Options::default() };
        let outcome = verify(Source::Url(address.into()), &options, &Quiet);
        assert!(matches!(outcome, Outcome::CouldNotCheck(_)), "{address}: {outcome:?}");
    }
    let options = Options { token: Some("a\r\nb".into()), ..Options::default() };
    assert!(matches!(verify(Source::Url("http://h".into()), &options, &Quiet), Outcome::CouldNotCheck(_)));
}
