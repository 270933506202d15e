//! A bound is a clear answer: what is too much is refused at once, memory stays where it is, and what was acknowledged
//! is there.

use crate::kit::{Answer, Ledger, event, event_with_id, soak};
use crate::strace::{permitted, slow_syncs};
use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

#[test]
fn a_caller_over_its_rate_is_told_when_to_come_back() {
    let ledger = Ledger::with_config("[limits]\nrequests_per_second = 5\n");
    let answers: Vec<_> = (0..30).map(|_| ledger.post(&event())).collect();
    let recorded = answers.iter().filter(|answer| answer.status == 201).count();
    let limited: Vec<_> = answers.iter().filter(|answer| answer.status == 429).collect();
    assert!(recorded >= 5 && !limited.is_empty(), "{recorded} recorded");
    assert_eq!(limited[0].problem(), "rate-limited");
    assert_eq!(limited[0].header("retry-after"), Some("1"));
    assert_eq!(ledger.get("/v1/events/0", "auditor").status, 200, "another caller is not held up");
    assert_eq!(ledger.size(), 1 + recorded as u64);
}

/// Clients that post at once, one request each: 160 and 800 MiB under way, where 64 MiB may wait.
const CLIENTS: (usize, usize) = (40, 200);

/// Events of one request, and bytes of one event's data: 4 MiB a request, as in a bulk load.
const BATCH: (usize, usize) = (70, 60_000);

/// How long each sync takes, of which a commit has two: a disk so slow that two processors bring ten times what it
/// takes.
const SYNC: Duration = Duration::from_secs(4);

/// How long the load lasts.
const LOAD: (Duration, Duration) = (Duration::from_secs(8), Duration::from_secs(60));

/// Bytes that the server may have resident while it is given too much.
///
/// Reason: 256 MiB of bodies (`MAX_BODIES_BYTES`), 64 MiB that wait (`MAX_WAITING_BYTES`), two batches in the
/// sequencer's and the committer's hands, each 12 MiB as texts, as entries and framed, a request of 4 MiB as text, as
/// tree and canonical in each of up to eight workers, and 64 MiB for the program and its index. All of it twice: buffers
/// grow by doubling, and the allocator keeps the holes that large blocks leave (918 MiB were seen with 800 MiB under way).
const MAX_RESIDENT: u64 = (2 * (256 + 64 + 2 * 3 * 12 + 8 * 3 * 4 + 64)) << 20;

/// A request's body, made while it is sent: the clients' memory is not what is tested.
struct LargeBatch {
    client: usize,
    turn: usize,
    event: usize,
    waiting: std::collections::VecDeque<u8>,
}

impl LargeBatch {
    fn new(client: usize, turn: usize) -> Self {
        Self { client, turn, event: 0, waiting: b"[".to_vec().into() }
    }
}

impl std::io::Read for LargeBatch {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        if self.waiting.is_empty() && self.event < BATCH.0 {
            let (client, turn, event) = (self.client, self.turn, self.event);
            let (filling, end) = ("x".repeat(BATCH.1), if event + 1 == BATCH.0 { ']' } else { ',' });
            let event = format!(
                r#"{{"specversion":"1.0","id":"{client}-{turn}-{event}","source":"/it","type":"bulk","data":"{filling}"}}{end}"#
            );
            self.waiting = event.into_bytes().into();
            self.event += 1;
        }
        self.waiting.read(buffer)
    }
}

/// The most memory that a process had, in bytes.
fn peak_memory(pid: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    line.trim().strip_suffix(" kB").unwrap().parse::<u64>().unwrap() << 10
}

#[test]
fn ten_times_the_load_is_refused_within_bounds_and_what_was_acknowledged_is_there_once() {
    if !permitted() {
        return;
    }
    let ledger = Ledger::with_config("open_types = true\n");
    let (clients, load) = if soak() { (CLIENTS.1, LOAD.1) } else { (CLIENTS.0, LOAD.0) };
    let mut slow = Some(slow_syncs(ledger.pid(), SYNC));
    let counts = Counts::default();
    let mut told: Vec<(u64, String)> = std::thread::scope(|scope| {
        let clients: Vec<_> = (0..clients)
            .map(|client| {
                let (ledger, counts) = (&ledger, &counts);
                scope.spawn(move || post_without_pause(ledger, client, counts))
            })
            .collect();
        std::thread::sleep(load);
        counts.ending.store(true, Ordering::Relaxed);
        let (taken, refused) = (counts.taken.load(Ordering::Relaxed), counts.refused.load(Ordering::Relaxed));
        println!("in {load:?}: {taken} requests taken, {refused} refused");
        // The disk is fast again for what still waits.
        slow.take();
        clients.into_iter().flat_map(|client| client.join().unwrap()).collect()
    });
    let peak = peak_memory(ledger.pid());
    println!("at the end: {} taken, {} MiB", told.len() / BATCH.0, peak >> 20);
    assert!(!told.is_empty() && counts.refused.into_inner() > 0, "it was never too much");
    assert!(peak < MAX_RESIDENT, "{peak} bytes of memory");
    // It is itself again: nothing is left waiting, and what it said is so.
    ledger.wait_until_ready();
    assert_eq!(ledger.post(&event()).status, 201);
    assert_eq!(ledger.size(), 2 + told.len() as u64, "something is there that nobody was told of, or twice");
    let leaves = leaf_hashes(&ledger);
    told.sort_unstable();
    told.dedup_by_key(|(seq, _)| *seq);
    assert_eq!(told.len() + 2, leaves.len(), "two were told the same number");
    for (seq, hash) in &told {
        assert_eq!(*hash, leaves[usize::try_from(*seq).unwrap()], "entry {seq}");
    }
    let (said, code) = ledger.verify();
    assert_eq!(code, 0, "{said}");
}

/// What the clients know together.
#[derive(Default)]
struct Counts {
    ending: AtomicBool,
    taken: AtomicUsize,
    refused: AtomicUsize,
}

/// Posts, and posts again at once when refused; answers the number and hash of each event that was acknowledged.
fn post_without_pause(ledger: &Ledger, client: usize, counts: &Counts) -> Vec<(u64, String)> {
    let (mut told, mut turn) = (Vec::new(), 0);
    // What was not answered may be recorded, and is sent until it is.
    let mut unknown = false;
    while unknown || !counts.ending.load(Ordering::Relaxed) {
        let Ok(answer) = ledger.try_stream_batch(LargeBatch::new(client, turn)) else {
            unknown = true;
            continue;
        };
        if matches!(answer.status, 200 | 201) {
            let items = answer.json()["items"].as_array().unwrap().clone();
            assert_eq!(items.len(), BATCH.0);
            let place =
                |item: &Value| (item["seq"].as_u64().unwrap(), item["hash"].as_str().unwrap().to_owned());
            told.extend(items.iter().map(place));
            counts.taken.fetch_add(1, Ordering::Relaxed);
            (turn, unknown) = (turn + 1, false);
        } else {
            must_be_overload(&answer);
            counts.refused.fetch_add(1, Ordering::Relaxed);
        }
    }
    told
}

fn must_be_overload(answer: &Answer) {
    assert_eq!((answer.status, answer.problem().as_str()), (503, "overloaded"), "{}", answer.text());
    assert_eq!(answer.header("retry-after"), Some("1"));
}

/// The hash of each leaf, from the ledger's tiles.
fn leaf_hashes(ledger: &Ledger) -> Vec<String> {
    let size = ledger.size();
    assert!(size < 256_000, "tiles with longer names");
    let tiles = (0..size.div_ceil(256)).flat_map(|tile| {
        let width = (size - tile * 256).min(256);
        let part = if width < 256 { format!(".p/{width}") } else { String::new() };
        let answer = ledger.get(&format!("/log/tile/0/{tile:03}{part}"), "auditor");
        assert_eq!(answer.status, 200, "{}", answer.text());
        answer.body
    });
    let bytes: Vec<u8> = tiles.collect();
    bytes.chunks(32).map(daybook::spec::encoding::to_base64).collect()
}

/// Bytes of a body that come at once, of which nothing can be taken until the last one is there.
const LARGE_BODY: usize = 8 << 20;

/// In the long form alone: a quarter of a GiB must be there within the half minute that a body may take. The bound
/// itself is tested in `src/api/body.rs`.
#[test]
fn bodies_under_way_are_bounded_together_and_their_room_comes_back() {
    if !soak() {
        return;
    }
    let ledger = Ledger::empty();
    let begin = |_| {
        let mut stream = TcpStream::connect(ledger.url.strip_prefix("http://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_millis(50))).unwrap();
        stream.set_write_timeout(Some(Duration::from_secs(30))).unwrap();
        let token = ledger.token("producer");
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/cloudevents-batch+json\r\nContent-Length: {LARGE_BODY}\r\n\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        // All but the last byte; one that is refused early takes less.
        let _ = stream.write_all(&vec![b' '; LARGE_BODY - 1]);
        stream
    };
    // 256 MiB may be held: 32 bodies less a byte each are within it, one more is not. Which one that is depends on how far
    // each was read when the room was gone.
    let mut streams: Vec<_> = (0..33).map(begin).collect();
    let mut answers = Vec::new();
    let asked = Instant::now();
    while answers.is_empty() {
        assert!(asked.elapsed() < Duration::from_secs(20), "no answer to the body that is too much");
        for stream in &mut streams {
            let mut some = [0; 4096];
            match stream.read(&mut some) {
                Ok(read) => answers.push(crate::kit::text(&some[..read])),
                Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock),
            }
        }
    }
    let [answer] = &answers[..] else { panic!("bodies within the bound were refused: {answers:?}") };
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.contains("retry-after: 1\r\n"), "{answer}");
    // Whoever gives up gives room.
    drop(streams);
    let asked = Instant::now();
    loop {
        let answer = ledger.post(&event_with_id("after"));
        match answer.status {
            201 => break,
            _ => must_be_overload(&answer),
        }
        assert!(asked.elapsed() < Duration::from_secs(30), "the room did not come back");
        std::thread::sleep(Duration::from_millis(50));
    }
}
