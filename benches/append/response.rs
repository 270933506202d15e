//! Just enough of an HTTP/1.1 response: its status, and where it ends. A full client would cost the machine more than
//! some of the servers that it is to measure.

use anyhow::{Context, Result, bail};

/// More than any head that a sane server sends.
const HEAD_LIMIT: usize = 16 * 1024;
/// How much of a refusal is kept to be shown.
const SHOWN_BYTES: usize = 600;

/// The response being read on one connection.
#[derive(Default)]
pub struct Response {
    head: Vec<u8>,
    /// Once the head is whole: the status, and how many bytes of body are still to come.
    body: Option<(u16, usize)>,
    /// The beginning of the body, if the status is not the one hoped for.
    shown: Vec<u8>,
}

impl Response {
    /// Takes what was read and, at the response's end, gives its status and makes itself ready for the next.
    pub fn feed(&mut self, mut bytes: &[u8]) -> Result<Option<u16>> {
        let (status, left) = match self.body {
            Some(body) => body,
            None => {
                let before = self.head.len();
                self.head.extend_from_slice(&bytes[..bytes.len().min(HEAD_LIMIT)]);
                let Some(end) = find(&self.head, before.saturating_sub(3)) else {
                    if self.head.len() >= HEAD_LIMIT {
                        bail!("the response's head does not end");
                    }
                    return Ok(None);
                };
                bytes = &bytes[end - before..];
                self.shown.clear();
                parse_head(&self.head[..end])?
            }
        };
        if bytes.len() > left {
            bail!("the response is longer than its Content-Length");
        }
        if status != 201 && self.shown.len() < SHOWN_BYTES {
            self.shown.extend_from_slice(bytes);
        }
        let left = left - bytes.len();
        if left > 0 {
            self.body = Some((status, left));
            return Ok(None);
        }
        self.body = None;
        self.head.clear();
        Ok(Some(status))
    }

    /// What the last refusal said.
    pub fn refusal(&self) -> String {
        String::from_utf8_lossy(&self.shown[..self.shown.len().min(SHOWN_BYTES)]).into_owned()
    }
}

/// The end of the head (after its empty line), looking from `from`.
fn find(head: &[u8], from: usize) -> Option<usize> {
    head[from..].windows(4).position(|window| window == b"\r\n\r\n").map(|at| from + at + 4)
}

/// Status and `Content-Length`.
fn parse_head(head: &[u8]) -> Result<(u16, usize)> {
    let head = std::str::from_utf8(head).context("the response's head is not text")?;
    let mut lines = head.split("\r\n");
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).and_then(|status| status.parse().ok());
    let length = lines
        .filter_map(|line| line.split_once(':'))
        .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
        .and_then(|(_, value)| value.trim().parse().ok());
    match (status, length) {
        (Some(status), Some(length)) => Ok((status, length)),
        (Some(204), None) => Ok((204, 0)),
        _ => bail!("a response without a status or a Content-Length: {head:?}"),
    }
}
