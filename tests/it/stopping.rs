//! Whoever tells a ledger to end is not kept waiting, whoever hangs: subscribers, sinks, clients.

use crate::kit::{Ledger, event, signal};
use crate::streaming::Subscriber;
use std::net::TcpListener;
use std::time::{Duration, Instant};

/// How long an end may take.
///
/// Reason: a sink that hangs is given two seconds for the last checkpoint; the rest is the machine's.
const PROMPT: Duration = Duration::from_secs(8);

#[test]
fn a_ledger_ends_promptly_while_streams_are_open_and_a_sink_hangs() {
    // It takes connections and never answers.
    let sink = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = sink.local_addr().unwrap();
    let mut ledger = Ledger::with_config(&format!("[publish]\nurl = \"http://{url}/checkpoints\"\n"));
    let mut streams: Vec<_> = (0..5).map(|_| Subscriber::connect(&ledger, "?from=0", None)).collect();
    let last = ledger.record(&event());
    for stream in &mut streams {
        while stream.next() < last {}
    }
    let (_hanging, _) = sink.accept().unwrap();
    let begun = Instant::now();
    signal(ledger.pid(), "TERM");
    let status = ledger.ended();
    assert!(status.success(), "{status}\n{}", ledger.stderr());
    assert!(begun.elapsed() < PROMPT, "it took {:?}", begun.elapsed());
}
