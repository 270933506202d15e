//! The smallest HTTP client that can ask a server one thing after another over one connection.

use anyhow::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

/// More than any answer of a server that lives.
const PATIENCE: Duration = Duration::from_secs(30);

pub struct Client {
    stream: BufReader<TcpStream>,
    authorization: String,
}

impl Client {
    pub fn connect(address: SocketAddr, token: &str) -> Result<Self> {
        let stream = TcpStream::connect(address).context("connect")?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Self {
            stream: BufReader::new(stream),
            authorization: format!("Authorization: Bearer {token}\r\n"),
        })
    }

    /// Status and body.
    pub fn get(&mut self, path: &str) -> Result<(u16, Vec<u8>)> {
        let head = format!("GET {path} HTTP/1.1\r\nHost: daybook\r\n{}\r\n", self.authorization);
        self.stream.get_mut().write_all(head.as_bytes())?;
        self.answer().with_context(|| path.to_owned())
    }

    /// Posts one event.
    pub fn post_event(&mut self, event: &str) -> Result<(u16, Vec<u8>)> {
        self.post("application/cloudevents+json", event)
    }

    /// Posts events in a form.
    pub fn post(&mut self, content_type: &str, body: &str) -> Result<(u16, Vec<u8>)> {
        let head = format!(
            "POST /v1/events HTTP/1.1\r\nHost: daybook\r\n{}Content-Type: {content_type}\r\nContent-Length: {}\r\n\r\n",
            self.authorization,
            body.len()
        );
        self.stream.get_mut().write_all((head + body).as_bytes())?;
        self.answer()
    }

    fn answer(&mut self) -> Result<(u16, Vec<u8>)> {
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        let mut length = None;
        loop {
            line.clear();
            if self.stream.read_line(&mut line)? == 0 {
                bail!("the server closed the connection");
            }
            let Some((name, value)) = line.trim_end().split_once(':') else { break };
            if name.eq_ignore_ascii_case("content-length") {
                length = value.trim().parse().ok();
            }
        }
        let mut body = vec![0; length.context("no Content-Length")?];
        self.stream.read_exact(&mut body)?;
        Ok((status, body))
    }
}
