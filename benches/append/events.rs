//! The event that is posted, and requests made of it ahead of time.
//!
//! The generator shares the machine with the server that it measures, so a request is built once per connection and
//! only its digits are written anew before each send.

use crate::options::Mode;

/// Digits of an event's number and of its case, `#` and `$` in the template.
const DIGITS: usize = 9;

/// Cases over which events are spread: enough that most events of a run meet a case for the first time and some meet
/// it again, as in a bank's day. A prime, so that the stride below reaches every one.
const CASES: u64 = 1_000_003;
const CASE_STRIDE: u64 = 2_654_435_761;

/// An ordinary `decision.made`: every required field, nothing that a policy would object to in itself. Members are
/// not in canonical order, because clients' are not. The input commitment differs from event to event (its digits
/// stay within base64), so that no layer compresses the load better than it would a real one.
const TEMPLATE: &str = concat!(
    r##"{"specversion":"1.0","id":"d-#########","source":"/credit","type":"decision.made","##,
    r##""subject":"c-$$$$$$$$$","time":"@TIME@","data":{"decision":"d-#########","case":"c-$$$$$$$$$","##,
    r##""system":"credit-line","model":"credit-line","version":"1.1","##,
    r##""artifact_digest":"sha256:3f79bb7b435b05321651daefd374cdc681dc06faa65e374e38337b88ca046dea","##,
    r##""environment":"production","mode":"assisted","outcome":"approved","adverse":false,"##,
    r##""significant_effect":false,"purpose":"lending","jurisdiction":"DE","legal_basis":"gdpr-6-1-b","##,
    r##""inputs":{"commitment":"Vq3k#########c1dWb$$$$$$$$$2uXo9hT0yJ5fLrE8=","ref":"in/#########"},"##,
    r##""review_required":false,"by":"app:credit-line"}}"##,
);

/// The template with its time filled in and the places of its digits found.
pub struct Event {
    text: String,
    number_at: Vec<usize>,
    case_at: Vec<usize>,
}

/// A whole HTTP request, head and body, whose events can be renumbered in place.
#[derive(Clone)]
pub struct Request {
    bytes: Vec<u8>,
    events_at: Vec<usize>,
}

impl Event {
    /// One time for the whole benchmark: every server gets the same bytes.
    pub fn now() -> Self {
        let time = chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ").to_string();
        let text = TEMPLATE.replace("@TIME@", &time);
        let (number_at, case_at) = (places(&text, b'#'), places(&text, b'$'));
        Self { text, number_at, case_at }
    }

    pub fn len(&self) -> usize {
        self.text.len()
    }

    /// The request of `mode` for the server at `host`; number its events before sending.
    pub fn request(&self, mode: Mode, host: &str, token: &str) -> Request {
        let count = mode.events_per_request();
        let (open, close) = if mode == Mode::Batch { ("[", "]") } else { ("", "") };
        let body_bytes = open.len() + count * self.len() + (count - 1) + close.len();
        let mut bytes = head(mode, host, token, body_bytes);
        bytes.extend_from_slice(open.as_bytes());
        let mut events_at = Vec::with_capacity(count);
        for index in 0..count {
            if index > 0 {
                bytes.push(b',');
            }
            events_at.push(bytes.len());
            bytes.extend_from_slice(self.text.as_bytes());
        }
        bytes.extend_from_slice(close.as_bytes());
        Request { bytes, events_at }
    }
}

/// A request with one event that is somebody else's, as it stands.
pub fn request_of(event: &str, host: &str, token: &str) -> Vec<u8> {
    let mut bytes = head(Mode::Single, host, token, event.len());
    bytes.extend_from_slice(event.as_bytes());
    bytes
}

fn head(mode: Mode, host: &str, token: &str, body_bytes: usize) -> Vec<u8> {
    format!(
        "POST /v1/events HTTP/1.1\r\nHost: {host}\r\nAuthorization: Bearer {token}\r\n\
         Content-Type: {}\r\nContent-Length: {body_bytes}\r\n\r\n",
        mode.content_type()
    )
    .into_bytes()
}

impl Request {
    /// Makes the events those numbered from `first`.
    pub fn number(&mut self, event: &Event, first: u64) {
        for (number, &event_at) in (first..).zip(&self.events_at) {
            let case = number.wrapping_mul(CASE_STRIDE) % CASES;
            for (value, places) in [(number, &event.number_at), (case, &event.case_at)] {
                let digits = digits(value);
                for place in places {
                    let at = event_at + place;
                    self.bytes[at..at + DIGITS].copy_from_slice(&digits);
                }
            }
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn events(&self) -> usize {
        self.events_at.len()
    }
}

/// Where runs of `mark` begin.
fn places(text: &str, mark: u8) -> Vec<usize> {
    let run = [mark; DIGITS];
    text.as_bytes()
        .windows(DIGITS)
        .enumerate()
        .filter(|(_, window)| **window == run)
        .map(|(at, _)| at)
        .collect()
}

/// The last nine decimal digits of `value`.
fn digits(mut value: u64) -> [u8; DIGITS] {
    let mut digits = [b'0'; DIGITS];
    for digit in digits.iter_mut().rev() {
        *digit = b'0' + u8::try_from(value % 10).unwrap_or(0);
        value /= 10;
    }
    digits
}
