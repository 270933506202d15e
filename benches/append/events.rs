//! Requests that post the event, made ahead of time.
//!
//! The generator shares the machine with the server that it measures, so a request is built once per connection and
//! only its digits are written anew before each send.

use crate::common::event::Event;
use crate::options::Mode;

/// A whole HTTP request, head and body, whose events can be renumbered in place.
#[derive(Clone)]
pub struct Request {
    bytes: Vec<u8>,
    events_at: Vec<usize>,
}

/// The request of `mode` for the server at `host`; number its events before sending.
pub fn request(event: &Event, mode: Mode, host: &str, token: &str) -> Request {
    let count = mode.events_per_request();
    let (open, close) = if mode == Mode::Batch { ("[", "]") } else { ("", "") };
    let body_bytes = open.len() + count * event.len() + (count - 1) + close.len();
    let mut bytes = head(mode, host, token, body_bytes);
    bytes.extend_from_slice(open.as_bytes());
    let mut events_at = Vec::with_capacity(count);
    for index in 0..count {
        if index > 0 {
            bytes.push(b',');
        }
        events_at.push(bytes.len());
        bytes.extend_from_slice(event.text.as_bytes());
    }
    bytes.extend_from_slice(close.as_bytes());
    Request { bytes, events_at }
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
            event.number(number, &mut self.bytes, event_at);
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    pub fn events(&self) -> usize {
        self.events_at.len()
    }
}
