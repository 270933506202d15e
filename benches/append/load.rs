//! The load generator: one thread, one epoll set, plain HTTP/1.1 over kept-alive connections.
//!
//! Two paces. *Closed*: each connection sends its next request as soon as the last one is answered, which finds the
//! highest rate. *Open*: requests fall due on a fixed schedule whether or not the server keeps up, and a request's
//! latency counts from the moment it was due, not from the moment a connection was free to carry it; otherwise a
//! server that stalls would be asked less just then, and its worst moments would go unmeasured (coordinated omission).

use crate::common::event::Event;
use crate::common::machine;
use crate::events::{Request, request};
use crate::options::Mode;
use crate::response::Response;
use crate::stop;
use anyhow::{Context, Result, bail};
use rustix::event::{Timespec, epoll};
use std::collections::VecDeque;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::OwnedFd;
use std::time::{Duration, Instant};

/// How long answers may lag after the last request was due. More is a server that hangs.
const DRAIN_LIMIT: Duration = Duration::from_secs(10);
/// The longest sleep, so that a signal or the end of a phase is seen in time.
const NAP: Duration = Duration::from_millis(50);
/// A run with this many errors is beyond use: end it instead of heating the room.
const ERROR_LIMIT: u64 = 1_000;
const READ_BYTES: usize = 64 * 1024;

#[derive(Clone, Copy)]
pub enum Pace {
    Closed,
    Open { requests_per_s: f64 },
}

/// The connections to one server, and what they carry.
pub struct Load<'a> {
    epoll: OwnedFd,
    ready: Vec<epoll::Event>,
    connections: Vec<Connection>,
    /// Connections without a request, the longest idle first, so that all of them are used in turn.
    idle: VecDeque<usize>,
    event: &'a Event,
    /// The number of the next event to send. It goes on from load to load on one server: ids never repeat.
    next_event: &'a mut u64,
    buffer: Vec<u8>,
}

struct Connection {
    stream: TcpStream,
    request: Request,
    written: usize,
    /// When the request under way was due.
    due: Instant,
    response: Response,
}

/// What one phase of load came to.
#[derive(Default)]
pub struct Measured {
    /// Events acknowledged before the phase's time was up, for the rate …
    pub events_in_time: u64,
    /// … and also those answered later, for the cost of each.
    pub events: u64,
    pub seconds: f64,
    /// Microseconds from due to answered, sorted.
    latencies_us: Vec<u32>,
    pub errors: u64,
    pub first_error: Option<String>,
    pub generator_cpu_s: f64,
}

impl Measured {
    pub fn rate(&self) -> f64 {
        self.events_in_time as f64 / self.seconds
    }

    /// The latency in milliseconds that this share of requests did not exceed.
    pub fn latency_ms(&self, share: f64) -> f64 {
        let rank = (self.latencies_us.len() as f64 * share).ceil() as usize;
        self.latencies_us.get(rank.saturating_sub(1)).map_or(f64::NAN, |&us| f64::from(us) / 1_000.0)
    }

    fn error(&mut self, what: impl FnOnce() -> String) {
        self.errors += 1;
        if self.first_error.is_none() {
            self.first_error = Some(what());
        }
    }
}

/// How far a phase has come: which request is due next, and when.
struct Schedule {
    pace: Pace,
    start: Instant,
    end: Instant,
    sent: u64,
}

impl Schedule {
    /// When the next request is due, or `None` if the phase sends no more.
    fn next_due(&self, now: Instant) -> Option<Instant> {
        let due = match self.pace {
            Pace::Closed => now,
            Pace::Open { requests_per_s } => {
                self.start + Duration::from_secs_f64(self.sent as f64 / requests_per_s)
            }
        };
        (due < self.end).then_some(due)
    }
}

impl<'a> Load<'a> {
    pub fn connect(
        server: SocketAddr,
        token: &str,
        mode: Mode,
        event: &'a Event,
        next_event: &'a mut u64,
    ) -> Result<Self> {
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC).context("epoll")?;
        let request = request(event, mode, &server.to_string(), token);
        let mut connections = Vec::with_capacity(mode.connections());
        for index in 0..mode.connections() {
            let stream = TcpStream::connect(server).context("connect")?;
            stream.set_nodelay(true)?;
            stream.set_nonblocking(true)?;
            // Edge-triggered, so that a connection is registered once and costs no further epoll_ctl.
            let wanted = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
            epoll::add(&epoll, &stream, epoll::EventData::new_u64(index as u64), wanted).context("epoll")?;
            connections.push(Connection {
                stream,
                request: request.clone(),
                written: request.bytes().len(),
                due: Instant::now(),
                response: Response::default(),
            });
        }
        let idle = (0..connections.len()).collect();
        let ready = Vec::with_capacity(connections.len());
        Ok(Self { epoll, ready, connections, idle, event, next_event, buffer: vec![0; READ_BYTES] })
    }

    /// One phase: requests for `lasting`, then until the last answer.
    pub fn run(&mut self, pace: Pace, lasting: Duration) -> Result<Measured> {
        let cpu_before_s = machine::own_cpu_s()?;
        let start = Instant::now();
        let mut schedule = Schedule { pace, start, end: start + lasting, sent: 0 };
        let mut measured = Measured { seconds: lasting.as_secs_f64(), ..Measured::default() };
        let give_up = schedule.end + DRAIN_LIMIT;
        loop {
            let now = Instant::now();
            self.send_due(&mut schedule, now, &mut measured);
            let due = schedule.next_due(now);
            let in_flight = self.connections.len() - self.idle.len();
            if due.is_none() && in_flight == 0 {
                break;
            }
            if now > give_up || measured.errors > ERROR_LIMIT {
                measured.errors += in_flight as u64;
                measured.error(|| format!("{in_flight} requests were not answered in time"));
                break;
            }
            stop::check()?;
            // With no connection free, only an answer can wake us usefully.
            let nap = due.filter(|_| !self.idle.is_empty()).map_or(NAP, |due| (due - now).min(NAP));
            self.wait(nap)?;
            self.take_answers(&mut schedule, &mut measured)?;
        }
        measured.latencies_us.sort_unstable();
        measured.generator_cpu_s = machine::own_cpu_s()? - cpu_before_s;
        Ok(measured)
    }

    fn wait(&mut self, nap: Duration) -> Result<()> {
        self.ready.clear();
        let timeout = Timespec { tv_sec: 0, tv_nsec: nap.subsec_nanos().into() };
        match epoll::wait(&self.epoll, rustix::buffer::spare_capacity(&mut self.ready), Some(&timeout)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => Ok(()),
            Err(error) => Err(error).context("epoll"),
        }
    }

    fn take_answers(&mut self, schedule: &mut Schedule, measured: &mut Measured) -> Result<()> {
        for at in 0..self.ready.len() {
            let index = self.ready[at].data.u64() as usize;
            let connection = &mut self.connections[index];
            if connection.write().is_err() {
                bail!("the server closed a connection before it had read the request");
            }
            let Some(status) = connection.read(&mut self.buffer)? else { continue };
            let now = Instant::now();
            if status == 201 {
                let events = connection.request.events() as u64;
                measured.events += events;
                if now <= schedule.end {
                    measured.events_in_time += events;
                }
                let latency_us = now.saturating_duration_since(connection.due).as_micros();
                measured.latencies_us.push(u32::try_from(latency_us).unwrap_or(u32::MAX));
            } else {
                measured.error(|| format!("{status} {}", connection.response.refusal()));
            }
            self.idle.push_back(index);
            self.send_due(schedule, now, measured);
        }
        Ok(())
    }

    /// Sends what is due, as far as there are idle connections.
    fn send_due(&mut self, schedule: &mut Schedule, now: Instant, measured: &mut Measured) {
        while let Some(due) = schedule.next_due(now).filter(|&due| due <= now) {
            let Some(index) = self.idle.pop_front() else { return };
            schedule.sent += 1;
            let connection = &mut self.connections[index];
            connection.request.number(self.event, *self.next_event);
            *self.next_event += connection.request.events() as u64;
            connection.due = due;
            connection.written = 0;
            if let Err(error) = connection.write() {
                measured.error(|| format!("cannot send: {error}"));
            }
        }
    }
}

impl Connection {
    /// Writes on, as far as the socket takes it.
    fn write(&mut self) -> std::io::Result<()> {
        while self.written < self.request.bytes().len() {
            match self.stream.write(&self.request.bytes()[self.written..]) {
                Ok(count) => self.written += count,
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Reads on; the status once the response is whole.
    fn read(&mut self, buffer: &mut [u8]) -> Result<Option<u16>> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the server closed a connection"),
                Ok(count) => {
                    let status = self.response.feed(&buffer[..count])?;
                    // A short read has emptied the socket: its next bytes raise a new edge.
                    if status.is_some() || count < buffer.len() {
                        return Ok(status);
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(None),
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error).context("read"),
            }
        }
    }
}
